package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/clawsonar/clawsonar/internal/local"
)

func TestLocalTargets(t *testing.T) {
	const (
		gateway = 11
		other   = 22
		unseen  = 0 // a process that this user may not look at
	)
	at := func(addr string, pid int32) local.Listener {
		l := local.Listener{Addr: netip.MustParseAddrPort(addr), PID: pid}
		switch pid {
		case gateway:
			l.Process, l.Words = "node", []string{"/usr/lib/openclaw/openclaw.mjs", "gateway"}
		case other:
			l.Process, l.Words = "node", []string{"server.js"}
		}
		return l
	}
	type listeners []local.Listener
	type lines []string // "contact, bound, process"
	for _, tt := range []struct {
		name       string
		listeners  listeners
		interfaces bool
		want       lines
		skipped    lines
	}{
		{name: "nothing listens", want: lines{"127.0.0.1:18789"}},
		{name: "on the known port", listeners: listeners{at("127.0.0.1:18789", gateway)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by node"}},
		{name: "known port, any program", listeners: listeners{at("127.0.0.1:18789", unseen)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by "}},
		{name: "on another port", listeners: listeners{at("127.0.0.1:4000", gateway)},
			want: lines{"127.0.0.1:4000 bound 127.0.0.1:4000 by node", "127.0.0.1:18789"}},
		{name: "another port, another program", listeners: listeners{at("127.0.0.1:4000", other), at("0.0.0.0:22", unseen)},
			want: lines{"127.0.0.1:18789"}},
		{name: "IPv4 wildcard", listeners: listeners{at("0.0.0.0:18789", gateway)},
			want: lines{"127.0.0.1:18789 bound 0.0.0.0:18789 by node"}},
		{name: "IPv6 wildcard takes IPv4 too", listeners: listeners{at("[::]:18789", gateway)},
			want: lines{"127.0.0.1:18789 bound [::]:18789 by node"}},
		{name: "both wildcards", listeners: listeners{at("0.0.0.0:18789", gateway), at("[::]:18789", gateway)},
			want: lines{"127.0.0.1:18789 bound 0.0.0.0:18789 by node"}},
		{name: "both loopbacks", listeners: listeners{at("127.0.0.1:18789", gateway), at("[::1]:18789", gateway)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by node"}},
		{name: "both loopbacks, two processes of one name", listeners: listeners{at("127.0.0.1:18789", gateway), at("[::1]:18789", other)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by node", "[::1]:18789 bound [::1]:18789 by node"}},
		{name: "both loopbacks, processes not known", listeners: listeners{at("127.0.0.1:18789", unseen), at("[::1]:18789", unseen)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by ", "[::1]:18789 bound [::1]:18789 by "}},
		// The known port is closed on IPv4 then, and says so.
		{name: "IPv6 loopback only", listeners: listeners{at("[::1]:18789", gateway)},
			want: lines{"127.0.0.1:18789", "[::1]:18789 bound [::1]:18789 by node"}},
		{name: "loopback and wildcard of one process: the wider counts", listeners: listeners{at("127.0.0.1:18789", gateway), at("[::]:18789", gateway)},
			want: lines{"127.0.0.1:18789 bound [::]:18789 by node"}},
		// Who is bound to the address itself gets the connection.
		{name: "loopback and wildcard of two processes", listeners: listeners{at("127.0.0.1:18789", other), at("[::]:18789", gateway)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by node", "[::1]:18789 bound [::]:18789 by node"}},
		{name: "wildcard that loopback does not lead to", listeners: listeners{at("0.0.0.0:18789", gateway), at("127.0.0.1:18789", other)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by node"}, skipped: lines{"0.0.0.0:18789"}},
		{name: "another loopback address", listeners: listeners{at("127.0.0.53:18789", gateway)},
			want: lines{"127.0.0.1:18789", "127.0.0.53:18789 bound 127.0.0.53:18789 by node"}},
		{name: "an outside address", listeners: listeners{at("192.168.1.5:18789", gateway), at("192.168.1.5:80", other)},
			want: lines{"127.0.0.1:18789"}, skipped: lines{"192.168.1.5:18789"}},
		{name: "an outside address, asked for", listeners: listeners{at("192.168.1.5:18789", gateway), at("192.168.1.5:80", other)}, interfaces: true,
			want: lines{"127.0.0.1:18789", "192.168.1.5:18789 bound 192.168.1.5:18789 by node"}},
		{name: "loopback and outside", listeners: listeners{at("127.0.0.1:18789", gateway), at("[fd00::5]:18789", gateway)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by node"}, skipped: lines{"[fd00::5]:18789"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The order in which the system lists them does not matter.
			for range 2 {
				specs, skipped := localTargets([]uint16{18789}, tt.listeners, tt.interfaces)
				var got lines
				for _, s := range specs {
					if s.First != s.Last || len(s.Ports) != 1 || s.Source != "local" || s.Input != "this machine" {
						t.Errorf("not one target of this machine: %+v", s)
					}
					line := netip.AddrPortFrom(s.First, s.Ports[0]).String()
					if s.Bound != "" {
						line += fmt.Sprintf(" bound %s by %s", s.Bound, s.Process)
					}
					got = append(got, line)
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("targets are\n%q, want\n%q", got, tt.want)
				}
				var left lines
				for _, l := range skipped {
					left = append(left, l.Addr.String())
				}
				if !slices.Equal(left, tt.skipped) {
					t.Errorf("skipped are %q, want %q", left, tt.skipped)
				}
				slices.Reverse(tt.listeners)
			}
		})
	}
}
