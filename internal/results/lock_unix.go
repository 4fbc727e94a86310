//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package results

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// stale says that a lock ends with its process, however that ends.
const stale = true

// noFollow refuses a link in the place of a file that is ours alone.
const noFollow = unix.O_NOFOLLOW

// lock takes the lock on an open file, or returns errHeld. A file system that
// knows no locks gives none, and no error.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errHeld
	}
	return nil
}

// SyncFolder puts the names in a folder on disk.
func SyncFolder(name string) {
	if f, err := os.Open(name); err == nil {
		_ = f.Sync() // not every file system can
		f.Close()
	}
}
