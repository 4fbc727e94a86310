// Package pace decides when the next connection may be made.
package pace

import (
	"context"

	"golang.org/x/time/rate"
)

// Limiter spaces connections evenly. The nil Limiter does not limit. It is
// safe for concurrent use.
type Limiter struct{ l *rate.Limiter }

// New returns a limiter of perSecond connections a second, or nil when
// perSecond is 0. It holds no burst: after a pause it does not catch up.
func New(perSecond int) *Limiter {
	if perSecond <= 0 {
		return nil
	}
	return &Limiter{rate.NewLimiter(rate.Limit(perSecond), 1)}
}

// Wait blocks until a connection may be made, or returns the context's error;
// it returns at once with an error when the context's deadline is too near.
func (l *Limiter) Wait(ctx context.Context) error {
	if l == nil {
		return nil
	}
	return l.l.Wait(ctx)
}
