package discover

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

const asked = 4711

// says is what an answer says: "PTR type instance", "SRV instance host port", "TXT
// instance entry|entry", "A host address", "AAAA host address".
func says(t testing.TB, id uint16, records ...string) []byte {
	t.Helper()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: id, Response: true, Authoritative: true}}
	for _, r := range records {
		f := strings.Split(r, " ")
		h := dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(f[1]), Class: dnsmessage.ClassINET, TTL: 10}
		var body dnsmessage.ResourceBody
		switch f[0] {
		case "PTR":
			body = &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(f[2])}
		case "SRV":
			var port uint16
			fmt.Sscan(f[3], &port)
			body = &dnsmessage.SRVResource{Target: dnsmessage.MustNewName(f[2]), Port: port}
		case "TXT":
			body = &dnsmessage.TXTResource{TXT: strings.Split(f[2], "|")}
		case "A":
			body = &dnsmessage.AResource{A: netip.MustParseAddr(f[2]).As4()}
		case "AAAA":
			body = &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(f[2]).As16()}
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: body})
	}
	data, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func link() *wire.Link {
	return &wire.Link{Interface: "eth0", Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8::2/64"), netip.MustParsePrefix("fe80::2/64")}}
}

// lines are the targets as the command prints them, without quotes.
func lines(t testing.TB, found []target.Found) string {
	t.Helper()
	var b strings.Builder
	for _, f := range found {
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.ReplaceAll(string(data), `"`, "") + "\n")
	}
	return b.String()
}

func TestMDNS(t *testing.T) {
	const gw, claw = "_openclaw-gw._tcp.local.", "claw._openclaw-gw._tcp.local."
	whole := []string{"PTR " + gw + " " + claw, "SRV " + claw + " host.local. 18789", "TXT " + claw + " role=gateway|gatewayPort=18789|cliPath=/home/jane/claw|sshPort=22|owner=jane"}
	for name, tt := range map[string]struct {
		from    string
		id      uint16
		records []string
		want    string
		note    string // part of one
	}{
		"an address of each kind, of the link alone": {
			records: append(whole, "A host.local. 192.0.2.1", "A host.local. 172.17.0.1", "AAAA host.local. fe80::1", "AAAA host.local. 2001:db8::1", "A host.local. 127.0.0.1", "AAAA host.local. ::1", "A host.local. 224.0.0.251", "A host.local. 0.0.0.0"),
			want: `{ip:192.0.2.1,port:18789,name:host.local,found:{by:mdns,announced:[role,gatewayPort,sshPort,cliPath]}}
{ip:fe80::1%eth0,port:18789,name:host.local,found:{by:mdns,announced:[role,gatewayPort,sshPort,cliPath]}}
{ip:2001:db8::1,port:18789,name:host.local,found:{by:mdns,announced:[role,gatewayPort,sshPort,cliPath]}}
`,
			note: "5 addresses are left out: they are not on the link of eth0",
		},
		"the sender's own address, in a network that this machine does not know of": {
			from: "198.51.100.1", records: append(whole, "A host.local. 198.51.100.1"),
			want: "{ip:198.51.100.1,port:18789,name:host.local,found:{by:mdns,announced:[role,gatewayPort,sshPort,cliPath]}}\n",
		},
		"names without regard to case, TLS, an empty record": {
			records: []string{"PTR _MOLTBOT-gw._tcp.local. A._Moltbot-GW._tcp.local.", "SRV a._moltbot-gw._tcp.local. HOST.local. 443", "TXT A._moltbot-gw._tcp.local. gatewayTls=1", "A host.LOCAL. 192.0.2.9",
				"SRV b._clawdbot-gw._tcp.local. host.local. 1", "TXT b._clawdbot-gw._tcp.local. "},
			want: "{ip:192.0.2.9,port:443,name:host.local,tls:true,found:{by:mdns,announced:[gatewayTls]}}\n" +
				"{ip:192.0.2.9,port:1,name:host.local,found:{by:mdns,announced:[]}}\n",
		},
		"a TXT record that did not come is not an empty one": {
			records: []string{"SRV " + claw + " host.local. 18789", "A host.local. 192.0.2.9"},
			want:    "{ip:192.0.2.9,port:18789,name:host.local,found:{by:mdns}}\n",
		},
		"the bridge's port is not the gateway's": {
			records: []string{"SRV a._clawdbot-bridge._tcp.local. host.local. 18790", "TXT a._clawdbot-bridge._tcp.local. gatewayPort=18789", "A host.local. 192.0.2.9"},
			want:    "{ip:192.0.2.9,port:18789,name:host.local,found:{by:mdns,announced:[gatewayPort]}}\n",
		},
		"a bridge that does not say it": {
			records: []string{"SRV a._clawdbot-bridge._tcp.local. host.local. 18790", "A host.local. 192.0.2.9"},
			note:    "names no address or no port",
		},
		"no address": {records: whole, note: "claw._openclaw-gw._tcp from 192.0.2.1 is left out: it names no address or no port"},
		"a name that may be somebody else's": {
			records: []string{"SRV " + claw + " bank.example. 18789", "A bank.example. 192.0.2.9"},
			want:    "{ip:192.0.2.9,port:18789,found:{by:mdns}}\n",
		},
		"other services":           {records: []string{"PTR _ipp._tcp.local. p._ipp._tcp.local.", "SRV p._ipp._tcp.local. host.local. 631", "A host.local. 192.0.2.9", "SRV x_openclaw-gw._tcp.local. host.local. 1"}},
		"an answer to no question": {id: asked + 1, records: append(whole, "A host.local. 192.0.2.1")},
	} {
		t.Run(name, func(t *testing.T) {
			from, id := tt.from, tt.id
			if from == "" {
				from = "192.0.2.1"
			}
			if id == 0 {
				id = asked
			}
			d := wire.Datagram{Link: link(), From: netip.MustParseAddr(from), Data: says(t, id, tt.records...)}
			r := read([]wire.Datagram{d, d}, asked)
			if got := lines(t, r.Found); got != tt.want {
				t.Errorf("found\n%swant\n%s", got, tt.want)
			}
			if got := strings.Join(r.Notes, "\n"); tt.note == "" && got != "" || !strings.Contains(got, tt.note) {
				t.Errorf("notes %q, want %q", got, tt.note)
			}
			if text := lines(t, r.Found) + strings.Join(r.Notes, ""); strings.Contains(text, "jane") {
				t.Errorf("a value is shown: %s", text)
			}
		})
	}
}

// What one sender says does not add to what another says.
func TestMDNSApart(t *testing.T) {
	at := link()
	real := wire.Datagram{Link: at, From: netip.MustParseAddr("192.0.2.1"), Data: says(t, asked, "SRV claw._openclaw-gw._tcp.local. host.local. 18789", "A host.local. 192.0.2.1")}
	other := wire.Datagram{Link: at, From: netip.MustParseAddr("192.0.2.66"), Data: says(t, asked, "SRV claw._openclaw-gw._tcp.local. host.local. 22", "A host.local. 192.0.2.200")}
	r := read([]wire.Datagram{other, real}, asked)
	const want = "{ip:192.0.2.200,port:22,name:host.local,found:{by:mdns}}\n{ip:192.0.2.1,port:18789,name:host.local,found:{by:mdns}}\n"
	if got := lines(t, r.Found); got != want {
		t.Errorf("found\n%swant\n%s", got, want)
	}
}

// A network full of made-up announcements costs little, and what is left out is said.
func TestMDNSMany(t *testing.T) {
	var answers []wire.Datagram
	at := link()
	for i := range 512 {
		var records []string
		for k := range 60 {
			records = append(records, fmt.Sprintf("SRV i%d._openclaw-gw._tcp.local. h. %d", k, k+1))
		}
		for k := range 20 {
			records = append(records, fmt.Sprintf("A h. 192.0.2.%d", k+1))
		}
		answers = append(answers, wire.Datagram{Link: at, From: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Data: says(t, asked, records...)})
	}
	r := read(answers, asked)
	if want := 60 * maxHostAddrs; len(r.Found) != want {
		t.Errorf("%d targets, want %d: each of %d addresses and 60 ports once", len(r.Found), want, maxHostAddrs)
	}
	for i := range 100 {
		answers[i].Data = says(t, asked, fmt.Sprintf("SRV n%d._openclaw-gw._tcp.local. h. 1", i))
		answers[i].From = netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
	}
	if r = read(answers[:100], asked); len(r.Notes) != maxNotes || r.Unsaid != 50 {
		t.Errorf("%d notes and %d more, want %d and 50", len(r.Notes), r.Unsaid, maxNotes)
	}
}

func TestQuestion(t *testing.T) {
	query, id, err := question()
	if err != nil {
		t.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, q := range m.Questions {
		names = append(names, q.Name.String())
	}
	if m.ID != id || m.Response || m.RecursionDesired || !slices.Equal(names, services()) {
		t.Errorf("%+v", m)
	}
	// The instance of a type is not the type.
	var s sender
	if s.instances = map[string]*instance{}; s.instance(services()[0]) != nil {
		t.Error("a type is taken for an announcement")
	}
}

func FuzzMDNS(f *testing.F) {
	f.Add(says(f, asked, "PTR _openclaw-gw._tcp.local. a._openclaw-gw._tcp.local.", "SRV a._openclaw-gw._tcp.local. h.local. 18789", "TXT a._openclaw-gw._tcp.local. cliPath=/x|gatewayTls=1", "A h.local. 192.0.2.1", "AAAA h.local. fe80::1"))
	f.Add(says(f, asked, "SRV \x1b[2J._clawdbot-bridge._tcp.local. bank.example. 1", "A bank.example. 8.8.8.8"))
	f.Add(bytes.Repeat([]byte{0xc0, 0x0c}, 100))
	at := link()
	f.Fuzz(func(t *testing.T, data []byte) {
		d := wire.Datagram{Link: at, From: netip.MustParseAddr("192.0.2.1"), Data: data}
		r := read([]wire.Datagram{d}, asked)
		if len(r.Notes) > maxNotes || len(r.Found) > maxFound {
			t.Fatalf("%d targets, %d notes", len(r.Found), len(r.Notes))
		}
		l := target.List{Name: "stdin", Ports: []uint16{18789}}
		n := 0
		var b bytes.Buffer
		for _, x := range r.Found {
			if !at.Holds(x.IP) || x.Name != "" && !strings.HasSuffix(x.Name, ".local") {
				t.Errorf("%+v", x)
			}
			_ = json.NewEncoder(&b).Encode(x)
		}
		text := b.String()
		if err := l.Read(&b, func(target.Spec) error { n++; return nil }); err != nil || n != len(r.Found) {
			t.Errorf("of %d lines %d are read, error %v:\n%s", len(r.Found), n, err, text)
		}
	})
}
