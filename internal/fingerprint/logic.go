package fingerprint

import "slices"

// literal is a signal that matches, or (negated) does not.
type literal struct {
	name    string
	negated bool
}

// term is a conjunction of literals; a condition is a disjunction of terms.
type term []literal

// maxTerms bounds the expansion; a condition beyond it is taken as reachable.
const maxTerms = 512

// reachable reports whether cond can match while none of the conditions before
// it does. It compares the conditions' disjunctive normal forms literal by
// literal, so it finds rules that are shadowed by the shape of the rules; what
// one answer excludes of another it does not know.
func (p *product) reachable(before []cond, c cond) bool {
	terms, ok := p.expand(c)
	if !ok {
		return true
	}
	var earlier []term
	for _, b := range before {
		t, ok := p.expand(b)
		if !ok {
			return true
		}
		earlier = append(earlier, t...)
	}
	return slices.ContainsFunc(terms, func(t term) bool {
		return !slices.ContainsFunc(earlier, t.implies)
	})
}

// implies reports whether t matches only if u does: u's literals are all in t.
func (t term) implies(u term) bool {
	for _, l := range u {
		if !slices.Contains(t, l) {
			return false
		}
	}
	return true
}

// expand returns the disjunctive normal form of a condition, without terms
// that contradict themselves; false when it is too large.
func (p *product) expand(c cond) ([]term, bool) {
	return p.form(c, false)
}

func (p *product) form(c cond, negate bool) ([]term, bool) {
	if negate {
		// not (a and b and (c or d) and not e) = not a, or not b, or (not c
		// and not d), or e.
		var out []term
		for _, name := range c.All {
			t, ok := p.atom(name, true)
			if !ok {
				return nil, false
			}
			out = append(out, t...)
		}
		for _, name := range c.Not {
			t, ok := p.atom(name, false)
			if !ok {
				return nil, false
			}
			out = append(out, t...)
		}
		if len(c.Any) > 0 {
			t, ok := p.conjunction(c.Any, true)
			if !ok {
				return nil, false
			}
			out = append(out, t...)
		}
		return out, len(out) <= maxTerms
	}
	out, ok := p.conjunction(c.All, false)
	if !ok {
		return nil, false
	}
	none, ok := p.conjunction(c.Not, true)
	if !ok {
		return nil, false
	}
	if out, ok = cross(out, none); !ok {
		return nil, false
	}
	if len(c.Any) > 0 {
		var any []term
		for _, name := range c.Any {
			t, ok := p.atom(name, false)
			if !ok {
				return nil, false
			}
			any = append(any, t...)
		}
		return cross(out, any)
	}
	return out, true
}

// conjunction is the conjunction of signals, each negated or none.
func (p *product) conjunction(names []string, negate bool) ([]term, bool) {
	out := []term{{}}
	for _, name := range names {
		t, ok := p.atom(name, negate)
		if !ok {
			return nil, false
		}
		if out, ok = cross(out, t); !ok {
			return nil, false
		}
	}
	return out, true
}

func (p *product) atom(name string, negate bool) ([]term, bool) {
	if s := p.signals[name]; !s.cond.empty() {
		return p.form(s.cond, negate)
	}
	return []term{{{name, negate}}}, true
}

// cross is the conjunction of two disjunctions.
func cross(a, b []term) ([]term, bool) {
	if len(a)*len(b) > maxTerms {
		return nil, false
	}
	var out []term
	for _, x := range a {
		for _, y := range b {
			t := slices.Clone(x)
			consistent := true
			for _, l := range y {
				if slices.Contains(t, literal{l.name, !l.negated}) {
					consistent = false
					break
				}
				if !slices.Contains(t, l) {
					t = append(t, l)
				}
			}
			if consistent {
				out = append(out, t)
			}
		}
	}
	return out, true
}
