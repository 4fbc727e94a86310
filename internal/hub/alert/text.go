package alert

import (
	"embed"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/report"
)

//go:embed lang/*.yaml
var languages embed.FS

// prose puts a document into words of one language.
type prose struct {
	report.Texts
	// mark is applied to every text that is not ours.
	mark func(string) string
}

func newTexts(lang string) (report.Texts, error) {
	t, err := report.NewTexts(lang)
	if err != nil {
		return t, err
	}
	return t.With(languages)
}

// plain is for what shows a text as it is.
func plain(s string) string { return s }

// inert takes from a text, which is clean, what chats read as markup, as a mention, as a
// link or as an entity. They do not agree on how to escape, so look-alikes stand in: a
// place such as [fd00::1]:18789 stays as it is.
func inert(s string) string {
	s = strings.NewReplacer("://", ":⁄⁄", "](", "] (", "][", "] [").Replace(s)
	runes := []rune(s)
	for i, r := range runes {
		if to, ok := lookAlike(r); ok {
			runes[i] = to
		}
		// Within a word it is no markup.
		if r == '_' && !(i > 0 && letter(runes[i-1]) && i+1 < len(runes) && letter(runes[i+1])) {
			runes[i] = '＿'
		}
	}
	return string(runes)
}

func letter(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

func lookAlike(r rune) (rune, bool) {
	switch r {
	case '<':
		return '‹', true
	case '>':
		return '›', true
	case '@':
		return '＠', true
	case '&':
		return '＆', true
	case '`':
		return '\'', true
	case '*':
		return '∗', true
	case '~':
		return '∼', true
	case '|':
		return '¦', true
	case '\\':
		return '＼', true
	case '#':
		return '＃', true
	}
	return r, false
}

// headline is one line.
func (p prose) headline(d *document) string {
	switch d.Event {
	case eventSilent:
		if d.Watch.Never {
			return p.Say("The watch %s is silent: it has completed no run in %s", p.mark(d.Watch.Name), p.span(d.At.Sub(d.Watch.Since)))
		}
		return p.Say("The watch %s is silent: its last complete run ended at %s, %s ago", p.mark(d.Watch.Name), stamp(d.Watch.Since), p.span(d.At.Sub(d.Watch.Since)))
	case eventBack:
		return p.Say("The watch %s is back: a run was completed at %s", p.mark(d.Watch.Name), stamp(*d.Watch.Back))
	}
	var parts []string
	for _, c := range classes() {
		n := d.Counts[c]
		switch {
		case n == 0:
		case len(parts) == 0:
			parts = append(parts, p.Say("%s: %s", p.class(c, n), p.places(d, n)))
		default:
			parts = append(parts, p.class(c, n))
		}
	}
	return strings.Join(parts, p.Say("; "))
}

// class says of how many gateways what.
func (p prose) class(c class, n int) string {
	switch c {
	case class(store.KindOpened):
		return p.Count(n, "%d gateway is now open to anyone", "%d gateways are now open to anyone")
	case classClaimable:
		return p.Count(n, "%d gateway can now be claimed by its first visitor", "%d gateways can now be claimed by their first visitor")
	case class(store.KindNew):
		return p.Count(n, "%d new gateway", "%d new gateways")
	case class(store.KindFinding):
		return p.Count(n, "%d gateway has new findings", "%d gateways have new findings")
	case class(store.KindAdvisory):
		return p.Count(n, "%d gateway has new advisories", "%d gateways have new advisories")
	case class(store.KindClosed):
		return p.Count(n, "%d gateway is no longer open, by proof", "%d gateways are no longer open, by proof")
	case class(store.KindFixed):
		return p.Count(n, "%d gateway has fewer findings, by a look", "%d gateways have fewer findings, by a look")
	case class(store.KindGone):
		return p.Count(n, "%d gateway no longer answers", "%d gateways no longer answer")
	case class(store.KindRelease):
		return p.Count(n, "%d gateway has another release", "%d gateways have another release")
	}
	return p.Count(n, "%d gateway has another verdict", "%d gateways have another verdict")
}

// places names the first of a class, which are the first of the document.
func (p prose) places(d *document, n int) string {
	const most = 3
	if n == 1 {
		c := &d.Changes[0]
		if was := p.was(c); was != "" {
			return p.Say("%s (%s)", p.mark(c.Place), was)
		}
		return p.mark(c.Place)
	}
	var out []string
	for i := range min(n, most, len(d.Changes)) {
		out = append(out, p.mark(d.Changes[i].Place))
	}
	text := strings.Join(out, p.Say(", "))
	if n > most {
		return p.Say("%s and %d more", text, n-most)
	}
	return text
}

// was says what a gateway was before; "" for one that was not known or is the same.
func (p prose) was(c *change) string {
	switch {
	case c.OldVerdict == "" || c.OldVerdict == c.Verdict:
		return ""
	case c.OldSince == nil:
		return p.Say("was: %s", p.verdict(c.OldVerdict))
	}
	return p.Say("was: %s, for %s", p.verdict(c.OldVerdict), p.span(c.At.Sub(*c.OldSince)))
}

func (p prose) verdict(v store.Verdict) string {
	switch v {
	case store.Gone:
		return p.Say("no answer")
	case store.Other:
		return p.Say("something else answers")
	}
	if s := p.State(event.AuthState(v)); s != "" {
		return s
	}
	return p.mark(string(v)) // of a later version
}

// span is a duration in its largest unit.
func (p prose) span(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return p.Count(max(int(d/time.Minute), 1), "%d minute", "%d minutes")
	case d < 48*time.Hour:
		return p.Count(int(d/time.Hour), "%d hour", "%d hours")
	}
	return p.Count(int(d/(24*time.Hour)), "%d day", "%d days")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// line says all of one change.
func (p prose) line(c *change) string {
	now := p.Say("is now: %s", p.verdict(c.Verdict))
	parts := []string{p.Say("%s: %s", p.mark(c.Place), now)}
	add := func(s string) { parts = append(parts, s) }
	if was := p.was(c); was != "" {
		add(was)
	}
	if c.OldVerdict.Alarming() && !c.Verdict.Alarming() && !c.has(store.KindClosed) {
		add(p.Say("no look has shown that it was closed"))
	}
	if c.has(store.KindNew) {
		add(p.Say("not seen before"))
	}
	if c.Severity != "" {
		add(p.Say("worst of what is new: %s", p.mark(p.Severity(c.Severity))))
	}
	if c.Opened > 0 {
		s := p.Count(c.Opened, "%d new finding", "%d new findings")
		if ids := c.ids(); len(ids) > 0 {
			s = p.Say("%s (%s)", s, p.mark(strings.Join(ids, ", ")))
		}
		add(s)
	}
	if c.Closed > 0 {
		add(p.Count(c.Closed, "%d finding is gone", "%d findings are gone"))
	}
	if c.Advisories > 0 {
		add(p.Count(c.Advisories, "%d new advisory", "%d new advisories"))
	}
	product := strings.TrimSpace(c.Product + " " + c.Release)
	if product != "" {
		add(p.mark(product))
	}
	if c.OldRelease != "" && c.OldRelease != c.Release {
		add(p.Say("release before: %s", p.mark(c.OldRelease)))
	}
	if c.Owner != "" {
		add(p.Say("owner: %s", p.mark(strings.TrimSpace(c.Owner+" "+c.Contact))))
	}
	seen := p.Say("watch: %s", p.mark(c.Watch))
	if c.Vantage != "" {
		seen = p.Say("%s, from %s", seen, p.mark(c.Vantage))
	}
	add(seen)
	if c.URL != "" {
		add(c.URL)
	}
	text := "- " + strings.Join(parts, p.Say("; "))
	for _, n := range c.Notes {
		text += "\n  "
		if n.Until == nil {
			text += p.Say("Note of %s: %s", p.mark(n.Author), p.mark(n.Text))
		} else {
			text += p.Say("Note of %s, until %s: %s", p.mark(n.Author), stamp(*n.Until), p.mark(n.Text))
		}
	}
	return text
}

func (c *change) has(k store.Kind) bool {
	for _, x := range c.Kinds {
		if x == k {
			return true
		}
	}
	return false
}

// ids are the first few findings that were opened.
func (c *change) ids() (out []string) {
	for _, e := range c.Episodes {
		if e.What == store.OfFinding && e.Closed == nil && len(out) < 3 {
			out = append(out, e.Value)
		}
	}
	return out
}

// body is the text below the headline, in at most so many bytes as far as what it must
// say allows: 0 for any number.
func (p prose) body(d *document, most int) string {
	var foot string
	if d.URL != "" {
		foot = d.URL + "\n"
	}
	foot += p.Say("Sent by clawsonar-hub for the rule %s; delivery %s", p.mark(d.Rule), d.Delivery)
	var b strings.Builder
	told := 0
	if d.Event == eventSilent {
		b.WriteString(p.Say("What has changed since then is not known."))
		b.WriteString("\n")
	}
	for i := range d.Changes {
		line := p.line(&d.Changes[i]) + "\n"
		const more = 60 // what counts the rest
		if most > 0 && b.Len()+len(line)+len(foot)+more > most {
			break
		}
		b.WriteString(line)
		told++
	}
	if rest := d.Total - told; rest > 0 {
		b.WriteString("- ")
		b.WriteString(p.Count(rest, "%d more change", "%d more changes"))
		b.WriteString("\n")
	}
	return b.String() + "\n" + foot
}
