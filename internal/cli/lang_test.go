package cli

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/report"
)

// TestCheckTextsAreTranslated names every text of a check that a language lacks.
// Texts of the interface are looked at in internal/report.
func TestCheckTextsAreTranslated(t *testing.T) {
	for _, lang := range report.Languages() {
		missing, err := report.Missing(lang, rules())
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

// english fails if a text of the stream shows English words in a Chinese report.
func english(t *testing.T, from, text string) {
	t.Helper()
	var b strings.Builder
	s, err := report.New("table", &b, report.Options{Lang: "zh", Width: 1000})
	if err != nil {
		t.Fatal(err)
	}
	x := &event.Target{Outcome: "identified", Target: event.Address{IP: "10.0.0.1"}, Notes: []string{text}}
	if err := s.Event(event.Event{Target: x}); err != nil {
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
