package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

const (
	groupLimit = 20_000 // of one kind: beyond it targets are counted together
	groupShown = 10     // of one kind, where there is little space
	fewTargets = 2      // up to so many gateways need no totals or charts
)

// totals counts a stream by check, by release, by network, and by AS and country where
// these are known of any. Its memory has a limit, for any stream.
type totals struct {
	checks, releases, networks, systems, countries map[string]*group

	known struct{ as, country bool } // of any
}

// group is one line of the totals. It is JSON as the document has it.
type group struct {
	Name     string          `json:"name"`
	Severity event.Severity  `json:"severity,omitempty"` // of a Check: the worst seen
	Targets  int             `json:"targets"`
	Open     int             `json:"open"` // of them, open gateways
	said     message.Message // what Name was made of, where that has arguments
}

// otherGroups is the name of what goes beyond groupLimit.
const otherGroups = "(others)"

func (s *totals) add(t *event.Target) {
	if t.Outcome != event.OutcomeIdentified && t.Outcome != event.OutcomeHelper {
		return
	}
	if s.checks == nil {
		s.checks, s.releases, s.networks = map[string]*group{}, map[string]*group{}, map[string]*group{}
		s.systems, s.countries = map[string]*group{}, map[string]*group{}
	}
	open := t.Auth != nil && t.Auth.State == event.AuthOpen
	var ids []string // a check may raise several findings at one target
	for i := range t.Findings {
		f := &t.Findings[i]
		if !f.Active() {
			continue
		}
		g := lookUp(s.checks, clean.N(f.ID, 60))
		if g.Severity == "" || f.Severity.Rank() > g.Severity.Rank() {
			g.Severity = event.Severity(clean.N(string(f.Severity), 40))
		}
		if !slices.Contains(ids, g.Name) {
			ids = append(ids, g.Name)
			count(g, open)
		}
	}
	if t.Outcome == event.OutcomeIdentified {
		name := t.Version.Said()
		g := lookUp(s.releases, clean.N(name.English, 100))
		g.said = name.Message
		count(g, open)
	}
	count(lookUp(s.networks, network(t.Target.IP)), open)
	s.located(t.Geo, open)
}

// located counts by AS and country. What is not known is counted, too, as a group without
// a name, for it may be any of them.
func (s *totals) located(g *event.Geo, open bool) {
	if g == nil {
		g = &event.Geo{}
	}
	as := lookUp(s.systems, asNumber(g))
	if s.known.as = s.known.as || g.AS != 0; as.Name == asNumber(g) {
		as.Name = System(g)
	}
	count(as, open)
	country := ""
	if event.IsCountry(g.Country) {
		country, s.known.country = g.Country, true
	}
	count(lookUp(s.countries, country), open)
}

// asNumber is an AS as people write it; "" for none.
func asNumber(g *event.Geo) string {
	if g.AS == 0 {
		return ""
	}
	return "AS" + strconv.FormatUint(uint64(g.AS), 10)
}

// System is an AS with its name, as "AS64500 Example Net"; "" if it is not known.
func System(g *event.Geo) string {
	if g.AS == 0 {
		return ""
	}
	return strings.TrimSpace(asNumber(g) + " " + clean.N(g.ASName, 100))
}

func count(g *group, open bool) {
	g.Targets++
	if open {
		g.Open++
	}
}

func lookUp(m map[string]*group, name string) *group {
	if m[name] == nil && len(m) >= groupLimit {
		name = otherGroups
	}
	g := m[name]
	if g == nil {
		g = &group{Name: name}
		m[name] = g
	}
	return g
}

// network is the /24, or /48, of an address; "" if the address is not known, or
// a pseudonym.
func network(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// sorted lists groups, the most open and then the largest first.
func sorted(m map[string]*group) []group {
	out := []group{}
	for _, g := range m {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), cmp.Compare(b.Open, a.Open), cmp.Compare(b.Targets, a.Targets), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// sortedIf is sorted where there is anything to tell, else nil.
func sortedIf(known bool, m map[string]*group) []group {
	if !known {
		return nil
	}
	return sorted(m)
}

// totalled is what the formats for people show of the totals: each kind with a
// title, at most groupShown lines each. It is empty where there are few targets.
type totalled struct {
	Title, Name string
	Check       bool // its lines have a severity
	Groups      []group
	More        string // says how many are left out; "" for none
}

func (t *tally) totalled() []totalled {
	if t.totals().Outcomes[event.OutcomeIdentified] <= fewTargets {
		return nil
	}
	c := t.c
	var out []totalled
	for _, k := range []totalled{
		{Title: c.say("By check"), Name: c.say("Check"), Check: true, Groups: sorted(t.groups.checks)},
		{Title: c.say("By release"), Name: c.say("Release"), Groups: sorted(t.groups.releases)},
		{Title: c.say("By network"), Name: c.say("Network"), Groups: sorted(t.groups.networks)},
		{Title: c.say("By AS"), Name: c.say("AS"), Groups: sortedIf(t.groups.known.as, t.groups.systems)},
		{Title: c.say("By country"), Name: c.say("Country"), Groups: sortedIf(t.groups.known.country, t.groups.countries)},
	} {
		if k.Check {
			k.Groups = slices.DeleteFunc(k.Groups, func(g group) bool { return !t.shows(&event.Finding{Severity: g.Severity}) })
		}
		// One line, as of a scan of one network, says nothing.
		if len(k.Groups) < 2 {
			continue
		}
		k.More = c.more(len(k.Groups) - groupShown)
		k.Groups = k.Groups[:min(len(k.Groups), groupShown)]
		for i := range k.Groups {
			switch g := &k.Groups[i]; g.Name {
			case "":
				g.Name = c.say("unknown")
			case otherGroups:
				g.Name = c.say("(others)")
			default:
				g.Name = clean.N(c.messages(g.Name, g.said), 100)
			}
		}
		out = append(out, k)
	}
	return out
}
