package local

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/clawsonar/clawsonar/fingerprints"
)

func TestPlan(t *testing.T) {
	const (
		gateway  = 11
		other    = 22
		database = 33
		debugged = 44
		unseen   = 0 // a process that this user may not look at
	)
	rules, err := Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	at := func(addr string, pid int32) Listener {
		l := Listener{Addr: netip.MustParseAddrPort(addr), PID: pid}
		switch pid {
		case gateway:
			l.Process, l.Words = "node", []string{"/usr/lib/openclaw/openclaw.mjs", "gateway"}
		case other:
			l.Process, l.Words = "node", []string{"server.js"}
		case database:
			l.Process, l.Words = "postgres", []string{"postgres", "-D", "/home/openclaw/data"}
		case debugged:
			l.Process, l.Words = "java", []string{"java", "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:18000", "-jar", "x.jar"}
		}
		return l
	}
	type listeners []Listener
	type lines []string // "contact, bound, process"
	for _, tt := range []struct {
		name       string
		listeners  listeners
		interfaces bool
		only       bool // -ports
		want       lines
		skipped    lines
		left       lines // what is left alone, and what it speaks
		unseen     lines
	}{
		{name: "nothing listens", want: lines{"127.0.0.1:18789"}},
		{name: "on the known port", listeners: listeners{at("127.0.0.1:18789", gateway)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by node"}},
		{name: "known port, any program", listeners: listeners{at("127.0.0.1:18789", unseen)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by "}, unseen: lines{"127.0.0.1:18789"}},
		{name: "on another port", listeners: listeners{at("127.0.0.1:4000", gateway)},
			want: lines{"127.0.0.1:4000 bound 127.0.0.1:4000 by node", "127.0.0.1:18789"}},
		{name: "another port, another program", listeners: listeners{at("127.0.0.1:4000", other), at("0.0.0.0:22", unseen)},
			want: lines{"127.0.0.1:4000 bound 127.0.0.1:4000 by node", "127.0.0.1:18789"}, left: lines{"0.0.0.0:22 SSH"}},
		{name: "another port, program not known", listeners: listeners{at("127.0.0.1:4000", unseen)},
			want: lines{"127.0.0.1:4000 bound 127.0.0.1:4000 by ", "127.0.0.1:18789"}, unseen: lines{"127.0.0.1:4000"}},
		{name: "a printer's port", listeners: listeners{at("127.0.0.1:9100", other)},
			want: lines{"127.0.0.1:18789"}, left: lines{"127.0.0.1:9100 raw printing"}},
		{name: "a printer's port, a gateway", listeners: listeners{at("127.0.0.1:9100", gateway)},
			want: lines{"127.0.0.1:9100 bound 127.0.0.1:9100 by node", "127.0.0.1:18789"}},
		{name: "a database on another port", listeners: listeners{at("0.0.0.0:4000", database)},
			want: lines{"127.0.0.1:18789"}, left: lines{"0.0.0.0:4000 PostgreSQL"}},
		{name: "a database on the known port", listeners: listeners{at("127.0.0.1:18789", database)},
			want: lines{}, left: lines{"127.0.0.1:18789 PostgreSQL"}},
		{name: "a database at the address, a gateway at the wildcard", listeners: listeners{at("127.0.0.1:4000", database), at("[::]:4000", gateway)},
			want: lines{"127.0.0.1:18789", "[::1]:4000 bound [::]:4000 by node"}, left: lines{"127.0.0.1:4000 PostgreSQL"}},
		{name: "the debugger's port of a program", listeners: listeners{at("0.0.0.0:18000", debugged), at("0.0.0.0:8080", debugged)},
			want: lines{"127.0.0.1:8080 bound 0.0.0.0:8080 by java", "127.0.0.1:18789"}, left: lines{"0.0.0.0:18000 debuggers"}},
		{name: "with -ports", only: true, listeners: listeners{at("127.0.0.1:4000", other), at("127.0.0.1:18789", other)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by node"}},
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
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by ", "[::1]:18789 bound [::1]:18789 by "}, unseen: lines{"127.0.0.1:18789", "[::1]:18789"}},
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
			want: lines{"127.0.0.1:18789"}, skipped: lines{"192.168.1.5:80", "192.168.1.5:18789"}},
		{name: "an outside address, asked for", listeners: listeners{at("192.168.1.5:18789", gateway), at("192.168.1.5:80", other)}, interfaces: true,
			want: lines{"127.0.0.1:18789", "192.168.1.5:80 bound 192.168.1.5:80 by node", "192.168.1.5:18789 bound 192.168.1.5:18789 by node"}},
		{name: "loopback and outside", listeners: listeners{at("127.0.0.1:18789", gateway), at("[fd00::5]:18789", gateway)},
			want: lines{"127.0.0.1:18789 bound 127.0.0.1:18789 by node"}, skipped: lines{"[fd00::5]:18789"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The order in which the system lists them does not matter.
			for range 2 {
				m := rules.Plan(tt.listeners, []uint16{18789}, tt.only, tt.interfaces)
				var got lines
				for _, s := range m.Targets {
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
				var skipped, left, hidden lines
				for _, l := range m.Beyond {
					skipped = append(skipped, l.Addr.String())
				}
				for _, l := range m.Left {
					left = append(left, l.Addr.String()+" "+l.Speaks)
				}
				for _, l := range m.Unseen {
					hidden = append(hidden, l.Addr.String())
				}
				for _, x := range []struct {
					what      string
					got, want lines
				}{{"skipped", skipped, tt.skipped}, {"left alone", left, tt.left}, {"of unseen programs", hidden, tt.unseen}} {
					if !slices.Equal(x.got, x.want) {
						t.Errorf("%s are %q, want %q", x.what, x.got, x.want)
					}
				}
				slices.Reverse(tt.listeners)
			}
		})
	}
}
