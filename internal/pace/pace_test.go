package pace

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Connections come at even distances, never two at a time.
func TestEven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(10, 0)
		begin := time.Now()
		for i := range 30 {
			if err := l.Wait(t.Context(), netip.Addr{}); err != nil {
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
		l := New(10, 0)
		l.Wait(t.Context(), netip.Addr{})
		time.Sleep(time.Hour)
		l.Wait(t.Context(), netip.Addr{})
		begin := time.Now()
		l.Wait(t.Context(), netip.Addr{})
		if waited := time.Since(begin); waited < 99*time.Millisecond {
			t.Errorf("after a pause two connections come within %v", waited)
		}
	})
}

// Many callers at once share the rate.
func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1000, 0)
		begin := time.Now()
		var group sync.WaitGroup
		var mu sync.Mutex
		perSlot := map[time.Duration]int{}
		for range 500 {
			group.Go(func() {
				if err := l.Wait(t.Context(), netip.Addr{}); err != nil {
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
		l := New(1, 0)
		l.Wait(t.Context(), netip.Addr{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		if err := l.Wait(ctx, netip.Addr{}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		begin := time.Now()
		if err := l.Wait(t.Context(), netip.Addr{}); err != nil || time.Since(begin) > 501*time.Millisecond {
			t.Errorf("the next waited %v, %v", time.Since(begin), err)
		}
	})
}

func TestDeadlineTooNear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 0)
		l.Wait(t.Context(), netip.Addr{})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if err := l.Wait(ctx, netip.Addr{}); err == nil || time.Since(begin) != 0 {
			t.Errorf("error %v after %v", err, time.Since(begin))
		}
	})
}

func TestUnlimited(t *testing.T) {
	for _, n := range []int{0, -1} {
		l := New(n, 0)
		if l != nil {
			t.Errorf("New(%d) limits", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Wait(ctx, netip.Addr{}); err != nil {
			t.Errorf("the nil limiter: %v", err)
		}
	}
}

// Connections to one host come at even distances, whatever others do;
// those to others do not wait for it.
func TestPerHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(0, 10)
		begin := time.Now()
		var group sync.WaitGroup
		var mu sync.Mutex
		at := map[netip.Addr][]time.Duration{}
		for i := range 100 {
			host := netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 4)})
			group.Go(func() {
				if err := l.Wait(t.Context(), host); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				at[host] = append(at[host], time.Since(begin))
			})
		}
		group.Wait()
		for host, times := range at {
			for i, d := range times {
				if want := time.Duration(i) * 100 * time.Millisecond; d != want {
					t.Errorf("%s: connection %d after %v, want %v", host, i, d, want)
				}
			}
		}
	})
}

// Both limits hold together: a host's distance counts from when the connection
// could be made, not from when it was its turn.
func TestBothLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(5, 4)
		var group sync.WaitGroup
		var mu sync.Mutex
		last := map[netip.Addr]time.Time{}
		var any time.Time
		for i := range 60 {
			host := netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 3)})
			group.Go(func() {
				if err := l.Wait(t.Context(), host); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				now := time.Now()
				if d := now.Sub(last[host]); d < 250*time.Millisecond {
					t.Errorf("two connections to %s within %v", host, d)
				}
				if d := now.Sub(any); d < 199*time.Millisecond {
					t.Errorf("two connections within %v", d)
				}
				last[host], any = now, now
			})
		}
		group.Wait()
	})
}

// Who gives up waiting for a host holds up nobody, and hosts that are done with
// are forgotten.
func TestPerHostCancelAndMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(0, 1)
		a := netip.AddrFrom4([4]byte{10})
		l.Wait(t.Context(), a)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		if err := l.Wait(ctx, a); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		begin := time.Now()
		if err := l.Wait(t.Context(), a); err != nil || time.Since(begin) != 900*time.Millisecond {
			t.Errorf("the next waited %v, %v", time.Since(begin), err)
		}
		near, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		begin = time.Now()
		if err := l.Wait(near, a); err == nil || time.Since(begin) != 0 {
			t.Errorf("with a deadline too near: %v after %v", err, time.Since(begin))
		}
		for i := range 100_000 {
			l.Wait(t.Context(), netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
			if i%1000 == 0 {
				time.Sleep(2 * time.Second)
			}
		}
		if n := len(l.hosts); n > 5000 {
			t.Errorf("%d hosts are remembered", n)
		}
	})
}
