package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// Which checks look at OpenClaw's relatives is decided here, on purpose, for each.
func TestForRelatives(t *testing.T) {
	want := map[string]bool{
		// what any product with a login and a socket can have
		"auth-missing": true, "claimable": true, "default-password": true, "gateway-forwarded": true, "auth-unverified": true,
		"exposed-to-internet": true, "listens-beyond-loopback": true, "published-on-all-interfaces": true, "plain-http": true,
		"tls-expired": true, "tls-name-mismatch": true, "tls-self-signed": true, "tls-old": true,
		// what only OpenClaw answers, or sets
		"trusted-proxy-spoofable": false, "everyone-is-local": false, "origin-wildcard": false, "origin-host-fallback": false,
		"device-auth-disabled": false, "proxy-attribution-blocked": false, "terminal-enabled": false, "openai-api-enabled": false,
		"canvas-open": false, "metrics-public": false, "readiness-details-public": false, "bootstrap-config-public": false,
		"filesystem-paths-public": false, "assistant-name-public": false, "source-maps-public": false, "hooks-enabled": false,
		// what is known of OpenClaw's releases alone
		"legacy-product": false, "release-outdated": false, "advisory-affected": false,
		// helpers are no relatives
		"cdp-reachable": false, "browser-control-reachable": false, "novnc-reachable": false, "helper-open": false,
		// what the files of OpenClaw's deployments alone show
		"token-published-example": false, "token-weak": false, "agent-open-to-channels": false, "secret-in-image": false,
		"device-auto-approve": false, "tools-over-http": false, "hooks-weak": false, "forwarded-for-appended": false,
		"secret-in-file": false, "file-modes": false, "config-invalid": false, "refuses-start": false, "runs-as-root": false,
		"mdns-says-too-much": false, "setting-without-effect": false, "leftover-state": false,
	}
	for _, c := range check.All() {
		decided, ok := want[c.Doc.ID]
		if !ok {
			t.Errorf("%s: decide whether it looks at relatives", c.Doc.ID)
		}
		if c.Doc.Relatives != decided {
			t.Errorf("%s looks at relatives: %t", c.Doc.ID, !decided)
		}
	}
}

// What is said about a relative or a helper is about that product: not one of
// OpenClaw's settings, commands or pages, and what to do if it is open is the
// product's own.
func TestRelativesOwnWords(t *testing.T) {
	set := builtin(t)
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for name, c := range all {
		o := set.Replay(&c, event.LevelStandard)
		v := o.Verdict()
		if v.Product.Confidence.Rank() < event.Firm.Rank() || !v.Relative && !(v.Helper && v.Advice.Means != "") {
			continue
		}
		for _, reach := range []event.Reach{"private", "public"} {
			findings := check.Run(check.All(), check.Subject{HostPort: "host:1", Reach: reach, Observation: o.Observation, Verdict: v, Evidence: o.Evidence, Releases: set.Releases(v.Product.ID)})
			ids := ""
			for _, f := range findings {
				ids += " " + f.ID
				seen[f.ID]++
				saidInMessages(t, f)
				translated(t, slices.Concat(f.Said().Detail, f.Said().Remediation)...)
				text := f.Detail + " " + f.Remediation + " " + strings.Join(f.References, " ")
				for _, word := range []string{"gateway.", "openclaw.json", "openclaw gateway", "docs.openclaw.ai", "npm install"} {
					if strings.Contains(text, word) {
						t.Errorf("%s: %s speaks of OpenClaw (%s): %s", name, f.ID, word, text)
					}
				}
				own := slices.Contains([]string{"auth-missing", "claimable", "default-password", "helper-open"}, f.ID)
				if own && !strings.HasSuffix(f.Remediation, "Runbook: clawsonar explain "+v.Product.ID) {
					t.Errorf("%s: remediation of %s is not the product's: %q", name, f.ID, f.Remediation)
				}
			}
			must := map[event.AuthState]string{event.AuthOpen: "auth-missing", event.AuthClaimable: "claimable", event.AuthUnknown: "auth-unverified"}[v.Auth.State]
			if v.Helper {
				must = map[event.AuthState]string{event.AuthOpen: "helper-open"}[v.Auth.State]
			}
			if must != "" && !strings.Contains(ids+" ", " "+must+" ") {
				t.Errorf("%s (%s): found%s, want %s", name, v.Auth.State, ids, must)
			}
		}
	}
	for _, id := range []string{"auth-missing", "claimable", "default-password", "helper-open", "auth-unverified", "plain-http", "exposed-to-internet"} {
		if seen[id] == 0 {
			t.Errorf("no capture raises %s", id)
		}
	}
}

// What tells a relative's finding from OpenClaw's is not its severity.
func TestRelativeSeverity(t *testing.T) {
	s := sound(t)
	s.Verdict = &fingerprint.Verdict{
		Product: event.Product{ID: "toy", Name: "Toy", Confidence: event.Certain}, Relative: true,
		Auth:   event.Auth{State: event.AuthOpen, Because: []string{"root"}},
		Advice: fingerprint.Advice{Means: "Anyone who reaches it can play with it.", Fix: "Put it away.", References: []string{"https://example.org/toy"}},
	}
	s.Reach = "loopback"
	got := check.Run(check.All(), s)
	if len(got) != 1 || got[0].ID != "auth-missing" || got[0].Severity != event.Critical {
		t.Fatalf("%+v", got)
	}
	if got[0].Detail != "Anyone who reaches it can play with it. Shown by root." || got[0].Remediation != "Put it away. Runbook: clawsonar explain toy" || !slices.Equal(got[0].References, []string{"https://example.org/toy"}) {
		t.Errorf("%+v", got[0])
	}
	// Words that nobody has translated are passed on.
	if ids := []string{got[0].Messages.Detail[0].ID, got[0].Messages.Remediation[0].ID}; !slices.Equal(ids, []string{"said", "said"}) {
		t.Errorf("messages %q", ids)
	}
}
