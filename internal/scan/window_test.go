package scan

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/clawsonar/clawsonar/internal/event"
)

// In whatever order positions are finished, the mark is the first
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

// A worker that waits for a target that holds the mark back continues when it is finished,
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

// TestBooks: at any moment, what is counted as having no line is what is done,
// each once, in any order; and a run that continues from there ends with all.
func TestBooks(t *testing.T) {
	outcomes := []event.Outcome{event.OutcomeClosed, event.OutcomeSilent, event.OutcomeExcluded, event.OutcomeIdentified}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		is := make([]event.Outcome, n) // of each position
		times := make([]int, n)        // a name has several addresses
		own := make([]bool, n)         // named by itself
		kindsAt := func(i uint64) []int {
			if own[i] && is[i] != event.OutcomeIdentified {
				return []int{kindOf(is[i]), named}
			}
			return []int{kindOf(is[i])}
		}
		for i := range is {
			is[i], times[i] = rapid.SampledFrom(outcomes).Draw(t, "outcome"), rapid.IntRange(1, 3).Draw(t, "addresses")
			own[i] = rapid.Bool().Draw(t, "named")
		}
		from := Mark{}
		for range 3 {
			w := newWindow(from.Next)
			w.keepBooks(from)
			left := slices.Clone(from.Pending)
			for i := from.Next; i < uint64(n); i++ {
				left = append(left, i)
			}
			left = rapid.Permutation(left).Draw(t, "order")
			held := map[uint64][]int{}
			for _, i := range left[:rapid.IntRange(0, len(left)).Draw(t, "until")] {
				for range times[i] {
					w.unlisted(i, kindsAt(i))
				}
				if is[i] == event.OutcomeSilent && times[i] == 1 && rapid.Bool().Draw(t, "held") {
					held[i] = kindsAt(i)
				}
				if slices.Contains(from.Pending, i) {
					w.redone(i)
				} else {
					w.finish(i)
				}
			}
			from = w.state(held)
			want, unjudged := map[event.Outcome]int{}, 0
			for i := range from.Next {
				if !slices.Contains(from.Pending, i) && is[i] != event.OutcomeIdentified {
					want[is[i]] += times[i]
					if own[i] {
						unjudged += times[i]
					}
				}
			}
			if got := from.Unjudged; got != nil && got.Count != int64(unjudged) || got == nil && unjudged > 0 {
				t.Fatalf("at %+v: %v named, want %d", from, got, unjudged)
			}
			if !maps.Equal(from.Unlisted, want) {
				t.Fatalf("at %+v: want %v", from, want)
			}
		}
	})
}
