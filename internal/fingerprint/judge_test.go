package fingerprint_test

import (
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

// edited returns a recorded case after a change, and the verdict on it.
func edited(t *testing.T, name string, edit func(*evidence.Capture)) *fingerprint.Verdict {
	t.Helper()
	c, ok := recorded(t)["openclaw/"+name+".yaml"]
	if !ok {
		t.Fatalf("no capture %s", name)
	}
	edit(&c)
	o := c.Observation()
	return builtin(t).Open(&o, event.LevelStandard).Verdict()
}

func exchange(t *testing.T, c *evidence.Capture, id string) *evidence.CapturedExchange {
	t.Helper()
	for i := range c.Exchanges {
		if c.Exchanges[i].ID == id {
			return &c.Exchanges[i]
		}
	}
	t.Fatalf("no exchange %s", id)
	return nil
}

// only keeps the exchanges with the given ids.
func only(c *evidence.Capture, ids string) {
	var kept []evidence.CapturedExchange
	for _, x := range c.Exchanges {
		if strings.Contains(" "+ids+" ", " "+x.ID+" ") {
			kept = append(kept, x)
		}
	}
	c.Exchanges = kept
}

// refuse turns an answer into the gateway's refusal.
func refuse(x *evidence.CapturedExchange) {
	x.Status, x.Header = 401, []string{"Content-Type: application/json; charset=utf-8"}
	x.Body = `{"error":{"message":"Unauthorized","type":"unauthorized"}}`
}

// An open verdict needs an answer that was made for us; a required one is not
// undone by pages, nor an open one by a refusal elsewhere.
func TestAuthProof(t *testing.T) {
	for _, c := range []struct {
		name, capture string
		edit          func(t *testing.T, c *evidence.Capture)
		want          event.AuthState
	}{
		{"configuration from a cache", "openclaw-2026.6.11-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root config challenge")
			x := exchange(t, c, "config")
			x.Header = append(x.Header, "Age: 12")
		}, event.AuthUnknown},
		// A cache need not say that it is one.
		{"configuration alone", "openclaw-2026.6.11-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root config challenge tools-get")
		}, event.AuthUnknown},
		{"configuration and a fresh path", "openclaw-2026.6.11-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root config audit challenge")
		}, event.AuthOpen},
		{"a fresh path without a sign that the gateway said it", "openclaw-2026.6.11-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root config audit challenge")
			exchange(t, c, "audit").Header = []string{"Content-Type: text/plain"}
		}, event.AuthUnknown},
		{"configuration from a cache, fresh path refused", "openclaw-2026.9.6-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root config audit tools-get challenge")
			refuse(exchange(t, c, "audit"))
		}, event.AuthUnknown},
		{"configuration from a cache, tool call refused", "openclaw-2026.9.6-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root config tools tools-get challenge")
			refuse(exchange(t, c, "tools"))
		}, event.AuthUnknown},
		{"configuration from a cache, tool call refused, then accepted", "openclaw-2026.9.6-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root config tools tools-get challenge")
			again := *exchange(t, c, "tools")
			again.ID = "tools-again"
			refuse(exchange(t, c, "tools"))
			c.Exchanges = append(c.Exchanges, again)
		}, event.AuthOpen},
		{"fresh path refused, then accepted", "openclaw-2026.9.6-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root audit tools-get challenge")
			again := *exchange(t, c, "audit")
			again.ID = "audit-again"
			refuse(exchange(t, c, "audit"))
			c.Exchanges = append(c.Exchanges, again)
		}, event.AuthOpen},
		{"fresh path accepted, then refused", "openclaw-2026.9.6-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root audit tools-get challenge")
			again := *exchange(t, c, "audit")
			again.ID = "audit-again"
			refuse(&again)
			c.Exchanges = append(c.Exchanges, again)
		}, event.AuthOpen},
		{"a copy of it on a file server", "openclaw-2026.9.6-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root config sw health ready")
		}, event.AuthUnknown},
		{"public page alone", "openclaw-2026.6.11-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root challenge sw health ready")
		}, event.AuthUnknown},
		{"public configuration of older releases", "openclaw-2026.3.13-none", func(t *testing.T, c *evidence.Capture) {
			only(c, "root config challenge")
		}, event.AuthUnknown},
		{"tool call accepted though the configuration is refused", "openclaw-2026.6.11-token", func(t *testing.T, c *evidence.Capture) {
			x := exchange(t, c, "tools")
			x.Status, x.Body = 403, `{"ok":false,"error":{"type":"forbidden","message":"missing scope: operator.write"}}`
		}, event.AuthOpen},
		{"403 of a front", "openclaw-2026.1.29-token", func(t *testing.T, c *evidence.Capture) {
			x := exchange(t, c, "tools")
			x.Status, x.Body = 403, `{"message":"forbidden"}`
		}, event.AuthUnknown},
		{"rate limited", "openclaw-2026.1.29-token", func(t *testing.T, c *evidence.Capture) {
			x := exchange(t, c, "tools")
			x.Status, x.Body = 429, `{"error":{"message":"Too many failed authentication attempts. Please try again later.","type":"rate_limited"}}`
		}, event.AuthUnknown},
		{"a login in front of all but the WebSocket", "openclaw-2026.9.6-token", func(t *testing.T, c *evidence.Capture) {
			for i := range c.Exchanges {
				if x := &c.Exchanges[i]; x.ID != "challenge" {
					x.Status, x.Header, x.Body = 401, []string{"WWW-Authenticate: Basic", "Content-Type: text/html"}, "401"
				}
			}
		}, event.AuthUnknown},
		{"a login in front of everything", "openclaw-2026.9.6-token", func(t *testing.T, c *evidence.Capture) {
			for i := range c.Exchanges {
				x := &c.Exchanges[i]
				x.Status, x.Header, x.Body = 401, []string{"WWW-Authenticate: Basic", "Content-Type: text/html"}, "401"
			}
		}, event.AuthGated},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := edited(t, c.capture, func(cap *evidence.Capture) { c.edit(t, cap) })
			if v.Auth.State != c.want {
				t.Errorf("auth %q because of %v, want %q", v.Auth.State, v.Auth.Because, c.want)
			}
		})
	}
}

// The icon is the same on every release; its hash is that of search engines.
func TestIconHash(t *testing.T) {
	const icon = -805544463 // recorded from 2026.1.24-3 and 2026.9.6, and indexed by search engines
	icons := 0
	for name, c := range recorded(t) {
		for _, x := range c.Exchanges {
			if x.ID == "favicon" && x.Status == 200 && x.Original != nil && x.Original.Bytes == 96542 {
				icons++
				if x.Original.Icon == icon {
					continue
				}
				t.Errorf("%s: icon hash %d, want %d", name, x.Original.Icon, icon)
			}
		}
	}
	if icons < 10 {
		t.Errorf("only %d recorded icons", icons)
	}
}

// Evidence is traced from signals to the exchanges in which they matched.
func TestEvidence(t *testing.T) {
	recording := recorded(t)["openclaw/openclaw-2026.9.6-none.yaml"]
	o := recording.Observation()
	c := builtin(t).Open(&o, event.LevelStandard)
	for _, tt := range []struct{ names, want string }{
		{"config.authorized alive", "config tools-get challenge sessions"},
		{"tools.missing-scope", "tools"},
		{"assets", "root"},
		{"sw.js+assets", "sw root"},
		{"root config", "root config"},
		{"root.port tools.unauthorized nothing", ""},
	} {
		if got := strings.Join(c.Evidence(strings.Fields(tt.names)...), " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.names, got, tt.want)
		}
	}
}
