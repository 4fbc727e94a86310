package target

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/clawsonar/clawsonar/internal/event"
)

func mustSpace(t testing.TB, ports []uint16, texts ...string) *Space {
	t.Helper()
	var s Space
	for _, text := range texts {
		spec, err := Parse(text, "args", ports)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(spec); err != nil {
			t.Fatal(err)
		}
	}
	return &s
}

func at(t interface {
	Helper()
	Fatal(...any)
}, s *Space, i uint64) Target {
	t.Helper()
	target, err := s.At(i)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func TestSpaceAt(t *testing.T) {
	s := mustSpace(t, []uint16{1, 2}, "10.0.0.255-10.0.1.0", "gw.example", "http://h.example/b", "2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::", "10.0.0.7:9")
	want := []struct {
		hostPort string
		swept    bool
	}{
		{"10.0.0.255:1", true}, {"10.0.0.255:2", true}, {"10.0.1.0:1", true}, {"10.0.1.0:2", true},
		{"gw.example:1", true}, {"gw.example:2", true},
		{"h.example:80", false},
		{"[2001:db8::ffff:ffff:ffff:ffff]:1", true}, {"[2001:db8::ffff:ffff:ffff:ffff]:2", true},
		{"[2001:db8:0:1::]:1", true}, {"[2001:db8:0:1::]:2", true},
		{"10.0.0.7:9", false},
	}
	if s.Len() != uint64(len(want)) {
		t.Fatalf("%d targets, want %d", s.Len(), len(want))
	}
	for i, w := range want {
		got := at(t, s, uint64(i))
		if got.HostPort() != w.hostPort || got.Swept != w.swept {
			t.Errorf("At(%d) = %s swept %t, want %s %t", i, got.HostPort(), got.Swept, w.hostPort, w.swept)
		}
	}
	if got := at(t, s, 6); got.Scheme != "http" || got.Base != "/b" || got.Name != "h.example" || got.Input != "http://h.example/b" || got.Source != "args" {
		t.Errorf("URL target: %+v", got)
	}
	zoned := at(t, mustSpace(t, []uint16{1}, "fe80::1%eth0"), 0)
	if zoned.Addr.Addr().Zone() != "eth0" {
		t.Errorf("zone is lost: %v", zoned.Addr)
	}
}

func TestSpaceLimit(t *testing.T) {
	one := []uint16{1}
	for _, tt := range []struct {
		text  string
		ports []uint16
		ok    bool
	}{
		{"0.0.0.0/0", one, true},
		{"2001:db8::/88", one, true}, // exactly 2^40
		{"2001:db8::/88", []uint16{1, 2}, false},
		{"2001:db8::/87", one, false},
		{"2001:db8::/66", one, false},
		{"2001:db8::/65", one, false},
		{"2001:db8::/64", one, false},
		{"2001:db8::/63", one, false},
		{"::/0", one, false},
		{"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", one, false},
		{"2001:db8::/64", nil, true}, // nothing to scan
	} {
		spec, err := Parse(tt.text, "", tt.ports)
		if err != nil {
			t.Fatal(err)
		}
		var s Space
		if err := s.Add(spec); (err == nil) != tt.ok && len(tt.ports) > 0 {
			t.Errorf("Add(%s, %d ports): %v, want ok %t", tt.text, len(tt.ports), err, tt.ok)
		}
	}
	s := mustSpace(t, one, "2001:db8::/88")
	spec, _ := Parse("10.0.0.1", "", one)
	if err := s.Add(spec); err == nil {
		t.Error("one target beyond 2^40 is accepted")
	}
	if s.Len() != 1<<40 {
		t.Errorf("a refused entry changed the space: %d", s.Len())
	}
	if last := at(t, s, 1<<40-1).Addr.Addr(); last != netip.MustParseAddr("2001:db8::ff:ffff:ffff") {
		t.Errorf("last of 2^40: %s", last)
	}
}

// An empty entry takes no index.
func TestSpaceEmptyEntry(t *testing.T) {
	s := mustSpace(t, []uint16{1}, "10.0.0.1")
	if err := s.Add(Spec{Name: "x", Input: "x"}); err != nil {
		t.Fatal(err)
	}
	spec, _ := Parse("10.0.0.2", "", []uint16{1})
	if err := s.Add(spec); err != nil {
		t.Fatal(err)
	}
	if s.Len() != 2 || at(t, s, 1).HostPort() != "10.0.0.2:1" {
		t.Errorf("%d targets, second %s", s.Len(), at(t, s, 1).HostPort())
	}
}

// Every index gives a target of its own, all lie within the entries, and
// together they are all of them.
func TestSpaceProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Space
		want := uint64(0)
		type span struct {
			first, last netip.Addr
			ports       map[uint16]bool
		}
		var spans []span
		// Entries are kept apart by their ports, so that all targets differ.
		for k := range rapid.IntRange(0, 5).Draw(t, "entries") {
			n := rapid.Uint32Range(0, 40).Draw(t, "size")
			var first, last netip.Addr
			if rapid.Bool().Draw(t, "v4") {
				a := rapid.Uint32Range(0, 1<<32-1-n).Draw(t, "first")
				first, last = v4(a), v4(a+n)
			} else {
				hi := rapid.Uint64Range(0, 1<<64-2).Draw(t, "hi")
				lo := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(1<<64-41, 1<<64-1)).Draw(t, "lo")
				first, last = v6(hi, lo), v6(hi, lo+uint64(n))
				if lo+uint64(n) < lo {
					last = v6(hi+1, lo+uint64(n))
				}
			}
			ports := map[uint16]bool{}
			var list []uint16
			for p := range rapid.IntRange(1, 3).Draw(t, "ports") {
				port := uint16(1 + k*3 + p)
				list, ports[port] = append(list, port), true
			}
			if err := s.Add(Spec{First: first, Last: last, Ports: list}); err != nil {
				t.Fatal(err)
			}
			spans = append(spans, span{first, last, ports})
			want += (uint64(n) + 1) * uint64(len(list))
		}
		if s.Len() != want {
			t.Fatalf("%d targets, want %d", s.Len(), want)
		}
		seen := map[Target]bool{}
		for i := range want {
			at := at(t, &s, i)
			if seen[at] {
				t.Fatalf("target %v twice", at.Addr)
			}
			seen[at] = true
			inside := false
			for _, sp := range spans {
				a := at.Addr.Addr()
				if sp.ports[at.Addr.Port()] && a.Is4() == sp.first.Is4() && !a.Less(sp.first) && !sp.last.Less(a) {
					inside = true
				}
			}
			if !inside {
				t.Fatalf("target %v is in no entry", at.Addr)
			}
		}
	})
}

func v4(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

func v6(hi, lo uint64) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return netip.AddrFrom16(b)
}

func TestURL(t *testing.T) {
	tests := []struct {
		t            Target
		scheme, want string
	}{
		{Target{Name: "GW.example", Addr: netip.MustParseAddrPort("192.0.2.1:80")}, "", "http://gw.example/"},
		{Target{Name: "gw.example", Addr: netip.MustParseAddrPort("192.0.2.1:443")}, "https", "https://gw.example/"},
		{Target{Name: "gw.example", Addr: netip.MustParseAddrPort("192.0.2.1:443")}, "http", "http://gw.example:443/"},
		{Target{Addr: netip.MustParseAddrPort("[2001:db8::80]:80"), Base: "/claw"}, "http", "http://[2001:db8::80]/claw/"},
		{Target{Addr: netip.MustParseAddrPort("192.0.2.1:18789"), Base: "/claw"}, "https", "https://192.0.2.1:18789/claw/"},
	}
	for _, tt := range tests {
		if got := tt.t.URL(tt.scheme); got != tt.want {
			t.Errorf("URL(%q) = %s, want %s", tt.scheme, got, tt.want)
		}
	}
}

// Has knows every target of the entries, and none beside them.
func TestSpaceHas(t *testing.T) {
	var s Space
	for _, text := range []string{"192.0.2.4/30", "198.51.100.7:9222", "gateway.example", "[2001:db8::1]:18789", "2001:db8::10-2001:db8::12"} {
		spec, err := Parse(text, "args", []uint16{18789, 18791})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add(spec); err != nil {
			t.Fatal(err)
		}
	}
	for i := range s.Len() {
		x, err := s.At(i)
		if err != nil {
			t.Fatal(err)
		}
		if !x.Addr.Addr().IsValid() { // resolved
			x.Addr = netip.AddrPortFrom(netip.MustParseAddr("203.0.113.9"), x.Addr.Port())
		}
		if !s.Has(x) {
			t.Errorf("target %d, %v %s, is not found", i, x.Addr, x.Name)
		}
	}
	for _, x := range []Target{
		{Addr: netip.MustParseAddrPort("192.0.2.3:18789")}, {Addr: netip.MustParseAddrPort("192.0.2.8:18791")},
		{Addr: netip.MustParseAddrPort("192.0.2.4:9222")}, {Addr: netip.MustParseAddrPort("198.51.100.7:18789")},
		{Addr: netip.MustParseAddrPort("203.0.113.9:18791")}, {Addr: netip.MustParseAddrPort("203.0.113.9:18791"), Name: "other.example"},
		{Addr: netip.MustParseAddrPort("[2001:db8::1]:18791")}, {Addr: netip.MustParseAddrPort("[2001:db8::13]:18789")},
	} {
		if s.Has(x) {
			t.Errorf("%v %s is found", x.Addr, x.Name)
		}
	}
}

func TestOnly(t *testing.T) {
	for _, c := range []struct{ entry, one, want string }{
		{"10.0.0.0/8", "10.1.2.3:18789", "10.1.2.3:18789"},
		{"10.0.0.0/8", "10.1.2.3:80", "10.1.2.3:80"},
		{"10.0.0.0/8", "10.1.2.3:81", ""},
		{"10.0.0.0/8", "11.0.0.0:80", ""},
		{"10.0.0.5", "10.0.0.4:80", ""},
		{"10.0.0.5", "10.0.0.6:80", ""},
		{"10.0.0.5:8080", "10.0.0.5:8080", "10.0.0.5:8080"},
		{"10.0.0.5:8080", "10.0.0.5:80", ""},
		{"10.0.0.5-10.0.0.9", "[::ffff:10.0.0.6]:80", "10.0.0.6:80"},
		{"fd00::/64", "[fd00::7]:80", "[fd00::7]:80"},
		{"fe80::1%eth0", "[fe80::1]:80", ""},
		{"Board.example.org", "board.example.org.:80", "board.example.org:80"},
		{"board.example.org", "www.board.example.org:80", ""},
		{"board.example.org", "10.0.0.5:80", ""},
		{"10.0.0.5", "board.example.org:80", ""},
		{"10.0.0.0/8", "10.0.0.0/31", ""},
	} {
		entry, err := Parse(c.entry, "file:1", []uint16{80, 18789})
		if err != nil {
			t.Fatal(err)
		}
		one, err := Parse(c.one, "probe", nil)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := entry.Only(one)
		if ok != (c.want != "") {
			t.Errorf("%s of %s: %v", c.one, c.entry, ok)
		}
		if !ok {
			continue
		}
		var s Space
		if err := s.Add(got); err != nil {
			t.Fatal(err)
		}
		x, err := s.At(0)
		if err != nil || s.Len() != 1 || x.HostPort() != c.want || x.Source != "file:1" || x.Swept || x.Part != event.OfNothing {
			t.Errorf("%s of %s: %+v, %v", c.one, c.entry, x, err)
		}
	}
	wide, err := Parse("0.0.0.0/0", "file:1", []uint16{80})
	if err != nil {
		t.Fatal(err)
	}
	one, _ := Parse("127.0.0.1:80", "probe", nil)
	got, ok := wide.Only(one)
	var s Space
	if err := s.Add(got); err != nil || !ok {
		t.Fatal(err)
	}
	if x, err := s.At(0); err != nil || !x.Implied {
		t.Errorf("a special address of a wide range was not written down: %+v, %v", x, err)
	}
}

// The entries of a space, those of its file, too, make the same space.
func TestEntriesMakeTheSpaceAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s, again Space
		defer s.Close()
		defer again.Close()
		add := func(into *Space, spec Spec) {
			if err := into.Add(spec); err != nil {
				t.Fatal(err)
			}
		}
		for _, text := range rapid.SliceOf(rapid.SampledFrom([]string{
			"10.0.0.0/24", "0.0.0.0/0", "gw.example", "https://gw.example/x", "fe80::1%eth0", "2001:db8::/120", "10.0.0.7:9",
		})).Draw(t, "first") {
			spec, err := Parse(text, "args", []uint16{1, 2})
			if err != nil {
				t.Fatal(err)
			}
			add(&s, spec)
		}
		n := rapid.SampledFrom([]int{0, 10, maxHeld, maxHeld + 1, maxHeld + perBlock, maxHeld + 3*perBlock + 7}).Draw(t, "list")
		seed := rapid.Uint32Range(0, 1000).Draw(t, "seed")
		for i := range uint32(n) {
			at := v4(seed*5000 + i)
			add(&s, Spec{
				First: at, Last: at, Ports: []uint16{uint16(1 + i%3)}, Implied: i%5 == 0, Exact: i%2 == 0, Listed: true,
				Input: at.String(), Source: "list:" + fmt.Sprint(i),
			})
		}
		if err := s.Entries(func(spec Spec) error { return again.Add(spec) }); err != nil {
			t.Fatal(err)
		}
		if s.Digest() != again.Digest() || s.Len() != again.Len() {
			t.Fatalf("%d targets of digest %s, then %d of %s", s.Len(), s.Digest(), again.Len(), again.Digest())
		}
		for range min(s.Len(), 20) {
			i := rapid.Uint64Range(0, s.Len()-1).Draw(t, "i")
			a, err := s.At(i)
			b, err2 := again.At(i)
			if a != b || err != nil || err2 != nil {
				t.Fatalf("target %d is %+v, then %+v: %v %v", i, a, b, err, err2)
			}
		}
		stop := errors.New("enough")
		count := 0
		if err := s.Entries(func(Spec) error { count++; return stop }); s.Len() > 0 && (err != stop || count != 1) {
			t.Fatalf("%d entries, %v", count, err)
		}
	})
}
