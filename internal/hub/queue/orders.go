package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// How often the hub looks at what the operator wants, and how old what it knows may be: with
// a ledger that cannot be read nothing goes on.
const (
	lookEvery   = 200 * time.Millisecond
	lookAfresh  = 2 * time.Second
	retryEvery  = 10 * time.Second
	excludeLook = time.Second
	remember    = time.Hour // why a job has ended, for workers that ask late
)

// order is what the state of a job means to its workers.
func order(j store.Job) job.Ordered {
	o := job.Ordered{Job: j.ID, Why: j.Why}
	switch j.State {
	case store.JobRunning:
		o.Order, o.Why = job.Run, ""
	case store.JobPaused:
		o.Order = job.Pause
	default:
		o.Order = job.Drop
	}
	return o
}

// orders follows what the ledger says of the jobs.
func (q *Queue) orders(ctx context.Context) error {
	return each(ctx, lookEvery, nil, func() {
		if err := q.follow(ctx); err != nil && ctx.Err() == nil {
			q.said.once("ledger", "the database cannot be read, all workers wait: %v", err)
		}
	})
}

// follow reads jobs and workers, and tells the workers of a job what changed.
func (q *Queue) follow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookAfresh)
	defer cancel()
	jobs, err := q.Ledger.OpenJobs(ctx, q.Now().Add(-remember))
	if err != nil {
		return err
	}
	q.mu.Lock()
	before, first := q.jobs, q.known.IsZero()
	q.jobs, q.known = map[string]store.Job{}, q.Now()
	stale := q.known.Sub(q.read) >= time.Second
	var changed []store.Job
	for _, j := range jobs {
		q.jobs[j.ID] = j
		if j.State != before[j.ID].State && j.State != store.JobNew && (!first || j.State == store.JobPaused) {
			changed = append(changed, j)
			if o := order(j); o.Order != job.Run {
				q.limiter.end(j.ID, "", o)
			}
		}
	}
	q.mu.Unlock()
	for _, j := range changed {
		q.tell(j)
	}
	if changed != nil {
		wake(q.refills)
		wake(q.ends)
	}
	if stale {
		return q.readWorkers(ctx)
	}
	return nil
}

// tell says to all workers of a job how it stands.
func (q *Queue) tell(j store.Job) {
	text, err := json.Marshal(order(j))
	for _, v := range j.Vantages {
		if err == nil && job.CheckName(v) == nil {
			err = q.nc.Publish(job.Control(v), text)
		}
	}
	if err == nil {
		err = q.nc.Flush()
	}
	if err != nil {
		q.said.once("tell", "%s: its workers were not told that it is %s, they see it with their next request: %v", j.Name, j.State, err)
	}
}

// stands returns what the workers of a job at a vantage are to do.
func (q *Queue) stands(id, vantage string) (store.Job, job.Ordered) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j, known := q.jobs[id]
	if !known || !slices.Contains(j.Vantages, vantage) {
		return j, job.Ordered{Order: job.Drop, Why: "there is no such job"}
	}
	return j, q.order(j)
}

// some returns the jobs of a state, in the order in which they were made.
func (q *Queue) some(states ...store.JobState) (out []store.Job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range q.jobs {
		if slices.Contains(states, j.State) {
			out = append(out, j)
		}
	}
	slices.SortFunc(out, func(a, b store.Job) int { return a.Created.Compare(b.Created) })
	return out
}

// starts has new jobs signed and started.
func (q *Queue) starts(ctx context.Context) error {
	again := map[string]time.Time{}
	return each(ctx, lookEvery, nil, func() {
		for _, j := range q.some(store.JobNew) {
			if q.Now().Before(again[j.ID]) {
				continue
			}
			again[j.ID] = q.Now().Add(retryEvery)
			if err := q.Start(ctx, j); err != nil && ctx.Err() == nil {
				q.said.once("start "+j.ID, "job %s is not started: %v", j.Name, err)
			}
		}
	})
}

// exclusions stops jobs whose lists of what must not be scanned have changed. Until the
// ledger has that, they are held.
func (q *Queue) exclusions(ctx context.Context) error {
	seen := map[string]job.File{}
	return each(ctx, excludeLook, nil, func() {
		held := map[string]string{}
		for _, j := range q.some(store.JobRunning, store.JobPaused) {
			for file, sum := range j.Exclude {
				e, err := seen[file].Look(file, q.Now())
				seen[file] = e
				if err != nil {
					held[j.ID] = fmt.Sprintf("what it must not scan cannot be read: %v", err)
				} else if e.SHA256 != sum {
					held[j.ID] = fmt.Sprintf("%s, which says what it must not scan, has changed", file)
				}
			}
		}
		q.hold(held)
		for id, why := range held {
			if j, err := q.Ledger.WantJob(ctx, id, store.WantStop, why, q.Now()); err != nil {
				q.said.once("exclude "+id, "job %s: %s, and it cannot be stopped but waits: %v", id, why, err)
			} else {
				q.said.always("job %s was stopped: %s", j.Name, why)
			}
		}
	})
}

// hold has jobs wait, these and no others.
func (q *Queue) hold(jobs map[string]string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = jobs
	for id, why := range jobs {
		q.limiter.end(id, "", job.Ordered{Job: id, Order: job.Pause, Why: why})
	}
}

// order is what the workers of a job are to do now. The caller holds mu.
func (q *Queue) order(j store.Job) job.Ordered {
	o := order(j)
	switch why := q.held[j.ID]; {
	case o.Order != job.Run:
	case q.Now().Sub(q.known) > lookAfresh:
		o.Order, o.Why = job.Pause, "the hub cannot read its database"
	case why != "":
		o.Order, o.Why = job.Pause, why
	}
	return o
}

// finish has vantages that are done taken into the history.
func (q *Queue) finish(ctx context.Context) error {
	again := map[store.Finished]time.Time{}
	return each(ctx, time.Second, q.ends, func() {
		done, err := q.Ledger.Unhanded(ctx)
		if err != nil && ctx.Err() == nil {
			q.said.once("unhanded", "the database cannot be read: %v", err)
		}
		for _, f := range done {
			if q.Now().Before(again[f]) || ctx.Err() != nil {
				continue
			}
			again[f] = q.Now().Add(retryEvery)
			if err := q.Finish(ctx, f.Job, f.Vantage); err != nil && ctx.Err() == nil {
				q.said.once("finish "+f.Job+f.Vantage, "what job %s saw from %s is not yet in the history: %v", f.Job, f.Vantage, err)
			}
		}
	})
}
