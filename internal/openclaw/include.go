package openclaw

import (
	"path"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

const (
	includeKey      = "$include"
	maxIncludes     = 10      // within each other
	maxIncludeBytes = 2 << 20 // of one file
	maxIncludePath  = 4096    // characters
)

// guarded reports whether a release keeps includes within the directory of the
// configuration, and to files of one name and of at most maxIncludeBytes.
func guarded(r release.Version) deploy.Tri {
	switch {
	case r.IsZero() || from(r, "2026.2.26"):
		return deploy.Yes
	case upTo(r, "2026.1.29"):
		return deploy.No
	}
	return deploy.NotKnown
}

// place is where something is included.
type place struct {
	file  string   // in the tree
	chain []string // the files that include each other, down to this one
}

// includes returns a value with all that it includes.
func (l *loader) includes(n *json5.Node) *json5.Node {
	file := path.Clean(l.config.File)
	return l.process(n, place{file, []string{file}})
}

// process returns a value with all that it includes; the value may be changed. It is
// at most json5.MaxDepth times maxIncludes deep.
func (l *loader) process(n *json5.Node, at place) *json5.Node {
	if l.nodes++; l.nodes > maxNodes {
		l.tooBig(n.Pos)
		return &json5.Node{Kind: json5.Null, Pos: n.Pos, End: n.End}
	}
	switch n.Kind {
	case json5.Array:
		for i := range n.Items {
			n.Items[i] = l.process(n.Items[i], at)
		}
	case json5.Object:
		n.Members = counting(n.Members)
		if n.Get(includeKey) != nil {
			return l.include(n, at)
		}
		l.members(n, at)
	}
	return n
}

func (l *loader) members(n *json5.Node, at place) {
	for i := range n.Members {
		l.path = append(l.path, n.Members[i].Key)
		n.Members[i].Value = l.process(n.Members[i].Value, at)
		l.path = l.path[:len(l.path)-1]
	}
}

// counting returns the members that count: of the same keys the last. The gateway
// drops "__proto__".
func counting(members []json5.Member) []json5.Member {
	last := make(map[string]int, len(members))
	for i, m := range members {
		last[m.Key] = i
	}
	out := members[:0]
	for i, m := range members {
		if last[m.Key] == i && m.Key != "__proto__" {
			out = append(out, m)
		}
	}
	return out
}

// include returns what an object with an include stands for.
func (l *loader) include(n *json5.Node, at place) *json5.Node {
	value := n.Get(includeKey)
	rest := &json5.Node{Kind: json5.Object, Pos: n.Pos, End: n.End}
	for _, m := range n.Members {
		if m.Key != includeKey {
			rest.Members = append(rest.Members, m)
		}
	}
	l.path = append(l.path, includeKey)
	included := l.resolve(value, at)
	l.path = l.path[:len(l.path)-1]
	if len(rest.Members) == 0 && included != nil {
		return included
	}
	l.members(rest, at)
	switch {
	case included == nil:
		return rest
	case included.Kind != json5.Object:
		l.problem(value.Pos, "config.include-siblings", true)
		return rest
	}
	return merge(included, rest)
}

// resolve returns what an include adds; nil if nothing of it can be read.
func (l *loader) resolve(value *json5.Node, at place) *json5.Node {
	switch value.Kind {
	case json5.String:
		return l.load(value, at)
	case json5.Array:
		all := &json5.Node{Kind: json5.Object, Pos: value.Pos, End: value.End}
		for _, item := range value.Items {
			if item.Kind != json5.String {
				l.problem(item.Pos, "config.include-value", true)
			} else if n := l.load(item, at); n != nil {
				all = merge(all, n)
			}
		}
		return all
	}
	l.problem(value.Pos, "config.include-value", true)
	return nil
}

// load returns what one file holds; nil if it cannot be read. The path of the value
// that is looked at ends in the include.
func (l *loader) load(value *json5.Node, at place) *json5.Node {
	name := value.Text
	file := message.Of("file", shown(name))
	fatal := func(id string) *json5.Node {
		l.problem(value.Pos, id, true, file)
		return nil
	}
	elsewhere := func() *json5.Node {
		l.partial(value.Pos, "config.include-elsewhere", file)
		return nil
	}
	guard := guarded(l.release)
	root := path.Dir(path.Clean(l.config.File))
	target := path.Join(path.Dir(at.file), name)
	switch {
	case strings.ContainsRune(name, 0) || len(name) >= maxIncludePath:
		return fatal("config.include-path")
	case path.IsAbs(name) || l.files == nil:
		return elsewhere() // the tree does not say which directory of the machine it is
	case !within(root, target) && (guard == deploy.NotKnown || l.moreRoots()):
		return elsewhere()
	case !within(root, target) && guard == deploy.Yes:
		return fatal("config.include-escapes")
	case !within(".", target):
		return elsewhere()
	case slices.Contains(at.chain, target):
		return fatal("config.include-circular")
	case len(at.chain) > maxIncludes:
		return fatal("config.include-depth")
	}
	info, ok := l.files.Stat(target)
	if dir, found := l.files.Stat(root); found {
		root = dir.Name
	}
	switch {
	case !ok && !l.complete():
		return elsewhere()
	case !ok:
		return fatal("config.include-missing")
	case guard == deploy.Yes && !within(root, info.Name) && !l.moreRoots():
		return fatal("config.include-escapes")
	case !info.Mode.IsRegular():
		return fatal("config.include-no-file")
	case guard == deploy.Yes && info.Links > 1:
		return fatal("config.include-hard-link")
	case guard == deploy.Yes && info.Size > maxIncludeBytes:
		return fatal("config.include-size")
	}
	if l.loads++; l.loads > maxLoads || l.nodes > maxNodes || int64(l.bytes)+info.Size > maxLoadedBytes {
		l.tooBig(value.Pos)
		return nil
	}
	data, err := l.files.Read(target, maxIncludeBytes)
	if err != nil {
		l.partial(value.Pos, "config.include-unread", file)
		return nil
	}
	l.bytes += len(data)
	if !slices.Contains(l.doc.Included, info.Name) {
		l.doc.Included = append(l.doc.Included, info.Name)
	}
	n, ok := l.parse(target, data)
	if !ok {
		return nil
	}
	l.path = l.path[:len(l.path)-1]
	n = l.process(n, place{target, append(slices.Clip(at.chain), target)})
	l.path = append(l.path, includeKey)
	return n
}

// complete reports whether the files are those of a machine: of others, such as a
// checkout, some may be left out.
func (l *loader) complete() bool {
	t, ok := l.files.(interface{ Modes() bool })
	return ok && t.Modes()
}

// moreRoots reports whether includes may come from other directories, too.
func (l *loader) moreRoots() bool {
	if upTo(l.release, "2026.4.5") {
		return false
	}
	v := l.lookup("OPENCLAW_INCLUDE_ROOTS")
	return v.IsSet() || v.State == deploy.Present
}

// within reports whether a name is dir or below it; both are clean.
func within(dir, name string) bool {
	if dir == "." {
		return name != ".." && !strings.HasPrefix(name, "../")
	}
	return name == dir || strings.HasPrefix(name, dir+"/")
}

// merge puts one value over another: objects are merged, arrays put behind each other,
// and of everything else the second counts. Both may be changed.
func merge(under, over *json5.Node) *json5.Node {
	switch {
	case under.Kind == json5.Array && over.Kind == json5.Array:
		over.Items = append(under.Items, over.Items...)
		return over
	case under.Kind != json5.Object || over.Kind != json5.Object:
		return over
	}
	at := make(map[string]int, len(under.Members))
	for i, m := range under.Members {
		at[m.Key] = i
	}
	for _, m := range over.Members {
		if i, ok := at[m.Key]; ok {
			under.Members[i] = json5.Member{Key: m.Key, Pos: m.Pos, Value: merge(under.Members[i].Value, m.Value)}
		} else {
			under.Members = append(under.Members, m)
		}
	}
	// The gateway drops these where it merges.
	under.Members = slices.DeleteFunc(under.Members, func(m json5.Member) bool {
		return m.Key == "constructor" || m.Key == "prototype"
	})
	under.Pos, under.End = over.Pos, over.End
	return under
}
