package results

import (
	"errors"
	"fmt"
	"os"
)

var errLocked = errors.New("locked")

// Lock makes sure that no other run uses the file at path; the lock is a file
// beside it, which goes with the process that holds it. The error is one line.
func Lock(path string) (unlock func(), err error) {
	name := path + ".lock"
	f, err := lockFile(name)
	switch {
	case errors.Is(err, errLocked):
		return nil, fmt.Errorf("%s is in use by another run: wait for it, or name another file", path)
	case err != nil:
		return nil, cannotWrite(name, err)
	}
	return func() {
		// Removed while it is held, so that nobody locks a file that is gone.
		_ = os.Remove(name)
		_ = f.Close()
	}, nil
}
