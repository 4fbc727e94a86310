package local

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Source is that of a target of this machine, if none was named.
const Source = "local"

// Plan is what a scan of this machine contacts, and what it does not.
type Plan struct {
	Targets   []target.Spec
	Listeners map[netip.AddrPort]Listener // those of the targets
	Left      []Left
	Beyond    []Listener // loopback does not lead to them
	Unseen    []Listener // contacted, but their program is not known
}

// Left is a listener that is left alone, and what it speaks.
type Left struct {
	Listener
	Speaks string
}

// Plan says where to contact this machine: always the known ports on
// the IPv4 loopback address, and each listener, a wildcard through loopback; with
// only, those on the known ports alone. One process that listens on several
// loopback addresses with the same port is one target. Listeners that loopback
// does not lead to are contacted only with interfaces, those that are to be left
// alone never.
func (k *Known) Plan(listeners []Listener, known []uint16, only, interfaces bool) *Plan {
	m := &Plan{Listeners: map[netip.AddrPort]Listener{}}
	v4, v6 := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	todo := map[netip.AddrPort]Listener{} // by the address to contact
	for _, port := range known {
		todo[netip.AddrPortFrom(v4, port)] = Listener{}
	}
	// The system hands a connection to the listener that is bound most closely,
	// so wildcards get what the others leave.
	listeners = slices.Clone(listeners)
	slices.SortStableFunc(listeners, func(a, b Listener) int {
		return cmp.Or(wildcard(a)-wildcard(b), a.Addr.Compare(b.Addr))
	})
	for _, l := range listeners {
		if only && !slices.Contains(known, l.Addr.Port()) {
			continue
		}
		var ways []netip.Addr // addresses that lead to it
		switch addr := l.Addr.Addr(); {
		case addr.IsUnspecified() && addr.Is4():
			ways = []netip.Addr{v4}
		case addr.IsUnspecified(): // takes IPv4 as well, as a rule
			ways = []netip.Addr{v4, v6}
		case addr == v6:
			ways = []netip.Addr{v4, v6} // the first only if it is the same process
		case addr.IsLoopback() || interfaces:
			ways = []netip.Addr{addr}
		}
		placed := place(todo, l, ways)
		if p := k.leave(l, known, only); p != nil {
			m.Left = append(m.Left, Left{l, p.Name})
		} else if !placed {
			m.Beyond = append(m.Beyond, l)
		}
	}
	for addr, l := range todo {
		if k.leave(l, known, only) != nil {
			continue
		}
		spec := target.Spec{
			First: addr.Addr(), Last: addr.Addr(), Ports: []uint16{addr.Port()},
			Input: "this machine", Source: Source, Process: l.Process,
			Part: event.OfHost, // nobody has named it
		}
		if l.Addr.IsValid() {
			spec.Bound = l.Addr.String()
			m.Listeners[addr] = l
			if l.PID == 0 {
				m.Unseen = append(m.Unseen, l)
			}
		}
		m.Targets = append(m.Targets, spec)
	}
	slices.SortFunc(m.Targets, func(a, b target.Spec) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Ports[0], b.Ports[0]))
	})
	slices.SortFunc(m.Unseen, func(a, b Listener) int { return a.Addr.Compare(b.Addr) })
	return m
}

// leave returns what a listener speaks if that is to be left alone: its program
// tells, or else its port, unless the program is one of ours, or the port one of
// the product's own. Ports that the user named are no exception: to have such a
// listener probed, name it as a target.
func (k *Known) leave(l Listener, known []uint16, only bool) *Protocol {
	if !l.Addr.IsValid() {
		return nil
	}
	if p := k.LeftAlone.Program(l); p != nil {
		return p
	}
	if l.RunsAny(k.Own...) || !only && slices.Contains(known, l.Addr.Port()) {
		return nil
	}
	return k.LeftAlone.Port(l.Addr.Port())
}

// place puts l at the first of the ways that is free, or that leads to its own
// process already: then the wider of the two bounds counts.
func place(todo map[netip.AddrPort]Listener, l Listener, ways []netip.Addr) bool {
	for _, way := range ways {
		at := netip.AddrPortFrom(way, l.Addr.Port())
		other := todo[at]
		if other.PID != 0 && other.PID == l.PID {
			if wildcard(l) > wildcard(other) {
				todo[at] = l
			}
			return true
		}
		exact := l.Addr.Addr() == way || wildcard(l) == 1
		if !other.Addr.IsValid() && exact {
			todo[at] = l
			return true
		}
	}
	return false
}

// wildcard returns 1 for a listener that is bound to no single address, else 0.
func wildcard(l Listener) int {
	if l.Addr.Addr().IsUnspecified() {
		return 1
	}
	return 0
}
