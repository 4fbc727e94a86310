package wire

import (
	"os"
	"syscall"
)

const bindable = true

// bindTo has a socket use one network interface (socket(7), SO_BINDTODEVICE).
func bindTo(fd uintptr, name string) error {
	return os.NewSyscallError("setsockopt", syscall.SetsockoptString(int(fd), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, name))
}
