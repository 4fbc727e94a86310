package strict

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// word reads itself from a text.
type word string

func (w *word) UnmarshalText(text []byte) error {
	if string(text) != "good" {
		return fmt.Errorf("unknown word %q: use good", text)
	}
	*w = word(text)
	return nil
}

// either is a string, or a mapping with an id.
type either struct {
	ID string `yaml:"id" json:"id"`
}

func (e *either) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		e.ID = n.Value
		return nil
	}
	type plain either
	return Node(n, (*plain)(e))
}

func (e *either) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, &e.ID)
	}
	type plain either
	return JSON("", data, 100, (*plain)(e))
}

type shared struct {
	Level int `yaml:"level" json:"level"`
}

type doc struct {
	Name    string             `yaml:"name" json:"name"`
	Ports   []uint16           `yaml:"ports" json:"ports"`
	Secret  bool               `yaml:"secret" json:"secret"`
	Score   float64            `yaml:"score" json:"score"`
	Word    word               `yaml:"word" json:"word"`
	Either  []either           `yaml:"either" json:"either"`
	Entries map[string]*shared `yaml:"entries" json:"entries"`
	Any     any                `yaml:"any" json:"any"`
	shared  `yaml:",inline"`
	Untold  string `yaml:"-" json:"-"`
}

func check(t *testing.T, text string, got error, want string) {
	t.Helper()
	switch {
	case want == "":
		if got != nil {
			t.Errorf("%q: %v", text, got)
		}
	case got == nil || got.Error() != want:
		t.Errorf("%q:\n%v, want\n%s", text, got, want)
	}
}

func TestYAML(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"# nothing\n", ""},
		{"name: x\nports: [1, 2]\nsecret: true\nscore: 2\nword: good\neither: [a, {id: b}]\nentries: {a: {level: 1}, b: }\nany: [x]\nlevel: 3\n", ""},
		{"name:\nports:\n", ""},
		{"\nname: x\nport: 1\n", `f.yaml:3: unknown key "port": did you mean "ports"?`},
		{"nothing-like-it: 1\n", `f.yaml:1: unknown key "nothing-like-it"`},
		{"untold: 1\n", `f.yaml:1: unknown key "untold"`},
		{"entries:\n  a:\n    depth: 1\n", `f.yaml:3: unknown key "depth": use level`},
		{"either:\n- a\n- id: x\n  name: y\n", `f.yaml:4: unknown key "name": use id`},
		{"name: x\nname: y\n", `f.yaml:2: duplicate key "name"`},
		{"- name\n", `f.yaml:1: expected a mapping, found a list`},
		{"just text\n", `f.yaml:1: expected a mapping, found a string`},
		{"name: [x]\n", `f.yaml:1: name: expected a string, found a list`},
		{"ports: http\n", `f.yaml:1: ports: expected a list, found a string`},
		{"ports:\n- 1\n- http\n", `f.yaml:3: ports: expected a whole number from 0 to 65535, found a string`},
		{"ports: [1.5]\n", `f.yaml:1: ports: expected a whole number from 0 to 65535, found a number`},
		{"secret: 7\n", `f.yaml:1: secret: expected true or false, found a number`},
		{"score: {}\n", `f.yaml:1: score: expected a number, found a mapping`},
		{"level: true\n", `f.yaml:1: level: expected a whole number, found true or false`},
		{"entries: {a: 1}\n", `f.yaml:1: a: expected a mapping of level, found a number`},
		{"entries: [a]\n", `f.yaml:1: entries: expected a mapping, found a list`},
		{"word: bad\n", `f.yaml:1: unknown word "bad": use good`},
		{"word: [good]\n", `f.yaml:1: word: expected a string, found a list`},
		{"name: x\n---\nname: y\n", "f.yaml:2: a second document begins: one is read"},
		{"name: x\n\tports: 1\n", "f.yaml:2: found a tab character that violates indentation"},
		{"any: '*'\nname: a & b\n", ""},
		{"name: &a x\nports: [1]\n", ""},
		{"any: &a [*a]\n", "f.yaml:1: an alias, *a: write out what it stands for"},
		{"any: [&a [x]]\neither:\n- *a\n", "f.yaml:3: an alias, *a: write out what it stands for"},
		{"name: &a x\nword: *a\n", "f.yaml:2: an alias, *a: write out what it stands for"},
		{strings.Repeat("#", 1<<20+1), "f.yaml:1: larger than 1 MiB, the most that is read of such a file"},
	} {
		check(t, tt.in, YAML("f.yaml", []byte(tt.in), new(doc)), tt.want)
	}
}

func TestJSON(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`{"name":"x","ports":[1],"secret":true,"score":2,"word":"good","either":["a",{"id":"b"}],"entries":{"a":{"level":1},"b":null},"any":[{}],"level":3}`, ""},
		{"", "f.json:1: unexpected end of the file"},
		{"{\n\"name\": \"x\",\n", "f.json:2: unexpected end of the file"},
		{"{\n\"name\" \"x\"}", `f.json:2: invalid character '"' after object key`},
		{"{}\n{}", "f.json:2: something follows the end of the document"},
		{"{\n\"port\": 1}", `f.json:2: unknown key "port": did you mean "ports"?`},
		{"{\"entries\":\n{\"a\":\n{\"depth\": 1}}}", `f.json:3: unknown key "depth": use level`},
		{"{\"either\":\n[\"a\",\n{\"id\": \"x\",\n\"name\": \"y\"}]}", `f.json:4: unknown key "name": use id`},
		{"{\n\"name\": \"x\",\n\"na\\u006de\": \"y\"}", `f.json:3: duplicate key "name"`},
		{"[]", "f.json:1: expected a mapping, found a list"},
		{"{\"ports\":\n\"http\"}", "f.json:2: ports: expected a list, found a string"},
		{"{\"ports\": [\n1,\n\"2\"]}", "f.json:3: ports: expected a whole number from 0 to 65535, found a string"},
		{`{"name": null, "ports": {}}`, "f.json:1: ports: expected a list, found a mapping"},
		{"{\"word\":\n\"bad\"}", `f.json:2: unknown word "bad": use good`},
		{"{\"word\":\n{}}", "f.json:2: word: expected a string, found a mapping"},
		{"{\"word\":\n0}", "f.json:2: word: expected a string, found a number"},
		{"[1,2,3,4,5,6,7,8,9]" + strings.Repeat(" ", 9), "f.json:1: expected a mapping, found a list"},
		{"[" + strings.Repeat("1,", 100) + "1]", "f.json:1: holds more than 100 values"},
	} {
		check(t, tt.in, JSON("f.json", []byte(tt.in), 100, new(doc)), tt.want)
	}
}

func TestAt(t *testing.T) {
	because := errors.New("because")
	for _, in := range []string{
		"name: x\nentries:\n  a:\n    level: 1\neither:\n- a\n- b\n",
		"{\"name\": \"x\",\n\"entries\":\n{\"a\": {\n\"level\": 1}},\n\"either\": [\n\"a\",\n\"b\"]}",
	} {
		for _, tt := range []struct {
			path []any
			line int
		}{
			{nil, 1}, {[]any{"entries"}, 2}, {[]any{"entries", "a", "level"}, 4}, {[]any{"entries", "a", "none", "x"}, 3},
			{[]any{"either", 1}, 7}, {[]any{"either", 5}, 5}, {[]any{"none"}, 1},
		} {
			err := At("f", []byte(in), because, tt.path...)
			check(t, fmt.Sprint(in, tt.path), err, fmt.Sprintf("f:%d: because", tt.line))
			if !errors.Is(err, because) {
				t.Errorf("%v does not wrap what it is about", err)
			}
		}
	}
}

// No text makes the decoders fail otherwise than with one line that says where.
func Fuzz(f *testing.F) {
	f.Add("ports: [a]\nport: 1\n")
	f.Add("{\"either\": [{\"id\": 1}], \"word\": {}}")
	f.Fuzz(func(t *testing.T, text string) {
		for _, err := range []error{YAML("f", []byte(text), new(doc)), JSON("f", []byte(text), 100, new(doc))} {
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Line < 1 || strings.Contains(err.Error(), "\n") ||
				strings.Contains(err.Error(), "strict.") || strings.Contains(err.Error(), "cannot construct")) {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
