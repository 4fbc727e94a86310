package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// severeQuery finds the gateways with serious findings that the overview does not list
// already, and severeSize is how many of them it does.
const (
	severeQuery = "severity:high -verdict:open,claimable,gone -is:unresolved"
	severeSize  = 20
	// unclearQuery finds store.Overview.Unclear.
	unclearQuery = "verdict:unknown,blocked -is:unresolved"
	failingSize  = 10
)

// The overview as its template sees it.
type (
	overviewPage struct {
		store.Overview
		Watches    []watchState
		Late       []watchState    // and those whose last run was incomplete
		Severe     []store.Gateway // with a critical or high finding, not listed already
		SevereN    int
		SevereURL  string
		UnclearURL string
		Failing    []store.Delivery // alerts that have not reached anybody
		Calm       bool             // nothing needs anybody
		Known      bool             // a gateway is known at all
		Tiles      []tile
		Grades     []tile
		Chart      areaChart
		Groups     []group
		Data       *event.Data // of the newest run; nil without one
		DataOld    bool
		DataUpdate string // the command
	}
	tile struct {
		Name, Class, URL string
		N                int
		Compared         bool
		Delta            string
	}
	// group is one table of counts.
	group struct {
		ID, Title, Name string
		Rows            []counted
		More            int // that are not listed
	}
	counted struct {
		store.Counted
		URL         string
		Share, Hurt int  // of the largest, in percent: all, and the alarming
		Unknown     bool // which group its gateways are in is not known: it comes last, and is never left out
	}
	watchState struct {
		store.WatchState
		Age  string // of the last run
		Tone string
		Says []string // what is wrong
		// Removed: it is not configured any more, which is no fault of a run.
		Removed bool
	}
)

func (b *Board) overview(w http.ResponseWriter, r *http.Request) error {
	l, now := b.language(w, r), b.Now()
	o, err := b.Data.Overview(r.Context(), now)
	if err != nil {
		return err
	}
	p := overviewPage{Overview: o, Watches: b.watches(l, o.Watches, now), Chart: stacked(l, o.Days)}
	for _, x := range p.Watches {
		if len(x.Says) > 0 && !x.Removed {
			p.Late = append(p.Late, x)
		}
	}
	p.Grades = l.grades(o.Severities)
	f, err := store.ParseFilter(severeQuery)
	if err != nil {
		return err
	}
	if p.Severe, p.SevereN, err = b.Data.Gateways(r.Context(), f, store.Page{Limit: severeSize}); err != nil {
		return err
	}
	p.SevereURL = "/gateways?" + url.Values{"q": {severeQuery}}.Encode()
	p.UnclearURL = "/gateways?" + url.Values{"q": {unclearQuery}}.Encode()
	if p.Failing, err = b.Data.Failing(r.Context(), failingSize); err != nil {
		return err
	}
	for _, n := range o.Now {
		p.Known = p.Known || n > 0
	}
	p.Calm = o.AlarmingN+o.UnresolvedN+o.UnclearN+p.SevereN+len(p.Late)+len(p.Failing) == 0
	p.Tiles = l.tiles(o)
	p.Groups = []group{
		counts("releases", l.Say("Releases"), l.Say("Release"), "release", o.Releases, l.Say("release unknown")),
		counts("networks", l.Say("Networks"), l.Say("Network"), "net", o.Networks, l.Say("(none)")),
		counts("owners", l.Say("Owners"), l.Say("Owner"), "owner", o.Owners, l.Say("(none)")),
		l.systems(o.Systems), l.countries(o.Countries),
	}
	newest := time.Time{}
	for _, x := range o.Watches {
		if x.Last != nil && x.Last.Started.After(newest) {
			newest, p.Data = x.Last.Started, &x.Last.Data
		}
	}
	p.DataOld, p.DataUpdate = p.Data != nil && p.Data.Stale(now), b.DataUpdate
	b.show(w, r, http.StatusOK, l.Say("Overview"), "overview", p)
	return nil
}

// shown are the verdicts that count as a gateway, worst first.
func shown() []store.Verdict {
	return slices.DeleteFunc(store.Verdicts(), func(v store.Verdict) bool { return v == store.Gone || v == store.Other })
}

// tiles are the numbers by verdict, each with what it was a week ago.
func (l *language) tiles(o store.Overview) []tile {
	var out []tile
	for _, v := range store.Verdicts() {
		t := tile{Name: l.verdict(v), Class: verdictClass(v), URL: find("verdict", v), N: o.Now[v], Compared: len(o.WeekAgo) > 0}
		if t.N == 0 {
			t.Class = "zero"
		}
		if d := o.Now[v] - o.WeekAgo[v]; d == 0 {
			t.Delta = l.Say("as a week ago")
		} else {
			t.Delta = l.Say("%+d in a week", d)
		}
		out = append(out, t)
	}
	return out
}

// verdictClass is the style class of a verdict in tiles and charts.
func verdictClass(v store.Verdict) string { return "v-" + string(v) }

// grades are the numbers by severity, worst first.
func (l *language) grades(n map[event.Severity]int) []tile {
	var out []tile
	for _, s := range slices.Backward(event.Severities()) {
		t := tile{Name: l.Severity(s), Class: badge(s), URL: find("severity", s), N: n[s]}
		if t.N == 0 {
			t.Class = "zero"
		}
		out = append(out, t)
	}
	return out
}

// groupRows is how many rows a table of counts has.
const groupRows = 12

// counts makes a table of counts, the largest first. Names that a query can hold are
// links to their gateways; nameless stands for the empty one.
func counts(id, title, name, key string, all []store.Counted, nameless string) group {
	var rows []counted
	for _, c := range all {
		link := find(key, c.Name)
		c.Name = cmp.Or(c.Name, nameless)
		rows = append(rows, counted{Counted: c, URL: link})
	}
	return table(id, title, name, rows)
}

// countries makes a table of counts by country. What is not known is in it, whatever its number.
func (l *language) countries(all []store.Counted) group {
	var rows []counted
	for _, c := range all {
		x := counted{Counted: c, URL: find("country", cmp.Or(c.Name, store.Unknown)), Unknown: c.Name == ""}
		x.Name = cmp.Or(c.Name, l.Say("unknown"))
		rows = append(rows, x)
	}
	return table("countries", l.Say("Countries"), l.Say("Country"), rows)
}

// systems makes a table of counts by AS, as countries does.
func (l *language) systems(all []store.System) group {
	var rows []counted
	for _, c := range all {
		x := counted{Counted: c.Counted, URL: find("as", c.AS), Unknown: c.AS == 0}
		x.Name = system(event.Geo{AS: c.AS, ASName: c.Name})
		if x.Unknown {
			x.Name, x.URL = l.Say("unknown"), find("as", store.Unknown)
		}
		rows = append(rows, x)
	}
	return table("systems", l.Say("Autonomous systems"), l.Say("AS"), rows)
}

// table makes a table of rows, the largest first, and last what is not known.
func table(id, title, name string, rows []counted) group {
	g := group{ID: id, Title: title, Name: name}
	last := func(c counted) int {
		if c.Unknown {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(rows, func(a, b counted) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(b.Alarming, a.Alarming), cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name))
	})
	most := 1
	for _, c := range rows {
		most = max(most, c.N)
	}
	for i, c := range rows {
		if i >= groupRows && !c.Unknown {
			g.More++
			continue
		}
		c.Share, c.Hurt = c.N*100/most, c.Alarming*100/most
		g.Rows = append(g.Rows, c)
	}
	return g
}

// watches says of each watch how its last run went, and whether it is late. One that is
// configured and has never run is late, too; one that is no longer configured is not.
func (b *Board) watches(l *language, states []store.WatchState, now time.Time) []watchState {
	var out []watchState
	every := map[string]time.Duration{}
	for _, x := range b.Watches {
		every[x.Name] = x.Every
		if !slices.ContainsFunc(states, func(s store.WatchState) bool { return s.Name == x.Name }) {
			states = append(states, store.WatchState{Name: x.Name})
		}
	}
	for _, s := range states {
		x := watchState{WatchState: s, Tone: "plain"}
		period, configured := every[s.Name]
		switch {
		case s.Last == nil:
			x.Says = append(x.Says, l.Say("it has never run"))
		default:
			age := now.Sub(s.Last.Started)
			x.Age = l.span(age)
			// A run takes its time, and the next one may wait for a place.
			if period > 0 && age > 2*period {
				x.Says = append(x.Says, l.Say("late: its last run began %s ago, and one is due every %s", l.span(age), l.span(period)))
			}
			if !s.Last.Complete {
				x.Says = append(x.Says, l.Say("its last run is incomplete: what it did not see is not closed"))
			}
			if n := s.Last.Unjudged; n > 0 {
				x.Says = append(x.Says, l.Count(int(n), "%d target that it names could not be judged", "%d targets that it names could not be judged"))
			}
		}
		switch {
		case !configured && len(b.Watches) > 0:
			x.Says, x.Tone, x.Removed = []string{l.Say("it is not configured any more: nobody looks at what it saw")}, "faint", true
		case len(x.Says) > 0:
			x.Tone = "doubt"
		}
		out = append(out, x)
	}
	return out
}
