//go:build e2e && linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// What a gateway in mode full announces, as Avahi is told to.
const avahiService = `<service-group><name>claw</name>
<service><type>_openclaw-gw._tcp</type><port>%d</port>
<txt-record>role=gateway</txt-record><txt-record>gatewayPort=%[1]d</txt-record>
<txt-record>cliPath=/home/jane/bin/openclaw</txt-record><txt-record>sshPort=22</txt-record></service></service-group>`

const avahiConfig = `[server]
host-name=clawhost
enable-dbus=no
allow-interfaces=link0
`

// discover runs "clawsonar discover -mdns" in a namespace until it finds something.
func discover(t *testing.T, from *lab.Namespace) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	for range 20 {
		stdout.Reset()
		stderr.Reset()
		cmd := from.Command(program, "discover", "-mdns", "-wait", "2s")
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		if stdout.Len() > 0 {
			break
		}
		time.Sleep(time.Second)
	}
	t.Logf("%s%s", stdout.String(), stderr.String())
	return stdout.String()
}

// TestDiscoverAvahi finds what Avahi announces, over IPv4 and IPv6.
func TestDiscoverAvahi(t *testing.T) {
	t.Parallel()
	if missing := missing("avahi-daemon", "netns"); len(missing) > 0 {
		t.Skipf("SKIPPED, NOT TESTED: announcements of Avahi: this machine lacks %s", strings.Join(missing, ", "))
	}
	n, err := lab.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "services"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"avahi-daemon.conf": avahiConfig, "services/claw.service": fmt.Sprintf(avahiService, 18789)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// "ip netns exec" has mounts of its own, so that the system's are left as they are.
	cmd := n.Gateway.Command("sh", "-c", `mount --bind "$1" /etc/avahi && mount -t tmpfs tmpfs /run && mkdir /run/avahi-daemon && exec avahi-daemon --no-drop-root --no-chroot --no-rlimits`, "sh", dir)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	found := discover(t, n.Viewer)
	const told = `"port":18789,"name":"clawhost.local","found":{"by":"mdns","announced":["role","gatewayPort","sshPort","cliPath"]}}`
	if !strings.Contains(found, `{"ip":"192.0.2.1",`+told) || !strings.Contains(found, `%link0",`+told) || strings.Contains(found, "jane") {
		t.Errorf("found\n%swant 192.0.2.1 and a link-local address, each with %s", found, told)
	}
}

// TestDiscoverGateway finds real gateways by their own announcements, and judges what
// these tell.
func TestDiscoverGateway(t *testing.T) {
	t.Parallel()
	l, ctx := openLab(t, "lab", "real gateways that announce themselves", "npm", "netns")
	for _, release := range []struct{ pkg, version, prefix string }{{"clawdbot", "2026.1.24-3", "CLAWDBOT_"}, {"openclaw", "2026.9.6", "OPENCLAW_"}} {
		t.Run(release.pkg, func(t *testing.T) {
			n, err := lab.NewNet()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(n.Close)
			// The announcer takes interfaces by the names that ip prints. That of an end of
			// a veth has its peer behind it, link0@if2, so it does not find its addresses.
			for _, args := range []string{
				"link add br0 type bridge", "link set link0 master br0", "addr del 192.0.2.1/24 dev link0",
				"addr add 192.0.2.1/24 dev br0", "link set br0 up",
			} {
				if out, err := n.Gateway.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
					t.Skipf("SKIPPED, NOT TESTED: real gateways that announce themselves: ip %s: %s", args, out)
				}
			}
			extra := map[string]any{} // clawdbot has no mode, and tells everything
			if release.pkg == "openclaw" {
				extra = map[string]any{
					"discovery": map[string]any{"mdns": map[string]any{"mode": "full"}},
					"plugins":   map[string]any{"entries": map[string]any{"bonjour": map[string]any{"enabled": true}}},
				}
			}
			g, err := l.Start(ctx, t.TempDir(), lab.Config{
				Name: "announced", Package: release.pkg, Version: release.version, Mode: lab.Token, Bind: "lan", Net: n.Gateway,
				Extra: extra,
				Env:   []string{release.prefix + "DISABLE_BONJOUR=0"},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(g.Stop)
			found := discover(t, n.Viewer)
			if !strings.Contains(found, `"ip":"192.0.2.1"`) || strings.Contains(found, g.Home) {
				t.Fatalf("found\n%s%s", found, g.Log())
			}
			targets, _, _ := scanWith(t, nil, n.Viewer, "-discover", "mdns")
			at := slices.IndexFunc(targets, func(x event.Target) bool { return x.Target.IP == "192.0.2.1" })
			if at < 0 || targets[at].Outcome != event.OutcomeIdentified || targets[at].Target.Source != string(event.ByMDNS) || !slices.ContainsFunc(targets[at].Findings, func(f event.Finding) bool { return f.ID == "mdns-says-too-much" }) {
				t.Errorf("%+v, want the gateway with mdns-says-too-much", targets)
			}
		})
	}
}
