package local

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Sockets that this test listens on show with the address they are bound to,
// and with this process.
func TestListeners(t *testing.T) {
	for _, tt := range []struct{ network, address, want string }{
		{"tcp4", "127.0.0.1:0", "127.0.0.1"},
		{"tcp6", "[::1]:0", "::1"},
		{"tcp4", "0.0.0.0:0", "0.0.0.0"},
		{"tcp", "[::]:0", "::"}, // both families
	} {
		t.Run(tt.want, func(t *testing.T) {
			s, err := net.Listen(tt.network, tt.address)
			if err != nil && strings.Contains(tt.address, "[") {
				t.Skipf("no IPv6 here: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			port := s.Addr().(*net.TCPAddr).AddrPort().Port()
			want := netip.AddrPortFrom(netip.MustParseAddr(tt.want), port)

			found := lookup(t, port)
			if len(found) != 1 || found[0].Addr != want {
				t.Fatalf("listeners on port %d are %+v, want %s once", port, found, want)
			}
			l := found[0]
			if l.PID != int32(os.Getpid()) {
				t.Errorf("process is %d, want %d", l.PID, os.Getpid())
			}
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			// The system keeps 15 letters of the name on Linux.
			if name := filepath.Base(program); !strings.HasPrefix(name, l.Process) || l.Process == "" {
				t.Errorf("program is %q, want %q", l.Process, name)
			}
			if runtime.GOOS != "windows" && !slices.Equal(l.Words, os.Args) {
				t.Errorf("command line is %q, want %q", l.Words, os.Args)
			}
			s.Close()
			if found := lookup(t, port); len(found) != 0 {
				t.Errorf("closed, but still there: %+v", found)
			}
		})
	}
}

// A connection is no listener.
func TestListenersOnly(t *testing.T) {
	s, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if found := lookup(t, c.LocalAddr().(*net.TCPAddr).AddrPort().Port()); len(found) != 0 {
		t.Errorf("the client's end is listed: %+v", found)
	}
	all, err := Listeners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(all, func(a, b Listener) int { return int(a.Addr.Port()) - int(b.Addr.Port()) }) {
		t.Errorf("not in the order of ports: %+v", all)
	}
}

func lookup(t *testing.T, port uint16) []Listener {
	t.Helper()
	all, err := Listeners(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(l Listener) bool { return l.Addr.Port() != port })
}

func TestRunsAny(t *testing.T) {
	words := []string{"openclaw", "clawdbot"}
	for _, tt := range []struct {
		process string
		words   []string
		want    bool
	}{
		{"openclaw-gateway", nil, true},
		{"node", []string{"node", "/opt/OpenClaw/openclaw.mjs", "gateway"}, true},
		{"node.exe", []string{`C:\Program Files\clawdbot\dist\entry.js`}, true},
		{"node", []string{"node", "server.js"}, false},
		{"claw", nil, false},
		{"", nil, false},
	} {
		if got := (Listener{Process: tt.process, Words: tt.words}).RunsAny(words...); got != tt.want {
			t.Errorf("%q %q: %t, want %t", tt.process, tt.words, got, tt.want)
		}
	}
}
