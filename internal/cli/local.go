package cli

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/local"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

// productWords tell a process of ours by its name or command line.
func productWords() []string { return []string{"openclaw", "clawdbot", "moltbot"} }

// machine is what a scan of this machine contacts, and what it does not.
type machine struct {
	specs     []target.Spec
	listeners scan.Machine
	left      []leftAlone
	beyond    []local.Listener // loopback does not lead to them
	unseen    []local.Listener // contacted, but their program is not known

	blind      bool // the operating system did not say what listens
	interfaces bool
	usual      []uint16 // ports that a scan of an address tries
	found      []uint16 // ports of gateways that listen beyond loopback
	notes      []string
}

// leftAlone is a listener that is not contacted, and what it speaks.
type leftAlone struct {
	local.Listener
	what string
}

// addLocal adds this machine: what listens on it, and the known ports.
func (o *scanOptions) addLocal(ctx context.Context, s streams, cfg *scan.Config, known, usual []uint16, add func(target.Spec) error) error {
	rules, err := local.Load(fingerprints.FS)
	if err != nil {
		return fmt.Errorf("built-in list of listeners: %w", err)
	}
	listeners, err := local.Listeners(ctx)
	if err != nil && !o.silent {
		fmt.Fprintf(s.err, "clawsonar: only the known ports are scanned: %s\n", report.Clean(err.Error()))
	}
	m := localTargets(rules, known, listeners, o.ports != "", o.interfaces)
	m.blind, m.usual = err != nil, usual
	for _, spec := range m.specs {
		if err := add(spec); err != nil {
			return usage(err)
		}
	}
	cfg.Machine, o.machine = m.listeners, m
	if o.dryRun && !o.silent {
		for _, n := range m.unjudged() {
			fmt.Fprintf(s.err, "clawsonar: %s\n", n)
		}
	}
	return nil
}

// localTargets says where to contact this machine: always the known ports on
// the IPv4 loopback address, and each listener, a wildcard through loopback; with
// only, those on the known ports alone. One process that listens on several
// loopback addresses with the same port is one target. Listeners that loopback
// does not lead to are contacted only with interfaces, those that are to be left
// alone never.
func localTargets(rules *local.Known, known []uint16, listeners []local.Listener, only, interfaces bool) *machine {
	m := &machine{listeners: scan.Machine{}, interfaces: interfaces}
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
		if p := leave(rules, known, only, l); p != nil {
			m.left = append(m.left, leftAlone{l, p.Name})
		} else if !placed {
			m.beyond = append(m.beyond, l)
		}
	}
	for addr, l := range todo {
		if leave(rules, known, only, l) != nil {
			continue
		}
		spec := target.Spec{
			First: addr.Addr(), Last: addr.Addr(), Ports: []uint16{addr.Port()},
			Input: "this machine", Source: fromMachine, Process: l.Process,
			Part: event.OfHost, // nobody has named it
		}
		if l.Addr.IsValid() {
			spec.Bound = l.Addr.String()
			m.listeners[addr] = scan.Listener{PID: l.PID, Forwards: rules.Forwards(l)}
			if l.PID == 0 {
				m.unseen = append(m.unseen, l)
			}
		}
		m.specs = append(m.specs, spec)
	}
	slices.SortFunc(m.specs, func(a, b target.Spec) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Ports[0], b.Ports[0]))
	})
	slices.SortFunc(m.unseen, func(a, b local.Listener) int { return a.Addr.Compare(b.Addr) })
	return m
}

// leave returns what a listener speaks if that is to be left alone: its program
// tells, or else its port, unless the program is one of ours, or the port one of
// the product's own. Ports that the user named are no exception: whoever wants
// such a listener probed names it as a target.
func leave(rules *local.Known, known []uint16, only bool, l local.Listener) *local.Protocol {
	if !l.Addr.IsValid() {
		return nil
	}
	if p := rules.LeftAlone.Program(l); p != nil {
		return p
	}
	if l.RunsAny(productWords()...) || !only && slices.Contains(known, l.Addr.Port()) {
		return nil
	}
	return rules.LeftAlone.Port(l.Addr.Port())
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

// watch passes a stream on and adds to its summary what a scan of this machine
// does not see. With quiet it leaves out what to run next.
func (m *machine) watch(ctx context.Context, emit func(event.Event) error, quiet bool) func(event.Event) error {
	return func(e event.Event) error {
		switch x := e.(type) {
		case *event.Target:
			m.note(x)
		case *event.Summary:
			m.notes = m.unjudged()
			if !quiet {
				addrs, err := local.Addresses(context.WithoutCancel(ctx))
				m.notes = append(m.notes, m.elsewhere(addrs, err, local.InContainer("/"))...)
			}
			summary := *x
			summary.Notes = append(slices.Clip(summary.Notes), m.notes...)
			e = &summary
		}
		return emit(e)
	}
}

// note remembers the port of a gateway that listens beyond loopback.
func (m *machine) note(t *event.Target) {
	bound, err := netip.ParseAddrPort(t.Target.Bound)
	if t.Outcome == event.OutcomeIdentified && err == nil && !bound.Addr().IsLoopback() && !slices.Contains(m.found, bound.Port()) {
		m.found = append(m.found, bound.Port())
	}
}

// unjudged names the listeners that were not contacted or whose program is not
// known. No note is longer than a report shows.
func (m *machine) unjudged() []string {
	var notes []string
	if m.blind {
		notes = append(notes, "What listens on this machine could not be found out: only the known ports were scanned.")
	}
	tell := func(names []string, one, many string) {
		const inOne = 12 // names
		for part := range slices.Chunk(names, inOne) {
			text := many
			if len(part) == 1 {
				text = one
			}
			notes = append(notes, fmt.Sprintf(text, len(part), strings.Join(part, ", ")))
		}
	}
	var left, beyond, unseen []string
	for _, l := range m.left {
		left = append(left, describe(l.Listener, l.what))
	}
	tell(left, "%d listener was left alone, so it is not judged: %s. What it speaks takes any bytes for a job or an order.",
		"%d listeners were left alone, so they are not judged: %s. What they speak takes any bytes for a job or an order.")
	for _, l := range m.beyond {
		beyond = append(beyond, describe(l))
	}
	tell(beyond, "%d listener is not reached over loopback, so it is not judged: %s. With -interfaces it is contacted, too.",
		"%d listeners are not reached over loopback, so they are not judged: %s. With -interfaces they are contacted, too.")
	for _, l := range m.unseen {
		unseen = append(unseen, describe(l))
	}
	tell(unseen, "%d listener belongs to a program that this user may not see: %s. Only root sees which.",
		"%d listeners belong to programs that this user may not see: %s. Only root sees which.")
	return notes
}

// describe names a listener: its address, and what more is known of it.
func describe(l local.Listener, more ...string) string {
	if l.Process != "" {
		more = append(more, report.CleanN(l.Process, 20))
	}
	if len(more) == 0 {
		return l.Addr.String()
	}
	return l.Addr.String() + " (" + strings.Join(more, ", ") + ")"
}

// elsewhere says from where more is seen than from here, and how.
func (m *machine) elsewhere(addrs []netip.Addr, err error, contained bool) []string {
	var notes []string
	const shown = 4
	seen := "Seen over loopback only"
	if m.interfaces {
		seen = "Seen from this machine only"
	}
	switch {
	case err != nil:
		notes = append(notes, seen+". Scan this machine from another one, too.")
	case len(addrs) == 0:
		notes = append(notes, seen+": this machine has no other address.")
	default:
		addrs = addrs[:min(len(addrs), shown)]
		public := target.NewScope(nil, nil, false)
		var words []string
		flags := ""
		for _, a := range addrs {
			words = append(words, a.String())
			if public.Reach(a) == event.ReachPublic {
				flags = " -authorized -contact YOU@EXAMPLE.ORG"
			}
		}
		for _, port := range m.found {
			if !slices.Contains(m.usual, port) {
				words = append(words, netip.AddrPortFrom(addrs[0], port).String())
			}
		}
		notes = append(notes, seen+". From another machine run: clawsonar scan "+strings.Join(words, " ")+flags)
	}
	if contained {
		notes = append(notes, "This looks like a container: which of its ports the host publishes shows only on the host. Scan there, too.")
	}
	return notes
}
