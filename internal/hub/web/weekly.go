package web

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/report"
)

// week is what the weekly report covers.
const week = 7 * 24 * time.Hour

// The weekly report: what changed in the last seven days, and what still stands, by
// owner; and the watches that are late, did not see everything, or have had no complete
// run in that time.
type (
	weeklyPage struct {
		From, To  time.Time
		Owners    []*ownerWeek
		Nothing   bool // is known: no watch has run, and none is to
		Unwatched []weekWatch
		Totals    []tile
	}
	weekWatch struct{ Name, Text string }
	ownerWeek struct {
		Owner, Contact string
		Parts          []weekPart
	}
	weekPart struct {
		Title   string
		Class   string
		Entries []weekEntry
		More    int
	}
	weekEntry struct {
		ID    store.ID
		Place string
		Text  string
	}
)

// weekPartSize is how many entries a part of an owner's week lists.
const weekPartSize = 100

// The parts of an owner's week, in their order.
const (
	partOpened = iota
	partStill
	partUnresolved
	partUnclear
	partClosed
	partNew
	partGone
	parts
)

func (b *Board) weekly(w http.ResponseWriter, r *http.Request) error {
	l := b.language(w, r)
	p, err := b.weekOf(r, l)
	if err != nil {
		return err
	}
	switch format := r.URL.Query().Get("format"); format {
	case "":
		b.show(w, r, http.StatusOK, l.Say("The week from %s to %s", day(p.From), day(p.To)), "weekly", p)
		return nil
	case "markdown":
		return send(w, b.name("weekly", format), contentType(format), func(out io.Writer) error {
			_, err := io.WriteString(out, l.weeklyMarkdown(report.Clean(p)))
			return err
		})
	default:
		return l.known(format, []string{"markdown"})
	}
}

func (b *Board) weekOf(r *http.Request, l *language) (*weeklyPage, error) {
	ctx, now := r.Context(), b.Now().UTC()
	p := &weeklyPage{From: now.Add(-week), To: now}
	owners := map[string]*ownerWeek{}
	var counts [parts]int
	titles := [parts]weekPart{
		{Title: l.Say("Newly open"), Class: "worst"}, {Title: l.Say("Still open"), Class: "worst"}, {Title: l.Say("Was open, and is not shown to be closed"), Class: "doubt"},
		{Title: l.Say("Whether it asks for a credential is not known"), Class: "doubt"},
		{Title: l.Say("Closed by proof"), Class: "good"}, {Title: l.Say("New gateways"), Class: "plain"}, {Title: l.Say("Gone, which is no proof of a fix"), Class: "faint"},
	}
	add := func(owner, contact string, part int, entry func() weekEntry) {
		counts[part]++
		o := owners[owner]
		if o == nil {
			o = &ownerWeek{Owner: owner, Contact: contact, Parts: slices.Clone(titles[:])}
			owners[owner] = o
			p.Owners = append(p.Owners, o)
		}
		if x := &o.Parts[part]; len(x.Entries) < weekPartSize {
			x.Entries = append(x.Entries, entry())
		} else {
			x.More++
		}
	}
	err := b.eachChange(ctx, store.ChangeFilter{Since: p.From, Until: now, Kinds: []store.Kind{store.KindOpened, store.KindClosed, store.KindNew, store.KindGone}}, func(c *store.Change) error {
		e := func() weekEntry {
			return weekEntry{ID: c.Gateway, Place: c.Place, Text: l.Say("%s: %s", minute(c.At), l.became(c))}
		}
		for part, kind := range map[int]store.Kind{partOpened: store.KindOpened, partClosed: store.KindClosed, partNew: store.KindNew, partGone: store.KindGone} {
			if c.Has(kind) {
				add(c.Owner, c.Contact, part, e)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, x := range []struct {
		query string
		part  int
	}{{"verdict:open,claimable", partStill}, {"is:unresolved", partUnresolved}, {unclearQuery, partUnclear}} {
		f, err := store.ParseFilter(x.query)
		if err != nil {
			return nil, err
		}
		err = b.Data.ByOwner(ctx, f, weekPartSize, func(g *store.Gateway, total int) error {
			add(g.Owner, g.Contact, x.part, func() weekEntry {
				return weekEntry{ID: g.ID, Place: g.Place, Text: l.Say("%s since %s (%s)", l.verdict(g.Verdict), minute(g.Since), l.span(now.Sub(g.Since)))}
			})
			if part := &owners[g.Owner].Parts[x.part]; len(part.Entries) == min(total, weekPartSize) {
				part.More = total - len(part.Entries) // these are not yielded
				counts[x.part] += part.More
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	states, err := b.Data.Watches(ctx)
	if err != nil {
		return nil, err
	}
	watches := b.watches(l, states, now)
	p.Nothing = len(watches) == 0
	for _, x := range watches {
		if !x.Removed && (len(x.Says) > 0 || x.LastComplete == nil || x.LastComplete.Started.Before(p.From)) {
			p.Unwatched = append(p.Unwatched, weekWatch{x.Name, strings.Join(append(x.Says, l.lastComplete(x.WatchState)), l.Say("; "))})
		}
	}
	slices.SortFunc(p.Owners, func(a, b *ownerWeek) int {
		return cmp.Or(compareFirst(b, a), cmp.Compare(a.Owner, b.Owner))
	})
	for i, n := range counts {
		t := tile{Name: titles[i].Title, Class: titles[i].Class, N: n}
		if n == 0 {
			t.Class = "zero"
		}
		p.Totals = append(p.Totals, t)
	}
	for _, o := range p.Owners {
		o.Parts = slices.DeleteFunc(o.Parts, func(x weekPart) bool { return len(x.Entries) == 0 })
	}
	return p, nil
}

// compareFirst orders owners by what is open now.
func compareFirst(a, b *ownerWeek) int {
	open := func(o *ownerWeek) int { return len(o.Parts[partStill].Entries) + o.Parts[partStill].More }
	return cmp.Compare(open(a), open(b))
}

// became says from what to what a verdict changed.
func (l *language) became(c *store.Change) string {
	if c.OldVerdict == "" {
		return l.verdict(c.Verdict)
	}
	return l.Say("%s, before: %s", l.verdict(c.Verdict), l.verdict(c.OldVerdict))
}

// weeklyMarkdown is the clean report as Markdown.
func (l *language) weeklyMarkdown(p *weeklyPage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", report.Markdown(l.Say("The week from %s to %s", day(p.From), day(p.To))))
	fmt.Fprintf(&b, "| | |\n|---|---:|\n")
	for _, t := range p.Totals {
		fmt.Fprintf(&b, "| %s | %d |\n", report.Markdown(t.Name), t.N)
	}
	b.WriteString("\n")
	if len(p.Unwatched) > 0 {
		fmt.Fprintf(&b, "### %s\n\n", report.Markdown(l.Say("Watches that are late or did not see everything")))
		for _, x := range p.Unwatched {
			fmt.Fprintf(&b, "- **%s** %s\n", report.Markdown(x.Name), report.Markdown(x.Text))
		}
		b.WriteString("\n")
	}
	if len(p.Owners) == 0 {
		fmt.Fprintf(&b, "%s\n", report.Markdown(l.quiet(p)))
	}
	for _, o := range p.Owners {
		name := o.Owner
		if name == "" {
			name = l.Say("No owner")
		}
		if o.Contact != "" {
			name = l.Say("%s (%s)", name, o.Contact)
		}
		fmt.Fprintf(&b, "### %s\n\n", report.Markdown(name))
		for _, x := range o.Parts {
			fmt.Fprintf(&b, "**%s**\n\n", report.Markdown(x.Title))
			for _, e := range x.Entries {
				fmt.Fprintf(&b, "- **%s** %s\n", report.Markdown(e.Place), report.Markdown(e.Text))
			}
			if x.More > 0 {
				fmt.Fprintf(&b, "- %s\n", report.Markdown(l.Say("and %d more", x.More)))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// quiet is what a report without an entry says.
func (l *language) quiet(p *weeklyPage) string {
	if p.Nothing {
		return l.Say("No watch has run yet: nothing is known.")
	}
	return l.Say("Of what was looked at, nothing opened, closed, appeared or went, and nothing is open.")
}

// lastComplete says when a watch had its last complete run.
func (l *language) lastComplete(s store.WatchState) string {
	if s.LastComplete == nil {
		return l.Say("no complete run at all")
	}
	return l.Say("the last complete run began at %s", minute(s.LastComplete.Started))
}
