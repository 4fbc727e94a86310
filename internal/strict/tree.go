package strict

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/suggest"
)

// jsonTree reads a JSON document as a tree of YAML, which it nearly is. The column
// of a node is its offset.
func jsonTree(d *json.Decoder, data []byte) (*yaml.Node, error) {
	rest := bytes.TrimLeft(data[d.InputOffset():], " \t\r\n,:")
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	at := len(data) - len(rest)
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: lines(data[:at]), Column: at}
	switch tok := tok.(type) {
	case json.Delim:
		n.Kind = yaml.SequenceNode
		if tok == '{' {
			n.Kind = yaml.MappingNode
		}
		for d.More() { // keys and values in turn, as a mapping's are in YAML
			child, err := jsonTree(d, data)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		_, err = d.Token()
	case string:
		n.Tag, n.Value = "!!str", tok
	case float64:
		n.Tag = "!!float"
	case bool:
		n.Tag = "!!bool"
	default:
		n.Tag = "!!null"
	}
	return n, err
}

// line finds the line of a place in a document. Only errors need it, so the
// document is read again.
func line(data []byte, path []any) int {
	var root *yaml.Node
	if json.Valid(data) {
		root, _ = jsonTree(json.NewDecoder(bytes.NewReader(data)), data)
	} else {
		var doc yaml.Node
		if yaml.Unmarshal(data, &doc) == nil && len(doc.Content) > 0 {
			root = doc.Content[0]
		}
	}
	if root == nil {
		return 1
	}
	n, line := root, root.Line
	for _, step := range path {
		var next *yaml.Node
		switch step := step.(type) {
		case string:
			for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					line, next = n.Content[i].Line, n.Content[i+1]
				}
			}
		case int:
			if n.Kind == yaml.SequenceNode && step < len(n.Content) {
				next = n.Content[step]
				line = next.Line
			}
		}
		if next == nil {
			break
		}
		n = next
	}
	return line
}

// finder finds the first thing in a document that does not fit its type.
type finder struct {
	tag    string // of fields
	decode func(n *yaml.Node, into any) error
}

func (f *finder) top(n *yaml.Node, into any) error {
	if found := f.find(n, reflect.TypeOf(into).Elem(), ""); found != nil {
		return found
	}
	return nil
}

func (f *finder) find(n *yaml.Node, t reflect.Type, key string) *Error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	misfit := func() *Error {
		if key != "" {
			key += ": "
		}
		return &Error{"", n.Line, fmt.Errorf("%sexpected %s, found %s", key, wanted(t), found(n))}
	}
	switch {
	case f.reads(t):
		return f.own(n, t)
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null" || t.Kind() == reflect.Interface:
		return nil
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		if n.Kind != yaml.MappingNode {
			return misfit()
		}
		return f.mapping(n, t)
	case reflect.Slice, reflect.Array:
		if n.Kind != yaml.SequenceNode {
			return misfit()
		}
		for _, child := range n.Content {
			if e := f.find(child, t.Elem(), key); e != nil {
				return e
			}
		}
	default:
		if n.Kind != yaml.ScalarNode || f.decode(n, reflect.New(t).Interface()) != nil {
			return misfit()
		}
	}
	return nil
}

func (f *finder) mapping(n *yaml.Node, t reflect.Type) *Error {
	fields := map[string]reflect.Type{}
	if t.Kind() == reflect.Struct {
		f.fields(t, fields)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		of, known := fields[key.Value]
		if t.Kind() == reflect.Map {
			if e := f.find(key, t.Key(), ""); e != nil {
				return e
			}
			of, known = t.Elem(), true
		}
		switch {
		case !known:
			names := make([]string, 0, len(fields))
			for name := range fields {
				names = append(names, name)
			}
			slices.Sort(names)
			return &Error{"", key.Line, fmt.Errorf("unknown key %q%s", key.Value, meant(key.Value, names))}
		case seen[key.Value]:
			return &Error{"", key.Line, fmt.Errorf("key %q is there twice", key.Value)}
		}
		seen[key.Value] = true
		if e := f.find(value, of, key.Value); e != nil {
			return e
		}
	}
	return nil
}

// fields lists what keys a struct has, as the two libraries see them.
func (f *finder) fields(t reflect.Type, into map[string]reflect.Type) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get(f.tag), ",")
		switch {
		case name == "-":
		case strings.Contains(options, "inline"), f.tag == "json" && field.Anonymous && name == "":
			f.fields(field.Type, into)
		case !field.IsExported():
		case name != "":
			into[name] = field.Type
		case f.tag == "yaml":
			into[strings.ToLower(field.Name)] = field.Type
		default:
			into[field.Name] = field.Type
		}
	}
}

// reads reports whether a type reads itself.
func (f *finder) reads(t reflect.Type) bool {
	own := reflect.TypeFor[yaml.Unmarshaler]()
	if f.tag == "json" {
		own = reflect.TypeFor[json.Unmarshaler]()
	}
	p := reflect.PointerTo(t)
	return p.Implements(own) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// own returns what a type that reads itself has against a value.
func (f *finder) own(n *yaml.Node, t reflect.Type) *Error {
	err := f.decode(n, reflect.New(t).Interface())
	if err == nil {
		return nil
	}
	e := located("", n.Line, err).(*Error)
	var within *Error
	if f.tag == "json" && errors.As(err, &within) {
		e.Line += n.Line - 1 // it knew its own text alone
	}
	if n.Kind != yaml.ScalarNode && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		e.Err = fmt.Errorf("expected a string, found %s", found(n))
	}
	return e
}

// meant suggests a key, or lists all if they are few.
func meant(word string, names []string) string {
	text := suggest.DidYouMean(word, names)
	if text == "" && len(names) > 0 && len(names) <= 8 {
		text = ": use " + strings.Join(names, ", ")
	}
	return text
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	}
	return "a string"
}
