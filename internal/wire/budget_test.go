package wire

import (
	"testing"
	"testing/synctest"
	"time"
)

// The time runs while one of the sessions is at work, once for all of them, and not
// while they wait.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10 * time.Second)
		left := func(want time.Duration) {
			t.Helper()
			if got := b.Left(); got != want {
				t.Errorf("%s left, want %s", got, want)
			}
		}
		time.Sleep(time.Hour)
		left(10 * time.Second)

		first := b.run()
		if want := time.Now().Add(10 * time.Second); !first.Equal(want) {
			t.Errorf("it ends at %s, want %s", first, want)
		}
		time.Sleep(time.Second)
		left(9 * time.Second)
		second := b.run() // beside the first
		if !second.Equal(first) {
			t.Errorf("it ends at %s for one and at %s for the other", first, second)
		}
		time.Sleep(time.Second)
		b.rest()
		time.Sleep(time.Second)
		b.rest()
		left(7 * time.Second)
		time.Sleep(time.Hour)
		left(7 * time.Second)

		b.Take(3 * time.Second)
		left(4 * time.Second)
		if want := time.Now().Add(4 * time.Second); !b.run().Equal(want) {
			t.Error("it does not continue from where it stood still")
		}
		time.Sleep(5 * time.Second)
		left(-time.Second)
		b.rest()
		left(-time.Second)
	})
}
