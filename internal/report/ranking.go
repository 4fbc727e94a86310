package report

import (
	"cmp"
	"slices"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// ranking keeps the worst targets of a stream, clean and worst first. Its memory
// depends on its limit, not on the stream.
type ranking struct {
	limit int
	quiet bool // take the closed and silent members of ranges, too
	cards []card
	more  int // targets that would be kept without the limit
}

// card is a clean target with its place in the order.
type card struct {
	*event.Target
	severity event.Severity
	alarm    int
}

func (r *ranking) add(t *event.Target) {
	if (t.Outcome == event.OutcomeClosed || t.Outcome == event.OutcomeSilent) && t.Judged() && !r.quiet && len(t.Changes) == 0 {
		return
	}
	c := card{t, event.Severity(clean.N(string(worstSeverity(t.Findings)), 40)), alarm(t)}
	i, _ := slices.BinarySearchFunc(r.cards, c, compareCards)
	if len(r.cards) == r.limit {
		r.more++
		if i == r.limit {
			return
		}
		r.cards = r.cards[:r.limit-1]
	}
	c.Target = scrub(t)
	slices.SortStableFunc(c.Findings, func(a, b event.Finding) int {
		if a, b := a.Active(), b.Active(); a != b {
			return pick(a, -1, 1)
		}
		return cmp.Compare(b.Severity.Rank(), a.Severity.Rank())
	})
	r.cards = slices.Insert(r.cards, i, c)
}

// compareCards puts the worse one first.
func compareCards(a, b card) int {
	return cmp.Or(
		cmp.Compare(b.severity.Rank(), a.severity.Rank()),
		cmp.Compare(a.alarm, b.alarm),
		address(a.Target.Target).Compare(address(b.Target.Target)),
		cmp.Compare(where(a.Target.Target), where(b.Target.Target)),
	)
}

// sorted returns the cards, worst first; ways in to one gateway are together.
func (r *ranking) sorted() []card {
	return together(r.cards, func(c *card) string { return gatewayURL(c.Target) })
}

// about lists more about a clean target: where it is, what is in front of it.
func (c *catalogue) about(t *event.Target) []string {
	var out []string
	a := t.Target
	if a.Name != "" && a.IP != "" {
		out = append(out, c.say("address %s", a.IP))
	}
	if a.Reach == event.ReachPublic {
		out = append(out, c.say("globally reachable"))
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
