// Package advisory knows the published vulnerabilities of the gateway and tells
// which of them apply to a release: by the vendor's own order of versions, and
// sorted by whether an unauthenticated client can reach what they are about.
//
// Everything here is pure: a database is built from bytes the caller has, and
// no function reads a file or the network.
package advisory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Advisory is one published vulnerability: one line of the file. What it states
// are facts of the advisory; Surface, Gateway, Credential and Summary are our
// reading of it.
type Advisory struct {
	// ID is the GHSA id, or the CVE id of one that has no other.
	ID  string `json:"id"`
	CVE string `json:"cve,omitempty"`
	// Published is a day, and DateOf says of what: ghsa (the advisory), cve (the
	// CVE record), vendor-batch (the vendor's list of several), or upper-bound
	// (it was out by then).
	Published string `json:"published"`
	DateOf    string `json:"date_of"`
	// Severity is the word of the advisory: low, medium, high, critical; "" when
	// it has none. It need not be that of the scores, see Grade.
	Severity event.Severity `json:"severity,omitempty"`
	Scores   []Score        `json:"scores,omitempty"`
	CWEs     []string       `json:"cwes,omitempty"`
	// Package is whose versions the ranges are, Also what else they hold for.
	Package string   `json:"package"`
	Also    []string `json:"also,omitempty"`
	Ranges  []Range  `json:"ranges"`
	// Surface is the part of the product it is in.
	Surface string `json:"surface"`
	// Gateway says whether it is reached through the port of the gateway: true,
	// false or unclear.
	Gateway string `json:"gateway_surface"`
	// Credential says whether the gateway must have accepted the attacker's credential.
	Credential event.Credential `json:"credential"`
	Summary    string           `json:"summary"`
	Source     string           `json:"source"` // where the facts come from: aig, cve, osv; see NOTICE
	Notes      []string         `json:"notes,omitempty"`
}

// Score is one CVSS base score.
type Score struct {
	// Source is who gives it: aig (Tencent Zhuque Lab's list), cve (the CVE record
	// or NVD), cna (the CNA's, where it is another one), tracker (a third party
	// that quotes the vendor), osv.
	Source string `json:"source"`
	// Version is that of CVSS; "" when it is not given.
	Version string `json:"version,omitempty"`
	// Score is 0.1 to 10; 0 when only the vector is given: Base computes it.
	Score  float64 `json:"score,omitempty"`
	Vector string  `json:"vector,omitempty"`
}

// Range is a run of releases in the vendor's order. A version that is not set
// is left out of the file.
type Range struct {
	Introduced   release.Version `json:"introduced,omitzero"`    // the first affected; zero: from the start
	Fixed        release.Version `json:"fixed,omitzero"`         // the first not affected; zero: none is known
	LastAffected release.Version `json:"last_affected,omitzero"` // the last known to be affected; zero: not given
}

// status places one release. Between the last release known to be affected and
// the first one known to be fixed it is open which it is.
func (r Range) status(v release.Version) event.AdvisoryStatus {
	known := !r.LastAffected.IsZero()
	switch {
	case v.Compare(r.Introduced) < 0:
		return ""
	case known && v.Compare(r.LastAffected) <= 0:
		return event.StatusAffected
	case !r.Fixed.IsZero() && v.Compare(r.Fixed) >= 0:
		return ""
	case known && r.Fixed.IsZero():
		return ""
	case known:
		return event.StatusPossible
	}
	return event.StatusAffected
}

func (r Range) check() error {
	switch {
	case !r.Fixed.IsZero() && r.Fixed.Compare(r.Introduced) <= 0:
		return fmt.Errorf("range: fixed %s is not later than introduced %s", r.Fixed, r.Introduced)
	case !r.LastAffected.IsZero() && r.LastAffected.Compare(r.Introduced) < 0:
		return fmt.Errorf("range: last affected %s is earlier than introduced %s", r.LastAffected, r.Introduced)
	case !r.Fixed.IsZero() && r.Fixed.Compare(r.LastAffected) <= 0:
		return fmt.Errorf("range: fixed %s is not later than last affected %s", r.Fixed, r.LastAffected)
	}
	return nil
}

// String writes a range as people do: ">= 2026.2.9, <= 2026.2.19-2, fixed in 2026.2.21".
func (r Range) String() string {
	var parts []string
	if !r.Introduced.IsZero() {
		parts = append(parts, ">= "+r.Introduced.String())
	}
	if !r.LastAffected.IsZero() {
		parts = append(parts, "<= "+r.LastAffected.String())
	}
	if !r.Fixed.IsZero() {
		parts = append(parts, "fixed in "+r.Fixed.String())
	}
	if len(parts) == 0 {
		return "all releases"
	}
	return strings.Join(parts, ", ")
}

// status is the surest of all ranges.
func (a *Advisory) status(v release.Version) event.AdvisoryStatus {
	var s event.AdvisoryStatus
	for _, r := range a.Ranges {
		switch r.status(v) {
		case event.StatusAffected:
			return event.StatusAffected
		case event.StatusPossible:
			s = event.StatusPossible
		}
	}
	return s
}

// grades are the severities that an advisory can have, "" for none.
func grades() []event.Severity {
	return []event.Severity{"", event.Low, event.Medium, event.High, event.Critical}
}

// Grade is the severity: the advisory's word or, if it has none, that of its
// first score by the bands of CVSS (3.1 section 5, the same in 4.0); without
// either, event.Ungraded.
func (a *Advisory) Grade() event.Severity {
	score, _, ok := a.Score()
	switch {
	case a.Severity != "":
		return a.Severity
	case !ok:
		return event.Ungraded
	case score >= 9:
		return event.Critical
	case score >= 7:
		return event.High
	case score >= 4:
		return event.Medium
	}
	return event.Low
}

// Score returns the first score that is known, and who gives it.
func (a *Advisory) Score() (score float64, source string, ok bool) {
	for _, s := range a.Scores {
		if n, err := s.Base(); err == nil {
			return n, s.Source, true
		}
	}
	return 0, "", false
}

// FixedIn returns the release in which the last range ends; zero when none is known.
func (a *Advisory) FixedIn() release.Version {
	var v release.Version
	for _, r := range a.Ranges {
		if r.Fixed.Compare(v) > 0 {
			v = r.Fixed
		}
	}
	return v
}

// URL is where to read the advisory.
func (a *Advisory) URL() string {
	if strings.HasPrefix(a.ID, "GHSA-") {
		return "https://github.com/advisories/" + a.ID
	}
	return "https://nvd.nist.gov/vuln/detail/" + a.ID
}

// gatewayPackage reports whether a package is the gateway itself, under one of
// its names: they share one sequence of versions.
func gatewayPackage(name string) bool {
	return name == "openclaw" || name == "moltbot" || name == "clawdbot"
}

// concerns reports whether the ranges hold for versions of a package.
func (a *Advisory) concerns(pkg string) bool {
	same := func(name string) bool { return name == pkg || gatewayPackage(name) && gatewayPackage(pkg) }
	return same(a.Package) || slices.ContainsFunc(a.Also, same)
}

// DB is a set of advisories. It does not change after Load and may be used by
// several goroutines at once.
type DB struct {
	asOf   time.Time
	newest release.Version
	all    []*Advisory // sorted by ID
}

// AsOf is the day, in UTC, up to which advisories were taken in.
func (db *DB) AsOf() time.Time { return db.asOf }

// Newest is the newest release that was out on that day. Nothing is known about
// later ones.
func (db *DB) Newest() release.Version { return db.newest }

// All returns the advisories, sorted by ID. They must not be changed.
func (db *DB) All() []*Advisory { return db.all }

// Find returns an advisory by its GHSA or CVE id, in upper or lower case; nil
// when there is none.
func (db *DB) Find(id string) *Advisory {
	for _, a := range db.all {
		if strings.EqualFold(a.ID, id) || a.CVE != "" && strings.EqualFold(a.CVE, id) {
			return a
		}
	}
	return nil
}

// Query says which release is asked about.
type Query struct {
	// Package is whose versions these are; "" is the gateway. A plugin or an app
	// has versions of its own, so only a query for its package finds its
	// advisories.
	Package string
	// Versions has one release when it is known, several when each of them fits,
	// none when nothing is known.
	Versions []release.Version
	// Hint says that Versions need not contain the release: nothing is more
	// than possible.
	Hint bool
}

// Match is an advisory that applies.
type Match struct {
	*Advisory
	Status event.AdvisoryStatus
	// Inherited: the release is called clawdbot and the advisory names openclaw
	// alone; they have the same code, so the version decides.
	Inherited bool
}

// Sure reports whether nothing about the match is in doubt: neither that the
// release is affected nor how it is reached.
func (m Match) Sure() bool {
	return m.Status == event.StatusAffected && m.Gateway != unclear && m.Credential != event.CredentialUnclear
}

// unclear is the value of Surface and Gateway for what is not known.
const unclear = string(event.CredentialUnclear)

// Result is what applies to a release.
type Result struct {
	Matches []Match // by ID
	// Reason says what keeps Matches from being the whole truth; none when nothing
	// does. Without Matches it says why there are none that could be known.
	Reason message.Text
}

// Match tells which advisories apply. One that covers every version given is
// affected, one that covers some of them possible.
func (db *DB) Match(q Query) Result {
	covered := slices.DeleteFunc(slices.Clone(q.Versions), func(v release.Version) bool {
		return v.IsZero() || v.Compare(db.newest) > 0
	})
	var res Result
	asOf := message.Of("as_of", db.asOf.Format(time.DateOnly))
	switch {
	case len(q.Versions) == 0:
		res.Reason = message.Say("advisories.no-release")
		return res
	case len(covered) == 0:
		res.Reason = message.Say("advisories.newer", asOf, message.Of("release", db.newest.String()))
		return res
	case len(covered) < len(q.Versions):
		res.Reason = message.Say("advisories.newer-too", asOf, message.Of("release", db.newest.String()))
	case slices.ContainsFunc(covered, release.Version.Extended):
		// Docs, "Release policy": patch 33 and up is the package of a completed
		// month, kept alive with back-ported fixes.
		res.Reason = message.Say("advisories.extended")
	}
	legacy := !slices.ContainsFunc(covered, func(v release.Version) bool { return v.Compare(firstOpenclaw()) >= 0 })
	for _, a := range db.all {
		if !a.concerns(cmp.Or(q.Package, "openclaw")) {
			continue
		}
		m := Match{Advisory: a, Status: a.statusOf(covered)}
		if m.Status == "" {
			continue
		}
		if q.Hint || len(covered) < len(q.Versions) {
			m.Status = event.StatusPossible
		}
		m.Inherited = legacy && gatewayPackage(cmp.Or(q.Package, "openclaw")) && !slices.Contains(a.Also, "clawdbot") && a.Package != "clawdbot"
		res.Matches = append(res.Matches, m)
	}
	return res
}

// firstOpenclaw is the first release under that name; before it the package is
// called clawdbot (the packages themselves).
func firstOpenclaw() release.Version { return release.MustParse("2026.1.29") }

// statusOf is Affected when every version is, and Possible when one may be.
func (a *Advisory) statusOf(versions []release.Version) event.AdvisoryStatus {
	affected, some := 0, false
	for _, v := range versions {
		s := a.status(v)
		some = some || s != ""
		if s == event.StatusAffected && !v.Extended() {
			affected++
		}
	}
	switch {
	case !some:
		return ""
	case affected == len(versions):
		return event.StatusAffected
	}
	return event.StatusPossible
}
