package wire

import (
	"sync"
	"time"
)

// Budget is the time that one target may take: over all attempts, and with what is
// tried beside it. It runs while at least one of its sessions is connecting or has a
// connection, and stands still while they all wait for the rate limiter or for this
// machine. It is safe for concurrent use.
type Budget struct {
	mu     sync.Mutex
	left   time.Duration // when it last stood still
	active int           // sessions for which it runs
	since  time.Time     // when it began to run, while active > 0
}

// NewBudget returns a budget of that much time.
func NewBudget(d time.Duration) *Budget { return &Budget{left: d} }

// Left returns what remains; it is negative when more has been taken.
func (b *Budget) Left() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.active > 0 {
		return b.left - time.Since(b.since)
	}
	return b.left
}

// Take takes time that passes without a session.
func (b *Budget) Take(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left -= d
}

// run has the budget run for one more session and returns when it ends.
func (b *Budget) run() (deadline time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.active == 0 {
		b.since = time.Now()
	}
	b.active++
	return b.since.Add(b.left)
}

// rest undoes run.
func (b *Budget) rest() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.active--
	if b.active == 0 {
		b.left -= time.Since(b.since)
	}
}
