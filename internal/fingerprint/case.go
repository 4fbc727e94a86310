package fingerprint

import (
	"cmp"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
)

// Case is what is known of one target: what was observed there, and what follows from
// it. It asks for the next request, takes what came back, and gives the verdict.
// Each answer is looked at once, when it is taken. It is not safe for concurrent
// use.
type Case struct {
	*evidence.Observation
	set     *Set
	level   event.Level
	answers []answer // of Exchanges, by the same index
	views   []*view  // of the products of which a signal matches, see consider
	verdict *Verdict // once it has been asked for
}

// Open begins a case on an observation. What is in it already is taken; what is
// added to it later has to be taken with Take.
func (s *Set) Open(o *evidence.Observation, level event.Level) *Case {
	c := &Case{Observation: o, set: s, level: level}
	c.Take()
	return c
}

// Take looks at the exchanges that the observation has got since. The answer to a
// request that may hold a secret, or in which a signal says so, is emptied: what
// the fingerprints matched is kept, of the body nothing is, neither a hash nor its length.
func (c *Case) Take() {
	before := len(c.answers)
	if before == len(c.Exchanges) {
		return
	}
	for i := range c.answers {
		c.answers[i].Exchange = &c.Exchanges[i] // it may have moved since
	}
	for i := before; i < len(c.Exchanges); i++ {
		x := &c.Exchanges[i]
		if c.set.index.based[x.ID] {
			x.Base = c.Base + "/"
		}
		c.answers = append(c.answers, answer{Exchange: x, index: c.set.index})
		a := &c.answers[i]
		a.look()
		a.drop()
		for _, v := range c.views {
			v.forget(x.ID)
		}
	}
	c.verdict = nil
	c.lookAround()
	for i := before; i < len(c.answers); i++ {
		c.hint(&c.answers[i])
	}
	c.order()
}

// lookAround considers the products that the target's port, certificate and name
// speak of.
func (c *Case) lookAround() {
	x := c.set.index
	for _, place := range x.ports[c.Addr.Port()] {
		c.consider(place, itsPort)
	}
	if c.set.everywhere {
		for _, place := range x.relatives {
			c.consider(place, anywhere)
		}
	}
	for _, l := range x.names {
		if l.signal.matchesTarget(c.Observation) {
			c.consider(l.product, hinted)
		}
	}
}

// hint considers the products of which an answer says something.
func (c *Case) hint(a *answer) {
	if !c.Here(a.Exchange) {
		return
	}
	for _, place := range a.products {
		c.consider(place, hinted)
	}
	for _, l := range c.set.index.logins {
		if slices.Contains(l.Login, a.ID) && c.requiresLogin(a) {
			c.consider(l.product, hinted)
		}
	}
}

// Why a product is considered, from the best reason to the weakest. Of equals the
// set's order counts.
const (
	likely   = iota // what was observed makes it a guess at least
	itsPort         // the target has one of its ports
	hinted          // an answer, a certificate or the name says something of it
	anywhere        // every relative is, on every port
)

// consider has a product thought about: the better the reason, the sooner it asks.
func (c *Case) consider(place, reason int) {
	p := c.set.products[place]
	at := slices.IndexFunc(c.views, func(v *view) bool { return v.p == p })
	if at < 0 {
		at = len(c.views)
		c.views = append(c.views, &view{p: p, c: c, place: place, reason: reason})
	}
	c.views[at].reason = min(c.views[at].reason, reason)
}

// order puts first the products that ask first.
func (c *Case) order() {
	for _, v := range c.views {
		if v.confidence() != "" {
			v.reason = likely
		}
	}
	slices.SortFunc(c.views, func(a, b *view) int {
		return cmp.Or(cmp.Compare(a.reason, b.reason), cmp.Compare(a.place, b.place))
	})
}

// view returns a product's view of the case, whether any of its signals matches or not.
func (c *Case) view(p *product) *view {
	if at := slices.IndexFunc(c.views, func(v *view) bool { return v.p == p }); at >= 0 {
		return c.views[at]
	}
	return &view{p: p, c: c}
}

// answer returns the answer to a request, as far as it counts at the base path
// that the case stands at; nil if there is none.
func (c *Case) answer(id string) *answer {
	for i := range c.answers {
		if a := &c.answers[i]; a.ID == id && c.Here(a.Exchange) {
			return a
		}
	}
	return nil
}

// maxRequests bounds the requests to one target.
func (c *Case) maxRequests() int {
	if c.level == event.LevelDeep || c.set.everywhere {
		return 24
	}
	return 12
}

// Next returns the request to make now, given what has been observed so far, or
// false when nothing that may be asked would add to the verdict.
func (c *Case) Next() (evidence.Request, bool) {
	made := c.Requests
	for i := range c.Exchanges {
		if !c.Here(&c.Exchanges[i]) { // asked below another base path: does not count
			made--
		}
	}
	if made >= c.maxRequests() {
		return evidence.Request{}, false
	}
	if c.answer(rootID) == nil {
		return c.opening()
	}
	// Once it is certain what a target is, the others ask no more.
	if at := slices.IndexFunc(c.views, func(v *view) bool { return v.confidence() == event.Certain }); at >= 0 {
		return c.views[at].next()
	}
	for _, v := range c.views {
		if req, ok := v.next(); ok {
			return req, true
		}
	}
	return evidence.Request{}, false
}

// opening returns the first thing to ask: on the ports of a product that speaks
// first, what it says; else, and if that did not come, the page, which every
// product asks for first. Most targets of a sweep do not get further.
func (c *Case) opening() (evidence.Request, bool) {
	for _, r := range c.set.index.first {
		if !c.level.Includes(r.Level) || !slices.Contains(r.ports, c.Addr.Port()) {
			continue
		}
		a := c.answer(r.ID)
		if a == nil {
			return r.request(c, "")
		}
		if a.Answered() {
			return evidence.Request{}, false
		}
	}
	return c.set.products[0].Requests[0].request(c, "")
}

// Recognised reports whether a product is recognised, more than as a guess.
func (c *Case) Recognised() bool {
	return slices.ContainsFunc(c.views, func(v *view) bool { return v.confidence().Rank() >= event.Firm.Rank() })
}

// Verdict returns what follows from the observation. Of several products that match
// it takes the one with the highest confidence, and of equals the first.
func (c *Case) Verdict() *Verdict {
	if c.verdict == nil {
		c.verdict = c.judge()
	}
	return c.verdict
}

// best is the product with the highest confidence, or nil.
func (c *Case) best() *view {
	var best *view
	rank := 0
	for _, v := range c.views {
		if r := v.confidence().Rank(); r > rank {
			best, rank = v, r
		}
	}
	return best
}

func (c *Case) judge() *Verdict {
	out := new(Verdict)
	if best := c.best(); best != nil {
		best.judge(out)
	}
	if front := c.front(c.set.front.Fronts, c.answers); front != nil {
		out.Front = event.Front{Kind: front.ID, Because: front.because}
	}
	if out.Auth.State == "" || out.Auth.State == event.AuthUnknown {
		if front := c.gatedBy(out); front != nil {
			out.Auth = event.Auth{State: event.AuthGated, Mode: event.AuthMode(front.ID), Because: front.because}
		}
	}
	return out
}

// front returns the first of the fronts that matches: one of the answers, the name
// or the certificate; nil if none does.
func (c *Case) front(rules []frontRule, answers []answer) *frontRule {
	for i := range rules {
		r := &rules[i]
		if r.Host != nil && !r.Host.MatchString(c.Name) ||
			r.Subject != nil && (c.TLS == nil || !r.Subject.MatchString(c.TLS.Subject)) {
			continue
		}
		for j := range answers {
			if !r.match.set() || r.match.matches(&answers[j]) {
				return r
			}
		}
	}
	return nil
}

// Plan returns every request of a product up to level standard, regardless of its
// condition: what a recorder makes. Those that need what has not been observed,
// another name for the target, or a base path, are left out, and so are those
// that only ask again.
func (c *Case) Plan(product string) []evidence.Request {
	var out []evidence.Request
	for _, p := range c.set.products {
		if p.ID != product {
			continue
		}
		mount := c.view(p).mount()
		for i := range p.Requests {
			r := &p.Requests[i]
			if !event.LevelStandard.Includes(r.Level) || r.Fresh || !p.mayBeAsked(r, c.Observation) {
				continue
			}
			if req, ok := r.request(c, mount); ok {
				out = append(out, req)
			}
		}
	}
	return out
}

// mayBeAsked reports whether the target has the name, or the base path, that a
// request is for.
func (p *product) mayBeAsked(r *requestSpec, o *evidence.Observation) bool {
	return !slices.ContainsFunc(r.When.All, func(name string) bool {
		s := p.signals[name]
		return s.Host != nil && !s.matchesTarget(o) || s.Based && o.Base == ""
	})
}
