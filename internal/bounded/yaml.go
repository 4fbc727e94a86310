package bounded

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// MaxYAML is the most that is read of a YAML file, in bytes. The largest of ours
// has 30 KB.
const MaxYAML = 1 << 20

// maxNodes bounds the values of a YAML document: each takes some 200 bytes.
const maxNodes = 100_000

// YAML reports whether a YAML document may be decoded: it has no more values than
// any that is written by hand, and no aliases, with which a few lines stand for
// millions of values. The error is about the given line; 0 when it is about the
// whole.
func YAML(data []byte) (line int, err error) {
	if len(data) > MaxYAML {
		return 0, fmt.Errorf("larger than %s, the most that is read of such a file", Size(MaxYAML))
	}
	n := 0
	for i, c := range data {
		switch c {
		case '\n', ',', '[', '{':
			n++
		case ':', '-', '?':
			if i+1 < len(data) && (data[i+1] == ' ' || data[i+1] == '\t') {
				n++
			}
		}
	}
	if n > maxNodes {
		return 0, fmt.Errorf("holds more than %d lines and values", maxNodes)
	}
	if bytes.IndexByte(data, '*') < 0 || bytes.IndexByte(data, '&') < 0 {
		return 0, nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var root yaml.Node
		if dec.Decode(&root) != nil {
			return 0, nil // the end, or an error that the caller finds as well
		}
		if alias := findAlias(&root); alias != nil {
			return alias.Line, fmt.Errorf("an alias, *%.40s: write out what it stands for", alias.Value)
		}
	}
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
