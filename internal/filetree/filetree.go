// Package filetree gives read-only access to the files of one tree: a directory, a
// tar stream or a map. No name leads out of the tree, and no symbolic link out of
// it is followed. Only names and what is known of them are held for a walk; what a
// tree cannot or need not show is said by Skipped.
package filetree

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Info is what is known of a file.
type Info struct {
	Name     string // in the tree, with slashes, without a leading one; "." is the tree itself
	Size     int64
	Mode     fs.FileMode // with the type bits; of a link those of the link
	UID, GID int         // -1 where not known
	Links    int         // hard links; 0 where not known
	// Link is where a symbolic link leads, in the tree; "" if it is none, or leads out. One
	// with a leading slash begins at the root of the tree, as on the machine that a tree is a
	// copy of, unless it names the directory that the tree was made from.
	Link string
}

// Tree is a tree of files.
type Tree interface {
	// Files are all regular files, and the directories and links among them, in the
	// order of their names; see the limits of the functions that make a tree.
	Files() []Info
	// Stat returns what is known of a name. Links within the tree are followed.
	Stat(name string) (Info, bool)
	// Read returns the whole of a regular file of at most limit bytes. It is not to be changed.
	Read(name string, limit int64) ([]byte, error)
	// Modes reports whether modes and owners are those of the machine that the files run on:
	// not so of a checkout.
	Modes() bool
	// Skipped is what Files leaves out, in the order of the names, at most MaxSkipped.
	Skipped() []Skipped
}

// Skipped is a name that was left out.
type Skipped struct {
	Name string
	Why  Why
}

// Why says why a name was left out. It is the id of a message without arguments.
type Why string

// The reasons.
const (
	Never      Why = "left-out.never"      // a directory that holds no deployment, by its name: see never
	Special    Why = "left-out.special"    // a device, pipe or socket
	Outside    Why = "left-out.outside"    // a name or link that leads out of the tree
	TooDeep    Why = "left-out.too-deep"   // deeper than MaxDepth
	TooMany    Why = "left-out.too-many"   // and all that follows: more than MaxFiles, or than maxNames
	TooMuch    Why = "left-out.too-much"   // of a tar stream: its content, past maxKept
	Unreadable Why = "left-out.unreadable" // a directory that cannot be listed
)

// Bounds on a tree. What is beyond them is left out.
const (
	MaxFiles       = 200_000
	MaxDepth       = 64
	MaxSkipped     = 1000
	maxNames       = 12 << 20 // bytes of names and where links lead
	maxSkippedName = 1024
	maxLinks       = 40 // links on the way to one file, as Linux allows
)

// never are directories that are not entered: what is there is not written by those who deploy.
var never = map[string]bool{
	".git": true, ".hg": true, ".svn": true, ".bzr": true,
	"node_modules": true, "bower_components": true, "__pycache__": true,
	".npm": true, ".pnpm-store": true, ".yarn": true, ".cache": true, ".venv": true, ".tox": true,
	".mypy_cache": true, ".pytest_cache": true, ".terraform": true, ".gradle": true, ".m2": true,
	".cargo": true, ".rustup": true,
}

// packages are the files that are shown all the same, of the directories that are not entered: they
// tell the release of an installation.
var packages = []string{"node_modules/openclaw/package.json", "node_modules/clawdbot/package.json", "node_modules/moltbot/package.json"}

// hidden returns the directory of a name that is not entered; "" if it is shown.
func hidden(name string) string {
	for _, p := range packages {
		if outer, ok := strings.CutSuffix(name, p); ok && (outer == "" || strings.HasSuffix(outer, "/")) {
			return hidden(strings.TrimSuffix(outer, "/"))
		}
	}
	for end, from := 0, 0; from < len(name); from = end + 1 {
		end = len(name)
		if i := strings.IndexByte(name[from:], '/'); i >= 0 {
			end = from + i
		}
		if never[name[from:end]] {
			return name[:end]
		}
	}
	return ""
}

// list collects what a tree shows and leaves out.
type list struct {
	infos   []Info
	names   int // bytes
	skipped []Skipped
	full    bool
}

// add reports whether there is space for more.
func (l *list) add(i Info) bool {
	l.names += len(i.Name) + len(i.Link)
	if len(l.infos) >= MaxFiles || l.names > maxNames {
		if !l.full {
			l.skip(i.Name, TooMany)
		}
		l.full = true
		return false
	}
	l.infos = append(l.infos, i)
	return true
}

func (l *list) skip(name string, why Why) {
	name = name[:min(len(name), maxSkippedName)]
	if len(l.skipped) < MaxSkipped || why == TooMany {
		l.skipped = append(l.skipped, Skipped{name, why})
	}
}

func (l *list) sort() {
	slices.SortStableFunc(l.infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(l.skipped, func(a, b Skipped) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(string(a.Why), string(b.Why)))
	})
	l.skipped = slices.Compact(l.skipped)
}

func (l *list) Files() []Info      { return l.infos }
func (l *list) Skipped() []Skipped { return l.skipped }

// find returns what is listed of a name; a directory that only its files show has no
// permission bits and no owner.
func (l *list) find(name string) (Info, bool) {
	byName := func(i Info, name string) int { return strings.Compare(i.Name, name) }
	if at, ok := slices.BinarySearchFunc(l.infos, name, byName); ok {
		return l.infos[at], true
	}
	at, _ := slices.BinarySearchFunc(l.infos, name+"/", byName)
	if name == "." || at < len(l.infos) && strings.HasPrefix(l.infos[at].Name, name+"/") {
		return Info{Name: name, Mode: fs.ModeDir, UID: -1, GID: -1}, true
	}
	return Info{}, false
}

// resolve follows the links on the way to a name.
func resolve(lstat func(string) (Info, bool), name string) (Info, bool) {
	name = path.Clean(name)
	if !fs.ValidPath(name) {
		return Info{}, false
	}
	at, rest := "", strings.Split(name, "/")
	for links := 0; ; {
		at, rest = path.Join(at, rest[0]), rest[1:]
		info, ok := lstat(at)
		switch {
		case !ok:
			return Info{}, false
		case info.Mode&fs.ModeSymlink != 0:
			if links++; links > maxLinks || info.Link == "" {
				return Info{}, false
			}
			at, rest = "", append(strings.Split(info.Link, "/"), rest...)
		case len(rest) == 0:
			return info, true
		case !info.Mode.IsDir():
			return Info{}, false
		}
	}
}

func depth(name string) int { return strings.Count(name, "/") + 1 }

// leads returns where a link of the tree leads; "" if that is out of it. Root is the
// directory that the tree was made from, "" if there is none.
func leads(name, to, root string) string {
	switch {
	case to == "":
		return ""
	case root != "" && (to == root || strings.HasPrefix(to, strings.TrimSuffix(root, "/")+"/")):
		to = path.Clean("./" + to[len(root):])
	case strings.HasPrefix(to, "/"):
		to = path.Clean("." + to)
	default:
		to = path.Join(path.Dir(name), to)
	}
	if !fs.ValidPath(to) {
		return ""
	}
	return to
}

// errLeftOut is the error of reading what Skipped names, or what holds no text.
var errLeftOut = errors.New("its content was not kept")

func notRegular(name string) error { return fmt.Errorf("%s: not a file of the tree", name) }
