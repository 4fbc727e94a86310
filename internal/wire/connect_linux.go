package wire

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// connect opens a TCP connection to addr, which the scope allows. It is what
// net.Dialer does, less what a sweep has no use for: names, fallbacks, the
// connection's addresses, a context and a dozen allocations for each of them.
// From then on the end of run closes the connection, until stop is called.
func (w *Wire) connect(run context.Context, deadline time.Time, addr netip.AddrPort, noDelay bool) (c net.Conn, stop func() bool, err error) {
	if addr.Addr().Zone() != "" {
		return w.dialStandard(run, deadline, addr) // it knows the interfaces' numbers
	}
	family := syscall.AF_INET
	var to syscall.Sockaddr
	if ip := addr.Addr().Unmap(); ip.Is4() {
		to = &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: ip.As4()}
	} else {
		family = syscall.AF_INET6
		to = &syscall.SockaddrInet6{Port: int(addr.Port()), Addr: ip.As16()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, syscall.IPPROTO_TCP)
	if err != nil {
		return nil, nil, dialError("socket", err)
	}
	if noDelay {
		// Without it, only the speed differs.
		_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	}
	err = syscall.Connect(fd, to)
	if err == syscall.EINPROGRESS || err == syscall.EINTR {
		err = nil
	}
	// On this machine it is over already: a refusal costs no more than this.
	over := false
	if err == nil {
		over, err = connectOver(fd)
	}
	if err != nil {
		_ = syscall.Close(fd)
		return nil, nil, dialError("connect", err)
	}
	// A descriptor that does not block goes to the runtime's poller.
	s := &socket{os.NewFile(uintptr(fd), "socket"), addr}
	stop = context.AfterFunc(run, func() { _ = s.Close() })
	if !over {
		err = s.connected(deadline)
	}
	if run.Err() != nil {
		err = run.Err()
	}
	if err != nil {
		stop()
		_ = s.Close()
		return nil, nil, err
	}
	return s, stop, nil
}

// connected waits for the end of a connect in progress.
func (s *socket) connected(deadline time.Time) error {
	if err := s.SetWriteDeadline(deadline); err != nil {
		return dialError("connect", err)
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return dialError("connect", err)
	}
	var failed error
	// Asked before each wait: the end may have come before this began to look.
	err = raw.Write(func(fd uintptr) (over bool) {
		over, failed = connectOver(int(fd))
		return over || failed != nil
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return dialError("connect", err)
	}
	return nil
}

// connectOver reports whether a connect has come to its end, and how.
func connectOver(fd int) (bool, error) {
	peer, err := syscall.Getpeername(fd)
	if err != nil {
		// Not connected: not yet, or not any more.
		no, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
		if err == nil && no != 0 {
			err = syscall.Errno(no)
		}
		return false, err
	}
	// A socket that was given the port it connects to on the same machine is
	// connected to itself: nobody listens there (RFC 9293 section 3.5,
	// simultaneous open).
	if local, err := syscall.Getsockname(fd); err == nil && sameAddr(local, peer) {
		return false, syscall.ECONNREFUSED
	}
	return true, nil
}

func sameAddr(a, b syscall.Sockaddr) bool {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		b, ok := b.(*syscall.SockaddrInet4)
		return ok && a.Port == b.Port && a.Addr == b.Addr
	case *syscall.SockaddrInet6:
		b, ok := b.(*syscall.SockaddrInet6)
		return ok && a.Port == b.Port && a.Addr == b.Addr
	}
	return false
}

// socket is a connection that is read and written as a file is.
type socket struct {
	*os.File
	remote netip.AddrPort
}

func (s *socket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.remote) }

// LocalAddr is not asked for by anything here.
func (s *socket) LocalAddr() net.Addr { return &net.TCPAddr{} }
