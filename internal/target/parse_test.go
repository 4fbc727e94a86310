package target

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

var defaultPorts = []uint16{18789, 18790}

func TestParse(t *testing.T) {
	d := defaultPorts
	addr := func(first, last string, ports []uint16) Spec {
		return Spec{First: netip.MustParseAddr(first), Last: netip.MustParseAddr(last), Ports: ports}
	}
	exact := func(s Spec) Spec {
		s.Exact = true
		return s
	}
	tests := []struct {
		in   string
		want Spec // without Input and Source
	}{
		{"192.0.2.1", addr("192.0.2.1", "192.0.2.1", d)},
		{"::1", addr("::1", "::1", d)},
		{"[::1]", addr("::1", "::1", d)},
		{"::ffff:192.0.2.1", addr("192.0.2.1", "192.0.2.1", d)},
		{"[::ffff:192.0.2.1]:80", exact(addr("192.0.2.1", "192.0.2.1", []uint16{80}))},
		{"fe80::1%eth0", addr("fe80::1%eth0", "fe80::1%eth0", d)},
		{"[fe80::1%eth0.5]:80", exact(addr("fe80::1%eth0.5", "fe80::1%eth0.5", []uint16{80}))},
		{"192.0.2.1:80", exact(addr("192.0.2.1", "192.0.2.1", []uint16{80}))},
		{"[2001:db8::1]:65535", exact(addr("2001:db8::1", "2001:db8::1", []uint16{65535}))},

		{"192.0.2.0/24", addr("192.0.2.0", "192.0.2.255", d)},
		{"192.0.2.7/32", addr("192.0.2.7", "192.0.2.7", d)},
		{"0.0.0.0/0", addr("0.0.0.0", "255.255.255.255", d)},
		{"2001:db8::/120", addr("2001:db8::", "2001:db8::ff", d)},
		{"::/0", addr("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", d)},
		{"::ffff:10.0.0.0/104", addr("10.0.0.0", "10.255.255.255", d)},
		{"192.0.2.10-192.0.2.20", addr("192.0.2.10", "192.0.2.20", d)},
		{"192.0.2.10-192.0.2.10", addr("192.0.2.10", "192.0.2.10", d)},
		{"192.0.2.10-20", addr("192.0.2.10", "192.0.2.20", d)},
		{"192.0.2.255-192.0.3.1", addr("192.0.2.255", "192.0.3.1", d)},
		{"2001:db8::1-2001:db8::ff", addr("2001:db8::1", "2001:db8::ff", d)},
		{"::ffff:10.0.0.1-::ffff:10.0.0.9", addr("10.0.0.1", "10.0.0.9", d)},

		{"localhost", Spec{Name: "localhost", Ports: d}},
		{"GW.Example.", Spec{Name: "gw.example", Ports: d}},
		{"gw-1.example:443", Spec{Name: "gw-1.example", Ports: []uint16{443}, Exact: true}},
		{"10-20.example", Spec{Name: "10-20.example", Ports: d}},
		{"_x.example", Spec{Name: "_x.example", Ports: d}},
		{"xn--bcher-kva.example", Spec{Name: "xn--bcher-kva.example", Ports: d}},
		{strings.Repeat("a", 63) + ".example", Spec{Name: strings.Repeat("a", 63) + ".example", Ports: d}},

		{"http://gw.example", Spec{Name: "gw.example", Scheme: "http", Ports: []uint16{80}, Exact: true}},
		{"HTTPS://GW.example/", Spec{Name: "gw.example", Scheme: "https", Ports: []uint16{443}, Exact: true}},
		{"https://gw.example:8443/claw/", Spec{Name: "gw.example", Scheme: "https", Base: "/claw", Ports: []uint16{8443}, Exact: true}},
		{"http://gw.example/a/b%20c", Spec{Name: "gw.example", Scheme: "http", Base: "/a/b%20c", Ports: []uint16{80}, Exact: true}},
		{"http://gw.example/a b\u00e9", Spec{Name: "gw.example", Scheme: "http", Base: "/a%20b%C3%A9", Ports: []uint16{80}, Exact: true}},
		{"http://192.0.2.1:18789/", func() Spec {
			s := exact(addr("192.0.2.1", "192.0.2.1", []uint16{18789}))
			s.Scheme = "http"
			return s
		}()},
		{"http://[2001:db8::1]/x", func() Spec {
			s := exact(addr("2001:db8::1", "2001:db8::1", []uint16{80}))
			s.Scheme, s.Base = "http", "/x"
			return s
		}()},
		{"http://[fe80::1%25eth0]:80/", func() Spec {
			s := exact(addr("fe80::1%eth0", "fe80::1%eth0", []uint16{80}))
			s.Scheme = "http"
			return s
		}()},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := Parse(tt.in, "args", d)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Input, tt.want.Source = tt.in, "args"
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "not an address or host name"},
		{" ", "not an address or host name"},
		{".", "not an address or host name"},
		{"a..b", "not an address or host name"},
		{"-a.example", "not an address or host name"},
		{"a-.example", "not an address or host name"},
		{"a b", "not an address or host name"},
		{"a\x1b[2Jb", "not an address or host name"},
		{strings.Repeat("a", 64), "not an address or host name"},
		{strings.Repeat("a.", 126) + "a", ""},
		{strings.Repeat("a.", 126) + "aa", "not an address or host name"},
		{"b\u00fccher.example", "write it in its xn-- form"},
		{"10.0.0", "not a valid address"},
		{"10.0.0.256", "not a valid address"},
		{"010.0.0.1", "not a valid address"},
		{"10.0.0.1.", "not a valid address"},
		{"12345", "not a valid address"},
		{"0x7f000001", "no host name ends in a number"},
		{"0x7f000001:80", "no host name ends in a number"},
		{"http://0x7f.1/", "no host name ends in a number"},
		{"http://127.0.0x1:80/", "no host name ends in a number"},
		{"0177.0.0.1", "no host name ends in a number"},
		{"gw.example:", "is not a port"},
		{"gw.example:0", "is not a port"},
		{"gw.example:65536", "is not a port"},
		{"gw.example:+80", "is not a port"},
		{"gw.example:http", "is not a port"},
		{":80", "not an address or host name"},
		{"[::1", "brackets are for an IPv6 address"},
		{"2001:db8::18789", "not an address or host name"},
		{"::1]", "brackets are for an IPv6 address"},
		{"[gw.example]:80", "brackets are for an IPv6 address"},
		{"[192.0.2.1]:80", "brackets are for an IPv6 address"},
		{"[::1]80", "is not a port"},
		{"[]:80", "brackets are for an IPv6 address"},
		{"1::2::3", "not an address or host name"},
		{"fe80::1%e\nth0", "is not the name of an interface"},
		{"10.0.0.1/24", "did you mean 10.0.0.0/24, or the one address 10.0.0.1?"},
		{"2001:db8::1/64", "did you mean 2001:db8::/64"},
		{"::ffff:10.0.0.1/104", "bits set beyond its prefix"},
		{"10.0.0.0/33", "neither a CIDR block nor a URL"},
		{"gw.example/claw", "neither a CIDR block nor a URL"},
		{"10.0.0.0/24:80", "neither a CIDR block nor a URL"},
		{"10.0.0.9-10.0.0.1", "write it as 10.0.0.1-10.0.0.9"},
		{"10.0.0.9-1", "write it as 10.0.0.1-10.0.0.9"},
		{"10.0.0.9-256", "does not end an address range"},
		{"10.0.0.9-", "does not end an address range"},
		{"10.0.0.9-1.2", "does not end an address range"},
		{"10.0.0.1-::1", "mixes two address families"},
		{"fe80::1-fe80::2%a", "a range has no zone"},
		{"fe80::1%a-fe80::2%a", "is not the name of an interface"},
		{"http://", "names no host"},
		{"http:///x", "names no host"},
		{"http://:80/x", "names no host"},
		{"http://gw.example:0/", "is not a port"},
		{"http://gw.example:99999/", "is not a port"},
		{"http://10.0.0.300/", "not a valid address"},
		{"http://gw.example\x7f/", "does not parse"},
		{"http://[::1/", "does not parse"},
		{"ws://gw.example/", "use http or https"},
		{"ftp://gw.example/", "use http or https"},
		{"http:a://b", "names no host"},
		{"://gw.example", "does not parse"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			_, err := Parse(tt.in, "args", defaultPorts)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// A credential or token in a target is refused, and never repeated.
func TestParseSecrets(t *testing.T) {
	for _, in := range []string{
		"http://admin:S3CRET@gw.example/",
		"http://S3CRET@gw.example/",
		"https://admin:S3CRET@gw.example:99999/",
		"http://admin:S3CRET%zz@gw.example/",
		"http://admin:%S3CRET@gw.example/",
		"http://admin:S3C RET@gw.example/",
		"http://admin:S3CRET/x@gw.example/",
		"http://admin:S3CRET@gw.example:port/",
		"http://gw.example:S3CRET@x",
		"ftp://admin:S3CRET@gw.example/",
		"ws://gw.example/?token=S3CRET",
		"http://gw.example/?token=S3CRET",
		"http://gw.example/#token=S3CRET",
		"http://gw.example:18789#token=S3CRET",
		"http://10.0.0.300/?S3CRET",
		"http://[::1?token=S3CRET",
		"gw.example:18789/?token=S3CRET",
		"gw.example/#token=S3CRET",
		"gw.example?S3CRET",
		"admin:S3CRET@gw.example",
		"admin:S3CRET@gw.example:80",
		"S3CRET@gw.example",
		"10.0.0.0/24?S3CRET",
		"10.0.0.1-S3CRET@x",
	} {
		t.Run(in, func(t *testing.T) {
			spec, err := Parse(in, "args", defaultPorts)
			if err == nil {
				t.Fatalf("accepted: %+v", spec)
			}
			for _, part := range []string{"S3C", "RET"} {
				if strings.Contains(err.Error(), part) {
					t.Errorf("error repeats the secret: %v", err)
				}
			}
		})
	}
}

func TestPorts(t *testing.T) {
	tests := []struct {
		in   string
		want []uint16
		err  string
	}{
		{"80", []uint16{80}, ""},
		{"18789,18790-18793", []uint16{18789, 18790, 18791, 18792, 18793}, ""},
		{" 443 , 80-81,80,443", []uint16{443, 80, 81}, ""},
		{"1,65535", []uint16{1, 65535}, ""},
		{"65534-65535", []uint16{65534, 65535}, ""},
		{"7-7", []uint16{7}, ""},
		{"", nil, `"" is not a port`},
		{"80,", nil, `"" is not a port`},
		{"0", nil, `"0" is not a port`},
		{"65536", nil, `"65536" is not a port`},
		{"-80", nil, `"" is not a port`},
		{"80-", nil, `"" is not a port`},
		{"80-90-100", nil, `"90-100" is not a port`},
		{"90-80", nil, "write it as 80-90"},
		{"http", nil, `"http" is not a port`},
		{"+80", nil, `"+80" is not a port`},
	}
	for _, tt := range tests {
		got, err := Ports(tt.in)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("Ports(%q): error %v, want one with %q", tt.in, err, tt.err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Ports(%q) = %v, %v; want %v", tt.in, got, err, tt.want)
		}
	}
	if all, err := Ports("1-65535"); err != nil || len(all) != 65535 {
		t.Errorf("Ports(1-65535): %d ports, %v", len(all), err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"10.0.0.0/24", "10.0.0.1-9", "[::1]:80", "fe80::1%eth0", "gw.example:80",
		"https://gw.example:8443/claw", "::ffff:10.0.0.0/104", "http://a:b@c/", "xn--a.b", "::/0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text, "fuzz", defaultPorts)
		if err != nil {
			return
		}
		if (s.Name == "") != s.First.IsValid() || s.First.IsValid() != s.Last.IsValid() {
			t.Fatalf("neither name nor address, or both: %+v", s)
		}
		if s.Name == "" && (s.Last.Less(s.First) || s.First.Is4() != s.Last.Is4()) {
			t.Fatalf("broken range: %+v", s)
		}
		if len(s.Ports) == 0 {
			t.Fatalf("no ports: %+v", s)
		}
		if strings.ContainsAny(s.Base+s.Name, " \r\n\t?#@\x00") && !strings.Contains(s.Base, "@") {
			t.Fatalf("name %q, base %q", s.Name, s.Base)
		}
		var space Space
		if space.Add(s) != nil || space.Len() == 0 {
			return
		}
		for _, i := range []uint64{0, space.Len() - 1} {
			at := at(t, &space, i)
			if at.Addr.Port() == 0 {
				t.Fatalf("target without port: %+v", at)
			}
			// What is shown must mean the same when it is pasted back.
			if at.Name != "" || at.Addr.Addr().Zone() == "" {
				again, err := Parse(at.URL(s.Scheme), "fuzz", nil)
				if err != nil {
					t.Fatalf("%q gives %q: %v", text, at.URL(s.Scheme), err)
				}
				if again.Name != at.Name || again.Base != at.Base || again.First != at.Addr.Addr() || again.Ports[0] != at.Addr.Port() {
					t.Fatalf("%q gives %q, read again as %+v", text, at.URL(s.Scheme), again)
				}
			}
		}
	})
}

func FuzzPorts(f *testing.F) {
	f.Add("18789,18790-18793")
	f.Add("1-65535,1-65535")
	f.Fuzz(func(t *testing.T, text string) {
		ports, err := Ports(text)
		if err != nil {
			return
		}
		if len(ports) == 0 {
			t.Fatal("no ports and no error")
		}
		seen := map[uint16]bool{}
		for _, p := range ports {
			if p == 0 || seen[p] {
				t.Fatalf("port %d is zero or twice", p)
			}
			seen[p] = true
		}
	})
}
