package report

import (
	"cmp"
	"slices"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// What is said of a comparison of two vantages: neither is before the other, so nothing
// is new, gone or fixed.

// differing is the finding that vantages see different verdicts of a target.
const differing = "differs-by-vantage"

func differs(x *event.Target) bool {
	return slices.ContainsFunc(x.Findings, func(f event.Finding) bool { return f.ID == differing && f.Active() })
}

// vantages names them, clean; not ok if the stream is another one.
func (t *tally) vantages() (first, second string, ok bool) {
	first, second, ok = t.scan.Vantages()
	return t.clean(first, 100), t.clean(second, 100), ok
}

// across reports whether two vantages are compared: what the first one has alone stands
// there.
func (t *tally) across() bool {
	_, _, ok := t.scan.Vantages()
	return ok
}

// differences is the headline.
func (t *tally) differences(d *event.Diff, first, second string) []statement {
	c := t.c
	var out []statement
	if d.Opened+d.Closed+d.Unseen+d.Changed+d.Advisories == 0 {
		out = append(out, statement{c.say("No difference between %s and %s was seen.", first, second), plain})
	}
	if n := d.Opened; n > 0 {
		out = append(out, statement{pick(n == 1, c.say("%d finding is seen from %s alone.", n, second), c.say("%d findings are seen from %s alone.", n, second)), bad})
	}
	if n := d.Closed; n > 0 {
		out = append(out, statement{pick(n == 1, c.say("%d finding is seen from %s, and not from %s.", n, first, second), c.say("%d findings are seen from %s, and not from %s.", n, first, second)), bad})
	}
	if n := d.Unseen; n > 0 {
		out = append(out, statement{pick(n == 1, c.say("%d finding is seen from %s; from %s it could not be judged.", n, first, second),
			c.say("%d findings are seen from %s; from %s they could not be judged.", n, first, second)), doubt})
	}
	if n := d.Changed; n > 0 {
		out = append(out, statement{c.count(n, "%d target is seen differently.", "%d targets are seen differently."), plain})
	}
	if n := d.Advisories; n > 0 {
		out = append(out, statement{pick(n == 1, c.say("%d advisory is known from %s alone.", n, second), c.say("%d advisories are known from %s alone.", n, second)), doubt})
	}
	return out
}

// vantagesTitle is the same in a few words.
func (t *tally) vantagesTitle(d *event.Diff, first, second string) string {
	out := t.c.say("%d from %s alone, %d from %s alone", d.Closed, first, d.Opened, second)
	if n := int64(d.Unseen) + t.unjudged.Count; n > 0 {
		out += t.c.say(", %d not judged", n)
	}
	return out
}

// newsTitles are the headings of what a comparison names. Tone is that of closed.
type newsTitles struct {
	opened, closed, unseen, changed, advisories string
	tone                                        tone
}

func (t *tally) newsTitles() newsTitles {
	c := t.c
	first, second, ok := t.vantages()
	if !ok {
		return newsTitles{c.say("Opened"), c.say("Fixed"), c.say("Not seen again (not shown to be fixed)"), c.say("Changed"), c.say("New advisories"), good}
	}
	return newsTitles{
		c.say("From %s alone", second), c.say("From %s, not from %s", first, second), c.say("From %s; from %s not judged", first, second),
		c.say("Seen differently"), c.say("Advisories from %s alone", second), bad,
	}
}

// changeText says what is not as it was, or not as from elsewhere.
func (t *tally) changeText(x *event.Target, ch event.Change) string {
	if text, ok := t.between(ch, x.Outcome); ok {
		return t.c.say("Differs: %s", text)
	}
	return t.c.change(ch)
}

// changeShort is changeText for a table that says where and that it is a change.
func (t *tally) changeShort(l newsLine) string {
	if text, ok := t.between(l.change, l.outcome); ok {
		return text
	}
	return t.c.changeShort(l.change)
}

// between says what two vantages see. The outcome is that of the second one's line.
func (t *tally) between(ch event.Change, outcome event.Outcome) (string, bool) {
	c := t.c
	first, second, ok := t.vantages()
	if !ok {
		return "", false
	}
	old, now := clean.N(c.optional(ch.Old, ch.OldMessage), 100), clean.N(c.optional(ch.New, ch.NewMessage), 100)
	if ch.What == event.ChangedTarget {
		old, now = cmp.Or(old, c.say("no gateway listed")), cmp.Or(now, t.unseen(outcome))
	}
	return c.say("from %s: %s; from %s: %s", first, old, second, now), true
}

// unseen says why the second vantage has no gateway at a place.
func (t *tally) unseen(outcome event.Outcome) string {
	switch outcome {
	case event.OutcomeAbsent:
		return t.c.say("not listed")
	case event.OutcomeInterrupted, event.OutcomeLocalError, event.OutcomeExcluded, event.OutcomeDNSError:
		return t.c.say("not looked at")
	}
	return t.c.say("no gateway seen")
}

// changeMark stands before the title of a finding in a comparison.
func (t *tally) changeMark(change event.FindingChange) string {
	c := t.c
	first, second, ok := t.vantages()
	if !ok {
		return c.changeMark(change)
	}
	switch change {
	case event.Opened:
		return c.say("[from %s alone]", second)
	case event.Closed:
		return c.say("[from %s, not from %s]", first, second)
	case event.Unseen:
		return c.say("[from %s; from %s not judged]", first, second)
	}
	return ""
}
