package local

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	psnet "github.com/shirou/gopsutil/v4/net"

	"github.com/clawsonar/clawsonar/fingerprints"
)

// What is left alone, by its port or by its program.
func TestLeftAlone(t *testing.T) {
	k, err := Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	at := func(port uint16, process string, words ...string) Listener {
		return Listener{Addr: netip.AddrPortFrom(netip.IPv6Loopback(), port), Process: process, Words: words}
	}
	name := func(p *Protocol) string {
		if p == nil {
			return ""
		}
		return p.Name
	}
	for _, tt := range []struct {
		listener      Listener
		program, port string
	}{
		{at(9100, ""), "", "raw printing"},
		{at(9107, ""), "", "raw printing"},
		{at(9108, ""), "", ""},
		{at(22, "sshd"), "", "SSH"},
		{at(8080, "sshd"), "", ""}, // ssh -R
		{at(4000, "redis-server"), "Redis", ""},
		{at(4000, "MySQLd.exe"), "MySQL", ""},
		{at(4000, "redis-server2"), "", ""},
		{at(5900, "Xvnc"), "X11", "remote desktop"},
		{at(5005, "java", "-agentlib:jdwp=transport=dt_socket,address=5005"), "debuggers", "debuggers"},
		{at(8080, "java", "-agentlib:jdwp=transport=dt_socket,address=5005"), "", ""},
		{at(500, "java", "-agentlib:jdwp=transport=dt_socket,address=5005"), "", ""},
		{at(80, "nginx"), "", ""},
		{at(80, ""), "", ""},
		{at(631, "cupsd"), "", ""}, // IPP is HTTP
	} {
		if got := name(k.LeftAlone.Program(tt.listener)); got != tt.program {
			t.Errorf("%+v: by its program %q, want %q", tt.listener, got, tt.program)
		}
		if got := name(k.LeftAlone.Port(tt.listener.Addr.Port())); got != tt.port {
			t.Errorf("%+v: by its port %q, want %q", tt.listener, got, tt.port)
		}
	}
	for process, want := range map[string]bool{"nginx": true, "docker-proxy": true, "SSHD": true, "node": false, "": false} {
		if got := k.Forwards(Listener{Process: process}); got != want {
			t.Errorf("%q forwards: %t, want %t", process, got, want)
		}
	}
}

func TestKnownErrors(t *testing.T) {
	for in, want := range map[string]string{
		"left_alone: []": "nothing is listed",
		"left_alone: [{name: a, why: b, ports: [1]}]\nx: 1":                                     "x",
		"left_alone: [{name: a, why: b, port: [1]}]":                                            "port",
		"left_alone: [{name: a, ports: [1]}]":                                                   "say why",
		"left_alone: [{why: a, ports: [1]}]":                                                    "give it a name",
		"left_alone: [{name: a, why: b}]":                                                       "nothing says how it is known",
		"left_alone: [{name: a, why: b, ports: [0]}]":                                           "neither a port nor a range",
		"left_alone: [{name: a, why: b, ports: [7-3]}]":                                         "neither a port nor a range",
		"left_alone: [{name: a, why: b, ports: [65536]}]":                                       "neither a port nor a range",
		"left_alone: [{name: a, why: b, ports: [-]}]":                                           "local/listeners.yaml",
		"left_alone: [{name: a, why: b, programs: [Redis]}]":                                    "small letters",
		"left_alone: [{name: a, why: b, programs: [\" a\"]}]":                                   "small letters",
		"left_alone: [{name: a, why: b, arguments: [\"\"]}]":                                    "small letters",
		"left_alone: [{name: a, why: b, programs: [sshd]}]\nforwarders: [sshd]":                 "sshd is a forwarder",
		"left_alone: [{name: a, why: b, ports: [1]}]\nforwarders: [Nginx]":                      "small letters",
		"left_alone: [{name: a, why: b, ports: [1]}, {name: c, why: d, ports: [{first: 1}]}]\n": "local/listeners.yaml",
	} {
		if k, err := parse([]byte(in)); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), File) {
			t.Errorf("%q: %+v, error %v, want one of %s with %q", in, k, err, File, want)
		}
	}
}

func FuzzKnown(f *testing.F) {
	data, err := fingerprints.FS.ReadFile(File)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("left_alone: [{name: a, why: b, ports: [1, 2-3]}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := parse(data)
		if err != nil {
			return
		}
		for _, p := range k.LeftAlone {
			for _, r := range p.Ports {
				if r.first == 0 || r.last < r.first || k.LeftAlone.Port(r.first) == nil || k.LeftAlone.Port(r.last) == nil {
					t.Errorf("%+v", r)
				}
			}
		}
	})
}

func TestAddresses(t *testing.T) {
	iface := func(name string, flags []string, addrs ...string) psnet.InterfaceStat {
		i := psnet.InterfaceStat{Name: name, Flags: flags}
		for _, a := range addrs {
			i.Addrs = append(i.Addrs, psnet.InterfaceAddr{Addr: a})
		}
		return i
	}
	up := []string{"up", "broadcast"}
	got := addresses([]psnet.InterfaceStat{
		iface("lo", []string{"up", "loopback"}, "127.0.0.1/8", "::1/128"),
		iface("eth0", up, "2001:db8::7/64", "fe80::1/64", "192.0.2.7/24", "192.0.2.7/32", "not one"),
		iface("eth1", []string{"broadcast"}, "192.0.2.8/24"),
		iface("docker0", up, "172.17.0.1/16"),
		iface("br-1234", up, "172.18.0.1/16"),
		iface("wg0", up, "10.8.0.2/32", "169.254.1.1/16"),
	})
	var want []netip.Addr
	for _, a := range []string{"192.0.2.7", "10.8.0.2", "2001:db8::7"} {
		want = append(want, netip.MustParseAddr(a))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := Addresses(t.Context()); err != nil {
		t.Error(err)
	}
	if InContainer(t.TempDir() + "/") {
		t.Error("an empty root looks like a container")
	}
}
