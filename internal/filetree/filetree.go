// Package filetree gives read-only access to the files of one tree: a directory, a
// tar stream or a map. No name leads out of the tree, and no symbolic link out of
// it is followed.
package filetree

import "io/fs"

// Info is what is known of a file.
type Info struct {
	Name     string // in the tree, with slashes, without a leading one
	Size     int64
	Mode     fs.FileMode // with the type bits; of a link those of the link
	UID, GID int         // -1 where not known
	Links    int         // hard links; 0 where not known
	Link     string      // where a symbolic link leads, in the tree; "" if it is none, or leads out
}

// Tree is a tree of files.
type Tree interface {
	// Files are all regular files, and the directories and links among them, in the
	// order of their names; see the limits of the functions that make a tree.
	Files() []Info
	// Stat returns what is known of a name. Links within the tree are followed.
	Stat(name string) (Info, bool)
	// Read returns the whole of a regular file of at most limit bytes.
	Read(name string, limit int64) ([]byte, error)
	// Modes reports whether modes and owners are those of the machine that the files run on:
	// not so of a checkout.
	Modes() bool
}
