package advisory_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/advisory"
)

// record is an OSV record about openclaw with one range; rest follows.
func record(id, events, rest string) string {
	return fmt.Sprintf(`{"schema_version":"1.7.0","id":%q,"modified":"2026-11-02T10:00:00Z","published":"2026-11-01T10:00:00Z","summary":"A hole","affected":[{"package":{"ecosystem":"npm","name":"openclaw"},"ranges":[{"type":"SEMVER","events":[%s]}]}],"database_specific":{"severity":"MODERATE","cwe_ids":["CWE-79"]}%s}`, id, events, rest)
}

const (
	fixedEvents = `{"introduced":"0"},{"fixed":"2026.9.7"}`
	newID       = "GHSA-cccc-cccc-cccc"
)

func add(t testing.TB, texts ...string) *advisory.Update {
	t.Helper()
	var u advisory.Update
	for i, text := range texts {
		if err := u.Add(fmt.Sprintf("f%d.json", i+1), strings.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
	}
	return &u
}

func pack(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		// A compressor for each empty file would take most of the test's time.
		h := &zip.FileHeader{Name: files[i], Method: zip.Deflate}
		if files[i+1] == "" {
			h.Method = zip.Store
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// known has one advisory that records below touch.
func known(t testing.TB) *advisory.DB {
	return load(t,
		entry(id1, `[{"fixed":"2026.3.1","last_affected":"2026.2.26"}]`, `,"cve":"CVE-2026-1000","scores":[{"source":"aig","version":"3.1","score":8.8,"vector":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`),
		entry(id2, `[{"fixed":"2026.3.1"}]`, ""))
}

func TestUpdate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		inputs  []string
		lines   []string
		notes   []string
		removed int
	}{
		{"new", []string{record(newID, fixedEvents, `,"aliases":["CVE-2026-2000"]`)},
			[]string{"+ " + newID + " medium, openclaw fixed in 2026.9.7: A hole"}, nil, 0},
		{"array", []string{"[" + record(newID, fixedEvents, "") + ",\n" + record(id2, `{"introduced":"0"},{"fixed":"2026.3.1"}`, "") + "]"},
			[]string{"~ " + id2 + " severity high → medium", "+ " + newID + " medium, openclaw fixed in 2026.9.7: A hole"}, nil, 0},
		{"answer of a query", []string{`{"vulns":[` + record(newID, fixedEvents, "") + `]}`},
			[]string{"+ " + newID + " medium, openclaw fixed in 2026.9.7: A hole"}, nil, 0},
		{"no change, and what is known beyond the record stays",
			[]string{strings.Replace(record(id1, `{"introduced":"0"},{"fixed":"2026.3.1"}`, ""), "MODERATE", "HIGH", 1)}, nil, nil, 0},
		{"other range", []string{strings.Replace(record(id1, `{"fixed":"2026.3.2"},{"introduced":"2026.2.9"}`, ""), "MODERATE", "HIGH", 1)},
			[]string{"~ " + id1 + " range <= 2026.2.26, fixed in 2026.3.1 → >= 2026.2.9, fixed in 2026.3.2"}, nil, 0},
		{"other vector", []string{strings.Replace(record(id1, `{"introduced":"0"},{"fixed":"2026.3.1"}`, `,"severity":[{"type":"CVSS_V3","score":"`+v30+`"},{"type":"CVSS_V3","score":"CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`), "MODERATE", "HIGH", 1)},
			[]string{"~ " + id1 + " vector CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H → CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}, nil, 0},
		{"withdrawn", []string{record(id1, fixedEvents, `,"withdrawn":"2026-11-02T00:00:00Z"`)},
			[]string{"- " + id1 + " withdrawn 2026-11-02: text"}, nil, 1},
		{"withdrawn and not known", []string{record(newID, fixedEvents, `,"withdrawn":"2026-11-02T00:00:00Z"`)},
			nil, []string{newID + ": passed over: withdrawn 2026-11-02"}, 0},
		{"duplicate of a known one withdrawn", []string{record(newID, fixedEvents, `,"withdrawn":"2026-11-02T00:00:00Z","aliases":["CVE-2026-1000"]`)},
			nil, []string{newID + ": passed over: withdrawn 2026-11-02"}, 0},
		{"another ecosystem", []string{strings.Replace(record(newID, fixedEvents, ""), `"npm"`, `"PyPI"`, 1)},
			nil, []string{"1 records passed over: about other packages"}, 0},
		{"another package", []string{strings.Replace(record(newID, fixedEvents, ""), `"openclaw"`, `"left-pad"`, 1), `{"id":"X"}`},
			nil, []string{"2 records passed over: about other packages"}, 0},
		{"unknown field", []string{record(newID, fixedEvents, `,"colour":"red"`)},
			[]string{"+ " + newID + " medium, openclaw fixed in 2026.9.7: A hole"}, []string{newID + `: unknown field "colour" passed over`}, 0},
		{"twice", []string{record(newID, fixedEvents, ""), record(newID, `{"introduced":"0"},{"fixed":"2026.9.8"}`, "")},
			[]string{"+ " + newID + " medium, openclaw fixed in 2026.9.7: A hole"}, []string{newID + ": given twice: the first is used"}, 0},
		{"twice, the second is newer", []string{record(newID, fixedEvents, ""), strings.Replace(record(newID, `{"introduced":"0"},{"fixed":"2026.9.8"}`, ""), "11-02T10", "11-02T11", 1)},
			[]string{"+ " + newID + " medium, openclaw fixed in 2026.9.8: A hole"}, []string{newID + ": given twice: the one modified last is used"}, 0},
		{"twice, the second is older", []string{record(newID, fixedEvents, ""), strings.Replace(record(newID, `{"introduced":"0"},{"fixed":"2026.9.8"}`, ""), "11-02T10", "11-02T09", 1)},
			[]string{"+ " + newID + " medium, openclaw fixed in 2026.9.7: A hole"}, []string{newID + ": given twice: the one modified last is used"}, 0},
		{"alias of another", []string{record(newID, fixedEvents, ""), record("GHSA-fffff", fixedEvents, "")},
			[]string{"+ " + newID + " medium, openclaw fixed in 2026.9.7: A hole"}, []string{`f2.json: left out: id "GHSA-fffff" is neither a GHSA nor a CVE id`}, 0},
		{"summary of several lines", []string{strings.Replace(record(newID, fixedEvents, ""), "A hole", `A\nhole\u001b[31m`, 1)},
			[]string{"+ " + newID + " medium, openclaw fixed in 2026.9.7: A hole\x1b[31m"}, nil, 0},
		{"not a record", []string{`["openclaw"]`}, nil,
			[]string{"f1.json: line 1: left out: not an OSV record: json: cannot unmarshal string into Go value of type advisory.osv"}, 0},
		{"zip", []string{string(pack(t, "a/", "", "a/x.json", record(newID, fixedEvents, ""), "README", "openclaw", "y.json", `{"id":"other"}`))},
			[]string{"+ " + newID + " medium, openclaw fixed in 2026.9.7: A hole"}, []string{"1 records passed over: about other packages"}, 0},
	} {
		db := known(t)
		c := add(t, tt.inputs...).Apply(db)
		if !slices.Equal(c.Lines, tt.lines) || !slices.Equal(c.Notes, tt.notes) {
			t.Errorf("%s:\nlines %q\nnotes %q\nwant %q\n     %q", tt.name, c.Lines, c.Notes, tt.lines, tt.notes)
		}
		if c.New+c.Changed+c.Removed != len(tt.lines) || c.Removed != tt.removed || len(c.All) != 2+c.New-c.Removed {
			t.Errorf("%s: %d new, %d changed, %d withdrawn, %d in all", tt.name, c.New, c.Changed, c.Removed, len(c.All))
		}
		if _, err := advisory.Encode(db.AsOf(), db.Newest(), c.All); err != nil {
			t.Errorf("%s: the result cannot be written: %v", tt.name, err)
		}
	}
}

// A record whose ranges are broken is left out with one line, and what was known
// stays.
func TestBrokenRanges(t *testing.T) {
	for _, tt := range []struct{ name, events, want string }{
		{"version", `{"introduced":"0"},{"fixed":"1.2.3"}`, `fixed: "1.2.3" is not a release`},
		{"no event", ``, "a range without introduced"},
		{"no beginning", `{"fixed":"2026.3.1"}`, "fixed 2026.3.1 ends a range that has not begun"},
		{"two beginnings", `{"introduced":"0"},{"introduced":"2026.2.1"},{"fixed":"2026.3.1"}`, "introduced 2026.2.1, and again before the first has ended"},
		{"two ends", `{"introduced":"0"},{"fixed":"2026.2.1"},{"fixed":"2026.3.1"}`, "fixed 2026.3.1 ends a range that has not begun"},
		{"ends before it begins", `{"introduced":"2026.3.1"},{"fixed":"2026.2.1"}`, "fixed 2026.2.1 ends a range that has not begun"},
		{"two in one event", `{"introduced":"0","fixed":"2026.2.1"}`, "exactly one of introduced, fixed and last_affected"},
		{"limit", `{"introduced":"0"},{"limit":"2026.2.1"}`, `event "limit" is not one of`},
	} {
		db := known(t)
		c := add(t, record(id1, tt.events, ""), record(newID, tt.events, "")).Apply(db)
		if len(c.Lines) > 0 || len(c.All) != 2 || len(c.Notes) != 2 {
			t.Errorf("%s: lines %q, notes %q", tt.name, c.Lines, c.Notes)
			continue
		}
		for _, note := range c.Notes {
			if !strings.Contains(note, ": left out: package openclaw: ") || !strings.Contains(note, tt.want) {
				t.Errorf("%s: %q, want %q", tt.name, note, tt.want)
			}
		}
	}
}

func TestOSVRanges(t *testing.T) {
	for _, tt := range []struct{ name, affected, want string }{
		{"several", `"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"2026.2.1"},{"introduced":"2026.3.1"},{"last_affected":"2026.3.8"}]}]`,
			"fixed in 2026.2.1 or >= 2026.3.1, <= 2026.3.8"},
		{"last affected and fixed", `"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"last_affected":"2026.2.19-2"},{"fixed":"2026.2.21"}]}]`,
			"<= 2026.2.19-2, fixed in 2026.2.21"},
		{"as GitHub writes it", `"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"2026.2.21"}]}],"database_specific":{"last_known_affected_version_range":"<= 2026.2.19-2"}`,
			"<= 2026.2.19-2, fixed in 2026.2.21"},
		{"without a fix", `"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],"database_specific":{"last_known_affected_version_range":"< 2026.2.21"}`,
			"fixed in 2026.2.21"},
		{"without an end", `"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]`, "all releases"},
		{"ends and begins at one", `"ranges":[{"type":"SEMVER","events":[{"introduced":"2026.2.2"},{"introduced":"0"},{"fixed":"2026.2.2"},{"fixed":"2026.2.9"}]}]`,
			"fixed in 2026.2.2 or >= 2026.2.2, fixed in 2026.2.9"},
		{"commits", `"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}],"versions":["2026.2.2","2026.2.2-3"]`,
			">= 2026.2.2, <= 2026.2.2 or >= 2026.2.2-3, <= 2026.2.2-3"},
		{"versions inside the range", `"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"2026.2.9"}]}],"versions":["2026.2.2","v2026.2.3"]`,
			"fixed in 2026.2.9"},
	} {
		text := fmt.Sprintf(`{"id":%q,"modified":"2026-11-01T00:00:00Z","summary":"A hole","affected":[{"package":{"ecosystem":"npm","name":"openclaw"},%s}]}`, newID, tt.affected)
		c := add(t, text).Apply(known(t))
		if want := "+ " + newID + " unknown, openclaw " + tt.want + ": A hole"; len(c.Lines) != 1 || c.Lines[0] != want {
			t.Errorf("%s: %q %q, want %q", tt.name, c.Lines, c.Notes, want)
		}
	}
}

func TestOSVPackages(t *testing.T) {
	part := func(name, fixed string) string {
		return fmt.Sprintf(`{"package":{"ecosystem":"npm","name":%q},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":%q}]}]}`, name, fixed)
	}
	text := func(parts ...string) string {
		return fmt.Sprintf(`{"id":%q,"modified":"2026-11-01T00:00:00Z","summary":"A hole","affected":[%s]}`, newID, strings.Join(parts, ","))
	}
	c := add(t, text(part("clawdbot", "2026.1.29"), part("openclaw", "2026.1.30"), part("@openclaw/slack", "2026.9.9"), part("left-pad", "1.0.0"))).Apply(known(t))
	if len(c.All) != 3 || c.All[2].Package != "openclaw" || !slices.Equal(c.All[2].Also, []string{"clawdbot"}) || len(c.All[2].Ranges) != 2 {
		t.Errorf("%+v %q", c.All[len(c.All)-1], c.Notes)
	}
	if want := []string{newID + ": ranges of package @openclaw/slack passed over: they differ from those of openclaw"}; !slices.Equal(c.Notes, want) {
		t.Errorf("%q", c.Notes)
	}
}

// A new record is not rated by us, so it is near, and not sure.
func TestNewIsUnclear(t *testing.T) {
	db := known(t)
	c := add(t, strings.Replace(record(newID, `{"introduced":"0"}`, ""), "MODERATE", "CRITICAL", 1)).Apply(db)
	data, err := advisory.Encode(db.AsOf(), db.Newest(), c.All)
	if err != nil {
		t.Fatal(err)
	}
	if db, err = advisory.Load("f", data); err != nil {
		t.Fatal(err)
	}
	a := db.Assess(advisory.Subject{Query: advisory.Query{Versions: versions("2026.9.6")}})
	if !slices.Equal(ids(a.Reachable), []string{newID}) || a.Reachable[0].Sure() {
		t.Errorf("%v", ids(a.Reachable))
	}
}

func TestUpdateErrors(t *testing.T) {
	many := make([]string, 0, 2*100_001)
	for i := range 100_001 {
		many = append(many, fmt.Sprintf("%d.json", i), "")
	}
	for _, tt := range []struct {
		name string
		data string
		want string
	}{
		{"empty", "", "f: line 1: empty: want an OSV record"},
		{"number", "1", "f: want an OSV record"},
		{"syntax", "{\n\"id\": }", "f: line 2: invalid character"},
		{"syntax in an array", "[\n{\"id\":1},\n{\"id\" 1}]", "f: line 3: invalid character"},
		{"cut off", "[{}", "f: line 1: "},
		{"two documents", "[]\n[]", "something follows the end of the array"},
		{"not a zip", "PK\x03\x04 and so on", "f: zip: not a valid zip file"},
		{"bomb", string(pack(t, "bomb.json", strings.Repeat(" ", 50<<20))), "f: bomb.json: larger than 4 MB unpacked"},
		{"many bombs", string(pack(t, slices.Concat(slices.Repeat([]string{"bomb.json", strings.Repeat(" ", 4<<20-2) + "{}"}, 3))...)), "f: unpacks to more than 100 times its size"},
		{"many files", string(pack(t, many...)), "f: more than 20000 files"},
	} {
		var u advisory.Update
		err := u.Add("f", strings.NewReader(tt.data), int64(len(tt.data)))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	var u advisory.Update
	if err := u.Add("f", strings.NewReader(""), advisory.MaxInput+1); err == nil || !strings.Contains(err.Error(), "f: larger than 50 MB") {
		t.Errorf("50 MB: %v", err)
	}
}

// An archive as large as may be is read in a few seconds, and nothing in it is
// lost.
func TestLargeArchive(t *testing.T) {
	if testing.Short() {
		t.Skip("packs 48 MB")
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	filler := strings.Repeat("x", 1<<20)
	for i := range 48 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%d.json", i), Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, `{"id":"MAL-%d","details":%q}`, i, filler)
	}
	w, err := z.Create("last.json")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, record(newID, fixedEvents, ""))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	c := add(t, b.String()).Apply(known(t))
	if len(c.Lines) != 1 || !slices.Equal(c.Notes, []string{"48 records passed over: about other packages"}) {
		t.Errorf("%q %q", c.Lines, c.Notes)
	}
}

// applied checks what must hold of every update: advisories are lost only when
// withdrawn, and the result can be written.
func applied(t *testing.T, u *advisory.Update) {
	db := known(t)
	c := u.Apply(db)
	if len(c.All) < 2-c.Removed || len(c.Lines) != c.New+c.Changed+c.Removed {
		t.Errorf("%d of 2 left, %d withdrawn, lines %q", len(c.All), c.Removed, c.Lines)
	}
	for _, line := range slices.Concat(c.Lines, c.Notes) {
		if strings.Contains(line, "\n") {
			t.Errorf("several lines: %q", line)
		}
	}
	if _, err := advisory.Encode(db.AsOf(), db.Newest(), c.All); err != nil {
		t.Errorf("the result cannot be written: %v", err)
	}
}

func FuzzOSV(f *testing.F) {
	f.Add([]byte(record(newID, fixedEvents, `,"aliases":["CVE-2026-1000"],"severity":[{"type":"CVSS_V4","score":"CVSS:4.0/AV:N"}]`)))
	f.Add([]byte(record(id1, `{"introduced":"2026.2.9"},{"last_affected":"2026.2.19-2"},{"fixed":"2026.2.21"}`, `,"withdrawn":"2026-11-02T00:00:00Z"`)))
	f.Add([]byte(`{"vulns":[` + record(id2, ``, "") + `,` + record("CVE-2026-1000", fixedEvents, "") + `]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var u advisory.Update
		if err := u.Add("f", bytes.NewReader(data), int64(len(data))); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error of several lines: %q", err)
		}
		applied(t, &u)
	})
}

func FuzzZip(f *testing.F) {
	f.Add(pack(f, "x.json", record(newID, fixedEvents, "")))
	f.Add(pack(f, "x.json", record(id1, fixedEvents, `,"withdrawn":"2026-11-02T00:00:00Z"`), "d/", "", "y.json", "["))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = append([]byte("PK\x03\x04"), bytes.TrimPrefix(data, []byte("PK\x03\x04"))...)
		var u advisory.Update
		_ = u.Add("f", bytes.NewReader(data), int64(len(data)))
		applied(t, &u)
	})
}

// What is read from a file of the user's is refused or can be written again,
// the same.
func FuzzLoad(f *testing.F) {
	f.Add(file(entry(id1, `[{"introduced":"2026.2.9","fixed":"2026.3.1","last_affected":"2026.2.26"}]`, `,"cve":"CVE-2026-1000"`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		db, err := advisory.Load("f", data)
		if err != nil {
			return
		}
		once, err := advisory.Encode(db.AsOf(), db.Newest(), db.All())
		if err != nil {
			t.Fatal(err)
		}
		again, err := advisory.Load("f", once)
		if err != nil {
			t.Fatal(err)
		}
		twice, _ := advisory.Encode(again.AsOf(), again.Newest(), again.All())
		if !bytes.Equal(once, twice) {
			t.Errorf("%s\n%s", once, twice)
		}
	})
}
