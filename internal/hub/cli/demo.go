package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/exit"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/version"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// lives are what the replicas of the demo are, one after another; "" is one that does
// not answer. Most people's gateways stay as they are, some open by mistake.
func lives() [][]string {
	const (
		open     = "openclaw/openclaw-2026.9.6-none.yaml"
		openOld  = "openclaw/openclaw-2026.3.13-none.yaml"
		token    = "openclaw/openclaw-2026.9.6-token.yaml"
		tokenOld = "openclaw/openclaw-2026.3.13-token.yaml"
		token6   = "openclaw/openclaw-2026.6.11-token.yaml"
		password = "openclaw/openclaw-2026.6.11-password.yaml"
		login    = "openclaw/openclaw-2026.9.6-token-nginx-login.yaml"
		added    = "openclaw/openclaw-2026.9.6-token-nginx-token.yaml"
		blocked  = "openclaw/openclaw-2026.9.6-none-caddy.yaml"
		first    = "openclaw/clawdbot-2026.1.24-3-none.yaml"
	)
	return [][]string{
		{token, token, token, token, open, open, token, token},
		{tokenOld, tokenOld, tokenOld, token6, token6, token6, token, token},
		{password, password, password, password, password, password, password, password},
		{login, login, login, login, login, added, added, added},
		{"", openOld, openOld, openOld, tokenOld, tokenOld, tokenOld, ""},
		{open, open, blocked, blocked, blocked, token, token, token},
		{first, first, first, first, first, first, "", ""},
		{token6, token6, token6, token, token, token, open, open},
		{"", "", "", password, password, blocked, blocked, blocked},
	}
}

const (
	demoDays  = 16               // runs before the page is shown; each stands for a day
	demoEvery = 20 * time.Second // between the runs after that
)

// fleet is the replicas of the demo.
type fleet struct {
	all      map[string]evidence.Capture
	replicas []*replica.Replica
}

func startFleet() (*fleet, error) {
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		return nil, fmt.Errorf("built-in captures: %w", err)
	}
	f := &fleet{all: all}
	for range lives() {
		r, err := replica.Start(evidence.Capture{})
		if err != nil {
			f.close()
			return nil, err
		}
		f.replicas = append(f.replicas, r)
	}
	return f, f.turn(0)
}

// turn makes the replicas what they are at that time. Each stays as it is for two turns,
// and they do not all change at the same one.
func (f *fleet) turn(n int) error {
	for i, life := range lives() {
		now := life[(n+i%2)/2%len(life)]
		c, ok := f.all[now]
		if !ok && now != "" {
			return fmt.Errorf("built-in captures: %s is missing", now)
		}
		f.replicas[i].Become(c) // one without requests answers nothing that is known
	}
	return nil
}

func (f *fleet) targets() (out []string) {
	for _, r := range f.replicas {
		out = append(out, r.Addr.String())
	}
	return out
}

func (f *fleet) close() {
	for _, r := range f.replicas {
		r.Close()
	}
}

func newDemo(s streams) *cobra.Command {
	var listen, keep string
	return command(&cobra.Command{
		Use:   "demo [flags]",
		Short: "Show a fleet of replicas that open and close by themselves",
		Long: `Start replicas of gateways on loopback, which open, close and are updated by
themselves; scan them some times, each run standing for a day, and show their
history on a page. Then a run follows every 20 seconds, until it is interrupted.
The replicas give the answers that real gateways gave when they were recorded.`,
	}, 0, func(f *flag.FlagSet) {
		f.StringVar(&listen, "listen", config.DefaultListen, "show the pages at this `ADDRESS`, on loopback")
		f.StringVar(&keep, "dir", "", "keep database and streams in this `DIRECTORY` instead of a temporary one")
	}, func(ctx context.Context, _ []string) error {
		dir := keep
		if dir == "" {
			var err error
			if dir, err = os.MkdirTemp("", "clawsonar-hub-demo-"); err != nil {
				return err
			}
			defer os.RemoveAll(dir)
		} else if err := newDirectory(dir); err != nil {
			return usage(err)
		}
		f, err := startFleet()
		if err != nil {
			return err
		}
		defer f.close()
		c, err := demoConfig(dir, listen, f.targets())
		if err != nil {
			return usage(err)
		}
		if err := pastDays(ctx, s, c, f); err != nil {
			return err
		}
		db, err := openStore(ctx, c)
		if err != nil {
			return err
		}
		if _, err := db.Import(ctx, c.Streams, check.Infos(), nil); err != nil {
			db.Close()
			return err
		}
		if err := db.Close(); err != nil {
			return err
		}
		turn := demoDays
		return serve(ctx, s, c, func() error { turn++; return f.turn(turn) })
	})
}

// newDirectory makes a directory, unless it is there and empty.
func newDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) > 0 {
		return errors.Join(err, fmt.Errorf("-dir: %s is not empty: give a new directory", dir))
	}
	return nil
}

// demoConfig is the watch.yaml of the demo.
func demoConfig(dir, listen string, targets []string) (*config.Config, error) {
	networks := filepath.Join(dir, "networks.csv")
	if err := os.WriteFile(networks, []byte("prefix,owner,contact\n127.0.0.0/8,demo,demo@example.org\n"), 0o600); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, defaultConfig)
	text := fmt.Sprintf(`store: board.db
streams: streams
listen: %q
networks: networks.csv
watches:
  - {name: replicas, targets: [%s], every: %s, confirm: 1, vantage: loopback}
`, listen, strings.Join(targets, ", "), demoEvery)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return config.Load(file)
}

// pastDays scans the fleet some times. The streams say that it was once a day: that is
// what the demo makes up, nothing else.
func pastDays(ctx context.Context, s streams, c *config.Config, f *fleet) error {
	known, err := openData()
	if err != nil {
		return err
	}
	w := c.Watches[0]
	dir := filepath.Join(c.Streams, w.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	s.say("demo: %d runs, each standing for a day", demoDays)
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range demoDays {
		if err := f.turn(n); err != nil {
			return err
		}
		b := &audit.Builder{Settings: &w.Settings, Naming: w.Naming(), Tool: event.Tool{Name: hubName, Version: version.String()}, Known: known}
		cfg, err := b.Build(ctx, w.Source())
		if err != nil {
			return err
		}
		day := time.Now().UTC().AddDate(0, 0, n-demoDays).Truncate(time.Hour).Add(time.Duration(rng.IntN(60)) * time.Minute)
		cfg.Head.Started, cfg.Head.Watch, cfg.Head.Vantage = day, w.Name, w.Vantage
		err = func() error {
			defer cfg.Space.Close()
			out, err := os.OpenFile(filepath.Join(dir, day.Format("20060102T150405.000Z")+".jsonl"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			stream := event.NewWriter(out)
			cfg.Emit = func(e event.Event) error {
				if sum, ok := e.(*event.Summary); ok {
					sum.Finished = day.Add(time.Minute)
				}
				return stream.Write(e)
			}
			_, err = scan.Run(ctx, *cfg)
			return errors.Join(err, out.Close())
		}()
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return &exit.Error{Code: exit.Interrupted}
		}
	}
	return nil
}
