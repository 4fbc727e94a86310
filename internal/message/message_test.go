package message

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestBuiltIn: the built-in texts are whole: each message in every language, with
// the same arguments.
func TestBuiltIn(t *testing.T) {
	if len(catalogue().texts) < 100 || len(fixed()) < 100 {
		t.Errorf("%d messages, %d fixed texts", len(catalogue().texts), len(fixed()))
	}
	for id := range fixed() {
		if catalogue().texts[id] != nil {
			t.Errorf("%s is a message and a fixed text", id)
		}
	}
	for _, l := range Languages() {
		for text, e := range catalogue().words {
			if strings.ContainsAny(l.of(e), "{}") {
				t.Errorf("word %q has an argument", text)
			}
		}
	}
}

// TestUsed: what the code says by an id is in the catalogue, and what is in the
// catalogue is said somewhere.
func TestUsed(t *testing.T) {
	used := map[string]bool{"said": true, "word": true}
	literal := regexp.MustCompile(`"([a-z]+[.-][a-z.-]+[a-z])"`)
	said := regexp.MustCompile(`message\.(?:Say|New)\((.*?)[,)\n]`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range said.FindAllStringSubmatch(string(b), -1) {
			id, err := strconv.Unquote(m[1])
			if err == nil && catalogue().texts[id] == nil {
				t.Errorf("%s says %q, which the catalogue lacks", path, id)
			}
			if err == nil {
				used[id] = true
			}
		}
		for _, m := range literal.FindAllStringSubmatch(string(b), -1) {
			used[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// Made of two parts.
	for _, first := range []string{"machine.loopback", "machine.interfaces"} {
		for _, second := range []string{"scan-from-another", "no-address", "run"} {
			used[first+"."+second] = used[first]
		}
	}
	used["advisory-affected.advisories.newer-too"], used["advisory-affected.advisories.extended"] = true, true
	for id := range catalogue().texts {
		if !used[id] {
			t.Errorf("nothing says %s", id)
		}
	}
}

func TestTemplates(t *testing.T) {
	args := map[string][]string{
		"have": {"1.1", "1.2", "1.3"}, "signals": {"a", "b"}, "requests": {"root", "tools"}, "trouble": {"no answer in time", "of the system"},
		"count": {"2"}, "process": {"node"}, "release": {"1.1"}, "days": {"1"}, "more": {"many"},
	}
	for _, tt := range []struct{ template, en, zh string }{
		{"plain", "plain", "plain"},
		{"{release}", "1.1", "1.1"},
		{"<{signals}>", "<a, b>", "<a，b>"},
		{"{have|or}", "1.1, 1.2 or 1.3", "1.1，1.2 或 1.3"},
		{"{signals|and} {release|and}", "a and b 1.1", "a 和 b 1.1"},
		{"{requests|with|trouble}", "root (no answer in time), tools (of the system)", "root（未及时应答），tools（of the system）"},
		{"it{process|if| (process #)}{front|if| through #}.", "it (process node).", "it (process node)."},
		{"{front}.", ".", "."}, // a stream of another version may lack one
	} {
		for _, l := range Languages() {
			want := tt.en
			if l == Chinese {
				want = tt.zh
			}
			got, err := parse(tt.template, l)
			if err != nil {
				t.Fatal(err)
			}
			if s := got.render(args, l); s != want {
				t.Errorf("%s: %s: %q, want %q", l.Code, tt.template, s, want)
			}
		}
	}
	for in, want := range map[string]string{"count": "2 gateways", "days": "1 gateway", "more": "many gateways", "tried": " gateways"} {
		got, err := parse("{"+in+"|plural|one:# gateway|other:# gateways}", English)
		if err != nil {
			t.Fatal(err)
		}
		if s := got.render(args, English); s != want {
			t.Errorf("%s: %q, want %q", in, s, want)
		}
	}
}

func TestCatalogueErrors(t *testing.T) {
	for in, want := range map[string]string{
		"- {id: a, en: b}":                                       "id, en and zh are needed",
		"- {id: a, en: b, zh: c, fr: d}":                         "fr",
		"id: a":                                                  "expected a list",
		"- {id: a, en: '{count', zh: c}":                         "a: en: a brace is not closed",
		"- {id: a, en: '{volcano}', zh: c}":                      `a: en: {volcano}: no argument is called "volcano"`,
		"- {id: a, en: '{count}', zh: c}":                        "a: zh uses the arguments [], en [count]",
		"- {id: a, en: b, zh: '{count}'}":                        "a: zh uses the arguments [count], en []",
		"- {id: a, en: '{count|nor}', zh: c}":                    "a: en: {count|nor}: an argument is put as it is",
		"- {id: a, en: '{count|with|x}', zh: c}":                 "an argument is put as it is",
		"- {id: a, en: '{count|plural|one:x}', zh: c}":           "the plural form other is missing",
		"- {id: a, en: '{count|plural|two:x}', zh: c}":           `"two" is no plural form: use one, other`,
		"- {id: a, en: b, zh: c}\n- {id: a, en: b, zh: c}":       `duplicate "a"`,
		"- {id: word, en: b, zh: c}\n- {id: word, en: b, zh: d}": `duplicate "b"`,
	} {
		if _, err := parseCatalogue([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", in, err, want)
		}
	}
	for in, want := range map[string]string{
		"- {id: a, text: b}":                                   "id, of and text are needed",
		"- {id: a, of: b, txt: c}":                             "txt",
		"- {id: a, of: b, text: c}\n- {id: a, of: d, text: e}": `duplicate "a"`,
	} {
		if _, err := parseFixed([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", in, err, want)
		}
	}
}

func TestSay(t *testing.T) {
	m := Say("tls-name-mismatch.more", Of("names", "a.example", "b.example"), Number("more", 7), Of("name", "c.example"))
	if m.English != "It is for a.example, b.example and 7 more names, not for c.example." {
		t.Error(m.English)
	}
	if s, ok := Chinese.Text(m.Message); !ok || s != "它属于 a.example，b.example 以及另外 7 个名称，而非 c.example。" {
		t.Error(s)
	}
	if s, ok := Chinese.Texts([]Message{Said("Their words.").Message, New("over-loopback"), New("of-tomorrow")}); ok {
		t.Errorf("%q: a message that is not known was passed over", s)
	}
	if s, ok := Chinese.Texts([]Message{Said("Their words.").Message, New("over-loopback"), New("over-loopback")}); !ok ||
		s != "Their words. 它在回环地址上应答，这是它应在之处。它在回环地址上应答，这是它应在之处。" {
		t.Error(s)
	}
	if s, ok := English.Texts(nil); ok {
		t.Errorf("%q out of nothing", s)
	}
}

// TestFixed: a text whose English has changed since is not translated, and one of a
// user's own fingerprint of the same product is not either.
func TestFixed(t *testing.T) {
	for id, f := range fixed() {
		if m := Fixed(id, "Something else."); m.ID != "said" || m.English != "Something else." {
			t.Fatalf("%s: %+v", id, m)
		}
		if text, ok := Chinese.Text(Message{ID: id}); !ok || text != f.Text {
			t.Fatalf("%s: %q", id, text)
		}
		return
	}
}
