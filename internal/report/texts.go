package report

import (
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// Texts are the texts of one language, for the commands that print prose of their
// own. The zero value is English.
type Texts struct{ c *catalogue }

// NewTexts returns the texts of a language, see Languages; "" is English.
func NewTexts(lang string) (Texts, error) {
	c, err := loadCatalogue(lang)
	return Texts{c}, err
}

// With returns the texts and those of another package, whose files have them in
// lang/CODE.yaml, one file for each language but English. A text that the reports have
// must not be in it again.
func (t Texts) With(own fs.FS) (Texts, error) {
	if t.c == nil {
		return t, nil
	}
	name := "lang/" + t.c.Code + ".yaml"
	data, err := fs.ReadFile(own, name)
	if err != nil {
		return t, fmt.Errorf("built-in texts: %w", err)
	}
	exact, err := parseWords(name, data)
	if err != nil {
		return t, err
	}
	for en := range t.c.exact {
		if _, ok := exact[en]; ok {
			return t, fmt.Errorf("%s: the reports have %q", name, en)
		}
	}
	maps.Copy(exact, t.c.exact)
	return Texts{&catalogue{t.c.Language, exact}}, nil
}

// Say is fmt.Sprintf in the language. The format must be a constant: a test looks
// them up.
func (t Texts) Say(format string, args ...any) string { return t.c.say(format, args...) }

// Count puts a number before its noun: "1 gateway", "2 gateways". Both formats hold one
// %d.
func (t Texts) Count(n int, one, many string) string { return t.c.count(n, one, many) }

// State names the state of a gateway's authentication.
func (t Texts) State(s event.AuthState) string { return t.c.state(s) }

// Severity names a severity.
func (t Texts) Severity(s event.Severity) string { return t.c.severity(s) }

// Term is a word of the reports, and what it means.
type Term struct{ Name, Means string }

// Glossary returns the words of the reports.
func (t Texts) Glossary() []Term {
	var out []Term
	for _, f := range t.c.glossary() {
		out = append(out, Term{f.Name, f.Text})
	}
	return out
}

// Word is one of the words of the stream.
func (t Texts) Word(s string) string { return t.c.word(s) }

// Message is what a message says.
func (t Texts) Message(m message.Text) string { return t.c.messages(m.English, m.Message) }

// Fixed is one of the texts of checks and fingerprints, by its id. English keeps its
// lines, another language is wrapped at 80 columns.
func (t Texts) Fixed(id, english string) string {
	if t.c == nil {
		return strings.TrimSpace(english)
	}
	var out []string
	for line := range strings.Lines(t.c.fixed(id, english)) {
		out = append(out, wrapped(strings.TrimRight(line, "\n")))
	}
	return strings.Join(out, "\n")
}

// wrapped breaks one line at 80 columns; what follows keeps its indent, and that
// of a numbered step.
func wrapped(line string) string {
	text := strings.TrimLeft(line, " ")
	indent := len(line) - len(text)
	hang := indent
	if len(text) > 2 && text[0] >= '1' && text[0] <= '9' && text[1:3] == ". " {
		hang += 3
	}
	lines := Wrap(text, defaultWidth-hang)
	return strings.Repeat(" ", indent) + strings.Join(lines, "\n"+strings.Repeat(" ", hang))
}

// Pad fills s up with spaces to so many columns of a terminal.
func Pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(columns-twwidth.WidthNoCache(s), 0))
}
