package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// newsLimit is how many lines of each kind a comparison names.
const newsLimit = 50

// news is what a comparison of two scans names: what was opened, fixed and
// changed, and where. It keeps the worst lines of each kind.
type news struct {
	opened, closed, unseen, changed, advisories kind
}

// kind holds the lines of one kind, the worst first.
type kind struct {
	lines []newsLine
	more  int
}

// newsLine is one difference, clean.
type newsLine struct {
	where    string
	severity event.Severity
	finding  event.Finding
	change   event.Change
	outcome  event.Outcome // of the target
	advisory event.Advisory
}

func (n *news) add(t *event.Target, shows func(*event.Finding) bool) {
	place := ""
	at := func() string {
		if place == "" {
			place = clean.N(shownURL(where(t.Target)), 200)
		}
		return place
	}
	for i := range t.Findings {
		f := &t.Findings[i]
		if !shows(f) {
			continue
		}
		var k *kind
		switch f.Change {
		case event.Opened:
			if f.Suppressed != "" {
				continue
			}
			k = &n.opened
		case event.Closed:
			k = &n.closed
		case event.Unseen:
			k = &n.unseen
		default:
			continue
		}
		k.put(newsLine{where: at(), severity: f.Severity, finding: event.Finding{ID: clean.N(f.ID, 60), Title: clean.N(f.Title, textLimit)}})
	}
	for _, ch := range t.Changes {
		n.changed.put(newsLine{where: at(), severity: worstSeverity(t.Findings), change: ch, outcome: t.Outcome})
	}
	for i := range t.Advisories {
		if a := &t.Advisories[i]; a.Suppressed == "" {
			n.advisories.put(newsLine{where: at(), severity: a.Severity, advisory: event.Advisory{ID: clean.N(a.ID, 60), Summary: clean.N(a.Summary, 200)}})
		}
	}
}

func (k *kind) put(l newsLine) {
	i, _ := slices.BinarySearchFunc(k.lines, l, func(a, b newsLine) int {
		return cmp.Or(cmp.Compare(b.severity.Rank(), a.severity.Rank()), strings.Compare(a.where, b.where))
	})
	if len(k.lines) == newsLimit {
		k.more++
		if i == newsLimit {
			return
		}
		k.lines = k.lines[:newsLimit-1]
	}
	k.lines = slices.Insert(k.lines, i, l)
}

// newsBlock is one kind of difference in words.
type newsBlock struct {
	Title string
	Tone  tone
	Rows  []newsRow
	More  string // says how many are left out; "" for none
	left  int    // how many
}

type newsRow struct {
	Severity    event.Severity // "" for a change, which has none
	Where, Text string
	ID          string // of the check or the advisory
}

// newsBlocks names what a comparison found: what was opened, fixed, changed.
func (t *tally) newsBlocks() []newsBlock {
	c := t.c
	var out []newsBlock
	add := func(title string, mood tone, k kind, row func(newsLine) newsRow) {
		if len(k.lines) == 0 {
			return
		}
		b := newsBlock{Title: title, Tone: mood, More: c.more(k.more), left: k.more}
		for _, l := range k.lines {
			r := row(l)
			r.Where = l.where
			b.Rows = append(b.Rows, r)
		}
		out = append(out, b)
	}
	finding := func(l newsLine) newsRow {
		return newsRow{Severity: l.severity, Text: c.title(&l.finding), ID: l.finding.ID}
	}
	titles := t.newsTitles()
	add(titles.opened, bad, t.news.opened, finding)
	add(titles.closed, titles.tone, t.news.closed, finding)
	add(titles.unseen, doubt, t.news.unseen, finding)
	add(titles.changed, plain, t.news.changed, func(l newsLine) newsRow { return newsRow{Text: t.changeShort(l)} })
	add(titles.advisories, doubt, t.news.advisories, func(l newsLine) newsRow {
		return newsRow{Severity: l.severity, Text: l.advisory.Summary, ID: l.advisory.ID}
	})
	return out
}

// conclusionNamed is how many are named in one sentence.
const conclusionNamed = 3

// some lists the first few and counts the rest.
func (c *catalogue) some(names []string, more int) string {
	if n := len(names) - conclusionNamed; n > 0 {
		names, more = names[:conclusionNamed], more+n
	}
	text := strings.Join(names, c.say(", "))
	if more > 0 {
		text += c.say(" and %d more", more)
	}
	return text
}

// conclusion is the result in one paragraph, with names.
func (t *tally) conclusion() string {
	c := t.c
	var parts []string
	if t.diff() != nil {
		for _, b := range t.newsBlocks() {
			var names []string
			for _, r := range b.Rows {
				if r.ID == "" {
					names = append(names, c.say("%s (%s)", r.Where, r.Text))
				} else {
					names = append(names, c.say("%s at %s", r.ID, r.Where))
				}
			}
			parts = append(parts, c.say("%s: %s.", b.Title, c.some(names, b.left)))
		}
		if len(parts) == 0 {
			return ""
		}
		return c.join(append([]string{c.say("In short:")}, parts...)...)
	}
	s, auth := t.totals(), t.auth()
	if s.Outcomes[event.OutcomeIdentified]+s.Outcomes[event.OutcomeHelper] == 0 {
		return ""
	}
	names := func(state event.AuthState) string {
		var out []string
		for _, card := range t.top() {
			x := card.Target
			if x.Outcome == event.OutcomeIdentified && authState(x) == state && !(state == event.AuthUnknown && x.Refuses()) {
				out = append(out, shownURL(where(x.Target)))
			}
		}
		return c.some(out, max(auth[state]-len(out), 0))
	}
	for _, state := range event.AuthStates() {
		if auth[state] == 0 {
			continue
		}
		switch state {
		case event.AuthOpen:
			parts = append(parts, c.say("Open to anyone: %s.", names(state)))
		case event.AuthClaimable:
			parts = append(parts, c.say("Claimable, no owner yet: %s.", names(state)))
		case event.AuthBlocked, event.AuthUnknown:
			parts = append(parts, c.say("Not proven either way: %s.", names(state)))
		case event.AuthGated:
			parts = append(parts, c.count(auth[state], "%d gateway has a login in front.", "%d gateways have a login in front."))
		case event.AuthRequired:
			parts = append(parts, c.count(auth[state], "%d gateway requires a credential.", "%d gateways require a credential."))
		}
	}
	var serious []string
	for _, g := range sorted(t.groups.checks) {
		if g.Severity.Rank() >= event.High.Rank() {
			serious = append(serious, c.say("%s (%d)", g.Name, g.Targets))
		}
	}
	if len(serious) > 0 {
		parts = append(parts, c.say("Serious findings, with the number of targets: %s.", c.some(serious, 0)))
	} else if !slices.ContainsFunc(t.graded(), func(x graded) bool { return x.N > 0 && x.Rank() >= event.High.Rank() }) {
		parts = append(parts, c.say("No finding is critical or high."))
	}
	return c.join(append([]string{c.say("In short:")}, parts...)...)
}
