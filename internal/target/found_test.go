package target

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Lines of discover are taken with what led to them, whatever ports are wanted.
func TestFound(t *testing.T) {
	const in = `{"ip":"fe80::1%eth0","port":9999,"name":"Claw.local.","tls":true,"found":{"by":"mdns","announced":["cliPath","owner","role"]}}
{"ip":"127.0.0.1","port":5,"container":"claw","found":{"by":"docker","published":"0.0.0.0:5"}}
{"ip":"192.0.2.1","port":6,"found":{"by":"mdns"}}
`
	var got []string
	l := List{Name: "stdin", Ports: []uint16{18789}, Only: true}
	err := l.Read(strings.NewReader(in), func(s Spec) error {
		found, err := json.Marshal(s.Found)
		got = append(got, fmt.Sprintf("%s %s %v %s %t %s %s %s %s", s.First, s.Name, s.Ports, s.Scheme, s.Exact, s.Input, s.Source, s.Process, found))
		return err
	})
	want := []string{
		`fe80::1%eth0 claw.local [9999] https true [fe80::1%eth0]:9999 stdin:1  {"by":"mdns","announced":["role","cliPath"]}`,
		`127.0.0.1  [5]  true 127.0.0.1:5 stdin:2 claw {"by":"docker","published":"0.0.0.0:5"}`,
		`192.0.2.1  [6]  true 192.0.2.1:6 stdin:3  {"by":"mdns"}`,
	}
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("error %v, got\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for in, want := range map[string]string{
		`{"ip":"192.0.2.1","port":1,"found":{}}`:                                       `found by ""`,
		`{"ip":"192.0.2.1","port":1,"found":{"by":"rumour"}}`:                          "it is one of mdns, docker",
		`{"ip":"","port":1,"found":{"by":"mdns"}}`:                                     "ip is missing",
		`{"ip":"x","port":1,"found":{"by":"mdns"}}`:                                    "unable to parse IP",
		`{"ip":"192.0.2.1","port":0,"found":{"by":"mdns"}}`:                            "port is missing",
		`{"ip":"192.0.2.1","port":65536,"found":{"by":"mdns"}}`:                        "65536",
		`{"ip":"192.0.2.1","port":1,"name":"a b","found":{"by":"mdns"}}`:               `"a b" is not a host name`,
		`{"ip":"fe80::1%a b","port":1,"found":{"by":"mdns"}}`:                          "is not the name of an interface",
		`{"ip":"192.0.2.1","port":1,"found":{"by":"docker","published":"everywhere"}}`: `"everywhere" is not an address with a port`,
	} {
		l := List{Name: "stdin", Ports: []uint16{18789}}
		err := l.Read(strings.NewReader("\n"+in), func(Spec) error { return nil })
		if err == nil || !strings.HasPrefix(err.Error(), `stdin:2: not a line of "clawsonar discover": `) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", in, err, want)
		}
	}
}

// What led to a target is not lost in a list that is too long for memory.
func TestFoundSpooled(t *testing.T) {
	var s Space
	defer s.Close()
	for i := range maxHeld + 2 {
		spec := Spec{First: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Ports: []uint16{1}}
		spec.Last = spec.First
		if i > maxHeld {
			spec.Found = &event.Discovery{By: event.ByMDNS, Announced: []string{}}
		}
		if err := s.Add(spec); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range map[uint64]string{maxHeld: "null", maxHeld + 1: `{"by":"mdns","announced":[]}`} {
		x, err := s.At(i)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := json.Marshal(x.Found); string(got) != want {
			t.Errorf("target %d: found %s, want %s", i, got, want)
		}
	}
}
