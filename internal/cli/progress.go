package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/scan"
)

// progressOptions are the flags about the progress of a scan.
type progressOptions struct {
	stats    bool
	interval time.Duration
}

func (o *progressOptions) flags(f *flags) {
	f.group("Progress")
	f.boolean(&o.stats, "stats", "", "write progress to stderr as JSON lines").
		mayFind("it prints more to stderr")
	f.duration(&o.interval, "stats-interval", "", 5*time.Second, "interval of these lines").
		mayFind("it prints more to stderr")
}

// progress shows the progress of a scan: a line that is kept up to date on a
// terminal, or lines of JSON. The function it returns ends that.
func (o *progressOptions) progress(s streams, silent bool, cfg *scan.Config) (finish func()) {
	f, ok := s.err.(*os.File)
	switch {
	case o.stats:
		meter := scan.NewMeter(cfg, time.Now())
		enc := json.NewEncoder(s.err)
		return repeat(o.interval, func(last bool) { _ = enc.Encode(meter.Read(time.Now(), last)) })
	case ok && !silent && term.IsTerminal(int(f.Fd())):
		return terminalLine(f, cfg)
	}
	return func() {}
}

// erase clears the line that shows the progress.
const erase = "\r\x1b[K"

func terminalLine(w io.Writer, cfg *scan.Config) (finish func()) {
	meter := scan.NewMeter(cfg, time.Now())
	return repeat(250*time.Millisecond, func(last bool) {
		if last {
			fmt.Fprint(w, erase)
			return
		}
		fmt.Fprint(w, erase+line(meter.Read(time.Now(), false)))
	})
}

// maxAnnounced is how many findings are shown while a scan runs.
const maxAnnounced = 50

// announcer prints findings of high or worse to a terminal when they are found; nil
// if stderr is not a terminal, or must stay silent.
func (o *scanOptions) announcer(s streams) func(*event.Target) {
	f, ok := s.err.(*os.File)
	if !ok || o.silent || o.stats || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return announce(f)
}

// announce writes a line for each finding of high or worse, of the first few.
func announce(w io.Writer) func(*event.Target) {
	said := 0
	return func(t *event.Target) {
		for i := range t.Findings {
			f := &t.Findings[i]
			if !f.Active() || f.Severity.Rank() < event.High.Rank() || said > maxAnnounced {
				continue
			}
			if said++; said > maxAnnounced {
				fmt.Fprint(w, erase+"More findings of high or worse are in the report.\n")
				return
			}
			fmt.Fprintf(w, erase+"%-8s  %s  %s [%s]\n", clean.Text(string(f.Severity)), clean.N(t.Target.URL, 120),
				clean.N(f.Title, 120), clean.N(f.ID, 60))
		}
	}
}

// repeat calls do at each interval, and once at the end.
func repeat(interval time.Duration, do func(last bool)) (finish func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				do(true)
				return
			case <-tick.C:
				do(false)
			}
		}
	}()
	return func() { close(stop); <-done }
}

// sayWaiting prints what is waited for: at first, when that changes, and then at
// intervals.
func (o *scanOptions) sayWaiting(s streams) func(n int, place string, outcome event.Outcome, left time.Duration) {
	const every = 15 * time.Second
	var before string
	var said time.Time
	return func(n int, place string, outcome event.Outcome, left time.Duration) {
		what := fmt.Sprintf("%s (%s)", place, outcome)
		if n > 1 {
			what += fmt.Sprintf(" and %d more", n-1)
		}
		if o.silent || what == before && time.Since(said) < every {
			return
		}
		before, said = what, time.Now()
		fmt.Fprintf(s.err, "clawsonar: waiting for %s, %s at most\n", clean.Text(what), left.Round(time.Second))
	}
}

// line is what a terminal shows.
func line(st scan.Progress) string {
	text := fmt.Sprintf("%d targets", st.Done)
	if st.Total > 0 {
		text = fmt.Sprintf("%d of %d targets", st.Done, st.Total)
	}
	text += fmt.Sprintf(", %d gateways, %.0f/s", st.Found, st.Rate)
	if st.RemainsS != nil && st.Done < st.Total {
		left := time.Duration(*st.RemainsS * float64(time.Second))
		text += ", about " + left.Round(time.Second).String() + " left"
	}
	return text
}

// sayMissed prints how many silent targets were probably missed.
func (o *scanOptions) sayMissed(s streams, m event.MissEstimate) {
	if o.silent || m.Found == 0 {
		return
	}
	fmt.Fprintf(s.err, "clawsonar: %d of %d silent targets answered when they were retried slowly: of the other silent targets about %d were missed, at most about %d; a lower -concurrency or -rate-limit misses fewer\n",
		m.Found, m.Reprobed, m.Missed, m.MissedAtMost)
}
