package cli

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/judge"
	"github.com/clawsonar/clawsonar/internal/hub/queue"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/version"
)

// openQueue opens the queue of the workers, if there are any.
func (h *hub) openQueue(ctx context.Context) error {
	w := h.c.Workers
	if w == nil {
		return nil
	}
	for _, x := range h.c.Watches {
		if x.Vantages == nil {
			continue
		}
		b := h.runner.Builder(x)
		b.Offline, b.Say, b.Warn = true, nil, nil
		_, cfg, err := b.Plan(ctx, x.Source())
		if err != nil {
			return usage(err)
		}
		cfg.Space.Close()
	}
	if err := os.MkdirAll(w.Dir, 0o700); err != nil {
		return err
	}
	digest, err := h.runner.Known.Digest()
	if err != nil {
		return err
	}
	h.queue, err = queue.Open(ctx, queue.Options{
		Dir: w.Dir, Listen: w.Listen, URL: w.NATS, Credentials: w.Credentials, CA: w.CA,
		Rate: w.Rate, Version: version.String(), Data: digest, Ledger: h.db,
		Start: h.giveUp, Finish: h.finish,
		Say: func(line string) { h.s.say("%s", line) }, Now: time.Now,
	})
	return usage(err)
}

// judgeOf makes the results of jobs.
func judgeOf(db *store.Store, c *config.Config, known *data.Known) (*judge.Judge, error) {
	key, err := job.Key(c.Workers.Dir)
	if err != nil {
		return nil, err
	}
	advisories, err := known.Advisories()
	if err != nil {
		return nil, err
	}
	return &judge.Judge{
		Ledger: db, Key: key.Public().(ed25519.PublicKey), Tool: event.Tool{Name: hubName, Version: version.String()},
		Data: known.About(advisories), Now: time.Now,
	}, nil
}

// unitTargets names the first targets of units of a job.
func (h *hub) unitTargets(ctx context.Context, id string, units []uint64) ([][]string, error) {
	if h.c.Workers == nil {
		return nil, errors.New("there is no workers in the configuration, and so no key of records")
	}
	j, err := judgeOf(h.db, h.c, h.runner.Known)
	if err != nil {
		return nil, err
	}
	return j.Targets(ctx, id, units, maxNamed)
}

// finish takes what a vantage of a job saw into the history.
func (h *hub) finish(ctx context.Context, id, vantage string) error {
	j, err := judgeOf(h.db, h.c, h.runner.Known)
	if err != nil {
		return err
	}
	j.Take = h.runner.Take
	return j.Finish(ctx, id, vantage)
}

// runQueue serves the workers, if there are any, until ctx ends.
func (h *hub) runQueue(ctx context.Context) error {
	if h.queue == nil {
		return nil
	}
	return h.queue.Run(ctx)
}

// halfAdded is how long a process takes to add a job.
const halfAdded = time.Minute

// giveUp ends a job that a process has begun to add and not added: that was killed.
func (h *hub) giveUp(ctx context.Context, j store.Job) error {
	if time.Since(j.Created) < halfAdded {
		return nil
	}
	_, err := h.db.WantJob(ctx, j.ID, store.WantStop, "it was not added to the end", time.Now())
	return err
}

// run makes a run of a watch, or has its workers make it.
func (h *hub) run(ctx context.Context, w *config.Watch) error {
	if w.Vantages == nil {
		return h.runner.Run(ctx, w)
	}
	// One that an earlier process added goes on; one may be being added.
	x, err := await(ctx, h.db, w.Name, func(x store.Job) (bool, error) { return x.State != store.JobNew, nil })
	id := x.ID
	if errors.Is(err, store.ErrNotFound) || err == nil && !x.Ended.IsZero() {
		id, err = addJob(ctx, h.db, h.c, w, h.s.say)
	} else if err == nil {
		err = h.same(ctx, x, w)
	}
	if err != nil {
		return err
	}
	_, err = follow(ctx, h.db, id, true)
	return err
}

// same refuses a job of the name of a watch that is another scan: an operator has added it,
// or it is from before the watch was changed.
func (h *hub) same(ctx context.Context, x store.Job, w *config.Watch) error {
	j, err := judgeOf(h.db, h.c, h.runner.Known)
	if err != nil {
		return err
	}
	record, err := j.Record(ctx, x.ID)
	if err != nil {
		return err
	}
	plan, cfg, err := h.runner.Builder(w).Plan(ctx, w.Source())
	if err != nil {
		return err
	}
	cfg.Space.Close()
	if record.Plan.Config != plan.Config || !slices.Equal(x.Vantages, w.Vantages) {
		return fmt.Errorf("the job %s %s has not ended, and is another scan than this watch: wait for it, or run clawsonar-hub job stop %s", x.Name, x.ID, x.Name)
	}
	return nil
}
