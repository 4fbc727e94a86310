package wire

import (
	"errors"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

// A connection of a socket to itself, which the kernel makes now and then on the
// way to a closed port of this machine, is a refusal.
func TestSelfConnect(t *testing.T) {
	for _, family := range []int{syscall.AF_INET, syscall.AF_INET6} {
		fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, syscall.IPPROTO_TCP)
		if err != nil {
			t.Fatal(err)
		}
		var here syscall.Sockaddr = &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
		if family == syscall.AF_INET6 {
			here = &syscall.SockaddrInet6{Addr: [16]byte{15: 1}}
		}
		if err := syscall.Bind(fd, here); err != nil {
			syscall.Close(fd)
			t.Logf("SKIPPED, NOT TESTED: family %d: %v", family, err)
			continue
		}
		if here, err = syscall.Getsockname(fd); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Connect(fd, here); err != nil && err != syscall.EINPROGRESS {
			t.Fatal(err)
		}
		s := &socket{os.NewFile(uintptr(fd), "socket"), netip.AddrPort{}}
		if err := s.connected(time.Now().Add(5 * time.Second)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("family %d: %v, want a refusal", family, err)
		}
		s.Close()
	}
}
