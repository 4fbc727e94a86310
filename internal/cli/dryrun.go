package cli

import (
	"bufio"
	"fmt"
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// printDryRun says what would be contacted, and how long that takes. It opens
// no socket.
func (o *scanOptions) printDryRun(s streams, cfg *scan.Config) error {
	const (
		shown   = 20
		counted = 1 << 20 // so many are checked against the scope
	)
	w := bufio.NewWriter(s.out)
	n := cfg.Targets()
	fmt.Fprintf(w, "Nothing was contacted. Targets: %d", n)
	if n > shown {
		fmt.Fprintf(w, ", %d of them", shown)
	}
	fmt.Fprintln(w)
	targets, err := sample(cfg, min(n, shown))
	if err != nil {
		return err
	}
	for _, t := range targets {
		fmt.Fprint(w, t.URL(t.Scheme))
		if err := cfg.Scope.CheckTarget(t); err != nil {
			fmt.Fprintf(w, "  excluded: %s", err)
		}
		fmt.Fprintln(w)
	}
	if n > 0 && n <= counted {
		all, err := sample(cfg, n)
		if err != nil {
			return err
		}
		names, excluded := 0, 0
		for _, t := range all {
			if !t.Addr.Addr().IsValid() {
				names++
			}
			if cfg.Scope.CheckTarget(t) != nil {
				excluded++
			}
		}
		fmt.Fprintf(w, "Excluded: %d. By name, each with up to %d addresses: %d.\n", excluded, wire.MaxAddresses, names)
	}
	if o.unknown > 0 {
		fmt.Fprintf(w, "Names in -allow, -scope, -exclude and -exclude-file, not looked up: %d. What they let in or shut out is not counted.\n", o.unknown)
	}
	o.printTime(w, cfg, n)
	return w.Flush()
}

// printTime estimates rate and time: how fast targets answer is not known, but
// how long a silent one takes is.
func (o *scanOptions) printTime(w *bufio.Writer, cfg *scan.Config, n uint64) {
	silent := float64(cfg.Concurrency) / min(wire.ConnectTimeout, o.timeout).Seconds()
	rate := "as fast as they answer"
	if o.rate > 0 {
		silent = min(silent, float64(o.rate))
		rate = fmt.Sprintf("at most %d connections a second", o.rate)
	}
	if o.hostRate > 0 {
		rate += fmt.Sprintf(", %d to one address", o.hostRate)
	}
	fmt.Fprintf(w, "Rate: %s, %d at a time; %.0f a second if all are silent.\n", rate, cfg.Concurrency, silent)
	about := func(perSecond float64) time.Duration {
		return time.Duration(min(float64(n)/perSecond, 1e9) * float64(time.Second)).Round(time.Second)
	}
	fmt.Fprintf(w, "Time: ")
	if o.rate > 0 {
		fmt.Fprintf(w, "at least %s; ", about(float64(o.rate)))
	}
	fmt.Fprintf(w, "about %s if all are silent.\n", max(about(silent), min(wire.ConnectTimeout, o.timeout)))
}

// sample returns n of the run's targets, evenly from its order, and sorted as
// they were named.
func sample(cfg *scan.Config, n uint64) ([]target.Target, error) {
	order := target.NewOrder(cfg.Space.Len(), cfg.Seed)
	shard := cfg.Shard
	if shard.N == 0 {
		shard = target.Shard{K: 1, N: 1}
	}
	all := cfg.Targets()
	indices := make([]uint64, n)
	for i := range indices {
		indices[i] = order.At(shard.At(uint64(i) * (all / n)))
	}
	slices.Sort(indices)
	targets := make([]target.Target, n)
	for i, index := range indices {
		var err error
		if targets[i], err = cfg.Space.At(index); err != nil {
			return nil, err
		}
	}
	return targets, nil
}
