package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/clawsonar/clawsonar/internal/local"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/target"
)

// productWords tell a process of ours by its name or command line.
func productWords() []string { return []string{"openclaw", "clawdbot", "moltbot"} }

// addLocal adds this machine: the known ports, and those on which a program
// that looks like one of ours listens.
func (o *scanOptions) addLocal(s streams, known []uint16, add func(target.Spec) error) error {
	say := func(format string, args ...any) {
		if !o.silent {
			fmt.Fprintf(s.err, "clawsonar: "+format+"\n", args...)
		}
	}
	listeners, err := local.Listeners(context.Background())
	if err != nil {
		say("only the known ports are scanned: %s", report.Clean(err.Error()))
	}
	specs, skipped := localTargets(known, listeners, o.interfaces)
	for _, l := range skipped {
		name := report.Clean(l.Process)
		if name == "" {
			name = "a program"
		}
		say("%s listens on %s, which is not loopback: not contacted without -interfaces", name, l.Addr)
	}
	for _, spec := range specs {
		if err := add(spec); err != nil {
			return usage(err)
		}
	}
	return nil
}

// localTargets says where to contact this machine: always the known ports on
// the IPv4 loopback address, and each listener that is on a known port or looks
// like one of ours, a wildcard through loopback. One process that listens on
// several loopback addresses with the same port is one target. Listeners that
// loopback does not lead to are targets only with interfaces, else skipped.
func localTargets(known []uint16, listeners []local.Listener, interfaces bool) (specs []target.Spec, skipped []local.Listener) {
	v4, v6 := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	todo := map[netip.AddrPort]local.Listener{} // by the address to contact
	for _, port := range known {
		todo[netip.AddrPortFrom(v4, port)] = local.Listener{}
	}
	// The system hands a connection to the listener that is bound most closely,
	// so wildcards get what the others leave.
	listeners = slices.Clone(listeners)
	slices.SortStableFunc(listeners, func(a, b local.Listener) int {
		return cmp.Or(wildcard(a)-wildcard(b), a.Addr.Compare(b.Addr))
	})
	for _, l := range listeners {
		if !slices.Contains(known, l.Addr.Port()) && !l.RunsAny(productWords()...) {
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
		if !place(todo, l, ways) {
			skipped = append(skipped, l)
		}
	}
	for addr, l := range todo {
		spec := target.Spec{
			First: addr.Addr(), Last: addr.Addr(), Ports: []uint16{addr.Port()},
			Input: "this machine", Source: "local", Process: l.Process,
		}
		if l.Addr.IsValid() {
			spec.Bound = l.Addr.String()
		}
		specs = append(specs, spec)
	}
	slices.SortFunc(specs, func(a, b target.Spec) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Ports[0], b.Ports[0]))
	})
	return specs, skipped
}

// place puts l at the first of the ways that is free, or that leads to its own
// process already: then the wider of the two bounds counts.
func place(todo map[netip.AddrPort]local.Listener, l local.Listener, ways []netip.Addr) bool {
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
func wildcard(l local.Listener) int {
	if l.Addr.Addr().IsUnspecified() {
		return 1
	}
	return 0
}
