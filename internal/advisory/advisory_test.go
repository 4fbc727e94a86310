package advisory_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/release"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := fs.ReadFile(fingerprints.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func builtin(t testing.TB) (*advisory.DB, *release.Table) {
	t.Helper()
	db, err := advisory.Load("f", read(t, "advisories/openclaw.json"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := release.Load("f", read(t, "releases/openclaw.json"))
	if err != nil {
		t.Fatal(err)
	}
	return db, table
}

func versions(texts ...string) []release.Version {
	var out []release.Version
	for _, s := range texts {
		out = append(out, release.MustParse(s))
	}
	return out
}

// load makes a database of openclaw advisories, each with the given ranges and
// otherwise the same. Newest is 2026.9.6.
func load(t testing.TB, lines ...string) *advisory.DB {
	t.Helper()
	db, err := advisory.Load("f", file(lines...))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func file(lines ...string) []byte {
	return []byte("{\"as_of\":\"2026-10-05\",\"newest\":\"2026.9.6\",\"advisories\":[\n" + strings.Join(lines, ",\n") + "\n]}\n")
}

// entry is one line of a file; rest overrides and adds.
func entry(id, ranges, rest string) string {
	return fmt.Sprintf(`{"id":%q,"published":"2026-03-01","date_of":"ghsa","severity":"high","package":"openclaw","ranges":%s,"surface":"gateway","gateway_surface":"true","credential":"none","summary":"text","source":"aig"%s}`, id, ranges, rest)
}

const (
	id1 = "GHSA-2222-2222-2222"
	id2 = "GHSA-3333-3333-3333"
	id3 = "GHSA-4444-4444-4444"
)

func ids(ms []advisory.Match) []string {
	var out []string
	for _, m := range ms {
		out = append(out, m.ID)
	}
	return out
}

// The built-in file is what Encode makes of it, so a tool's diff shows nothing
// but what changed.
func TestBuiltinIsCanonical(t *testing.T) {
	db, _ := builtin(t)
	got, err := advisory.Encode(db.AsOf(), db.Newest(), db.All())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, read(t, "advisories/openclaw.json")) {
		t.Error("Encode(Load(file)) is another file")
	}
	if len(db.All()) != 723 || db.AsOf().Format("2006-01-02") != "2026-10-05" || db.Newest().String() != "2026.9.6" {
		t.Errorf("%d advisories as of %s up to %s", len(db.All()), db.AsOf(), db.Newest())
	}
}

// TestEveryRelease prints what applies to each known release, so that a change
// of the data or of the rules shows as numbers.
func TestEveryRelease(t *testing.T) {
	db, table := builtin(t)
	var b strings.Builder
	b.WriteString("# release: all (possible) = without a credential + with one + elsewhere; smallest steps: no reachable one, none at all\n")
	count := map[string]int{}
	for r := range table.Releases() {
		a := db.Assess(advisory.Subject{Query: advisory.Query{Versions: []release.Version{r.Version}}, Releases: table})
		count[r.Version.String()] = a.Len()
		fmt.Fprintf(&b, "%-18s %3d (%d) = %d + %d + %d; %s, %s\n", r.Version, a.Len(), a.Possible(),
			len(a.Reachable), len(a.Behind), len(a.Elsewhere), orDash(a.FixReachable), orDash(a.FixAll))
		if want := r.Version.Extended(); want != (a.Reason.ID != "") || want && a.Possible() != a.Len() {
			t.Errorf("%s: extended-stable %t, %d of %d possible, reason %q", r.Version, want, a.Possible(), a.Len(), a.Reason.English)
		}
	}
	golden(t, "testdata/releases.golden", b.String())

	if len(count) != 134 {
		t.Errorf("%d releases", len(count))
	}
	// What the advisories' own notes and the vendor's order require.
	for _, want := range []struct {
		version string
		n       int
	}{{"2026.7.1-2", 43}, {"2026.7.1", 42}, {"2026.9.6", 0}, {"2026.9.5", 0}} {
		if count[want.version] != want.n {
			t.Errorf("%s: %d, want %d", want.version, count[want.version], want.n)
		}
	}
	if count["2026.2.2-3"] > count["2026.2.2"] {
		t.Errorf("2026.2.2-3 has %d, 2026.2.2 only %d: the correction is the later one", count["2026.2.2-3"], count["2026.2.2"])
	}
	for v, n := range count {
		if n > count["2026.1.24-3"] {
			t.Errorf("%s has %d, more than 2026.1.24-3 with %d", v, n, count["2026.1.24-3"])
		}
	}
}

func orDash(v release.Version) string {
	if v.IsZero() {
		return "-"
	}
	return v.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs: run with -update and look at the diff\n%s", name, got)
	}
}

// TestMonotone: from one release to the next an advisory comes only where a
// range begins, and goes only where one ends.
func TestMonotone(t *testing.T) {
	db, table := builtin(t)
	var before release.Version
	had := map[string]event.AdvisoryStatus{}
	for r := range table.Releases() {
		v := r.Version
		has := map[string]event.AdvisoryStatus{}
		for _, m := range db.Match(advisory.Query{Versions: []release.Version{v}}).Matches {
			has[m.ID] = m.Status
		}
		between := func(x release.Version) bool {
			return !x.IsZero() && x.Compare(before) > 0 && x.Compare(v) <= 0
		}
		for _, a := range db.All() {
			begins := slices.ContainsFunc(a.Ranges, func(r advisory.Range) bool { return between(r.Introduced) })
			ends := slices.ContainsFunc(a.Ranges, func(r advisory.Range) bool {
				// What is last affected ends with the next release.
				return between(r.Fixed) || r.LastAffected == before || between(r.LastAffected) && r.LastAffected != v
			})
			switch came, went := had[a.ID] == "" && has[a.ID] != "", had[a.ID] != "" && has[a.ID] == ""; {
			case before.IsZero():
			case came && !begins:
				t.Errorf("%s applies to %s, not to %s before it, and no range begins there", a.ID, v, before)
			case went && !ends:
				t.Errorf("%s applies to %s, not to %s after it, and no range ends there", a.ID, before, v)
			}
		}
		before, had = v, has
	}
}

func TestRanges(t *testing.T) {
	for _, tt := range []struct {
		ranges  string
		version string
		want    event.AdvisoryStatus
	}{
		// The vendor's order, not that of semantic versioning.
		{`[{"last_affected":"2026.2.19-2"}]`, "2026.2.19", event.StatusAffected},
		{`[{"last_affected":"2026.2.19-2"}]`, "2026.2.19-2", event.StatusAffected},
		{`[{"last_affected":"2026.2.19-2"}]`, "2026.2.19-3", ""},
		{`[{"fixed":"2026.2.2"}]`, "2026.2.2-3", ""},
		{`[{"fixed":"2026.2.2"}]`, "2026.2.2", ""},
		{`[{"fixed":"2026.2.2"}]`, "2026.2.2-beta.1", event.StatusAffected},
		{`[{"fixed":"2026.2.2"}]`, "2026.2.1", event.StatusAffected},
		{`[{"introduced":"2026.2.2-3","fixed":"2026.2.9"}]`, "2026.2.2", ""},
		{`[{"introduced":"2026.2.2-3","fixed":"2026.2.9"}]`, "2026.2.2-3", event.StatusAffected},
		{`[{"introduced":"2026.2.2","fixed":"2026.2.9"}]`, "2026.2.2-beta.1", ""},
		{`[{"introduced":"2026.2.2","fixed":"2026.2.9"}]`, "2026.2.2-3", event.StatusAffected},
		// A gap between the last known to be affected and the first fixed.
		{`[{"fixed":"2026.6.9","last_affected":"2026.6.6"}]`, "2026.6.6", event.StatusAffected},
		{`[{"fixed":"2026.6.9","last_affected":"2026.6.6"}]`, "2026.6.8", event.StatusPossible},
		{`[{"fixed":"2026.6.9","last_affected":"2026.6.6"}]`, "2026.6.9", ""},
		// Several ranges: the surest counts.
		{`[{"fixed":"2026.6.9","last_affected":"2026.6.6"},{"introduced":"2026.6.8","fixed":"2026.6.9"}]`, "2026.6.8", event.StatusAffected},
		{`[{"fixed":"2026.2.2"},{"introduced":"2026.4.1","fixed":"2026.5.2"}]`, "2026.3.1", ""},
		// Without an end.
		{`[{}]`, "2026.1.1", event.StatusAffected},
		{`[{"introduced":"2026.5.2"}]`, "2026.9.6", event.StatusAffected},
		// An extended-stable line may have the fix ported back.
		{`[{"fixed":"2026.8.1"}]`, "2026.7.33", event.StatusPossible},
	} {
		db := load(t, entry(id1, tt.ranges, ""))
		var got event.AdvisoryStatus
		if m := db.Match(advisory.Query{Versions: versions(tt.version)}).Matches; len(m) > 0 {
			got = m[0].Status
		}
		if got != tt.want {
			t.Errorf("%s in %s: %q, want %q", tt.version, tt.ranges, got, tt.want)
		}
	}
}

func TestQueries(t *testing.T) {
	db := load(t,
		entry(id1, `[{"fixed":"2026.3.1"}]`, ""),
		entry(id2, `[{"fixed":"2026.1.29"}]`, `,"also":["clawdbot"]`),
		strings.Replace(entry(id3, `[{"fixed":"2026.8.1"}]`, ""), `"package":"openclaw"`, `"package":"@openclaw/slack","also":["@openclaw/line"]`, 1),
	)
	for _, tt := range []struct {
		name     string
		q        advisory.Query
		affected []string
		possible []string
		reason   string
	}{
		{"exact", advisory.Query{Versions: versions("2026.2.1")}, []string{id1}, nil, ""},
		{"clean", advisory.Query{Versions: versions("2026.3.1")}, nil, nil, ""},
		{"all candidates", advisory.Query{Versions: versions("2026.2.1", "2026.2.2")}, []string{id1}, nil, ""},
		{"some candidates", advisory.Query{Versions: versions("2026.2.1", "2026.3.1")}, nil, []string{id1}, ""},
		{"hint", advisory.Query{Versions: versions("2026.2.1"), Hint: true}, nil, []string{id1}, ""},
		{"unknown", advisory.Query{}, nil, nil, "the release is not known"},
		{"newer than the data", advisory.Query{Versions: versions("2026.9.7")}, nil, nil, "no advisory data for this release: the data of 2026-10-05 ends with 2026.9.6"},
		{"some newer than the data", advisory.Query{Versions: versions("2026.2.1", "2026.10.1")}, nil, []string{id1}, "some of the matching releases are newer"},
		{"extended-stable", advisory.Query{Versions: versions("2026.2.33")}, nil, []string{id1}, "extended-stable"},
		{"clawdbot", advisory.Query{Versions: versions("2026.1.24-3")}, []string{id1, id2}, nil, ""},
		{"plugin", advisory.Query{Package: "@openclaw/slack", Versions: versions("2026.7.1")}, []string{id3}, nil, ""},
		{"plugin with it", advisory.Query{Package: "@openclaw/line", Versions: versions("2026.7.1")}, []string{id3}, nil, ""},
		{"other plugin", advisory.Query{Package: "@openclaw/discord", Versions: versions("2026.1.1")}, nil, nil, ""},
		{"old name", advisory.Query{Package: "clawdbot", Versions: versions("2026.1.24-3")}, []string{id1, id2}, nil, ""},
	} {
		res := db.Match(tt.q)
		got := map[event.AdvisoryStatus][]string{}
		for _, m := range res.Matches {
			got[m.Status] = append(got[m.Status], m.ID)
			if want := m.ID == id1 && tt.q.Versions[0] == release.MustParse("2026.1.24-3"); m.Inherited != want {
				t.Errorf("%s: %s inherited %t", tt.name, m.ID, m.Inherited)
			}
		}
		if !slices.Equal(got[event.StatusAffected], tt.affected) || !slices.Equal(got[event.StatusPossible], tt.possible) {
			t.Errorf("%s: affected %v, possible %v; want %v, %v", tt.name, got[event.StatusAffected], got[event.StatusPossible], tt.affected, tt.possible)
		}
		if !strings.Contains(res.Reason.English, tt.reason) || (tt.reason == "") != (res.Reason.ID == "") {
			t.Errorf("%s: reason %q, want %q", tt.name, res.Reason.English, tt.reason)
		}
	}
}

// Plugins and apps have versions of their own: no gateway is told of them.
func TestGatewayOnly(t *testing.T) {
	db, table := builtin(t)
	others := map[string]bool{}
	for _, a := range db.All() {
		if a.Package != "openclaw" {
			others[a.ID] = true
		}
	}
	if len(others) != 13 {
		t.Errorf("%d advisories of other packages, want 13", len(others))
	}
	for r := range table.Releases() {
		for _, m := range db.Match(advisory.Query{Versions: []release.Version{r.Version}}).Matches {
			if others[m.ID] {
				t.Errorf("%s is about %s and matched to the gateway %s", m.ID, m.Package, r.Version)
			}
		}
	}
}

func TestAssess(t *testing.T) {
	with := func(id, credential, surface, severity string) string {
		s := entry(id, `[{"fixed":"2026.3.1"}]`, "")
		s = strings.Replace(s, `"credential":"none"`, `"credential":"`+credential+`"`, 1)
		s = strings.Replace(s, `"gateway_surface":"true"`, `"gateway_surface":"`+surface+`"`, 1)
		return strings.Replace(s, `"severity":"high"`, `"severity":"`+severity+`"`, 1)
	}
	_, table := builtin(t)
	db := load(t,
		with("GHSA-2222-2222-2222", "none", "true", "low"),
		with("GHSA-3333-3333-3333", "required", "true", "critical"),
		with("GHSA-4444-4444-4444", "none", "true", "high"),
		with("GHSA-5555-5555-5555", "n/a", "false", "critical"),
		with("GHSA-6666-6666-6666", "unclear", "unclear", "critical"),
	)
	const low, needs, high, local, doubt = "GHSA-2222-2222-2222", "GHSA-3333-3333-3333", "GHSA-4444-4444-4444", "GHSA-5555-5555-5555", "GHSA-6666-6666-6666"
	for _, tt := range []struct {
		access                       advisory.Access
		reachable, behind, elsewhere []string
	}{
		// What is not sure comes after what is.
		{advisory.Guarded, []string{high, low, doubt}, []string{needs}, []string{local}},
		{advisory.Open, []string{needs, high, low, doubt}, nil, []string{local}},
		{advisory.Fronted, nil, []string{needs, high, low, doubt}, []string{local}},
	} {
		a := db.Assess(advisory.Subject{Query: advisory.Query{Versions: versions("2026.2.1")}, Access: tt.access, Releases: table})
		if !slices.Equal(ids(a.Reachable), tt.reachable) || !slices.Equal(ids(a.Behind), tt.behind) || !slices.Equal(ids(a.Elsewhere), tt.elsewhere) {
			t.Errorf("access %d: %v, %v, %v", tt.access, ids(a.Reachable), ids(a.Behind), ids(a.Elsewhere))
		}
		if a.Len() != 5 || a.FixAll.String() != "2026.3.1" {
			t.Errorf("access %d: %d, fixed in %s", tt.access, a.Len(), a.FixAll)
		}
	}
}

// The smallest step goes to a release that is neither a prerelease nor of an
// extended-stable line, and that brings no new one of the kind.
func TestSteps(t *testing.T) {
	_, table := builtin(t)
	db := load(t,
		entry(id1, `[{"fixed":"2026.2.23-beta.1"}]`, ""),
		entry(id2, `[{"introduced":"2026.2.23","fixed":"2026.2.24"}]`, ""),
		strings.Replace(entry(id3, `[{"fixed":"2026.6.33"}]`, ""), `"credential":"none"`, `"credential":"required"`, 1),
	)
	a := db.Assess(advisory.Subject{Query: advisory.Query{Versions: versions("2026.2.2", "2026.2.2-3")}, Releases: table})
	if a.FixReachable.String() != "2026.2.24" || a.FixAll.String() != "2026.7.1" {
		t.Errorf("steps %s and %s, want 2026.2.24 and 2026.7.1", a.FixReachable, a.FixAll)
	}
	open := load(t, entry(id1, `[{}]`, ""))
	a = open.Assess(advisory.Subject{Query: advisory.Query{Versions: versions("2026.2.2")}, Releases: table})
	if !a.FixReachable.IsZero() || !a.FixAll.IsZero() {
		t.Errorf("steps %s and %s for what nothing fixes", a.FixReachable, a.FixAll)
	}
}

func TestLoadErrors(t *testing.T) {
	good := entry(id1, `[{"fixed":"2026.3.1"}]`, "")
	replace := func(old, with string) []byte { return file(strings.Replace(good, old, with, 1)) }
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "f:1: unexpected end of the file"},
		{"cut off", file(good)[:200], "unexpected end of the file"},
		{"no header", []byte(`{"advisories":[]}`), "f:1: as_of, newest and advisories must all be there"},
		{"unknown key on top", []byte(`{"as_of":"2026-10-05","newst":""}`), `f:1: unknown key "newst"`},
		{"twice on top", []byte(`{"newest":"2026.9.6","newest":"2026.9.6"}`), `duplicate key "newest"`},
		{"trailing", append(file(good), "{}"...), "f:4: something follows the end of the document"},
		{"unknown key", file(good, entry(id2, `[{}]`, `,"colour":1`)), `f:3: unknown key "colour"`},
		{"unknown key in range", file(entry(id1, `[{"fixt":"2026.3.1"}]`, "")), `f:2: unknown key "fixt"`},
		{"out of order", file(entry(id2, `[{}]`, ""), good), "f:3: " + id1 + " does not come after " + id2},
		{"twice", file(good, good), "f:3: " + id1 + " does not come after " + id1},
		{"cve twice", file(entry(id1, `[{}]`, `,"cve":"CVE-2026-1000"`), entry(id2, `[{}]`, `,"cve":"CVE-2026-1000"`)), "CVE-2026-1000 is given twice"},
		{"no range", file(entry(id1, `[]`, "")), "a range is needed"},
		{"backward", file(entry(id1, `[{"introduced":"2026.3.1","fixed":"2026.2.9"}]`, "")), "fixed 2026.2.9 is not later than introduced 2026.3.1"},
		{"last before first", file(entry(id1, `[{"introduced":"2026.3.1","last_affected":"2026.2.9"}]`, "")), "last affected 2026.2.9 is earlier"},
		{"fixed in an affected one", file(entry(id1, `[{"fixed":"2026.2.9","last_affected":"2026.2.9"}]`, "")), "not later than last affected"},
		{"version", file(entry(id1, `[{"fixed":"1.2.3"}]`, "")), `"1.2.3" is not a release`},
		{"id", replace(id1, "GHSA-aaaa"), "neither a GHSA nor a CVE id"},
		{"day", replace("2026-03-01", "2026-13-01"), "is not a day"},
		{"severity", replace(`"high"`, `"High"`), `severity "High" is unknown: use one of low, medium, high, critical`},
		{"surface", replace(`"true"`, `"yes"`), `gateway_surface "yes" is unknown`},
		{"credential", replace(`"none"`, `"n/a"`), "credential must not be n/a"},
		{"package", replace(`"package":"openclaw"`, `"package":"Open Claw"`), "is not the name of a package"},
		{"summary", replace(`"text"`, `"two\nlines"`), "is not one line"},
		{"score", file(entry(id1, `[{}]`, `,"scores":[{"source":"cve","score":11}]`)), "score 11 is not from 0.1 to 10"},
		{"vector", file(entry(id1, `[{}]`, `,"scores":[{"source":"cve","score":9,"vector":"CVSS:3.1/AV:N"}]`)), `f:2: ` + id1 + `: vector "CVSS:3.1/AV:N": base metric AC is not defined`},
	} {
		_, err := advisory.Load("f", tt.data)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := advisory.Load("f", file(good)); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// For any range, an advisory applies to one run of releases, and is never
// surer at a later release of it.
func TestRangeProperty(t *testing.T) {
	_, table := builtin(t)
	var all []release.Version
	for r := range table.Releases() {
		if !r.Version.Extended() {
			all = append(all, r.Version)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		cuts := rapid.SliceOfNDistinct(rapid.IntRange(0, len(all)-1), 3, 3, rapid.ID[int]).Draw(rt, "cuts")
		slices.Sort(cuts)
		introduced, last, fixed := cuts[0], cuts[1], cuts[2]
		set := rapid.IntRange(0, 7).Draw(rt, "set")
		var parts []string
		if set&1 != 0 {
			parts = append(parts, fmt.Sprintf(`"introduced":%q`, all[introduced]))
		} else {
			introduced = 0
		}
		if set&2 != 0 {
			parts = append(parts, fmt.Sprintf(`"last_affected":%q`, all[last]))
		}
		if set&4 != 0 {
			parts = append(parts, fmt.Sprintf(`"fixed":%q`, all[fixed]))
		}
		db := load(t, entry(id1, "[{"+strings.Join(parts, ",")+"}]", ""))
		for i, v := range all {
			var got event.AdvisoryStatus
			if m := db.Match(advisory.Query{Versions: []release.Version{v}}).Matches; len(m) > 0 {
				got = m[0].Status
			}
			want := event.StatusAffected
			switch {
			case i < introduced, set&4 != 0 && i >= fixed, set&4 == 0 && set&2 != 0 && i > last:
				want = ""
			case set&2 != 0 && i > last:
				want = event.StatusPossible
			}
			if got != want {
				rt.Fatalf("%s in {%s}: %q, want %q", v, strings.Join(parts, ","), got, want)
			}
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	data := read(b, "advisories/openclaw.json")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := advisory.Load("f", data); err != nil {
			b.Fatal(err)
		}
	}
}

// One gateway of a scan; the oldest release is the one with the most to do.
func BenchmarkAssess(b *testing.B) {
	db, table := builtin(b)
	s := advisory.Subject{Query: advisory.Query{Versions: versions("2026.1.24-3")}, Releases: table}
	b.ReportAllocs()
	for b.Loop() {
		db.Assess(s)
	}
}
