// Package inspect reads the files of a deployment into its model: one reader a kind
// of file. A reader only adds to the model; what the additions mean together is
// decided by the linker in this package and judged elsewhere.
package inspect

import (
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/filetree"
)

// MaxFile is the most that is read of a file, in bytes. The largest that the product itself takes
// is a configuration's include of 2 MiB.
const MaxFile = 2 << 20

// source is one file that a reader is given.
type source struct {
	name string // in the tree
	data []byte // at most MaxFile
	tree filetree.Tree
	m    *deploy.Model
	// env are variables that the user named with -env, for what takes them from outside.
	env map[string]deploy.Value
	// shared is what readers keep from one file to the next; nil if nothing is kept.
	shared *shared
	// stateDirAt and home are paths in the tree that the user named; "" if none: see Options.
	stateDirAt, home string
}

// shared is what readers keep between files.
type shared struct {
	nginx nginxShared
}

// below returns the files of a tree that are in a directory or further down.
func below(tree filetree.Tree, dir string) []filetree.Info {
	all := tree.Files()
	if dir == "." {
		return all
	}
	byName := func(i filetree.Info, name string) int { return strings.Compare(i.Name, name) }
	from, _ := slices.BinarySearchFunc(all, dir+"/", byName)
	to, _ := slices.BinarySearchFunc(all, dir+"0", byName) // what follows the slash
	return all[from:to]
}

// pos is a place in the file; column 0 is not known.
func (s *source) pos(line, column int) event.Pos {
	return event.Pos{File: s.name, Line: line, Column: column}
}

// gap says that something in the file cannot be judged. Why is the id of a message
// without arguments.
func (s *source) gap(kind deploy.Kind, why string, line, column int) {
	s.m.Gaps = append(s.m.Gaps, deploy.Gap{Kind: kind, Why: why, Pos: s.pos(line, column)})
}

// reader reads one kind of file.
type reader struct {
	kind deploy.Kind
	// match reports whether a file is of the kind, by its name and, if the name does
	// not decide, its content. It must be cheap: every file is shown to it.
	match func(name string, data []byte) bool
	// read adds to the model. An error says why the file cannot be read, and becomes a
	// gap: with a *strict.Error or a position in it where that is known.
	read func(*source) error
}

// readers are all readers, in the order in which they are asked: the first that
// matches reads the file, but see also.
func readers() []reader {
	return []reader{
		stateReader(),
		renderReader(),
		composeReader(),
		dockerfileReader(),
		kubernetesReader(),
		systemdReader(),
		quadletReader(),
		launchdReader(),
		flyReader(),
		railwayReader(),
		northflankReader(),
		packageReader(),
		scriptReader(),
		cloudflaredReader(),
		frpReader(),
		cpolarReader(),
		ngrokReader(),
		tailscaleReader(),
		nginxReader(),
		caddyReader(),
		traefikReader(),
		otherProxyReader(deploy.KindHAProxy, `\.(cfg|conf)$`, `(?m)^[ \t]*(?:frontend|backend|listen)[ \t]+[\w.-]+[ \t]*(?:#.*)?\r?$`),
		otherProxyReader(deploy.KindApache, `\.(conf|vhost)$|^\.htaccess$`, `(?mi)^[ \t]*(?:ProxyPass|RewriteRule[ \t].*\[(?:[^\]]*,)?P[,\]])`),
		otherProxyReader(deploy.KindEnvoy, `\.(ya?ml|json)$`, `envoy\.filters\.network\.|(?m)^static_resources:`),
		templateReader(),
	}
}
