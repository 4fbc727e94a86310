package inspect

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// ynode is a value of YAML with its place. What an alias stands for is there once, however often
// it is named, so that a file takes no more memory than it has text; nobody may change a node, and who
// walks over a tree must count.
type ynode struct {
	text    string // of a scalar; "" of null
	kind    ykind
	tag     string // of the file's own, as "!reset"
	items   []*ynode
	members []ymember // those of merge keys first, so that the last of the same key counts
	pos     event.Pos
	begin   event.Pos // where the text of a scalar begins, within its quotes or block
	exact   bool      // the text stands there as it is, so that places in it can be told
}

type ykind uint8

const (
	ynull ykind = iota
	yscalar
	ylist
	ymapping
)

type ymember struct {
	key   string
	pos   event.Pos
	value *ynode
}

// Caps of YAML files, beside those of bounded.YAML.
const (
	maxYAMLDepth   = 100
	maxYAMLMembers = 100_000 // that merge keys add
)

// get returns what is at the keys; nil if there is nothing. It may be called on nil.
func (n *ynode) get(keys ...string) *ynode {
	for _, k := range keys {
		m := n.member(k)
		if m == nil {
			return nil
		}
		n = m.value
	}
	return n
}

func (n *ynode) member(key string) *ymember {
	if n == nil {
		return nil
	}
	for i := len(n.members) - 1; i >= 0; i-- {
		if n.members[i].key == key {
			return &n.members[i]
		}
	}
	return nil
}

// has reports whether any of the keys is there and not null.
func (n *ynode) has(keys ...string) bool {
	for _, k := range keys {
		if v := n.get(k); v != nil && v.kind != ynull {
			return true
		}
	}
	return false
}

// at is the text of the scalar at the keys; "" if there is none.
func (n *ynode) at(keys ...string) string {
	v := n.get(keys...)
	if v == nil || v.kind != yscalar {
		return ""
	}
	return v.text
}

// keyPos is the place of a key; of the mapping if it lacks the key.
func (n *ynode) keyPos(key string) event.Pos {
	if m := n.member(key); m != nil {
		return m.pos
	}
	if n == nil {
		return event.Pos{}
	}
	return n.pos
}

// list are the entries of a list; a scalar or mapping is a list of one.
func (n *ynode) list() []*ynode {
	switch {
	case n == nil || n.kind == ynull:
		return nil
	case n.kind == ylist:
		return n.items
	}
	return []*ynode{n}
}

// unique are the members of a mapping, of the same keys the last, in their order.
func (n *ynode) unique() []ymember {
	if n == nil {
		return nil
	}
	last := make(map[string]int, len(n.members))
	for i, m := range n.members {
		last[m.key] = i
	}
	if len(last) == len(n.members) {
		return n.members
	}
	var out []ymember
	for i, m := range n.members {
		if last[m.key] == i {
			out = append(out, m)
		}
	}
	return out
}

// value is a scalar as a setting.
func (n *ynode) value() deploy.Value {
	if n == nil {
		return deploy.Value{}
	}
	return deploy.Value{State: deploy.Set, Text: n.text, Pos: n.pos}
}

// yamlDocuments reads all documents of a file.
func yamlDocuments(name string, data []byte) ([]*ynode, error) {
	if err := bounded.YAML(data); err != nil {
		return nil, &strict.Error{File: name, Line: 1, Err: err}
	}
	c := yamlConverter{name: name, lines: bytes.SplitAfter(data, []byte("\n"))}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var docs []*ynode
	for {
		var root yaml.Node
		err := dec.Decode(&root)
		if err == io.EOF {
			return docs, nil
		}
		if err != nil {
			return docs, &strict.Error{File: name, Line: min(yamlErrorLine(err), len(c.lines)), Err: errors.New("is not valid YAML")}
		}
		if len(root.Content) == 0 {
			continue
		}
		c.made = map[*yaml.Node]*ynode{}
		n := c.convert(root.Content[0], 0)
		if c.err != nil {
			return docs, c.err
		}
		docs = append(docs, n)
	}
}

// yamlErrorLine is the line that an error of the YAML library names. What else it says may quote the file.
func yamlErrorLine(err error) int {
	_, rest, _ := strings.Cut(err.Error(), "line ")
	n, _ := strconv.Atoi(rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))])
	return max(n, 1)
}

type yamlConverter struct {
	name   string
	lines  [][]byte
	made   map[*yaml.Node]*ynode
	merged int
	err    error
}

func (c *yamlConverter) pos(n *yaml.Node) event.Pos {
	column := n.Column
	if n.Line > len(c.lines) { // YAML ends lines at further characters
		return event.Pos{File: c.name, Line: len(c.lines), Column: 1}
	}
	if n.Line >= 1 {
		line := c.lines[n.Line-1]
		for i := 1; i < n.Column && len(line) > 0; i++ {
			r, size := utf8.DecodeRune(line)
			if r > 0xffff {
				column++ // in UTF-16 it has two code units
			}
			line = line[size:]
		}
	}
	return event.Pos{File: c.name, Line: n.Line, Column: column}
}

func (c *yamlConverter) fail(n *yaml.Node, why string) {
	if c.err == nil {
		c.err = &strict.Error{File: c.name, Line: min(max(n.Line, 1), len(c.lines)), Err: errors.New(why)}
	}
}

func (c *yamlConverter) convert(n *yaml.Node, depth int) *ynode {
	if n.Kind == yaml.AliasNode {
		if n.Alias == nil {
			return &ynode{pos: c.pos(n)}
		}
		n = n.Alias
	}
	if done, ok := c.made[n]; ok {
		if done == nil {
			c.fail(n, "an anchor stands for a value that it is part of")
			return &ynode{pos: c.pos(n)}
		}
		return done
	}
	if depth > maxYAMLDepth {
		c.fail(n, "nested too deep")
	}
	out := &ynode{pos: c.pos(n)}
	if c.err != nil {
		return out
	}
	c.made[n] = nil
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		out.tag = n.Tag
	}
	switch n.Kind {
	case yaml.MappingNode:
		out.kind = ymapping
		var own []ymember
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], c.convert(n.Content[i+1], depth+1)
			if key.Tag == "!!merge" {
				c.merge(n, out, value)
				continue
			}
			if key.Kind == yaml.AliasNode && key.Alias != nil {
				key = key.Alias
			}
			own = append(own, ymember{key: key.Value, pos: c.pos(key), value: value})
		}
		out.members = append(out.members, own...)
	case yaml.SequenceNode:
		out.kind = ylist
		for _, item := range n.Content {
			out.items = append(out.items, c.convert(item, depth+1))
		}
	case yaml.ScalarNode:
		if n.ShortTag() != "!!null" {
			out.kind, out.text = yscalar, n.Value
		}
		out.begin, out.exact = c.begin(n)
	}
	c.made[n] = out
	return out
}

// merge adds the members that a merge key names. Of several the first counts, so it comes last.
func (c *yamlConverter) merge(at *yaml.Node, out, value *ynode) {
	from := value.list()
	for i := len(from) - 1; i >= 0; i-- {
		c.merged += len(from[i].members)
		if c.merged > maxYAMLMembers {
			c.fail(at, "merge keys add too much")
			return
		}
		out.members = append(out.members, from[i].members...)
	}
}

// begin is where the text of a scalar begins, and whether it stands there as it is.
func (c *yamlConverter) begin(n *yaml.Node) (event.Pos, bool) {
	pos := c.pos(n)
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		if n.Line < 1 || n.Line > len(c.lines) {
			return pos, false
		}
		if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			pos.Column++
		}
		return pos, n.Value != "" && !strings.Contains(n.Value, "\n") && bytes.Contains(c.lines[n.Line-1], []byte(n.Value))
	}
	pos = event.Pos{File: c.name, Line: min(n.Line+1, len(c.lines)), Column: 1}
	for i := n.Line; i < len(c.lines); i++ {
		if text := bytes.TrimLeft(c.lines[i], " "); len(bytes.TrimSpace(text)) > 0 {
			pos.Column = len(c.lines[i]) - len(text) + 1
			break
		}
	}
	return pos, n.Style&yaml.LiteralStyle != 0 && n.Line+strings.Count(n.Value, "\n") <= len(c.lines)
}

// wordPos is the place of a scalar that is a word of a command. It has no column if places in
// its text, which may be a script, cannot be told.
func (n *ynode) wordPos() event.Pos {
	pos := n.pos
	if n.exact {
		pos = n.begin
	} else if strings.Contains(n.text, "\n") {
		pos.Column = 0
	}
	return pos
}

// words splits the text of a scalar, of which v is what its variables make, as a shell does.
func (n *ynode) words(v deploy.Value) []deploy.Value {
	v.Pos = n.begin
	words := shellWords(v.Text, v.Pos)
	for i := range words {
		words[i].State, words[i].Via = v.State, v.Via
		if !n.exact || v.Text != n.text {
			words[i].Pos = n.pos
		}
	}
	return words
}
