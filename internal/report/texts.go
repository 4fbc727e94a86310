package report

import (
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Texts are the texts of one language, for the commands that print prose of their
// own. The zero value is English.
type Texts struct{ c *catalogue }

// NewTexts returns the texts of a language, see Languages; "" is English.
func NewTexts(lang string, rules []event.Rule) (Texts, error) {
	c, err := loadCatalogue(lang, rules)
	return Texts{c}, err
}

// Say is fmt.Sprintf in the language. The format must be a constant: a test looks
// them up.
func (t Texts) Say(format string, args ...any) string { return t.c.say(format, args...) }

// Has reports whether Say and Text would give English words; never in English.
func (t Texts) Has(s string) bool { return t.c == nil || t.c.has(s) }

// Knows reports whether Say has the format in the language.
func (t Texts) Knows(format string) bool {
	if t.c == nil {
		return true
	}
	_, ok := t.c.exact[format]
	return ok
}

// HasBlock reports whether Block would give English words; never in English.
func (t Texts) HasBlock(id, english string) bool {
	return t.c == nil || strings.TrimSpace(english) == "" || t.c.blocks[id].of == digestOf(english)
}

// Severity names a severity.
func (t Texts) Severity(s event.Severity) string { return t.c.severity(s) }

// Text translates one of the texts of checks and fingerprints. English keeps its
// lines, another language is wrapped at 80 columns.
func (t Texts) Text(s string) string {
	if t.c == nil {
		return strings.TrimSpace(s)
	}
	return wrapped(t.c.text(s))
}

// Block is Text for what is looked up by its id, and has lines of its own.
func (t Texts) Block(id, english string) string {
	if t.c == nil {
		return strings.TrimSpace(english)
	}
	var out []string
	for line := range strings.Lines(t.c.block(id, english)) {
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
	lines := wrap(text, defaultWidth-hang)
	return strings.Repeat(" ", indent) + strings.Join(lines, "\n"+strings.Repeat(" ", hang))
}

// Pad fills s up with spaces to so many columns of a terminal.
func Pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(columns-twwidth.WidthNoCache(s), 0))
}
