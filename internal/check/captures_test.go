package check_test

import (
	"io/fs"
	"maps"
	"net/netip"
	"path"
	"slices"
	"testing"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// judged runs all checks on a capture as a scan would, from where it was
// recorded, and returns the ids of what they raise.
func judged(t *testing.T, set *fingerprint.Set, db *advisory.DB, c evidence.Capture) map[string]bool {
	t.Helper()
	level := event.LevelStandard
	if c.Deep() {
		level = event.LevelDeep
	}
	o := set.Replay(&c, level)
	v := o.Verdict()
	s := check.Subject{
		HostPort: "gw.example:18789", Reach: c.Reach, Discovery: c.Found, Observation: o.Observation, Verdict: v, Evidence: o.Evidence, Releases: set.Releases(v.Product.ID),
	}
	if c.Bound != "" {
		s.Bound = netip.MustParseAddrPort(c.Bound)
	}
	if s.Reach == "" {
		s.Reach = "loopback"
	}
	if v.Product.ID == "openclaw" && v.Product.Confidence.Rank() >= event.Firm.Rank() {
		var versions []release.Version
		for _, candidate := range v.Version.Candidates {
			versions = append(versions, release.MustParse(candidate))
		}
		a := db.Assess(advisory.Subject{Query: advisory.Query{Versions: versions}, HostPort: s.HostPort, Releases: s.Releases})
		s.Advisories = &a
	}
	out := map[string]bool{}
	for _, n := range v.Notes {
		translated(t, n.Message)
	}
	for _, f := range check.Run(check.All(), s) {
		saidInMessages(t, f)
		translated(t, slices.Concat(f.Said().Detail, f.Said().Remediation)...)
		out[f.ID] = true
	}
	return out
}

// Every check is raised by a capture and not by another, and each capture of
// which that is written down raises just what it must.
func TestCaptures(t *testing.T) {
	set := builtin(t)
	data, err := fs.ReadFile(fingerprints.FS, "advisories/openclaw.json")
	if err != nil {
		t.Fatal(err)
	}
	db, err := advisory.Load("f", data)
	if err != nil {
		t.Fatal(err)
	}
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	// The findings that captures speak of; the others follow from the release and
	// the way to the target, and need no list.
	told := map[string]bool{}
	for _, c := range all {
		for _, id := range c.Expect.Findings {
			told[id] = true
		}
	}
	raised := map[string]map[string]string{} // by check and folder
	quiet := map[string]map[string]string{}  // by check and folder: the negative is of the same product
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		got := judged(t, set, db, c)
		for _, one := range check.All() {
			id := one.Doc.ID
			into := quiet
			if got[id] {
				into = raised
			}
			if into[id] == nil {
				into[id] = map[string]string{}
			}
			into[id][path.Dir(name)] = name
			if want := slices.Contains(c.Expect.Findings, id); len(c.Expect.Findings) > 0 && told[id] && want != got[id] {
				t.Errorf("%s: %s raised: %t, want %t", name, id, got[id], want)
			}
		}
	}
	for _, one := range check.All() {
		id := one.Doc.ID
		if one.Doc.Needs == event.NeedsFiles {
			continue
		}
		positive, negative := "", ""
		for folder, name := range raised[id] {
			if quiet[id][folder] != "" {
				positive, negative = name, quiet[id][folder]
			}
		}
		if positive == "" {
			t.Errorf("%s: no folder has a capture that raises it and one that does not: %v", id, raised[id])
		}
		t.Logf("%-26s raised by %-60s not by %s", id, positive, negative)
	}
}
