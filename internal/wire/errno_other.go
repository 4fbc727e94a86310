//go:build !windows

package wire

// portable returns err: its errno is already one of package syscall's names.
func portable(err error) error { return err }
