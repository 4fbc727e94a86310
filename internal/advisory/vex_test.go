package advisory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/advisory"
)

func vexDoc(statements ...string) []byte {
	return []byte("{\"@context\":\"https://openvex.dev/ns/v0.2.0\",\"@id\":\"urn:x\",\"author\":\"me\",\"timestamp\":\"2026-10-01T00:00:00Z\",\"version\":1,\n\"statements\":[\n" + strings.Join(statements, ",\n") + "\n]}\n")
}

// vexStatement is about the vulnerability and product; rest follows.
func vexStatement(id, product, rest string) string {
	return fmt.Sprintf(`{"vulnerability":{"name":%q},"products":[{"@id":%q}],%s}`, id, product, rest)
}

const (
	notAffected = `"status":"not_affected","justification":"vulnerable_code_not_present"`
	fixed       = `"status":"fixed"`
	anyVersion  = "pkg:npm/openclaw"
)

func TestVEX(t *testing.T) {
	db := load(t, entry(id1, `[{}]`, `,"cve":"CVE-2026-1000"`), entry(id2, `[{}]`, ""))
	later := `,"timestamp":"2026-11-01T00:00:00Z"`
	for _, tt := range []struct {
		name       string
		statements []string
		suppressed string // of id1, in 2026.2.2 at 10.0.0.7:18789
	}{
		{"none", nil, ""},
		{"not affected", []string{vexStatement(id1, anyVersion, notAffected)}, "not_affected: vulnerable_code_not_present"},
		{"fixed", []string{vexStatement(id1, anyVersion, fixed)}, "fixed"},
		{"by CVE", []string{vexStatement("CVE-2026-1000", anyVersion, fixed)}, "fixed"},
		{"in lower case", []string{vexStatement("cve-2026-1000", anyVersion, fixed)}, "fixed"},
		{"by alias", []string{`{"vulnerability":{"name":"X-1","aliases":["CVE-2026-1000"]},"products":[{"@id":"pkg:npm/openclaw"}],"status":"fixed"}`}, "fixed"},
		{"as version 0.0.1 has it", []string{`{"vulnerability":"CVE-2026-1000","products":["pkg:npm/openclaw"],"status":"fixed"}`}, "fixed"},
		{"impact statement", []string{vexStatement(id1, anyVersion, `"status":"not_affected","impact_statement":"no such channel"`)}, "not_affected: no such channel"},
		{"notes", []string{vexStatement(id1, anyVersion, `"status":"fixed","status_notes":"ported\nback"`)}, "fixed: ported back"},
		{"affected", []string{vexStatement(id1, anyVersion, `"status":"affected"`)}, ""},
		{"under investigation", []string{vexStatement(id1, anyVersion, `"status":"under_investigation"`)}, ""},
		{"this version", []string{vexStatement(id1, anyVersion+"@2026.2.2", fixed)}, "fixed"},
		{"another version", []string{vexStatement(id1, anyVersion+"@2026.2.2-3", fixed)}, ""},
		{"escaped and qualified", []string{vexStatement(id1, anyVersion+"@2026%2E2.2?vcs=x#y", fixed)}, "fixed"},
		{"this target", []string{vexStatement(id1, "10.0.0.7:18789", fixed)}, "fixed"},
		{"this target, its port with a zero", []string{vexStatement(id1, "10.0.0.7:018789", fixed)}, "fixed"},
		{"another target", []string{vexStatement(id1, "10.0.0.7:18790", fixed)}, ""},
		{"purl as identifier", []string{`{"vulnerability":{"name":"` + id1 + `"},"products":[{"@id":"urn:mine","identifiers":{"purl":"pkg:npm/openclaw@2026.2.2"}}],"status":"fixed"}`}, "fixed"},
		{"component of this target", []string{`{"vulnerability":{"name":"` + id1 + `"},"products":[{"@id":"10.0.0.7:18789","subcomponents":[{"@id":"pkg:npm/openclaw@2026.2.2"}]}],"status":"fixed"}`}, "fixed"},
		{"another version in this target", []string{`{"vulnerability":{"name":"` + id1 + `"},"products":[{"@id":"10.0.0.7:18789","subcomponents":[{"@id":"pkg:npm/openclaw@2026.2.9"}]}],"status":"fixed"}`}, ""},
		{"a foreign component of this target", []string{`{"vulnerability":{"name":"` + id1 + `"},"products":[{"@id":"10.0.0.7:18789","subcomponents":[{"@id":"pkg:npm/ws@8.0.0"}]}],"status":"fixed"}`}, ""},
		{"the last word", []string{vexStatement(id1, anyVersion, `"status":"affected"`+later), vexStatement(id1, anyVersion, fixed)}, ""},
		{"the last word of one time", []string{vexStatement(id1, anyVersion, `"status":"affected"`), vexStatement(id1, anyVersion, fixed)}, "fixed"},
		{"about another one", []string{vexStatement(id2, anyVersion, fixed)}, ""},
	} {
		vex, _, err := advisory.LoadVEX("f", vexDoc(tt.statements...), db)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		a := db.Assess(advisory.Subject{Query: advisory.Query{Versions: versions("2026.2.2")}, HostPort: "10.0.0.7:18789", VEX: vex})
		got := ""
		for _, s := range a.Suppressed {
			if s.ID == id1 {
				got = s.Why
			}
		}
		if got != tt.suppressed || (got == "") != slices.Contains(ids(a.Reachable), id1) {
			t.Errorf("%s: suppressed %q, still there %v, want %q", tt.name, got, ids(a.Reachable), tt.suppressed)
		}
	}
}

// A statement about one release holds only where that release is certain.
func TestVEXNeedsCertainty(t *testing.T) {
	db := load(t, entry(id1, `[{}]`, ""))
	vex, _, err := advisory.LoadVEX("f", vexDoc(vexStatement(id1, anyVersion+"@2026.2.2", fixed)), db)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []advisory.Query{
		{Versions: versions("2026.2.2", "2026.2.2-3")},
		{Versions: versions("2026.2.2"), Hint: true},
		{Versions: versions("2026.2.2"), Package: "@openclaw/slack"},
	} {
		if a := db.Assess(advisory.Subject{Query: q, VEX: vex}); len(a.Suppressed) > 0 {
			t.Errorf("%+v: suppressed", q)
		}
	}
}

// A release counts as fixed, too, when a statement about it says so.
func TestVEXStep(t *testing.T) {
	_, table := builtin(t)
	db := load(t, entry(id1, `[{"fixed":"2026.9.1"}]`, ""))
	vex, _, err := advisory.LoadVEX("f", vexDoc(vexStatement(id1, anyVersion+"@2026.2.9", fixed)), db)
	if err != nil {
		t.Fatal(err)
	}
	a := db.Assess(advisory.Subject{Query: advisory.Query{Versions: versions("2026.2.2")}, VEX: vex, Releases: table})
	if a.FixAll.String() != "2026.2.9" {
		t.Errorf("fixed in %s, want 2026.2.9", a.FixAll)
	}
}

func TestVEXWarnings(t *testing.T) {
	db := load(t, entry(id1, `[{}]`, ""))
	_, got, err := advisory.LoadVEX("f", vexDoc(
		vexStatement("CVE-2020-1", anyVersion, fixed),
		vexStatement(id1, "pkg:npm/left-pad@1.0.0", fixed),
		vexStatement(id1, "pkg:npm/left-pad@1.0.0", fixed),
		vexStatement(id1, "pkg:npm/openclaw@latest", fixed),
		vexStatement(id1, anyVersion, fixed),
	), db)
	want := []string{
		"CVE-2020-1 is not among the advisories: its statement has no effect",
		`product "pkg:npm/left-pad@1.0.0" is neither pkg:npm/openclaw[@VERSION] nor host:port: what is said of it has no effect`,
		`product "pkg:npm/openclaw@latest" is neither pkg:npm/openclaw[@VERSION] nor host:port: what is said of it has no effect`,
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v %q", err, got)
	}
}

func TestVEXErrors(t *testing.T) {
	db := load(t, entry(id1, `[{}]`, ""))
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "f:1: unexpected end of the file"},
		{"another document", []byte(`{"bomFormat":"CycloneDX"}`), `f:1: not an OpenVEX document: "@context" must begin with`},
		{"another context", []byte(`{"@context":"https://example.org","statements":[]}`), `"@context" must begin with`},
		{"trailing", append(vexDoc(), "{}"...), "something follows the end"},
		{"unknown key", vexDoc(vexStatement(id1, anyVersion, fixed), vexStatement(id1, anyVersion, fixed+`,"subcomponent":[]`)), `f:4: unknown key "subcomponent": did you mean "subcomponents"?`},
		{"unknown key in a product", vexDoc(`{"vulnerability":{"name":"x"},"products":[{"id":"y"}],"status":"fixed"}`), `f:3: unknown key "id": use @id`},
		{"status", vexDoc(vexStatement(id1, anyVersion, `"status":"ok"`)), `f:3: statement 1: status "ok" is unknown`},
		{"justification", vexDoc(vexStatement(id1, anyVersion, `"status":"not_affected","justification":"because"`)), `justification "because" is unknown`},
		{"no justification", vexDoc(vexStatement(id1, anyVersion, `"status":"not_affected"`)), "not_affected needs a justification or an impact_statement"},
		{"no vulnerability", vexDoc(`{"products":[{"@id":"x"}],"status":"fixed"}`), "vulnerability needs a name"},
		{"no product", vexDoc(`{"vulnerability":{"name":"x"},"status":"fixed"}`), "products are needed"},
		{"larger than can be", make([]byte, 4<<20+1), "larger than 4 MiB"},
	} {
		_, _, err := advisory.LoadVEX("f", tt.data, db)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// No document suppresses what it does not name, and none is answered by a panic.
func FuzzVEX(f *testing.F) {
	f.Add(vexDoc(vexStatement(id1, anyVersion, notAffected)))
	f.Add(vexDoc(`{"vulnerability":"CVE-2026-1000","products":["10.0.0.7:18789"],"status":"fixed"}`))
	f.Add(vexDoc(`{"vulnerability":{"name":"x","aliases":["CVE-2026-1000"]},"products":[{"@id":"[::1]:1","subcomponents":[{"@id":"pkg:npm/openclaw@2026.2.2"}]}],"status":"fixed"}`))
	db := load(f, entry(id1, `[{}]`, `,"cve":"CVE-2026-1000"`), entry(id2, `[{}]`, ""))
	f.Fuzz(func(t *testing.T, data []byte) {
		vex, warnings, err := advisory.LoadVEX("f", data, db)
		for _, w := range warnings {
			if strings.Contains(w, "\n") {
				t.Errorf("warning of several lines: %q", w)
			}
		}
		if err != nil {
			return
		}
		a := db.Assess(advisory.Subject{Query: advisory.Query{Versions: versions("2026.2.2")}, HostPort: "10.0.0.7:18789", VEX: vex})
		if a.Len()+len(a.Suppressed) != 2 {
			t.Errorf("%d and %d suppressed of 2", a.Len(), len(a.Suppressed))
		}
		for _, s := range a.Suppressed {
			text := strings.ToUpper(string(data))
			if s.Why == "" || !strings.Contains(text, s.ID) && (s.CVE == "" || !strings.Contains(text, s.CVE)) && !strings.Contains(text, `\U`) {
				t.Errorf("%s suppressed by a document that does not name it", s.ID)
			}
		}
	})
}
