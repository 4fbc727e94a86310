// Package local asks the operating system which programs of this machine
// listen for connections. It sends nothing.
package local

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	psnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

// Listener is a listening TCP socket.
type Listener struct {
	Addr netip.AddrPort // as bound: may be a wildcard
	// PID is the process that listens, and Process the name of its program; 0
	// and "" when this user may not see it.
	PID     int32
	Process string
	// Words are the parts of its command line, for telling what it is.
	Words []string
}

// Listeners returns the listening TCP sockets of this machine, by port. Of
// processes of other users only the sockets show, unless run as root.
func Listeners(ctx context.Context) ([]Listener, error) {
	conns, err := psnet.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return nil, fmt.Errorf("ask the operating system for listening sockets: %w", err)
	}
	var out []Listener
	for _, c := range conns {
		if c.Status != "LISTEN" {
			continue
		}
		addr, err := netip.ParseAddr(c.Laddr.IP)
		if err != nil || c.Laddr.Port == 0 || c.Laddr.Port > 65535 {
			continue
		}
		l := Listener{Addr: netip.AddrPortFrom(addr.Unmap(), uint16(c.Laddr.Port))}
		if slices.ContainsFunc(out, func(o Listener) bool { return o.Addr == l.Addr }) {
			continue // one socket shared by several processes
		}
		// A process may be gone by now, or not be ours to look at.
		if p, err := process.NewProcessWithContext(ctx, c.Pid); err == nil && c.Pid > 0 {
			l.PID = c.Pid
			l.Process, _ = p.NameWithContext(ctx)
			l.Words, _ = p.CmdlineSliceWithContext(ctx)
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b Listener) int {
		return cmp.Or(cmp.Compare(a.Addr.Port(), b.Addr.Port()), a.Addr.Compare(b.Addr))
	})
	return out, nil
}

// RunsAny reports whether the program looks like one of the named ones: its
// name, or a path or file name in its command line, contains the word.
func (l Listener) RunsAny(words ...string) bool {
	parts := append([]string{l.Process}, l.Words...)
	return slices.ContainsFunc(parts, func(part string) bool {
		part = strings.ToLower(filepath.ToSlash(part))
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(part, w) })
	})
}
