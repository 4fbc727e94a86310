package openclaw

import (
	"slices"
	"sync"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/release"
)

// What the files do not tell is tried out: a gateway is started in every world that
// they leave possible, and only what is the same in all of them is said.

// maxWorlds bounds the worlds of one gateway. The most that a configuration and an
// environment can leave open need some thousands.
const maxWorlds = 1 << 16

// picker makes one choice after another; next moves on to the next combination.
type picker struct {
	picks, sizes []int
	at           int
}

// pick chooses one of n.
func (p *picker) pick(n int) int {
	if p.at == len(p.picks) {
		p.picks, p.sizes = append(p.picks, 0), append(p.sizes, n)
	}
	p.at++
	return p.picks[p.at-1]
}

// tri chooses only where the answer is not known.
func (p *picker) tri(t deploy.Tri) bool {
	if t == deploy.NotKnown {
		return p.pick(2) == 0
	}
	return t == deploy.Yes
}

func (p *picker) next() bool {
	p.at = 0
	for i := len(p.picks) - 1; i >= 0; i-- {
		if p.picks[i]++; p.picks[i] < p.sizes[i] {
			p.picks, p.sizes = p.picks[:i+1], p.sizes[:i+1]
			return true
		}
	}
	return false
}

// pickOf chooses one of the values.
func pickOf[T any](p *picker, values []T) T {
	if len(values) == 1 {
		return values[0]
	}
	return values[p.pick(len(values))]
}

// labReleases are the releases whose behaviour was measured, oldest first.
func labReleases() []string {
	return []string{
		"2026.1.24-3", "2026.1.29", "2026.2.9", "2026.2.26", "2026.3.13", "2026.3.28", "2026.4.5", "2026.4.25",
		"2026.5.7", "2026.5.28", "2026.6.11", "2026.7.35", "2026.8.2", "2026.9.1", "2026.9.6",
	}
}

// era is a measured release: others behave as one of those beside them.
type era struct{ release.Version }

// measured are the measured releases, and those that other rules name.
var measured = sync.OnceValue(func() map[string]release.Version {
	out := map[string]release.Version{autoFrom: release.MustParse(autoFrom)}
	for _, s := range labReleases() {
		out[s] = release.MustParse(s)
	}
	return out
})

// erasOf returns the measured releases as which r may behave: itself, or those before
// and after it. One that is newer than all behaves as the newest, an older one as the
// oldest; one that is not known as any.
func erasOf(r release.Version) []era {
	var all []era
	for _, s := range labReleases() {
		all = append(all, era{measured()[s]})
	}
	if r.IsZero() {
		return all
	}
	i, found := slices.BinarySearchFunc(all, r, func(e era, r release.Version) int { return e.Compare(r) })
	switch {
	case found:
		return all[i : i+1]
	case i == 0:
		return all[:1]
	case i == len(all), r.Extended() && r.SameLine(all[i-1].Version): // a line that gets fixes alone
		return all[i-1 : i]
	}
	return all[i-1 : i+1]
}

// from reports whether the era is the measured release or a later one.
func (e era) from(r string) bool { return e.Compare(measured()[r]) >= 0 }

// since answers no up to one release, yes from another on, and not known in between.
func (e era) since(no, yes string) deploy.Tri {
	switch {
	case e.from(yes):
		return deploy.Yes
	case e.from(no) && e.Version != measured()[no]:
		return deploy.NotKnown
	}
	return deploy.No
}
