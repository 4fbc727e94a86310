package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/worker"
	"github.com/clawsonar/clawsonar/internal/version"
	"github.com/clawsonar/clawsonar/internal/wire"
)

func newWork(s streams) *cobra.Command {
	o := audit.Defaults()
	o.Concurrency = 0
	units := 1
	return command(&cobra.Command{
		Use:   "work [flags] CREDENTIALS",
		Short: "Scan for a hub on another machine",
		Long: `Take units of jobs from the hub that CREDENTIALS, a file of "clawsonar-hub worker
new", names, scan them from here, and hand in what was seen. Only what the hub has
signed is scanned, and no connection is opened that the hub has not just granted: a
hub that does not answer makes the worker wait.

The flags are limits of this machine's own: they apply on top of those of each job.
Files that they name are read again when they change.

A signal ends it in order: units are given back at once.

Exit codes: 0 ended by a signal · 1 failed, or the hub refuses this worker · 2 usage
or input error.`,
	}, 1, func(f *flag.FlagSet) {
		f.IntVar(&units, "units", units, fmt.Sprintf("work at `N` units at once, at most %d", worker.MaxUnits))
		scopeFlags(f, &o.Scope)
		f.IntVar(&o.Rate, "rate-limit", 0, "open at most `N` connections a second; 0 for as many as the hub grants")
		f.IntVar(&o.Concurrency, "concurrency", 0, "have at most `N` targets of a unit in flight; 0 for as many as the job says")
		f.StringVar(&o.Proxy, "proxy", "", "connect through a proxy: `URL` is socks5://HOST:PORT or http://HOST:PORT")
		f.StringVar(&o.SourceIP, "source-ip", "", "connect from the address `IP`")
		f.StringVar(&o.Interface, "interface", "", "connect through the network interface `NAME`")
		f.StringVar(&o.Resolver, "resolver", "", "ask the DNS server at `ADDRESS`")
	}, func(ctx context.Context, args []string) error {
		if len(args) == 0 {
			return usage(errors.New("name the file with the credentials of the worker: the operator of the hub makes it with \"clawsonar-hub worker new\""))
		}
		if err := checkWork(&o, units); err != nil {
			return usage(err)
		}
		c, err := job.ReadCredentials(args[0])
		if err != nil {
			return usage(err)
		}
		known, err := openData()
		if err != nil {
			return err
		}
		w := &worker.Worker{
			Credentials: c, Settings: o, Naming: audit.Naming{Prefix: "-"}, Units: units,
			Tool: event.Tool{Name: hubName, Version: version.String()}, Known: known,
			Say: func(line string) { s.say("%s", line) },
		}
		if err := w.Check(ctx); err != nil {
			return usage(err)
		}
		return w.Run(ctx)
	})
}

// checkWork checks what a worker is told.
func checkWork(o *audit.Settings, units int) error {
	if units < 1 || units > worker.MaxUnits {
		return fmt.Errorf("-units: use a number from 1 to %d", worker.MaxUnits)
	}
	for name, n := range map[string]int{"rate-limit": o.Rate, "concurrency": o.Concurrency} {
		if n < 0 || n > 1_000_000 {
			return fmt.Errorf("-%s: use a number from 0 to 1000000", name)
		}
	}
	if err := checkScope(&o.Scope); err != nil {
		return err
	}
	return checkNetwork(&o.Network)
}

// checkNetwork checks how a worker is to connect.
func checkNetwork(n *audit.Network) error {
	for _, one := range []struct {
		name, text string
		check      func(string) error
	}{
		{"proxy", n.Proxy, func(s string) error { _, err := wire.ParseProxy(s); return err }},
		{"source-ip", n.SourceIP, func(s string) error { _, err := audit.ParseAddress(s); return err }},
		{"resolver", n.Resolver, func(s string) error { _, err := audit.ParseResolver(s); return err }},
	} {
		if one.text == "" {
			continue
		}
		if err := one.check(one.text); err != nil {
			return fmt.Errorf("-%s: %w", one.name, err)
		}
	}
	return nil
}
