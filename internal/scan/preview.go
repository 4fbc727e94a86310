package scan

import (
	"slices"

	"github.com/clawsonar/clawsonar/internal/target"
)

// Preview says what a scan would contact. Making one opens no socket.
type Preview struct {
	Targets uint64
	Sample  []target.Target // evenly from the order of the scan, sorted as they were named
	// Counted is set if there are not too many to hold each against the scope.
	Counted         bool
	Excluded, Names int
}

// maxCounted is how many targets are held against the scope.
const maxCounted = 1 << 20

// Preview samples at most so many targets.
func (c *Config) Preview(sampled uint64) (p Preview, err error) {
	p.Targets = c.Targets()
	if p.Sample, err = c.sample(min(p.Targets, sampled)); err != nil || p.Targets == 0 || p.Targets > maxCounted {
		return p, err
	}
	all, err := c.sample(p.Targets)
	p.Counted = err == nil
	for _, t := range all {
		if !t.Addr.Addr().IsValid() {
			p.Names++
		}
		if c.Scope.CheckTarget(t) != nil {
			p.Excluded++
		}
	}
	return p, err
}

// sample returns n of the targets.
func (c *Config) sample(n uint64) ([]target.Target, error) {
	order, shard := target.NewOrder(c.Space.Len(), c.Seed), c.shard()
	indices := make([]uint64, n)
	for i := range indices {
		indices[i] = order.At(shard.At(uint64(i) * (c.Targets() / n)))
	}
	slices.Sort(indices)
	targets := make([]target.Target, n)
	for i, index := range indices {
		var err error
		if targets[i], err = c.Space.At(index); err != nil {
			return nil, err
		}
	}
	return targets, nil
}
