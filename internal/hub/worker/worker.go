// Package worker is a worker of the hub: it takes units of jobs, scans them within what the
// hub grants and what it is told itself, and hands in what it saw. It does nothing that the
// hub has not signed, and opens no connection that the hub has not just granted.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/scan"
)

// Worker is one that has credentials of a hub.
type Worker struct {
	Credentials *job.Credentials
	// Settings are the worker's own: its Scope, its Network, how many connections a second
	// and how many targets in flight it makes at most, 0 for as many as the hub says.
	Settings audit.Settings
	audit.Naming
	Units int // at once, at least 1
	Tool  event.Tool
	Known *data.Known
	// Say takes a line for the operator, safe to print.
	Say func(line string)

	// For tests.
	lease, reply time.Duration                                             // 0 for job.Lease and replyTime
	scan         func(context.Context, scan.Config) (event.Summary, error) // nil for scan.Run

	data    string
	own     *own
	link    *link
	jobs    *jobs
	rate    *rate.Limiter // nil: no limit of its own
	mu      sync.Mutex
	running map[*attempt]bool
}

// MaxUnits is how many units a worker may have at once: each has a request for connections
// and another one under way, and the hub answers a worker eight at a time.
const MaxUnits = 4

// How long it waits.
const (
	pullFor   = 10 * time.Second // for a unit, until it asks again
	replyTime = 10 * time.Second // for a reply of the hub, until it asks again
	backDelay = 30 * time.Second // until a unit that it cannot do is handed out again
	lastWords = 3 * time.Second  // to give units back at the end
	retry     = time.Second
)

// maxSaid is how long a line for the operator may be.
const maxSaid = 500

func (w *Worker) say(format string, args ...any) {
	w.Say(clean.N(fmt.Sprintf(format, args...), maxSaid))
}

// Check reads what the worker is told of its own: what it refuses is the user's to fix.
// It may look up names.
func (w *Worker) Check(ctx context.Context) (err error) {
	w.own, err = newOwn(ctx, w)
	return err
}

// Run works, after Check, until ctx ends, which is no error, or the hub does not want this worker
// any more. A hub that cannot be reached is waited for.
func (w *Worker) Run(ctx context.Context) error {
	var err error
	if w.data, err = w.Known.Digest(); err != nil {
		return err
	}
	if n := w.Settings.Rate; n > 0 {
		w.rate = rate.NewLimiter(rate.Limit(n), max(1, n/10))
	}
	w.jobs, w.running = &jobs{}, map[*attempt]bool{}
	defer w.jobs.close()
	if w.link, err = w.connect(ctx); err != nil || w.link == nil {
		return err
	}
	defer w.link.close()
	if _, err := w.link.nc.Subscribe(job.Control(w.Credentials.Vantage), w.control); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		select {
		case err := <-w.link.closed:
			return err
		case <-ctx.Done():
			return nil
		}
	})
	group.Go(func() error {
		w.own.watch(ctx)
		return nil
	})
	for range max(1, w.Units) {
		group.Go(func() error {
			w.lane(ctx)
			return nil
		})
	}
	return group.Wait()
}

// control takes what the hub tells all workers of a job.
func (w *Worker) control(m *nats.Msg) {
	var o job.Ordered
	if decode(m.Data, &o) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for a := range w.running {
		if a.at.Job == o.Job {
			a.obey(o, time.Now())
		}
	}
}

// lane takes one unit after the other.
func (w *Worker) lane(ctx context.Context) {
	idle, err := json.Marshal(job.Idle{Version: w.Tool.Version})
	if err != nil {
		w.say("%v", err)
		return
	}
	for ctx.Err() == nil {
		if !w.own.ready(ctx) {
			return
		}
		m, err := w.link.next(ctx)
		switch {
		case ctx.Err() != nil:
			if m != nil {
				_ = m.Respond(nak(0)) // else it comes again after a lease
			}
		case err != nil:
			sleep(ctx, retry)
		case m != nil:
			w.take(ctx, m)
		default:
			// It says that the worker is there. A hub that was killed just then never answers.
			one, end := context.WithTimeout(ctx, retry)
			_, _ = w.link.ask(one, job.AskIdle, idle)
			end()
		}
	}
}

// take does the unit of a message, or gives it back.
func (w *Worker) take(ctx context.Context, m *nats.Msg) {
	u, err := job.ParseUnit(m.Subject)
	if err == nil && u.Vantage != w.Credentials.Vantage {
		err = fmt.Errorf("a unit of %.40q", u.Vantage)
	}
	if err != nil {
		w.say("the hub hands out what is not for this worker: %v", err)
		_ = m.Respond(nak(backDelay))
		return
	}
	unit, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		w.link.beat(unit, cancel, m)
	}()
	defer func() { cancel(nil); <-beats }()
	for {
		err = w.attempt(unit, u)
		if !errors.Is(err, errOwn) || !w.own.ready(unit) {
			break
		}
		w.say("job %s unit %d: begun again, since what this worker must not scan has changed", u.Job, u.K)
	}
	if cause := context.Cause(unit); err != nil && cause != nil {
		err = cause
	}
	last, end := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer end()
	var o *ordered
	switch {
	case errors.Is(err, errLease):
		w.say("job %s unit %d: dropped: the hub could not be reached for %v", u.Job, u.K, w.link.lease)
	case err == nil || errors.As(err, &o) && o.Order == job.Drop:
		if err != nil && o.Why != "" {
			w.say("job %s unit %d: dropped: %s", u.Job, u.K, o.Why)
		}
		_, _ = w.link.nc.RequestWithContext(last, m.Reply, []byte("+ACK")) // else it comes again, and is said to be done
	case o != nil && o.Order == job.Lost:
		w.say("job %s unit %d: dropped: another attempt has begun", u.Job, u.K)
	case ctx.Err() != nil:
		_ = m.Respond(nak(0))
		_ = w.link.nc.FlushWithContext(last)
		w.say("job %s unit %d: given back", u.Job, u.K)
	default:
		w.say("job %s unit %d: given back: %v", u.Job, u.K, err)
		_ = m.Respond(nak(backDelay))
	}
}

// nak gives a unit back, to be handed out after a while.
func nak(delay time.Duration) []byte {
	if delay == 0 {
		return []byte("-NAK")
	}
	return fmt.Appendf(nil, `-NAK {"delay":%d}`, delay)
}

// ordered is an order to end an attempt.
type ordered struct{ job.Ordered }

func (o *ordered) Error() string {
	if o.Why == "" {
		return "the hub says " + string(o.Order)
	}
	return o.Why
}

// Other ends of an attempt.
var (
	errLease = errors.New("the lease has run out")
	errOwn   = errors.New("what this worker must not scan has changed")
)

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
