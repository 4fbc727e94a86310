package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/scan"
)

// progressOptions are the flags about what is said while a scan runs.
type progressOptions struct {
	stats    bool
	interval time.Duration
}

func (o *progressOptions) flags(f *flags) {
	f.group("Progress")
	f.boolean(&o.stats, "stats", "", "write how far the scan is to stderr, one line of JSON at a time").
		mayFind("it tells more on stderr")
	f.duration(&o.interval, "stats-interval", "", 5*time.Second, "how often").
		mayFind("it tells more on stderr")
}

// progress says how far a scan is: a line that is kept up to date on a
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

// erase takes back the line that shows how far the scan is.
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

// announcer shows findings of high or worse on a terminal when they are found; nil
// if stderr is none, or nothing is to be said there.
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
			fmt.Fprintf(w, erase+"%-8s  %s  %s [%s]\n", report.Clean(string(f.Severity)), report.CleanN(t.Target.URL, 120),
				report.CleanN(f.Title, 120), report.CleanN(f.ID, 60))
		}
	}
}

// repeat has something done at each interval, and once at the end.
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

// sayWaiting says what is waited for: at first, when that changes, and now and
// then.
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
		fmt.Fprintf(s.err, "clawsonar: waiting for %s, %s at most\n", report.Clean(what), left.Round(time.Second))
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

// sayMissed says what the second look at silent targets means for the others.
func (o *scanOptions) sayMissed(s streams, m event.MissEstimate) {
	if o.silent || m.Found == 0 {
		return
	}
	fmt.Fprintf(s.err, "clawsonar: %d of %d silent targets answered when they were tried again, slowly: of the other silent ones about %d were missed, hardly more than %d; a lower -concurrency or -rate-limit misses fewer\n",
		m.Found, m.Reprobed, m.Missed, m.MissedAtMost)
}
