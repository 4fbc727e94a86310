// Package json5 reads JSON5 (https://spec.json5.org) with the position of every
// value and key. It takes what npm's json5 2.2.3 takes, and gives the same values.
package json5

import "github.com/clawsonar/clawsonar/internal/event"

// Kind is what a value is.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Node is a value with its place. Trees may be put together from several files.
type Node struct {
	Kind    Kind
	Bool    bool
	Number  float64 // may be infinite or NaN
	Text    string  // of a String
	Items   []*Node
	Members []Member // in their order; of the same keys all, of which the last counts
	Pos     event.Pos
	End     event.Pos // just behind it
}

// Member is a key of an object and its value.
type Member struct {
	Key   string
	Pos   event.Pos // of the key
	Value *Node
}

// Get returns what is at the keys; nil if there is nothing. It may be called on nil.
func (n *Node) Get(keys ...string) *Node {
	for _, k := range keys {
		n = n.member(k)
	}
	return n
}

func (n *Node) member(key string) *Node {
	if n == nil || n.Kind != Object {
		return nil
	}
	for i := len(n.Members) - 1; i >= 0; i-- {
		if n.Members[i].Key == key {
			return n.Members[i].Value
		}
	}
	return nil
}
