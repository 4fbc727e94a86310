// Package policy decides what a scan's result means for the caller: which
// findings are suppressed, and which exit code the rest gives.
package policy

import (
	"fmt"

	"github.com/clawsonar/clawsonar/internal/event"
)

// What Gate.Exit returns: exit codes of the program.
const (
	Passed     = 0
	Findings   = 3 // findings at or above FailOn
	Incomplete = 4 // coverage incomplete, with FailOnIncomplete
)

// Gate takes the events of a stream and tells the exit code they give. Set its
// fields before the first event. It keeps a few flags only, whatever the
// number of events.
type Gate struct {
	FailOn           event.Severity // "" fails on no finding
	FailOnIncomplete bool

	failed     bool // a finding that stands, at or above FailOn
	unjudged   bool // a product recognised, its auth state not
	summarised bool
	partial    bool // a summary said so
}

// Event takes one event.
func (g *Gate) Event(e event.Event) {
	switch {
	case e.Target != nil:
		for i := range e.Target.Findings {
			f := &e.Target.Findings[i]
			if g.FailOn != "" && f.Active() && atLeast(f.Severity, g.FailOn) {
				g.failed = true
			}
		}
		if recognised := e.Target.Outcome == "identified" || e.Target.Outcome == "helper"; recognised && !judged(e.Target.Auth) {
			g.unjudged = true
		}
	case e.Summary != nil:
		g.summarised = true
		g.partial = g.partial || !e.Summary.Complete
	}
}

// Exit returns Passed, Findings or Incomplete. Findings go before Incomplete:
// what was found is certain, and more coverage would not take it away.
// Coverage is incomplete if the summary says so or never came, or if a target
// or a helper was recognised whose auth state is unknown.
func (g *Gate) Exit() int {
	switch {
	case g.failed:
		return Findings
	case g.FailOnIncomplete && (g.partial || !g.summarised || g.unjudged):
		return Incomplete
	}
	return Passed
}

// atLeast reports whether s is at or above limit. A severity that this version
// does not know is: a gate must not pass what it cannot weigh.
func atLeast(s, limit event.Severity) bool {
	return s.Rank() == 0 || s.Rank() >= limit.Rank()
}

// judged reports whether a states something about the access. A state that
// this version does not know counts as unknown.
func judged(a *event.Auth) bool {
	if a == nil {
		return false
	}
	switch a.State {
	case "open", "required", "gated", "blocked", "claimable":
		return true
	}
	return false
}

// ParseFailOn reads the value of -fail-on; "none" gives "".
func ParseFailOn(s string) (event.Severity, error) {
	switch v := event.Severity(s); v {
	case "none":
		return "", nil
	case event.Low, event.Medium, event.High, event.Critical:
		return v, nil
	}
	return "", fmt.Errorf("unknown value %q for -fail-on: use one of none, low, medium, high, critical", s)
}
