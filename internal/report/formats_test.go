package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// replicas is a stored scan of replicas of gateways, see testdata/streams.
func replicas(t testing.TB) []event.Event { return storedStream(t, "replicas.jsonl") }

func storedStream(t testing.TB, file string) []event.Event {
	t.Helper()
	name := filepath.Join("..", "..", "testdata", "streams", file)
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []event.Event
	if err := event.Read(f, name, func(e event.Event) error { out = append(out, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestStreamOfFirstVersion: a stream of 0.1, which has no messages, gives the same
// reports in English. In another language its titles and fixes are translated by the
// ids of the checks, what is said in detail is not.
func TestStreamOfFirstVersion(t *testing.T) {
	old, now := storedStream(t, "replicas-0.1.jsonl"), replicas(t)
	for _, format := range []string{"table", "csv", "markdown", "html", "sarif", "junit"} {
		o := Options{Checks: fixtureChecks(), Verbose: true}
		if render(t, format, o, old...) != render(t, format, o, now...) {
			t.Errorf("%s: not as before", format)
		}
	}
	for format, ext := range map[string]string{"table": ".txt", "markdown": ".md", "html": ".html"} {
		golden(t, "replicas-0.1-zh"+ext, render(t, format, Options{Checks: fixtureChecks(), Lang: "zh"}, old...))
	}
}

// TestFormatsGolden shows one scan of a mixed set of replicas, a made-up one with
// one of everything, and a comparison, in all formats.
func TestFormatsGolden(t *testing.T) {
	type look struct {
		suffix, format string
		o              Options
	}
	var looks []look
	for format, ext := range map[string]string{"table": ".txt", "json": ".json", "csv": ".csv", "markdown": ".md", "html": ".html", "sarif": ".sarif", "junit": ".junit.xml", "codequality": ".codequality"} {
		looks = append(looks, look{ext, format, Options{Checks: fixtureChecks()}})
	}
	for format, ext := range map[string]string{"table": "-zh.txt", "markdown": "-zh.md", "html": "-zh.html"} {
		looks = append(looks, look{ext, format, Options{Checks: fixtureChecks(), Lang: "zh"}})
	}
	looks = append(looks,
		look{"-nvdb.md", "markdown", Options{Checks: fixtureChecks(), View: "nvdb"}},
		look{"-nvdb-zh.md", "markdown", Options{Checks: fixtureChecks(), View: "nvdb", Lang: "zh"}})
	for name, events := range map[string][]event.Event{"replicas": replicas(t), "everything": mixed(), "diff": changed(), "vantages": apart(), "files": inspected()} {
		for _, l := range looks {
			t.Run(name+l.suffix, func(t *testing.T) {
				golden(t, name+l.suffix, render(t, l.format, l.o, events...))
			})
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("..", "..", "testdata", "golden", "report", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run the test with -update and review the file", err)
	}
	if got != string(want) {
		t.Errorf("differs from %s: refresh with -update and review", path)
	}
}

// TestStoredEqualsDirect: a stream that is stored and read again gives the same
// report, byte for byte, in every format.
func TestStoredEqualsDirect(t *testing.T) {
	for name, events := range map[string][]event.Event{"replicas": replicas(t), "everything": mixed(), "diff": changed(), "vantages": apart(), "files": inspected(), "hostile": hostile(2000)} {
		stored := render(t, "jsonl", Options{}, events...)
		var again []event.Event
		if err := event.Read(strings.NewReader(stored), name, func(e event.Event) error { again = append(again, e); return nil }); err != nil {
			t.Fatal(err)
		}
		for _, f := range Formats() {
			for _, o := range []Options{{Checks: fixtureChecks()}, {Checks: fixtureChecks(), Lang: "zh", Verbose: true}, {Checks: fixtureChecks(), View: "nvdb"}} {
				if render(t, f, o, events...) != render(t, f, o, again...) {
					t.Errorf("%s as %s: what is stored and read again differs", name, f)
				}
			}
		}
	}
}

// TestHostile: for anything that a target sends, every format shows it as visible text, no
// longer than it should be, and does nothing else with it.
func TestHostile(t *testing.T) {
	events := hostile(1 << 20)
	for i := range events {
		if x, ok := events[i].(*event.Target); ok {
			x.TLS = &event.TLS{Enabled: true, Subject: nastyText("subject", 1<<20), Issuer: nastyText("issuer", 10), Names: []string{nastyText("san", 10)}, VerifyError: nastyText("verify", 10)}
			x.Surfaces = []event.Surface{{ID: nastyText("surface", 10), State: "open", Path: nastyText("path", 10)}}
			x.Changes = []event.Change{{What: event.Changed(nastyText("what", 10)), Old: nastyText("old", 10), New: nastyText("new", 10)}}
			x.Advisories = []event.Advisory{{ID: nastyText("advisory", 10), CVE: nastyText("cve", 10), Severity: event.High, Status: event.AdvisoryStatus(nastyText("status", 10)),
				Summary: nastyText("summary", 1<<20), Fixed: nastyText("fixed", 10), Reach: event.AdvisoryReach(nastyText("reach", 10))}}
			for _, formula := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "x;=cmd|' /C calc'!A0", "\uff1d1+1", "a,=1", "\"=1\""} {
				x.Notes = append(x.Notes, formula)
				x.Findings = append(x.Findings, event.Finding{ID: formula, Severity: event.High, Title: formula, Detail: formula, Key: "k"})
			}
		}
	}
	sides := slices.Clone(events)
	head := *events[0].(*event.Scan)
	head.Vantage, head.Compared = nastyText("vantage", 1<<20), &event.Compared{Vantage: nastyText("other", 1<<20)}
	sides[0] = &head
	for _, f := range []string{"csv", "markdown", "html", "sarif", "junit", "codequality"} {
		for _, o := range []Options{{Checks: fixtureChecks()}, {Checks: fixtureChecks(), Verbose: true, Lang: "zh"}, {Checks: fixtureChecks(), View: "nvdb"}, {Checks: fixtureChecks(), Lang: "sides"}} {
			events := events
			if o.Lang == "sides" {
				o.Lang, events = "", sides
			}
			out := render(t, f, o, events...)
			name := fmt.Sprintf("%s %s%s", f, o.Lang, o.View)
			if !utf8.ValidString(out) {
				t.Errorf("%s: not valid UTF-8", name)
			}
			if len(out) > 1_200_000 {
				t.Errorf("%s: %d bytes for three targets", name, len(out))
			}
			for i, r := range strings.ReplaceAll(out, "\r\n", "\n") {
				if r != '\n' && clean.Hidden(r) {
					t.Fatalf("%s: %U at %d", name, r, i)
				}
			}
			for line := range strings.Lines(out) {
				if strings.HasPrefix(strings.TrimSpace(line), "::") {
					t.Fatalf("%s: a workflow command: %.100q", name, line)
				}
				if strings.Contains(line, "##[") || strings.Contains(line, "##vso") {
					t.Fatalf("%s: a logging command: %.100q", name, line)
				}
			}
			if o.View == "" && !strings.Contains(out, "file=a") {
				t.Errorf("%s: the visible part of the text is gone", name)
			}
			switch f {
			case "csv":
				hostileCSV(t, out)
			case "markdown":
				hostileMarkdown(t, out)
			case "html":
				hostileHTML(t, out)
			case "sarif", "codequality":
				if !json.Valid([]byte(out)) {
					t.Errorf("%s: no JSON", f)
				}
			case "junit":
				if err := wellFormed(out); err != nil {
					t.Errorf("junit: %v", err)
				}
			}
		}
	}
}

func hostileCSV(t *testing.T, out string) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		for _, cell := range r {
			// As a spreadsheet of any locale may split it.
			for _, part := range regexp.MustCompile(`[,;|\t"]`).Split(cell, -1) {
				if part = strings.TrimLeft(part, " "); part != "" && strings.ContainsAny(part[:1], "=+-@") || strings.HasPrefix(part, "\uff1d") {
					t.Fatalf("a formula: %.80q in %.200q", part, cell)
				}
			}
		}
	}
}

func hostileMarkdown(t *testing.T, out string) {
	t.Helper()
	if n := utf8.RuneCountInString(out); n > 65_536 {
		t.Errorf("%d characters do not fit into a comment", n)
	}
	for _, bad := range []string{"<script", "](http", "@user", "<img"} {
		if strings.Contains(strings.ToLower(out), bad) {
			t.Errorf("markdown holds %s", bad)
		}
	}
	// Every tag is one of ours.
	for _, tag := range regexp.MustCompile(`<[a-zA-Z/!][^>]*>`).FindAllString(out, -1) {
		switch tag {
		case "<details>", "<details open>", "</details>", "<summary>", "</summary>", "<code>", "</code>", "<br>", "<!-- -->":
		default:
			t.Errorf("markdown holds the tag %s", tag)
		}
	}
}

func hostileHTML(t *testing.T, out string) {
	t.Helper()
	if strings.Count(out, "<script") != 1 || strings.Count(out, "</script") != 1 || strings.Count(out, "<style") != 1 {
		t.Error("html holds a script or style of a target")
	}
	for _, m := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(out, -1) {
		if !strings.HasPrefix(m[1], "#t") && !strings.HasPrefix(m[1], "https://") {
			t.Errorf("html links to %q", m[1])
		}
	}
	if regexp.MustCompile(`<[^>]* on[a-z]+=`).MatchString(out) || regexp.MustCompile(`<[a-z]+[^>]* style=`).MatchString(out) {
		t.Error("html holds a handler or a style of a target")
	}
}

// wellFormed reads all of an XML document.
func wellFormed(s string) error {
	dec := xml.NewDecoder(strings.NewReader(s))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// TestJUnitSchema holds the document to the schema that Jenkins publishes
// (xunit-plugin, junit-10.xsd): the elements, where they may be, and their
// attributes.
func TestJUnitSchema(t *testing.T) {
	children := map[string]string{
		"": "testsuites", "testsuites": "testsuite", "testsuite": "properties testcase system-out system-err", "properties": "property",
		"testcase": "skipped error failure system-out system-err", "property": "", "skipped": "", "error": "", "failure": "", "system-out": "", "system-err": "",
	}
	attributes := map[string]string{
		"testsuite": "name! tests! failures! errors! time skipped timestamp hostname id package", "property": "name! value!",
		"testcase": "name! time classname", "skipped": "type message", "error": "type message", "failure": "type message",
	}
	for name, events := range map[string][]event.Event{"replicas": replicas(t), "everything": mixed(), "diff": changed(), "vantages": apart(), "files": inspected(), "hostile": hostile(100), "nothing": nil} {
		dec := xml.NewDecoder(strings.NewReader(render(t, "junit", Options{Checks: fixtureChecks()}, events...)))
		path := []string{""}
		for {
			tok, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			switch x := tok.(type) {
			case xml.StartElement:
				parent := path[len(path)-1]
				if !strings.Contains(" "+children[parent]+" ", " "+x.Name.Local+" ") {
					t.Fatalf("%s: <%s> in <%s>", name, x.Name.Local, parent)
				}
				has := map[string]bool{}
				for _, a := range x.Attr {
					has[a.Name.Local] = true
					if !strings.Contains(" "+strings.ReplaceAll(attributes[x.Name.Local], "!", "")+" ", " "+a.Name.Local+" ") {
						t.Errorf("%s: <%s %s>", name, x.Name.Local, a.Name.Local)
					}
				}
				for _, a := range strings.Fields(attributes[x.Name.Local]) {
					if must, ok := strings.CutSuffix(a, "!"); ok && !has[must] {
						t.Errorf("%s: <%s> without %s", name, x.Name.Local, must)
					}
				}
				path = append(path, x.Name.Local)
			case xml.EndElement:
				path = path[:len(path)-1]
			}
		}
	}
}

// junitResults reads which cases of a target passed, failed, were skipped or in
// error.
func junitResults(t *testing.T, e ...event.Event) map[string]string {
	t.Helper()
	var doc struct {
		Suites []struct {
			Tests    int `xml:"tests,attr"`
			Failures int `xml:"failures,attr"`
			Errors   int `xml:"errors,attr"`
			Skipped  int `xml:"skipped,attr"`
			Cases    []struct {
				Name    string    `xml:"name,attr"`
				Skipped *struct{} `xml:"skipped"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(render(t, "junit", Options{Checks: fixtureChecks()}, e...)), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Suites) != 1 {
		t.Fatalf("%d suites", len(doc.Suites))
	}
	s, out, n := doc.Suites[0], map[string]string{}, map[string]int{}
	for _, c := range s.Cases {
		state := "passed"
		switch {
		case c.Error != nil:
			state = "error"
		case c.Failure != nil:
			state = "failed"
		case c.Skipped != nil:
			state = "skipped"
		}
		out[c.Name] = state
		n[state]++
	}
	if s.Tests != len(s.Cases) || s.Failures != n["failed"] || s.Errors != n["error"] || s.Skipped != n["skipped"] {
		t.Errorf("the suite's numbers %+v are not those of its cases", s)
	}
	return out
}

func TestJUnitCases(t *testing.T) {
	suppressed := plainHTTP
	suppressed.Suppressed = "baseline"
	strange := event.Finding{ID: "of-tomorrow", Severity: "apocalyptic", Title: "t"}
	tests := []struct {
		name string
		e    event.Event
		want map[string]string // cases that are not skipped
	}{
		{"open", gateway("10.0.0.1", func(x *event.Target) {
			x.Auth = &event.Auth{State: "open"}
			x.Findings = []event.Finding{missingAuth}
		}), map[string]string{"auth-missing": "failed", "exposed-to-internet": "passed", "plain-http": "passed", "auth-unverified": "passed"}},
		{"required, release known", gateway("10.0.0.1", func(x *event.Target) {
			x.Auth, x.Version = &event.Auth{State: "required"}, &event.Version{Exact: "1"}
			x.Findings = []event.Finding{plainHTTP}
		}), map[string]string{"auth-missing": "passed", "legacy-product": "passed", "advisory-affected": "passed", "exposed-to-internet": "passed", "plain-http": "failed", "auth-unverified": "passed"}},
		{"unknown is not passed", gateway("10.0.0.1", func(x *event.Target) {
			x.Auth = &event.Auth{State: "unknown"}
			x.Findings = []event.Finding{unverified}
		}), map[string]string{"exposed-to-internet": "passed", "plain-http": "passed", "auth-unverified": "passed"}}, // an info finding does not fail
		{"suppressed", gateway("10.0.0.1", func(x *event.Target) {
			x.Auth = &event.Auth{State: "required"}
			x.Findings = []event.Finding{suppressed}
		}), map[string]string{"auth-missing": "passed", "exposed-to-internet": "passed", "auth-unverified": "passed"}},
		{"a check that is not known", gateway("10.0.0.1", func(x *event.Target) {
			x.Auth = &event.Auth{State: "required"}
			x.Findings = []event.Finding{strange}
		}), map[string]string{"auth-missing": "passed", "exposed-to-internet": "passed", "auth-unverified": "passed", "plain-http": "passed", "of-tomorrow": "failed"}},
		{"no product", &event.Target{Outcome: "other"}, map[string]string{}},
		{"closed", &event.Target{Outcome: "closed"}, map[string]string{"probe": "error"}},
		{"closed member of a range", &event.Target{Outcome: "closed", Target: event.Address{Member: event.OfRange}}, map[string]string{}},
		{"unreachable", &event.Target{Outcome: "unreachable"}, map[string]string{"probe": "error"}},
		{"local error", &event.Target{Outcome: "local-error", Error: "descriptors"}, map[string]string{"probe": "error"}},
		{"outcome not known", &event.Target{Outcome: "volcano"}, map[string]string{"probe": "error"}},
	}
	for _, tt := range tests {
		got := junitResults(t, scanEvent(), tt.e)
		for id, state := range got {
			want, ok := tt.want[id]
			if !ok {
				want = "skipped"
			}
			if state != want {
				t.Errorf("%s: %s is %s, want %s", tt.name, id, state, want)
			}
		}
		for id := range tt.want {
			if _, ok := got[id]; !ok {
				t.Errorf("%s: no case %s", tt.name, id)
			}
		}
	}
}

func TestCSV(t *testing.T) {
	out := render(t, "csv", Options{}, changed()...)
	records, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 6 { // head, two findings and an advisory, one finding, one that is as it was
		t.Errorf("%d records: %q", len(records), records)
	}
	if strings.Count(out, "\r\n") != len(records) {
		t.Error("a line does not end as RFC 4180 has it")
	}
	column := map[string]int{}
	for i, c := range records[0] {
		column[c] = i
	}
	if len(column) != len(csvColumns()) {
		t.Error("a column is given twice")
	}
	for i, want := range []string{"opened", "closed", "", "unseen"} {
		if got := records[i+1][column["change"]]; got != want {
			t.Errorf("record %d: change %q, want %q", i+1, got, want)
		}
	}
	if r := records[3]; r[column["record"]] != "advisory" || r[column["cve"]] != "CVE-2026-12345" || r[column["references"]] != "https://github.com/advisories/GHSA-2222-3333-4444" {
		t.Errorf("advisory %q", r)
	}
	if out := render(t, "csv", Options{}); !strings.HasPrefix(out, "record,target,") || strings.Count(out, "\n") != 1 {
		t.Errorf("nothing: %q", out)
	}
}

func TestCSVCell(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain": "plain", "a-b": "a-b", "1-1": "1-1", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\uff1d1": "'\uff1d1",
		" =1": " '=1", "a;=1": "a;'=1", "a, -1": "a, '-1", `"=1"`: `"'=1"`, "==": "'==", "a=1": "a=1",
	} {
		if got := csvCell(in); got != want {
			t.Errorf("csvCell(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestSARIFLimit: what code scanning takes is the worst, and the rest is counted.
func TestSARIFLimit(t *testing.T) {
	s := newSARIF(io.Discard, Options{}, nil).(*sarif)
	for i := range 30 {
		severity := event.High
		if i%8 == 0 { // 4,000 notes, among 26,000 errors
			severity = event.Info
		}
		x := gateway("10.0.0.1", func(x *event.Target) {
			for i := range 1000 {
				x.Findings = append(x.Findings, event.Finding{ID: "x", Severity: severity, Key: fmt.Sprint(i)})
			}
		})
		if err := s.Event(x); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	s.w = &b
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	high := strings.Count(b.String(), `"level":"error"`)
	notes := strings.Count(b.String(), `"level":"note"`)
	if high != 25_000 || notes != 1 { // the note is the rule, of the first finding
		t.Errorf("%d errors and %d notes are left", high, notes)
	}
	if !strings.Contains(b.String(), "5000 results, none of them worse than these, are left out") {
		t.Error("what is left out is not said")
	}
}

func TestSARIFLocations(t *testing.T) {
	for source, want := range map[string]string{
		"hosts.txt:3":     `"uri":"hosts.txt","uriBaseId":"%SRCROOT%"},"region":{"startLine":3}`,
		"./ci/a b.txt:12": `"uri":"ci/a%20b.txt","uriBaseId":"%SRCROOT%"},"region":{"startLine":12}`,
		"args":            `"uri":"targets.txt"`, "local": `"uri":"targets.txt"`, "stdin:7": `"uri":"targets.txt"`, "/etc/hosts:3": `"uri":"targets.txt"`,
		"../up.txt:3": `"uri":"targets.txt"`, "file:///x:1": `"uri":"targets.txt"`, "hosts.txt:0": `"uri":"targets.txt"`,
	} {
		e := gateway("10.0.0.1", func(x *event.Target) { x.Target.Source, x.Findings = source, []event.Finding{plainHTTP} })
		if out := render(t, "sarif", Options{}, e); !strings.Contains(out, want) {
			t.Errorf("source %s: no %s", source, want)
		}
	}
}

func TestSARIFStates(t *testing.T) {
	type result struct {
		RuleID       string
		Level        string
		Baseline     string `json:"baselineState"`
		Suppressions []struct{ Kind, Status, Justification string }
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	var doc struct {
		Runs []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []result
		}
	}
	suppressed := plainHTTP
	suppressed.Suppressed = "ignore file: known"
	events := append(changed(), gateway("10.0.0.8", func(x *event.Target) { x.Findings = []event.Finding{suppressed} }))
	if err := json.Unmarshal([]byte(render(t, "sarif", Options{Checks: fixtureChecks()}, events...)), &doc); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range doc.Runs[0].Results {
		state := r.Baseline
		for _, s := range r.Suppressions {
			state += "(" + s.Kind + " " + s.Status + " " + s.Justification + ")"
		}
		got = append(got, r.RuleID+" "+r.Level+" "+state)
		if r.Fingerprints["primaryLocationLineHash"] == "" && r.RuleID == "auth-missing" {
			t.Error("no fingerprint")
		}
	}
	want := "auth-missing error new; GHSA-2222-3333-4444 error ; legacy-product error unchanged; plain-http warning absent; plain-http warning (external accepted ignore file: known)"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if n := len(doc.Runs[0].Tool.Driver.Rules); n != len(fixtureChecks())+1 {
		t.Errorf("%d rules", n)
	}
}

// TestUngraded: what this version cannot weigh, a finding or an advisory, is not
// mild in any format.
func TestUngraded(t *testing.T) {
	for _, word := range []event.Severity{"apocalyptic", event.Ungraded, ""} {
		events := []event.Event{scanEvent(), gateway("10.0.0.1", func(x *event.Target) {
			x.Auth = &event.Auth{State: "required"}
			x.Findings = []event.Finding{unverified, {ID: "of-tomorrow", Severity: word, Title: "t", Key: "k"}}
			x.Advisories = []event.Advisory{{ID: "GHSA-2222-3333-4444", Severity: word, Status: "affected", Summary: "s"}}
		}), summaryEvent(event.Summary{Targets: 1, Outcomes: map[event.Outcome]int{"identified": 1}, Auth: map[event.AuthState]int{"required": 1},
			Findings: map[event.Severity]int{word: 1, "info": 1}, Complete: true})}
		for format, want := range map[string][]string{
			"table":       {"1 unknown, 1 info"},
			"markdown":    {"1 unknown finding"},
			"html":        {`class="bad"`, `<article class="finding critical">`},
			"sarif":       {`"ruleId":"of-tomorrow","ruleIndex":8,"level":"error"`, `"ruleId":"GHSA-2222-3333-4444","ruleIndex":9,"level":"error"`, `"security-severity":"9.5"`},
			"junit":       {`failures="1"`},
			"codequality": {`"check_name":"of-tomorrow","fingerprint":"k","severity":"blocker"`, `"check_name":"GHSA-2222-3333-4444"`},
		} {
			for _, with := range [][]event.Event{events, events[:2]} {
				out := render(t, format, Options{Checks: fixtureChecks()}, with...)
				for _, w := range want {
					if !strings.Contains(out, w) {
						t.Errorf("%s, severity %q, %d events: no %q", format, word, len(with), w)
					}
				}
			}
		}
	}
}

// TestMarkdownFits: however much there is, a comment takes it, and what is left
// out is said.
func TestMarkdownFits(t *testing.T) {
	events := []event.Event{scanEvent()}
	for i := range 400 {
		events = append(events, gateway(fmt.Sprintf("10.2.%d.%d", i/250, i%250+1), func(x *event.Target) {
			x.Auth = &event.Auth{State: "open"}
			for range 5 {
				f := missingAuth
				f.Detail = strings.Repeat("A long detail. ", 60)
				x.Findings = append(x.Findings, f)
			}
		}))
	}
	for _, lang := range Languages() {
		out := render(t, "markdown", Options{Lang: lang}, events...)
		if n := utf8.RuneCountInString(out); n > 65_000 || n < 40_000 {
			t.Errorf("%d characters", n)
		}
		if strings.Count(out, "<details") != strings.Count(out, "</details>") {
			t.Error("a part is cut off")
		}
		if lang == "en" && !(strings.Contains(out, "more targets, none of them worse") && strings.Contains(out, "more listed targets are not shown in detail here")) {
			t.Error("what is left out is not said")
		}
	}
}

// TestMarkdownTitle: it says that all is well only if all was looked at.
func TestMarkdownTitle(t *testing.T) {
	required := gateway("10.0.0.1", func(x *event.Target) { x.Auth = &event.Auth{State: "required"} })
	sum := func(s event.Summary, identified int) event.Event {
		s.Targets, s.Outcomes, s.Auth = int64(identified), map[event.Outcome]int{"identified": identified}, map[event.AuthState]int{"required": identified}
		return summaryEvent(s)
	}
	for _, tt := range []struct {
		name   string
		events []event.Event
		want   string
	}{
		{"all well", []event.Event{scanEvent(), required, sum(event.Summary{Complete: true}, 1)}, "nothing to do"},
		{"nothing was scanned", []event.Event{scanEvent(), sum(event.Summary{Complete: true}, 0)}, "not everything could be judged"},
		{"not complete", []event.Event{scanEvent(), required, sum(event.Summary{}, 1)}, "not everything could be judged"},
		{"no summary", []event.Event{scanEvent(), required}, "not everything could be judged"},
		{"no line for one", []event.Event{scanEvent(), required, sum(event.Summary{Complete: true, Unlisted: &event.Unlisted{Count: 1}}, 1)}, "not everything could be judged"},
	} {
		out := render(t, "markdown", Options{}, tt.events...)
		if title, _, _ := strings.Cut(out, "\n"); title != "## clawsonar: "+tt.want {
			t.Errorf("%s: %q, want %q", tt.name, title, tt.want)
		}
	}
}

// TestControls judges: failed, no failure seen, not assessable.
func TestControls(t *testing.T) {
	checks := append(fixtureChecks(), event.CheckInfo{ID: "helper", Severity: event.High, Needs: event.NeedsHelpers, Controls: []string{"owasp:ASI05"}})
	judge := func(id string, events ...event.Event) string {
		s := newControls(io.Discard, Options{Checks: checks}, nil).(*controls)
		for _, e := range events {
			if err := s.Event(e); err != nil {
				t.Fatal(err)
			}
		}
		result, _ := s.judge(id)
		return result
	}
	open := gateway("10.0.0.1", func(x *event.Target) {
		x.Auth = &event.Auth{State: "open"}
		f := missingAuth
		f.Controls = []string{"nvdb:N2", "cncert:C2"}
		x.Findings = []event.Finding{f}
	})
	asks := gateway("10.0.0.2", func(x *event.Target) {
		x.Auth, x.Version = &event.Auth{State: "required"}, &event.Version{Exact: "1"}
	})
	dark := gateway("10.0.0.3", func(x *event.Target) { x.Auth = &event.Auth{State: "unknown"} })
	none := &event.Target{Outcome: "other"}
	past := gateway("10.0.0.1", func(x *event.Target) {
		x.Auth = &event.Auth{State: "required"}
		f := missingAuth
		f.Controls, f.Suppressed = []string{"cncert:C2"}, "baseline"
		x.Findings = []event.Finding{f}
	})
	for _, tt := range []struct {
		id     string
		events []event.Event
		want   string
	}{
		{"cncert:C2", []event.Event{scanEvent(), open, asks}, "**failed**"},
		{"cncert:C2", []event.Event{scanEvent(), asks}, "no failure seen"},
		{"cncert:C2", []event.Event{scanEvent(), dark}, "not assessable remotely"}, // unknown is neither
		{"cncert:C2", []event.Event{scanEvent(), none}, "not assessable remotely"},
		{"cncert:C2", []event.Event{scanEvent(), past}, "no failure seen"},
		{"nvdb:N1", []event.Event{scanEvent(), asks}, "no failure seen"},
		{"nvdb:N1", []event.Event{scanEvent(), dark}, "not assessable remotely"},
		{"nvdb:N3", []event.Event{scanEvent(), open, asks}, "not assessable remotely"},
		{"owasp:ASI05", []event.Event{scanEvent(), asks}, "not assessable remotely"},
	} {
		if got := judge(tt.id, tt.events...); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.id, got, tt.want)
		}
	}
	n := 0
	for _, f := range controlFamilies(nil) {
		n += len(f.controls)
	}
	if n != 6+7+5+10 {
		t.Errorf("%d controls", n)
	}
	if _, err := New("markdown", io.Discard, Options{View: "x"}); err == nil || !strings.Contains(err.Error(), `unknown view "x": use nvdb`) {
		t.Errorf("error %v", err)
	}
}

// FuzzStored: what was read is fit to print in every format for people.
func FuzzStored(f *testing.F) {
	f.Add([]byte("{\"type\":\"scan\",\"schema\":1}\n{\"type\":\"target\",\"error\":\"\\u202e\"}\n{\"type\":\"summary\"}\n"))
	f.Add([]byte("{\"type\":\"target\",\"auth\":{\"state\":\"open\"},\"findings\":[{\"severity\":\"x\"}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var events []event.Event
		_ = event.Read(strings.NewReader(string(data)), "f", func(e event.Event) error {
			events = append(events, e)
			return nil
		})
		if table := render(t, "table", Options{}, events...); strings.ContainsFunc(strings.ReplaceAll(table, "\n", ""), clean.Hidden) {
			t.Errorf("table is not fit to print: %q", table)
		}
	})
}

// TestFilters: what was named and not found is listed as not judged; a member of a
// range where nothing answers has no line unless one asks for it.
func TestFilters(t *testing.T) {
	closed := func(ip string, member event.Member) event.Event {
		return &event.Target{Outcome: "closed", Target: event.Address{IP: ip, Port: 1, URL: "http://" + ip + ":1/", Member: member}}
	}
	for verbose, want := range map[bool]string{false: "all (1) not judged (1)", true: "all (2) not judged (1) nothing to do (1)"} {
		out := render(t, "html", Options{Verbose: verbose}, scanEvent(), closed("10.0.0.1", ""), closed("10.0.0.2", event.OfRange))
		var got []string
		for line := range strings.Lines(out) {
			if _, label, ok := strings.Cut(line, `<label><input type="radio" name="show"`); ok {
				_, text, _ := strings.Cut(label, "> ")
				got = append(got, strings.TrimSuffix(strings.TrimSpace(text), "</label>"))
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("verbose %t: %q, want %q", verbose, s, want)
		}
	}
}

// TestCard: the section of one target alone is that of the page, and nothing that the
// target says gets out of it.
func TestCard(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		o := Options{Checks: fixtureChecks(), Lang: lang, Verbose: true}
		for _, events := range [][]event.Event{mixed(), hostile(100)} {
			page := render(t, "html", o, events...)
			n := 0
			for _, e := range events {
				x, ok := e.(*event.Target)
				if !ok {
					continue
				}
				card, err := Card(x, o)
				if err != nil {
					t.Fatal(err)
				}
				body, ok := strings.CutPrefix(string(card), `<section class="card `)
				_, body, ok2 := strings.Cut(body, "\n")
				if !ok || !ok2 || !strings.Contains(page, body) {
					t.Errorf("%s: the page has not the section %.300s", lang, card)
				}
				n++
			}
			if n < 3 {
				t.Errorf("%d sections", n)
			}
		}
	}
}

// TestClean: every string of what other packages show is clean, wherever it stands;
// times and addresses are as they were.
func TestClean(t *testing.T) {
	type inner struct {
		Text string
		Any  any
	}
	type outer struct {
		At    time.Time
		Addr  netip.Addr
		Made  template.HTML
		List  []inner
		Map   map[string]string
		None  *inner
		Other any
	}
	const bad = "a\x1b[31m\u202eb\n"
	in := outer{
		At: started, Addr: netip.MustParseAddr("10.0.0.1"), Made: "<b>\n</b>", List: []inner{{bad, []string{bad}}},
		Map: map[string]string{bad: bad}, Other: inner{Text: bad},
	}
	want := outer{
		At: started, Addr: in.Addr, Made: in.Made, List: []inner{{"ab", []string{"ab"}}}, Map: map[string]string{"ab": "ab"}, Other: inner{Text: "ab"},
	}
	if got := Clean(in); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
