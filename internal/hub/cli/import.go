package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/exit"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// defaultConfig is read if no other file is named.
const defaultConfig = "watch.yaml"

// builtIn stands for the name of the configuration that load has where there is none.
const builtIn = "(built in)"

// loadNamed reads the configuration that -config names; "" is as no file of load.
func loadNamed(file string) (*config.Config, error) {
	if file == "" {
		return load(nil)
	}
	return load([]string{file})
}

// load reads the configuration; without a file, that of a hub that watches this machine.
func load(args []string) (*config.Config, error) {
	file := defaultConfig
	if len(args) > 0 {
		file = args[0]
	}
	c, err := config.Load(file)
	if len(args) == 0 && errors.Is(err, fs.ErrNotExist) {
		return config.Parse(builtIn, []byte("watches: [{name: this-machine, targets: [127.0.0.1, '::1'], every: 6h}]\n"))
	}
	return c, usage(err)
}

// openStore opens the database of a configuration for this process alone, and names the
// networks in it.
func openStore(ctx context.Context, c *config.Config) (*store.Store, error) {
	db, err := store.Open(ctx, c.Store)
	if err != nil {
		return nil, err
	}
	if err := db.Own(ctx); err != nil {
		db.Close()
		return nil, err
	}
	if err := db.Label(ctx, c.Networks); err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", c.NetworksFile, err)
	}
	return db, nil
}

func newImport(s streams) *cobra.Command {
	var file string
	return command(&cobra.Command{
		Use:   "import [flags] [DIR]",
		Short: "Make the index again from stored streams",
		Long: `Make the index of the database again from all streams (*.jsonl, *.jsonl.gz)
below a directory, by default that of watch.yaml. Notes, accounts and alerts stay,
and nothing is alerted. Streams of "clawsonar scan" are taken as well: the watch
then is called as their directory. The hub has to be stopped meanwhile.

Exit codes: 0 done · 1 failed, or streams that could not be read are not in the
index · 2 usage or input error.`,
	}, 1, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", "", "read this `FILE` instead of watch.yaml")
	}, func(ctx context.Context, args []string) error {
		c, err := loadNamed(file)
		if err != nil {
			return err
		}
		dir := c.Streams
		if len(args) > 0 {
			dir = args[0]
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return usage(fmt.Errorf("%s is no directory: give the one with the streams", dir))
		}
		db, err := openStore(ctx, c)
		if err != nil {
			return err
		}
		defer db.Close()
		out, err := db.Import(ctx, dir, check.Infos(), func(n, of int) {
			if of >= 50 && n*10/of > (n-1)*10/of {
				s.say("%d of %d runs", n, of)
			}
		})
		for _, x := range out.Refused {
			s.say("not imported: %v", x)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "runs: %d, gateways: %d\n", out.Runs, out.Gateways)
		if len(out.Refused) > 0 {
			return &exit.Error{Code: exit.Failed}
		}
		return nil
	})
}
