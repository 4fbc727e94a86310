package cli

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/local"
	"github.com/clawsonar/clawsonar/internal/message"
)

// No port of a product is one that is skipped.
func TestKnownPortsAreScanned(t *testing.T) {
	rules, err := local.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range append(set.Ports(true, true), audit.WebPorts()...) {
		if p := rules.LeftAlone.Port(port); p != nil && port != 5900 { // VNC: spoken to beside a gateway
			t.Errorf("port %d is skipped: %s", port, p.Name)
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
		{name: "not judged", machine: machine{blind: true, Plan: &local.Plan{
			Left:   []local.Left{{Listener: at("0.0.0.0:22", "sshd"), Speaks: "SSH"}, {Listener: at("[::]:22", ""), Speaks: "SSH"}},
			Beyond: []local.Listener{at("192.0.2.7:80", "nginx")}, Unseen: []local.Listener{at("127.0.0.1:81", ""), at("127.0.0.1:82", "")},
		}}, want: []string{
			"The listeners of this machine could not be listed: only the known ports were scanned.",
			"2 listeners were skipped, so they are not judged: 0.0.0.0:22 (SSH, sshd), [::]:22 (SSH). Their protocols take any bytes for a job or a command.",
			"1 listener is not reached over loopback, so it is not judged: 192.0.2.7:80 (nginx). With -interfaces it is contacted, too.",
			"2 listeners belong to programs that this user may not see: 127.0.0.1:81, 127.0.0.1:82. Only root can see which.",
			"Seen over loopback only: this machine has no other address.",
		}},
		{name: "many", machine: machine{Plan: &local.Plan{Unseen: slices.Repeat([]local.Listener{at("127.0.0.1:81", "")}, 13)}}, want: []string{
			"12 listeners belong to programs that this user may not see: " + strings.Repeat("127.0.0.1:81, ", 11) + "127.0.0.1:81. Only root can see which.",
			"1 listener belongs to a program that this user may not see: 127.0.0.1:81. Only root can see which.",
			"Seen over loopback only: this machine has no other address.",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &tt.machine
			if m.Plan == nil {
				m.Plan = &local.Plan{}
			}
			for i := range tt.found {
				m.note(&tt.found[i])
			}
			got := append(m.unjudged(), m.elsewhere(tt.addrs, tt.err, tt.contained)...)
			if !slices.Equal(message.Plain(got), tt.want) {
				t.Errorf("notes are\n%q, want\n%q", message.Plain(got), tt.want)
			}
			for _, n := range got {
				if err := n.Check(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
