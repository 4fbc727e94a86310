package pace

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Connections come at even distances, never two at a time.
func TestEven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(10)
		begin := time.Now()
		for i := range 30 {
			if err := l.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if at, want := time.Since(begin), time.Duration(i)*100*time.Millisecond; at < want || at > want+time.Millisecond {
				t.Errorf("connection %d after %v, want %v", i, at, want)
			}
		}
	})
}

// After a pause it does not catch up.
func TestNoCatchingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(10)
		l.Wait(t.Context())
		time.Sleep(time.Hour)
		l.Wait(t.Context())
		begin := time.Now()
		l.Wait(t.Context())
		if waited := time.Since(begin); waited < 99*time.Millisecond {
			t.Errorf("after a pause two connections come within %v", waited)
		}
	})
}

// Many callers at once share the rate.
func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1000)
		begin := time.Now()
		var group sync.WaitGroup
		var mu sync.Mutex
		perSlot := map[time.Duration]int{}
		for range 500 {
			group.Go(func() {
				if err := l.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				perSlot[time.Since(begin).Round(time.Millisecond)]++
				mu.Unlock()
			})
		}
		group.Wait()
		for at, n := range perSlot {
			if n != 1 {
				t.Errorf("%d connections at %v", n, at)
			}
		}
		if took := time.Since(begin); took < 498*time.Millisecond || took > 501*time.Millisecond {
			t.Errorf("500 connections at 1000 a second took %v", took)
		}
	})
}

// A wait that is given up leaves its turn to the next.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		l.Wait(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		if err := l.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		begin := time.Now()
		if err := l.Wait(t.Context()); err != nil || time.Since(begin) > 501*time.Millisecond {
			t.Errorf("the next waited %v, %v", time.Since(begin), err)
		}
	})
}

func TestDeadlineTooNear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		l.Wait(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if err := l.Wait(ctx); err == nil || time.Since(begin) != 0 {
			t.Errorf("error %v after %v", err, time.Since(begin))
		}
	})
}

func TestUnlimited(t *testing.T) {
	for _, n := range []int{0, -1} {
		l := New(n)
		if l != nil {
			t.Errorf("New(%d) limits", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Wait(ctx); err != nil {
			t.Errorf("the nil limiter: %v", err)
		}
	}
}
