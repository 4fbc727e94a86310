package pace

import (
	"context"
	"slices"
	"sync"
	"time"
)

// slack is how late a slot may be taken. A clock that wakes late costs no slot, and a
// second has at most a fiftieth more than what was granted for it.
const slack = 20 * time.Millisecond

// Gate is a Permit that spends what somebody else grants: connections, each at its time.
// Without a grant nobody passes. What nobody has taken at its time is lost, also if this
// process or this machine stood still meanwhile: it does not catch up. It is safe for
// concurrent use; the zero Gate is closed.
type Gate struct {
	mu      sync.Mutex
	grants  []grant  // that have slots left, in the order of their coming
	waiting []*place // that have no slot
	round   int      // counts Clear
	used    int      // slots taken since Wants has last said more than 0
	until   time.Time
}

// grant is slots that are left, the first of them at next.
type grant struct {
	next time.Time
	n    int
	step time.Duration
}

// place is somebody who waits for a slot.
type place struct{ slot chan slot } // of one

type slot struct {
	at    time.Time
	round int
}

// Add adds n connections, evenly from a time on over a while. The last of them is a step
// before the end.
func (g *Gate) Add(n int, from time.Time, over time.Duration) {
	if n <= 0 || over < 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.grants = append(g.grants, grant{from, n, over / time.Duration(n)})
	if end := from.Add(over); end.After(g.until) {
		g.until = end
	}
	now := time.Now()
	for len(g.waiting) > 0 {
		s, ok := g.take(now)
		if !ok {
			return
		}
		g.waiting[0].slot <- s
		g.waiting = g.waiting[1:]
	}
}

// Clear takes back all slots, those, too, that somebody waits for.
func (g *Gate) Clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.grants, g.until = nil, time.Time{}
	g.round++
}

// Wants is how many more connections there is use for: those that wait for a slot, and as
// many as were made since it has last said so. It says 0 while slots are left beyond
// the time ahead.
func (g *Gate) Wants(ahead time.Duration) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Until(g.until) > ahead {
		return 0
	}
	n := len(g.waiting) + g.used
	g.used = 0
	return n
}

// Wait blocks until a connection may be made, or ctx ends.
func (g *Gate) Wait(ctx context.Context) error {
	for {
		s, err := g.slot(ctx)
		if err != nil {
			return err
		}
		if err := sleep(ctx, time.Until(s.at)); err != nil {
			return err
		}
		if g.spend(s) {
			return nil
		}
	}
}

// slot takes the next slot, or waits for one.
func (g *Gate) slot(ctx context.Context) (slot, error) {
	if err := ctx.Err(); err != nil {
		return slot{}, err
	}
	g.mu.Lock()
	if s, ok := g.take(time.Now()); ok {
		g.mu.Unlock()
		return s, nil
	}
	p := &place{make(chan slot, 1)}
	g.waiting = append(g.waiting, p)
	g.mu.Unlock()
	select {
	case s := <-p.slot:
		return s, nil
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		g.waiting = slices.DeleteFunc(g.waiting, func(o *place) bool { return o == p })
		return slot{}, ctx.Err()
	}
}

// take takes the next slot that is not over. The caller holds mu.
func (g *Gate) take(now time.Time) (slot, bool) {
	for len(g.grants) > 0 {
		x := &g.grants[0]
		for x.n > 0 {
			at := x.next
			x.n--
			x.next = at.Add(x.step)
			if late(at, now) <= slack {
				return slot{at, g.round}, true
			}
		}
		g.grants = g.grants[1:]
	}
	return slot{}, false
}

// spend reports whether a slot may be used, now.
func (g *Gate) spend(s slot) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.round != g.round || late(s.at, time.Now()) > slack {
		return false
	}
	g.used++
	return true
}

// late is how much later than a time it is. While a machine sleeps its monotonic clock
// may stand still, and the other clock may be set at any time: the later one counts.
func late(at, now time.Time) time.Duration {
	return max(now.Sub(at), now.Round(0).Sub(at.Round(0)))
}
