package pace

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Never more are inside than may be, and all get in.
func TestGate(t *testing.T) {
	g := NewGate(7)
	var inside, most, total atomic.Int32
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range 100 {
				if !g.Enter() {
					t.Error("closed")
				}
				n := inside.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				if n%3 == 0 {
					g.Strained()
				}
				total.Add(1)
				inside.Add(-1)
				g.Leave()
			}
		})
	}
	group.Wait()
	if most.Load() > 7 || total.Load() != 5000 {
		t.Errorf("%d inside at once, %d in all", most.Load(), total.Load())
	}
}

// A shortage takes the limit down once, however many feel it; each round
// without one takes it up by one.
func TestGateShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(100)
		limit := func() int { _, n, _ := g.Load(); return n }
		for range 100 {
			g.Enter()
		}
		for range 20 {
			g.Strained()
		}
		if limit() != 75 {
			t.Errorf("limit %d, want 75", limit())
		}
		time.Sleep(time.Second)
		g.Strained()
		if limit() != 56 {
			t.Errorf("limit %d, want 56", limit())
		}
		for range 56 {
			g.Leave()
		}
		if limit() != 57 {
			t.Errorf("after a round limit %d, want 57", limit())
		}
		for range 44 {
			g.Leave()
		}
		for range 20_000 {
			g.Enter()
			g.Leave()
		}
		if limit() != 100 {
			t.Errorf("in the end limit %d, want 100", limit())
		}
		for range 100 {
			time.Sleep(time.Second)
			g.Strained()
		}
		if limit() != 1 || !g.Enter() {
			t.Errorf("limit %d, want 1", limit())
		}
		// Whoever waits is let go.
		waits := make(chan bool)
		go func() { waits <- g.Enter() }()
		synctest.Wait()
		g.Close()
		if <-waits || g.Enter() {
			t.Error("a closed gate lets in")
		}
	})
}

func TestDescriptors(t *testing.T) {
	if n := Descriptors(); n < 0 || n > 0 && n < 16 {
		t.Errorf("%d descriptors", n)
	}
}

// Whoever waits for others makes room for them, and has a place again afterwards,
// also once the gate is closed.
func TestGateOutside(t *testing.T) {
	for _, closed := range []bool{false, true} {
		g := NewGate(1)
		g.Enter()
		entered := false
		g.Outside(func() {
			entered = g.Enter()
			g.Leave()
			if closed {
				g.Close()
			}
		})
		if inside, _, _ := g.Load(); !entered || inside != 1 {
			t.Errorf("closed %t: entered %t, %d inside, want 1", closed, entered, inside)
		}
		g.Leave()
		if inside, _, _ := g.Load(); inside != 0 {
			t.Errorf("closed %t: %d inside at the end", closed, inside)
		}
	}
}
