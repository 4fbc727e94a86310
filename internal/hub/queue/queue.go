// Package queue is the hub's side of the workers: the server to which they connect, the
// queue of units, their requests, and how many connections they may open.
//
// The queue only hands out. What was begun and done is in the ledger, and a request is
// answered when the ledger has it: a queue that is lost, late or wrong costs work that is
// done twice, never a result.
package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// Ledger is what a queue needs of store.Store.
type Ledger interface {
	OpenJobs(ctx context.Context, by time.Time) ([]store.Job, error)
	JobRecord(ctx context.Context, id string, offset int64) ([]byte, error)
	JobList(ctx context.Context, id string, offset int64) ([]byte, error)
	WantJob(ctx context.Context, name string, want store.JobWant, why string, now time.Time) (store.Job, error)
	Undone(ctx context.Context, id, vantage string, after uint64, limit int) ([]store.JobUnit, error)
	BeginUnit(ctx context.Context, u job.Unit, worker string, now time.Time) (job.Begun, error)
	Heard(ctx context.Context, a job.At, worker string, now time.Time) (job.Ordered, error)
	AddPart(ctx context.Context, p job.Part, worker string, now time.Time) (job.Ordered, error)
	DoneUnit(ctx context.Context, a job.At, worker string, parts int, now time.Time) (job.Ordered, error)
	FailUnit(ctx context.Context, f job.Fail, worker string, now time.Time) (job.Ordered, error)
	Unhanded(ctx context.Context) ([]store.Finished, error)
	Workers(ctx context.Context) ([]store.Worker, error)
	WorkerOf(ctx context.Context, key string) (store.Worker, error)
	SawWorker(ctx context.Context, name, version, doing string, now time.Time) error
	RefusedWorker(ctx context.Context, name, why string, now time.Time) error
}

var _ Ledger = (*store.Store)(nil)

// Options are those of a Queue.
type Options struct {
	Dir    string // of the fleet; it must exist. The queue and the key of its server are in it
	Listen string // IP:PORT of a server of its own; port 0 is any. "" with URL

	// URL is a NATS server that is not the hub's own. Credentials is a file with the
	// credentials of a user or the seed of an NKey, CA one with certificates in PEM; ""
	// means none.
	URL, Credentials, CA string

	Rate          int    // connections a second of all jobs together; 0: only each job's own
	Version, Data string // of the hub: workers need the same. "" is any

	Ledger Ledger
	// Start signs a new job and has it started; Finish has the stream of a job's vantage
	// taken into the history, and the ledger notes it. Both are called again after an error.
	Start  func(context.Context, store.Job) error
	Finish func(ctx context.Context, job, vantage string) error

	Say func(line string) // for the operator, safe to print
	Now func() time.Time

	said *sayings
}

// Queue is the hub's side of the workers.
type Queue struct {
	Options
	server *embedded // nil with a server of one's own
	nc     *nats.Conn
	js     jetstream.JetStream

	mu      sync.Mutex
	jobs    map[string]store.Job   // of which the ledger said something
	known   time.Time              // when it did
	held    map[string]string      // jobs that wait though the ledger says that they run, and why
	workers map[string]*worker     // by name
	read    time.Time              // when they were read
	live    map[job.Unit]*attempt  // that were heard of
	queued  map[job.Unit]time.Time // since when a unit was seen in the stream
	limiter *limiter
	asking  chan struct{} // something waits for the limiter
	refills chan struct{} // something is to be queued
	ends    chan struct{} // something may be finished

	reading  sync.Mutex // held by one that reads workers because a stranger asked
	handlers sync.WaitGroup
}

// worker is one that may ask.
type worker struct {
	store.Worker
	asking int       // requests that are being answered
	saw    time.Time // when the ledger was last told
	doing  string
}

// attempt is one that is being worked at.
type attempt struct {
	id     int64
	worker string
	heard  time.Time // by the hub
	noted  time.Time // in the ledger
}

// Open starts the server, or connects to one, and sees to it that the queue is there. All
// its errors are for the operator to correct. Close is to be called after it.
func Open(ctx context.Context, o Options) (*Queue, error) {
	o.said = &sayings{say: o.Say, now: o.Now, last: map[string]time.Time{}}
	q := &Queue{
		Options: o,
		jobs:    map[string]store.Job{}, workers: map[string]*worker{}, live: map[job.Unit]*attempt{}, queued: map[job.Unit]time.Time{},
		limiter: newLimiter(o.Rate, o.Now()),
		asking:  make(chan struct{}, 1), refills: make(chan struct{}, 1), ends: make(chan struct{}, 1),
	}
	if o.URL != "" {
		nc, err := q.connectTo()
		if err != nil {
			return nil, err
		}
		if err := q.use(ctx, nc); err != nil {
			q.Close()
			return nil, fmt.Errorf("workers: nats %s: %w", o.URL, err)
		}
		return q, nil
	}
	err := q.serve(ctx)
	if err != nil && q.setAside() {
		err = q.serve(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("workers: the server of the queue: %w", err)
	}
	return q, nil
}

// serve starts the server of its own and connects to it.
func (q *Queue) serve(ctx context.Context) error {
	guard, err := newAuth(&q.Options)
	if err != nil {
		return err
	}
	if q.server, err = listen(&q.Options, guard); err != nil {
		return err
	}
	nc, err := q.connectInProcess(q.server)
	if err == nil {
		err = q.use(ctx, nc)
	}
	if err != nil {
		q.Close()
	}
	return err
}

// use makes what the queue needs on a connection.
func (q *Queue) use(ctx context.Context, nc *nats.Conn) (err error) {
	q.nc = nc
	if q.js, err = jetstream.New(nc); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	if err := q.readWorkers(ctx); err != nil {
		return err
	}
	s, err := q.stream(ctx)
	if err == nil {
		_, err = q.consumers(ctx, s, q.vantages())
	}
	if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) || errors.Is(err, nats.ErrNoResponders) {
		return errors.New("JetStream is not enabled for this user's account: set jetstream: enabled")
	}
	return err
}

// setAside renames a store with which the server did not start, and reports whether there
// was one. All that was in it is in the ledger, too.
func (q *Queue) setAside() bool {
	dir := filepath.Join(q.Dir, storeDir)
	if _, err := os.Stat(filepath.Join(dir, "jetstream")); err != nil {
		return false
	}
	broken := dir + ".broken-" + q.Now().UTC().Format("20060102T150405Z")
	if err := os.Rename(dir, broken); err != nil {
		return false
	}
	q.said.always("the queue in %s cannot be used and was renamed to %s; it is made anew from the database, nothing is lost", dir, filepath.Base(broken))
	return true
}

// Addr is where its own server listens, as HOST:PORT; "" if it has none.
func (q *Queue) Addr() string {
	if q.server == nil {
		return ""
	}
	return q.server.Addr().String()
}

// Pin is what workers know of the key of its own server, see job.Pin; "" if it has none.
func (q *Queue) Pin() string {
	if q.server == nil {
		return ""
	}
	return q.server.pin
}

// Pin makes the key of the server of a fleet's directory, if there is none, and returns
// what workers are to know of it: Queue.Pin of a hub that need not run.
func Pin(dir string, now time.Time) (string, error) {
	pair, err := certificate(dir, now)
	if err != nil {
		return "", err
	}
	return job.Pin(pair.Leaf.RawSubjectPublicKeyInfo), nil
}

// Run hands out units and answers workers until the context ends.
func (q *Queue) Run(ctx context.Context) error {
	if err := q.follow(ctx); err != nil {
		return fmt.Errorf("workers: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	if err := q.answer(ctx); err != nil {
		return fmt.Errorf("workers: %w", err)
	}
	g.Go(func() error { return q.orders(ctx) })
	g.Go(func() error { return q.starts(ctx) })
	g.Go(func() error { return q.exclusions(ctx) })
	g.Go(func() error { return q.refill(ctx) })
	g.Go(func() error { return q.grants(ctx) })
	g.Go(func() error { return q.finish(ctx) })
	return g.Wait()
}

// Close ends all connections and the server.
func (q *Queue) Close() {
	if q.nc != nil {
		q.nc.Close()
		q.nc = nil
	}
	q.handlers.Wait()
	if q.server != nil {
		q.server.stop()
		q.server = nil
	}
}

// each calls a function, which says itself what went wrong, at once and then again and
// again, sooner when it is woken, until the context ends.
func each(ctx context.Context, every time.Duration, wake <-chan struct{}, f func()) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		f()
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-wake:
		}
	}
	return nil
}

// pause waits for a while, or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// wake makes a loop look at once.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
