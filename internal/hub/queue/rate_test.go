package queue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/clawsonar/clawsonar/internal/hub/job"
)

var rateTime = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

// fleet is a limiter and workers, in a time of their own.
type fleet struct {
	l       *limiter
	now     time.Time
	again   time.Time              // when serve is to be called
	points  map[string][]time.Time // of the connections of jobs
	had     map[string]int         // of the connections of workers
	answers int
}

func newFleet(all int) *fleet {
	return &fleet{l: newLimiter(all, rateTime), now: rateTime, points: map[string][]time.Time{}, had: map[string]int{}}
}

// ask asks for a worker, and has what it gets opened late.
func (f *fleet) ask(t interface{ Errorf(string, ...any) }, id string, rate int, worker string, n int, late func() time.Duration, then func(job.Grant)) {
	at := f.now
	f.l.ask(f.now, id, rate, asked{worker: worker, n: n, answer: func(g job.Grant) {
		f.answers++
		if held := f.now.Sub(at); held > maxWait+5*time.Millisecond {
			t.Errorf("%s waited for %s", worker, held)
		}
		if g.N > n || g.N > rate || g.After < 0 || g.N > 0 && time.Duration(g.After+g.Over)*time.Microsecond > job.MaxGrant-maxWait {
			t.Errorf("%s wants %d and gets %+v", worker, n, g)
		}
		for i := range g.N {
			after := time.Duration(g.After)*time.Microsecond + time.Duration(g.Over)*time.Microsecond/time.Duration(g.N)*time.Duration(i)
			f.points[id] = append(f.points[id], f.now.Add(late()+after))
		}
		f.had[worker] += g.N
		if then != nil {
			then(g)
		}
	}})
	f.again = f.now
}

// step lets a millisecond pass.
func (f *fleet) step() {
	f.now = f.now.Add(time.Millisecond)
	if !f.again.IsZero() && !f.again.After(f.now) {
		f.again = f.l.serve(f.now)
	}
}

// most is how many of some points any second has, wherever it begins; but for a
// microsecond, to which grants are exact.
func most(points []time.Time) (n int) {
	slices.SortFunc(points, time.Time.Compare)
	first := 0
	for i, p := range points {
		for p.Sub(points[first]) >= time.Second-time.Microsecond {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

func (f *fleet) all() (out []time.Time) {
	for _, p := range f.points {
		out = append(out, p...)
	}
	return out
}

func soon() time.Duration { return 0 }

// TestRateHolds: whatever workers ask and when, with jobs that come and go and a hub that is
// started again, no second has more connections than it may, of all or of a job.
func TestRateHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SampledFrom([]int{0, 1, 7, 100, 1000}).Draw(t, "all")
		rates := rapid.SliceOfN(rapid.SampledFrom([]int{1, 3, 10, 150, 999}), 1, 3).Draw(t, "rates")
		workers := rapid.IntRange(1, 6).Draw(t, "workers")
		// In each stretch of time another set of workers asks, at its pace.
		f := newFleet(all)
		for range rapid.IntRange(1, 8).Draw(t, "stretches") {
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				f.l, f.again = newLimiter(all, f.now), time.Time{}
			}
			pace := rapid.SampledFrom([]int{1, 20, 90, 300}).Draw(t, "pace")
			n := rapid.SampledFrom([]int{1, 5, 10000}).Draw(t, "n")
			asking := rapid.IntRange(0, 1<<(workers*len(rates))-1).Draw(t, "asking")
			for ms := range rapid.IntRange(1, 2500).Draw(t, "ms") {
				for who := range workers * len(rates) {
					if asking>>who&1 == 1 && (ms+7*who)%pace == 0 {
						k := who % len(rates)
						f.ask(t, fmt.Sprint(k), rates[k], fmt.Sprint("w", who/len(rates)), n, soon, nil)
					}
				}
				f.step()
			}
		}
		for k, rate := range rates {
			if got := most(f.points[fmt.Sprint(k)]); got > rate {
				t.Errorf("job %d had %d connections in a second, of %d", k, got, rate)
			}
		}
		if got := most(f.all()); all > 0 && got > all {
			t.Errorf("%d connections in a second, of %d", got, all)
		}
	})
}

// TestRateIsUsed: workers that always ask, again as soon as they have an answer, use what
// there is in equal parts, however eagerly one asks, also over a long way; and what answers
// that come late and unevenly do to a second stays below a tenth.
func TestRateIsUsed(t *testing.T) {
	for _, tt := range []struct {
		workers, rate, all, jobs int
		trip, jitter             time.Duration
	}{
		{1, 1000, 0, 1, 100 * time.Millisecond, 0},
		{3, 1000, 0, 1, 30 * time.Millisecond, 0},
		{3, 1500, 0, 1, 150 * time.Millisecond, 60 * time.Millisecond},
		{3, 10, 0, 1, 20 * time.Millisecond, 5 * time.Millisecond},
		{3, 4000, 1000, 2, 20 * time.Millisecond, 20 * time.Millisecond},
		{100, 4000, 0, 1, 50 * time.Millisecond, 20 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%+v", tt), func(t *testing.T) {
			f := newFleet(tt.all)
			type event struct {
				at  time.Time
				who int
			}
			var events []event
			for w := range tt.workers * tt.jobs {
				events = append(events, event{f.now, w})
				if w == 0 { // the eager one
					for range 5 {
						events = append(events, event{f.now, w})
					}
				}
			}
			seed := uint32(1)
			late := func(w int) time.Duration {
				seed = seed*1664525 + 1013904223
				j := time.Duration(0)
				if tt.jitter > 0 {
					j = time.Duration(seed) % tt.jitter
				}
				return tt.trip/2*time.Duration(w%3)/2 + j
			}
			const seconds = 20
			for f.now.Before(rateTime.Add(seconds * time.Second)) {
				for i := 0; i < len(events); i++ {
					e := events[i]
					if e.at.After(f.now) {
						continue
					}
					events = slices.Delete(events, i, i+1)
					i--
					f.ask(t, fmt.Sprint(e.who%tt.jobs), tt.rate, fmt.Sprint(e.who/tt.jobs), tt.rate, func() time.Duration { return late(e.who) }, func(job.Grant) {
						events = append(events, event{f.now.Add(tt.trip), e.who})
					})
				}
				f.step()
			}
			rate := tt.rate
			if tt.all > 0 {
				rate = tt.all
			}
			total := 0
			for w := range tt.workers {
				had := f.had[fmt.Sprint(w)]
				total += had
				if fair := rate * (seconds - 1) / tt.workers; had < fair*85/100 || had > fair*115/100 {
					t.Errorf("worker %d had %d connections, its part is some %d", w, had, fair)
				}
			}
			if want := rate * (seconds - 2) * 95 / 100; total < want {
				t.Errorf("%d connections in %d s, of %d", total, seconds, rate*(seconds-1))
			}
			if got := most(f.all()); got > rate+rate/10 {
				t.Errorf("%d connections in a second, of %d", got, rate)
			}
			if f.answers > 500*seconds*tt.jobs {
				t.Errorf("%d answers", f.answers)
			}
		})
	}
}

// TestRateStops: what waits for connections of a job that ends has its order at once.
func TestRateStops(t *testing.T) {
	f := newFleet(0)
	var got []job.Order
	for range 3 {
		f.ask(t, "a", 10, "w", 5, soon, func(g job.Grant) { got = append(got, g.Order) })
	}
	f.l.end("a", "", job.Ordered{Order: job.Drop})
	if len(got) != 3 || got[0] != job.Drop || f.l.jobs["a"].workers["w"].waiting != 0 {
		t.Errorf("%v", got)
	}
}
