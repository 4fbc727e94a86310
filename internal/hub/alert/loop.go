package alert

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
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

// Config is what the alerts are about.
type Config struct {
	Rules   []Rule
	Dir     string                 // of the configuration: paths are relative to it
	URL     string                 // of the hub, for links; "" for none
	Lang    string                 // of texts for people, see report.Languages
	Watches []string               // all that there are
	Confirm func(watch string) int // looks that must show a change which is not urgent
	Now     func() time.Time       // the wall clock
	Stderr  io.Writer              // one line for each try that failed
}

// Loop sends alerts.
type Loop struct {
	db      DB
	rules   []rule
	url     string
	watches []string
	confirm func(string) int
	now     func() time.Time
	texts   report.Texts
	client  *http.Client
	timeout time.Duration // of one try

	wake    chan struct{}
	workers sync.WaitGroup

	mu     sync.Mutex // of what follows
	stderr io.Writer
	busy   map[target]bool
	// ends are the ends of tries that the store may not have recorded.
	ends   map[string]end
	pruned time.Time
}

// rule is a Rule with its sinks.
type rule struct {
	Rule
	places []place
}

// target names a place of a rule, as the store does.
type target struct{ rule, sink string }

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
	maxOpen     = 1000                // deliveries that are looked at, at a time
	// maxSleep is how long the clock is not looked at. It may be set, and machines sleep.
	maxSleep = time.Minute
)

// New reads the rules' files and makes their sinks, without using the network. Its errors
// name the rule and hold no secret.
func New(db DB, c Config) (*Loop, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return newLoop(db, c, newClient(transport, sendTimeout))
}

func newLoop(db DB, c Config, client *http.Client) (*Loop, error) {
	l := &Loop{
		db: db, watches: c.Watches, confirm: c.Confirm, now: c.Now, stderr: c.Stderr, client: client, timeout: sendTimeout,
		wake: make(chan struct{}, 1), busy: map[target]bool{}, ends: map[string]end{}, url: strings.TrimRight(c.URL, "/"),
	}
	if u, err := url.Parse(c.URL); err != nil || c.URL != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return nil, fmt.Errorf("url: %.80q is not the address of a page", c.URL)
	}
	var err error
	if l.texts, err = newTexts(c.Lang); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, r := range c.Rules {
		r.Name = cmp.Or(r.Name, "alert-"+strconv.Itoa(i+1))
		if seen[r.Name] {
			return nil, fmt.Errorf("alert %q: there are two of this name", clean.Text(r.Name))
		}
		seen[r.Name] = true
		err := r.check()
		var places []place
		if err == nil {
			places, err = l.places(&r, c.Dir)
		}
		if err != nil {
			return nil, fmt.Errorf("alert %q: %w", clean.Text(r.Name), err)
		}
		l.rules = append(l.rules, rule{r, places})
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
			if w.Looks >= r.looks(&w.Change, l.confirm) {
				c := w.Change
				all[i].add(&r.Rule, &c)
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
		if due := r.due(hold); due.After(now) {
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
	return l.begin(ctx, r, store.Digest{Rows: g.rows}, l.document(&r.Rule, g, now, notes), what)
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
