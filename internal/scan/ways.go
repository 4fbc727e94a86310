package scan

import (
	"net/netip"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Machine is what the operating system tells of the listeners of the machine
// that is scanned, by the address at which each is contacted.
type Machine map[netip.AddrPort]Listener

// Listener is one of them.
type Listener struct {
	PID      int32 // of its process; 0 when this user may not see it
	Forwards bool  // its program forwards to what is behind it
}

// held is a gateway of this machine whose line waits for the others: what is said
// of it depends on them.
type held struct {
	target.Target
	found *fingerprint.Case
}

// ways is what the other listeners of this machine mean for a gateway.
type ways struct {
	forwards bool           // what listens is not the gateway itself: it hands one on
	sameAs   *event.SameAs  // the line of the gateway itself, if it could be told
	others   []string       // URLs that lead here, or may
	notes    []message.Text // all that in words
}

// listening is what ways are told by.
type listening struct {
	Listener
	port     uint16
	beyond   bool // bound to more than loopback
	url      string
	auth     event.Auth
	front    string
	product  string
	releases []string // those that fit; empty if none is known
	page     string   // digest of the page; "" if there was none
}

func (h *held) listening(m Machine) listening {
	bound, err := netip.ParseAddrPort(h.Bound)
	v := h.found.Verdict()
	l := listening{
		beyond:   err == nil && !bound.Addr().IsLoopback(),
		Listener: m[h.Addr], port: h.Addr.Port(), url: h.URL(h.found.Scheme), auth: v.Auth, front: v.Front.Kind,
		product: v.Product.ID, releases: v.Version.Candidates,
	}
	if x := h.found.Exchange("root"); x != nil && x.Status == 200 {
		l.page = x.Digest().SHA256
	}
	return l
}

// forwards reports whether what listens forwards to a gateway and is none itself, by
// its program or its answers.
func (l *listening) forwards() bool { return l.Forwards || l.front != "" }

// may reports whether nothing speaks against both leading to one gateway.
func (l *listening) may(o *listening) bool {
	modes := l.auth.Mode == "" || o.auth.Mode == "" || l.auth.Mode == o.auth.Mode
	releases := len(l.releases) == 0 || len(o.releases) == 0 ||
		slices.ContainsFunc(l.releases, func(r string) bool { return slices.Contains(o.releases, r) })
	return l.product == o.product && modes && releases
}

// alike reports whether both show the same page of the same, known release.
func (l *listening) alike(o *listening) bool {
	return l.may(o) && l.page != "" && l.page == o.page &&
		len(l.releases) == 1 && len(o.releases) == 1
}

// tellWays says which of the listeners, all of them on one machine, lead to the
// same gateway. Nothing is sent for it, so it is certain only where one process
// has several sockets. Of processes that this user may not see, those with the same
// port that show the same are taken for one. What hands a gateway on is taken to lead to the one that
// listens here if there is but one and both show the same; that it leads to
// another machine cannot be told, so it is said to be firm, not certain. Where
// more than one gateway fits, it is only said that they may be the same.
func tellWays(all []listening) []ways {
	out := make([]ways, len(all))
	var gateways []int       // one line for each, the first
	sockets := map[int]int{} // the others of its own, and that first
	for i := range all {
		l := &all[i]
		if out[i].forwards = l.forwards(); out[i].forwards {
			continue
		}
		first := slices.IndexFunc(gateways, func(g int) bool {
			o := &all[g]
			if l.PID != 0 || o.PID != 0 {
				return l.PID == o.PID && l.product == o.product
			}
			return l.port == o.port && l.alike(o)
		})
		if first < 0 {
			gateways = append(gateways, i)
			continue
		}
		g := gateways[first]
		sockets[i] = g
		if l.PID != 0 {
			out[i].link("way.same-process", &all[g], event.Certain, "one process")
		} else {
			out[i].link("way.same-port", &all[g], event.Firm, "same port", "same release", "same page")
		}
		out[g].from(l)
	}
	for i := range all {
		if !out[i].forwards {
			continue
		}
		l := &all[i]
		if len(gateways) == 1 && l.alike(&all[gateways[0]]) {
			g := gateways[0]
			out[i].link("way.another", &all[g], event.Firm, "same release", "same page", "only gateway that listens here")
			out[g].from(l)
			continue
		}
		for _, g := range gateways {
			if l.may(&all[g]) {
				out[i].perhaps(&all[g])
				out[g].perhaps(l)
			}
		}
		if len(gateways) > 0 {
			continue
		}
		// The gateway itself does not listen here: it is in a container, or elsewhere.
		for j := range all {
			if i != j && l.alike(&all[j]) {
				out[i].perhaps(&all[j])
			}
		}
	}
	for i, g := range sockets {
		out[i].others = append(out[i].others, out[g].others...)
	}
	return out
}

// link notes which gateway it is that a listener leads to.
func (w *ways) link(says string, to *listening, c event.Confidence, because ...string) {
	w.sameAs = &event.SameAs{URL: to.url, Confidence: c, Because: because}
	w.say(says, to)
}

func (w *ways) say(id string, of *listening) {
	w.notes = append(w.notes, message.Say(id, message.Of("url", of.url)))
}

// from notes on a gateway that a listener leads to it. Another loopback socket of
// its own is no further way in.
func (w *ways) from(l *listening) {
	if !l.forwards() && !l.beyond {
		return
	}
	w.others = append(w.others, l.url)
	if l.auth.State == event.AuthOpen {
		w.say("way.leads-here-open", l)
	} else {
		w.say("way.leads-here", l)
	}
}

func (w *ways) perhaps(l *listening) {
	w.others = append(w.others, l.url)
	w.say("way.perhaps", l)
}

// release judges what was held and emits it, in the order of addresses.
func (e *engine) release() error {
	slices.SortFunc(e.held, func(a, b held) int { return a.Addr.Compare(b.Addr) })
	all := make([]listening, len(e.held))
	for i := range e.held {
		all[i] = e.held[i].listening(e.cfg.Machine)
	}
	for i, w := range tellWays(all) {
		h := &e.held[i]
		if err := e.judged(h.Target, h.found, w); err != nil {
			return err
		}
	}
	e.held = nil
	return nil
}
