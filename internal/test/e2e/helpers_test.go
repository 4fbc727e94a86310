//go:build e2e && linux

package e2e

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// TestHelpers puts real helpers beside a real gateway, forwarded to the link as
// a careless container set-up does, and looks at them from another host.
func TestHelpers(t *testing.T) {
	t.Parallel()
	l, ctx := open(t, "helpers beside a gateway", "netns", "chromium", "websockify", "x11vnc", "Xvfb", "socat")
	if _, err := os.Stat("/usr/share/novnc/vnc.html"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: helpers beside a gateway: this machine lacks noVNC")
	}
	n, err := lab.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	dir := t.TempDir()
	// This release steers its browser through a port that asks for nothing.
	g, err := l.Start(ctx, filepath.Join(dir, "gateway"), lab.Config{
		Name: "helpers", Package: "clawdbot", Version: "2026.1.24-3", Mode: lab.Token, Bind: "lan", Port: 18789, Net: n.Gateway,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Stop)
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	serve := func(addr netip.AddrPort, tool string, args ...string) *lab.Service {
		t.Helper()
		s, err := n.Gateway.Serve(ctx, filepath.Join(dir, tool), addr, tool, args...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Stop)
		return s
	}
	forward := func(port uint16) {
		t.Helper()
		to := netip.AddrPortFrom(local, port).String()
		addr := netip.AddrPortFrom(n.Gateway.Addr, port)
		serve(addr, "socat", "TCP-LISTEN:"+strings.Split(addr.String(), ":")[1]+",bind="+n.Gateway.Addr.String()+",fork,reuseaddr", "TCP:"+to)
	}
	serve(netip.AddrPortFrom(local, 9222), "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--remote-debugging-port=9222", "about:blank")
	forward(9222)
	forward(18791)
	serve(netip.AddrPortFrom(local, 6042), "Xvfb", ":42", "-screen", "0", "640x480x24", "-listen", "tcp", "-nolisten", "unix")
	x11vnc := func(args ...string) *lab.Service {
		return serve(netip.AddrPortFrom(n.Gateway.Addr, 5900), "x11vnc", append([]string{"-display", "127.0.0.1:42", "-rfbport", "5900", "-forever", "-shared", "-noshm", "-noipv6"}, args...)...)
	}
	open := x11vnc("-nopw")
	serve(netip.AddrPortFrom(n.Gateway.Addr, 6080), "websockify", "--web", "/usr/share/novnc", n.Gateway.Addr.String()+":6080", n.Gateway.Addr.String()+":5900")

	look := func() map[int]event.Target {
		t.Helper()
		// Not the gateway's URL: beside a port that is named nothing is tried.
		cmd := n.Viewer.Command(program, "scan", "-f", "jsonl", n.Gateway.Addr.String())
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
		}
		byPort := map[int]event.Target{}
		for line := range strings.Lines(string(out)) {
			e, err := event.Decode([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			if t, ok := e.(*event.Target); ok {
				byPort[t.Target.Port] = *t
			}
		}
		return byPort
	}
	want := func(found map[int]event.Target, port int, product string, auth event.AuthState, check string, severity event.Severity) {
		t.Helper()
		x := found[port]
		if x.Product == nil || x.Product.ID != product || x.Auth == nil || x.Auth.State != auth {
			t.Errorf("port %d: %+v, auth %+v, want %s, %s", port, x.Product, x.Auth, product, auth)
			return
		}
		for _, f := range x.Findings {
			if f.ID == check && f.Severity == severity {
				t.Logf("port %d: %s %s: %s %s: %s", port, product, auth, f.Severity, f.ID, f.Detail)
				return
			}
		}
		t.Errorf("port %d: findings %+v, want %s (%s)", port, x.Findings, check, severity)
	}
	found := look()
	if len(found) != 5 {
		t.Errorf("lines for %d ports, want those of the gateway and four helpers", len(found))
	}
	want(found, 9222, "cdp", "open", "cdp-reachable", event.Critical)
	want(found, 18791, "openclaw-browser", "open", "browser-control-reachable", event.Critical)
	want(found, 5900, "vnc", "open", "novnc-reachable", event.Critical)
	want(found, 6080, "novnc", "open", "novnc-reachable", event.Critical)

	open.Stop()
	x11vnc("-passwd", "lab-only")
	found = look()
	want(found, 5900, "vnc", "required", "novnc-reachable", event.Medium)
	want(found, 6080, "novnc", "required", "novnc-reachable", event.Medium)
}
