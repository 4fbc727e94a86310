package results

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Named is a file that a run reads or writes.
type Named struct {
	Flag string // what named it: "-list"
	Path string
	// File is a standard stream, instead of Path.
	File *os.File
}

func (n Named) String() string {
	if n.File != nil {
		return n.Flag
	}
	return n.Flag + ": " + n.Path
}

// Distinct returns an error if something that is written is also read, or
// written twice, under any names: the file itself is compared. Nothing is
// opened for that. Terminals and the like, which nothing can empty, may be both.
func Distinct(inputs, outputs []Named) error {
	type known struct {
		Named
		place
		output bool
	}
	var all []known
	add := func(n Named, output, temporary bool) error {
		p, ok := locate(n)
		if !ok {
			return nil
		}
		for _, k := range all {
			if !p.same(k.place) || !output && !k.output || temporary && k.Named == n {
				continue
			}
			first, second := k.Named, n
			if k.output && !output {
				first, second = second, first
			}
			what := "also what is read as"
			if k.output && output {
				what = "named twice: it is the file of"
			}
			return fmt.Errorf("%s is %s %s: nothing was written; give each output a file of its own", second, what, first)
		}
		all = append(all, known{n, p, output})
		return nil
	}
	for i, n := range slices.Concat(inputs, outputs) {
		if err := add(n, i >= len(inputs), false); err != nil {
			return err
		}
	}
	// What is written beside an output on the way.
	for _, n := range outputs {
		real, direct := follow(n.Path)
		if n.File != nil || direct {
			continue
		}
		for _, path := range []string{lockName(real), partName(real)} {
			if err := add(Named{Flag: n.Flag + " (on the way)", Path: path}, true, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// place is where a path leads: a file, or a name in a folder that is not there
// yet.
type place struct {
	file, folder fs.FileInfo
	name         string
}

func (p place) same(q place) bool {
	switch {
	case p.file != nil && q.file != nil:
		return os.SameFile(p.file, q.file)
	case p.file != nil || q.file != nil:
		return false
	case !os.SameFile(p.folder, q.folder):
		return false
	case runtime.GOOS == "windows" || runtime.GOOS == "darwin":
		return strings.EqualFold(p.name, q.name)
	}
	return p.name == q.name
}

// locate follows a path to its end. ok is false for what cannot be emptied, and
// for what cannot be: opening it says why.
func locate(n Named) (p place, ok bool) {
	if n.File != nil {
		info, err := n.File.Stat()
		// A pipe or socket of a shell may well be both.
		return place{file: info}, err == nil && info.Mode().IsRegular()
	}
	if info, err := os.Stat(n.Path); err == nil {
		return place{file: info}, info.Mode()&(fs.ModeCharDevice|fs.ModeSocket|fs.ModeDir) == 0
	}
	end := chase(n.Path)
	folder, err := os.Stat(filepath.Dir(end))
	return place{folder: folder, name: filepath.Base(end)}, err == nil
}

// chase follows links at the end of a path, also one that leads nowhere yet. It
// stops before what the operating system makes up for an open file.
func chase(path string) string {
	for range 40 {
		if handle(path) {
			return path
		}
		to, err := os.Readlink(path)
		if err != nil {
			return path
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return path
}

// handle reports whether a path stands for a file that is open already, such as
// /dev/stdout or /dev/fd/3.
func handle(path string) bool {
	if runtime.GOOS == "windows" {
		return false
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return false
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return false
	}
	return folder == "/dev" || folder == "/dev/fd" || strings.HasPrefix(folder, "/proc/")
}

// follow returns where a path leads, and whether what is there is to be written
// to as it is: a device, a pipe, a file that is open already.
func follow(path string) (real string, direct bool) {
	real = chase(path)
	if handle(real) {
		return real, true
	}
	info, err := os.Stat(real)
	return real, err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// openDirect opens such a thing. What is in it stays: a shell that was told ">>"
// wants it so.
func openDirect(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, plain(err)
	}
	return f, nil
}
