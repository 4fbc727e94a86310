package judge

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/target"
)

// claims knows which lines the workers of a job can have from it.
type claims struct {
	scope  *target.Scope
	order  *target.Order
	units  uint64
	places map[string][]place         // by name or address of a line: where the job names it
	told   map[uint64]map[uint64]bool // by units that are not done: the targets that have a line
}

// place is where the list of a job names an address or a name.
type place struct {
	spec  *target.Spec // an entry: first, last and ports
	start uint64       // index of the first target at the address
}

// survey reads which addresses and names there are lines of, and then where the list has
// these: it may be far longer.
func (m *matter) survey(space *target.Space) (*claims, error) {
	c := &claims{
		scope: m.record.Plan.Limits.Scope(), order: target.NewOrder(space.Len(), m.head.Seed), units: m.record.Units,
		places: map[string][]place{}, told: map[uint64]map[uint64]bool{},
	}
	each := func(done bool, yield func(a store.UnitStream, t *event.Target)) error {
		for _, x := range m.units {
			if x.Events == nil || !done && x.State == store.UnitDone {
				continue
			}
			ended := false
			if err := x.Events(func(e event.Event) error {
				switch e := e.(type) {
				case *event.Target:
					if !ended {
						yield(x, e)
					}
				case *event.Summary:
					ended = true
				}
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}
	var addrs []netip.Addr
	if err := each(true, func(_ store.UnitStream, t *event.Target) {
		key, addr := of(t)
		if _, known := c.places[key]; known {
			return
		}
		c.places[key] = nil
		if t.Target.Name == "" && addr.IsValid() {
			addrs = append(addrs, addr)
		}
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	if err := c.find(space, addrs); err != nil {
		return nil, err
	}
	return c, each(false, func(x store.UnitStream, t *event.Target) {
		if index, ok := c.index(t, x.K); ok && c.can(t, x.K) {
			if c.told[x.K] == nil {
				c.told[x.K] = map[uint64]bool{}
			}
			c.told[x.K][index] = true
		}
	})
}

// of is the key of a line in places, and its address, if it has one.
func of(t *event.Target) (key string, addr netip.Addr) {
	addr, _ = netip.ParseAddr(t.Target.IP)
	if t.Target.Name != "" {
		return "name " + strings.ToLower(t.Target.Name), addr
	}
	return addr.String(), addr
}

// find notes which entries of the list name the addresses, which are sorted, and the names
// of lines.
func (c *claims) find(space *target.Space, addrs []netip.Addr) error {
	start := uint64(0)
	return space.Entries(func(s target.Spec) error {
		begin := start
		start += s.Len()
		if s.Name != "" {
			key := "name " + strings.ToLower(s.Name)
			if _, wanted := c.places[key]; wanted {
				c.places[key] = append(c.places[key], place{&s, begin})
			}
			return nil
		}
		i, _ := slices.BinarySearchFunc(addrs, s.First, netip.Addr.Compare)
		for ; i < len(addrs) && addrs[i].Compare(s.Last) <= 0; i++ {
			c.places[addrs[i].String()] = append(c.places[addrs[i].String()], place{&s, begin + s.Index(addrs[i])})
		}
		return nil
	})
}

// in returns the index of the target of a place at a port, or of another port of it, if
// that is part of a unit: where a gateway is found its helpers are looked for at other
// ports.
func (c *claims) in(p place, port int, k uint64) (index uint64, exact, ok bool) {
	of := func(i int) bool { return c.order.Of(p.start+uint64(i))%c.units == k-1 }
	if i := slices.Index(p.spec.Ports, uint16(port)); i >= 0 && of(i) {
		return p.start + uint64(i), true, true
	}
	for i := range p.spec.Ports {
		if of(i) {
			return 0, false, true
		}
	}
	return 0, false, false
}

// index returns which target of the job a line is of, if it is one of a unit.
func (c *claims) index(t *event.Target, k uint64) (uint64, bool) {
	key, _ := of(t)
	for _, p := range c.places[key] {
		if index, exact, ok := c.in(p, t.Target.Port, k); ok && exact {
			return index, true
		}
	}
	return 0, false
}

// can reports whether the worker of a unit can have a line from it: of one of its targets,
// at an address that may be contacted, with words that there are.
func (c *claims) can(t *event.Target, k uint64) bool {
	if !sound(t) {
		return false
	}
	key, addr := of(t)
	return slices.ContainsFunc(c.places[key], func(p place) bool {
		if _, _, ok := c.in(p, t.Target.Port, k); !ok {
			return false
		}
		resolved := !p.spec.First.IsValid()
		if !resolved && addr.IsValid() && (addr.Less(p.spec.First) || p.spec.Last.Less(addr)) {
			return false
		}
		switch t.Outcome {
		case event.OutcomeExcluded:
			return true
		case event.OutcomeDNSError:
			if !addr.IsValid() {
				return resolved
			}
		}
		return addr.IsValid() && c.scope.CheckTarget(target.Target{
			Addr: netip.AddrPortFrom(addr, uint16(t.Target.Port)), Name: t.Target.Name, Resolved: resolved, Implied: p.spec.Implied,
		}) == nil
	})
}

// sound reports whether a line is one that a scan over a network may have, and says of one
// target only.
func sound(t *event.Target) bool {
	a := t.Target
	if a.Port < 1 || a.Port > 1<<16-1 || a.Kind != "" || a.File != "" || a.Gateway != "" || a.Base != "" || a.Bound != "" || a.Process != "" ||
		t.Files != nil || t.Posture != nil || t.SameAs != nil || len(t.Changes) > 0 || t.Requests < 0 || t.Connections < 0 || t.DurationMS < 0 ||
		t.Outcome == event.OutcomeAbsent || !slices.Contains(event.Outcomes(), t.Outcome) {
		return false
	}
	switch t.Outcome {
	case event.OutcomeClosed, event.OutcomeSilent, event.OutcomeExcluded, event.OutcomeUnreachable, event.OutcomeDNSError:
		if t.Product != nil || t.Version != nil || t.Auth != nil || len(t.Surfaces)+len(t.Advisories) > 0 {
			return false // nothing has answered
		}
	}
	if t.Auth != nil && t.Auth.State != "" && !slices.Contains(event.AuthStates(), t.Auth.State) {
		return false
	}
	for _, f := range t.Findings {
		if !f.Severity.Known() || f.Change != "" {
			return false
		}
	}
	addr, _ := netip.ParseAddr(a.IP)
	at := target.Target{Addr: netip.AddrPortFrom(addr, uint16(a.Port)), Name: a.Name}
	return strings.HasPrefix(a.URL, at.URL("http")) || strings.HasPrefix(a.URL, at.URL("https"))
}
