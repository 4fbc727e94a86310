//go:build linux

package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// Ports come from below the range that Linux gives to outgoing connections
// (32768 and up): a gateway binds its port many seconds after it was chosen,
// and nothing else may have got it meanwhile. They come in blocks because a
// gateway derives helper ports from its own (browser control +2, canvas +4,
// CDP +11 to +110).
const (
	firstPort = 20000
	portBlock = 128
	blocks    = 96 // 20000 to 32287
)

// loopback is the only address the lab itself listens on and speaks to.
func loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

// reservePort picks a block of free ports and holds it against every other
// user of this lab, in this process or another, until release is called.
func (l *Lab) reservePort() (port uint16, release func(), err error) {
	for _, i := range rand.Perm(blocks) {
		port := uint16(firstPort + i*portBlock)
		release, err := l.tryLock("port-" + strconv.Itoa(int(port)))
		if errors.Is(err, syscall.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		if portsFree(port, port+2, port+4) {
			return port, release, nil
		}
		release()
	}
	return 0, nil, fmt.Errorf("all %d port blocks from %d up are in use: stop some gateways", blocks, firstPort)
}

// portsFree says whether all the ports can be listened on right now, on any
// address.
func portsFree(ports ...uint16) bool {
	for _, port := range ports {
		ln, err := net.Listen("tcp", ":"+strconv.Itoa(int(port)))
		if err != nil {
			return false
		}
		ln.Close()
	}
	return true
}

// freePort returns a loopback port for a program that binds it at once.
func freePort() (netip.AddrPort, error) {
	ln, err := net.Listen("tcp", netip.AddrPortFrom(loopback(), 0).String())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("find a free port: %w", err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort(), nil
}
