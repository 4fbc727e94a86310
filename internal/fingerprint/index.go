package fingerprint

import (
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// index says which signals of which products look at what, so that the cost of
// an answer does not grow with the number of products: each signal is looked at
// once, and a product of which nothing shows is not thought about.
type index struct {
	products []*product
	answers  map[string][]leaf // by request
	elements []string          // that signals look for
	ports    map[uint16][]int  // products that ask for more on a port, by its number
	names    []leaf            // signals on certificates and host names
	logins   []leaf            // signals on log-ins
	first    []opener
	secret   map[string]bool   // requests whose answers are dropped once looked at
	scripts  map[string]string // what follows the script's name in a request's path, by request
	// Relatives that ask for more on their ports, and so everywhere if they are
	// looked for everywhere.
	relatives []int
}

// leaf is a signal that is no condition on others.
type leaf struct {
	product int // its place in the set
	*signal
}

// opener is a request that is made before GET /.
type opener struct {
	*requestSpec
	ports []uint16
}

func newIndex(products []*product) *index {
	x := &index{products: products, answers: map[string][]leaf{}, ports: map[uint16][]int{}, secret: map[string]bool{}, scripts: map[string]string{}}
	for i, p := range products {
		for _, s := range p.ordered {
			switch {
			case s.DefaultPort:
				if p.Relative {
					x.relatives = append(x.relatives, i)
				}
				for _, port := range p.Ports {
					x.ports[port] = append(x.ports[port], i)
				}
			case len(s.Login) > 0:
				x.logins = append(x.logins, leaf{i, s})
			case s.Subject != nil || s.Host != nil:
				x.names = append(x.names, leaf{i, s})
			}
			if e := s.match.Element; e != "" && !slices.Contains(x.elements, e) {
				x.elements = append(x.elements, e)
			}
			for _, id := range s.On {
				x.answers[id] = append(x.answers[id], leaf{i, s})
			}
		}
		for j := range p.Requests {
			r := &p.Requests[j]
			if r.First {
				x.first = append(x.first, opener{r, p.Ports})
			}
			if r.Secret {
				x.secret[r.ID] = true
			}
			if _, after, ok := strings.Cut(r.Path, "{script}"); ok {
				x.scripts[r.ID] = after
			}
		}
	}
	return x
}

// markReasons marks the signals that, seen, can make a request be sent or the
// product be recognised. Where none of them is, no condition of the two holds:
// each has something that must be seen.
func (p *product) markReasons() {
	type visit struct {
		*signal
		negated bool
	}
	seen := map[visit]bool{}
	var walk func(c cond, negated bool)
	walk = func(c cond, negated bool) {
		for i, name := range c.names() {
			v := visit{p.signals[name], negated != (i >= len(c.All)+len(c.Any))}
			if seen[v] {
				continue
			}
			seen[v] = true
			if !v.cond.empty() {
				walk(v.cond, v.negated)
			} else if !v.negated && !v.Common {
				v.reason = true
			}
		}
	}
	for i := range p.Requests {
		walk(p.Requests[i].When, false)
	}
	for _, r := range p.Identity {
		walk(r.cond, false)
	}
}

// look finds the products that an answer gives a reason to think about. What
// else their signals look at is read when it is asked for.
func (x *index) look(a *answer) {
	if a.by == x || a.sealed {
		return
	}
	a.by, a.held, a.products, a.split = x, nil, nil, false
	for _, l := range x.answers[a.ID] {
		if !l.reason || !l.match.holds(a) {
			continue
		}
		a.held = append(a.held, l.signal)
		if n := len(a.products); n == 0 || a.products[n-1] != l.product {
			a.products = append(a.products, l.product)
		}
	}
}

// shows reports whether a signal is seen in an answer.
func (a *answer) shows(s *signal) bool {
	if s.reason && a.by != nil || a.sealed {
		return slices.Contains(a.held, s)
	}
	return s.match.holds(a)
}

// collect returns the answers of an observation, looked at.
func (s *Set) collect(o *evidence.Observation) map[string]*answer {
	answers := make(map[string]*answer, len(o.Exchanges))
	for i := range o.Exchanges {
		a := read(&o.Exchanges[i])
		// What was asked below another base path is not looked at.
		if !strings.Contains(a.ID, "@") {
			s.index.look(a)
		}
		answers[a.ID] = a
	}
	return answers
}

// shown returns the products of which anything shows: first those of which an
// answer, a certificate or a name says something, then those whose port it is,
// each in the set's order.
func (s *Set) shown(o *evidence.Observation, answers map[string]*answer) []*product {
	x := s.index
	var hinted, ported []int
	for id, a := range answers {
		if !strings.Contains(id, "@") {
			hinted = append(hinted, a.products...)
		}
	}
	for _, l := range x.names {
		if l.signal.named(o) {
			hinted = append(hinted, l.product)
		}
	}
	for _, l := range x.logins {
		if l.signal.login(s, o, answers) {
			hinted = append(hinted, l.product)
		}
	}
	ported = append(ported, x.ports[o.Addr.Port()]...)
	if s.everywhere {
		ported = append(ported, x.relatives...)
	}
	if len(hinted)+len(ported) == 0 {
		return nil
	}
	var out []*product
	seen := make(map[int]bool, len(hinted)+len(ported))
	for _, at := range [][]int{hinted, ported} {
		slices.Sort(at)
		for _, i := range at {
			if !seen[i] {
				seen[i] = true
				out = append(out, x.products[i])
			}
		}
	}
	return out
}

// named reports whether a signal on the certificate or the host name holds.
func (s *signal) named(o *evidence.Observation) bool {
	if s.Subject != nil {
		return o.TLS != nil && s.Subject.MatchString(o.TLS.Subject)
	}
	return s.Host != nil && s.Host.MatchString(o.Name)
}

// login reports whether a signal on log-ins holds.
func (s *signal) login(set *Set, o *evidence.Observation, answers map[string]*answer) bool {
	return slices.ContainsFunc(s.Login, func(id string) bool {
		a, ok := answers[id]
		return ok && set.asksLogin(o, a)
	})
}

// Drop empties the answer to a request that may hold a secret, or in which a
// signal says so, after all fingerprints have looked at it. What they saw is
// kept; of the body nothing is, not even a hash.
func (s *Set) Drop(x *evidence.Exchange) {
	a := read(x)
	s.index.look(a)
	if !s.index.secret[x.ID] && !slices.ContainsFunc(a.held, func(sig *signal) bool { return sig.Secret }) {
		return
	}
	for _, l := range s.index.answers[x.ID] {
		if !l.reason && l.match.holds(a) {
			a.held = append(a.held, l.signal)
		}
	}
	page := Page{}
	if a.mediaType() == "text/html" {
		page.Title = a.page().Title
		page.Assets = a.page().Assets
	}
	x.Original = &evidence.Digest{Bytes: len(x.Body)}
	x.Body, x.Header = nil, slices.DeleteFunc(x.Header, func(f evidence.Field) bool {
		return strings.EqualFold(f.Name, "Set-Cookie") || strings.EqualFold(f.Name, "Location")
	})
	a.html, a.doc, a.parsed, a.tags, a.sealed = &page, nil, -1, tags{}, true
}
