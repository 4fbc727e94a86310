package cli

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// TestCheckTextsAreTranslated names every text of a check that a language lacks.
// Texts of the interface are looked at in internal/report.
func TestCheckTextsAreTranslated(t *testing.T) {
	for _, lang := range report.Languages() {
		missing, err := report.Missing(lang, check.Rules())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range missing {
			t.Errorf("internal/report/lang lacks a text: %s", m)
		}
	}
}

// TestNotesAreTranslated: the notes of the built-in fingerprints go into reports.
func TestNotesAreTranslated(t *testing.T) {
	names, err := fs.Glob(fingerprints.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(fingerprints.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Notes  []struct{ Text string }
			Advice map[string]struct{ Means, Fix string }
		}
		if err := yaml.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		for _, n := range file.Notes {
			english(t, name, n.Text)
		}
		for _, a := range file.Advice {
			english(t, name, a.Means)
			english(t, name, a.Fix)
		}
	}
}

// TestNotesOfMergedScansAreTranslated: what the runs and shards that are given lack
// goes into reports, too.
func TestNotesOfMergedScansAreTranslated(t *testing.T) {
	noon := time.Date(2026, 10, 6, 12, 0, 0, 0, time.UTC)
	head := &event.Scan{Schema: event.Schema, Started: noon, Shard: "2/4", Config: "abc", From: 4, Earlier: []event.Run{{Started: noon.Add(-time.Hour)}}}
	source := func(yield func(event.Event) error) error {
		if err := yield(head); err != nil {
			return err
		}
		return yield(&event.Summary{Complete: true})
	}
	n := 0
	if err := stored.Merge([]stored.Source{source, source}, func(e event.Event) error {
		if s, ok := e.(*event.Summary); ok {
			for _, note := range s.Notes {
				n++
				english(t, "internal/stored", note)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n != 2 {
		t.Errorf("%d notes, want one of a run and one of shards", n)
	}
}

// english fails if a text of the stream shows English words in a Chinese report.
func english(t *testing.T, from, text string) {
	t.Helper()
	var b strings.Builder
	s, err := report.New("table", &b, report.Options{Lang: "zh", Width: 1000})
	if err != nil {
		t.Fatal(err)
	}
	x := &event.Target{Outcome: "identified", Target: event.Address{IP: "10.0.0.1"}, Notes: []string{text}}
	if err := s.Event(x); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, "注意") && regexp.MustCompile(`\b(the|is|of|not|and|be)\b`).MatchString(line) {
			t.Errorf("%s: internal/report/lang/zh.yaml lacks a text, or a sentence of it: %s", from, text)
		}
	}
}

// TestExplainIsTranslated names every text of explain that a language lacks, or
// whose English has changed since it was translated.
func TestExplainIsTranslated(t *testing.T) {
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	blocks, words := map[string]string{}, map[string]string{}
	for _, c := range check.All() {
		blocks[c.Doc.ID+".when"], blocks[c.Doc.ID+".steps"] = c.Doc.When, c.Doc.Steps
	}
	for _, d := range check.States() {
		blocks["state."+string(d.State)], words["state."+string(d.State)] = d.Text, d.Title
	}
	for _, p := range set.Products() {
		blocks["product."+p.ID] = p.About
		for state, a := range p.Advice {
			blocks["product."+p.ID+"."+string(state)], words["product."+p.ID+"."+string(state)] = a.Steps, a.Means
		}
	}
	for _, u := range set.Unseen() {
		blocks["unseen."+u.ID] = u.Text
	}
	for _, lang := range report.Languages() {
		texts, err := report.NewTexts(lang, check.Rules())
		if err != nil {
			t.Fatal(err)
		}
		for id, english := range blocks {
			if !texts.HasBlock(id, english) {
				t.Errorf("lang/%s-explain.yaml lacks %s, or has that of another English text", lang, id)
			}
		}
		for id, english := range words {
			if !texts.Has(english) {
				t.Errorf("lang/%s.yaml lacks %q (%s)", lang, english, id)
			}
		}
	}
}

// TestCommandTextsAreTranslated names every text that a command hands to Say and a
// language lacks.
func TestCommandTextsAreTranslated(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	texts, err := report.NewTexts("zh", check.Rules())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	fset := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); !ok || sel.Sel.Name != "Say" {
				return true
			}
			lit, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				t.Errorf("%s: a text that is no constant cannot be looked up", fset.Position(call.Pos()))
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			if n++; !texts.Knows(text) {
				t.Errorf("lang/zh.yaml lacks %q (%s)", text, fset.Position(call.Pos()))
			}
			return true
		})
	}
	if n < 30 {
		t.Errorf("only %d texts found", n)
	}
}

func TestLocaleLanguage(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		want string
	}{
		{nil, "en"},
		{map[string]string{"LANG": "zh_CN.UTF-8"}, "zh"},
		{map[string]string{"LANG": "zh_CN.utf8"}, "zh"},
		{map[string]string{"LANG": "zh_CN"}, "zh"},
		{map[string]string{"LANG": "zh_SG.UTF-8@pinyin"}, "zh"},
		{map[string]string{"LANG": "zh_CN.GB18030"}, "en"}, // the reports are UTF-8
		{map[string]string{"LANG": "zhx_CN.UTF-8"}, "en"},
		{map[string]string{"LANG": "C.UTF-8"}, "en"},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"},
		{map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"},
		{map[string]string{"LC_ALL": "zh_CN.UTF-8", "LANG": "C"}, "zh"},
	} {
		if got := localeLanguage(func(name string) (string, bool) { s, ok := tt.env[name]; return s, ok }); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.env, got, tt.want)
		}
	}
}

// TestExplainInChinese: nothing that explain says is left in English, whatever it
// explains: no sentence, and no word that is neither a name nor a command's.
func TestExplainInChinese(t *testing.T) {
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := report.NewTexts("zh", check.Rules())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range check.All() {
		ids = append(ids, c.Doc.ID)
	}
	for _, d := range check.States() {
		ids = append(ids, string(d.State))
	}
	for _, p := range set.Products() {
		ids = append(ids, p.ID)
	}
	for _, u := range set.Unseen() {
		ids = append(ids, u.ID)
	}
	english := regexp.MustCompile(`\b(the|is|are|of|not|and|be|with|for|its|that)\b`)
	halfWidth := regexp.MustCompile(`\p{Han}[,;:!?()]|[,;:!?()]\p{Han}`)
	for _, id := range ids {
		var b bytes.Buffer
		if err := explain(&b, set, id, texts); err != nil {
			t.Fatal(err)
		}
		for i, line := range slices.Collect(strings.Lines(b.String())) {
			plain := strings.ReplaceAll(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(line, ""), "everyone-is-local", "")
			if english.MatchString(plain) && i > 0 && !strings.Contains(line, "http") {
				t.Errorf("%s: English is left: %s", id, line)
			}
			if halfWidth.MatchString(plain) {
				t.Errorf("%s: half-width punctuation beside Chinese: %s", id, line)
			}
		}
	}
}
