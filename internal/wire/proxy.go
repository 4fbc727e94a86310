package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// Proxy is what all connections go through. The address that it is asked for is
// the target's own, looked up here and checked against the scope: no name is
// left to it.
type Proxy struct {
	scheme string // socks5 or http
	addr   string // host:port
}

// ParseProxy reads socks5://HOST:PORT or http://HOST:PORT. A proxy that wants a
// credential is not supported.
func ParseProxy(text string) (*Proxy, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		// Not repeated: it may hold a password.
		return nil, errors.New("that is no proxy: write it as socks5://127.0.0.1:1080 or http://127.0.0.1:3128")
	case u.User != nil:
		return nil, errors.New("a user name or password for the proxy is not supported: name a proxy that asks for none, such as a tunnel of your own")
	case u.Scheme != "socks5" && u.Scheme != "http":
		return nil, fmt.Errorf("proxy scheme %q is not supported: use socks5 or http", u.Scheme)
	case u.Port() == "":
		return nil, errors.New("the proxy names no port: write it as socks5://127.0.0.1:1080 or http://127.0.0.1:3128")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the proxy has a path, query or fragment: write it as socks5://127.0.0.1:1080 or http://127.0.0.1:3128")
	}
	return &Proxy{u.Scheme, u.Host}, nil
}

// String returns the proxy as it was written.
func (p *Proxy) String() string { return p.scheme + "://" + p.addr }

// proxyError is a fault on the way to the proxy or of the proxy: it says nothing
// of the target.
type proxyError struct{ err error }

func (e *proxyError) Error() string { return "proxy: " + text(e.err) }
func (e *proxyError) Unwrap() error { return e.err }

// dialProxy has the proxy connect to addr, which the scope allows. The
// connection ends with run, until stop is called.
func (w *Wire) dialProxy(run context.Context, deadline time.Time, addr netip.AddrPort) (net.Conn, func() bool, error) {
	dialer := net.Dialer{Deadline: deadline, KeepAlive: -1}
	w.opt.Source.apply(&dialer)
	c, err := dialer.DialContext(run, "tcp", w.opt.Proxy.addr)
	if err != nil {
		return nil, nil, w.proxyFault(run, err)
	}
	stop := context.AfterFunc(run, func() { _ = c.Close() })
	err = c.SetDeadline(deadline)
	if err == nil {
		if w.opt.Proxy.scheme == "http" {
			c, err = connectHTTP(c, addr)
		} else {
			err = connectSOCKS(c, addr)
		}
	}
	if err != nil {
		stop()
		_ = c.Close()
		return nil, nil, w.proxyFault(run, err)
	}
	return c, stop, nil
}

// proxyFault keeps what the proxy says of the target apart from what it says of
// itself.
func (w *Wire) proxyFault(run context.Context, err error) error {
	var op *net.OpError
	switch {
	case run.Err() != nil:
		return run.Err()
	case errors.As(err, &op) && op.Op == "connect":
		op.Op = "dial" // the proxy's word on the target
		return op
	}
	return &proxyError{err}
}

// said is the proxy's word on why the target cannot be reached.
func said(err error) error { return &net.OpError{Op: "connect", Net: "tcp", Err: err} }

// connectSOCKS asks a SOCKS5 proxy without authentication for a connection
// (RFC 1928 sections 3 to 6).
func connectSOCKS(c net.Conn, addr netip.AddrPort) error {
	if _, err := c.Write([]byte{5, 1, 0}); err != nil {
		return err
	}
	var method [2]byte
	if _, err := io.ReadFull(c, method[:]); err != nil {
		return unexpected(err)
	}
	switch {
	case method[0] != 5:
		return errors.New("it does not speak SOCKS5")
	case method[1] != 0:
		return errors.New("it asks for a credential, which is not supported")
	}
	request := []byte{5, 1, 0, 1}
	ip := addr.Addr().Unmap().WithZone("")
	if ip.Is6() {
		request[3] = 4
	}
	request = append(request, ip.AsSlice()...)
	request = binary.BigEndian.AppendUint16(request, addr.Port())
	if _, err := c.Write(request); err != nil {
		return err
	}
	var reply [4]byte
	if _, err := io.ReadFull(c, reply[:]); err != nil {
		return unexpected(err)
	}
	if reply[0] != 5 {
		return errors.New("it does not speak SOCKS5")
	}
	switch reply[1] {
	case 0:
	case 3:
		return said(syscall.ENETUNREACH)
	case 4:
		return said(syscall.EHOSTUNREACH)
	case 5:
		return said(syscall.ECONNREFUSED)
	case 6:
		return said(os.ErrDeadlineExceeded)
	default:
		return fmt.Errorf("it refuses the connection: SOCKS reply %d", reply[1])
	}
	// Its own address, which nobody needs.
	left := map[byte]int{1: 4 + 2, 4: 16 + 2}[reply[3]]
	if reply[3] == 3 {
		var n [1]byte
		if _, err := io.ReadFull(c, n[:]); err != nil {
			return unexpected(err)
		}
		left = int(n[0]) + 2
	}
	if left == 0 {
		return errors.New("it does not speak SOCKS5")
	}
	_, err := io.CopyN(io.Discard, c, int64(left))
	return err
}

// connectHTTP asks an HTTP proxy for a tunnel (RFC 9110 section 9.3.6). What the
// target says first may come with the answer, so the connection that is returned
// reads it.
func connectHTTP(c net.Conn, addr netip.AddrPort) (net.Conn, error) {
	to := netip.AddrPortFrom(addr.Addr().Unmap().WithZone(""), addr.Port()).String()
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", to, to); err != nil {
		return c, err
	}
	r := bufio.NewReaderSize(c, bufSize)
	h, err := readHead(r)
	for interim := 0; err == nil && h.status < 200 && interim < maxInterim; interim++ {
		h, err = readHead(r)
	}
	switch {
	case errors.Is(err, errNotHTTP):
		return c, errors.New("it does not speak HTTP")
	case err != nil:
		return c, unexpected(err)
	case h.status >= 200 && h.status < 300:
		return &tunnel{c, r}, nil
	case h.status == 504:
		return c, said(os.ErrDeadlineExceeded)
	}
	return c, fmt.Errorf("it refuses the connection: HTTP status %d", h.status)
}

// tunnel is a connection of which some bytes have been read already.
type tunnel struct {
	net.Conn
	r *bufio.Reader
}

func (t *tunnel) Read(p []byte) (int, error) { return t.r.Read(p) }

// Source says where connections come from. The zero value leaves it to the
// system.
type Source struct {
	Addr      netip.Addr // this machine's address to use
	Interface string     // this machine's network interface to use (Linux)
}

// apply sets a dialer up for it.
func (s Source) apply(d *net.Dialer) {
	if s.Addr.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: s.Addr.AsSlice(), Zone: s.Addr.Zone()}
	}
	if s.Interface == "" {
		return
	}
	before := d.Control
	d.Control = func(network, address string, c syscall.RawConn) error {
		if before != nil {
			if err := before(network, address, c); err != nil {
				return err
			}
		}
		var failed error
		if err := c.Control(func(fd uintptr) { failed = bindTo(fd, s.Interface) }); err != nil {
			return err
		}
		return failed
	}
}

// Check reports whether this machine has the address and the interface.
func (s Source) Check() error {
	if s.Interface != "" {
		if !bindable {
			return errors.New("this system cannot bind a connection to an interface: name its address with -source-ip")
		}
		if _, err := net.InterfaceByName(s.Interface); err != nil {
			return fmt.Errorf("this machine has no interface %q", s.Interface)
		}
	}
	if !s.Addr.IsValid() {
		return nil
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: s.Addr.AsSlice(), Zone: s.Addr.Zone()})
	if err != nil {
		return fmt.Errorf("this machine has no address %s", s.Addr)
	}
	return l.Close()
}
