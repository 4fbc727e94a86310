package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// ranking keeps the worst targets of a stream, clean and worst first. Its memory
// depends on its limit, not on the stream.
type ranking struct {
	limit int
	quiet bool // take what is closed or silent, too
	named bool // take of that what was named
	cards []card
	more  int // targets that would be kept without the limit
}

// card is a target with its place in the order.
type card struct {
	*event.Target
	Severity event.Severity
	Alarm    int
}

// rank says where a target is in the order; it is not clean yet.
func rank(t *event.Target) card {
	return card{t, event.Severity(clean.N(string(worstSeverity(t.Findings)), 40)), alarm(t)}
}

// cleaned is the card with a clean copy of the target, the worst findings first.
func (c card) cleaned() card {
	c.Target = scrub(c.Target)
	slices.SortStableFunc(c.Findings, func(a, b event.Finding) int {
		if a, b := a.Active(), b.Active(); a != b {
			return pick(a, -1, 1)
		}
		return cmp.Compare(b.Severity.Rank(), a.Severity.Rank())
	})
	return c
}

func (r *ranking) add(t *event.Target) {
	unanswered := t.Outcome == event.OutcomeClosed || t.Outcome == event.OutcomeSilent
	if unanswered && len(t.Changes) == 0 && !r.quiet && (t.Judged() || !r.named) {
		return
	}
	c := rank(t)
	i, _ := slices.BinarySearchFunc(r.cards, c, compareCards)
	if len(r.cards) == r.limit {
		r.more++
		if i == r.limit {
			return
		}
		r.cards = r.cards[:r.limit-1]
	}
	r.cards = slices.Insert(r.cards, i, c.cleaned())
}

// compareCards puts the worse one first.
func compareCards(a, b card) int {
	return cmp.Or(
		cmp.Compare(b.Severity.Rank(), a.Severity.Rank()),
		cmp.Compare(a.Alarm, b.Alarm),
		address(a.Target.Target).Compare(address(b.Target.Target)),
		cmp.Compare(where(a.Target.Target), where(b.Target.Target)),
	)
}

// sorted returns the cards, worst first; ways in to one gateway are together.
func (r *ranking) sorted() []card {
	return together(r.cards, func(c *card) string { return gatewayURL(c.Target) })
}

// account is what every format for people says of a clean target, in words.
type account struct {
	Where, Verdict, Product string
	Tone                    tone
	About                   []string // where it is, what is in front of it
	Changes, Notes          []string
	findings                []*event.Finding // those that are shown
	Others                  string           // how many are not; "" for none
}

func (t *tally) account(x *event.Target) account {
	c := t.c
	out := account{Where: where(x.Target), Product: c.product(x), About: c.about(x)}
	out.Verdict, out.Tone = c.verdict(x)
	if _, second, ok := t.vantages(); ok && x.Outcome == event.OutcomeAbsent {
		out.Verdict = c.say("UNKNOWN - not listed from %s", second)
	}
	for _, ch := range x.Changes {
		out.Changes = append(out.Changes, t.changeText(x, ch))
	}
	out.Notes = c.unread(x)
	for _, n := range x.AllNotes() {
		out.Notes = append(out.Notes, c.messages(n.English, n.Message))
	}
	for i := range x.Findings {
		if f := &x.Findings[i]; t.shows(f) {
			out.findings = append(out.findings, f)
		}
	}
	if n := len(x.Findings) - len(out.findings); n > 0 {
		out.Others = c.count(n, "%d finding of another severity is not shown.", "%d findings of other severities are not shown.")
	}
	return out
}

// heading is verdict, product and the like on one line.
func (a *account) heading(c *catalogue) string {
	parts := append([]string{a.Verdict, a.Product}, a.About...)
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), c.say("; "))
}

// moreTargets counts targets that are not listed; "" for none.
func (c *catalogue) moreTargets(n int) string {
	if n <= 0 {
		return ""
	}
	return c.count(n, "... and %d more target, no worse than these.", "... and %d more targets, none of them worse than these.")
}

// moreBlocks counts listed targets without a block of their own.
func (c *catalogue) moreBlocks(n int) string {
	return c.count(n, "The findings of %d more listed target are not shown in detail here.", "The findings of %d more listed targets are not shown in detail here.")
}

// more counts what a list leaves out; "" for nothing.
func (c *catalogue) more(n int) string {
	if n <= 0 {
		return ""
	}
	return c.say("... and %d more", n)
}

// elsewhere says where the rest is.
func (c *catalogue) elsewhere() string {
	return c.say("The formats jsonl and json contain everything.")
}

// about lists more about a clean target: where it is, what is in front of it.
func (c *catalogue) about(t *event.Target) []string {
	if t.Files != nil {
		if t.Outcome != event.OutcomeIdentified || t.Refuses() {
			return nil
		}
		return []string{c.filesReach(t.Files.Reach)}
	}
	var out []string
	a := t.Target
	if a.Name != "" && a.IP != "" {
		out = append(out, c.say("address %s", a.IP))
	}
	if a.Reach == event.ReachPublic {
		out = append(out, c.say("globally reachable"))
	}
	if g := t.Geo; g != nil {
		if g.AS != 0 {
			out = append(out, System(g))
		}
		if g.Country != "" {
			out = append(out, c.say("country %s", g.Country))
		}
	}
	if a.Bound != "" {
		out = append(out, c.say("listens on %s", a.Bound))
	}
	if a.Process != "" {
		out = append(out, c.say("process %s", a.Process))
	}
	if t.Front != nil && t.Front.Kind != "" {
		out = append(out, c.say("behind %s", t.Front.Kind))
	}
	return out
}
