package fingerprint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
	"golang.org/x/net/html"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// match is what one answer must have; all that is set must match.
type match struct {
	Status       listOf[int]         `yaml:"status"`
	Type         string              `yaml:"type"`          // media type
	Header       map[string]*pattern `yaml:"header_regex"`  // of one of the fields of that name
	LacksHeaders oneOrMore           `yaml:"lacks_headers"` // header fields that must not be there
	Title        oneOrMore           `yaml:"title"`         // the page's title is one of these
	Element      string              `yaml:"element"`       // the page has such an element
	// Attribute are patterns on attributes of the html element.
	Attribute map[string]*pattern `yaml:"attribute_regex"`
	Text      string              `yaml:"text"` // the whole body, white space around it trimmed
	Body      *pattern            `yaml:"body_regex"`
	JSON      map[string]scalar   `yaml:"json"` // values by dotted path
	JSONRegex map[string]*pattern `yaml:"json_regex"`
	Has       oneOrMore           `yaml:"has"`   // dotted paths that exist, with any value
	Lacks     oneOrMore           `yaml:"lacks"` // dotted paths that do not
	SHA256    string              `yaml:"sha256"`
	Icon      *int32              `yaml:"icon_hash"` // see evidence.Digest

	fields []field // of Header: going through a list is cheaper
}

// field is a pattern on a header field.
type field struct {
	name string
	*pattern
}

// list makes fields of Header.
func (m *match) list() {
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		m.fields = append(m.fields, field{name, m.Header[name]})
	}
}

// written is the match as a file has it: equal ones are the same text.
func (m *match) written() string {
	text, err := yaml.Marshal(m)
	if err != nil {
		return err.Error() // a match is plain data
	}
	return string(text)
}

// set reports whether the match asks for anything.
func (m *match) set() bool {
	return len(m.Status) > 0 || m.Type != "" || len(m.Header) > 0 || len(m.LacksHeaders) > 0 ||
		len(m.Title) > 0 || m.Element != "" || len(m.Attribute) > 0 || m.Text != "" || m.Body != nil ||
		m.json() || m.SHA256 != "" || m.Icon != nil
}

// content reports whether the match looks at more than the status and the type.
func (m *match) content() bool {
	rest := *m
	rest.Status, rest.Type, rest.LacksHeaders = nil, "", nil
	return rest.set()
}

func (m *match) json() bool {
	return len(m.JSON) > 0 || len(m.JSONRegex) > 0 || len(m.Has) > 0 || len(m.Lacks) > 0
}

// matches reports whether an answer has what m asks for; cheap tests first.
func (m *match) matches(a *answer) bool {
	x := a.Exchange
	if !x.Answered() || len(m.Status) > 0 && !slices.Contains(m.Status, x.Status) {
		return false
	}
	if m.Type != "" && a.mediaType() != m.Type {
		return false
	}
	for _, want := range m.fields {
		if !slices.ContainsFunc(x.Header, func(f evidence.Field) bool {
			return len(f.Name) == len(want.name) && strings.EqualFold(f.Name, want.name) && want.MatchString(f.Value)
		}) {
			return false
		}
	}
	for _, name := range m.LacksHeaders {
		if _, ok := x.Header.Lookup(name); ok {
			return false
		}
	}
	if m.Text != "" && string(bytes.TrimSpace(x.Body)) != m.Text {
		return false
	}
	if m.Body != nil && !m.Body.Match(x.Body) {
		return false
	}
	if m.SHA256 != "" && x.Digest().SHA256 != m.SHA256 {
		return false
	}
	if m.Icon != nil && x.IconHash() != *m.Icon {
		return false
	}
	return m.matchesPage(a) && m.matchesJSON(a)
}

func (m *match) matchesPage(a *answer) bool {
	if len(m.Title) == 0 && m.Element == "" && len(m.Attribute) == 0 {
		return true
	}
	// Looking for the words first saves parsing nearly every page of the web.
	if len(m.Title) > 0 && !slices.ContainsFunc(m.Title, a.mayBeTitled) || m.Element != "" && !a.mayHave(m.Element) {
		return false
	}
	for name, p := range m.Attribute {
		if v, ok := a.attribute(name); !ok || !p.MatchString(v) {
			return false
		}
	}
	return (len(m.Title) == 0 || slices.Contains(m.Title, a.page().Title)) &&
		(m.Element == "" || slices.Contains(a.page().Elements, m.Element))
}

func (m *match) matchesJSON(a *answer) bool {
	if !m.json() {
		return true
	}
	doc, ok := a.json()
	if !ok {
		return false
	}
	for path, want := range m.JSON {
		if got, ok := lookup(doc, path); !ok || got != want.value {
			return false
		}
	}
	for path, p := range m.JSONRegex {
		got, ok := lookup(doc, path)
		s, isString := got.(string)
		if !ok || !isString || !p.MatchString(s) {
			return false
		}
	}
	for _, path := range m.Has {
		if _, ok := lookup(doc, path); !ok {
			return false
		}
	}
	for _, path := range m.Lacks {
		if _, ok := lookup(doc, path); ok {
			return false
		}
	}
	return true
}

// lookup follows a dotted path through JSON objects.
func lookup(doc any, path string) (any, bool) {
	for key := range strings.SplitSeq(path, ".") {
		object, ok := doc.(map[string]any)
		if !ok {
			return nil, false
		}
		if doc, ok = object[key]; !ok {
			return nil, false
		}
	}
	return doc, true
}

// answer is an exchange with what has been read out of its body so far.
type answer struct {
	*evidence.Exchange
	html    *Page
	doc     any
	parsed  int8 // 0 not tried, 1 JSON, -1 not JSON
	media   string
	typed   bool // media has been looked up
	tags    tags
	scanned bool // so have tags
	login   int8 // whether it requires a login: 0 not evaluated, 1 yes, -1 no

	// What the fingerprints match in it, see look.
	index    *index
	matched  []*signal
	products []int
	sealed   bool // its body has been dropped
}

// mediaType is Exchange.MediaType, looked up once.
func (a *answer) mediaType() string {
	if !a.typed {
		a.media, a.typed = a.MediaType(), true
	}
	return a.media
}

// mayBeTitled reports whether the first word of a title is where the body's
// titles are. What lies between the words is not as in the title.
func (a *answer) mayBeTitled(title string) bool {
	word, _, _ := strings.Cut(title, " ")
	return bytes.Contains(a.scan().title, []byte(word))
}

// mayHave reports whether the body has the beginning of an element that a
// fingerprint of the set looks for.
func (a *answer) mayHave(element string) bool {
	return slices.Contains(a.scan().elements, element)
}

func (a *answer) scan() *tags {
	if !a.scanned {
		a.tags, a.scanned = scanTags(a.Body, a.index.elements), true
	}
	return &a.tags
}

// tags is what a look at the tags of a body finds, before it is parsed as HTML:
// hardly any page of the web is worth that.
type tags struct {
	title    []byte   // what lies between the first title's begin tag and the last one's end, character references resolved
	elements []string // those of the known ones that it may have
}

// scanTags goes through a body once, however many titles and elements are known.
func scanTags(body []byte, known []string) tags {
	var out tags
	from, to, open := -1, len(body), false
	for at := 0; ; {
		i := bytes.IndexByte(body[at:], '<')
		if i < 0 {
			break
		}
		at += i + 1
		rest := body[at:]
		switch {
		case hasFold(rest, "title"):
			if from < 0 {
				from = at
			}
			open = true
		case from >= 0 && hasFold(rest, "/title"):
			to, open = at, false
		}
		for _, name := range known {
			if len(rest) > 0 && rest[0] == name[0] && bytes.HasPrefix(rest, []byte(name)) && !slices.Contains(out.elements, name) {
				out.elements = append(out.elements, name)
			}
		}
	}
	if open {
		to = len(body)
	}
	if from >= 0 {
		out.title = body[from:to]
		if bytes.IndexByte(out.title, '&') >= 0 {
			out.title = []byte(html.UnescapeString(string(out.title)))
		}
	}
	return out
}

// containsFold reports whether s, which is in lower case, is in b.
func containsFold(b []byte, s string) bool {
	for ; len(b) >= len(s); b = b[1:] {
		if hasFold(b, s) {
			return true
		}
	}
	return false
}

// hasFold reports whether b begins with s, which is in lower case.
func hasFold(b []byte, s string) bool {
	return len(b) >= len(s) && b[0]|0x20 == s[0]|0x20 && bytes.EqualFold(b[:len(s)], []byte(s))
}

// title is the page's, for which hardly any page has to be parsed as a whole.
func (a *answer) title() string {
	switch {
	case a.html != nil:
		return a.html.Title
	case a.scan().title == nil:
		return ""
	}
	return parseTitle(a.Body)
}

// assets are the page's. Of nearly all pages a look for the word is enough: it
// can be spelt otherwise in references to characters by their number alone.
func (a *answer) assets() []string {
	if a.html == nil && !bytes.Contains(a.Body, []byte(assetsFolder)) && !bytes.Contains(a.Body, []byte("&#")) {
		return nil
	}
	return a.page().Assets
}

// attribute is one of the html element.
func (a *answer) attribute(name string) (string, bool) {
	if a.html == nil && !containsFold(a.Body, name) {
		return "", false
	}
	v, ok := a.page().Attributes[name]
	return v, ok
}

func (a *answer) page() *Page {
	if a.html == nil {
		p := ParsePage(a.Body)
		a.html = &p
	}
	return a.html
}

// json returns the JSON object of an answer that says it is JSON, or of a
// WebSocket's message. Many servers have a page for every path,
// so what is not called JSON is not taken for it.
func (a *answer) json() (any, bool) {
	if a.parsed == 0 {
		a.parsed = -1
		if a.Status != 101 && a.mediaType() != "application/json" {
			return nil, false
		}
		if body := bytes.TrimSpace(a.Body); len(body) > 0 && body[0] == '{' && json.Unmarshal(body, &a.doc) == nil {
			a.parsed = 1
		}
	}
	return a.doc, a.parsed == 1
}

// scalar is a JSON value as YAML writes it: string, number, boolean or null.
type scalar struct{ value any }

func (s *scalar) UnmarshalYAML(n *yaml.Node) error {
	if err := n.Decode(&s.value); err != nil {
		return err
	}
	switch v := s.value.(type) {
	case string, bool, float64, nil:
	case int:
		s.value = float64(v) // as encoding/json decodes numbers
	default:
		return errors.New("a JSON value to compare with must be a string, number, boolean or null")
	}
	return nil
}

// MarshalYAML writes the value as it was read.
func (s scalar) MarshalYAML() (any, error) { return s.value, nil }

// pattern is a regular expression (RE2 syntax: linear in the input,
// regardless of what a target sends).
type pattern struct{ *regexp.Regexp }

// UnmarshalText compiles the expression.
func (p *pattern) UnmarshalText(text []byte) error {
	re, err := regexp.Compile(string(text))
	var bad *syntax.Error
	if errors.As(err, &bad) {
		return fmt.Errorf("no regular expression: %s: %.60q", bad.Code, bad.Expr)
	}
	p.Regexp = re
	return err
}

// MarshalYAML writes the pattern as it was read.
func (p pattern) MarshalYAML() (any, error) { return p.String(), nil }
