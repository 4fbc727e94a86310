//go:build !unix

package results

import (
	"errors"
	"io/fs"
	"os"
)

// lockFile creates the file, which must not be there. It stays after a crash, and
// must then be removed by hand.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, errLocked
	}
	return f, err
}
