package scan

import (
	"context"
	"net/netip"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/probe"
	"github.com/clawsonar/clawsonar/internal/target"
)

// besideGateway begins the source of a target that nobody has named.
const besideGateway = "beside "

// helpersAtOnce is how many helper ports of one host are tried at a time.
const helpersAtOnce = 8

// hosts remembers which helper ports have been tried, so that the second
// gateway of a host does not have them tried again. It forgets everything when
// it is full: then some are tried twice, which does no harm.
type hosts struct {
	mu   sync.Mutex
	seen map[netip.AddrPort]bool
}

const maxHelpers = 1 << 16

// first reports whether addr is new, and remembers it.
func (h *hosts) first(addr netip.AddrPort) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen[addr] {
		return false
	}
	if h.seen == nil || len(h.seen) >= maxHelpers {
		h.seen = make(map[netip.AddrPort]bool)
	}
	h.seen[addr] = true
	return true
}

// helpers tries the ports beside a gateway that was found on which its helpers
// listen, within what the gateway has left of its time. Only those that are
// recognised get a line.
func (e *engine) helpers(ctx context.Context, gateway target.Target, c *fingerprint.Case, budget *probe.Budget) error {
	var group errgroup.Group
	group.SetLimit(helpersAtOnce)
	for _, port := range e.cfg.Prober.Set.HelperPorts(gateway.Addr.Port(), c.Verdict().Version.Candidates) {
		t := target.Target{
			Addr: netip.AddrPortFrom(gateway.Addr.Addr(), port), Name: gateway.Name, Swept: true, Implied: gateway.Implied,
			Input: gateway.Input, Source: besideGateway + gateway.HostPort(),
		}
		// What is a target itself has its own line.
		if e.cfg.Space.Has(t) || !e.tried.first(t.Addr) {
			continue
		}
		group.Go(func() error {
			if budget.Left() <= 0 {
				return nil
			}
			c := e.cfg.Prober.Probe(ctx, t, budget)
			if !c.Verdict().Helper {
				return nil
			}
			return e.done(t, c)
		})
	}
	return group.Wait()
}

// wantsHelpers reports whether the ports beside a target are to be tried. A user
// who names a port means that one.
func (e *engine) wantsHelpers(t target.Target, c *fingerprint.Case) bool {
	return e.cfg.Helpers && (!t.Exact || e.cfg.AllHelpers) && c.Outcome == event.OutcomeIdentified && e.cfg.Prober.Level >= event.LevelStandard
}
