package message

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/clawsonar/clawsonar/internal/strict"
)

const (
	catalogueFile = "messages.yaml"
	fixedFile     = "zh.yaml"
)

//go:embed messages.yaml zh.yaml
var files embed.FS

// Language is a language, with what of its grammar a text needs.
type Language struct {
	Code           string
	comma, or, and string
	with           string   // one text beside another, for fmt.Sprintf
	gap            string   // between sentences
	forms          []string // plural forms that it tells apart
	plural         func(n int) string
	of             func(*entry) string
}

// The languages. English is that of the code and of the result stream.
var (
	English = &Language{
		Code: "en", comma: ", ", or: " or ", and: " and ", with: "%s (%s)", gap: " ", forms: []string{"one", "other"},
		plural: func(n int) string {
			if n == 1 {
				return "one"
			}
			return "other"
		},
		of: func(e *entry) string { return e.EN },
	}
	Chinese = &Language{
		Code: "zh", comma: "，", or: " 或 ", and: " 和 ", with: "%s（%s）", forms: []string{"other"},
		plural: func(int) string { return "other" },
		of:     func(e *entry) string { return e.ZH },
	}
)

// Languages returns all languages, English first.
func Languages() []*Language { return []*Language{English, Chinese} }

// list joins words as prose does: the last two with what is given.
func (l *Language) list(words []string, last string) string {
	n := len(words) - 1
	if n < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n], l.comma) + last + words[n]
}

// Text returns the text of a message; not ok if the catalogue has none.
func (l *Language) Text(m Message) (string, bool) {
	if e, ok := catalogue().texts[m.ID]; ok {
		return e.templates[l].render(m.Args, l), true
	}
	return l.Fixed(m.ID)
}

// Texts returns the text of several messages, one after the other; not ok if there
// is none, or the catalogue lacks one.
func (l *Language) Texts(ms []Message) (string, bool) {
	var b strings.Builder
	for _, m := range ms {
		text, ok := l.Text(m)
		if !ok {
			return "", false
		}
		// What is quoted ends as English does.
		if s := b.String(); s != "" && s[len(s)-1] < 0x80 && l.gap == "" {
			b.WriteByte(' ')
		} else if s != "" {
			b.WriteString(l.gap)
		}
		b.WriteString(text)
	}
	return b.String(), len(ms) > 0
}

// Word returns the language's text for a word or a short text without arguments that
// the stream holds as it is, such as the error of a target; else the text itself.
func (l *Language) Word(english string) string {
	if e, ok := catalogue().words[english]; ok {
		return l.of(e)
	}
	return english
}

// Fixed returns the translation of a text that stands in English beside the fact
// that it is about, by its id. English has none.
func (l *Language) Fixed(id string) (string, bool) {
	if l == English {
		return "", false
	}
	f, ok := fixed()[id]
	return f.Text, ok
}

// FixedOf is Fixed if the translation was made of that English text.
func (l *Language) FixedOf(id, english string) (string, bool) {
	text, ok := l.Fixed(id)
	return text, ok && fixed()[id].Of == Digest(english)
}

// Check reports whether a message is one of the catalogue and has its arguments, and
// no others.
func (m Message) Check() error {
	e := catalogue().texts[m.ID]
	if e == nil {
		if _, ok := fixed()[m.ID]; ok && len(m.Args) == 0 {
			return nil
		}
		return fmt.Errorf("message %q: not in the catalogue, or a fixed text with arguments", m.ID)
	}
	for _, h := range e.templates[English] {
		if h.name != "" && h.form != "if" && m.Args[h.name] == nil || h.with != "" && m.Args[h.with] == nil {
			return fmt.Errorf("message %s lacks the argument %s", m.ID, h.name)
		}
	}
	for name := range m.Args {
		if !slices.Contains(e.templates[English].names(), name) {
			return fmt.Errorf("message %s does not use the argument %s", m.ID, name)
		}
	}
	return nil
}

// Digest is what a translation says of the English that it was made of, so that one
// that has changed since is noticed. How its lines are broken does not count.
func Digest(english string) string {
	sum := sha256.Sum256([]byte(oneLine(english)))
	return hex.EncodeToString(sum[:4])
}

// entry is one text of the catalogue: a message with its arguments, or a word.
type entry struct {
	ID        string `yaml:"id"`
	EN        string `yaml:"en"`
	ZH        string `yaml:"zh"`
	templates map[*Language]template
}

// translation is one text that is looked up by its id alone.
type translation struct {
	ID   string `yaml:"id"`
	Of   string `yaml:"of"` // see Digest
	Text string `yaml:"text"`
}

type tables struct {
	texts map[string]*entry
	words map[string]*entry // those of id "word", by their English
}

// The built-in files are read when they are first needed. One that cannot be read is
// a bug, which the tests find.
var (
	catalogue = sync.OnceValue(func() tables { return must(parseCatalogue(read(catalogueFile))) })
	fixed     = sync.OnceValue(func() map[string]translation { return must(parseFixed(read(fixedFile))) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("built-in texts: %v", err))
	}
	return v
}

func read(name string) []byte { return must(files.ReadFile(name)) }

func parseCatalogue(data []byte) (tables, error) {
	out := tables{map[string]*entry{}, map[string]*entry{}}
	var entries []*entry
	if err := strict.YAML(catalogueFile, data, &entries); err != nil {
		return out, err
	}
	for _, e := range entries {
		if e.ID == "" || e.EN == "" || e.ZH == "" {
			return out, fmt.Errorf("%q: id, en and zh are needed", e.ID+e.EN)
		}
		key, in := e.ID, out.texts
		if e.ID == "word" {
			key, in = e.EN, out.words
		} else if err := e.parse(); err != nil {
			return out, fmt.Errorf("%s: %w", e.ID, err)
		}
		if in[key] != nil {
			return out, fmt.Errorf("duplicate %q", key)
		}
		in[key] = e
	}
	return out, nil
}

// parse reads the templates of all languages, which must use the same arguments.
func (e *entry) parse() error {
	e.templates = map[*Language]template{}
	for _, l := range Languages() {
		t, err := parse(l.of(e), l)
		if err != nil {
			return fmt.Errorf("%s: %w", l.Code, err)
		}
		if names := e.templates[English].names(); l != English && !slices.Equal(names, t.names()) {
			return fmt.Errorf("%s uses the arguments %v, en %v", l.Code, t.names(), names)
		}
		e.templates[l] = t
	}
	return nil
}

func parseFixed(data []byte) (map[string]translation, error) {
	var entries []translation
	if err := strict.YAML(fixedFile, data, &entries); err != nil {
		return nil, err
	}
	out := map[string]translation{}
	for _, e := range entries {
		e.Text = strings.TrimSpace(e.Text)
		if e.ID == "" || e.Of == "" || e.Text == "" {
			return nil, fmt.Errorf("%q: id, of and text are needed", e.ID+e.Text)
		}
		if out[e.ID].ID != "" {
			return nil, fmt.Errorf("duplicate %q", e.ID)
		}
		out[e.ID] = e
	}
	return out, nil
}
