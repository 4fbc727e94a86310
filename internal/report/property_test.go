package report

import (
	"encoding/csv"
	"html"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
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
		in := Clean(text().Draw(t, "text"))
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

// TestMarkdownIsText: what is escaped holds no markup of its own, and, rendered,
// is the text again.
func TestMarkdownIsText(t *testing.T) {
	escaped := regexp.MustCompile("\\\\([\\\\`*_\\[\\]|~!])")
	tag := regexp.MustCompile(`<[^>]*>`)
	rapid.Check(t, func(t *rapid.T) {
		in := Clean(text().Draw(t, "text"))
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
