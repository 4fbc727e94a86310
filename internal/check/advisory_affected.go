package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func advisoryAffected() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "advisory-affected",
		Title:    "Published vulnerabilities apply to this release",
		Severity: event.Critical,
		Needs:    event.NeedsRelease,
		When: `The release, or some release that matches what the gateway serves, is in the
range of a published advisory, by the vendor's own order of versions. One
finding a target, with the severity of the worst advisory that is about the
gateway's own port and needs no credential from where the scan runs; with
authentication open, a credential is no obstacle. Those that do need a
credential, and those that are only possible (several releases match, an
extended-stable line, a range or a way in that the advisory leaves open), make
it medium at most. One that has neither a severity nor a score counts as
critical. Advisories that are about something else (local files, chat channels,
other ports) are counted, and alone make it low. Nothing is listed when the
release is not known, or newer than the advisories: the notes then say so, which
does not mean that none applies.`,
		Files: `The tag of an image, a package.json, an install command or -release names the
release; what asks for a credential on the way counts as it does in a scan.
Where no release is named, nothing is listed.`,
		Why: `An advisory tells everyone how an older release can be attacked. One that needs
no credential works for anyone who can connect.`,
		Fix: `Update to the release that fixes all of them; if that has to wait, at least to
the one that fixes those reachable without a credential. Details: clawsonar
advisories show ID`,
		Steps: `1. See what applies: "clawsonar advisories check VERSION", and at one of them
   with "clawsonar advisories show ID".
2. Back up ~/.openclaw, update to the release the finding names ("npm install -g
   openclaw@VERSION"; with Docker the image of that release), restart the
   gateway.
3. What does not concern you (a feature that is off, a fix ported back) can be
   stated in an OpenVEX file: "clawsonar scan -vex FILE".
4. Scan again.`,
		Controls:   []string{"nvdb:N1", "cncert:C7", "tongbao:T1", "owasp:ASI04"},
		References: []string{"https://github.com/openclaw/openclaw/security/advisories"},
		First:      updating(),
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.recognised() || s.Advisories == nil || s.Advisories.Len() == 0 {
			return nil
		}
		f := c.finding(s, advisorySeverity(s.Advisories), []string{s.Verdict.Version.Source}, advisoryDetail(s)...)
		goTo(f, s, s.Advisories.FixNewest)
		for _, m := range worst(s.Advisories) {
			f.References = append(slices.Clip(f.References), m.URL())
		}
		return f
	}}
}

// advisorySeverity is that of the worst advisory that can be reached. What is
// not sure, or needs a credential, is medium at most. What has no grade counts as
// the worst it can be.
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
func advisoryDetail(s *Subject) []message.Text {
	a, candidates := s.Advisories, s.Verdict.Version.Candidates
	first, count, reachable := message.Of("first", candidates[0]), message.Number("count", a.Len()), message.Number("reachable", len(a.Reachable))
	out := []message.Text{message.Say("advisory-affected.count", first, count, reachable)}
	if n := len(candidates); n > 1 {
		out[0] = message.Say("advisory-affected.count-span", first, message.Of("last", candidates[n-1]), message.Number("fitting", n), count, reachable)
	}
	if a.FixAll.IsZero() {
		out = append(out, message.Say("advisory-affected.none-fixes-all"))
	} else {
		out = append(out, message.Say("advisory-affected.fixes-all", message.Of("release", a.FixAll.String())))
	}
	if !a.FixReachable.IsZero() && a.FixReachable != a.FixAll {
		out = append(out, message.Say("advisory-affected.fixes-reachable", message.Of("release", a.FixReachable.String())))
	}
	others := []message.Arg{message.Number("elsewhere", len(a.Elsewhere))}
	if n := a.Possible(); n > 0 {
		others = append(others, message.Number("possible", n))
	}
	if n := len(a.Suppressed); n > 0 {
		others = append(others, message.Number("suppressed", n))
	}
	behind := append(others, message.Number("behind", len(a.Behind)))
	switch a.Access {
	case advisory.Open:
		out = append(out, message.Say("advisory-affected.open", others...))
	case advisory.Fronted:
		out = append(out, message.Say("advisory-affected.fronted", behind...))
	default:
		out = append(out, message.Say("advisory-affected.behind", behind...))
	}
	out = append(out, worstOnes(a))
	if a.Reason.ID != "" {
		noted := a.Reason
		noted.ID = "advisory-affected." + noted.ID
		out = append(out, noted.Text())
	}
	return out
}

// worstOnes names the worst. The English quotes what they are about as well, as it
// was published, and that is not translated.
func worstOnes(a *advisory.Assessment) message.Text {
	var ids, quoted []string
	for _, m := range worst(a) {
		ids = append(ids, m.ID)
		quoted = append(quoted, fmt.Sprintf("%s (%s) %s", m.ID, m.Grade(), m.Summary))
	}
	out := message.Say("advisory-affected.worst", message.Of("advisories", ids...))
	out.English = "Worst: " + strings.Join(quoted, "; ") + "."
	return out
}
