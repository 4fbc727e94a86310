//go:build linux

package lab

import (
	"encoding/json"
	"net"
	"net/netip"
	"strconv"
	"testing"
)

func TestConfigFile(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		want   string
	}{
		{"none", Config{Package: "openclaw", Mode: None},
			`{"auth":{"mode":"none"},"bind":"loopback","mode":"local","port":20000}`},
		{"none, clawdbot", Config{Package: "clawdbot", Mode: None},
			`{"bind":"loopback","mode":"local","port":20000}`},
		{"token on the LAN", Config{Package: "openclaw", Mode: Token, Bind: "lan"},
			`{"auth":{"mode":"token","token":"s"},"bind":"lan","mode":"local","port":20000}`},
		{"password", Config{Package: "openclaw", Mode: Password},
			`{"auth":{"mode":"password","password":"s"},"bind":"loopback","mode":"local","port":20000}`},
		{"trusted proxy", Config{Package: "openclaw", Mode: TrustedProxy, TrustedProxies: []string{"127.0.0.1"}},
			`{"auth":{"mode":"trusted-proxy","trustedProxy":{"userHeader":"x-forwarded-user"}},"bind":"loopback","mode":"local","port":20000,"trustedProxies":["127.0.0.1"]}`},
		{"base path, UI off, TLS", Config{Package: "clawdbot", Mode: None, BasePath: "/claw", NoControlUI: true, TLS: true},
			`{"bind":"loopback","controlUi":{"basePath":"/claw","enabled":false},"mode":"local","port":20000,"tls":{"autoGenerate":true,"enabled":true}}`},
		{"extra", Config{Package: "clawdbot", Mode: None, Extra: map[string]any{"gateway": map[string]any{"bind": "custom", "http": map[string]any{"x": 1}}}},
			`{"bind":"custom","http":{"x":1},"mode":"local","port":20000}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := test.config.file(20000, "s", "file.log")
			got, err := json.Marshal(file["gateway"])
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if file["logging"].(map[string]any)["file"] != "file.log" {
				t.Errorf("logging: %v", file["logging"])
			}
			// Both are what makes a gateway that nobody talks to keep still.
			clock, err := json.Marshal([]any{file["agents"], file["cron"]})
			if err != nil {
				t.Fatal(err)
			}
			if want := `[{"defaults":{"heartbeat":{"every":"0m"}}},{"enabled":false}]`; string(clock) != want {
				t.Errorf("by the clock: got %s, want %s", clock, want)
			}
		})
	}
}

func TestMissingPackage(t *testing.T) {
	for log, want := range map[string]string{
		"Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'strip-ansi' imported from /x.js":                                  "strip-ansi",
		"Error [ERR_MODULE_NOT_FOUND]: Cannot find package '@a/b-c.d' imported from /x.js":                                    "@a/b-c.d",
		"Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/x/y.js' imported from /x.js":                                      "",
		"Error [ERR_MODULE_NOT_FOUND]: Cannot find package '--registry' imported from /x.js":                                  "",
		"Error [ERR_MODULE_NOT_FOUND]: Cannot find package '../../escape' imported from /x.js":                                "",
		"[openclaw] Reason: Cannot find package 'commander' imported from /x.js":                                              "commander",
		"Error: Cannot find native binding. npm has a bug.\n    at Object.<anonymous> (/x/node_modules/@a/b/index.js:500:11)": "@a/b-linux-x64-gnu",
		"Error: Cannot find native binding. npm has a bug.\n    at Object.<anonymous> (/x/index.js:500:11)":                   "",
		"Cannot find package 'strip-ansi', says a plugin":                                                                     "",
		"all is well": "",
	} {
		if got := missingPackage(log); got != want {
			t.Errorf("%s: got %q, want %q", log, got, want)
		}
	}
}

func TestProgram(t *testing.T) {
	for _, test := range []struct{ pkg, dir, entry, state string }{
		{"openclaw", "openclaw-1", "openclaw.mjs", ".openclaw"},
		{"clawdbot", "clawdbot-1", "dist/entry.js", ".clawdbot"},
		{"openclaw-cn", "openclaw-cn-1", "dist/entry.js", ".openclaw"},
		{"@gguf/claw", "gguf-claw-1", "openclaw.mjs", ".openclaw"},
	} {
		g := &Gateway{Config: Config{Package: test.pkg, Version: "1"}, Home: "/h"}
		if got := g.Config.dirName(); got != test.dir {
			t.Errorf("%s: folder %s, want %s", test.pkg, got, test.dir)
		}
		if got := programOf(test.pkg).entry; got != test.entry {
			t.Errorf("%s: entry %s, want %s", test.pkg, got, test.entry)
		}
		if got := g.stateDir(); got != "/h/"+test.state {
			t.Errorf("%s: state in %s, want %s", test.pkg, got, test.state)
		}
	}
}

func TestReservePort(t *testing.T) {
	l := &Lab{dir: t.TempDir()}
	seen := map[uint16]bool{}
	for range 5 {
		port, release, err := l.reservePort()
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		if seen[port] {
			t.Fatalf("port %d given twice", port)
		}
		seen[port] = true
		if _, err := l.tryLock("port-" + strconv.Itoa(int(port))); err == nil {
			t.Errorf("port %d is not held", port)
		}
	}
	ln, err := net.Listen("tcp", netip.AddrPortFrom(loopback(), 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if port := ln.Addr().(*net.TCPAddr).AddrPort().Port(); portsFree(port) {
		t.Errorf("port %d counts as free while it is listened on", port)
	}
}

func TestMatrixNames(t *testing.T) {
	names := map[string]bool{}
	gateways := map[string]Config{}
	for _, instance := range append(Matrix(), Forks()...) {
		if names[instance.Name] {
			t.Errorf("duplicate %s", instance.Name)
		}
		names[instance.Name] = true
		c := instance.Gateway
		if c.Mode == None && c.Version == "2026.1.29" {
			t.Errorf("%s: the release has no mode none", instance.Name)
		}
		if before, ok := gateways[c.Name]; ok && before.Mode != c.Mode {
			t.Errorf("two gateways are called %s", c.Name)
		}
		gateways[c.Name] = c
	}
}
