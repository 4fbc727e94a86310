package web

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/report"
)

var update = flag.Bool("update", false, "write the golden files")

// paths are the pages of a fleet, by a short name.
func paths(f *fake) map[string]string {
	out := map[string]string{
		"overview": "/", "gateways": "/gateways", "query": "/gateways?q=verdict:ajar", "changes": "/changes?kind=opened&kind=closed&owner=mail", "weekly": "/weekly", "runs": "/runs", "public": "/public",
		"open": "/gateways/" + f.gateways[0].ID.String(), "gone": "/gateways/" + f.gateways[3].ID.String(), "run": "/runs/" + f.runs[0].ID.String(), "cut": "/runs/" + f.runs[1].ID.String(),
		"none": "/gateways/0000000000000", "jobs": "/jobs",
	}
	for name, i := range map[string]int{"new": 0, "running": 1, "gave": 2, "whole": 3, "stopped": 4} {
		out["job-"+name] = "/jobs/" + f.jobs[i].ID
	}
	return out
}

// exports are the lists in other formats.
func exports(f *fake) map[string]string {
	out := map[string]string{"atom": "/changes.atom", "json": "/changes.json", "weekly": "/weekly?format=markdown"}
	for list, formats := range map[string][]string{"gateways": gatewayFormats(), "changes": changeFormats(), "runs": runFormats()} {
		for _, format := range formats {
			out[list+"-"+format] = "/" + list + "?format=" + format
		}
	}
	return out
}

// TestPages: the main pages in both languages are those of the golden files.
func TestPages(t *testing.T) {
	f := fleet(t, same)
	h := handler(board(t, f), access.Work)
	for name, path := range paths(f) {
		for _, lang := range report.Languages() {
			w := get(t, h, path, "Accept-Language", lang)
			want := map[string]int{"query": http.StatusBadRequest, "none": http.StatusNotFound}[name]
			if want == 0 {
				want = http.StatusOK
			}
			if w.Code != want || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("%s: %d %s", path, w.Code, w.Header())
			}
			golden(t, name+"-"+lang+".html", w.Body.String())
		}
	}
	for name, path := range exports(f) {
		w := get(t, h, path)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		golden(t, name+".txt", w.Body.String())
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		i := 0
		for i < min(len(want), len(got)) && want[i] == got[i] {
			i++
		}
		t.Errorf("%s differs at byte %d: %.120q, want %.120q (go test -update writes it)", file, i, got[i:], want[i:])
	}
}

// hostile is what a target, or a file of somebody else, might say: lines for build logs,
// escape sequences, control and bidirectional characters, markup, a formula, and much.
func hostile(s string) string {
	return "=HYPERLINK(\"http://evil.example\")\n::error::x ##[x]\x1b[2J\x1b]0;owned\x07\u009b31m\x00\x7f\u0085\u2028\u202e\u2066\u200b\ufeff\xff\U000e0041" +
		"<script>alert(1)</script>'\"><img src=x onerror=alert(1)> `|*[a](http://b) @team e" + strings.Repeat("\u0301", 50) + strings.Repeat("A", 3000) + s
}

// TestHostile: whatever those say who are looked at, no page has markup, a link or a
// character of theirs that hides, and no export a line or a formula.
func TestHostile(t *testing.T) {
	f := fleet(t, hostile)
	for _, x := range f.lines {
		x.Target.URL, x.Target.Name, x.Error = hostile("url"), hostile("name"), hostile("error")
		x.Product.Name, x.Product.Brand = hostile("product"), ""
		x.Version = &event.Version{Exact: hostile("release")}
		for i := range x.Findings {
			x.Findings[i].Detail, x.Findings[i].Title, x.Findings[i].Messages = hostile("detail"), hostile("title"), nil
			x.Findings[i].References = []string{"javascript:alert(1)", hostile("reference")}
		}
		for i := range x.Advisories {
			x.Advisories[i].Summary, x.Advisories[i].ID = hostile("summary"), hostile("id")
		}
	}
	h := handler(board(t, f), access.Work)
	for _, lang := range report.Languages() {
		for name, path := range paths(f) {
			if strings.HasPrefix(path, "/changes") {
				path = "/changes"
			}
			w := get(t, h, path, "Accept-Language", lang)
			checkPage(t, name+" "+lang, w.Body.String())
		}
		checkPage(t, "query", get(t, h, "/gateways?q="+url.QueryEscape(hostile("")[:900])).Body.String())
	}
	for name, path := range exports(f) {
		w := get(t, h, path)
		body := w.Body.String()
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d", path, w.Code)
		}
		if i := strings.IndexFunc(body, func(r rune) bool { return r != '\n' && r != '\r' && clean.Hidden(r) }); i >= 0 {
			t.Errorf("%s: holds %q", path, body[i:min(i+20, len(body))])
		}
		switch {
		case strings.Contains(name, "csv"):
			rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
			if err != nil || len(rows) < 2 {
				t.Fatal(name, err)
			}
			for _, row := range rows {
				for _, cell := range row {
					if strings.ContainsAny(cell[:min(1, len(cell))], "=+@\t\r-") {
						t.Errorf("%s: a cell is a formula: %.60q", name, cell)
					}
				}
			}
		case strings.Contains(name, "jsonl"), strings.Contains(name, "intelmq"):
			for line := range strings.Lines(body) {
				if !json.Valid([]byte(line)) {
					t.Errorf("%s: no JSON: %.60q", name, line)
				}
			}
		case strings.Contains(name, "json"), strings.Contains(name, "sarif"):
			if !json.Valid([]byte(body)) {
				t.Errorf("%s: no JSON", name)
			}
		case strings.Contains(name, "markdown"), name == "weekly":
			if strings.Contains(body, "<script") || strings.Contains(body, "<img") || regexp.MustCompile(`[^\\]\]\(http://b\)`).MatchString(body) {
				t.Errorf("%s: has markup of a target", name)
			}
		case name == "atom":
			var feed atomFeed
			if err := xml.Unmarshal([]byte(body), &feed); err != nil || len(feed.Entries) != len(f.changes) {
				t.Errorf("%s: %d entries, %v", name, len(feed.Entries), err)
			}
		}
	}
}

// checkPage reads a page as a browser does: no script, no style or handler in an
// attribute, no link that leaves the board but for the references of the checks, every
// element closed, each id once, each control with a label.
func checkPage(t *testing.T, name, page string) {
	t.Helper()
	if i := strings.IndexFunc(page, func(r rune) bool { return r != '\n' && clean.Hidden(r) }); i >= 0 {
		t.Errorf("%s: holds %q", name, page[i:min(i+20, len(page))])
	}
	ids, labels := map[string]bool{}, map[string]bool{}
	var controls []string
	var open []string
	void := []string{"meta", "link", "input", "br", "img", "hr"}
	z := html.NewTokenizer(strings.NewReader(page))
	inLabel := 0
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			if !errors.Is(z.Err(), io.EOF) {
				t.Errorf("%s: %v", name, z.Err())
			}
			break
		}
		tok := z.Token()
		switch kind {
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != tok.Data {
				t.Fatalf("%s: </%s> closes %v", name, tok.Data, open)
			}
			open = open[:len(open)-1]
			if tok.Data == "label" {
				inLabel--
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			if slices.Contains([]string{"script", "style", "iframe", "img", "object", "base"}, tok.Data) {
				t.Errorf("%s: has <%s>", name, tok.Data)
			}
			if !slices.Contains(void, tok.Data) && kind == html.StartTagToken {
				open = append(open, tok.Data)
			}
			if tok.Data == "label" {
				inLabel++
			}
			attr := map[string]string{}
			for _, a := range tok.Attr {
				attr[a.Key] = a.Val
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: %s has the attribute %s", name, tok.Data, a.Key)
				}
				if (a.Key == "href" || a.Key == "action") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "?") &&
					!regexp.MustCompile(`^https://(docs\.openclaw\.ai|github\.com|nvd\.nist\.gov)/`).MatchString(a.Val) {
					t.Errorf("%s: a link to %.80q", name, a.Val)
				}
			}
			if id := attr["id"]; id != "" {
				if ids[id] {
					t.Errorf("%s: the id %s is there twice", name, id)
				}
				ids[id] = true
			}
			if attr["for"] != "" {
				labels[attr["for"]] = true
			}
			if (tok.Data == "input" || tok.Data == "textarea") && inLabel == 0 {
				controls = append(controls, attr["id"])
			}
		}
	}
	if len(open) > 0 {
		t.Errorf("%s: not closed: %v", name, open)
	}
	for _, id := range controls {
		if !labels[id] {
			t.Errorf("%s: the control %q has no label", name, id)
		}
	}
}

// TestUnresolved: a gateway that was open, and whose last look proved nothing, is never
// shown as fixed: it needs somebody on the overview, and its line in an export has no
// finding that is gone by proof.
func TestUnresolved(t *testing.T) {
	f := fleet(t, same)
	h := handler(board(t, f), access.View)
	overview := get(t, h, "/").Body.String()
	now := overview[strings.Index(overview, `id="now"`):strings.Index(overview, `id="verdicts"`)]
	for _, g := range f.gateways {
		if g.Unresolved() && !strings.Contains(now, "/gateways/"+g.ID.String()) {
			t.Errorf("%s is not among what needs somebody", g.Place)
		}
	}
	g := f.gateways[3]
	if page := get(t, h, "/gateways/"+g.ID.String()).Body.String(); !strings.Contains(page, "nobody has seen that it was closed") || !strings.Contains(page, "not of the last look") {
		t.Error("the page of a gone gateway does not say that it was open")
	}
	n := 0
	err := event.Read(get(t, h, "/gateways?format=jsonl").Body, "export", func(e event.Event) error {
		x, ok := e.(*event.Target)
		if !ok || x.Outcome != event.OutcomeAbsent {
			return nil
		}
		n++
		if x.Auth != nil || len(x.Notes) == 0 {
			t.Errorf("a gone gateway is %+v", x)
		}
		for i := range x.Findings {
			if x.Findings[i].Change != event.Unseen {
				t.Errorf("its finding %s is %q", x.Findings[i].ID, x.Findings[i].Change)
			}
		}
		return nil
	})
	if err != nil || n != 1 {
		t.Errorf("%d gone gateways, %v", n, err)
	}
}

// TestJobs: a job that has not looked at everything is never shown as fine, that nothing was
// looked at is no number of gateways, and what was given up is named, or it is said that it
// cannot be.
func TestJobs(t *testing.T) {
	f := fleet(t, same)
	b := board(t, f)
	h := handler(b, access.View)
	const nothing, whole = "Nothing has been looked at yet.", "Complete: every target was looked at."
	for _, tt := range []struct {
		id        string
		has, lack []string
	}{
		{"0000000000new", []string{nothing, `headline doubt`}, []string{whole, "<progress", "tiles"}},
		{"0000000000run", []string{"Running: not every target", `headline doubt`, `<progress max="30" value="12"`, "12 of 30 units done, 1 given up, 2 being made, 15 waiting", "1600 of 4000", "41.2 targets a second",
			nothing, "the worker w1 was not heard of", "10.1.4.20:18789", "among what was looked at", "silent for 3 days", "refused 3 days ago: <span lang=\"en\">it is clawsonar-hub 0.3.0"}, []string{whole, "retired"}},
		{"000000000gave", []string{"Incomplete: what it did not see is not closed.", `headline doubt`, whole, `href="/runs?watch=office%40sgp"`, "18 of 1959 retried answered"}, []string{nothing}},
		{"00000000whole", []string{whole, `headline plain`}, []string{nothing, "doubt\">Incomplete", "Units that were given up"}},
		{"000000000stop", []string{"Stopped, incomplete", `headline doubt`, "the exclusion list changed", "Nothing was looked at."}, []string{whole, "tiles"}},
	} {
		page := get(t, h, "/jobs/"+tt.id).Body.String()
		for _, x := range tt.has {
			if !strings.Contains(page, x) {
				t.Errorf("%s: no %q", tt.id, x)
			}
		}
		for _, x := range tt.lack {
			if strings.Contains(page, x) {
				t.Errorf("%s: has %q", tt.id, x)
			}
		}
		if t.Failed() {
			t.Fatal(page)
		}
	}
	if list := get(t, h, "/jobs").Body.String(); strings.Count(list, whole) != 1 || strings.Count(list, `class="sub doubt">`) < len(f.jobs)-1 {
		t.Errorf("the list says that what is not whole is: %s", list)
	}
	for _, named := range []func(context.Context, string, []uint64) ([][]string, error){
		nil, func(context.Context, string, []uint64) ([][]string, error) { return nil, errors.New("broken") },
	} {
		b.UnitTargets = named
		if page := get(t, h, "/jobs/0000000000run").Body.String(); !strings.Contains(page, "Their targets cannot be named") || !strings.Contains(page, "was not heard of") {
			t.Errorf("what was given up is not shown, or not that it cannot be named: %s", page)
		}
	}
	// The way there is shown where it leads to something.
	for _, tt := range []struct{ workers, jobs, want bool }{{false, false, false}, {true, false, true}, {false, true, true}} {
		f, b := fleet(t, same), board(t, f)
		if b.Data, b.Workers = f, tt.workers; !tt.jobs {
			f.jobs = nil
		}
		if got := strings.Contains(get(t, handler(b, access.View), "/runs").Body.String(), `href="/jobs"`); got != tt.want {
			t.Errorf("%+v: %t", tt, got)
		}
	}
}

// TestChangesSARIF: what came is new, what a look has shown to be gone is absent, and what
// went with its gateway is neither.
func TestChangesSARIF(t *testing.T) {
	f := fleet(t, same)
	run := f.runs[0].ID
	f.changes[0].Episodes = []store.Episode{
		{What: store.OfVerdict, Value: "open", Run: run},
		{What: store.OfFinding, Value: "auth-missing", Severity: event.Critical, Key: "a", Run: run},
		{What: store.OfFinding, Value: "plain-http", Severity: event.Medium, Key: "b", ClosedRun: run, Why: store.WhyClosed},
		{What: store.OfFinding, Value: "legacy-product", Severity: event.High, Key: "c", ClosedRun: run, Why: store.WhyGone},
	}
	f.changes = f.changes[:1]
	var log struct {
		Runs []struct {
			Results []struct {
				RuleID, BaselineState string
				Message               struct{ Text string }
			}
		}
	}
	if err := json.Unmarshal(get(t, handler(board(t, f), access.View), "/changes?format=sarif").Body.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range log.Runs[0].Results {
		got[r.RuleID] = r.BaselineState
		if !strings.Contains(r.Message.Text, "Seen by the watch office at 2026-11-30T09:36:00Z.") {
			t.Errorf("%s: %s", r.RuleID, r.Message.Text)
		}
	}
	if fmt.Sprint(got) != "map[auth-missing:new legacy-product:unchanged plain-http:absent]" {
		t.Error(got)
	}
}

// TestComplete: an export says that it is complete only if it is of all gateways, no
// watch is late, and the last run of each saw everything.
func TestComplete(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		edit        func(*Board, *fake)
		want        bool
	}{
		{"all well", "", func(*Board, *fake) {}, true},
		{"a query", "q=owner:mail&", func(*Board, *fake) {}, false},
		{"an incomplete run", "", func(_ *Board, f *fake) { f.overview.Watches[0].Last.Complete = false }, false},
		{"a target that was not judged", "", func(_ *Board, f *fake) { f.overview.Watches[1].Last.Unjudged = 1 }, false},
		{"a late watch", "", func(b *Board, _ *fake) { b.Watches[0].Every = time.Hour }, false},
		{"a watch that never ran", "", func(b *Board, _ *fake) { b.Watches = append(b.Watches, Watch{Name: "new"}) }, false},
		{"no watch", "", func(b *Board, f *fake) { f.overview.Watches, b.Watches = nil, nil }, false},
		{"a watch of the past", "", func(b *Board, _ *fake) { b.Watches = b.Watches[1:] }, false},
		{"a gateway without a line", "", func(_ *Board, f *fake) { delete(f.lines, f.gateways[0].ID) }, false},
	} {
		f := fleet(t, same)
		for _, g := range f.gateways {
			if f.lines[g.ID] == nil {
				f.lines[g.ID] = f.lines[f.gateways[0].ID]
			}
		}
		b := board(t, f)
		b.Watches = []Watch{{"office", 6 * time.Hour}, {"dmz", 24 * time.Hour}, {"lab", 0}}
		f.overview.Watches[0].Last.Complete = true
		for _, w := range f.overview.Watches {
			w.Last.Unjudged = 0
		}
		tt.edit(b, f)
		complete, summaries := false, 0
		err := event.Read(get(t, handler(b, access.View), "/gateways?"+tt.query+"format=jsonl").Body, "export", func(e event.Event) error {
			if s, ok := e.(*event.Summary); ok {
				complete = s.Complete
				summaries++
			}
			return nil
		})
		if err != nil || summaries != 1 || complete != tt.want {
			t.Errorf("%s: complete %t, %v", tt.name, complete, err)
		}
	}
}

// TestWatches: a watch is late, or has never run, only if it is configured.
func TestWatches(t *testing.T) {
	b := board(t, fleet(t, same))
	l := b.languages["en"]
	last := &store.Run{Started: at(0.5), Complete: true}
	for _, tt := range []struct {
		watches []Watch
		last    *store.Run
		want    string
	}{
		{[]Watch{{"x", 24 * time.Hour}}, last, ""},
		{[]Watch{{"x", 6 * time.Hour}}, last, ""}, // one run may be at work
		{[]Watch{{"x", 5 * time.Hour}}, last, "late: its last run began 12 hours ago, and one is due every 5 hours"},
		{[]Watch{{"x", 0}}, last, ""},
		{[]Watch{{"y", time.Hour}, {"x", 0}}, last, "y: it has never run"},
		{[]Watch{{"y", 0}}, last, "y: it has never run"}, // x is of the past
		{nil, &store.Run{Started: at(90), Complete: false}, "its last run is incomplete"},
		{[]Watch{{"x", time.Hour}}, &store.Run{Started: at(90)}, "late"},
	} {
		b.Watches = tt.watches
		var got string
		for _, x := range b.watches(l, []store.WatchState{{Name: "x", Last: tt.last}}, now) {
			if len(x.Says) > 0 {
				got += x.Name + ": " + strings.Join(x.Says, "; ")
			}
		}
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%v: %q, want %q", tt.watches, got, tt.want)
		}
	}
}

// TestCalm: "nothing needs you" is said only if that is known.
func TestCalm(t *testing.T) {
	const calm = "Nothing: every gateway that is known was proven not to be open"
	quiet := func() *fake {
		f := fleet(t, same)
		o := &f.overview
		o.Alarming, o.Unresolved, o.Unclear, o.AlarmingN, o.UnresolvedN, o.UnclearN = nil, nil, nil, 0, 0, 0
		for i := range f.gateways {
			f.gateways[i].Severity = event.Low
		}
		for i := range o.Watches {
			last := *o.Watches[i].Last
			last.Complete, last.Unjudged = true, 0
			o.Watches[i].Last = &last
		}
		return f
	}
	for _, tt := range []struct {
		name  string
		spoil func(*fake)
		want  string
	}{
		{"calm", func(*fake) {}, calm},
		{"open", func(f *fake) { f.overview.AlarmingN, f.overview.Alarming = 1, f.gateways[:1] }, "1 gateway is open or claimable, by proof"},
		{"was open", func(f *fake) { f.overview.UnresolvedN, f.overview.Unresolved = 1, f.gateways[:1] }, "1 gateway was open"},
		{"unknown", func(f *fake) { f.overview.UnclearN, f.overview.Unclear = 1, f.gateways[:1] }, "Whether 1 gateway asks for a credential is not known"},
		{"severe", func(f *fake) {
			for i := range f.gateways {
				f.gateways[i].Severity = event.High
			}
		}, "critical or high"},
		{"incomplete", func(f *fake) { f.overview.Watches[0].Last.Complete = false }, "its last run is incomplete"},
		{"not judged", func(f *fake) { f.overview.Watches[0].Last.Unjudged = 2 }, "2 targets that it names could not be judged"},
		{"not told", func(f *fake) {
			f.failing = []store.Delivery{{Rule: "pager", Sink: "https://hooks", Error: "refused <b>"}}
		}, "Alerts that have not reached anybody"},
		{"no run", func(f *fake) { f.overview, f.gateways = store.Overview{}, nil }, "nothing is known"},
		{"no gateway", func(f *fake) { f.overview.Now = nil }, "No gateway was found. Every watch ran in time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := quiet()
			tt.spoil(f)
			b := board(t, f)
			b.Watches = nil
			page := get(t, handler(b, access.View), "/").Body.String()
			if !strings.Contains(page, tt.want) || tt.want != calm && strings.Contains(page, calm) || strings.Contains(page, "refused <b>") {
				t.Errorf("%s", page[strings.Index(page, "<main"):strings.Index(page, "Verdicts")])
			}
		})
	}
}

// TestDoubt: what nobody has looked at, or nobody could judge, is said wherever a number or
// a list could pass for all there is.
func TestDoubt(t *testing.T) {
	quiet := func() (*Board, *fake) {
		f := fleet(t, same)
		f.gateways, f.changes = f.gateways[4:10], nil // that ask for a credential
		b := board(t, f)
		b.Watches = []Watch{{"office", 6 * time.Hour}}
		f.overview.Watches = f.overview.Watches[2:]
		last := *f.overview.Watches[0].Last
		last.Unjudged = 0
		f.overview.Watches[0].Last, f.overview.Watches[0].LastComplete = &last, &last
		return b, f
	}
	const fine = "Of what was looked at, nothing opened, closed, appeared or went, and nothing is open."
	for _, tt := range []struct {
		name   string
		spoil  func(*Board, *fake)
		weekly string // is in both of its forms
		public string // "" for no doubt
		calm   bool   // fine stands in the weekly report
	}{
		{"fine", func(*Board, *fake) {}, fine, "", true},
		{"not judged", func(_ *Board, f *fake) { f.overview.Watches[0].Last.Unjudged = 2 }, "2 targets that it names could not be judged", "can be too small", true},
		{"late", func(b *Board, _ *fake) { b.Watches[0].Every = time.Hour }, "late: its last run began 2 hours ago", "can be too small", true},
		{"incomplete", func(_ *Board, f *fake) { f.overview.Watches[0].Last.Complete = false }, "its last run is incomplete", "can be too small", true},
		{"never ran", func(b *Board, f *fake) { f.overview.Watches = nil }, "it has never run", "nothing is known", true},
		{"no watch", func(b *Board, f *fake) { f.overview.Watches, b.Watches = nil, nil }, "No watch has run yet: nothing is known.", "nothing is known", false},
		{"not known", func(_ *Board, f *fake) {
			f.gateways[0].Verdict, f.gateways[0].Proven = store.Verdict(event.AuthUnknown), ""
		}, "Whether it asks for a credential is not known", "", false},
	} {
		b, f := quiet()
		tt.spoil(b, f)
		h := handler(b, access.View)
		for _, path := range []string{"/weekly", "/weekly?format=markdown"} {
			text := strings.ReplaceAll(get(t, h, path).Body.String(), `\`, "")
			if !strings.Contains(text, tt.weekly) || strings.Contains(text, fine) != tt.calm {
				t.Errorf("%s: %s: %s", tt.name, path, text)
			}
		}
		public := get(t, h, "/public").Body.String()
		if doubt := regexp.MustCompile(`<p class="doubt">.*`).FindString(public); (doubt == "") != (tt.public == "") || !strings.Contains(doubt, tt.public) {
			t.Errorf("%s: %s", tt.name, public)
		}
	}

	f := fleet(t, same)
	b := board(t, f)
	b.Watches = b.Watches[1:] // office is of the past
	h := handler(b, access.View)
	for path, want := range map[string]string{
		"/runs":                          "1 target not judged",
		"/runs/" + f.runs[0].ID.String(): "Complete, but 1 target that it names could not be judged.",
		"/":                              "it is not configured any more: nobody looks at what it saw",
		"/changes?format=intelmq":        `"classification.identifier":"openclaw-gateway-was-open","severity":"undefined","source.ip":"10.1.4.23"`, // gone
		"/public":                        `<th scope="row">release unknown</th>`,
	} {
		f.overview.Releases[2].N = 7
		if body := get(t, h, path).Body.String(); !strings.Contains(body, want) {
			t.Errorf("%s lacks %s: %s", path, want, body)
		}
	}
	// What is after the end of a list does not read as that there is nothing.
	for _, path := range []string{"/gateways?page=99", "/changes?page=99", "/runs?page=99", "/jobs?page=99"} {
		if w := get(t, h, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestGroups: of many groups the largest are shown, and always how many gateways are in none
// that is known; where none is known there is no table.
func TestGroups(t *testing.T) {
	l := board(t, &fake{}).languages["en"]
	many := []store.System{{Counted: store.Counted{N: 1}}}
	for i := range 20 {
		many = append(many, store.System{AS: uint32(64500 + i), Counted: store.Counted{Name: "Net", N: 9 + i}})
	}
	g := l.systems(many)
	if n := len(g.Rows); n != groupRows+1 || g.More != 8 || g.Rows[0].Name != "AS64519 Net" || g.Rows[0].URL != "/gateways?q=as%3A64519" || g.Rows[0].Share != 100 {
		t.Fatalf("%+v", g)
	}
	if x := g.Rows[groupRows]; x.Name != "unknown" || x.N != 1 || x.URL != "/gateways?q=as%3Aunknown" {
		t.Errorf("%+v", x)
	}
	if g := l.countries([]store.Counted{{N: 7}, {Name: "AU", N: 2}}); len(g.Rows) != 2 || g.Rows[1].Name != "unknown" || g.Rows[1].URL != "/gateways?q=country%3Aunknown" {
		t.Errorf("%+v", g)
	}
	if g := l.systems(nil); g.Rows != nil {
		t.Errorf("%+v", g)
	}
}

// TestLogged: whatever names gateways is in the audit log with who asked for it; a
// pattern with a wildcard always is.
func TestLogged(t *testing.T) {
	for _, r := range board(t, fleet(t, same)).Routes() {
		switch r.Pattern {
		case "GET /style.css", "GET /public", "GET /runs", "GET /jobs": // name none
			continue
		}
		if !r.Logged && !strings.Contains(r.Pattern, "{") {
			t.Errorf("nobody learns who asked for %s", r.Pattern)
		}
	}
}

// TestPublic: the page is made of numbers that are rounded down to fives alone, so that
// any two fleets that round alike have the same page; and it has no place or name.
func TestPublic(t *testing.T) {
	f := fleet(t, same)
	b := board(t, f)
	page := get(t, handler(b, access.Public), "/public")
	text := page.Body.String()
	for _, secret := range []string{"10.1.", "mail", "web team", "office", "dmz", "assistant", "example.org", "2026.3.1", "/gateways"} {
		if strings.Contains(text, secret) {
			t.Errorf("the public page holds %q", secret)
		}
	}
	l := b.languages["en"]
	over := func(n [4]int) store.Overview {
		return store.Overview{
			Now:        map[store.Verdict]int{"open": n[0], "required": n[1], store.Gone: n[2]},
			Severities: map[event.Severity]int{event.High: n[2], "": n[3]}, Releases: []store.Counted{{Name: "2026.9.6", N: n[3]}},
		}
	}
	for i := range 30 {
		for j := range 30 {
			p := l.publicPage(over([4]int{i, j, (i + j) % 13, i}))
			for _, row := range slices.Concat(p.Verdicts, p.Severe, p.Releases, []publicRow{{Text: p.Gateways}}) {
				var n int
				if _, err := fmt.Sscanf(row.Text, "at least %d", &n); err != nil && row.Text != "fewer than 5" || n%5 != 0 || err == nil && n == 0 {
					t.Fatalf("%d, %d: %q", i, j, row.Text)
				}
			}
			// What is shown of a number is its own five, whatever the others are.
			if got, want := p.Verdicts[0].Text, l.publicPage(over([4]int{i / 5 * 5, 0, 0, 0})).Verdicts[0].Text; got != want {
				t.Fatalf("%d: %s, %s", i, got, want)
			}
		}
	}
	b.Public = false
	for _, r := range b.Routes() {
		if strings.HasSuffix(r.Pattern, "/public") && r.Needs != access.View {
			t.Error("numbers are public that are not meant to be")
		}
	}
}

func TestQuery(t *testing.T) {
	h := handler(board(t, fleet(t, same)), access.View)
	w := get(t, h, "/gateways?q=verdict%3Aajar")
	body := w.Body.String()
	if w.Code != http.StatusBadRequest || !strings.Contains(body, `aria-invalid="true"`) || !strings.Contains(body, "no such value") || strings.Contains(body, "<tbody") || !strings.Contains(body, `value="verdict:ajar"`) {
		t.Errorf("%d: %.3000s", w.Code, body)
	}
	if w := get(t, h, "/gateways?q=verdict%3Aajar&format=csv"); w.Code != http.StatusBadRequest || w.Header().Get("Content-Disposition") != "" {
		t.Errorf("an export of a wrong query: %d %v", w.Code, w.Header())
	}
	if w := get(t, h, "/gateways?q=owner%3Anobody"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "No gateway is so.") {
		t.Errorf("nothing found: %d", w.Code)
	}
	for _, path := range []string{"/changes?kind=x", "/changes?since=yesterday", "/changes.atom?until=2026-13-01", "/gateways?format=xls", "/runs?format=sarif", "/weekly?format=csv", "/changes?owner=" + strings.Repeat("a", 2000)} {
		if w := get(t, h, path); w.Code != http.StatusBadRequest {
			t.Errorf("%.40s: %d", path, w.Code)
		}
	}
	for _, k := range board(t, fleet(t, same)).languages["en"].queryHelp() {
		if k.Means == "" {
			t.Errorf("nothing is said of %s", k.Name)
		}
	}
}

func TestPager(t *testing.T) {
	f := fleet(t, same)
	for i := range 120 {
		g := f.gateways[5]
		g.ID, g.Place = store.MakeID(fmt.Sprint(i)), fmt.Sprintf("10.3.0.%d:18789", i)
		f.gateways = append(f.gateways, g)
	}
	h := handler(board(t, f), access.View)
	seen := map[string]bool{}
	path := "/gateways?q=port:18789"
	for range 10 {
		body := get(t, h, path).Body.String()
		for _, m := range regexp.MustCompile(`href="(/gateways/[0-9a-z]{13})"`).FindAllStringSubmatch(body, -1) {
			seen[m[1]] = true
		}
		m := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(body)
		if m == nil {
			break
		}
		path = html.UnescapeString(m[1])
		if !strings.Contains(path, "q=port") {
			t.Errorf("%s lacks the query", path)
		}
	}
	if len(seen) != len(f.gateways) {
		t.Errorf("%d of %d gateways", len(seen), len(f.gateways))
	}
	for _, page := range []string{"0", "-1", "x", "99999999999"} {
		if w := get(t, h, "/gateways?page="+page); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "1 to 50 of") {
			t.Errorf("page %s: %d", page, w.Code)
		}
	}
}

func TestNotes(t *testing.T) {
	f := fleet(t, same)
	b := board(t, f)
	g := f.gateways[0]
	send := func(path string, form url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		handler(b, access.Work).ServeHTTP(w, r)
		return w
	}
	path := "/gateways/" + g.ID.String() + "/notes"
	w := send(path, url.Values{"text": {" one\r\ntwo "}, "until": {"2026-12-24"}})
	n := f.notes[len(f.notes)-1]
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/gateways/"+g.ID.String()+"#notes" || n.Text != "one\ntwo" || n.Author != "ana" || n.Place != g.Place ||
		!n.Until.Equal(time.Date(2026, 12, 25, 0, 0, 0, 0, time.UTC)) || !n.Written.Equal(now) {
		t.Errorf("%d %v: %+v", w.Code, w.Header(), n)
	}
	before := len(f.notes)
	for _, form := range []url.Values{{"text": {" "}}, {"text": {strings.Repeat("a", 4001)}}, {"text": {"a"}, "until": {"soon"}}, {"text": {"a"}, "until": {"2026-11-29"}}, {"text": {strings.Repeat("a", 1<<20)}}} {
		if w := send(path, form); w.Code != http.StatusBadRequest || len(f.notes) != before {
			t.Errorf("%.40v: %d, %d notes", form, w.Code, len(f.notes)-before)
		}
	}
	if w := send(path, url.Values{"text": {"a"}, "until": {"2026-11-30"}}); w.Code != http.StatusSeeOther {
		t.Errorf("until today: %d", w.Code)
	}
	if w := send(path+"/1/end", nil); w.Code != http.StatusSeeOther || !f.notes[0].Until.Equal(now) {
		t.Errorf("end: %d %v", w.Code, f.notes[0])
	}
	// Not through another gateway.
	if w := send("/gateways/"+f.gateways[1].ID.String()+"/notes/2/end", nil); w.Code != http.StatusNotFound {
		t.Errorf("the note of another gateway: %d", w.Code)
	}
	view := get(t, handler(b, access.View), "/gateways/"+g.ID.String()).Body.String()
	if strings.Contains(view, `method="post" action="/gateways`) || !strings.Contains(view, "one<br>two") {
		t.Error("who may only look has a form, or no note")
	}
}

func TestStream(t *testing.T) {
	f := fleet(t, same)
	f.runs[0].File = "replicas.jsonl"
	b := board(t, f)
	h := handler(b, access.View)
	path := "/runs/" + f.runs[0].ID.String() + "/stream"
	want, err := os.ReadFile("../../../testdata/streams/replicas.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if w := get(t, h, path); w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), want) || w.Header().Get("Content-Disposition") != "attachment; filename=clawsonar-run-"+f.runs[0].ID.String()+"-20261130-1200.jsonl" {
		t.Errorf("%d, %d bytes of %d, %v", w.Code, w.Body.Len(), len(want), w.Header())
	}
	for _, format := range report.Formats() {
		if w := get(t, h, path+"?format="+format); w.Code != http.StatusOK || w.Body.Len() < 1000 {
			t.Errorf("%s: %d, %d bytes", format, w.Code, w.Body.Len())
		}
	}
	if w := get(t, h, path+"?format=xls"); w.Code != http.StatusBadRequest {
		t.Errorf("xls: %d", w.Code)
	}
	for _, file := range []string{"../../etc/passwd", "/etc/passwd", "missing.jsonl"} {
		f.runs[0].File = file
		if w := get(t, h, path); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), file) {
			t.Errorf("%s: %d %s", file, w.Code, w.Body)
		}
	}
}

// TestErrors: an error is a page, and says nothing of itself; one in the middle of an
// export breaks the answer off.
func TestErrors(t *testing.T) {
	f := fleet(t, same)
	f.err = errors.New("the secret reason")
	h := handler(board(t, f), access.View)
	for after := range 4 {
		for _, path := range slices.Concat(mapValues(paths(f)), mapValues(exports(f))) {
			f.after = after
			w := httptest.NewRecorder()
			func() {
				defer func() {
					if r := recover(); r != nil && r != http.ErrAbortHandler {
						t.Errorf("%s: %v", path, r)
					}
				}()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			}()
			if strings.Contains(w.Body.String(), "secret reason") {
				t.Errorf("%s tells the reason", path)
			}
			if after == 0 && w.Code == http.StatusOK {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
	}
	// More than is kept back.
	for i := range 3000 {
		g := f.gateways[5]
		g.ID = store.MakeID(fmt.Sprint(i))
		f.gateways, f.lines[g.ID] = append(f.gateways, g), f.lines[f.gateways[5].ID]
	}
	f.after = 2000
	func() {
		defer func() {
			if r := recover(); r != http.ErrAbortHandler {
				t.Errorf("an export that broke off looks whole: %v", r)
			}
		}()
		get(t, h, "/gateways?format=csv")
	}()
}

func mapValues(m map[string]string) (out []string) {
	for _, v := range m {
		out = append(out, v)
	}
	slices.Sort(out)
	return out
}

func TestLang(t *testing.T) {
	for _, tt := range []struct{ query, cookie, header, want string }{
		{"", "", "", "en"},
		{"", "", "zh-CN,zh;q=0.9,en;q=0.8", "zh"},
		{"", "", "de, zh;q=0.5, en;q=0.7", "en"},
		{"", "", "fr", "en"},
		{"", "", "zh;q=0, en;q=0", "en"},
		{"", "", "zh;q=7", "en"},
		{"", "", ";;,;q=x,zh ; q=0.1", "zh"},
		{"", "zh", "en", "zh"},
		{"", "xx", "zh", "zh"},
		{"en", "zh", "zh", "en"},
		{"xx", "zh", "", "zh"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/?lang="+tt.query, nil)
		r.Header.Set("Accept-Language", tt.header)
		if tt.cookie != "" {
			r.AddCookie(&http.Cookie{Name: langCookie, Value: tt.cookie})
		}
		if got := Lang(r); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
	w := get(t, handler(board(t, fleet(t, same)), access.View), "/gateways?q=owner:mail&lang=zh")
	if c := w.Result().Cookies(); len(c) != 1 || c[0].Value != "zh" || !c[0].HttpOnly {
		t.Errorf("cookies %v", c)
	}
	if body := w.Body.String(); !strings.Contains(body, `<html lang="zh-Hans">`) || !strings.Contains(body, `href="/gateways?lang=en&amp;q=owner%3Amail"`) {
		t.Errorf("%.800s", body)
	}
}

// TestOldData: the page says that data is old, what that hides, and what to run so that this
// hub reads newer data.
func TestOldData(t *testing.T) {
	b := board(t, fleet(t, same))
	b.DataUpdate = "CLAWSONAR_DATA=/data clawsonar data update"
	for days, old := range map[int]bool{0: false, 30: true} {
		b.Now = func() time.Time { return now.AddDate(0, 0, days) }
		page := get(t, handler(b, access.View), "/").Body.String()
		if strings.Contains(page, "newer advisories are not reported") != old || strings.Contains(page, b.DataUpdate) != old {
			t.Errorf("after %d days: %s", days, page)
		}
	}
}
