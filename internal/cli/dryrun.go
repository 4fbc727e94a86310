package cli

import (
	"bufio"
	"fmt"
	"time"

	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// printDryRun prints what would be contacted, and how long that takes. It opens
// no socket.
func (o *scanOptions) printDryRun(s streams, cfg *scan.Config) error {
	const shown = 20
	w := bufio.NewWriter(s.out)
	p, err := cfg.Preview(shown)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Nothing was contacted. Targets: %d", p.Targets)
	if p.Targets > shown {
		fmt.Fprintf(w, ", %d of them", shown)
	}
	fmt.Fprintln(w)
	for _, t := range p.Sample {
		fmt.Fprint(w, t.URL(t.Scheme))
		if err := cfg.Scope.CheckTarget(t); err != nil {
			fmt.Fprintf(w, "  excluded: %s", err)
		}
		fmt.Fprintln(w)
	}
	if p.Counted {
		fmt.Fprintf(w, "Excluded: %d. By name, each with up to %d addresses: %d.\n", p.Excluded, wire.MaxAddresses, p.Names)
	}
	if o.unknown > 0 {
		fmt.Fprintf(w, "Names in -allow, -scope, -exclude and -exclude-file, not looked up: %d. What they allow or exclude is not counted.\n", o.unknown)
	}
	o.printTime(w, cfg, p.Targets)
	return w.Flush()
}

// printTime estimates rate and time: how fast targets answer is not known, but
// how long a silent one takes is.
func (o *scanOptions) printTime(w *bufio.Writer, cfg *scan.Config, n uint64) {
	silent := float64(cfg.Concurrency) / min(wire.ConnectTimeout, o.Timeout).Seconds()
	rate := "as fast as they answer"
	if o.Rate > 0 {
		silent = min(silent, float64(o.Rate))
		rate = fmt.Sprintf("at most %d connections per second", o.Rate)
	}
	if o.HostRate > 0 {
		rate += fmt.Sprintf(", %d to one address", o.HostRate)
	}
	fmt.Fprintf(w, "Rate: %s, %d at a time; %.0f a second if all are silent.\n", rate, cfg.Concurrency, silent)
	about := func(perSecond float64) time.Duration {
		return time.Duration(min(float64(n)/perSecond, 1e9) * float64(time.Second)).Round(time.Second)
	}
	fmt.Fprintf(w, "Time: ")
	if o.Rate > 0 {
		fmt.Fprintf(w, "at least %s; ", about(float64(o.Rate)))
	}
	fmt.Fprintf(w, "about %s if all are silent.\n", max(about(silent), min(wire.ConnectTimeout, o.Timeout)))
}
