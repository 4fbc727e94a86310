package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/event"
)

func advisoryAffected() Check {
	doc := Doc{
		ID:       "advisory-affected",
		Title:    "Published vulnerabilities apply to this release",
		Severity: event.Critical,
		Needs:    event.NeedsRelease,
		When: `The release, or some release that fits what the gateway serves, lies in the range
of a published advisory, by the vendor's own order of versions. One finding a
target, with the severity of the worst advisory that is about the gateway's own
port and needs no credential from where the scan stands; with authentication
open, a credential is no obstacle. Those that do need a credential, and those
that are only possible (several releases fit, an extended-stable line, a range or
a way in that the advisory leaves open), make it medium at most. One that has neither
a severity nor a score counts as critical. Advisories that are about something else
(local files, chat channels, other ports) are counted, and alone make it low.
Nothing is listed when the release is not known, or newer than the advisories: the
notes then say so, and that is not a clean bill.`,
		Why: `An advisory tells everybody how an older release is attacked. One that needs no
credential works for whoever can connect.`,
		Fix: `Update to the release that fixes all of them; if that has to wait, at least to the
one that fixes those a stranger can reach. Each: clawsonar advisories show ID`,
		Steps: `1. Look at what applies: "clawsonar advisories check VERSION", and at one of them
   with "clawsonar advisories show ID".
2. Back up ~/.openclaw, update to the release the finding names ("npm install -g
   openclaw@VERSION"; with Docker the image of that release), restart the gateway.
3. What does not concern you (a feature that is off, a fix ported back) can be
   stated in an OpenVEX file: "clawsonar scan -vex FILE".
4. Scan again.`,
		Controls:   []string{"nvdb:N1", "cncert:C7", "tongbao:T1", "owasp:ASI04"},
		References: []string{"https://github.com/openclaw/openclaw/security/advisories"},
		First:      updating(),
	}
	return Check{doc, func(s Subject) []event.Finding {
		if !s.recognised() || s.Advisories == nil || s.Advisories.Len() == 0 {
			return nil
		}
		f := doc.finding(s, advisorySeverity(s.Advisories), "", advisoryDetail(s), s.Verdict.Version.Source)
		goTo(&f, &s, s.Advisories.FixNewest)
		for _, m := range worst(s.Advisories) {
			f.References = append(slices.Clip(f.References), m.URL())
		}
		return []event.Finding{f}
	}}
}

// advisorySeverity is that of the worst advisory a stranger can reach. What is
// not sure, or needs a credential, does not go beyond medium. What nobody grades
// counts as the worst it can be.
func advisorySeverity(a *advisory.Assessment) event.Severity {
	severity := event.Low
	for _, m := range slices.Concat(a.Reachable, a.Behind) {
		grade := m.Grade()
		if grade == event.Ungraded {
			grade = event.Critical // it can be
		}
		if (m.Reach(a.Access) != event.Reachable || !m.Sure()) && grade.Rank() > event.Medium.Rank() {
			grade = event.Medium
		}
		if grade.Rank() > severity.Rank() {
			severity = grade
		}
	}
	return severity
}

// worst returns the five that come first.
func worst(a *advisory.Assessment) []advisory.Match {
	all := slices.Concat(a.Reachable, a.Behind, a.Elsewhere)
	return all[:min(len(all), 5)]
}

// advisoryDetail begins with what to do: a table shows no more than the first
// lines.
func advisoryDetail(s Subject) string {
	a, candidates := s.Advisories, s.Verdict.Version.Candidates
	var b strings.Builder
	fmt.Fprintf(&b, "Advisories that apply to %s", candidates[0])
	if n := len(candidates); n > 1 {
		fmt.Fprintf(&b, " to %s (%d releases fit)", candidates[n-1], n)
	}
	fmt.Fprintf(&b, ": %d; reachable without a credential from here: %d.", a.Len(), len(a.Reachable))
	if a.FixAll.IsZero() {
		b.WriteString(" No known release fixes all.")
	} else {
		fmt.Fprintf(&b, " %s fixes all.", a.FixAll)
	}
	if !a.FixReachable.IsZero() && a.FixReachable != a.FixAll {
		fmt.Fprintf(&b, " The smallest step that fixes the reachable ones: %s.", a.FixReachable)
	}
	switch a.Access {
	case advisory.Open:
		b.WriteString(" Authentication is open, so a credential is no obstacle")
	case advisory.Fronted:
		fmt.Fprintf(&b, " With a credential, since what stands in front asks for one: %d", len(a.Behind))
	default:
		fmt.Fprintf(&b, " With a credential: %d", len(a.Behind))
	}
	fmt.Fprintf(&b, "; not through this port: %d", len(a.Elsewhere))
	if n := a.Possible(); n > 0 {
		fmt.Fprintf(&b, "; only possibly: %d", n)
	}
	if n := len(a.Suppressed); n > 0 {
		fmt.Fprintf(&b, "; suppressed by VEX statements: %d", n)
	}
	sep := ". Worst: "
	for _, m := range worst(a) {
		fmt.Fprintf(&b, "%s%s (%s) %s", sep, m.ID, m.Grade(), m.Summary)
		sep = "; "
	}
	b.WriteString(".")
	if a.Reason != "" {
		fmt.Fprintf(&b, " Note: %s.", a.Reason)
	}
	return b.String()
}
