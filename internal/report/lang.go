package report

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// One file a language. English is the source: it is what the code and the
// stream say, and the key of every text.
//
//go:embed lang/*.yaml
var languages embed.FS

// Languages returns the languages of the reports, English first.
func Languages() []string { return []string{"en", "zh"} }

// catalogue turns English into another language. A nil one leaves it as it is,
// and so does what a catalogue does not hold.
type catalogue struct {
	exact    map[string]string
	patterns []pattern // those with more text of their own first
	rules    []event.Rule
	blocks   map[string]block
}

// block is a text that keeps its lines, with the digest of its English.
type block struct{ of, text string }

// pattern is a text with holes: {1}, {2} and so on stand for what differs;
// {1:ids} in the translation stands for the ids of advisories in it.
type pattern struct {
	source string
	match  *regexp.Regexp
	out    string
}

// entry is one text of a language file.
type entry struct {
	EN   string `yaml:"en"`
	Text string `yaml:"text"`
}

// loadCatalogue returns the catalogue of a language; "" is English.
func loadCatalogue(lang string, rules []event.Rule) (*catalogue, error) {
	if lang == "" || lang == "en" {
		return nil, nil
	}
	if !slices.Contains(Languages(), lang) {
		return nil, fmt.Errorf("unknown language %q: use one of %s", CleanN(lang, 20), strings.Join(Languages(), ", "))
	}
	name := "lang/" + lang + ".yaml"
	data, err := languages.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("built-in texts: %w", err)
	}
	c, err := parseCatalogue(name, data)
	if err != nil {
		return nil, err
	}
	c.rules = rules
	name = "lang/" + lang + "-explain.yaml"
	if data, err = languages.ReadFile(name); err != nil {
		return nil, fmt.Errorf("built-in texts: %w", err)
	}
	if c.blocks, err = parseBlocks(name, data); err != nil {
		return nil, err
	}
	return c, nil
}

// parseBlocks reads the texts that are looked up by id.
func parseBlocks(name string, data []byte) (map[string]block, error) {
	var entries []struct {
		ID   string `yaml:"id"`
		Of   string `yaml:"of"` // see digestOf
		Text string `yaml:"text"`
	}
	if err := strict.YAML(name, data, &entries); err != nil {
		return nil, err
	}
	out := map[string]block{}
	for _, e := range entries {
		if e.ID == "" || strings.TrimSpace(e.Text) == "" {
			return nil, fmt.Errorf("%s: a text is empty: %q", name, e.ID+e.Text)
		}
		if _, ok := out[e.ID]; ok {
			return nil, fmt.Errorf("%s: %q is there twice", name, e.ID)
		}
		out[e.ID] = block{e.Of, strings.TrimSpace(e.Text)}
	}
	return out, nil
}

func parseCatalogue(name string, data []byte) (*catalogue, error) {
	var entries []entry
	if err := strict.YAML(name, data, &entries); err != nil {
		return nil, err
	}
	c := &catalogue{exact: map[string]string{}}
	for _, e := range entries {
		source, text := unfold(e.EN), unfold(e.Text)
		if strings.TrimSpace(source) == "" || strings.TrimSpace(text) == "" {
			return nil, fmt.Errorf("%s: a text is empty: %q", name, source+text)
		}
		if _, ok := c.exact[source]; ok {
			return nil, fmt.Errorf("%s: %q is there twice", name, source)
		}
		c.exact[source] = text
		if !hole.MatchString(source) {
			continue
		}
		// A pattern that says little of its own, such as "{1} to {2}", is one for
		// single words: prose would fit it, too.
		any := "(.+?)"
		if len(hole.ReplaceAllString(source, "")) < 6 {
			any = `(\S+)`
		}
		quoted := quotedHole.ReplaceAllString(regexp.QuoteMeta(source), strings.ReplaceAll(any, "$", "$$"))
		re, err := regexp.Compile("^(?s:" + quoted + ")$")
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", name, source, err)
		}
		c.patterns = append(c.patterns, pattern{source, re, text})
	}
	// "A {1} B" goes before "{1} B": the more that is fixed, the surer the match.
	slices.SortStableFunc(c.patterns, func(a, b pattern) int {
		return len(hole.ReplaceAllString(b.source, "")) - len(hole.ReplaceAllString(a.source, ""))
	})
	return c, nil
}

var (
	hole       = regexp.MustCompile(`\{[1-9](?::ids)?\}`)
	quotedHole = regexp.MustCompile(`\\\{[1-9]\\\}`)

	advisoryIDs = regexp.MustCompile(`\b(?:GHSA(?:-[0-9a-z]{4}){3}|CVE-[0-9]{4}-[0-9]{4,})\b`)
)

// unfold makes one line of a text that is written over several. One that is not
// keeps its spaces.
func unfold(s string) string {
	if strings.Contains(strings.TrimSpace(s), "\n") {
		return squeeze(s)
	}
	return strings.Trim(s, "\n")
}

// squeeze makes one line of a text that was wrapped.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

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

// text translates what the stream says: the whole of it, or else each of its
// sentences that the catalogue holds. What it does not hold stays English.
func (c *catalogue) text(s string) string {
	if c == nil || s == "" {
		return s
	}
	s = squeeze(s)
	out, _ := c.translate(s)
	return out
}

// block is a text of several lines, by its id; what the catalogue does not hold
// stays English.
func (c *catalogue) block(id, english string) string {
	if c != nil {
		if b, ok := c.blocks[id]; ok && b.of == digestOf(english) {
			return b.text
		}
	}
	return strings.TrimSpace(english)
}

// digestOf is what a block says of the English that it was made from, so that a
// text that has changed since is not shown, and a test names it.
func digestOf(english string) string { return hexKey(squeeze(english))[:8] }

// translate is text, and says whether all of it was translated. A hole of a
// pattern spans sentences only if nothing else fits.
func (c *catalogue) translate(s string) (string, bool) {
	if out, ok := c.exact[s]; ok {
		return out, true
	}
	parts := sentences(s)
	if len(parts) == 1 {
		return c.whole(s)
	}
	var b strings.Builder
	all := true
	for _, part := range parts {
		out, ok := c.whole(part)
		if !ok && b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(out)
		all = all && ok
	}
	if !all {
		if out, ok := c.whole(s); ok && !strings.HasPrefix(c.source(s), "{1}") {
			return out, true
		}
	}
	return b.String(), all
}

// whole translates s if the catalogue holds it, or a pattern that fits it.
func (c *catalogue) whole(s string) (string, bool) {
	if out, ok := c.exact[s]; ok {
		return out, true
	}
	for _, p := range c.patterns {
		m := p.match.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		return hole.ReplaceAllStringFunc(p.out, func(h string) string {
			i := int(h[1] - '0')
			if i >= len(m) {
				return ""
			}
			if strings.HasSuffix(h, ":ids}") {
				return strings.Join(advisoryIDs.FindAllString(m[i], -1), c.say(", "))
			}
			return c.inner(m[i])
		}), true
	}
	return s, false
}

// inner translates what fills a hole: a text of its own, or a list of words, whose
// commas and "or" are of the language.
func (c *catalogue) inner(s string) string {
	if text := c.exactOr(s); text != s {
		return text
	}
	for _, sep := range []string{", ", " or "} {
		words := strings.Split(s, sep)
		if len(words) > 1 && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, " ") }) {
			return strings.Join(words, c.exactOr(sep))
		}
	}
	return s
}

// exactOr is the catalogue's word for s, else s.
func (c *catalogue) exactOr(s string) string {
	if text, ok := c.exact[s]; ok {
		return text
	}
	return s
}

// source returns the pattern that fits s.
func (c *catalogue) source(s string) string {
	for _, p := range c.patterns {
		if p.match.MatchString(s) {
			return p.source
		}
	}
	return ""
}

// has reports whether the catalogue holds a text of the stream.
func (c *catalogue) has(s string) bool {
	_, ok := c.translate(squeeze(s))
	return ok
}

// sentences splits a text after a full stop that a space and something other
// than a small letter follow.
func sentences(s string) []string {
	var out []string
	start := 0
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '.' && s[i+1] == ' ' && !unicode.IsLower(rune(s[i+2])) {
			out = append(out, s[start:i+1])
			start = i + 2
		}
	}
	return append(out, s[start:])
}

// title, why and fix give the texts of a finding. A stored stream may hold the
// words of another version, which the catalogue does not: the words of this
// version's check stand in.
func (c *catalogue) title(id, text string) string {
	return c.ruleText(id, text, func(r *event.Rule) string { return r.Title })
}

func (c *catalogue) fix(id, text string) string {
	return c.ruleText(id, text, func(r *event.Rule) string { return r.Fix })
}

func (c *catalogue) ruleText(id, text string, of func(*event.Rule) string) string {
	if c == nil || text == "" || c.has(text) {
		return c.text(text)
	}
	for i := range c.rules {
		if s := squeeze(of(&c.rules[i])); c.rules[i].ID == id && c.has(s) {
			return c.text(s)
		}
	}
	return c.text(text)
}

// Missing names the texts of the rules that the catalogue of a language does not
// hold, one a line; none for English.
func Missing(lang string, rules []event.Rule) ([]string, error) {
	c, err := loadCatalogue(lang, rules)
	if err != nil || c == nil {
		return nil, err
	}
	var out []string
	for _, r := range rules {
		for _, part := range []struct{ name, text string }{{"title", r.Title}, {"why", r.Why}, {"fix", r.Fix}} {
			if part.text != "" && !c.has(part.text) {
				out = append(out, fmt.Sprintf("%s: %s of %s: %s", lang, part.name, r.ID, squeeze(part.text)))
			}
		}
	}
	return out, nil
}
