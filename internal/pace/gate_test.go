package pace

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// spender takes slots as fast as it gets them, with so many at a time, and notes when.
type spender struct {
	mu    sync.Mutex
	times []time.Time
}

func (s *spender) run(ctx context.Context, g *Gate, many int) *sync.WaitGroup {
	var group sync.WaitGroup
	for range many {
		group.Go(func() {
			for g.Wait(ctx) == nil {
				s.mu.Lock()
				s.times = append(s.times, time.Now())
				s.mu.Unlock()
			}
		})
	}
	return &group
}

// Whatever is granted, and however much waits, no grant is used more often than it says,
// nor before its begin, nor after its end; and what is wanted all the time is used up.
func TestGateSpendsGrants(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		many := rapid.IntRange(1, 20).Draw(r, "many")
		type given struct {
			n          int
			begin, end time.Time
		}
		waits := rapid.SliceOfN(rapid.IntRange(0, 2000), 1, 8).Draw(r, "waits")
		sizes := rapid.SliceOfN(rapid.IntRange(1, 300), len(waits), len(waits)).Draw(r, "sizes")
		afters := rapid.SliceOfN(rapid.IntRange(0, 500), len(waits), len(waits)).Draw(r, "afters")
		overs := rapid.SliceOfN(rapid.IntRange(1, 1000), len(waits), len(waits)).Draw(r, "overs")
		synctest.Test(t, func(t *testing.T) {
			var g Gate
			var s spender
			ctx, stop := context.WithCancel(t.Context())
			group := s.run(ctx, &g, many)
			var grants []given
			free := time.Now() // grants of a hub do not overlap
			for i, wait := range waits {
				time.Sleep(time.Duration(wait) * time.Millisecond)
				begin := time.Now().Add(time.Duration(afters[i]) * time.Millisecond)
				if begin.Before(free) {
					begin = free
				}
				free = begin.Add(time.Duration(overs[i]) * time.Millisecond)
				g.Add(sizes[i], begin, free.Sub(begin))
				grants = append(grants, given{sizes[i], begin, free})
			}
			time.Sleep(time.Minute)
			stop()
			group.Wait()
			total := 0
			for _, x := range grants {
				n := 0
				for _, at := range s.times {
					if !at.Before(x.begin) && at.Before(x.end) {
						n++
					}
				}
				if n != x.n {
					r.Errorf("%d of a grant of %d were used within its time", n, x.n)
				}
				total += x.n
			}
			if len(s.times) != total {
				r.Errorf("%d of %d were used", len(s.times), total)
			}
		})
	})
}

// They come at even distances.
func TestGateEven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gate
		begin := time.Now()
		g.Add(10, begin.Add(50*time.Millisecond), 100*time.Millisecond)
		for i := range 10 {
			if err := g.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if at, want := time.Since(begin), time.Duration(50+10*i)*time.Millisecond; at != want {
				t.Errorf("connection %d after %v, want %v", i, at, want)
			}
		}
	})
}

// Without a grant nobody passes, however long; and what nobody took is lost.
func TestGateClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gate
		pass := func(d time.Duration) error {
			ctx, stop := context.WithTimeout(t.Context(), d)
			defer stop()
			return g.Wait(ctx)
		}
		if err := pass(time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		g.Add(100, time.Now(), time.Second)
		time.Sleep(1020 * time.Millisecond)
		if err := pass(time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("a slot of a grant that is over was used")
		}
		g.Add(100, time.Now(), time.Second)
		time.Sleep(985 * time.Millisecond)
		// Of a hundred, those at 970, 980 and 990 ms are left: a slot may be a little late.
		n := 0
		for pass(time.Hour) == nil {
			n++
		}
		if n != 3 {
			t.Errorf("%d slots after a pause, want 3", n)
		}
	})
}

// What is taken back is not used, even by those who wait for its time.
func TestGateClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gate
		var s spender
		ctx, stop := context.WithCancel(t.Context())
		group := s.run(ctx, &g, 5)
		g.Add(100, time.Now(), time.Second)
		time.Sleep(505 * time.Millisecond)
		g.Clear()
		time.Sleep(time.Minute)
		g.Add(3, time.Now(), time.Millisecond)
		time.Sleep(time.Minute)
		stop()
		group.Wait()
		if len(s.times) != 51+3 {
			t.Errorf("%d connections, want 51 and 3", len(s.times))
		}
	})
}

// It wants what waits and what was used, and nothing while enough is granted.
func TestGateWants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gate
		var s spender
		ctx, stop := context.WithCancel(t.Context())
		group := s.run(ctx, &g, 5)
		const ahead = 100 * time.Millisecond
		var got []int
		want := func() {
			synctest.Wait()
			got = append(got, g.Wants(ahead))
		}
		want() // five wait
		g.Add(50, time.Now(), 500*time.Millisecond)
		want()
		time.Sleep(450 * time.Millisecond)
		want()                // 46 are used, and four of five have a slot
		time.Sleep(time.Hour) // 4 more, and five wait
		want()
		stop()
		group.Wait()
		want()
		if !slices.Equal(got, []int{5, 0, 47, 9, 0}) {
			t.Errorf("%v", got)
		}
	})
}

// A limiter by permits keeps the distance of connections to a host.
func TestByKeepsHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g Gate
		l := By(&g, 10)
		begin := time.Now()
		g.Add(1000, begin, time.Second)
		for range 3 {
			if err := l.Wait(t.Context(), netip.MustParseAddr("192.0.2.1")); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took < 200*time.Millisecond || took > 203*time.Millisecond {
			t.Errorf("three connections to a host at 10 a second took %v", took)
		}
	})
}
