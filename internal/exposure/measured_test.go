package exposure_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

// What real gateways answered from another host where the first judgement of their files
// was another: see TestInspectAgrees of the end-to-end tests.
func TestMeasured(t *testing.T) {
	const none = `{gateway: {mode: "local", bind: "loopback", auth: {mode: "none"}}}`
	const trusting = `{gateway: {mode: "local", bind: "loopback", trustedProxies: ["127.0.0.1"], auth: {mode: "none"}}}`
	nginx := func(directives string) string {
		return "events {}\nhttp {\n  server {\n    listen 8080;\n    location / {\n      proxy_pass http://127.0.0.1:18789;\n      " + directives + "\n    }\n  }\n}\n"
	}
	for _, c := range []struct {
		name    string
		release string
		files   map[string]string
		auth    event.AuthState
		local   bool // a finding says that it stands open to its own machine alone
		takes   bool // everyone-is-local
	}{
		{
			"open over loopback, refused by way of the proxy", "2026.9.6",
			map[string]string{"openclaw.json": none, "nginx.conf": nginx("proxy_set_header X-Forwarded-For $remote_addr;")}, event.AuthBlocked, true, false,
		},
		{
			"the same before it was refused", "2026.6.11",
			map[string]string{"openclaw.json": none, "nginx.conf": nginx("proxy_set_header X-Forwarded-For $remote_addr;")}, event.AuthOpen, false, false,
		},
		{
			"open over loopback, a login in front", "2026.9.6",
			map[string]string{"openclaw.json": none, "nginx.conf": nginx("auth_basic restricted;\n      auth_basic_user_file users;")}, event.AuthGated, true, true,
		},
		{"open over loopback, and nothing leads there", "2026.9.6", map[string]string{"openclaw.json": none}, event.AuthOpen, true, false},
		{
			"a trusted proxy that says nothing, over loopback", "2026.9.6",
			map[string]string{"openclaw.json": trusting, "nginx.conf": nginx("")}, event.AuthOpen, false, true,
		},
		{
			"a trusted proxy that strips what clients say, over loopback", "2026.9.6",
			map[string]string{"openclaw.json": trusting, "nginx.conf": nginx(`proxy_set_header X-Forwarded-For "";`)}, event.AuthOpen, false, true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			targets := judge(t, dir, c.release)
			if len(targets) != 1 || targets[0].Auth == nil || targets[0].Auth.State != c.auth {
				t.Fatalf("want %s:\n%s", c.auth, say(targets))
			}
			if takes := has(targets[0], "everyone-is-local"); takes != c.takes {
				t.Errorf("everyone-is-local: %t, want %t", takes, c.takes)
			}
			if local := strings.Contains(say(targets), "only programs of the same machine"); local != c.local {
				t.Errorf("open to its own machine alone: %t, want %t:\n%s", local, c.local, say(targets))
			}
		})
	}
}
