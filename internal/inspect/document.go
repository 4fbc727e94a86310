package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// Caps on a tree. The deepest of the formats that are read as one has some ten levels.
const (
	maxTree  = 100_000 // nodes
	maxDepth = 100
)

// document reads a file of TOML, YAML or JSON, by its name, into one kind of tree, so that a
// reader need not know which it was. Of YAML it is the first document. Scalars have their Text,
// numbers and booleans as well. A file with nothing in it gives nil.
func (s *source) document() (*json5.Node, error) {
	if path.Ext(s.name) == ".toml" {
		return tomlTree(s.name, s.data)
	}
	return yamlTree(s.name, s.data)
}

// yamlTree reads YAML, of which JSON is a part.
func yamlTree(name string, data []byte) (*json5.Node, error) {
	if err := bounded.YAML(data); err != nil {
		return nil, &strict.Error{File: name, Line: 1, Err: err}
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, &strict.Error{File: name, Line: yamlLine(err), Err: errors.New("is not valid YAML or JSON")}
	}
	if len(root.Content) == 0 {
		return nil, nil
	}
	t := yamlReader{name: name, lines: bytes.SplitAfter(data, []byte("\n"))}
	node := t.node(root.Content[0], 0)
	return node, t.err
}

// yamlLine is the line that an error of the YAML library names: what else it says may quote the file.
func yamlLine(err error) int {
	_, rest, ok := strings.Cut(err.Error(), "line ")
	if !ok {
		return 1
	}
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	n, _ := strconv.Atoi(rest[:digits])
	return max(n, 1)
}

type yamlReader struct {
	name  string
	lines [][]byte
	count int
	err   error
}

func (t *yamlReader) pos(n *yaml.Node) event.Pos {
	column := n.Column
	if n.Line >= 1 && n.Line <= len(t.lines) {
		column = utf16Column(t.lines[n.Line-1], n.Column)
	}
	return event.Pos{File: t.name, Line: n.Line, Column: column}
}

// utf16Column turns a column that counts characters into one that counts UTF-16 code units.
func utf16Column(line []byte, characters int) int {
	column := characters
	for i := 1; i < characters && len(line) > 0; i++ {
		r, n := utf8.DecodeRune(line)
		if r > 0xffff {
			column++
		}
		line = line[n:]
	}
	return column
}

func (t *yamlReader) node(n *yaml.Node, depth int) *json5.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	at := t.pos(n)
	out := &json5.Node{Kind: json5.Null, Pos: at, End: at}
	t.count++
	if t.count > maxTree || depth > maxDepth {
		if t.err == nil {
			t.err = &strict.Error{File: t.name, Line: n.Line, Err: errors.New("too many values, or too deep within each other")}
		}
		return out
	}
	switch n.Kind {
	case yaml.MappingNode:
		out.Kind = json5.Object
		var own []json5.Member
		for i := 0; i+1 < len(n.Content) && t.err == nil; i += 2 {
			key, value := n.Content[i], t.node(n.Content[i+1], depth+1)
			if key.Tag == "!!merge" {
				for _, from := range append([]*json5.Node{value}, value.Items...) {
					out.Members = append(out.Members, from.Members...)
				}
				if t.count += len(out.Members); t.count > maxTree {
					continue
				}
				continue
			}
			own = append(own, json5.Member{Key: key.Value, Pos: t.pos(key), Value: value})
		}
		out.Members = append(out.Members, own...)
	case yaml.SequenceNode:
		out.Kind = json5.Array
		for _, item := range n.Content {
			if t.err != nil {
				break
			}
			out.Items = append(out.Items, t.node(item, depth+1))
		}
	case yaml.ScalarNode:
		out.Text = n.Value
		switch n.ShortTag() {
		case "!!null":
			out.Text = ""
		case "!!bool":
			out.Kind, out.Bool = json5.Bool, strings.EqualFold(n.Value, "true")
		case "!!int", "!!float":
			out.Kind = json5.Number
			out.Number, _ = strconv.ParseFloat(n.Value, 64)
		default:
			out.Kind = json5.String
		}
	}
	return out
}

// tomlTree reads TOML. It does not insist on what a decoder insists on, such as that no key is
// there twice: the last one counts.
func tomlTree(name string, data []byte) (*json5.Node, error) {
	var p unstable.Parser
	p.Reset(data)
	t := tomlReader{name: name, p: &p, places: newPlaces(string(data), event.Pos{File: name, Line: 1, Column: 1})}
	start := event.Pos{File: name, Line: 1, Column: 1}
	root := &json5.Node{Kind: json5.Object, Pos: start, End: start}
	table := root
	for p.NextExpression() && t.err == nil {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			table = t.walk(root, e.Key(), false)
		case unstable.ArrayTable:
			table = t.walk(root, e.Key(), true)
		case unstable.KeyValue:
			t.keyValue(table, e, 0)
		}
	}
	if err := p.Error(); err != nil {
		at := t.last
		var problem *unstable.ParserError
		if errors.As(err, &problem) && len(problem.Highlight) > 0 {
			at = p.Shape(p.Range(problem.Highlight)).Start.Line
		}
		return nil, &strict.Error{File: name, Line: max(at, 1), Err: errors.New("is not valid TOML")}
	}
	return root, t.err
}

type tomlReader struct {
	name   string
	p      *unstable.Parser
	places *places
	last   int
	count  int
	err    error
}

func (t *tomlReader) pos(n *unstable.Node) event.Pos {
	if n.Raw.Length == 0 {
		return event.Pos{}
	}
	pos := t.places.of(int(n.Raw.Offset))
	t.last = pos.Line
	return pos
}

func (t *tomlReader) node(kind json5.Kind, pos event.Pos) *json5.Node {
	if t.count++; t.count > maxTree && t.err == nil {
		t.err = &strict.Error{File: t.name, Line: max(pos.Line, 1), Err: fmt.Errorf("holds more than %d values", maxTree)}
	}
	return &json5.Node{Kind: kind, Pos: pos, End: pos}
}

// walk goes down a dotted key and makes what is missing. The last part of an array of tables
// begins a new table.
func (t *tomlReader) walk(at *json5.Node, key unstable.Iterator, array bool) *json5.Node {
	for depth := 0; key.Next() && depth < maxDepth; depth++ {
		part := key.Node()
		name, pos := string(part.Data), t.pos(part)
		next := at.Get(name)
		switch {
		case array && key.IsLast():
			if next == nil || next.Kind != json5.Array {
				next = t.node(json5.Array, pos)
				at.Members = append(at.Members, json5.Member{Key: name, Pos: pos, Value: next})
			}
			item := t.node(json5.Object, pos)
			next.Items = append(next.Items, item)
			return item
		case next != nil && next.Kind == json5.Array && len(next.Items) > 0:
			next = next.Items[len(next.Items)-1]
		case next == nil || next.Kind != json5.Object:
			next = t.node(json5.Object, pos)
			at.Members = append(at.Members, json5.Member{Key: name, Pos: pos, Value: next})
		}
		at = next
	}
	return at
}

func (t *tomlReader) keyValue(table *json5.Node, e *unstable.Node, depth int) {
	var parts []*unstable.Node
	for key := e.Key(); key.Next() && len(parts) < maxDepth; {
		parts = append(parts, key.Node())
	}
	if len(parts) == 0 {
		return
	}
	for _, part := range parts[:len(parts)-1] {
		pos := t.pos(part)
		next := table.Get(string(part.Data))
		if next == nil || next.Kind != json5.Object {
			next = t.node(json5.Object, pos)
			table.Members = append(table.Members, json5.Member{Key: string(part.Data), Pos: pos, Value: next})
		}
		table = next
	}
	last := parts[len(parts)-1]
	pos := t.pos(last)
	table.Members = append(table.Members, json5.Member{Key: string(last.Data), Pos: pos, Value: t.value(e.Value(), pos, depth+1)})
}

// value turns a value into a node. One whose own place is not known has that of its key.
func (t *tomlReader) value(v *unstable.Node, key event.Pos, depth int) *json5.Node {
	pos := t.pos(v)
	if pos.IsZero() {
		pos = key
	}
	out := t.node(json5.String, pos)
	if depth > maxDepth {
		t.err = &strict.Error{File: t.name, Line: max(pos.Line, 1), Err: errors.New("too deep within each other")}
		return out
	}
	switch v.Kind {
	case unstable.Array:
		out.Kind = json5.Array
		for items := v.Children(); items.Next() && t.err == nil; {
			if items.Node().Kind != unstable.Comment {
				out.Items = append(out.Items, t.value(items.Node(), pos, depth+1))
			}
		}
	case unstable.InlineTable:
		out.Kind = json5.Object
		for items := v.Children(); items.Next() && t.err == nil; {
			if items.Node().Kind == unstable.KeyValue {
				t.keyValue(out, items.Node(), depth+1)
			}
		}
	default:
		out.Text = string(v.Data)
		switch v.Kind {
		case unstable.Bool:
			out.Kind, out.Bool = json5.Bool, out.Text == "true"
		case unstable.Integer, unstable.Float:
			out.Kind = json5.Number
			out.Number, _ = strconv.ParseFloat(strings.ReplaceAll(out.Text, "_", ""), 64)
		}
	}
	return out
}

// memberPos is the place of a key; none if the object lacks it.
func memberPos(n *json5.Node, key string) event.Pos {
	if n != nil {
		for i := len(n.Members) - 1; i >= 0; i-- {
			if n.Members[i].Key == key {
				return n.Members[i].Pos
			}
		}
	}
	return event.Pos{}
}

// first is the first of several keys that an object has.
func first(n *json5.Node, keys ...string) *json5.Node {
	for _, k := range keys {
		if v := n.Get(k); v != nil {
			return v
		}
	}
	return nil
}

// scalar is a scalar as text; "" for what is none.
func scalar(n *json5.Node) string {
	switch {
	case n == nil:
	case n.Text != "":
		return n.Text
	case n.Kind == json5.Number:
		return strconv.FormatFloat(n.Number, 'f', -1, 64)
	case n.Kind == json5.Bool:
		return strconv.FormatBool(n.Bool)
	}
	return ""
}

// valueOf is a scalar as a setting; Unset for nil.
func valueOf(n *json5.Node) deploy.Value {
	if n == nil {
		return deploy.Value{}
	}
	return deploy.Value{State: deploy.Set, Text: scalar(n), Pos: n.Pos}
}

// items are the entries of an array; a scalar is an array of one.
func items(n *json5.Node) []*json5.Node {
	switch {
	case n == nil || n.Kind == json5.Null || n.Kind == json5.Object:
		return nil
	case n.Kind == json5.Array:
		return n.Items
	}
	return []*json5.Node{n}
}

// number is a port or another small number; 0 if the node is none.
func number(n *json5.Node) int { return portNumber(scalar(n)) }

// portNumber reads a port; 0 if the text is none.
func portNumber(text string) int {
	n, err := strconv.ParseUint(strings.ReplaceAll(strings.TrimSpace(text), "_", ""), 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// isYesNode reports whether a node is the boolean true.
func isYesNode(n *json5.Node) bool { return n != nil && n.Kind == json5.Bool && n.Bool }
