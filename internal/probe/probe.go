// Package probe carries out the plan for one target: it asks what the
// fingerprints want to know next, makes that request, and stops as soon as
// nothing more would add to the verdict.
package probe

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
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

// Probe makes the requests within a target's budget and returns what was seen.
// Failures of the target are in the observation; Probe itself does not fail.
func (p *Prober) Probe(ctx context.Context, t target.Target, budget *Budget) evidence.Observation {
	s := p.Wire.OpenWithin(ctx, t, budget)
	o := s.Observation()
	o.Random = random()
	goOn := p.walk(s, o)
	if goOn {
		goOn = p.elsewhere(s, o)
	}
	if goOn && o.TLS != nil && p.Set.Recognises(o) {
		s.Legacy()
	}
	s.Close()
	return *o
}

// elsewhere looks for the page below the usual base paths, if there is reason to,
// and leaves the observation at the first that has it.
func (p *Prober) elsewhere(s *wire.Session, o *evidence.Observation) bool {
	for _, base := range p.Set.Bases(o, p.Bases) {
		p.Set.Rebase(o, base)
		if !p.walk(s, o) {
			return false
		}
		if p.Set.Paged(o) {
			return true
		}
		p.Set.Rebase(o, "")
	}
	return true
}

// walk makes the requests of the plan and reports whether more could follow.
func (p *Prober) walk(s *wire.Session, o *evidence.Observation) bool {
	for {
		req, ok := p.Set.Next(o, p.Level)
		if !ok {
			return o.Outcome == event.OutcomeOther
		}
		var reply wire.Reply
		if req.Say != "" {
			reply = func(first []byte) ([]byte, error) { return handshake.Message(req.Say, first) }
		}
		made := len(o.Exchanges)
		goOn := s.Converse(req, reply)
		for i := made; i < len(o.Exchanges); i++ {
			p.Set.Drop(&o.Exchanges[i])
		}
		if !goOn {
			_, more := p.Set.Next(o, p.Level)
			o.Unfinished = more && o.Outcome == event.OutcomeOther
			return false
		}
	}
}

// random is the part of paths that no cache has met, see evidence.Observation.
func random() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Resolve looks up a name's addresses.
func (p *Prober) Resolve(ctx context.Context, name string) (wire.Answer, error) {
	return p.Wire.Resolve(ctx, name)
}

// Forget has a name looked up anew the next time.
func (p *Prober) Forget(name string) { p.Wire.Forget(name) }
