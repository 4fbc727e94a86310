package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/local"
)

func TestLocalTargets(t *testing.T) {
	const (
		gateway  = 11
		other    = 22
		database = 33
		debugged = 44
		unseen   = 0 // a process that this user may not look at
	)
	rules, err := local.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	at := func(addr string, pid int32) local.Listener {
		l := local.Listener{Addr: netip.MustParseAddrPort(addr), PID: pid}
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
	type listeners []local.Listener
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
				m := localTargets(rules, []uint16{18789}, tt.listeners, tt.only, tt.interfaces)
				var got lines
				for _, s := range m.specs {
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
				for _, l := range m.beyond {
					skipped = append(skipped, l.Addr.String())
				}
				for _, l := range m.left {
					left = append(left, l.Addr.String()+" "+l.what)
				}
				for _, l := range m.unseen {
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

// No port of a product is one that is left alone.
func TestKnownPortsAreScanned(t *testing.T) {
	rules, err := local.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range append(knownPorts(set, true, true), webPorts()...) {
		if p := rules.LeftAlone.Port(port); p != nil && port != 5900 { // VNC: spoken to beside a gateway
			t.Errorf("port %d is left alone: %s", port, p.Name)
		}
	}
}

// The summary of a scan of this machine says what was not seen.
func TestMachineNotes(t *testing.T) {
	at := func(addr, process string) local.Listener {
		return local.Listener{Addr: netip.MustParseAddrPort(addr), Process: process}
	}
	addrs := func(list ...string) (out []netip.Addr) {
		for _, a := range list {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	for _, tt := range []struct {
		name      string
		machine   machine
		found     []event.Target
		addrs     []netip.Addr
		err       error
		contained bool
		want      []string
	}{
		{name: "nothing", want: []string{"Seen over loopback only: this machine has no other address."}},
		{name: "addresses", addrs: addrs("192.0.2.7", "2001:db8::7"),
			want: []string{"Seen over loopback only. From another machine run: clawsonar scan 192.0.2.7 2001:db8::7"}},
		{name: "a public one", addrs: addrs("8.8.8.8"),
			want: []string{"Seen over loopback only. From another machine run: clawsonar scan 8.8.8.8 -authorized -contact YOU@EXAMPLE.ORG"}},
		{name: "a gateway on an unusual port", addrs: addrs("192.0.2.7"), machine: machine{usual: []uint16{80}}, found: []event.Target{
			{Outcome: "identified", Target: event.Address{Bound: "0.0.0.0:81"}},
			{Outcome: "identified", Target: event.Address{Bound: "0.0.0.0:80"}},
			{Outcome: "identified", Target: event.Address{Bound: "127.0.0.1:82"}},
			{Outcome: "other", Target: event.Address{Bound: "0.0.0.0:83"}},
		}, want: []string{"Seen over loopback only. From another machine run: clawsonar scan 192.0.2.7 192.0.2.7:81"}},
		{name: "addresses not known", err: errors.New("no"), machine: machine{interfaces: true},
			want: []string{"Seen from this machine only. Scan this machine from another one, too."}},
		{name: "container", contained: true, want: []string{"Seen over loopback only: this machine has no other address.",
			"This looks like a container: which of its ports the host publishes shows only on the host. Scan there, too."}},
		{name: "not judged", machine: machine{
			blind: true, left: []leftAlone{{at("0.0.0.0:22", "sshd"), "SSH"}, {at("[::]:22", ""), "SSH"}},
			beyond: []local.Listener{at("192.0.2.7:80", "nginx")}, unseen: []local.Listener{at("127.0.0.1:81", ""), at("127.0.0.1:82", "")},
		}, want: []string{
			"What listens on this machine could not be found out: only the known ports were scanned.",
			"2 listeners were left alone, so they are not judged: 0.0.0.0:22 (SSH, sshd), [::]:22 (SSH). What they speak takes any bytes for a job or an order.",
			"1 listener is not reached over loopback, so it is not judged: 192.0.2.7:80 (nginx). With -interfaces it is contacted, too.",
			"2 listeners belong to programs that this user may not see: 127.0.0.1:81, 127.0.0.1:82. Only root sees which.",
			"Seen over loopback only: this machine has no other address.",
		}},
		{name: "many", machine: machine{unseen: slices.Repeat([]local.Listener{at("127.0.0.1:81", "")}, 13)}, want: []string{
			"12 listeners belong to programs that this user may not see: " + strings.Repeat("127.0.0.1:81, ", 11) + "127.0.0.1:81. Only root sees which.",
			"1 listener belongs to a program that this user may not see: 127.0.0.1:81. Only root sees which.",
			"Seen over loopback only: this machine has no other address.",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &tt.machine
			for i := range tt.found {
				m.note(&tt.found[i])
			}
			got := append(m.unjudged(), m.elsewhere(tt.addrs, tt.err, tt.contained)...)
			if !slices.Equal(got, tt.want) {
				t.Errorf("notes are\n%q, want\n%q", got, tt.want)
			}
			for _, n := range got {
				english(t, "internal/cli/local.go", n)
			}
		})
	}
}

// What findings and notes say of listeners of this machine is translated.
func TestListenerTextsAreTranslated(t *testing.T) {
	for _, bound := range []string{"127.0.0.1:18789", "0.0.0.0:18789", "192.0.2.7:18789"} {
		for _, forwards := range []bool{false, true} {
			s := check.Subject{
				HostPort: "127.0.0.1:18789", Reach: "loopback", Bound: netip.MustParseAddrPort(bound), Process: "nginx", Forwards: forwards,
				Evidence:    func(names ...string) []string { return names },
				Observation: &evidence.Observation{Outcome: event.OutcomeIdentified, Scheme: "http"},
				Verdict: &fingerprint.Verdict{
					Product: event.Product{ID: "openclaw", Name: "OpenClaw gateway", Brand: "openclaw", Confidence: event.Certain},
					Auth:    event.Auth{State: event.AuthOpen, Because: []string{"tools.missing-scope"}},
				},
			}
			for _, f := range check.Run(check.All(), s) {
				if slices.Contains([]string{"auth-missing", "plain-http", "listens-beyond-loopback"}, f.ID) {
					english(t, f.ID, f.Detail)
					english(t, f.ID, f.Remediation)
				}
			}
		}
	}
	for _, note := range []string{
		"This is the gateway of http://127.0.0.1:1/: one process listens at both.",
		"This is the gateway of http://127.0.0.1:1/, as far as can be told: the same port, release and page.",
		"This is another way in to the gateway of http://127.0.0.1:1/, as far as can be told: the same release and page, and no other gateway listens on this machine.",
		"Another way in to this gateway: http://127.0.0.1/.",
		"Another way in to this gateway stands open: http://127.0.0.1/.",
		"It may be the same gateway as that of http://127.0.0.1/.",
	} {
		english(t, "internal/scan/ways.go", note)
	}
}
