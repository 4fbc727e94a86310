package strict

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// jsonNode is the value that begins at an offset of a valid JSON document, as a
// node of YAML without what is in it. Its column is the offset.
func jsonNode(data []byte, at, line int) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: line, Column: at}
	switch data[at] {
	case '{':
		n.Kind = yaml.MappingNode
	case '[':
		n.Kind = yaml.SequenceNode
	case '"':
		n.Tag = "!!str"
	case 't', 'f':
		n.Tag = "!!bool"
	case 'n':
		n.Tag = "!!null"
	default:
		n.Tag = "!!float"
	}
	return n
}

// jsonRoot is the whole document.
func jsonRoot(data []byte) *yaml.Node {
	at := len(data) - len(bytes.TrimLeft(data, " \t\r\n"))
	return jsonNode(data, at, lines(data[:at]))
}

// children yields the entries of a list, or the keys and values of a mapping in
// turn. Those of JSON are read anew, since a tree takes a hundred times the memory
// of its text; data is nil for YAML.
func children(data []byte, n *yaml.Node) iter.Seq[*yaml.Node] {
	if data == nil || n.Kind == yaml.ScalarNode {
		return slices.Values(n.Content)
	}
	return func(yield func(*yaml.Node) bool) {
		d := json.NewDecoder(bytes.NewReader(data[n.Column:]))
		_, err := d.Token()
		at, line := n.Column, n.Line
		for key := true; err == nil && d.More(); key = !key {
			from := len(data) - len(bytes.TrimLeft(data[n.Column+int(d.InputOffset()):], " \t\r\n,:"))
			line += bytes.Count(data[at:from], []byte{'\n'})
			at = from
			child := jsonNode(data, at, line)
			if key && n.Kind == yaml.MappingNode {
				var name json.Token
				name, err = d.Token()
				child.Value, _ = name.(string)
			} else {
				var skipped json.RawMessage
				err = d.Decode(&skipped)
			}
			if !yield(child) {
				return
			}
		}
	}
}

// line finds the line of a place in a document. Only errors need it, so the
// document is read again.
func line(data []byte, path []any) int {
	var n *yaml.Node
	if json.Valid(data) {
		n = jsonRoot(data)
	} else {
		var doc yaml.Node
		if yaml.Unmarshal(data, &doc) != nil || len(doc.Content) == 0 {
			return 1
		}
		n, data = doc.Content[0], nil
	}
	line := n.Line
	for _, step := range path {
		var next, key *yaml.Node
		i := 0
		for child := range children(data, n) {
			switch {
			case n.Kind == yaml.SequenceNode && i == step:
				line, next = child.Line, child
			case n.Kind == yaml.MappingNode && i%2 == 0:
				key = child
			case n.Kind == yaml.MappingNode && key.Value == step:
				line, next = key.Line, child
			}
			i++
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
	data   []byte // of JSON
	decode func(n *yaml.Node, into any) error
}

func (f *finder) find(n *yaml.Node, t reflect.Type, key string) *Error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	misfit := func() *Error { return &Error{"", n.Line, &misfit{key, f.wanted(t), found(n)}} }
	switch {
	case f.reads(t):
		return f.own(n, t, key)
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
		for child := range children(f.data, n) {
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
	fields := f.fields(t)
	seen := map[string]bool{}
	var key *yaml.Node
	for value := range children(f.data, n) {
		if key == nil {
			key = value
			continue
		}
		of, known := fields[key.Value]
		if t.Kind() == reflect.Map {
			if e := f.find(key, t.Key(), ""); e != nil {
				return e
			}
			of, known = t.Elem(), true
		}
		switch {
		case !known:
			return &Error{"", key.Line, &UnknownKey{key.Value, slices.Sorted(maps.Keys(fields))}}
		case seen[key.Value] && f.tag == "yaml": // in JSON the last counts
			return &Error{"", key.Line, fmt.Errorf("duplicate key %q", key.Value)}
		}
		seen[key.Value] = true
		if e := f.find(value, of, key.Value); e != nil {
			return e
		}
		key = nil
	}
	return nil
}

// fields lists what keys a struct has, as the two libraries see them.
func (f *finder) fields(t reflect.Type) map[string]reflect.Type {
	into := map[string]reflect.Type{}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return into
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get(f.tag), ",")
		switch {
		case name == "-":
		case strings.Contains(options, "inline"), f.tag == "json" && field.Anonymous && name == "":
			maps.Copy(into, f.fields(field.Type))
		case !field.IsExported():
		case name != "":
			into[name] = field.Type
		case f.tag == "yaml":
			into[strings.ToLower(field.Name)] = field.Type
		default:
			into[field.Name] = field.Type
		}
	}
	return into
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

// misfit is the error about a value of another kind than the key takes.
type misfit struct{ key, wanted, found string }

func (e *misfit) Error() string {
	text := fmt.Sprintf("expected %s, found %s", e.wanted, e.found)
	if e.key != "" {
		text = e.key + ": " + text
	}
	return text
}

// own returns what a type that reads itself has against the value of a key.
func (f *finder) own(n *yaml.Node, t reflect.Type, key string) *Error {
	err := f.decode(n, reflect.New(t).Interface())
	if err == nil {
		return nil
	}
	e := located("", n.Line, err).(*Error)
	var within *Error
	if f.tag == "json" && errors.As(err, &within) {
		e.Line += n.Line - 1 // it knew its own text alone
	}
	if (n.Kind != yaml.ScalarNode || f.tag == "json" && n.Tag != "!!str") && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		e.Err = &misfit{key, "a string", found(n)}
	}
	if m := (*misfit)(nil); errors.As(e.Err, &m) && m.key == "" {
		m.key = key // it did not know by what it is called
	}
	return e
}

// few lists names if there are not many.
func few(before string, names []string) string {
	if len(names) == 0 || len(names) > 8 {
		return ""
	}
	return before + strings.Join(names, ", ")
}

func (f *finder) wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "a mapping" + few(" of ", slices.Sorted(maps.Keys(f.fields(t))))
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint8, reflect.Uint16:
		return fmt.Sprintf("a whole number from 0 to %d", 1<<t.Bits()-1)
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
