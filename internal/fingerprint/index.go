package fingerprint

import (
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// index says which signals of which products look at what, so that the cost of
// an answer does not grow with the number of products: each signal is evaluated
// once, and a product of which no signal matches is not considered.
type index struct {
	products []*product
	answers  map[string][]leaf // by request
	elements []string          // that signals look for
	ports    map[uint16][]int  // products that ask for more on a port, by its number
	names    []leaf            // signals on certificates and host names
	logins   []leaf            // signals on logins
	first    []opener
	secret   map[string]bool   // requests whose answers are dropped once looked at
	based    map[string]bool   // requests below the base path
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
	x := &index{products: products, answers: map[string][]leaf{}, ports: map[uint16][]int{}, secret: map[string]bool{}, based: map[string]bool{}, scripts: map[string]string{}}
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
			s.match.list()
			for _, id := range s.On {
				x.answers[id] = append(x.answers[id], leaf{i, s})
			}
		}
		for j := range p.Requests {
			r := &p.Requests[j]
			if r.SpeaksFirst {
				x.first = append(x.first, opener{r, p.Ports})
			}
			if r.Secret {
				x.secret[r.ID] = true
			}
			if strings.HasPrefix(r.Path, "{base}") {
				x.based[r.ID] = true
			}
			if _, after, ok := strings.Cut(r.Path, "{script}"); ok {
				x.scripts[r.ID] = after
			}
		}
	}
	return x
}

// markReasons marks the signals that, if they match, can make a request be sent or
// the product be recognised. Where none of them matches, no such condition does:
// each needs one that does.
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
		walk(p.Requests[i].When.cond, false)
	}
	for _, r := range p.Identity {
		walk(r.cond, false)
	}
}

// look finds the products that an answer gives a reason to consider. Their other
// signals are evaluated when they are asked for.
func (a *answer) look() {
	for _, l := range a.index.answers[a.ID] {
		if !l.reason || !l.match.matches(a) {
			continue
		}
		a.matched = append(a.matched, l.signal)
		if n := len(a.products); n == 0 || a.products[n-1] != l.product {
			a.products = append(a.products, l.product)
		}
	}
}

// matches reports whether a signal matches an answer.
func (a *answer) matches(s *signal) bool {
	if s.reason || a.sealed {
		return slices.Contains(a.matched, s)
	}
	return s.match.matches(a)
}

// matchesTarget reports whether a signal on the certificate or the host name matches.
func (s *signal) matchesTarget(o *evidence.Observation) bool {
	if s.Subject != nil {
		return o.TLS != nil && s.Subject.MatchString(o.TLS.Subject)
	}
	return s.Host != nil && s.Host.MatchString(o.Name)
}

// drop empties an answer that may hold a secret, see Case.Take.
func (a *answer) drop() {
	if !a.index.secret[a.ID] && !slices.ContainsFunc(a.matched, func(s *signal) bool { return s.Secret }) {
		return
	}
	for _, l := range a.index.answers[a.ID] {
		if !l.reason && l.match.matches(a) {
			a.matched = append(a.matched, l.signal)
		}
	}
	page := Page{}
	if a.mediaType() == "text/html" {
		page.Title, page.Assets = a.page().Title, a.page().Assets
	}
	a.Original = &evidence.Digest{} // its length tells, too
	a.Body, a.Header = nil, slices.DeleteFunc(a.Header, func(f evidence.Field) bool {
		return strings.EqualFold(f.Name, "Set-Cookie") || strings.EqualFold(f.Name, "Location")
	})
	a.html, a.doc, a.parsed, a.tags, a.sealed = &page, nil, -1, tags{}, true
}
