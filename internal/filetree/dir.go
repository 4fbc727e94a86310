package filetree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// Open returns the tree that a path names: a tar file, plain or packed with gzip and
// whatever its name; a pipe that gives a tar stream; else see Dir.
func Open(name string) (Tree, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return Dir(name)
	case !mode.IsRegular() && mode&fs.ModeNamedPipe == 0:
		return nil, fmt.Errorf("%s: neither a file nor a directory", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !info.Mode().IsRegular() {
		return Tar(f)
	}
	var head [512]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if !IsTar(head[:n]) {
		return Dir(name)
	}
	return Tar(io.MultiReader(bytes.NewReader(head[:n]), f))
}

// Dir returns the tree of a directory. Files of it are found breadth-first, so that what is
// beyond MaxFiles is deep down. Directories of other names than a deployment's are not entered (see
// never), but may be asked by Stat and Read.
//
// A regular file makes a tree of which Files has that one alone, while Stat and Read know all of
// its directory: for what it includes.
func Dir(name string) (Tree, error) {
	name, err := filepath.EvalSymlinks(name)
	if err == nil {
		name, err = filepath.Abs(name)
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	top, only := name, ""
	switch {
	case info.Mode().IsRegular():
		top, only = filepath.Split(name)
		top = filepath.Clean(top)
	case !info.IsDir():
		return nil, notRegular(name)
	}
	if only == "" {
		only = "."
	}
	return Some(top, only)
}

// Some returns the tree of a directory of which Files has only what is at some names: files,
// and directories with all that is in them. Those that are not there are left out.
func Some(top string, names ...string) (Tree, error) {
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, err
	}
	d := &dir{root: root, top: filepath.ToSlash(top), modes: runtime.GOOS != "windows" && !checkout(top)}
	var dirs []string
	for _, name := range names {
		info, ok := d.lstat(name)
		if name == "." || ok && info.Mode.IsDir() {
			dirs = append(dirs, name)
		}
		if name != "." && ok && !d.add(info) {
			break
		}
	}
	if err := d.walk(dirs); err != nil {
		return nil, err
	}
	return d, nil
}

type dir struct {
	list
	root  *os.Root
	top   string
	modes bool
}

func (d *dir) Modes() bool { return d.modes }

// checkout reports whether a directory is in a checkout of Git, or is one.
func checkout(name string) bool {
	for {
		if _, err := os.Lstat(filepath.Join(name, ".git")); err == nil {
			return true
		}
		up := filepath.Dir(name)
		if up == name {
			return false
		}
		name = up
	}
}

func (d *dir) walk(queue []string) error {
	for ; len(queue) > 0 && !d.full; queue = queue[1:] {
		more, err := d.enter(queue[0])
		switch {
		case err == nil:
			queue = append(queue, more...)
		case queue[0] == ".":
			return err
		default:
			d.skip(queue[0], Unreadable)
		}
	}
	d.sort()
	return nil
}

// enter adds what is in a directory, and returns the directories to enter.
func (d *dir) enter(name string) (dirs []string, err error) {
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var names []string
	for len(names) <= MaxFiles {
		some, err := f.Readdirnames(1000)
		names = append(names, some...)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	for _, base := range names {
		full := path.Join(name, base)
		info, err := root.Lstat(base)
		if err != nil {
			continue // it is gone
		}
		got := d.info(full, info)
		switch mode := info.Mode(); {
		case mode.IsDir() && (never[base] || d.top == "/" && name == "." && (base == "proc" || base == "sys" || base == "dev")):
			d.skip(full, Never)
			if base == "node_modules" && !d.packages(name) {
				return dirs, nil
			}
			continue
		case mode.IsDir() && depth(full) >= MaxDepth:
			d.skip(full, TooDeep)
			continue
		case mode.IsDir():
			dirs = append(dirs, full)
		case mode&fs.ModeSymlink != 0:
			if to, err := root.Readlink(base); err == nil {
				got.Link = d.leads(full, to)
			}
			if got.Link == "" {
				d.skip(full, Outside)
			}
		case !mode.IsRegular():
			d.skip(full, Special)
			continue
		}
		if !d.add(got) {
			return dirs, nil
		}
	}
	return dirs, nil
}

// packages adds what node_modules of a directory tells of the release. It reports
// whether there is space for more.
func (d *dir) packages(name string) bool {
	for _, p := range packages {
		if info, ok := d.Stat(path.Join(name, p)); ok && info.Mode.IsRegular() {
			if !d.add(info) {
				return false
			}
		}
	}
	return true
}

func (d *dir) info(name string, i fs.FileInfo) Info {
	out := Info{Name: name, Size: i.Size(), Mode: i.Mode(), UID: -1, GID: -1}
	owner(i, &out)
	return out
}

func (d *dir) lstat(name string) (Info, bool) {
	i, err := d.root.Lstat(name)
	if err != nil {
		return Info{}, false
	}
	out := d.info(name, i)
	if i.Mode()&fs.ModeSymlink != 0 {
		if to, err := d.root.Readlink(name); err == nil {
			out.Link = d.leads(name, to)
		}
	}
	return out, true
}

// leads is leads, for this directory: it is a copy of a machine's root only where what a
// link names is there.
func (d *dir) leads(name, to string) string {
	at := leads(name, filepath.ToSlash(to), d.top)
	if filepath.IsAbs(to) && at != "" {
		if _, err := d.root.Lstat(at); err != nil {
			return ""
		}
	}
	return at
}

func (d *dir) Stat(name string) (Info, bool) {
	if depth(name) > MaxDepth {
		return Info{}, false
	}
	return resolve(d.lstat, name)
}

// Read opens only what was a regular file when it was looked at, and without waiting for
// whatever may have taken its place.
func (d *dir) Read(name string, limit int64) ([]byte, error) {
	info, ok := d.Stat(name)
	if !ok || !info.Mode.IsRegular() {
		return nil, notRegular(name)
	}
	f, err := d.root.OpenFile(info.Name, os.O_RDONLY|safeOpen, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if now, err := f.Stat(); err != nil || !now.Mode().IsRegular() {
		return nil, notRegular(name)
	}
	return bounded.Read(f, name, limit)
}
