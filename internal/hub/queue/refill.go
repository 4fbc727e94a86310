package queue

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

const (
	maxQueued   = 256 // units of a vantage in the stream
	refillEvery = time.Second
	refillLeast = 100 * time.Millisecond // from one round to the next, if many units end
	refillTime  = 30 * time.Second       // that one round may take
	idleRounds  = 3                      // of a consumer that has messages and hands out none, until they are put in anew
	stuckAfter  = 3 * job.Lease          // since a unit in the stream was heard of, until it is put in anew
)

// idle counts the rounds in which a vantage's consumer had nothing to hand out and nothing
// out, though there are messages (empty), or did not hand out what it has to workers that
// wait (still).
type idle struct {
	empty, still int
	delivered    uint64
}

// refill keeps the stream as the ledger says.
func (q *Queue) refill(ctx context.Context) error {
	idles := map[string]*idle{}
	return each(ctx, refillEvery, q.refills, func() {
		defer pause(ctx, refillLeast)
		ctx, cancel := context.WithTimeout(ctx, refillTime)
		defer cancel()
		if err := q.fill(ctx, idles); err != nil && ctx.Err() == nil {
			q.said.once("refill", "units cannot be queued: %v", err)
		}
	})
}

// vantages are those of workers and of jobs that have not ended.
func (q *Queue) vantages() []string {
	set := map[string]bool{}
	for _, j := range q.some(store.JobNew, store.JobRunning, store.JobPaused) {
		for _, v := range j.Vantages {
			set[v] = true
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.workers {
		set[w.Vantage] = true
	}
	maps.DeleteFunc(set, func(v string, _ bool) bool { return job.CheckName(v) != nil })
	return slices.Sorted(maps.Keys(set))
}

// fill makes one round.
func (q *Queue) fill(ctx context.Context, idles map[string]*idle) error {
	s, err := q.stream(ctx)
	if err != nil {
		return err
	}
	consumers, err := q.consumers(ctx, s, q.vantages())
	if err != nil {
		return err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(job.AllUnits))
	if err != nil {
		return err
	}
	queued := map[string]map[job.Unit]bool{} // by vantage
	for subject := range info.State.Subjects {
		u, err := job.ParseUnit(subject)
		if err != nil || consumers[u.Vantage] == nil {
			if err := takeOut(ctx, s, subject); err != nil {
				return err
			}
			continue
		}
		if queued[u.Vantage] == nil {
			queued[u.Vantage] = map[job.Unit]bool{}
		}
		queued[u.Vantage][u] = true
	}
	running := map[string][]store.Job{} // by vantage
	for _, j := range q.some(store.JobRunning) {
		for _, v := range j.Vantages {
			running[v] = append(running[v], j)
		}
	}
	seen := map[job.Unit]time.Time{}
	for v, c := range consumers {
		if idles[v] == nil {
			idles[v] = &idle{}
		}
		if err := q.fillVantage(ctx, s, v, running[v], queued[v], c, idles[v], seen); err != nil {
			return err
		}
	}
	q.mu.Lock()
	q.queued = seen
	maps.DeleteFunc(q.live, func(_ job.Unit, a *attempt) bool { return q.Now().Sub(a.heard) > 2*job.Lease })
	q.mu.Unlock()
	return nil
}

// fillVantage takes out of the stream what does not belong there or is stuck, and puts in
// what is to be done and nobody is at.
func (q *Queue) fillVantage(ctx context.Context, s jetstream.Stream, vantage string, jobs []store.Job, queued map[job.Unit]bool, c *jetstream.ConsumerInfo, i *idle, seen map[job.Unit]time.Time) error {
	// Messages that the consumer has forgotten: it says that it has none to hand out, and
	// none is out.
	i.empty++
	if len(queued) == 0 || c.NumPending > 0 || c.NumAckPending > 0 {
		i.empty = 0
	}
	forgotten := i.empty >= idleRounds
	if forgotten {
		q.said.once("stuck "+vantage, "%d units of %s were stuck in the queue and are put in again", len(queued), vantage)
		i.empty = 0
	}
	// A consumer that hands out nothing.
	i.still++
	if c.NumPending == 0 || c.NumWaiting == 0 || c.NumAckPending >= c.Config.MaxAckPending || c.Delivered.Consumer != i.delivered {
		i.still, i.delivered = 0, c.Delivered.Consumer
	}
	if i.still >= 10*idleRounds {
		q.said.once("still "+vantage, "the queue hands out no units of %s: its consumer is made anew", vantage)
		i.still = 0
		return s.DeleteConsumer(ctx, c.Name) // the next round makes one
	}

	for n, j := range jobs {
		limit := maxQueued / len(jobs)
		if n >= maxQueued {
			break
		}
		units, err := q.Ledger.Undone(ctx, j.ID, vantage, 0, max(limit, 1))
		if err != nil {
			return err
		}
		for _, ju := range units {
			u := job.Unit{Job: j.ID, Vantage: vantage, K: ju.K}
			there := queued[u]
			delete(queued, u)
			since, alive := q.heardOf(u, ju)
			if there && (forgotten && !alive || c.NumPending == 0 && q.Now().Sub(since) > stuckAfter) {
				if err := takeOut(ctx, s, u.Subject()); err != nil {
					return err
				}
				there = false
			}
			if there {
				seen[u] = since
				continue
			}
			if alive {
				continue
			}
			if _, err := q.js.Publish(ctx, u.Subject(), []byte(unitText)); err != nil {
				if there, _ := find(ctx, s, u.Subject()); there == 0 {
					return err
				}
			}
			seen[u] = q.Now()
		}
		// Units behind those are fine where they are.
		if full := len(units) == max(limit, 1); full {
			last := units[len(units)-1].K
			maps.DeleteFunc(queued, func(u job.Unit, _ bool) bool { return u.Job == j.ID && u.K > last })
		}
	}
	// The rest is done, or its job does not run. Of what is done the acknowledgement is on its
	// way, or it comes again and is dropped: the worker would wait for an answer in vain.
	acked := c.NumAckPending > 0
	for u := range queued {
		if acked && slices.ContainsFunc(jobs, func(j store.Job) bool { return j.ID == u.Job }) {
			continue
		}
		if err := takeOut(ctx, s, u.Subject()); err != nil {
			return err
		}
	}
	return nil
}

// unitText is what a message has beside its subject. It is not empty and no JSON, so that it
// is no request of JetStream's API wherever a worker has it delivered.
const unitText = "unit"

// heardOf returns when a unit in the stream was last heard of, or put in, and whether
// somebody is at work at it.
func (q *Queue) heardOf(u job.Unit, ju store.JobUnit) (since time.Time, alive bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.Now()
	since, known := q.queued[u]
	if !known {
		since = now
	}
	if ju.State == store.UnitBegun {
		heard := ju.Heard
		if a := q.live[u]; a != nil {
			heard = latest(heard, a.heard)
		}
		since, alive = latest(since, heard), now.Sub(heard) < job.Lease
	}
	return since, alive
}

// takeOut deletes the message of a subject, if it is there. A purge would do so with one
// request instead of two, but of any subject it has a consumer (of nats-server 2.10 to 2.15)
// forget all messages that were given back and wait for a worker, for the time of a lease.
func takeOut(ctx context.Context, s jetstream.Stream, subject string) error {
	seq, err := find(ctx, s, subject)
	if err != nil || seq == 0 {
		return err
	}
	if err = s.DeleteMsg(ctx, seq); err == nil {
		return nil
	}
	// A worker may have acknowledged it in between.
	if now, e := find(ctx, s, subject); e == nil && now != seq {
		return nil
	}
	return err
}

// find returns which message a subject has in the stream, 0 for none.
func find(ctx context.Context, s jetstream.Stream, subject string) (seq uint64, err error) {
	m, err := s.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return m.Sequence, nil
}
