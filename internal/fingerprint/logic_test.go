package fingerprint

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// reachable must agree with trying out every combination of signals.
func TestReachableAgainstTruthTable(t *testing.T) {
	atoms := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		p := &product{signals: map[string]*signal{}}
		for _, name := range atoms {
			p.signals[name] = &signal{index: len(p.signals)}
		}
		names := slices.Clone(atoms)
		draw := func(label string) cond {
			pick := func(part string) []string {
				return rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 2, rapid.ID[string]).Draw(t, label+part)
			}
			return cond{All: pick(" all"), Any: pick(" any"), Not: pick(" none")}
		}
		// Two combined signals, the second of which may use the first.
		for _, name := range []string{"x", "y"} {
			if c := draw(name); !c.empty() {
				p.signals[name] = &signal{cond: c, index: len(p.signals)}
				names = append(names, name)
			}
		}
		before := []cond{draw("first"), draw("second")}
		before = slices.DeleteFunc(before, cond.empty)
		last := draw("last")
		if last.empty() {
			return
		}
		for _, name := range names {
			p.signals[name].cond.signals = p.named(&p.signals[name].cond)
		}
		last.signals = p.named(&last)
		for i := range before {
			before[i].signals = p.named(&before[i])
		}
		possible := false
		for bits := range 1 << len(atoms) {
			seen := make([]int8, len(p.signals))
			for i := range atoms {
				seen[i] = -1
				if bits>>i&1 == 1 {
					seen[i] = 1
				}
			}
			v := view{p: p, memo: seen}
			if v.matches(&last) && !slices.ContainsFunc(before, func(c cond) bool { return v.matches(&c) }) {
				possible = true
			}
		}
		if got := p.reachable(before, last); got != possible {
			t.Fatalf("%+v after %+v is called reachable: %t, by trying it out %t", last, before, got, possible)
		}
	})
}
