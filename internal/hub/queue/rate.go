package queue

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/job"
)

// How grants are cut. A grant is small, so that all workers of a job have one in each turn,
// and is given shortly before it begins, so that a stop is nowhere far away. What a slot and
// its lead add up to, and the time that a request waits, stay below job.MaxGrant.
const (
	turn     = 250 * time.Millisecond // in which each worker that asks gets a slot
	minSlot  = 5 * time.Millisecond   // of a worker, if there are many
	lead     = 250 * time.Millisecond // how long before its begin a slot is given at most
	maxWait  = 400 * time.Millisecond // how long a request waits for a slot
	present  = time.Second            // how long a worker counts after it asked
	maxAsked = 16                     // requests of a worker that wait
)

// limiter hands out the connections of all workers. It has a timeline for each job, on which
// connections follow each other at the job's rate: a grant is a stretch of it, so that no
// second has more of them wherever it begins. Jobs that are at work at the same time share
// what all of them may have. Stretches that were not used, or that nobody asked for, are
// gone.
//
// It is not safe for concurrent use, and time is an argument.
type limiter struct {
	all   int // connections a second of all jobs; 0: no limit but each job's
	opens time.Time
	jobs  map[string]*timeline
}

// timeline is that of a job.
type timeline struct {
	rate    int // what the job may have
	share   int // of it, now
	next    time.Time
	asked   time.Time // the last time that anybody did
	waiting []asked   // in the order in which they came
	workers map[string]*turns
}

// turns is what a worker had of a job.
type turns struct {
	asked, served time.Time
	waiting       int
}

// asked is a request for connections.
type asked struct {
	worker string
	n      int
	at     time.Time
	answer func(job.Grant)
}

// newLimiter makes one that grants nothing until the grants of the hub that ran before, of
// which nothing is known, have run out.
func newLimiter(all int, now time.Time) *limiter {
	return &limiter{all: all, opens: now.Add(job.MaxGrant + turn + lead), jobs: map[string]*timeline{}}
}

// ask takes a request of a worker, which serve answers. With too many of one worker the
// oldest is answered with nothing.
func (l *limiter) ask(now time.Time, id string, rate int, a asked) {
	t := l.jobs[id]
	if t == nil {
		t = &timeline{workers: map[string]*turns{}}
		l.jobs[id] = t
	}
	t.rate, t.asked = max(rate, 1), now
	w := t.workers[a.worker]
	if w == nil {
		w = &turns{}
		t.workers[a.worker] = w
	}
	w.asked = now
	if w.waiting >= maxAsked {
		i := slices.IndexFunc(t.waiting, func(b asked) bool { return b.worker == a.worker })
		t.drop(i, job.Ordered{Order: job.Run})
	}
	a.at = now
	w.waiting++
	t.waiting = append(t.waiting, a)
	l.divide(now)
}

// divide says what each job has of the whole: an equal share, and what others leave of
// theirs. The shares of several are one short for each but one, since each may begin a
// second with a connection. Where the whole is too little for that the latest jobs wait.
func (l *limiter) divide(now time.Time) {
	maps.DeleteFunc(l.jobs, func(_ string, t *timeline) bool {
		return len(t.waiting) == 0 && now.Sub(t.asked) >= present && !t.next.After(now)
	})
	ids := slices.Sorted(maps.Keys(l.jobs))
	if l.all == 0 {
		for _, t := range l.jobs {
			t.share = t.rate
		}
		return
	}
	n := min(len(ids), (l.all+1)/2)
	for _, id := range ids[n:] {
		l.jobs[id].share = 0
	}
	ids = ids[:n]
	slices.SortStableFunc(ids, func(a, b string) int { return cmp.Compare(l.jobs[a].rate, l.jobs[b].rate) })
	left := l.all - (n - 1)
	for i, id := range ids {
		t := l.jobs[id]
		share := min(t.rate, left/(n-i))
		left -= share
		if t.share == 0 {
			// It begins when what others were given of the whole has ended.
			for _, o := range l.jobs {
				t.next = latest(t.next, o.next)
			}
			t.next = t.next.Add(time.Second / time.Duration(share))
		}
		t.share = share
	}
}

// end answers all that wait for connections of a job, or of a worker if one is named, with
// nothing.
func (l *limiter) end(id, worker string, o job.Ordered) {
	t := l.jobs[id]
	for i := 0; t != nil && i < len(t.waiting); {
		if worker == "" || t.waiting[i].worker == worker {
			t.drop(i, o)
		} else {
			i++
		}
	}
}

// drop answers a request with nothing.
func (t *timeline) drop(i int, o job.Ordered) {
	a := t.waiting[i]
	t.waiting = slices.Delete(t.waiting, i, i+1)
	t.workers[a.worker].waiting--
	a.answer(job.Grant{Ordered: o})
}

// serve answers the requests whose time has come, and returns when to call it again; zero
// if nothing waits.
func (l *limiter) serve(now time.Time) (again time.Time) {
	l.divide(now)
	for _, id := range slices.Sorted(maps.Keys(l.jobs)) {
		t := l.jobs[id]
		if at := t.serve(now, l.opens); !at.IsZero() && (again.IsZero() || at.Before(again)) {
			again = at
		}
	}
	return again
}

func (t *timeline) serve(now, opens time.Time) (again time.Time) {
	maps.DeleteFunc(t.workers, func(_ string, w *turns) bool { return w.waiting == 0 && now.Sub(w.asked) >= present })
	for len(t.waiting) > 0 && t.share > 0 {
		begin := latest(now, t.next, opens)
		if ready := begin.Add(-lead); ready.After(now) {
			again = ready
			break
		}
		// The worker that had its turn longest ago, and of it the first request.
		first := 0
		for i, a := range t.waiting {
			if t.workers[a.worker].served.Before(t.workers[t.waiting[first].worker].served) {
				first = i
			}
		}
		a := t.waiting[first]
		slot := max(turn/time.Duration(len(t.workers)), minSlot)
		n := min(max(int(int64(t.share)*int64(slot)/int64(time.Second)), 1), a.n)
		over := roundUp(time.Duration(n) * time.Second / time.Duration(t.share))
		after := roundUp(begin.Sub(now))
		t.next = now.Add(after + over)
		t.waiting = slices.Delete(t.waiting, first, first+1)
		w := t.workers[a.worker]
		w.waiting--
		w.served = begin
		a.answer(job.Grant{Ordered: job.Ordered{Order: job.Run}, N: n,
			After: after.Microseconds(), Over: min(over, turn).Microseconds()})
	}
	for len(t.waiting) > 0 { // they came in order
		if gone := t.waiting[0].at.Add(maxWait); gone.After(now) {
			if again.IsZero() || gone.Before(again) {
				again = gone
			}
			break
		}
		t.drop(0, job.Ordered{Order: job.Run})
	}
	return again
}

// roundUp rounds to the microseconds of a grant: its connections are never nearer to each
// other than they may be.
func roundUp(d time.Duration) time.Duration {
	return (d + time.Microsecond - 1).Truncate(time.Microsecond)
}

func latest(ts ...time.Time) time.Time { return slices.MaxFunc(ts, time.Time.Compare) }
