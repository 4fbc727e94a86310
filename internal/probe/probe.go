// Package probe carries out the plan for one target: it asks what the
// fingerprints want to know next, makes that request, and stops as soon as
// nothing more would add to the verdict.
package probe

import (
	"context"
	"net/netip"
	"time"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// Prober probes targets. It is safe for concurrent use.
type Prober struct {
	Wire    *wire.Wire
	Set     *fingerprint.Set
	Level   fingerprint.Level
	Timeout time.Duration // for one target, from the first connection on
}

// Probe makes the requests and returns what was seen. Failures of the target
// are in the observation; Probe itself does not fail.
func (p *Prober) Probe(ctx context.Context, t target.Target) evidence.Observation {
	s := p.Wire.Open(ctx, t, p.Timeout)
	o := s.Observation()
	for {
		req, ok := p.Set.Next(o, p.Level)
		if !ok || !s.Do(req) {
			break
		}
	}
	s.Close()
	return *o
}

// Resolve looks up a name's addresses.
func (p *Prober) Resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	return p.Wire.Resolve(ctx, name)
}
