//go:build unix

package pace

import "syscall"

// Descriptors returns how many files this process may have open at a time, 0
// when that is not known. Go itself has raised the soft limit to the hard one
// (package os).
func Descriptors() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return int(min(uint64(r.Cur), 1<<30))
}
