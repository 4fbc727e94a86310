// Package probe carries out the plan for one target: it asks what the
// fingerprints want to know next, makes that request, and stops as soon as
// nothing more would add to the verdict.
package probe

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/handshake"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// Prober probes targets. It is safe for concurrent use.
type Prober struct {
	Wire    *wire.Wire
	Set     *fingerprint.Set
	Level   event.Level
	Timeout time.Duration // for one target, see Budget
	// Bases has every usual base path tried where / is not a product's page, and
	// not only those that / leads to.
	Bases bool
}

// Budget is the time for one target, see package wire.
type Budget = wire.Budget

// Budget returns the time for one target.
func (p *Prober) Budget() *Budget { return wire.NewBudget(p.Timeout) }

// Probe makes the requests within a target's budget and returns the case.
// Failures of the target are in it; Probe itself does not fail.
func (p *Prober) Probe(ctx context.Context, t target.Target, budget *Budget) *fingerprint.Case {
	s := p.Wire.OpenWithin(ctx, t, budget)
	c := p.Set.Open(s.Observation(), p.Level)
	c.Random = random()
	if p.ask(s, c) && p.elsewhere(s, c) && c.TLS != nil && c.Recognised() {
		s.Legacy()
	}
	s.Close()
	return c
}

// elsewhere looks for the page below the usual base paths, if there is reason to,
// and leaves the case at the first that has it. It reports whether more requests
// could follow.
func (p *Prober) elsewhere(s *wire.Session, c *fingerprint.Case) bool {
	for _, base := range c.Bases(p.Bases) {
		c.Move(base)
		if !p.ask(s, c) {
			return false
		}
		if c.Paged() {
			return true
		}
		c.Move("")
	}
	return true
}

// ask makes the requests that the case asks for and reports whether more could
// follow.
func (p *Prober) ask(s *wire.Session, c *fingerprint.Case) bool {
	for {
		req, ok := c.Next()
		if !ok {
			return c.Outcome == event.OutcomeOther
		}
		var reply wire.Reply
		if req.Reply != "" {
			reply = func(first []byte) ([]byte, error) { return handshake.Message(req.Reply, first) }
		}
		open := s.Converse(req, reply)
		c.Take()
		if !open {
			_, more := c.Next()
			c.Unfinished = more && c.Outcome == event.OutcomeOther
			return false
		}
	}
}

// random is the part of paths that no cache has met, see evidence.Observation.
func random() string { return fmt.Sprintf("%012x", rand.Uint64N(1<<48)) }
