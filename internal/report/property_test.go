package report

import (
	"encoding/csv"
	"html"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// text draws what a target might send: any text, with what formats give a meaning
// to more often than not.
func text() *rapid.Generator[string] {
	parts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"=1+1", "+", "-", "@user", ";", ",", "|", "\t", "\"", "'", "`", "**", "<script>", "</code>", "-->", "<!--", "[x](http://x)", "://", "www.", "#1", "&lt;", "\\", "\n", " ",
	}))
	return rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(parts, 0, 8).Draw(t, "parts"), "") })
}

// TestCSVCellIsText: no part of a cell, however a spreadsheet splits the line,
// begins like a formula, and without the apostrophes the text is what it was.
func TestCSVCellIsText(t *testing.T) {
	split := regexp.MustCompile(`[,;|"]`)
	rapid.Check(t, func(t *rapid.T) {
		in := clean.Text(text().Draw(t, "text"))
		cell := csvCell(in)
		for _, part := range split.Split(cell, -1) {
			if part = strings.TrimLeft(part, " "); part != "" && strings.ContainsAny(part[:1], "=+-@") {
				t.Fatalf("%q has the formula %q", cell, part)
			}
		}
		if strings.ReplaceAll(cell, "'", "") != strings.ReplaceAll(in, "'", "") {
			t.Fatalf("%q became %q", in, cell)
		}
		var b strings.Builder
		w := csv.NewWriter(&b)
		if err := w.Write([]string{"record", cell}); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		back, err := csv.NewReader(strings.NewReader(b.String())).Read()
		if err != nil || back[1] != cell {
			t.Fatalf("%q, %v", back, err)
		}
	})
}

// TestNoLoggingCommand: for anything that a target says, no format holds a command of Azure
// Pipelines ("##vso[" and "##[" anywhere) or of GitHub Actions ("::" at the start of
// a line), and JSON that is read again is what it was.
func TestNoLoggingCommand(t *testing.T) {
	parts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"#", "##", "###", "##vso[task.setvariable]x", "##[command]x", "\n::set-output name=a::b", "::error::x", "\r::warning::y", "\u2028::stop-commands::z", " ", "\n", "\u200b", "\x1b",
	}))
	said := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(parts, 1, 6).Draw(t, "said"), "") })
	rapid.Check(t, func(rt *rapid.T) {
		s := said.Draw(rt, "text")
		e := gateway("10.0.0.1", func(x *event.Target) {
			x.Target.Input, x.Target.Name, x.Error, x.Notes = s, s, s, []string{s}
			x.TLS = &event.TLS{Enabled: true, Subject: s, HSTS: s}
			x.Evidence = []event.Evidence{{ID: s, Request: s, Facts: map[string]string{s: s}}}
			x.Findings = []event.Finding{{ID: s, Severity: event.High, Title: s, Detail: s, Key: s}}
		})
		for _, f := range Formats() {
			out := render(t, f, Options{Verbose: true}, e)
			for line := range strings.Lines(out) {
				if strings.Contains(line, "##vso[") || strings.Contains(line, "##[") || strings.HasPrefix(strings.TrimSpace(line), "::") {
					rt.Fatalf("%s: %q", f, line)
				}
			}
			if f == "jsonl" {
				if strings.Contains(out, "##") {
					rt.Fatalf("%q", out)
				}
				if back, err := event.Decode([]byte(out)); err != nil || !reflect.DeepEqual(back, stored(t, e)) {
					rt.Fatalf("%v: %q came back different", err, out)
				}
			}
		}
	})
}

// TestMarkdownIsText: what is escaped holds no markup of its own, and, rendered,
// is the text again.
func TestMarkdownIsText(t *testing.T) {
	escaped := regexp.MustCompile("\\\\([\\\\`*_\\[\\]|~!])")
	tag := regexp.MustCompile(`<[^>]*>`)
	rapid.Check(t, func(t *rapid.T) {
		in := clean.Text(text().Draw(t, "text"))
		out := md(in)
		rest := escaped.ReplaceAllString(strings.ReplaceAll(out, "<!-- -->", ""), "")
		if strings.ContainsAny(rest, "<>`*_[]|~$") {
			t.Fatalf("%q became %q, which has markup", in, out)
		}
		if regexp.MustCompile(`@\w|(^|[^&])#\w|://`).MatchString(out) {
			t.Fatalf("%q became %q, which mentions or links", in, out)
		}
		shown := html.UnescapeString(escaped.ReplaceAllString(strings.ReplaceAll(out, "<!-- -->", ""), "$1"))
		if shown != in {
			t.Fatalf("%q is shown as %q", in, shown)
		}
		code := mdCode(in)
		if strings.HasPrefix(code, "`") && strings.ContainsAny(code[1:len(code)-1], "`|<>") || strings.HasPrefix(code, "<code>") &&
			strings.ContainsAny(tag.ReplaceAllString(code, ""), "<>|`") {
			t.Fatalf("%q became %q", in, code)
		}
	})
}
