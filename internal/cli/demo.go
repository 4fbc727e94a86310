package cli

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// demoCases are the captures that the demo shows: one of each verdict.
func demoCases() []string {
	return []string{
		"openclaw/openclaw-2026.9.6-none.yaml",
		"openclaw/clawdbot-2026.1.24-3-none.yaml",
		"openclaw/openclaw-2026.9.6-token-nginx-token.yaml",
		"openclaw/openclaw-2026.6.11-password.yaml",
		"openclaw/openclaw-2026.9.6-none-caddy.yaml",
		"openclaw/openclaw-2026.9.6-token-nginx-login.yaml",
	}
}

// familyCases are the captures of all relatives, in the order of their names.
func familyCases(set *fingerprint.Set, all map[string]evidence.Capture) []string {
	var out []string
	for _, p := range set.Products() {
		for name, c := range all {
			if !p.Relative || path.Dir(name) != p.ID || c.Expect.Product != p.ID {
				continue
			}
			// The replica is on loopback, where some take anyone for their owner.
			c.Reach = ""
			if set.Replay(&c, event.LevelStandard).Verdict().Auth.State == c.Expect.Auth {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

func newDemo(s streams) *cobra.Command {
	var o scanOptions
	o.flags() // for their defaults
	f := newFlags("demo")
	f.noArgs = true
	f.group("Replicas")
	f.boolean(&o.Family, "family", "", "replicas of OpenClaw's relatives instead, open and protected, one port each")
	o.outputFlags(f)
	cmd := &cobra.Command{
		Use:   "demo [flags]",
		Short: "Scan bundled replicas of gateways on loopback",
		Long: `Start replicas of gateways on free ports of 127.0.0.1, scan them as "scan"
would, print the report, and stop them. The replicas give the answers that real
gateways gave when they were recorded; those of -family, too, where the real
program could be run, else they were made by hand.`,
	}
	return f.attach(s, cmd, func(ctx context.Context, args []string) error {
		return runDemo(ctx, s, o)
	})
}

func runDemo(ctx context.Context, s streams, o scanOptions) error {
	known, err := openData()
	if err != nil {
		return err
	}
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		return fmt.Errorf("built-in captures: %w", err)
	}
	cfg, gate, err := o.prepare(ctx, s, known)
	if err != nil {
		return usage(err)
	}
	cfg.Helpers = false // what else listens here is not part of the demo
	var targets []string
	cases := demoCases()
	if o.Family {
		cases = familyCases(known.Set, all)
	}
	for _, name := range cases {
		c, ok := all[name]
		if !ok {
			return fmt.Errorf("built-in captures: %s is missing", name)
		}
		r, err := replica.Start(c)
		if err != nil {
			return err
		}
		defer r.Close()
		targets = append(targets, r.Addr.String())
		if !o.silent {
			fmt.Fprintf(s.err, "replica on %s: %s%s%s\n", r.Addr, c.Program, inMode(c.Mode), behind(c.Front))
		}
	}
	if err := o.addTargets(ctx, s, cfg, known, targets); err != nil {
		return err
	}
	if err := o.distinct(s, targets); err != nil {
		return usage(err)
	}
	return o.run(ctx, s, cfg, gate, nil)
}

func inMode(mode string) string {
	if mode == "" {
		return ""
	}
	return ", mode " + mode
}

func behind(front string) string {
	if front == "" {
		return ""
	}
	return ", behind " + front
}
