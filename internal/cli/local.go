package cli

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/local"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

// machine is what a scan of this machine contacts, and what it skips.
type machine struct {
	*local.Plan

	blind      bool // the operating system did not say what listens
	interfaces bool
	usual      []uint16 // ports that a scan of an address tries
	found      []uint16 // ports of gateways that listen beyond loopback
	notes      []message.Text
}

// addLocal adds this machine: what listens on it, and the known ports.
func (o *scanOptions) addLocal(ctx context.Context, s streams, known *data.Known, cfg *scan.Config, t *audit.Targets) error {
	rules, err := known.Listeners()
	if err != nil {
		return err
	}
	listeners, err := local.Listeners(ctx)
	if err != nil && !o.silent {
		fmt.Fprintf(s.err, "clawsonar: only the known ports are scanned: %s\n", clean.Text(err.Error()))
	}
	m := &machine{Plan: rules.Plan(listeners, t.Own, o.Ports != "", o.interfaces), blind: err != nil, interfaces: o.interfaces, usual: t.Ports}
	for _, spec := range m.Targets {
		if err := t.Put(spec); err != nil {
			return usage(err)
		}
	}
	cfg.Machine, o.machine = scan.Machine{}, m
	for addr, l := range m.Listeners {
		cfg.Machine[addr] = scan.Listener{PID: l.PID, Forwards: rules.Forwards(l)}
	}
	if o.dryRun && !o.silent {
		for _, n := range m.unjudged() {
			fmt.Fprintf(s.err, "clawsonar: %s\n", n)
		}
	}
	return nil
}

// watch passes a stream on and adds to its summary what a scan of this machine
// cannot see. With quiet it leaves out what to run next.
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
			summary.AddNotes(m.notes...)
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
func (m *machine) unjudged() []message.Text {
	var notes []message.Text
	if m.blind {
		notes = append(notes, message.Say("machine.blind"))
	}
	tell := func(id string, names []string) {
		const inOne = 12 // names
		for part := range slices.Chunk(names, inOne) {
			notes = append(notes, message.Say(id, message.Number("count", len(part)), message.Of("listeners", part...)))
		}
	}
	var left, beyond, unseen []string
	for _, l := range m.Left {
		left = append(left, describe(l.Listener, l.Speaks))
	}
	tell("machine.left-alone", left)
	for _, l := range m.Beyond {
		beyond = append(beyond, describe(l))
	}
	tell("machine.beyond", beyond)
	for _, l := range m.Unseen {
		unseen = append(unseen, describe(l))
	}
	tell("machine.unseen", unseen)
	return notes
}

// describe names a listener: its address, and what more is known of it.
func describe(l local.Listener, more ...string) string {
	if l.Process != "" {
		more = append(more, clean.N(l.Process, 20))
	}
	if len(more) == 0 {
		return l.Addr.String()
	}
	return l.Addr.String() + " (" + strings.Join(more, ", ") + ")"
}

// elsewhere says from which machine more can be seen, and how.
func (m *machine) elsewhere(addrs []netip.Addr, err error, contained bool) []message.Text {
	var notes []message.Text
	const shown = 4
	seen := "machine.loopback"
	if m.interfaces {
		seen = "machine.interfaces"
	}
	switch {
	case err != nil:
		notes = append(notes, message.Say(seen+".scan-from-another"))
	case len(addrs) == 0:
		notes = append(notes, message.Say(seen+".no-address"))
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
		notes = append(notes, message.Say(seen+".run", message.Of("command", "clawsonar scan "+strings.Join(words, " ")+flags)))
	}
	if contained {
		notes = append(notes, message.Say("machine.container"))
	}
	return notes
}
