//go:build !linux

package wire

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// connect opens a TCP connection to addr, which the scope allows.
func (w *Wire) connect(run context.Context, deadline time.Time, addr netip.AddrPort, _ bool) (c net.Conn, stop func() bool, err error) {
	return w.dialStandard(run, deadline, addr)
}
