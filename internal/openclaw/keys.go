package openclaw

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/release"
)

// Keys says which keys of the configuration the measured releases know. As text it has
// one key a line, indented by one blank a level, in the order of their names:
//
//	releases 2026.1.24-3 2026.1.29 2026.2.9
//	gateway
//	 auth
//	  rateLimit 2026.2.9..
//	 bonjour ..2026.1.29
//
// The first line lists the releases. "*" stands for every key, "[]" for every member of
// a list. What follows a key are the releases that know it, if they are not those of the
// key above: FIRST..LAST, without either if there is no earlier or later one, several
// separated by commas. What is below a key that takes anything is not listed.
type Keys struct {
	releases []release.Version // oldest first
	root     *keyNode
}

// keyNode is a key. Bit i of known is for release i.
type keyNode struct {
	known    uint64
	children map[string]*keyNode
}

// maxReleases is how many releases fit.
const maxReleases = 64

// KeysFile is where the table is in fingerprints.FS.
const KeysFile = "config/keys.txt"

// openBelow are keys below which others add their own: plug-ins, channels, providers.
// "**" stands for any number of keys.
func openBelow(path []string) bool {
	for _, p := range []string{
		"channels", "broadcast", "env", "hooks.internal.entries.*", "mcp.servers.*", "nodeHost.mcp.servers.*", "talk.providers.*", "plugins.entries.*",
		"plugins.installs.*", "secrets.providers", "skills.entries.*.config", "tools.web.search", "tools.web.fetch",
	} {
		if want := strings.Split(p, "."); len(want) == len(path) && slices.EqualFunc(want, path, func(w, s string) bool { return w == "*" || w == s }) {
			return true
		}
	}
	// Speech is everywhere, with the settings of its providers.
	i := slices.Index(path, "tts")
	return i >= 0 && len(path) == i+1
}

// ParseKeys reads a table. The error names the line.
func ParseKeys(data []byte) (*Keys, error) {
	k := &Keys{root: &keyNode{}}
	var above []*keyNode
	n := 0
	for line := range bytes.Lines(data) {
		n++
		text := strings.TrimSuffix(string(line), "\n")
		if n == 1 {
			rest, ok := strings.CutPrefix(text, "releases ")
			for _, f := range strings.Fields(rest) {
				v, err := release.Parse(f)
				if err != nil {
					return nil, fmt.Errorf("line 1: %w", err)
				}
				k.releases = append(k.releases, v)
			}
			if !ok || len(k.releases) > maxReleases || !slices.IsSortedFunc(k.releases, release.Version.Compare) {
				return nil, errors.New("line 1: want releases, at most 64, oldest first")
			}
			k.root.known = 1<<len(k.releases) - 1
			above = []*keyNode{k.root}
			continue
		}
		name := strings.TrimLeft(text, " ")
		depth := len(text) - len(name)
		if depth >= len(above) || name == "" {
			return nil, fmt.Errorf("line %d: wrong indentation", n)
		}
		parent := above[depth]
		node := &keyNode{known: parent.known}
		name, known, some := strings.Cut(name, " ")
		if some {
			var err error
			if node.known, err = k.parseRanges(known); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
		if parent.children == nil {
			parent.children = map[string]*keyNode{}
		}
		if parent.children[name] != nil {
			return nil, fmt.Errorf("line %d: %q is there twice", n, name)
		}
		parent.children[name] = node
		above = append(above[:depth+1], node)
	}
	if len(above) == 0 {
		return nil, errors.New("an empty table")
	}
	return k, nil
}

func (k *Keys) parseRanges(s string) (known uint64, err error) {
	for part := range strings.SplitSeq(s, ",") {
		first, last, ok := strings.Cut(part, "..")
		from, to := 0, len(k.releases)-1
		if first != "" {
			from = k.index(first)
		}
		if last != "" {
			to = k.index(last)
		}
		if !ok || from < 0 || to < from {
			return 0, fmt.Errorf("%q: want FIRST..LAST, of releases of line 1", part)
		}
		known |= (1<<(to-from+1) - 1) << from
	}
	return known, nil
}

func (k *Keys) index(s string) int {
	return slices.IndexFunc(k.releases, func(v release.Version) bool { return v.String() == s })
}

// ranges is the text of the releases that know a key.
func (k *Keys) ranges(known uint64) string {
	var out []string
	for i := 0; i < len(k.releases); i++ {
		if known>>i&1 == 0 {
			continue
		}
		from := i
		for i+1 < len(k.releases) && known>>(i+1)&1 == 1 {
			i++
		}
		first, last := "", ""
		if from > 0 {
			first = k.releases[from].String()
		}
		if i < len(k.releases)-1 {
			last = k.releases[i].String()
		}
		out = append(out, first+".."+last)
	}
	return strings.Join(out, ",")
}

// Releases returns the releases of the table, oldest first.
func (k *Keys) Releases() []release.Version { return slices.Clone(k.releases) }

// Format returns the text of the table, the same for the same keys.
func (k *Keys) Format() []byte {
	var b bytes.Buffer
	b.WriteString("releases")
	for _, v := range k.releases {
		b.WriteString(" " + v.String())
	}
	b.WriteString("\n")
	var write func(n *keyNode, indent string)
	write = func(n *keyNode, indent string) {
		for _, name := range slices.Sorted(maps.Keys(n.children)) {
			child := n.children[name]
			b.WriteString(indent + name)
			if child.known != n.known {
				b.WriteString(" " + k.ranges(child.known))
			}
			b.WriteString("\n")
			write(child, indent+" ")
		}
	}
	write(k.root, "")
	return b.Bytes()
}

// Add makes the table say of a release that it knows these keys, and no others. A path
// has its keys separated by dots, with "[]" after a list.
func (k *Keys) Add(r release.Version, paths []string) error {
	i, found := slices.BinarySearchFunc(k.releases, r, release.Version.Compare)
	if !found {
		if len(k.releases) == maxReleases {
			return fmt.Errorf("%v: there are %d releases already", r, maxReleases)
		}
		k.releases = slices.Insert(k.releases, i, r)
		k.root.each(func(n *keyNode) {
			low := uint64(1)<<i - 1
			n.known = n.known&low | (n.known&^low)<<1
		})
	}
	bit := uint64(1) << i
	k.root.each(func(n *keyNode) { n.known &^= bit })
	k.root.known |= bit
	for _, path := range paths {
		n := k.root
		var at []string
		for key := range strings.SplitSeq(strings.ReplaceAll(path, "[]", ".[]"), ".") {
			if openBelow(at) {
				break
			}
			if n.children == nil {
				n.children = map[string]*keyNode{}
			}
			if n.children[key] == nil {
				n.children[key] = &keyNode{}
			}
			n = n.children[key]
			n.known |= bit
			at = append(at, key)
		}
	}
	return nil
}

func (n *keyNode) each(f func(*keyNode)) {
	f(n)
	for _, c := range n.children {
		c.each(f)
	}
}

// knows says what the table tells of a key and a release: that it knows it, that it does
// not, or neither, where the release lies between two of which one knows it, or is newer
// than all and none knows it.
func (k *Keys) knows(known uint64, r release.Version) (yes, no bool) {
	if r.IsZero() {
		return known != 0, known == 0
	}
	i, found := slices.BinarySearchFunc(k.releases, r, release.Version.Compare)
	last := len(k.releases) - 1
	from, to := i, i
	switch {
	case found:
	case i > last:
		from, to = last, last
		if known == 0 {
			return false, false
		}
	case i > 0:
		from = i - 1
	}
	a, b := known>>from&1, known>>to&1
	return a&b == 1, a|b == 0
}

// span returns the first and the last release that know a key.
func (k *Keys) span(known uint64) (first, last string) {
	for i, v := range k.releases {
		if known>>i&1 == 1 {
			first, last = cmp.Or(first, v.String()), v.String()
		}
	}
	return first, last
}
