package report

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// The reports' own words, one file for each language but English: their English is
// what the code says, and the key of each. What the stream says is in package
// message.
//
//go:embed lang/*.yaml
var languages embed.FS

// Languages returns the languages of the reports, English first.
func Languages() []string {
	var out []string
	for _, l := range message.Languages() {
		out = append(out, l.Code)
	}
	return out
}

// catalogue puts texts into a language that is not English. A nil one leaves them in
// English, and so does what it does not hold.
type catalogue struct {
	*message.Language
	exact map[string]string
}

// loadCatalogue returns the catalogue of a language; "" is English.
func loadCatalogue(lang string) (*catalogue, error) {
	if lang == "" || lang == message.English.Code {
		return nil, nil
	}
	i := slices.Index(Languages(), lang)
	if i < 0 {
		return nil, fmt.Errorf("unknown language %q: use one of %s", clean.N(lang, 20), strings.Join(Languages(), ", "))
	}
	name := "lang/" + lang + ".yaml"
	data, err := languages.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("built-in texts: %w", err)
	}
	exact, err := parseWords(name, data)
	return &catalogue{message.Languages()[i], exact}, err
}

func parseWords(name string, data []byte) (map[string]string, error) {
	var entries []struct {
		EN   string `yaml:"en"`
		Text string `yaml:"text"`
	}
	if err := strict.YAML(name, data, &entries); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, e := range entries {
		if e.EN == "" || e.Text == "" {
			return nil, fmt.Errorf("%s: a text is empty: %q", name, e.EN+e.Text)
		}
		if _, ok := out[e.EN]; ok {
			return nil, fmt.Errorf("%s: duplicate %q", name, e.EN)
		}
		out[e.EN] = e.Text
	}
	return out, nil
}

// say is fmt.Sprintf in the catalogue's language. The format must be a constant:
// a test looks them up.
func (c *catalogue) say(format string, args ...any) string {
	if c != nil {
		if text, ok := c.exact[format]; ok {
			format = text
		}
	}
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// count puts a number before its noun: "1 gateway", "2 gateways". Both formats
// hold one %d.
func (c *catalogue) count(n int, one, many string) string {
	if n == 1 {
		return c.say(one, n)
	}
	return c.say(many, n)
}

// word is one of the words of the stream, such as the state of a surface.
func (c *catalogue) word(s string) string {
	if c == nil {
		return s
	}
	return c.Word(s)
}

// fixed is a text that is looked up by its id, and stands in English beside the fact
// that it is about. Where that has changed since it was translated, it stays English.
func (c *catalogue) fixed(id, english string) string {
	if c != nil {
		if text, ok := c.FixedOf(id, english); ok {
			return text
		}
	}
	return strings.TrimSpace(english)
}

// messages is what several messages say. Streams of early versions have none: there
// the English that they hold stands in, as it does for messages of a later version.
func (c *catalogue) messages(english string, ms ...message.Message) string {
	if c != nil {
		if text, ok := c.Texts(ms); ok {
			return text
		}
	}
	return english
}

// optional is messages for a text that may have no message.
func (c *catalogue) optional(english string, m *message.Message) string {
	if m == nil {
		return c.word(english)
	}
	return c.messages(english, *m)
}

// title gives the title of a finding, which is that of its check.
func (c *catalogue) title(f *event.Finding) string {
	if c != nil && f.Title != "" {
		if text, ok := c.Fixed(f.ID + ".title"); ok {
			return text
		}
	}
	return f.Title
}

func (c *catalogue) detail(f *event.Finding) string { return c.messages(f.Detail, f.Said().Detail...) }

// fix gives what to do about a finding. Where the stream does not say which of the
// texts it is, it is that of the check, which is about OpenClaw.
func (c *catalogue) fix(f *event.Finding, openclaw bool) string {
	if c != nil && openclaw && len(f.Said().Remediation) == 0 && f.Remediation != "" {
		if text, ok := c.Fixed(f.ID + ".fix"); ok {
			return text
		}
	}
	return c.messages(f.Remediation, f.Said().Remediation...)
}

func (c *catalogue) suppressed(f *event.Finding) string {
	return c.optional(f.Suppressed, f.Said().Suppressed)
}

// squeeze makes one line of a text that was wrapped.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// isOpenClaw reports whether a target is what the texts of the checks are about.
func isOpenClaw(t *event.Target) bool { return t.Product != nil && t.Product.ID == "openclaw" }
