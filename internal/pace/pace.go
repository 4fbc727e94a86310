// Package pace decides when the next connection may be made, and how many
// targets may be in flight.
package pace

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Permit says when the next connection may be made: Wait blocks until then, or returns
// an error, after which it may not be made. It is safe for concurrent use.
type Permit interface{ Wait(context.Context) error }

// Limiter spaces connections: all of them, and those to each host. The
// nil Limiter does not limit. It is safe for concurrent use.
type Limiter struct {
	all     Permit        // nil: no limit
	perHost time.Duration // between two connections to one host; 0: no limit

	mu    sync.Mutex
	hosts map[netip.Addr]*host
	sweep int // how many hosts there may be until those that are done go
}

// host is one that was connected to a moment ago, or that somebody waits for.
type host struct {
	turn    chan struct{} // holds one token: the one who has it is next
	free    time.Time
	waiting int
}

// New returns a limiter of so many connections a second, to all hosts and to
// each host; 0 is no limit. It holds no burst: after a pause it does not catch
// up. Its memory grows with the hosts connected to within one interval.
func New(perSecond, perHost int) *Limiter {
	if perSecond <= 0 && perHost <= 0 {
		return nil
	}
	if perSecond <= 0 {
		return By(nil, perHost)
	}
	return By(rate.NewLimiter(rate.Limit(perSecond), 1), perHost)
}

// By returns a limiter of connections that each need a permit, of so many a second to
// each host; 0 is no limit.
func By(all Permit, perHost int) *Limiter {
	l := &Limiter{all: all, hosts: map[netip.Addr]*host{}, sweep: 1024}
	if perHost > 0 {
		l.perHost = time.Second / time.Duration(perHost)
	}
	return l
}

// Wait blocks until a connection to addr may be made, or returns the context's
// error; it returns at once with an error when the context's deadline is too
// near.
func (l *Limiter) Wait(ctx context.Context, addr netip.Addr) error {
	if l == nil {
		return nil
	}
	if l.perHost == 0 {
		return l.waitAll(ctx)
	}
	h := l.enter(addr)
	defer l.leave(h)
	select {
	case <-h.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { h.turn <- struct{}{} }()
	if err := sleep(ctx, time.Until(h.free)); err != nil {
		return err
	}
	if err := l.waitAll(ctx); err != nil {
		return err
	}
	h.free = time.Now().Add(l.perHost)
	return nil
}

func (l *Limiter) waitAll(ctx context.Context) error {
	if l.all == nil {
		return nil
	}
	return l.all.Wait(ctx)
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Limiter) enter(addr netip.Addr) *host {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hosts[addr]
	if h == nil {
		h = &host{turn: make(chan struct{}, 1)}
		h.turn <- struct{}{}
		l.hosts[addr] = h
	}
	h.waiting++
	return h
}

func (l *Limiter) leave(h *host) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h.waiting--
	if len(l.hosts) < l.sweep {
		return
	}
	now := time.Now()
	for addr, h := range l.hosts {
		// Nobody waits, so nobody has the turn.
		if h.waiting == 0 && h.free.Before(now) {
			delete(l.hosts, addr)
		}
	}
	l.sweep = max(1024, 2*len(l.hosts))
}
