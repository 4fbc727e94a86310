package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/pace"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

// attempt is one at a unit.
type attempt struct {
	w      *Worker
	at     job.At
	rate   int // of the job
	gate   pace.Gate
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	paused   bool
	pausedAt time.Time
}

// attempt makes one at a unit. Its error is nil if the hub has all of it, an *ordered if it
// wants none, and else says why there is nothing.
func (w *Worker) attempt(ctx context.Context, u job.Unit) error {
	h := w.jobs.use(u.Job)
	defer w.jobs.leave(h)
	record, err := h.open(ctx, w)
	if err != nil && !errors.Is(err, errNoRecord) {
		return err
	}
	scope, changed := w.own.get()
	if scope == nil {
		return errOwn
	}
	var begun job.Begun
	if err := w.link.insistOn(ctx, job.AskBegin, job.Begin{Unit: u, Version: w.Tool.Version, Data: w.data}, &begun); err != nil {
		return err
	}
	if begun.Order != job.Run { // with a pause, too, none has begun
		return &ordered{begun.Ordered}
	}
	// It ends when the unit is taken away, or what may be contacted changes.
	ctx, cancel := context.WithCancelCause(ctx)
	a := &attempt{w: w, at: job.At{Unit: u, Attempt: begun.Attempt}, cancel: cancel}
	a.obey(begun.Ordered, time.Now())
	w.enter(a)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel(nil)
	defer w.leave(a)
	group.Go(func() {
		select {
		case <-changed:
			cancel(errOwn)
		case <-ctx.Done():
		}
	})
	if err == nil {
		err = a.run(ctx, &group, h, record, scope)
	}
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var o *ordered
	if errors.As(err, &o) || errors.Is(err, errLease) {
		return err
	}
	return a.fail(ctx, err)
}

func (w *Worker) enter(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running[a] = true
}

func (w *Worker) leave(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, a)
}

// fail tells the hub why there is no result, and returns what it says, or else why.
func (a *attempt) fail(ctx context.Context, why error) error {
	stopped := errors.Is(why, context.Canceled)
	if stopped {
		why = errors.New("the worker was stopped")
	}
	last, end := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer end()
	var o job.Ordered
	if a.w.link.insistOn(last, job.AskFail, job.Fail{At: a.at, Error: why.Error(), Back: stopped || errors.Is(why, errOwn)}, &o) == nil && (o.Order == job.Drop || o.Order == job.Lost) {
		if o.Why == "" {
			o.Why = why.Error()
		}
		return &ordered{o}
	}
	return why
}

// run scans the unit and hands it in.
func (a *attempt) run(ctx context.Context, group *sync.WaitGroup, h *held, record *job.Record, scope *target.Scope) error {
	w := a.w
	space, err := h.targets(ctx, w)
	if err != nil {
		return err
	}
	a.rate = record.Rate
	cfg, err := record.Unit(ctx, a.at.Unit, audit.Builder{
		Settings: &w.Settings, Naming: w.Naming, Tool: w.Tool, Known: w.Known, Within: scope,
		Limiter: pace.By(&a.gate, record.Plan.HostRate), Say: func(text string) { w.say("%s", text) },
	}, space)
	if err != nil {
		return err
	}
	w.say("job %s (%s) unit %d of %d: %d targets", record.Name, record.ID, a.at.K, record.Units, cfg.Targets())
	parts, err := newParts(ctx, a)
	if err != nil {
		return err
	}
	group.Go(parts.send)
	group.Go(func() { a.grants(ctx) })
	mine := listed(cfg, record.Plan.Limits.Scope())
	cfg.Emit = func(e event.Event) error {
		if s, ok := e.(*event.Summary); ok {
			mine.sum(s)
		}
		return parts.write(e)
	}
	run := scan.Run
	if w.scan != nil {
		run = w.scan
	}
	sum, err := run(ctx, *cfg)
	a.gate.Clear()
	if e := parts.close(); err == nil {
		err = e
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		err = mine.check()
	}
	if err != nil {
		return err
	}
	var o job.Ordered
	if err := w.link.insistOn(ctx, job.AskDone, job.Done{At: a.at, Parts: parts.seq}, &o); err != nil {
		return err
	}
	if o.Order == job.Lost || o.Order == job.Refuse {
		return &ordered{o}
	}
	w.say("job %s unit %d: done: %d targets", record.Name, a.at.K, sum.Targets)
	return nil
}

// maxListed is how many lines a unit has of what the worker itself excludes.
const maxListed = 10_000

// mine is what the worker itself excludes of a unit, and the hub does not.
type mine struct {
	mu       sync.Mutex
	n        int
	unjudged event.Unlisted
}

// listed has lines made of it: what is not in the stream was looked at.
func listed(cfg *scan.Config, hub *target.Scope) *mine {
	m := &mine{unjudged: event.Unlisted{Targets: []event.Place{}}}
	cfg.Listed = func(t target.Target) bool {
		if cfg.Scope.CheckTarget(t) == nil || hub.CheckTarget(t) != nil {
			return false
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.n++; m.n > maxListed {
			return false
		}
		// Of a member of a range the operator of a scan takes it for an answer that it is
		// excluded. The operator of the hub did not exclude this one.
		m.unjudged.Count++
		if len(m.unjudged.Targets) < event.MaxUnlisted {
			m.unjudged.Targets = append(m.unjudged.Targets, event.Place{Place: t.HostPort() + t.Base, Outcome: string(event.OutcomeExcluded)})
		}
		return true
	}
	return m
}

// sum has the summary say that it could not be judged.
func (m *mine) sum(s *event.Summary) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n > 0 {
		s.AddUnlisted(&m.unjudged)
	}
}

// check refuses what is more than there are lines for.
func (m *mine) check() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n > maxListed {
		return fmt.Errorf("this worker must not scan %d of the unit's targets, which the job does not exclude, and at most %d can be named: exclude them in the job, or take the vantage from the job", m.n, maxListed)
	}
	return nil
}

// obey does what the hub orders, which it was asked for at a time.
func (a *attempt) obey(o job.Ordered, asked time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch o.Order {
	case job.Run:
		if asked.After(a.pausedAt) {
			a.paused = false
		}
	case job.Pause:
		a.paused, a.pausedAt = true, time.Now()
		a.gate.Clear()
	default:
		a.gate.Clear()
		a.cancel(&ordered{o})
	}
}

// How connections are asked for.
const (
	tick       = 25 * time.Millisecond  // how often it looks whether there is use for more
	ahead      = 200 * time.Millisecond // it asks so long before what it has ends
	atMost     = 2                      // it asks for no more than the job may have in a second, divided by this
	pausedTick = time.Second            // how often it asks whether a pause has ended
)

// grants asks for connections as long as there is use for them.
func (a *attempt) grants(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var last time.Time
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		a.mu.Lock()
		paused := a.paused
		a.mu.Unlock()
		n := a.gate.Wants(ahead)
		if paused {
			if time.Since(last) < pausedTick {
				continue
			}
			n = 1
		}
		n = a.within(min(n, max(a.rate/atMost, 1)))
		if n == 0 {
			continue
		}
		last = time.Now()
		a.grant(ctx, n)
	}
}

// within spends what the worker's own rate leaves of n.
func (a *attempt) within(n int) int {
	l := a.w.rate
	if l == nil || n == 0 {
		return n
	}
	now := time.Now()
	n = min(n, int(l.TokensAt(now)))
	if n < 1 || !l.AllowN(now, n) {
		return 0
	}
	return n
}

// grant asks for n connections once.
func (a *attempt) grant(ctx context.Context, n int) {
	asked := time.Now()
	text, err := json.Marshal(job.Want{At: a.at, N: n})
	if err != nil {
		return
	}
	one, end := context.WithTimeout(ctx, job.MaxGrant)
	defer end()
	reply, err := a.w.link.ask(one, job.AskGrant, text)
	var g job.Grant
	if err != nil || decode(reply, &g) != nil {
		if ctx.Err() == nil {
			sleep(ctx, 4*tick)
		}
		return
	}
	now := time.Now()
	a.obey(g.Ordered, asked)
	after, over := time.Duration(g.After)*time.Microsecond, time.Duration(g.Over)*time.Microsecond
	// A machine that slept meanwhile has only the other clock to know it by.
	late := max(now.Sub(asked), now.Round(0).Sub(asked.Round(0))) > job.MaxGrant
	if g.Order != job.Run || g.N < 1 || g.N > n || after < 0 || over < 0 || after > job.MaxGrant || over > job.MaxGrant || late {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.paused && ctx.Err() == nil {
		a.gate.Add(g.N, now.Add(after), over)
	}
}
