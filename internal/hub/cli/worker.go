package cli

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/queue"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

const workerUse = "worker new NAME -vantage VANTAGE | worker list | worker revoke NAME | worker server-accounts"

func newWorker(s streams) *cobra.Command {
	var file, vantage, out, pin string
	return command(&cobra.Command{
		Use:       workerUse,
		ValidArgs: []string{"new", "list", "revoke", "server-accounts"},
		Short:     "Make, list and revoke workers",
		Long: `Make a worker: a file of credentials, which is all that "clawsonar-hub work" needs on
another machine, and which nobody else is to have. It may take units of its own vantage and
hand in their results, and nothing else. A worker that is revoked is disconnected within
seconds.

With a NATS server of your own (workers: nats: in watch.yaml) server-accounts prints the
accounts that its configuration needs, and -pin names the key of its certificate.`,
	}, 2, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", "", "read this `FILE` instead of watch.yaml")
		f.StringVar(&vantage, "vantage", "", "where it stands: a `NAME` of a-z, 0-9 and -, such as fra")
		f.StringVar(&out, "o", "", "write the credentials to this `FILE` (default NAME.worker.yaml)")
		f.StringVar(&pin, "pin", "", "the `SHA256`, in hex, of the public key of a NATS server of your own")
	}, func(ctx context.Context, args []string) error {
		if len(args) == 0 || (args[0] == "list" || args[0] == "server-accounts") != (len(args) == 1) {
			return usage(errors.New("use " + workerUse))
		}
		c, err := loadNamed(file)
		if err != nil {
			return err
		}
		if c.Workers == nil {
			return usage(fmt.Errorf("%s: there is no workers: say there how workers reach the hub", c.File))
		}
		db, err := store.Open(ctx, c.Store)
		if err != nil {
			return err
		}
		defer db.Close()
		switch args[0] {
		case "new":
			if out == "" {
				out = args[1] + ".worker.yaml"
			}
			return addWorker(ctx, s, db, c.Workers, store.Worker{Name: args[1], Vantage: vantage, Made: time.Now()}, pin, out)
		case "revoke":
			err := db.RevokeWorker(ctx, args[1], time.Now())
			if errors.Is(err, store.ErrNotFound) {
				err = fmt.Errorf("no worker %q that is not revoked: see \"clawsonar-hub worker list\"", clean.N(args[1], 40))
			}
			return usage(err)
		case "list":
			return listWorkers(ctx, s, db)
		case "server-accounts":
			all, err := db.Workers(ctx)
			if err != nil {
				return err
			}
			hub, err := hubKey(c.Workers.Credentials)
			if err != nil {
				return usage(err)
			}
			_, err = fmt.Fprint(s.out, queue.ServerAccounts(hub, all))
			return err
		}
		return usage(fmt.Errorf("%.40q is not known: use %s", args[0], workerUse))
	})
}

// hubKey is the public NKey of the hub at a NATS server of one's own.
func hubKey(file string) (string, error) {
	if file == "" {
		return "", errors.New("nats-credentials is missing below workers: name a file with the seed of an NKey of the hub's own")
	}
	text, err := bounded.File(file, 64<<10)
	if err != nil {
		return "", err
	}
	pair, err := nkeys.FromSeed(bytes.TrimSpace(text))
	if err != nil {
		return "", fmt.Errorf("%s: not the seed of an NKey", file)
	}
	defer pair.Wipe()
	return pair.PublicKey()
}

// addWorker makes a worker and writes its credentials.
func addWorker(ctx context.Context, s streams, db *store.Store, c *config.Workers, w store.Worker, pin, file string) error {
	if err := job.CheckName(w.Name); err != nil {
		return usage(err)
	}
	if err := job.CheckName(w.Vantage); err != nil {
		return usage(fmt.Errorf("-vantage: %w", err))
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	key, err := job.Key(c.Dir)
	if err != nil {
		return err
	}
	switch {
	case c.NATS != "" && pin == "":
		return usage(errors.New("-pin is missing: with a NATS server of your own workers know it by the SHA-256 of its public key"))
	case c.NATS == "" && pin != "":
		return usage(errors.New("-pin is for a NATS server of your own: the hub knows the key of its own"))
	case pin == "":
		if pin, err = queue.Pin(c.Dir, w.Made); err != nil {
			return err
		}
	}
	made, public, err := job.NewCredentials(c.URL, w.Vantage, w.Name, pin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return usage(err)
	}
	if err := made.Write(file); err != nil {
		return usage(err)
	}
	w.Key = public
	if err := db.AddWorker(ctx, w); err != nil {
		os.Remove(file) // it is good for nothing
		if errors.Is(err, store.ErrWorkerExists) {
			err = fmt.Errorf("%w: use another name, or first run: clawsonar-hub worker revoke %s", err, w.Name)
		}
		return usage(err)
	}
	s.say("worker %s at %s: take %s to its machine, and run: clawsonar-hub work %s", w.Name, w.Vantage, file, file)
	return nil
}

func listWorkers(ctx context.Context, s streams, db *store.Store) error {
	all, err := db.Workers(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVANTAGE\tMADE\tLAST SEEN\tVERSION\tAT WORK AT")
	for _, x := range all {
		seen := "never"
		if !x.Seen.IsZero() {
			seen = x.Seen.Format(time.DateTime)
		}
		if !x.Revoked.IsZero() {
			seen = "revoked"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Name, x.Vantage, x.Made.Format(time.DateOnly), seen, clean.N(x.Version, 40), clean.N(x.Doing, 80))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, x := range all {
		if x.Why != "" && x.Revoked.IsZero() {
			fmt.Fprintf(s.out, "\n%s was refused at %s: %s\n", x.Name, x.Refused.Format(time.DateTime), clean.Text(x.Why))
		}
	}
	return nil
}
