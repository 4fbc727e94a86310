package openclaw

import (
	"errors"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Files are the files around a configuration; a filetree.Tree is one.
type Files interface {
	Stat(name string) (filetree.Info, bool)
	Read(name string, limit int64) ([]byte, error)
}

// The bounds of one configuration with all that it includes. The gateway has none of
// them: beyond them a document is Partial.
const (
	maxLoads       = 200      // includes; one file counts as often as it is included
	maxLoadedBytes = 16 << 20 // of them together
	maxNodes       = 200_000  // values
	maxPut         = 16 << 20 // bytes that substitution makes
	maxProblems    = 1000     // the rest is left out
	maxShown       = 200      // bytes of a path or name in a message
)

// Load reads a configuration as the gateway does: its text, what it includes, then
// the variables in its strings. Validation is not part of it.
//
// Files are what is around it; nil if that is not known. A configuration inside another
// file (see deploy.Config) includes from where it is written to, so that its includes
// are not known in any case. Env are the gateway's variables, as Environment puts them
// together; nil if nothing is known of them. The rules are those of the release; of the
// newest one where the release is not known.
func Load(c *deploy.Config, files Files, env Env, r release.Version) *Document {
	l := &loader{config: c, files: files, env: env, release: r, doc: &Document{
		Written: map[*json5.Node]string{}, Via: map[*json5.Node][]event.Pos{}, Missing: map[*json5.Node][]string{},
	}}
	if inside(c) {
		l.files = nil
	}
	root, ok := l.parse(c.File, c.Data)
	if !ok {
		return l.doc
	}
	shift(root, c)
	if root = l.includes(root); root.Kind != json5.Object {
		l.problem(root.Pos, "config.no-object", true)
		return l.doc
	}
	l.doc.Root = root
	l.substitute(root)
	return l.doc
}

// inside reports whether a configuration is part of another file.
func inside(c *deploy.Config) bool {
	return c.Name != "" || c.Writes != "" || c.Line != 0 || c.Column != 0
}

type loader struct {
	config  *deploy.Config
	files   Files
	env     Env
	release release.Version
	doc     *Document
	path    []string // of the value that is looked at

	loads, bytes, nodes, put int
}

// problem adds to what the gateway does not take. Path is that of the value that is
// looked at.
func (l *loader) problem(pos event.Pos, id string, fatal bool, args ...message.Arg) {
	if len(l.doc.Problems) < maxProblems {
		l.doc.Problems = append(l.doc.Problems, Problem{Pos: pos, Path: shown(strings.Join(l.path, ".")), ID: id, Args: args, Fatal: fatal})
	}
}

// partial says that what stands at a place is not known.
func (l *loader) partial(pos event.Pos, id string, args ...message.Arg) {
	l.problem(pos, id, false, args...)
	l.doc.Partial = append(l.doc.Partial, pos)
}

// tooBig says that something is beyond the bounds, once.
func (l *loader) tooBig(pos event.Pos) {
	for _, p := range l.doc.Problems {
		if p.ID == "config.too-big" {
			return
		}
	}
	l.partial(pos, "config.too-big")
}

// parse reads the text of a file.
func (l *loader) parse(file string, data []byte) (*json5.Node, bool) {
	n, err := json5.Parse(file, data)
	var e *json5.Error
	if errors.As(err, &e) {
		pos := e.Pos
		if file == l.config.File {
			pos = moved(pos, l.config)
		}
		if e.Limit() {
			l.tooBig(pos)
		} else {
			l.problem(pos, "config.syntax", true)
		}
	}
	return n, err == nil
}

// shift moves the positions of a configuration to where it stands inside another file.
func shift(n *json5.Node, c *deploy.Config) {
	if c.Line == 0 && c.Column == 0 {
		return
	}
	n.Pos, n.End = moved(n.Pos, c), moved(n.End, c)
	for _, i := range n.Items {
		shift(i, c)
	}
	for i := range n.Members {
		n.Members[i].Pos = moved(n.Members[i].Pos, c)
		shift(n.Members[i].Value, c)
	}
}

func moved(p event.Pos, c *deploy.Config) event.Pos {
	p.Line += c.Line
	p.Column += c.Column
	return p
}

// shown cuts what a file gives to a length that fits into a message.
func shown(s string) string {
	if len(s) > maxShown {
		return strings.ToValidUTF8(s[:maxShown], "") + "…"
	}
	return s
}
