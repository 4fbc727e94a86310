package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// errHeld says that another process holds a lock.
var errHeld = errors.New("another run is writing it: wait until that has ended, or name another file")

// A claim on a path makes what lies beside it under its names ours alone: it is
// the lock on ".NAME.lock", which is removed when the claim is given up. What a
// killed run leaves is taken over.
type claim struct {
	f    *os.File
	path string // what is claimed
}

func beside(path, ending string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+ending)
}

func lockName(path string) string { return beside(path, ".lock") }
func partName(path string) string { return beside(path, ".part") }

func take(path string) (*claim, error) {
	name := lockName(path)
	flag := os.O_RDWR | os.O_CREATE | noFollow
	if !stale {
		flag |= os.O_EXCL
	}
	for range 100 {
		f, err := os.OpenFile(name, flag, 0o666)
		if err != nil {
			if !stale && errors.Is(err, fs.ErrExist) {
				return nil, fmt.Errorf("%w (if there is none, remove %s)", errHeld, name)
			}
			return nil, plain(err)
		}
		if err := lock(f); err != nil {
			f.Close()
			return nil, err
		}
		// Its last holder may have removed it since it was opened.
		if now, err := os.Lstat(name); err == nil {
			if info, err := f.Stat(); err == nil && os.SameFile(now, info) {
				return &claim{f, path}, nil
			}
		}
		f.Close()
	}
	return nil, errHeld
}

func (c *claim) release() {
	if c == nil || c.f == nil {
		return
	}
	name := c.f.Name()
	_ = os.Remove(name)
	c.f.Close()
	if runtime.GOOS == "windows" { // where what is open cannot be removed
		_ = os.Remove(name)
	}
	c.f = nil
}

// Hold takes the lock on a path, which need not exist, until release is called or the
// process ends. Another process that holds it is an error.
func Hold(path string) (release func(), err error) {
	c, err := take(path)
	if err != nil {
		return nil, err
	}
	return c.release, nil
}

// part opens a new file beside the claimed one.
func (c *claim) part() (*os.File, error) {
	name := partName(c.path)
	if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
		_ = os.Remove(name) // of a run that was killed
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, plain(err)
	}
	if info, err := os.Stat(c.path); err == nil {
		_ = f.Chmod(info.Mode().Perm()) // as the one that it replaces
	}
	return f, nil
}

// place puts a written part where it belongs, in one step: at any moment
// the whole old file is there, or the whole new one.
func (c *claim) place(f *os.File) error {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), c.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	SyncFolder(filepath.Dir(c.path))
	return nil
}

// replace writes the claimed file anew.
func (c *claim) replace(data []byte) error {
	f, err := c.part()
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		_ = os.Remove(f.Name())
		return err
	}
	return c.place(f)
}

// plain is an error without the path, which the caller names in its own way.
func plain(err error) error {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		return cause.Err
	}
	return err
}

// Replace writes a file as a whole or not at all. Only a plain file is replaced;
// a link is followed, a device or pipe written to.
func Replace(path string, data []byte) error {
	real, direct := follow(path)
	if direct {
		f, err := openDirect(path)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	}
	c, err := take(real)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer c.release()
	return c.replace(data)
}
