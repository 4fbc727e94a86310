package target

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"go4.org/netipx"
	"pgregory.net/rapid"

	"github.com/clawsonar/clawsonar/internal/event"
)

func prefixes(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	var out []netip.Prefix
	for _, text := range texts {
		r, err := ParseEntry(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.Blocks...)
	}
	return out
}

func TestScopeCheck(t *testing.T) {
	open := NewScope(nil, nil, true)
	noPublic := NewScope(nil, nil, false)
	denied := NewScope(prefixes(t, "10.0.0.0/8", "2001:db8::/32", "64:ff9b:1::/48"),
		prefixes(t, "10.1.0.0/16", "10.2.0.5-10.2.0.9", "2001:db8:1::/48", "::ffff:10.3.0.0/112"), true)
	all := NewScope(prefixes(t, "0.0.0.0/0", "::/0"), nil, true)
	tests := []struct {
		name  string
		scope *Scope
		addr  string
		want  string // part of the error, "" for allowed
	}{
		{"loopback", noPublic, "127.0.0.1", ""},
		{"v6 loopback", noPublic, "::1", ""},
		{"private", noPublic, "192.168.1.1", ""},
		{"link-local with zone", noPublic, "fe80::1%eth0", ""},
		{"documentation", noPublic, "192.0.2.1", ""},
		{"public", noPublic, "8.8.8.8", "globally reachable"},
		{"public, mapped", noPublic, "::ffff:8.8.8.8", "globally reachable"},
		{"public v6", noPublic, "2606:4700::1111", "globally reachable"},
		{"public, permitted", open, "8.8.8.8", ""},
		{"public behind NAT64", noPublic, "64:ff9b::8.8.8.8", "globally reachable"},
		{"public behind local NAT64", noPublic, "64:ff9b:1::8.8.8.8", "8.8.8.8 is globally reachable"},
		{"private behind local NAT64", noPublic, "64:ff9b:1::10.0.0.1", "10.0.0.1 is private and was not written down itself"},

		{"metadata", open, "169.254.169.254", "metadata"},
		{"metadata, mapped", open, "::ffff:169.254.169.254", "metadata"},
		{"metadata in allow", all, "169.254.169.254", "metadata"},
		{"metadata Azure", open, "168.63.129.16", "metadata"},
		{"metadata Alibaba", open, "100.100.100.200", "metadata"},
		{"metadata v6", open, "fd00:ec2::254", "metadata"},
		{"metadata OpenStack with zone", open, "fe80::a9fe:a9fe%eth0", "metadata"},
		{"metadata behind NAT64", open, "64:ff9b::169.254.169.254", "metadata"},
		{"metadata behind local NAT64 /96", open, "64:ff9b:1::a9fe:a9fe", "metadata"},
		{"metadata behind local NAT64 /96 with subnet", open, "64:ff9b:1:7::a9fe:a9fe", "metadata"},
		{"metadata behind local NAT64 /48", open, "64:ff9b:1:a9fe:a9:fe00::", "metadata"},
		{"metadata behind local NAT64 /56", open, "64:ff9b:1:a9:fe:a9fe::", "metadata"},
		{"metadata behind local NAT64 /64", open, "64:ff9b:1::a9:fea9:fe00:0", "metadata"},
		{"metadata by 6to4", open, "2002:a9fe:a9fe::1", "metadata"},
		{"metadata by Teredo, client", open, "2001:0:801:801::5601:5601", "metadata"},
		{"metadata by Teredo, server", open, "2001:0:a9fe:a9fe::5601:5602", "metadata"},
		{"metadata, compatible", open, "::a9fe:a9fe", "metadata"},
		{"metadata, SIIT", open, "::ffff:0:a9fe:a9fe", "metadata"},
		{"multicast", open, "224.0.0.1", "multicast"},
		{"multicast by 6to4", open, "2002:e000:1::", "multicast"},
		{"multicast v6", all, "ff02::1", "multicast"},
		{"broadcast", open, "255.255.255.255", "broadcast"},
		{"unspecified", open, "0.0.0.0", "not a host"},
		{"unspecified v6", open, "::", "not a host"},

		{"allowed", denied, "10.0.0.1", ""},
		{"allowed, mapped", denied, "::ffff:10.0.0.1", ""},
		{"allowed v6", denied, "2001:db8::1", ""},
		{"outside", denied, "11.0.0.1", "outside the scope"},
		{"outside v6", denied, "2001:db9::1", "outside the scope"},
		{"deny beats allow", denied, "10.1.2.3", "excluded by 10.1.0.0/16"},
		{"deny beats allow, mapped", denied, "::ffff:10.1.2.3", "excluded by 10.1.0.0/16"},
		{"deny range", denied, "10.2.0.7", "excluded"},
		{"after deny range", denied, "10.2.0.10", ""},
		{"deny written as mapped", denied, "10.3.0.1", "excluded"},
		{"deny v6", denied, "2001:db8:1::5", "excluded"},
		{"denied behind NAT64", denied, "64:ff9b:1::10.1.2.3", "10.1.2.3 is excluded"},
		{"allowed behind NAT64", denied, "64:ff9b:1::10.0.0.1", ""},
		{"allow does not reach through NAT64", denied, "64:ff9b::10.0.0.1", "outside the scope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.scope.Check(netip.MustParseAddr(tt.addr))
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%s: %v, want an error with %q", tt.addr, err, tt.want)
			}
		})
	}
	if err := all.Check(netip.Addr{}); err == nil {
		t.Error("the zero address is allowed")
	}
}

// The table is the IANA IPv4 and IPv6 Special-Purpose Address Registries, one
// line a registration, with an address at each end and beside it.
func TestReach(t *testing.T) {
	tests := []struct {
		addr string
		want event.Reach
	}{
		{"0.0.0.0", event.ReachReserved}, {"0.255.255.255", event.ReachReserved}, {"1.0.0.0", event.ReachPublic},
		{"9.255.255.255", event.ReachPublic}, {"10.0.0.0", event.ReachPrivate}, {"10.255.255.255", event.ReachPrivate}, {"11.0.0.0", event.ReachPublic},
		{"100.63.255.255", event.ReachPublic}, {"100.64.0.0", event.ReachShared}, {"100.127.255.255", event.ReachShared}, {"100.128.0.0", event.ReachPublic},
		{"126.255.255.255", event.ReachPublic}, {"127.0.0.1", event.ReachLoopback}, {"127.255.255.255", event.ReachLoopback}, {"128.0.0.0", event.ReachPublic},
		{"169.253.255.255", event.ReachPublic}, {"169.254.0.0", event.ReachLinkLocal}, {"169.254.255.255", event.ReachLinkLocal}, {"169.255.0.0", event.ReachPublic},
		{"172.15.255.255", event.ReachPublic}, {"172.16.0.0", event.ReachPrivate}, {"172.31.255.255", event.ReachPrivate}, {"172.32.0.0", event.ReachPublic},
		{"192.0.0.0", event.ReachReserved}, {"192.0.0.8", event.ReachReserved}, {"192.0.0.9", event.ReachPublic}, {"192.0.0.10", event.ReachPublic},
		{"192.0.0.11", event.ReachReserved}, {"192.0.0.170", event.ReachReserved}, {"192.0.0.171", event.ReachReserved}, {"192.0.0.255", event.ReachReserved}, {"192.0.1.0", event.ReachPublic},
		{"192.0.2.0", event.ReachReserved}, {"192.0.2.255", event.ReachReserved}, {"192.0.3.0", event.ReachPublic},
		{"192.31.196.1", event.ReachPublic}, {"192.52.193.1", event.ReachPublic}, {"192.175.48.1", event.ReachPublic},
		{"192.88.99.1", event.ReachPublic}, {"192.88.99.2", event.ReachReserved}, {"192.88.99.3", event.ReachPublic},
		{"192.167.255.255", event.ReachPublic}, {"192.168.0.0", event.ReachPrivate}, {"192.168.255.255", event.ReachPrivate}, {"192.169.0.0", event.ReachPublic},
		{"198.17.255.255", event.ReachPublic}, {"198.18.0.0", event.ReachReserved}, {"198.19.255.255", event.ReachReserved}, {"198.20.0.0", event.ReachPublic},
		{"198.51.99.255", event.ReachPublic}, {"198.51.100.0", event.ReachReserved}, {"198.51.100.255", event.ReachReserved}, {"198.51.101.0", event.ReachPublic},
		{"203.0.112.255", event.ReachPublic}, {"203.0.113.0", event.ReachReserved}, {"203.0.113.255", event.ReachReserved}, {"203.0.114.0", event.ReachPublic},
		{"223.255.255.255", event.ReachPublic}, {"224.0.0.0", event.ReachReserved}, {"240.0.0.0", event.ReachReserved}, {"255.255.255.255", event.ReachReserved},

		{"::", event.ReachReserved}, {"::1", event.ReachLoopback}, {"::2", event.ReachPublic},
		{"::ffff:8.8.8.8", event.ReachPublic}, {"::ffff:10.0.0.1", event.ReachPrivate}, {"::ffff:127.0.0.1", event.ReachLoopback},
		{"64:ff9b::", event.ReachPublic}, {"64:ff9b::ffff:ffff", event.ReachPublic},
		{"64:ff9b:1::", event.ReachPrivate}, {"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", event.ReachPrivate}, {"64:ff9b:2::", event.ReachPublic},
		{"100::", event.ReachReserved}, {"100::ffff:ffff:ffff:ffff", event.ReachReserved}, {"100:0:0:1::", event.ReachReserved},
		{"100:0:0:1:ffff:ffff:ffff:ffff", event.ReachReserved}, {"100:0:0:2::", event.ReachPublic},
		{"2001::", event.ReachPublic}, {"2001:0:ffff::", event.ReachPublic},
		{"2001:1::", event.ReachReserved}, {"2001:1::1", event.ReachPublic}, {"2001:1::2", event.ReachPublic}, {"2001:1::3", event.ReachPublic}, {"2001:1::4", event.ReachReserved},
		{"2001:2::", event.ReachReserved}, {"2001:2:0:ffff::", event.ReachReserved}, {"2001:2:1::", event.ReachReserved},
		{"2001:3::", event.ReachPublic}, {"2001:4:111::", event.ReachReserved}, {"2001:4:112::", event.ReachPublic}, {"2001:4:113::", event.ReachReserved}, {"2001:5::", event.ReachReserved},
		{"2001:10::", event.ReachPublic}, {"2001:20::", event.ReachPublic}, {"2001:2f:ffff::", event.ReachPublic}, {"2001:30::", event.ReachPublic}, {"2001:3f:ffff::", event.ReachPublic},
		{"2001:40::", event.ReachReserved}, {"2001:1ff:ffff::", event.ReachReserved}, {"2001:200::", event.ReachPublic},
		{"2001:db7:ffff::", event.ReachPublic}, {"2001:db8::", event.ReachReserved}, {"2001:db8:ffff::", event.ReachReserved}, {"2001:db9::", event.ReachPublic},
		{"2002::", event.ReachPublic}, {"2620:4f:8000::", event.ReachPublic},
		{"3ffe:ffff::", event.ReachPublic}, {"3fff::", event.ReachReserved}, {"3fff:fff:ffff::", event.ReachReserved}, {"3fff:1000::", event.ReachPublic},
		{"5eff:ffff::", event.ReachPublic}, {"5f00::", event.ReachReserved}, {"5f00:ffff::", event.ReachReserved}, {"5f01::", event.ReachPublic},
		{"fbff:ffff::", event.ReachPublic}, {"fc00::", event.ReachPrivate}, {"fdff:ffff::", event.ReachPrivate}, {"fe00::", event.ReachPublic},
		{"fe7f:ffff::", event.ReachPublic}, {"fe80::", event.ReachLinkLocal}, {"fe80::1%eth0", event.ReachLinkLocal}, {"febf:ffff::", event.ReachLinkLocal}, {"fec0::", event.ReachPublic},
		{"ff00::", event.ReachReserved}, {"ff02::1", event.ReachReserved},
	}
	s := NewScope(nil, nil, false)
	for _, tt := range tests {
		if got := s.Reach(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("Reach(%s) = %s, want %s", tt.addr, got, tt.want)
		}
	}
}

func TestParseEntry(t *testing.T) {
	tests := []struct{ in, want, err string }{
		{"10.0.0.1", "10.0.0.1/32", ""},
		{"10.0.0.0/8", "10.0.0.0/8", ""},
		{"0.0.0.0/0", "0.0.0.0/0", ""},
		{"::/0", "::/0", ""},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8", ""},
		{"10.0.0.1-4", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/32", ""},
		{"fe80::1%eth0", "fe80::1/128", ""},
		{"255.255.255.254-255.255.255.255", "255.255.255.254/31", ""},
		{"GW.example.", "name gw.example", ""},
		{"AS64500", "AS 64500", ""},
		{"as4294967295", "AS 4294967295", ""},
		{"asterisk.example", "name asterisk.example", ""},
		{"0x7f.example", "name 0x7f.example", ""},
		{"0xg", "name 0xg", ""},
		{"AS0", "", "neither an address nor a name, and no AS number"},
		{"as4294967296", "", "neither an address nor a name, and no AS number"},
		{"0x7f000001", "", "not a valid address, and no host name ends in a number"},
		{"0X7F000001", "", "not a valid address, and no host name ends in a number"},
		{"0x", "", "not a valid address, and no host name ends in a number"},
		{"0x7f.0.0.0x1", "", "not a valid address, and no host name ends in a number"},
		{"gw.example.0x1.", "", "not a valid address, and no host name ends in a number"},
		{"2130706433", "", "not a valid address, and no host name ends in a number"},
		{"127.1", "", "not a valid address, and no host name ends in a number"},
		{"0177.0.0.1", "", "not a valid address, and no host name ends in a number"},
		{"017700000001", "", "not a valid address, and no host name ends in a number"},
		{"http://10.0.0.1/", "", "is not an address, CIDR block, address range, host name or AS number"},
		// Read as an address it would allow, or exclude, all other ports.
		{"10.0.0.1:80", "", "is not an address, CIDR block"},
		{"gw.example:1", "", "is not an address, CIDR block"},
		{"10.0.0.1/8", "", "bits set beyond its prefix"},
		{"*.example", "", "not an address or host name"},
	}
	for _, tt := range tests {
		got, err := ParseEntry(tt.in)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("ParseEntry(%q): error %v, want one with %q", tt.in, err, tt.err)
			}
			continue
		}
		text := strings.Trim(fmt.Sprint(got.Blocks), "[]")
		switch {
		case got.Name != "":
			text = "name " + got.Name
		case got.AS != 0:
			text = fmt.Sprint("AS ", got.AS)
		}
		if err != nil || text != tt.want {
			t.Errorf("ParseEntry(%q) = %s, %v; want %s", tt.in, text, err, tt.want)
		}
	}
}

func TestASBlocks(t *testing.T) {
	for name, text := range map[string]string{
		"pyasn":   "; IP-ASN32-DAT file\n10.0.0.0/9\t64500\n10.128.0.0/9\t64501\n2001:db8::/32\t64500\n",
		"iptoasn": "10.0.0.0\t10.127.255.255\t64500\tZZ\tEXAMPLE\n10.128.0.0\t10.255.255.255\t64501\tZZ\tOTHER\n2001:db8::\t2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\t64500\tZZ\tX\n0.0.0.0\t0.255.255.255\t0\tNone\tNot routed\n",
		"pfx2as":  "10.0.0.0\t9\t64500_64501\n2001:db8::\t32\t64500\n",
		"csv":     "10.0.0.0,10.127.255.255,64500,\"Example, Inc.\"\n2001:db8::/32,AS64500\n",
	} {
		got, err := ASBlocks(strings.NewReader(text), "as.txt", map[uint32]bool{64500: true})
		if err != nil || len(got) != 1 || fmt.Sprint(got[64500]) != "[10.0.0.0/9 2001:db8::/32]" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	// Of a set all members count. A comma separates columns only where one follows
	// the first.
	for _, text := range []string{
		"10.0.0.0\t9\t64500,64501", "10.0.0.0\t9\t64501_64500", "10.0.0.0 9 64501,64500_64502", "10.0.0.0 9 64501, 64500", "10.0.0.0 9 {64501,64500}",
		"10.0.0.0/9\t64501,64500", "10.0.0.0 10.127.255.255 64501_AS64500 ZZ",
		"10.0.0.0,9,\"64501,64500\"", "10.0.0.0/9,\"64501, 64500\",Example", "10.0.0.0,10.127.255.255,64501_64500", "\"10.0.0.0\",\"9\",\"64501 64500\"",
		"10.0.0.0/9, {64501_64500}, \"Example, Inc.\"", "10.0.0.0/9,64500,64501",
	} {
		got, err := ASBlocks(strings.NewReader(text+"\n"), "as.txt", map[uint32]bool{64500: true})
		if err != nil || fmt.Sprint(got) != "map[64500:[10.0.0.0/9]]" {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	// What may be a member or another column is refused if it matters.
	_, err := ASBlocks(strings.NewReader("\n10.0.0.0/9,64501,64500\n"), "as.txt", map[uint32]bool{64500: true})
	if err == nil || !strings.HasPrefix(err.Error(), "as.txt:2: whether AS64500 is one of a set here") {
		t.Errorf("an AS number that may be another column: %v", err)
	}
	if got, err := ASBlocks(strings.NewReader("10.0.0.0/9,64501,64500\n"), "as.txt", map[uint32]bool{64502: true}); err != nil || len(got) > 0 {
		t.Errorf("the same, when nobody wants it: %v, %v", got, err)
	}
	for _, text := range []string{"\n10.0.0.0/8", "\nAS64500", "\n10.0.0.0 10.0.0.9", "\n10.0.0.9 10.0.0.1 64500", "\n10.0.0.0 33 64500", "\n10.0.0.0/8 x", "\nx 64500"} {
		if _, err := ASBlocks(strings.NewReader(text), "as.txt", nil); err == nil || !strings.HasPrefix(err.Error(), "as.txt:2: not known: expected is") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ASBlocks(strings.NewReader("10.0.0.0/9 645\n10.128.0.0/9 64"), "as.txt", nil); err == nil || err.Error() != "as.txt:2: the file is cut: its last line has no end" {
		t.Errorf("cut: %v", err)
	}
}

// What nobody wrote down is not contacted at special addresses; what was
// written down, in the targets or in the scope, is.
func TestImplied(t *testing.T) {
	anything, inside := NewScope(nil, nil, true), NewScope(prefixes(t, "10.0.0.0/8"), nil, true)
	for _, c := range []struct {
		scope   *Scope
		text    string
		index   uint64
		allowed bool
	}{
		{anything, "10.0.0.0/8", 0, true},
		{anything, "127.0.0.0/8", 1, true},
		{anything, "0.0.0.0/0", 10 << 24, false},
		{anything, "0.0.0.0/0", 11 << 24, true},
		{anything, "0.0.0.0/0", 127<<24 + 1, false},
		{anything, "10.255.0.0-11.0.255.255", 0, false},
		{anything, "10.255.0.0-11.0.255.255", 1 << 16, true},
		{inside, "0.0.0.0/0", 10 << 24, true},
		{anything, "192.0.0.0/24", 9, true},
		{anything, "2001:db8::/120", 1, true},
		{anything, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff-2001:db8::9", 0, true},
		{anything, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff-2001:db8::9", 1, false},
	} {
		s := mustSpace(t, []uint16{1}, c.text)
		if err := c.scope.CheckTarget(at(t, s, c.index)); (err == nil) != c.allowed {
			t.Errorf("%s, target %d: %v, want allowed %t", c.text, c.index, err, c.allowed)
		}
	}
	resolved := Target{Name: "gw.example", Addr: netip.MustParseAddrPort("10.0.0.1:80"), Implied: true}
	if err := anything.CheckTarget(resolved); err == nil || !strings.Contains(err.Error(), "10.0.0.1 is private and was not written down itself") {
		t.Errorf("a listed name that resolves to a private address: %v", err)
	}
	if err := inside.CheckTarget(resolved); err != nil {
		t.Errorf("the same, with the address in the scope: %v", err)
	}
	resolved.Implied = false
	if err := anything.CheckTarget(resolved); err != nil {
		t.Errorf("a name on the command line: %v", err)
	}
}

// limits makes a scope that allows what the entries say, as they are written.
func limits(t testing.TB, deny []string, allow ...string) *Scope {
	t.Helper()
	l := Limits{Public: true, Deny: prefixes(t, deny...)}
	for _, text := range allow {
		r, err := ParseEntry(text)
		if err != nil {
			t.Fatal(err)
		}
		if r.Wide {
			l.Wide = append(l.Wide, r.Blocks...)
		} else {
			l.Allow = append(l.Allow, r.Blocks...)
		}
	}
	return l.Scope()
}

// leading are ways to write an IPv4 address as an IPv6 one that leads to it.
func leading() map[string]func(a, b, c, d byte) netip.Addr {
	form := func(format string) func(a, b, c, d byte) netip.Addr {
		return func(a, b, c, d byte) netip.Addr { return netip.MustParseAddr(fmt.Sprintf(format, a, b, c, d)) }
	}
	return map[string]func(a, b, c, d byte) netip.Addr{
		"NAT64":           form("64:ff9b::%02x%02x:%02x%02x"),
		"local NAT64 /48": form("64:ff9b:1:%02x%02x:%02[3]x:%02[4]x00::"),
		"local NAT64 /56": form("64:ff9b:1:%02x:%02x:%02x%02x::"),
		"local NAT64 /64": form("64:ff9b:1::%02x:%02x%02x:%02x00:0"),
		"local NAT64 /96": form("64:ff9b:1:5::%02x%02x:%02x%02x"),
		"6to4":            form("2002:%02x%02x:%02x%02x::1"),
		"SIIT":            form("::ffff:0:%02x%02x:%02x%02x"),
		"IPv4-compatible": form("::%02x%02x:%02x%02x"),
		"ISATAP":          form("2a00:1::5efe:%02x%02x:%02x%02x"),
		"ISATAP, global":  form("2a00:1::200:5efe:%02x%02x:%02x%02x"),
		"Teredo, server":  form("2001:0:%02x%02x:%02x%02x::f7fe:f7fe"),
		"Teredo, client": func(a, b, c, d byte) netip.Addr {
			return form("2001:0:801:801::%02x%02x:%02x%02x")(^a, ^b, ^c, ^d)
		},
	}
}

// What leads to a special address is not contacted, however it was named and
// regardless of what is allowed, unless somebody wrote down the special address itself.
func TestLeadingToSpecial(t *testing.T) {
	scopes := map[string]*Scope{
		"no allow list":  NewScope(nil, nil, true),
		"everything":     limits(t, nil, "0.0.0.0/0", "::/0"),
		"as ranges":      limits(t, nil, "0.0.0.0-255.255.255.255", "::/0"),
		"wide ranges":    limits(t, nil, "9.0.0.0-11.255.255.255", "126.0.0.0-128.0.0.0", "169.0.0.0/8", "100.0.0.0/8", "198.0.0.0/7", "172.0.0.0-192.255.255.255", "::/0"),
		"only the outer": limits(t, nil, "64:ff9b::/32", "2002::/16", "2001::/32", "2a00::/16", "::/64"),
	}
	for form, make := range leading() {
		for _, v4 := range [][4]byte{{127, 0, 0, 1}, {10, 1, 2, 3}, {192, 168, 7, 9}, {172, 16, 1, 1}, {169, 254, 7, 7}, {169, 254, 169, 254}, {100, 64, 1, 1}, {198, 51, 100, 7}} {
			addr := make(v4[0], v4[1], v4[2], v4[3])
			for name, scope := range scopes {
				for _, target := range []Target{
					{Addr: netip.AddrPortFrom(addr, 80)},
					Target{Addr: netip.AddrPortFrom(netip.Addr{}, 80), Name: "gw.example"}.WithAddr(addr),
				} {
					if err := scope.CheckTarget(target); err == nil {
						t.Errorf("%s: %s, which leads to %v, is contacted with %s (resolved: %t)", form, addr, v4, name, target.Resolved)
					}
				}
				if err := scope.Check(addr); err == nil {
					t.Errorf("%s: %s, which leads to %v, is dialled with %s", form, addr, v4, name)
				}
			}
		}
		public := make(9, 9, 9, 9)
		if err := limits(t, nil, "0.0.0.0/0", "::/0").Check(public); err != nil {
			t.Errorf("%s: a public address: %v", form, err)
		}
		if err := limits(t, nil, "::/0", "9.0.0.0/16").Check(public); err == nil {
			t.Errorf("%s: %s leads out of the scope", form, public)
		}
		if form == "Teredo, server" || form == "Teredo, client" {
			continue // leads to two
		}
		private := make(10, 1, 2, 3)
		if err := limits(t, nil, "::/0", "10.1.2.0/24").Check(private); err != nil && !strings.HasPrefix(form, "local NAT64") {
			t.Errorf("%s: with the inner address in the scope: %v", form, err)
		}
		// An excluded address shuts out that to which it leads.
		if err := limits(t, []string{public.String()}).Check(netip.MustParseAddr("9.9.9.9")); err == nil {
			t.Errorf("%s: %s is excluded, and what it leads to is contacted", form, public)
		}
	}
	// 0.0.0.0 is this machine to some systems.
	for _, addr := range []string{"64:ff9b::", "2002::1", "::ffff:0:0:0", "2a00:1::5efe:0:0"} {
		if err := limits(t, nil, "::/0", "0.0.0.0/0").Check(netip.MustParseAddr(addr)); err == nil {
			t.Errorf("%s leads to 0.0.0.0", addr)
		}
	}
	if err := NewScope(nil, nil, false).Check(netip.IPv6Loopback()); err != nil {
		t.Error(err)
	}
}

// A wide allow list allows special addresses only as targets that were written
// down; one that names the special range allows what resolves there, too.
func TestWideAllow(t *testing.T) {
	literal := func(text string) Target { return Target{Addr: netip.MustParseAddrPort(text)} }
	name := Target{Name: "gw.example", Addr: netip.MustParseAddrPort("0.0.0.0:80")}
	named := func(addr string) Target { return name.WithAddr(netip.MustParseAddr(addr)) }
	listed := func(addr string) Target { l := named(addr); l.Implied = true; return l }
	for _, c := range []struct {
		allow   string // separated by blanks
		target  Target
		allowed bool
	}{
		{"", literal("127.0.0.1:80"), true},
		{"", named("127.0.0.1"), true},
		{"", named("::ffff:127.0.0.1"), false},
		{"", named("::ffff:9.9.9.9"), true},
		{"", listed("127.0.0.1"), false},
		{"0.0.0.0/0", literal("127.0.0.1:80"), true},
		{"0.0.0.0/0", named("127.0.0.1"), false},
		{"0.0.0.0/0", named("10.0.0.1"), false},
		{"0.0.0.0/0", named("9.9.9.9"), true},
		{"0.0.0.0/0", listed("10.0.0.1"), false},
		{"0.0.0.0/0", listed("9.9.9.9"), true},
		{"::/0", named("::1"), false},
		{"::/0", named("fd00::1"), false},
		{"::/0", literal("[fd00::1]:80"), true},
		{"127.0.0.0-128.0.0.0", named("127.0.0.1"), false},
		{"8.0.0.0/6", listed("10.0.0.1"), false},
		{"127.0.0.0/8", named("127.0.0.1"), true},
		{"127.0.0.0/8", named("::ffff:127.0.0.1"), true},
		{"10.0.0.0/8", listed("10.0.0.1"), true},
		{"10.0.0.0-10.0.0.9", listed("10.0.0.1"), true},
		{"0.0.0.0/0 10.0.0.1", listed("10.0.0.1"), true},
		{"0.0.0.0/0 10.0.0.1", listed("10.0.0.2"), false},
		{"fe80::/10", named("fe80::1%eth0"), true},
	} {
		if err := limits(t, nil, strings.Fields(c.allow)...).CheckTarget(c.target); (err == nil) != c.allowed {
			t.Errorf("allow %q, %+v: %v, want allowed %t", c.allow, c.target, err, c.allowed)
		}
	}
}

func TestDeniedNames(t *testing.T) {
	s := NewScope(nil, nil, true, "gw.example")
	for name, want := range map[string]bool{"gw.example": false, "a.gw.example": true, "": true} {
		for _, addr := range []netip.AddrPort{{}, netip.MustParseAddrPort("10.0.0.1:80")} {
			if name == "" && !addr.IsValid() {
				continue
			}
			if err := s.CheckTarget(Target{Name: name, Addr: addr}); (err == nil) != want {
				t.Errorf("%q at %s: %v, want allowed %t", name, addr, err, want)
			}
		}
	}
	if NewScope([]netip.Prefix{}, nil, true).Check(netip.MustParseAddr("10.0.0.1")) == nil {
		t.Error("a scope whose allow list turned out empty allows everything")
	}
}

func BenchmarkCheckTarget(b *testing.B) {
	s := NewScope(nil, prefixes(b, "10.1.0.0/16", "10.2.0.5-10.2.0.9"), false)
	t := Target{Addr: netip.MustParseAddrPort("127.0.0.1:80")}
	for b.Loop() {
		if s.CheckTarget(t) != nil {
			b.Fatal()
		}
	}
}

// The blocks are exactly the range, in order, without overlap, and no two of
// them could be one.
func TestCoverProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var first, last netip.Addr
		if rapid.Bool().Draw(t, "v4") {
			a, b := rapid.Uint32().Draw(t, "a"), rapid.Uint32().Draw(t, "b")
			first, last = v4(min(a, b)), v4(max(a, b))
		} else {
			// Not between the halves of v6 that netip calls IPv4-mapped.
			edge := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 1<<64 - 1}))
			first = v6(edge.Draw(t, "hi"), edge.Draw(t, "lo"))
			last = v6(edge.Draw(t, "hi"), edge.Draw(t, "lo"))
			if last.Less(first) {
				first, last = last, first
			}
		}
		blocks := cover(first, last)
		next := first
		for i, p := range blocks {
			if p != p.Masked() || p.Addr() != next {
				t.Fatalf("block %d is %s, want one that begins at %s", i, p, next)
			}
			end := netipx.PrefixLastIP(p)
			if i == len(blocks)-1 {
				if end != last {
					t.Fatalf("ends at %s, want %s", end, last)
				}
				break
			}
			next = end.Next()
			if q := blocks[i+1]; q.Bits() == p.Bits() && p.Bits() > 0 && netip.PrefixFrom(p.Addr(), p.Bits()-1).Masked().Contains(q.Addr()) {
				t.Fatalf("%s and %s could be one block", p, q)
			}
		}
	})
}

func TestHasPublic(t *testing.T) {
	s := NewScope(nil, nil, false)
	for text, want := range map[string]bool{
		"127.0.0.0/8": false, "10.0.0.0/8": false, "192.168.1.0/24": false, "172.16.0.0/12": false, "fd00::/8": false,
		"10.0.0.0-10.255.255.255": false, "192.168.0.9-192.168.77.3": false, "::1": false, "100.64.0.0/10": false,
		"8.8.8.8": true, "0.0.0.0/0": true, "10.0.0.0-192.168.0.0": true, "172.0.0.0/8": true, "10.0.0.0/7": true,
		"192.0.0.0/24": true, "::/0": true, "2001:4860::/32": true, "fc00::/6": true,
	} {
		p, err := Parse(text, "", []uint16{1})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.HasPublic(p.First, p.Last); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
}

// TestWithin: what a scope within another allows, both allow; an exclusion of either
// wins, of an address that leads to another, too.
func TestWithin(t *testing.T) {
	record := Limits{Wide: prefixes(t, "0.0.0.0/0"), Allow: prefixes(t, "10.0.0.0/8", "2001:db8::/32", "64:ff9b::/96"), Deny: prefixes(t, "10.9.0.0/16"), Names: []string{"no.example"}, Public: true}.Scope()
	own := Limits{Deny: prefixes(t, "10.8.0.0/16", "192.0.2.7/32"), Names: []string{"mine.example"}, Public: true}.Scope()
	fence := Limits{Allow: prefixes(t, "10.0.0.0/9", "192.0.2.0/24"), Public: true}.Scope()
	addr := func(text string) Target { return Target{Addr: netip.AddrPortFrom(netip.MustParseAddr(text), 1)} }
	for _, tt := range []struct {
		t                      Target
		byRecord, byOwn, fence bool
	}{
		{addr("10.1.0.1"), true, true, true},
		{addr("10.9.0.1"), false, false, false},
		{addr("10.8.0.1"), true, false, true},
		{addr("10.200.0.1"), true, true, false},
		{addr("8.8.8.8"), true, true, false},
		{addr("64:ff9b::10.8.0.1"), true, false, false},
		{addr("64:ff9b::10.1.0.1"), true, true, false},
		{addr("169.254.169.254"), false, false, false},
		{Target{Name: "no.example"}, false, false, false},
		{Target{Name: "mine.example"}, true, false, true},
		// A part of a wide range is special only if the record wrote it down; the other
		// scope only excludes.
		{Target{Addr: addr("10.1.0.1").Addr, Implied: true}, true, true, true},
		{Target{Addr: addr("192.168.0.1").Addr, Implied: true}, false, false, false},
		{Target{Addr: addr("10.1.0.1").Addr, Name: "gw.example", Resolved: true}, true, true, true},
	} {
		for _, one := range []struct {
			what  string
			scope *Scope
			want  bool
		}{
			{"record", record, tt.byRecord}, {"own", record.Within(own), tt.byOwn}, {"fence", record.Within(fence), tt.fence},
			{"own and fence", record.Within(own).Within(fence), tt.byOwn && tt.fence},
			{"fence and own", record.Within(fence.Within(own)), tt.byOwn && tt.fence},
		} {
			if err := one.scope.CheckTarget(tt.t); (err == nil) != one.want {
				t.Errorf("%s: %s %+v: %v", one.what, tt.t.HostPort(), tt.t, err)
			}
			if a := tt.t.Addr.Addr(); a.IsValid() && !tt.t.Implied && (one.scope.Check(a) == nil) != one.want {
				t.Errorf("%s: %s: %v", one.what, a, one.scope.Check(a))
			}
		}
	}
	text := record.Within(own).String()
	if !strings.Contains(text, record.String()) || !strings.Contains(text, own.String()) || text == record.Within(fence).String() {
		t.Error(text)
	}
	if strings.Contains(record.String(), own.String()) {
		t.Error("the scope itself has changed")
	}
}
