package advisory

import (
	"cmp"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Access says what stands between an unauthenticated client and the gateway.
type Access uint8

const (
	// Guarded: the gateway asks for a credential, or it is not known that it
	// does not.
	Guarded Access = iota
	// Fronted: something in front asks before the gateway is reached, so that
	// even what needs no credential of the gateway's needs one of the front's.
	Fronted
	// Open: nothing asks, a credential is no obstacle.
	Open
)

// Reach tells how far away an advisory is. What is unclear counts as the nearer
// of what it can be.
func (a *Advisory) Reach(access Access) event.AdvisoryReach {
	switch {
	case a.Gateway == "false":
		return event.Elsewhere
	case access == Open:
		return event.Reachable
	case access == Fronted || a.Credential == event.CredentialRequired:
		return event.NeedsCredential
	}
	return event.Reachable
}

// Subject is what is assessed.
type Subject struct {
	Query
	Access   Access
	HostPort string         // what a VEX statement may name instead of the package
	Releases *release.Table // to find the release to update to; may be nil
	VEX      *VEX           // statements that suppress; may be nil
}

// Assessment is what applies to a target, nearest and worst first: the sure
// before the possible, then by severity, score and ID.
type Assessment struct {
	Access                       Access // as in the Subject
	Reachable, Behind, Elsewhere []Match
	Suppressed                   []Suppressed
	Reason                       message.Text // see Result
	// FixReachable is the smallest step to a release, of those that fit no older,
	// to which nothing Reachable applies, FixAll the smallest to which nothing at
	// all applies. Only known releases that are neither prerelease nor
	// extended-stable count; zero when there is none, or nothing to fix. FixNewest
	// is the newest known release if nothing applies to it either, else FixAll.
	FixReachable, FixAll, FixNewest release.Version
}

// Suppressed is a match that a VEX statement takes back.
type Suppressed struct {
	Match
	Why string // the statement's status and its reason
}

// Len is the number of advisories that apply and are not suppressed.
func (a *Assessment) Len() int { return len(a.Reachable) + len(a.Behind) + len(a.Elsewhere) }

// Possible is how many of them only possibly apply.
func (a *Assessment) Possible() int {
	n := 0
	for _, m := range slices.Concat(a.Reachable, a.Behind, a.Elsewhere) {
		if m.Status == event.StatusPossible {
			n++
		}
	}
	return n
}

// Assess matches and sorts.
func (db *DB) Assess(s Subject) Assessment {
	res := db.Match(s.Query)
	out := Assessment{Access: s.Access, Reason: res.Reason}
	for _, m := range res.Matches {
		if why := s.VEX.suppresses(m.Advisory, s); why != "" {
			out.Suppressed = append(out.Suppressed, Suppressed{m, why})
			continue
		}
		switch m.Reach(s.Access) {
		case event.Reachable:
			out.Reachable = append(out.Reachable, m)
		case event.NeedsCredential:
			out.Behind = append(out.Behind, m)
		default:
			out.Elsewhere = append(out.Elsewhere, m)
		}
	}
	for _, list := range [][]Match{out.Reachable, out.Behind, out.Elsewhere} {
		slices.SortStableFunc(list, compare)
	}
	if len(out.Reachable) > 0 {
		out.FixReachable = db.step(s, func(a *Advisory) bool { return a.Reach(s.Access) == event.Reachable })
	}
	if out.Len() > 0 {
		all := func(*Advisory) bool { return true }
		out.FixAll = db.step(s, all)
		out.FixNewest = out.FixAll
		if !out.FixAll.IsZero() {
			if v := s.Releases.Newest().Version; db.clean(s, v, all) {
				out.FixNewest = v
			}
		}
	}
	return out
}

// compare orders the sure before the possible, then the worse first. Matches
// come sorted by ID and stay so where they are equal.
func compare(a, b Match) int {
	sure := func(m Match) int {
		if m.Sure() {
			return 0
		}
		return 1
	}
	x, _, _ := a.Score()
	y, _, _ := b.Score()
	return cmp.Or(cmp.Compare(sure(a), sure(b)), cmp.Compare(b.Grade().Rank(), a.Grade().Rank()), cmp.Compare(y, x))
}

// step finds the oldest release later than all that fit to which nothing that
// counts applies.
func (db *DB) step(s Subject, counts func(*Advisory) bool) release.Version {
	if s.Releases == nil || !gatewayPackage(cmp.Or(s.Package, "openclaw")) {
		return release.Version{}
	}
	newest := slices.MaxFunc(s.Versions, release.Version.Compare)
	for r := range s.Releases.Releases() {
		if v := r.Version; v.Compare(newest) > 0 && db.clean(s, v, counts) {
			return v
		}
	}
	return release.Version{}
}

// clean reports whether v is a release to go to: one that the data reaches, and to
// which nothing that counts applies.
func (db *DB) clean(s Subject, v release.Version, counts func(*Advisory) bool) bool {
	if v.Compare(db.newest) > 0 || v.Prerelease() || v.Extended() {
		return false
	}
	s.Versions = []release.Version{v}
	return !slices.ContainsFunc(db.all, func(a *Advisory) bool {
		return a.concerns("openclaw") && a.status(v) != "" && counts(a) && s.VEX.suppresses(a, s) == ""
	})
}
