package web

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// smallest is the smallest number that the public page shows.
const smallest = 5

// publicPage is what everybody may know: rounded numbers, and no place or name. Each
// number is rounded down to a multiple of smallest, by itself: so neither the sum of a
// table less its rows, nor one table beside another, gives a smaller one away.
type publicPage struct {
	Doubt     string // why the numbers can be too small; "" if nothing says so
	Gateways  string
	Verdicts  []publicRow
	Severe    []publicRow
	Releases  []publicRow
	MoreSmall bool // releases that are too few to be named
}

type publicRow struct{ Name, Text string }

// rounded is a number as the public page has it.
func (l *language) rounded(n int) string {
	if n < smallest {
		return l.Say("fewer than %d", smallest)
	}
	return l.Say("at least %d", n/smallest*smallest)
}

func (b *Board) public(w http.ResponseWriter, r *http.Request) error {
	l := b.language(w, r)
	o, err := b.Data.Overview(r.Context(), b.Now())
	if err != nil {
		return err
	}
	p, watches := l.publicPage(o), b.watches(l, o.Watches, b.Now())
	switch {
	case !slices.ContainsFunc(watches, func(x watchState) bool { return x.Last != nil }):
		p.Doubt = l.Say("No watch has run yet: nothing is known.")
	case slices.ContainsFunc(watches, func(x watchState) bool { return len(x.Says) > 0 }):
		p.Doubt = l.Say("Not everything was looked at in time and as a whole: the numbers can be too small.")
	}
	b.show(w, r, http.StatusOK, l.Say("Public numbers"), "public", p)
	return nil
}

func (l *language) publicPage(o store.Overview) publicPage {
	var p publicPage
	all := 0
	for _, v := range shown() {
		all += o.Now[v]
		p.Verdicts = append(p.Verdicts, publicRow{Name: l.verdict(v), Text: l.rounded(o.Now[v])})
	}
	p.Gateways = l.rounded(all)
	for _, s := range slices.Backward(event.Severities()) {
		p.Severe = append(p.Severe, publicRow{Name: l.Severity(s), Text: l.rounded(o.Severities[s])})
	}
	for _, c := range o.Releases {
		// That a release is in use at all is a number, too.
		if c.N < smallest {
			p.MoreSmall = true
			continue
		}
		p.Releases = append(p.Releases, publicRow{Name: cmp.Or(c.Name, l.Say("release unknown")), Text: l.rounded(c.N)})
	}
	return p
}
