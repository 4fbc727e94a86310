//go:build unix

package results

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockFile creates the file and locks it (flock(2)): the lock ends with the
// process, however that ends.
func lockFile(name string) (*os.File, error) {
	for range 10 {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			return nil, errLocked
		}
		// Another run may have removed it between the two.
		held, errHeld := f.Stat()
		there, errThere := os.Stat(name)
		if errHeld == nil && errThere == nil && os.SameFile(held, there) {
			return f, nil
		}
		f.Close()
	}
	return nil, errLocked
}
