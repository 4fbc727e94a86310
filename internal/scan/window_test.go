package scan

import (
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// Whatever the order in which positions are finished, the mark is the first
// that is not.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Uint64Range(0, 3*windowBits).Draw(t, "from")
		w := newWindow(from)
		order := rapid.Permutation([]uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 63, 64, 65, 10, 11}).Draw(t, "order")
		finished := map[uint64]bool{}
		for _, i := range order {
			w.finish(from + i)
			finished[i] = true
			want := uint64(0)
			for finished[want] {
				want++
			}
			if got := w.mark(); got != from+want {
				t.Fatalf("after %v: mark %d, want %d", finished, got-from, want)
			}
		}
	})
}

// The ring is used over and over: a lap leaves nothing behind for the next.
func TestWindowWraps(t *testing.T) {
	w := newWindow(0)
	lap := func() (from uint64) {
		from = w.next
		for i := from; i < from+1000; i++ {
			w.wait(i)
			w.finish(i)
		}
		return from
	}
	lap()
	w.next = windowBits - 500 // as if all between had been finished as well
	from := lap()
	if got := w.mark(); got != from+1000 {
		t.Errorf("mark %d, want %d", got, from+1000)
	}
	w.finish(w.next + 1)
	if got := w.mark(); got != from+1000 {
		t.Errorf("mark %d, but %d is not finished", got, from+1000)
	}
}

// Who waits for a target that holds the mark back goes on when it is finished,
// and when the run is given up, so that it will never be.
func TestWindowWait(t *testing.T) {
	for name, release := range map[string]func(*window){
		"finished": func(w *window) { w.finish(0) },
		"given up": func(w *window) { w.end() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWindow(0)
				w.wait(windowBits - 1)
				through := false
				go func() {
					w.wait(windowBits)
					through = true
				}()
				synctest.Wait()
				if through {
					t.Error("did not wait")
				}
				release(w)
				synctest.Wait()
				if !through {
					t.Error("waits for ever")
				}
			})
		})
	}
}
