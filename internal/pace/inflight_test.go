package pace

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Never more are inside than may be, and all get in.
func TestInFlight(t *testing.T) {
	f := NewInFlight(7)
	var inside, most, total atomic.Int32
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			for range 100 {
				if !f.Enter() {
					t.Error("closed")
				}
				n := inside.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				if n%3 == 0 {
					f.Strained()
				}
				total.Add(1)
				inside.Add(-1)
				f.Leave()
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
func TestInFlightShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewInFlight(100)
		limit := func() int { _, n, _ := f.Load(); return n }
		for range 100 {
			f.Enter()
		}
		for range 20 {
			f.Strained()
		}
		if limit() != 75 {
			t.Errorf("limit %d, want 75", limit())
		}
		time.Sleep(time.Second)
		f.Strained()
		if limit() != 56 {
			t.Errorf("limit %d, want 56", limit())
		}
		for range 56 {
			f.Leave()
		}
		if limit() != 57 {
			t.Errorf("after a round limit %d, want 57", limit())
		}
		for range 44 {
			f.Leave()
		}
		for range 20_000 {
			f.Enter()
			f.Leave()
		}
		if limit() != 100 {
			t.Errorf("in the end limit %d, want 100", limit())
		}
		for range 100 {
			time.Sleep(time.Second)
			f.Strained()
		}
		if limit() != 1 || !f.Enter() {
			t.Errorf("limit %d, want 1", limit())
		}
		// Close ends the waiting.
		waits := make(chan bool)
		go func() { waits <- f.Enter() }()
		synctest.Wait()
		f.Close()
		if <-waits || f.Enter() {
			t.Error("Enter succeeds after Close")
		}
	})
}

func TestDescriptors(t *testing.T) {
	if n := Descriptors(); n < 0 || n > 0 && n < 16 {
		t.Errorf("%d descriptors", n)
	}
}

// A worker that waits for others gives its place up meanwhile, and has one again
// afterwards, also once the bound is closed.
func TestInFlightOutside(t *testing.T) {
	for _, closed := range []bool{false, true} {
		f := NewInFlight(1)
		f.Enter()
		entered := false
		f.Outside(func() {
			entered = f.Enter()
			f.Leave()
			if closed {
				f.Close()
			}
		})
		if inside, _, _ := f.Load(); !entered || inside != 1 {
			t.Errorf("closed %t: entered %t, %d inside, want 1", closed, entered, inside)
		}
		f.Leave()
		if inside, _, _ := f.Load(); inside != 0 {
			t.Errorf("closed %t: %d inside at the end", closed, inside)
		}
	}
}
