//go:build e2e && linux

package e2e

import (
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// TestSurfaces looks at real gateways that show more than they do by default,
// and at one with nothing to fix.
func TestSurfaces(t *testing.T) {
	t.Parallel()
	l, ctx := open(t, "what gateways show")
	dir := t.TempDir()
	instances, authority, err := lab.SurfaceMatrix(dir)
	if err != nil {
		t.Fatal(err)
	}
	// The scanner trusts the authority that signed the gateways' certificates.
	trust := []string{"SSL_CERT_FILE=" + authority.File}
	running, stop, err := l.StartMatrix(ctx, dir, instances, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	judge(t, trust, nil, running)

	// What is there without being something to fix.
	for name, want := range map[string]string{
		"openclaw-2026.3.13-none-extras":  "tools-invoke:open openai-chat:present openai-responses:present hooks:present readiness-details:open",
		"openclaw-2026.6.11-none-extras":  "tools-invoke: openai-models:open openai-chat:present openai-responses:present hooks:present admin-rpc:present sessions:open",
		"openclaw-2026.6.11-token-extras": "openai-models:gated openai-chat:present openai-responses:present hooks:present admin-rpc:gated sessions:",
		"openclaw-2026.9.6-none-extras":   "openai-models:open hooks:present admin-rpc:present mcp-apps:present startup-details:open terminal:present",
		"openclaw-2026.9.6-token-extras":  "openai-models:gated hooks:present admin-rpc:gated mcp-apps: terminal:present",
		"openclaw-2026.9.6-secure":        "openai-models: openai-chat: hooks: admin-rpc: terminal: canvas: metrics: control-ui:open bootstrap-config:gated",
	} {
		targets, _, _ := scanWith(t, trust, nil, find(t, running, name).URL)
		if len(targets) != 1 {
			t.Fatalf("%s: %d target lines, want 1", name, len(targets))
		}
		got := map[string]string{}
		for _, s := range targets[0].Surfaces {
			got[s.ID] = string(s.State)
		}
		for _, one := range strings.Fields(want) {
			if id, state, _ := strings.Cut(one, ":"); got[id] != state {
				t.Errorf("%s: surface %s is %q, want %q", name, id, got[id], state)
			}
		}
	}

	secure := find(t, running, "openclaw-2026.9.6-secure")
	targets, _, _ := scanWith(t, trust, nil, secure.URL)
	if len(targets) != 1 {
		t.Fatalf("%d target lines, want 1", len(targets))
	}
	for _, f := range targets[0].Findings {
		if f.Severity.Rank() > event.Info.Rank() {
			t.Errorf("a gateway with nothing to fix has a finding: %s %s: %s", f.Severity, f.ID, f.Detail)
		}
	}
	if got := targets[0].TLS; got == nil || !got.Enabled || got.VerifyError != "" || !strings.HasPrefix(got.Version, "TLS 1.3") {
		t.Errorf("TLS %+v, want 1.3 with a certificate that verifies", got)
	}
}
