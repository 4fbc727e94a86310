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

// A pre-release comes before its release, and a build of a release counts as that.
func TestVersionRange(t *testing.T) {
	for _, c := range []struct {
		version, from, before string
		in                    bool
	}{
		{"1.1.8", "", "1.1.9", true},
		{"1.1.9", "", "1.1.9", false},
		{"1.1.9b1", "", "1.1.9", true},
		{"v1.1.9-beta.2", "", "1.1.9", true},
		{"1.1.9.dev3", "", "1.1.9", true},
		{"1.1.9rc1+build.5", "", "1.1.9", true},
		{"1.1.9-1", "", "1.1.9", false},
		{"1.1.9+b1", "", "1.1.9", false},
		{"1.1.9.post1", "", "1.1.9", false},
		{"1.1.9-bookworm", "", "1.1.9", false},
		{"1.1.10b1", "", "1.1.9", false},
		{"1.1.3b1", "1.1.3", "", false},
		{"1.1.3", "1.1.3", "", true},
		{"0.16.0", "", "0.16", false},
	} {
		r := versionRange{From: c.from, Before: c.before}
		if in := r.contains(c.version); in != c.in {
			t.Errorf("%s from %q before %q: %t", c.version, c.from, c.before, in)
		}
	}
}
