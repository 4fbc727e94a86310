package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/report"
)

// DB is what the alerts need of the store.
type DB interface {
	Waiting(ctx context.Context, f func(store.Waiting) error) error
	Done(ctx context.Context, rows []store.RowID) error
	Holds(ctx context.Context) (map[string]store.Hold, error)
	Hold(ctx context.Context, rule string, h store.Hold) error
	Begin(ctx context.Context, d store.Digest) error
	Unfinished(ctx context.Context, limit int) ([]store.Delivery, error)
	Body(ctx context.Context, delivery string) ([]byte, error)
	Delivered(ctx context.Context, id string) error
	Failed(ctx context.Context, id string, tried time.Time, reason error, retry time.Time) error
	Failing(ctx context.Context, limit int) ([]store.Delivery, error)
	Watched(ctx context.Context, watch string, now time.Time) (time.Time, error)
	Silent(ctx context.Context, rule string) (map[string]time.Time, error)
	PruneOutbox(ctx context.Context, before time.Time) error
	Notes(ctx context.Context, place string) ([]store.Note, error)
	// LastComplete returns when the last complete run of a watch that was no second look
	// ended; zero for none.
	LastComplete(ctx context.Context, watch string) (time.Time, error)
}

// Loop sends alerts.
type Loop struct {
	db      DB
	config  *config.Config
	rules   []rule
	now     func() time.Time
	texts   report.Texts
	client  *http.Client
	timeout time.Duration // of one try

	wake    chan struct{}
	workers sync.WaitGroup
	hurry   bool // what is due is not held for others to join it
	// ahead are the watches whose last run ended later than it is now.
	ahead map[string]ahead

	mu     sync.Mutex // of what follows
	stderr io.Writer
	busy   map[target]bool
	// ends are the ends of tries that the store may not have recorded.
	ends   map[string]end
	pruned time.Time
}

// target names a place of a rule, as the store does.
type target struct{ rule, sink string }

// ahead is the end of a run, and when it was first seen.
type ahead struct{ last, seen time.Time }

// end is how a try ended.
type end struct {
	taken bool
	retry time.Time // not before
}

const (
	sendTimeout = 30 * time.Second
	firstPause  = 10 * time.Second
	maxPause    = time.Hour
	maxAge      = 7 * 24 * time.Hour  // after which a delivery is given up
	keep        = 90 * 24 * time.Hour // of what is done
	maxOpen     = 1000                // deliveries of a place that are looked at, at a time
	// maxSleep is how long the clock is not looked at. It may be set, and machines sleep.
	maxSleep = time.Minute
)

// New reads the files that the alerts of a configuration name and makes their sinks,
// without using the network. Its errors name the alert and hold no secret. Now is the
// wall clock; stderr gets one line for each try that failed.
func New(db DB, c *config.Config, now func() time.Time, stderr io.Writer) (*Loop, error) {
	return newLoop(db, c, now, stderr, newClient(http.DefaultTransport.(*http.Transport).Clone(), sendTimeout))
}

func newLoop(db DB, c *config.Config, now func() time.Time, stderr io.Writer, client *http.Client) (*Loop, error) {
	l := &Loop{
		db: db, config: c, now: now, stderr: stderr, client: client, timeout: sendTimeout,
		wake: make(chan struct{}, 1), busy: map[target]bool{}, ends: map[string]end{}, ahead: map[string]ahead{},
	}
	var err error
	if l.texts, err = newTexts(c.Lang); err != nil {
		return nil, err
	}
	for _, a := range c.Alerts {
		places, err := l.places(a)
		if err != nil {
			return nil, fmt.Errorf("%s: alert %s: %w", c.File, a.Name, err)
		}
		l.rules = append(l.rules, rule{a, places})
	}
	return l, nil
}

// Wake makes Run look at once, as after a run was stored. It does not block.
func (l *Loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run sends alerts until ctx is done. It returns after the last try has ended.
func (l *Loop) Run(ctx context.Context) error {
	defer l.workers.Wait()
	var said string
	for {
		sleep := maxSleep
		next, err := l.step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			// The store may be back soon. The same is said once.
			if text := clean.Text(err.Error()); text != said {
				l.warn("alerts wait: %s", text)
				said = text
			}
			sleep = firstPause
		} else {
			said = ""
			if !next.IsZero() {
				sleep = min(max(next.Sub(l.now()), 0), maxSleep)
			}
		}
		timer := time.NewTimer(sleep)
		select {
		case <-ctx.Done():
		case <-l.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Once sends what is due, without waiting for more to join it, and returns after one try
// of each. It is not called beside Run.
func (l *Loop) Once(ctx context.Context) error {
	l.hurry = true
	defer l.workers.Wait()
	for range maxOpen {
		next, err := l.step(ctx)
		l.workers.Wait()
		if err != nil || next.IsZero() || next.After(l.now()) {
			return err
		}
	}
	return ctx.Err()
}

func (l *Loop) warn(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.stderr, "clawsonar-hub: "+format+"\n", args...)
}

// Failure is a delivery that does not get through.
type Failure struct {
	Rule, Sink string
	Begun      time.Time
	Tries      int
	Last, Next time.Time // tries; Next is zero after it was given up
	Reason     string
}

// Failures returns the deliveries that fail, and those that were given up, the latest
// first, at most 100.
func (l *Loop) Failures(ctx context.Context) (out []Failure, err error) {
	failing, err := l.db.Failing(ctx, 100)
	for _, d := range failing {
		out = append(out, Failure{d.Rule, d.Sink, d.Begun, d.Tries, d.Tried, d.Retry, d.Error})
	}
	return out, err
}

// step does what is due, and returns when the next is; zero if nothing waits for a time.
// Deliveries go on after it has returned.
func (l *Loop) step(ctx context.Context) (next time.Time, err error) {
	now := l.now()
	soonest := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, part := range []func(context.Context, time.Time) (time.Time, error){l.changes, l.silences, l.deliver} {
		t, err := part(ctx, now)
		if err != nil {
			return next, err
		}
		soonest(t)
	}
	if now.Sub(l.pruned).Abs() > 24*time.Hour {
		if err := l.db.PruneOutbox(ctx, now.Add(-keep)); err != nil {
			return next, err
		}
		l.pruned = now
	}
	return next, nil
}

// changes begins the digests that are due.
func (l *Loop) changes(ctx context.Context, now time.Time) (next time.Time, err error) {
	all := make([]gathered, len(l.rules))
	var done []store.RowID
	err = l.db.Waiting(ctx, func(w store.Waiting) error {
		left := false
		for i := range l.rules {
			r := &l.rules[i]
			if !r.matches(&w.Change) || slices.Contains(w.Alerted, r.Name) {
				continue
			}
			left = true
			if w.Looks >= r.looks(&w.Change, l.confirm(w.Watch)) {
				c := w.Change
				all[i].add(r, &c)
			}
		}
		if !left {
			done = append(done, store.RowID{Run: w.Run, Gateway: w.Gateway})
		}
		return nil
	})
	if err != nil {
		return next, err
	}
	if err := l.db.Done(ctx, done); err != nil {
		return next, err
	}
	holds, err := l.db.Holds(ctx)
	if err != nil {
		return next, err
	}
	for i := range l.rules {
		r, g := &l.rules[i], &all[i]
		hold := held(holds[r.Name], g, now)
		if hold != holds[r.Name] {
			if err := l.db.Hold(ctx, r.Name, hold); err != nil {
				return next, err
			}
		}
		if len(g.rows) == 0 {
			continue
		}
		if due := r.due(hold); due.After(now) && !l.hurry {
			if next.IsZero() || due.Before(next) {
				next = due
			}
			continue
		}
		if err := l.beginChanges(ctx, r, g, now); err != nil {
			return next, err
		}
		next = now // the rows may be done
	}
	return next, nil
}

// confirm is how many looks must show a change of a watch.
func (l *Loop) confirm(watch string) int {
	for _, w := range l.config.Watches {
		if slices.Contains(w.Runs(), watch) {
			return w.Confirm
		}
	}
	if job.OfWatch(watch) != watch {
		return 1 // a job, which is made once
	}
	return config.DefaultConfirm // it is not watched any more
}

// held says since when something has been due. A clock that was set back does not make it
// wait again.
func held(h store.Hold, g *gathered, now time.Time) store.Hold {
	since := func(t time.Time, is bool) time.Time {
		switch {
		case !is:
			return time.Time{}
		case t.IsZero() || t.After(now):
			return now.Truncate(time.Millisecond)
		}
		return t
	}
	return store.Hold{Since: since(h.Since, len(g.rows) > 0), Urgent: since(h.Urgent, g.urgent)}
}

func (l *Loop) beginChanges(ctx context.Context, r *rule, g *gathered, now time.Time) error {
	notes := map[string][]store.Note{}
	for _, c := range g.worst {
		var err error
		if notes[c.Place], err = l.db.Notes(ctx, c.Place); err != nil {
			return err
		}
	}
	what := []string{"changes"}
	for _, row := range g.rows {
		what = append(what, row.Run.String(), row.Gateway.String())
	}
	return l.begin(ctx, r, store.Digest{Rows: g.rows}, l.document(r, g, now, notes), what)
}

// begin records a digest, with one delivery for each place of the rule. The ids are made
// of what is told: what is recorded twice is sent once.
func (l *Loop) begin(ctx context.Context, r *rule, g store.Digest, d *document, what []string) error {
	g.Rule = r.Name
	for _, p := range r.places {
		d.Delivery = store.MakeID(append([]string{r.Name, p.name}, what...)...).String()
		m := message{document: d, texts: l.texts}
		headline, body := m.text(plain, 0)
		d.Summary, d.Text = clean.Text(headline), headline+"\n\n"+body
		data, err := json.Marshal(d)
		if err != nil {
			return err
		}
		g.Deliveries = append(g.Deliveries, store.Delivery{ID: d.Delivery, Sink: p.name, Body: data, Begun: d.At})
	}
	return l.db.Begin(ctx, g)
}
