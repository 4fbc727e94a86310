package check

import (
	"slices"

	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Advisories are what releases are matched against.
type Advisories struct {
	DB  *advisory.DB
	VEX *advisory.VEX // statements that suppress; may be nil
	All bool          // list also what is not reached through the gateway's port
}

// Assess tells which advisories apply; nil when the product has none.
func (a *Advisories) Assess(v *fingerprint.Verdict, hostPort string, releases *release.Table) *advisory.Assessment {
	if a == nil || v.Product.ID != "openclaw" || v.Product.Confidence.Rank() < event.Firm.Rank() {
		return nil
	}
	s := advisory.Subject{
		Query:    advisory.Query{Hint: v.Version.Confidence == event.Tentative},
		HostPort: hostPort, Releases: releases, VEX: a.VEX,
	}
	switch v.Auth.State {
	case event.AuthOpen, event.AuthClaimable:
		s.Access = advisory.Open
	case event.AuthGated:
		s.Access = advisory.Fronted
	}
	for _, c := range v.Version.Candidates {
		parsed, err := release.Parse(c)
		if err != nil {
			s.Versions = nil // one that has no place in the order makes all of them uncertain
			break
		}
		s.Versions = append(s.Versions, parsed)
	}
	out := a.DB.Assess(s)
	return &out
}

// List puts an assessment into the stream.
func (a *Advisories) List(as *advisory.Assessment) []event.Advisory {
	var out []event.Advisory
	for _, m := range slices.Concat(as.Reachable, as.Behind) {
		out = append(out, describeAdvisory(m, as.Access, ""))
	}
	if a.All {
		for _, m := range as.Elsewhere {
			out = append(out, describeAdvisory(m, as.Access, ""))
		}
	}
	for _, s := range as.Suppressed {
		if a.All || s.Reach(as.Access) != event.Elsewhere {
			out = append(out, describeAdvisory(s.Match, as.Access, s.Why))
		}
	}
	return out
}

func describeAdvisory(m advisory.Match, access advisory.Access, suppressed string) event.Advisory {
	score, source, _ := m.Score()
	return event.Advisory{
		ID: m.ID, CVE: m.CVE, Severity: m.Grade(), Score: score, ScoreSource: source,
		Status: m.Status, GatewaySurface: m.Gateway == "true", Credential: m.Credential,
		Fixed: m.FixedIn().String(), Summary: m.Summary,
		Reach: m.Reach(access), Inherited: m.Inherited, Suppressed: suppressed,
	}
}
