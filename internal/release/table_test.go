package release

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const realTable = "../../fingerprints/releases/openclaw.json"

// small has what the real table has too: releases that share a page, one that
// shares only the style with its neighbours, one that shares a library, and one
// without a page.
const small = `{"as_of":"2026-10-05T00:00:00Z","releases":[
{"package":"clawdbot","version":"2026.1.24","date":"2026-01-25T13:47:19Z","assets":["index-A.css","index-A.js"]},
{"package":"clawdbot","version":"2026.1.24-3","assets":["index-A.css","index-A.js"]},
{"package":"openclaw","version":"2026.3.22","commit":"4dcc39c25c6c"},
{"package":"openclaw","version":"2026.7.1-beta.1","assets":["index-B.js","index-S.css","lit-1.js"]},
{"package":"openclaw","version":"2026.7.1","assets":["index-C.js","index-S.css","lit-1.js"],"sw_js":"90d8b09965d1fac3"},
{"package":"openclaw","version":"2026.7.2","assets":["index-D.js","index-T.css","lit-2.js"]},
{"package":"openclaw","version":"2026.7.33","assets":["index-E.js","index-S.css","lit-2.js"]},
{"package":"openclaw","version":"2026.8.1-beta.1","assets":["index-F.js","index-U.css"]}
]}
`

func loadSmall(t *testing.T) *Table {
	t.Helper()
	table, err := Load("f", []byte(small))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func loadReal(t testing.TB) (*Table, []byte) {
	t.Helper()
	data, err := os.ReadFile(realTable)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Load("f", data)
	if err != nil {
		t.Fatal(err)
	}
	return table, data
}

func TestLoad(t *testing.T) {
	table := loadSmall(t)
	if got := table.Len(); got != 8 {
		t.Errorf("Len() = %d, want 8", got)
	}
	if got, want := table.AsOf(), time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("AsOf() = %v, want %v", got, want)
	}
	if got := table.Newest().Version.String(); got != "2026.7.2" {
		t.Errorf("Newest() = %s, want 2026.7.2: neither a prerelease nor an extended one", got)
	}
	r, ok := table.Find(read(t, "2026.1.24"))
	if !ok || r.Package != "clawdbot" || !r.Date.Equal(time.Date(2026, 1, 25, 13, 47, 19, 0, time.UTC)) {
		t.Errorf("Find(2026.1.24) = %+v, %v", r, ok)
	}
	for _, v := range []string{"", "2026.1.25", "2027.1.1"} {
		if r, ok := table.Find(read(t, v)); ok || !r.Version.IsZero() {
			t.Errorf("Find(%q) = %+v, %v", v, r, ok)
		}
	}
	if got := new(Table).Newest(); !got.Version.IsZero() {
		t.Errorf("Newest() of an empty table = %v", got)
	}
}

func TestLoadRejects(t *testing.T) {
	const head = `{"as_of":"2026-10-05T00:00:00Z","releases":[` + "\n"
	const first = `{"package":"openclaw","version":"2026.1.29"}`
	second := func(rest string) string {
		return head + first + ",\n" + `{"package":"openclaw","version":"2026.1.30"` + rest + "}\n]}\n"
	}
	for _, tt := range []struct{ in, want string }{
		{"", "f:1: unexpected end of the file"},
		{"[]", "f:1: expected a mapping of as_of, releases, found a list"},
		{"{}", "f:1: as_of and releases must both be there"},
		{`{"as_of":"2026-10-05T00:00:00Z","releases":[]}`, "f:1: as_of and releases must both be there"},
		{`{"releases":[` + first + `]}`, "f:1: as_of and releases must both be there"},
		{`{"as_of":"yesterday","releases":[]}`, "f:1: parsing time"},
		{head + first + "]}\n{}", "f:3: something follows the end of the document"},
		{head + first + "\n],\n" + `"extra":1}`, `f:4: unknown key "extra"`},
		{head + first + "\n],\n" + `"as_of":"2026-10-05T00:00:00Z"}`, `f:4: duplicate key "as_of"`},
		{head + first + ",\n", "f:2: unexpected end of the file"},
		{head + first + "\n]", "unexpected end of the file"},
		{head + first + ",\nnope]}", "f:3: invalid character 'o' in literal null"},
		{head + first + "\n" + first + "]}", "f:3: invalid character '{' after array element"},
		{second(`,"colour":1`), `f:3: unknown key "colour"`},
		{second(`,"assets":1`), "f:3: assets: expected a list, found a number"},
		{second(`,"version":"latest"`), `f:3: "latest" is not a release`},
		{second(`,"version":""`), "f:3: a release needs a package and a version"},
		{second(`,"package":""`), "f:3: a release needs a package and a version"},
		{second(`,"version":"2026.1.29"`), "f:3: 2026.1.29 is not later than the release before it"},
		{second(`,"version":"2026.1.29-beta.1"`), "f:3: 2026.1.29-beta.1 is not later than the release before it"},
		{second(`,"package":"clawdbot","version":"2026.1.29"`), "f:3: 2026.1.29 is not later than the release before it"},
		{second(`,"commit":"90D8B09965D1"`), `f:3: 2026.1.30: commit "90D8B09965D1" is not 12 hex digits`},
		{second(`,"sw_js":"90d8"`), `f:3: 2026.1.30: digest "90d8" is not 16 hex digits`},
		{second(`,"manifest":"90d8b09965d1fac3a"`), `is not 16 hex digits`},
		{second(`,"favicon_svg":"none"`), `is not 16 hex digits`},
		{second(`,"assets":["b.js","a.js"]`), `f:3: 2026.1.30: asset "a.js" is out of order or given twice`},
		{second(`,"assets":["a.js","a.js"]`), `asset "a.js" is out of order or given twice`},
		{second(`,"assets":["../a.js"]`), `asset "../a.js" is not the base name of a .js or .css file`},
		{second(`,"assets":["a.png"]`), `asset "a.png" is not the base name`},
		{second(`,"assets":["` + strings.Repeat("a", 62) + `.js"]`), `is not the base name`},
	} {
		table, err := Load("f", []byte(tt.in))
		if err == nil || !strings.Contains(err.Error(), tt.want) || table != nil {
			t.Errorf("Load(%q):\n got %v\nwant %s", tt.in, err, tt.want)
		}
	}
}

func TestEncode(t *testing.T) {
	rs := slices.Collect(loadSmall(t).Releases())
	slices.Reverse(rs)
	asOf := time.Date(2026, 10, 5, 23, 59, 0, 0, time.UTC)
	want, err := Encode(asOf, slices.Collect(loadSmall(t).Releases()))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Encode(asOf, rs)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("the order of the releases matters: %v\n%s", err, got)
	}
	if !bytes.HasPrefix(got, []byte(`{"as_of":"2026-10-05T00:00:00Z","releases":[`+"\n"+`{"package":"clawdbot",`)) {
		t.Errorf("got %.100s", got)
	}
	if _, err := Encode(asOf, append(rs, rs[0])); err == nil {
		t.Error("a release given twice was written")
	}
	if _, err := Encode(asOf, nil); err == nil {
		t.Error("an empty table was written")
	}
}

func TestByAssets(t *testing.T) {
	table := loadSmall(t)
	for _, tt := range []struct {
		name string
		refs string
		fit  Fit
		want string
	}{
		{"no refs", "", FitNone, ""},
		{"foreign names", "main.js style.css", FitNone, ""},
		{"the same page twice released", "index-A.js index-A.css", FitExact, "2026.1.24 2026.1.24-3"},
		{"scripts are enough", "index-A.js", FitExact, "2026.1.24 2026.1.24-3"},
		{"all of one", "lit-1.js index-S.css index-C.js", FitExact, "2026.7.1"},
		{"in a folder, with queries", "./assets/index-C.js?v=1 /claw/assets/lit-1.js#x https://h/assets/index-S.css", FitExact, "2026.7.1"},
		{"a script of a front", "index-C.js lit-1.js beacon.min.js", FitExact, "2026.7.1"},
		{"an unknown style", "index-C.js lit-1.js index-Z.css", FitExact, "2026.7.1"},
		{"given twice", "index-C.js index-C.js", FitPartial, "2026.7.1"},
		{"a part of the scripts", "index-C.js", FitPartial, "2026.7.1"},
		{"style only", "index-S.css", FitPartial, "2026.7.1-beta.1 2026.7.1 2026.7.33"},
		{"another build", "index-Z.js index-S.css", FitPartial, "2026.7.1-beta.1 2026.7.1 2026.7.33"},
		{"a newer build with an old library", "index-Z.js index-Z.css lit-2.js", FitPartial, "2026.7.2 2026.7.33"},
		{"library and style narrow", "index-Z.js index-S.css lit-2.js", FitPartial, "2026.7.33"},
		{"two main scripts", "index-C.js index-D.js", FitContradictory, ""},
		{"script and style of different releases", "index-A.js index-S.css", FitContradictory, ""},
		{"a whole page and a retained script", "index-C.js lit-1.js index-S.css lit-2.js", FitContradictory, ""},
		{"names must agree to the letter", "INDEX-C.js index-c.js index-C.js.map index-C.j", FitNone, ""},
		{"nothing behind the slash", "/ index-C.js/ ? #", FitNone, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refs := strings.Fields(tt.refs)
			got := table.ByAssets(refs)
			if got.Fit != tt.fit || join(got.Candidates) != tt.want {
				t.Errorf("ByAssets(%q) = %v %v, want %v %s", refs, got.Fit, got.Candidates, tt.fit, tt.want)
			}
			slices.Reverse(refs)
			if again := table.ByAssets(refs); again.Fit != got.Fit || !slices.Equal(again.Candidates, got.Candidates) {
				t.Errorf("the order of refs matters: %v and %v", got, again)
			}
		})
	}
}

func TestByAssetsIsBounded(t *testing.T) {
	table := loadSmall(t)
	junk := slices.Repeat([]string{"x.js"}, maxRefs)
	if got := table.ByAssets(append(junk[:maxRefs-1:maxRefs-1], "index-A.js")); got.Fit != FitExact {
		t.Errorf("ref %d was not looked at: %v", maxRefs, got)
	}
	if got := table.ByAssets(append(junk, "index-A.js")); got.Fit != FitNone {
		t.Errorf("ref %d was looked at: %v", maxRefs+1, got)
	}
	long := strings.Repeat("a/", maxRefLen) + "index-A.js"
	if got := table.ByAssets([]string{long}); got.Fit != FitNone {
		t.Errorf("a ref of %d bytes was looked at: %v", len(long), got)
	}
}

// TestRealTable checks the table that ships: its form, and what can be told from
// the page of every release in it.
func TestRealTable(t *testing.T) {
	table, data := loadReal(t)
	again, err := Encode(table.AsOf(), slices.Collect(table.Releases()))
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("%s is not as the generator writes it (%v); run make generate", realTable, err)
	}
	if len(data) > 300<<10 {
		t.Errorf("the table has %d bytes and is part of the binary; want less than 300 kB", len(data))
	}
	if strings.Contains(string(data), "//") {
		t.Errorf("the table has something like a URL in it")
	}

	stamped := read(t, "2026.5.18") // from here on sw.js names the release
	exact := 0
	for r := range table.Releases() {
		if r.Date.Year() < 2026 {
			t.Errorf("%s: date %v", r.Version, r.Date)
		}
		if len(r.Assets) == 0 {
			t.Logf("%s has no page", r.Version)
			continue
		}
		got := table.ByAssets(r.Assets)
		if got.Fit != FitExact || !slices.Contains(got.Candidates, r.Version) {
			t.Errorf("%s: its own page gives %v %v", r.Version, got.Fit, got.Candidates)
		}
		if len(got.Candidates) == 1 {
			exact++
		} else if got.Candidates[0] == r.Version {
			t.Logf("one page: %s", join(got.Candidates))
		}
		for _, s := range []string{r.Stamp, r.BuildID} {
			if b, err := ParseBuild(s); s != "" && (err != nil || b.Version != r.Version) {
				t.Errorf("%s: stamp %q says %v, %v", r.Version, s, b.Version, err)
			}
		}
		if r.Version.Compare(stamped) >= 0 && (r.SWJS == "" || r.Stamp == "") {
			t.Errorf("%s: sw.js does not name the release", r.Version)
		}
	}
	t.Logf("%d releases as of %s, newest %s, %d told exactly by their page",
		table.Len(), table.AsOf().Format(time.DateOnly), table.Newest().Version, exact)
	if exact < 108 {
		t.Errorf("the page tells %d releases exactly, want 108 or more", exact)
	}
}

// TestRealTablePartOfPage feeds parts of real pages, with foreign names between
// them: the right release must stay among the candidates no matter what is missing.
func TestRealTablePartOfPage(t *testing.T) {
	table, _ := loadReal(t)
	releases := slices.DeleteFunc(slices.Collect(table.Releases()), func(r Release) bool { return len(r.Assets) == 0 })
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(releases).Draw(t, "release")
		refs := rapid.Permutation(r.Assets).Draw(t, "assets")
		refs = append(refs[:rapid.IntRange(1, len(refs)).Draw(t, "kept"):len(refs)],
			rapid.SliceOfN(rapid.StringMatching(`[a-z]{3}-[A-Z]{9}\.js`), 0, 3).Draw(t, "foreign")...)
		if got := table.ByAssets(refs); !slices.Contains(got.Candidates, r.Version) {
			t.Errorf("%s: ByAssets(%q) = %v %v", r.Version, refs, got.Fit, got.Candidates)
		}
	})
}

// TestRealTableMixedPages feeds two real pages at once: never a certain answer that
// names neither or only one of two different pages.
func TestRealTableMixedPages(t *testing.T) {
	table, _ := loadReal(t)
	releases := slices.DeleteFunc(slices.Collect(table.Releases()), func(r Release) bool { return len(r.Assets) == 0 })
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom(releases).Draw(t, "a")
		b := rapid.SampledFrom(releases).Draw(t, "b")
		got := table.ByAssets(slices.Concat(a.Assets, b.Assets))
		want := FitContradictory
		if slices.Equal(a.Assets, b.Assets) {
			want = FitExact
		}
		if got.Fit != want {
			t.Errorf("%s and %s together: %v %v, want %v", a.Version, b.Version, got.Fit, got.Candidates, want)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	_, data := loadReal(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load("f", data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkByAssets(b *testing.B) {
	table, _ := loadReal(b)
	refs := table.Newest().Assets
	b.ReportAllocs()
	for b.Loop() {
		table.ByAssets(refs)
	}
}

func join(vs []Version) string {
	return strings.Trim(fmt.Sprint(vs), "[]")
}
