package report

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Style returns the style sheet of the html format. Pages that show a Card need it.
func Style() (string, error) {
	b, err := htmlFiles.ReadFile("html/page.css")
	if err != nil {
		return "", fmt.Errorf("built-in page: %w", err)
	}
	return string(b), nil
}

// Card returns the section that the html format has for one target: what it is, its
// findings with what to do, its advisories and its evidence. It is one <section>
// element with an <h2>, in which all that the target says is clean and escaped.
func Card(t *event.Target, o Options) (template.HTML, error) {
	c, err := loadCatalogue(o.Lang)
	if err != nil {
		return "", err
	}
	tmpl, err := c.templates()
	if err != nil {
		return "", err
	}
	h := &htmlSink{tally: newTally(c, o)}
	x := h.section(rank(t).cleaned())
	x.Anchor = "target"
	var b strings.Builder
	if err := tmpl.ExecuteTemplate(&b, "card", x); err != nil {
		return "", fmt.Errorf("write the section of a target: %w", err)
	}
	return template.HTML(b.String()), nil
}
