package check

import "github.com/clawsonar/clawsonar/internal/event"

// NotAsDeclared is the check of "clawsonar verify", see package posture. It is none of
// All: without a posture nothing can be said of it.
func NotAsDeclared() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "not-as-declared",
		Title:    "What is seen is not what was declared",
		Severity: event.High,
		Needs:    event.NeedsProduct,
		When: `"clawsonar verify" compared the target with a posture, and something is not as
it states for this vantage: who gets in, TLS, the release, a surface, a finding
that is not accepted or whose acceptance has ended, or an open port that is not
listed. What could not be judged is not reported as a breach.`,
		Why: `The deployment has changed since somebody decided what it should be, or it never
was like that: a proxy that adds a credential, a published port, a tunnel left
open.`,
		Fix: `Change the deployment back to what was declared; if the change is meant, declare
it in the posture, with a reason.`,
		Steps: `1. Read what differs: it is in the finding, with the line of the posture.
2. If it was not meant, undo it. With -files PATH, "clawsonar verify" names the
   setting of the proxy, port or tunnel that leads there.
3. If it was meant, state it in the posture, and have that reviewed like any other
   change.
4. Run "clawsonar verify" again from the same place.`,
		Controls:   []string{},
		References: []string{},
		Relatives:  true,
	}}
}
