package watch

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/config"
)

// Clock is the time of day and the time that has passed. They differ where the clock is
// set, and where the machine sleeps.
type Clock struct {
	Now     func() time.Time
	Elapsed func() time.Duration // never goes back
	// Sleep returns after that time, or when ctx ends.
	Sleep func(ctx context.Context, d time.Duration)
}

// SystemClock is the one of this machine.
func SystemClock() Clock {
	begun := time.Now()
	return Clock{
		Now:     func() time.Time { return time.Now().Round(0) }, // without what has passed
		Elapsed: func() time.Duration { return time.Since(begun) },
		Sleep: func(ctx context.Context, d time.Duration) {
			t := time.NewTimer(d)
			defer t.Stop()
			select {
			case <-ctx.Done():
			case <-t.C:
			}
		},
	}
}

// Scheduler has each watch run at its times.
type Scheduler struct {
	Watches []*config.Watch
	Run     func(context.Context, *config.Watch) error
	// Last is when the last complete run of a watch ended; zero for none.
	Last   func(ctx context.Context, watch string) (time.Time, error)
	Clock  Clock
	AtOnce int // runs at the same time, of different watches; 0 for 2
	// Say takes what went wrong with a run: a line about a watch, safe to print.
	Say func(watch, line string)
}

// Once runs each watch one time. The error is of all that failed.
func (s *Scheduler) Once(ctx context.Context) error {
	var errs []error
	var mu sync.Mutex
	s.each(func(w *config.Watch, run func(context.Context) error) {
		if err := run(ctx); err != nil {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, fmt.Errorf("watch %s: %w", w.Name, err))
		}
	})
	return errors.Join(append(errs, ctx.Err())...)
}

// Serve runs each watch at its times until ctx ends, and returns when no run is left. A
// run that fails is said, and made again at the next time.
func (s *Scheduler) Serve(ctx context.Context) {
	s.each(func(w *config.Watch, run func(context.Context) error) {
		for wait := s.first(ctx, w); s.until(ctx, wait); wait = s.next(w) {
			begun := s.Clock.Elapsed()
			if err := run(ctx); err != nil && ctx.Err() == nil {
				s.Say(w.Name, clean.N(err.Error(), maxSaid))
			}
			if took := s.Clock.Elapsed() - begun; took > w.Every && ctx.Err() == nil {
				s.Say(w.Name, fmt.Sprintf("a run took %s, longer than every: the times that passed are left out", took.Round(time.Second)))
			}
		}
	})
}

// each calls do for each watch, at the same time, and waits for all. Run waits until
// few enough others run.
func (s *Scheduler) each(do func(w *config.Watch, run func(context.Context) error)) {
	places := make(chan struct{}, max(s.AtOnce, 0))
	if s.AtOnce <= 0 {
		places = make(chan struct{}, 2)
	}
	var group sync.WaitGroup
	for _, w := range s.Watches {
		group.Go(func() {
			do(w, func(ctx context.Context) error {
				if w.Vantages != nil { // others make the run
					return s.Run(ctx, w)
				}
				select {
				case places <- struct{}{}:
				case <-ctx.Done():
					return ctx.Err()
				}
				defer func() { <-places }()
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return s.Run(ctx, w)
			})
		})
	}
	group.Wait()
}

// due is when a run is to begin: at a time of day, or when so much time has passed,
// whichever comes first.
type due struct {
	at    time.Time
	after time.Duration // Clock.Elapsed
}

// first is when the first run is due: at once, unless the last one is not long over.
func (s *Scheduler) first(ctx context.Context, w *config.Watch) due {
	last, err := s.last(ctx, w)
	if err != nil && ctx.Err() == nil {
		s.Say(w.Name, clean.N(err.Error(), maxSaid))
	}
	now := s.Clock.Now()
	if ago := now.Sub(last); err != nil || ago >= w.Every || ago < 0 {
		return due{now, s.Clock.Elapsed()}
	}
	return s.next(w)
}

// last is when the last complete run of a watch ended; of one at several vantages, the
// oldest of theirs.
func (s *Scheduler) last(ctx context.Context, w *config.Watch) (last time.Time, err error) {
	for i, name := range w.Runs() {
		t, err := s.Last(ctx, name)
		if err != nil {
			return last, err
		}
		if i == 0 || t.Before(last) {
			last = t
		}
	}
	return last, nil
}

// next is the next time of a watch: whole multiples of its interval, moved by its name,
// so that not all watches run at once and a restart moves none.
func (s *Scheduler) next(w *config.Watch) due {
	now := s.Clock.Now()
	h := fnv.New64a()
	h.Write([]byte(w.Name))
	phase := time.Duration(h.Sum64() % uint64(w.Every))
	into := time.Duration(now.UnixNano()-int64(phase)) % w.Every
	if into < 0 {
		into += w.Every
	}
	left := w.Every - into
	return due{now.Add(left), s.Clock.Elapsed() + left}
}

// look is how often the time of day is looked at: a machine that has slept, or whose clock
// was set, notices so much later.
const look = time.Minute

// until waits until a run is due, and reports whether ctx has not ended.
func (s *Scheduler) until(ctx context.Context, d due) bool {
	for ctx.Err() == nil {
		left := min(d.at.Sub(s.Clock.Now()), d.after-s.Clock.Elapsed())
		if left <= 0 {
			return true
		}
		s.Clock.Sleep(ctx, min(left, look))
	}
	return false
}
