// Package policy decides what a scan's result means for the caller: which
// findings are suppressed, and which exit code the rest gives.
package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// What Gate.Exit returns: exit codes of the program.
const (
	Passed     = 0
	Findings   = 3 // findings at or above FailOn
	Incomplete = 4 // not everything was judged, with FailOnIncomplete; or too few gateways
)

// Gate takes the events of a stream and tells the exit code they give. Set its
// fields before the first event. Its memory does not grow with the number of
// events.
type Gate struct {
	FailOn           event.Severity // "" fails on no finding
	FailOnIncomplete bool
	Expect           int // fewer gateways than this are too few

	failed     bool // a finding that stands, at or above FailOn
	gateways   int
	unjudged   event.Unjudged
	summarised bool
	partial    bool // a summary said so
}

// Event takes one event.
func (g *Gate) Event(e event.Event) {
	switch e := e.(type) {
	case *event.Target:
		for i := range e.Findings {
			f := &e.Findings[i]
			if g.FailOn != "" && f.Active() && cmp.Or(f.Severity, event.Ungraded).Rank() >= g.FailOn.Rank() {
				g.failed = true
			}
		}
		if e.Outcome == event.OutcomeIdentified {
			g.gateways++
		}
		g.unjudged.Target(e)
	case *event.Summary:
		g.summarised = true
		g.partial = g.partial || !e.Complete
		g.unjudged.Summary(e)
	}
}

// Exit returns Passed, Findings or Incomplete. Findings go before Incomplete:
// what was found is certain, and more coverage would not take it away.
// Incomplete it is if there are fewer gateways than expected; and with
// FailOnIncomplete if the summary says so or never came, or if anything that was
// to be judged was not.
func (g *Gate) Exit() int {
	switch {
	case g.failed:
		return Findings
	case g.gateways < g.Expect:
		return Incomplete
	case g.FailOnIncomplete && (g.partial || !g.summarised || g.unjudged.Count > 0):
		return Incomplete
	}
	return Passed
}

// Reasons says in a sentence each why Exit returns Incomplete; nil when it does
// not.
func (g *Gate) Reasons() []string {
	if g.Exit() != Incomplete {
		return nil
	}
	var out []string
	if g.gateways < g.Expect {
		out = append(out, fmt.Sprintf("%d of at least %d gateways found (-expect)", g.gateways, g.Expect))
	}
	if g.unjudged.Count > 0 {
		var named []string
		for _, p := range g.unjudged.Places {
			named = append(named, fmt.Sprintf("%s (%s)", p.Place, p.Outcome))
		}
		text := "not judged: " + strings.Join(named, ", ")
		if more := g.unjudged.More(len(named)); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		out = append(out, text)
	}
	if g.partial || !g.summarised {
		out = append(out, "not all targets were looked at")
	}
	return out
}

// FailOnNone is the value of -fail-on that fails on no finding.
const FailOnNone = "none"

// FailOn returns the values of -fail-on.
func FailOn() []string {
	return append([]string{FailOnNone}, event.Words(event.Low, event.Medium, event.High, event.Critical)...)
}

// ParseFailOn reads the value of -fail-on; FailOnNone gives "".
func ParseFailOn(s string) (event.Severity, error) {
	switch {
	case s == FailOnNone:
		return "", nil
	case slices.Contains(FailOn(), s):
		return event.Severity(s), nil
	}
	return "", fmt.Errorf("unknown value %q for -fail-on: use one of %s", s, strings.Join(FailOn(), ", "))
}
