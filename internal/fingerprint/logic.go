package fingerprint

import "slices"

// maxSteps bounds a search; a condition for which it is not enough is taken as
// reachable.
const maxSteps = 1 << 14

// reachable reports whether cond can match while none of the conditions before it
// does. Every signal is taken to match or not regardless of the others: what one
// answer excludes of another it does not know.
func (p *product) reachable(before []cond, c cond) bool {
	s := search{product: p, want: c, not: before, decided: map[string]int8{}}
	leaves := p.leaves(nil, c)
	for _, b := range before {
		leaves = p.leaves(leaves, b)
	}
	return s.possible(leaves)
}

// leaves adds the signals that a condition depends on and that are none themselves,
// each once.
func (p *product) leaves(out []string, c cond) []string {
	for _, name := range c.names() {
		if s := p.signals[name]; !s.cond.empty() {
			out = p.leaves(out, s.cond)
		} else if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// search looks for signals that, if they alone match, have one condition match and
// the others not.
type search struct {
	*product
	want    cond
	not     []cond
	decided map[string]int8 // by signal: 1 it matches, -1 it does not
	steps   int
}

// possible decides the rest of the signals, one after the other.
func (s *search) possible(rest []string) bool {
	if s.steps++; s.steps > maxSteps {
		return true
	}
	found := s.value(s.want)
	for _, c := range s.not {
		found = min(found, -s.value(c))
	}
	if found != 0 {
		return found > 0
	}
	for _, matches := range []int8{1, -1} {
		s.decided[rest[0]] = matches
		if s.possible(rest[1:]) {
			return true
		}
	}
	delete(s.decided, rest[0])
	return false
}

// value is 1 where a condition matches, -1 where it does not, and 0 where that
// depends on signals that are not decided.
func (s *search) value(c cond) int8 {
	out := int8(1)
	for _, name := range c.All {
		out = min(out, s.signal(name))
	}
	for _, name := range c.Not {
		out = min(out, -s.signal(name))
	}
	if len(c.Any) > 0 {
		one := int8(-1)
		for _, name := range c.Any {
			one = max(one, s.signal(name))
		}
		out = min(out, one)
	}
	return out
}

func (s *search) signal(name string) int8 {
	if c := s.signals[name].cond; !c.empty() {
		return s.value(c)
	}
	return s.decided[name]
}
