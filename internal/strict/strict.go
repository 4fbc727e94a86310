// Package strict decodes documents of YAML and JSON in which every key must be
// known. An error is one line that begins with file and line, speaks of what the
// document holds and not of Go types, and names the key that was likely meant.
package strict

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/suggest"
)

// Error is what is wrong with a file, and where.
type Error struct {
	File string
	Line int // from 1
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// UnknownKey is the error about a key that is not among those of its place.
type UnknownKey struct {
	Key   string
	Known []string // sorted
}

func (e *UnknownKey) Error() string {
	return fmt.Sprintf("unknown key %q%s", e.Key, cmp.Or(suggest.DidYouMean(e.Key, e.Known), few(": use ", e.Known)))
}

// At places an error in a document, at the deepest part of the path that exists:
// keys by name, entries of a list by index.
func At(file string, data []byte, err error, path ...any) error {
	return &Error{file, line(data, path), err}
}

// YAML decodes a file of one YAML document within the limits of bounded.YAML, and
// without aliases, with which a few lines stand for millions of values. An empty
// file leaves into as it is.
func YAML(file string, data []byte, into any) error {
	if err := bounded.YAML(data); err != nil {
		return &Error{file, 1, err}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var root, more yaml.Node
	err := dec.Decode(&root)
	if err == nil {
		if alias := findAlias(&root); alias != nil {
			return &Error{file, alias.Line, fmt.Errorf("an alias, *%.40s: write out what it stands for", alias.Value)}
		}
		if err = dec.Decode(&more); err == nil {
			return &Error{file, more.Line, errors.New("a second document begins: one is read")}
		}
	}
	switch {
	case err != io.EOF:
		return located(file, 1, err)
	case len(root.Content) == 0:
		return nil
	}
	if err := Node(root.Content[0], into); err != nil {
		return located(file, 1, err)
	}
	return nil
}

func findAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n
	}
	for _, child := range n.Content {
		if found := findAlias(child); found != nil {
			return found
		}
	}
	return nil
}

// Node decodes a part of a YAML document, for the UnmarshalYAML of a type.
func Node(n *yaml.Node, into any) error {
	load := func(n *yaml.Node, into any) error { return n.Load(into, yaml.WithKnownFields()) }
	err := load(n, into)
	if err == nil {
		return nil
	}
	f := finder{tag: "yaml", decode: load}
	if found := f.find(n, reflect.TypeOf(into), ""); found != nil {
		err = found
	}
	return located("", n.Line, err)
}

// JSON decodes a file of one JSON document of at most so many values.
func JSON(file string, data []byte, values int, into any) error {
	if err := bounded.JSON(data, values); err != nil {
		return &Error{file, 1, err}
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	var syntax *json.SyntaxError
	switch rest := bytes.TrimLeft(data[d.InputOffset():], " \t\r\n"); {
	case errors.As(err, &syntax):
		return &Error{file, lines(data[:max(syntax.Offset-1, 0)]), err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{file, lines(bytes.TrimRight(data, " \t\r\n")), errors.New("unexpected end of the file")}
	case err == nil && len(rest) > 0:
		return &Error{file, lines(data[:len(data)-len(rest)]), errors.New("something follows the end of the document")}
	case err == nil:
		if key, at := twice(data); key != "" {
			return &Error{file, lines(data[:at]), fmt.Errorf("duplicate key %q", key)}
		}
		return nil
	}
	f := finder{tag: "json", data: data, decode: func(n *yaml.Node, into any) error {
		return json.NewDecoder(bytes.NewReader(data[n.Column:])).Decode(into)
	}}
	if found := f.find(jsonRoot(data), reflect.TypeOf(into), ""); found != nil {
		err = found
	}
	return located(file, 1, err)
}

// located places an error: where it says itself, or at the given line.
func located(file string, line int, err error) error {
	var many *yaml.LoadErrors
	if errors.As(err, &many) && len(many.Errors) > 0 {
		err = many.Errors[0] // the others often follow from it
	}
	var ours *Error
	if errors.As(err, &ours) {
		return &Error{file, ours.Line, ours.Err}
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	var load *yaml.LoadError
	if errors.As(err, &load) {
		line, text = max(load.Mark.Line, line), load.Message
	}
	return &Error{file, line, errors.New(strings.Join(strings.Fields(text), " "))}
}

// lines is the number of the line that follows the text.
func lines(text []byte) int { return 1 + bytes.Count(text, []byte{'\n'}) }

// twice returns the first key of a JSON object that it has twice, and where it
// ends; "" for none. Objects within it are not looked at.
func twice(data []byte) (key string, at int) {
	var s bounded.Scanner
	seen := map[string]bool{}
	from := 0
	for i, c := range data {
		before := s.Quoted()
		s.Next(c)
		switch {
		case s.Depth != 1:
		case c == '"' && !before:
			from = i
		case c == ':' && !before:
			var name string
			if json.Unmarshal(bytes.TrimSpace(data[from:i]), &name) == nil && seen[name] {
				return name, i
			}
			seen[name] = true
		}
	}
	return "", 0
}
