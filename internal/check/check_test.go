package check_test

import (
	"io/fs"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

func builtin(t *testing.T) *fingerprint.Set {
	t.Helper()
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// table is the little that the checks need to know of releases.
const table = `{"as_of":"2026-10-01T00:00:00Z","releases":[
	{"package":"openclaw","version":"2026.6.33","date":"2026-06-20T00:00:00Z"},
	{"package":"openclaw","version":"2026.6.34","date":"2026-07-25T00:00:00Z"},
	{"package":"openclaw","version":"2026.7.1","date":"2026-07-01T00:00:00Z"},
	{"package":"openclaw","version":"2026.8.1","date":"2026-08-15T00:00:00Z"},
	{"package":"openclaw","version":"2026.9.5","date":"2026-09-20T00:00:00Z"},
	{"package":"openclaw","version":"2026.9.6","date":"2026-10-01T00:00:00Z"}]}`

// sound returns a gateway that has nothing to fix: recognised, asking for a
// credential, over TLS, on a private address, of the newest release.
func sound(t *testing.T) check.Subject {
	t.Helper()
	releases, err := release.Load("f", []byte(table))
	if err != nil {
		t.Fatal(err)
	}
	return check.Subject{
		HostPort: "gw.example:18789", Reach: "private", Releases: releases, Evidence: func(names ...string) []string { return names },
		Observation: &evidence.Observation{
			Addr: netip.MustParseAddrPort("10.0.0.7:18789"), Name: "gw.example", Scheme: "https",
			Outcome: event.OutcomeIdentified, TLS: &evidence.TLSInfo{Version: "TLS 1.3"},
		},
		Verdict: &fingerprint.Verdict{
			Product: event.Product{ID: "openclaw", Name: "OpenClaw gateway", Brand: "openclaw",
				Confidence: event.Certain, Because: []string{"challenge.frame"}},
			Version: event.Version{Exact: "2026.9.6", Candidates: []string{"2026.9.6"}, Source: "sw.js", Confidence: event.Certain},
			Auth:    event.Auth{State: event.AuthRequired, Because: []string{"tools.unauthorized"}},
		},
	}
}

// cases change the sound gateway. want is the severity that the check then
// gives it, "" for nothing.
func cases() []struct {
	check, name string
	change      func(*check.Subject)
	want        event.Severity
} {
	auth := func(state event.AuthState, mode event.AuthMode) func(*check.Subject) {
		return func(s *check.Subject) {
			s.Verdict.Auth = event.Auth{State: state, Mode: mode, Because: []string{"tools.missing-scope"}}
		}
	}
	brand := func(brand string) func(*check.Subject) {
		return func(s *check.Subject) { s.Verdict.Product.Brand, s.Verdict.Version = brand, event.Version{} }
	}
	fits := func(candidates ...string) func(*check.Subject) {
		return func(s *check.Subject) {
			s.Verdict.Version = event.Version{Candidates: candidates, Source: "assets", Confidence: event.Firm}
			if len(candidates) == 1 {
				s.Verdict.Version.Exact = candidates[0]
			}
		}
	}
	reach := func(reach event.Reach) func(*check.Subject) {
		return func(s *check.Subject) { s.Reach = reach }
	}
	plain := func(reach event.Reach) func(*check.Subject) {
		return func(s *check.Subject) { s.Reach, s.Observation.Scheme, s.Observation.TLS = reach, "http", nil }
	}
	bound := func(addr, process string) func(*check.Subject) {
		return func(s *check.Subject) {
			s.Reach, s.Bound, s.Process = "loopback", netip.MustParseAddrPort(addr), process
		}
	}
	found := func(d event.Discovery) func(*check.Subject) {
		return func(s *check.Subject) { s.Discovery = &d }
	}
	// apply has one advisory apply, about the gateway's own port or not.
	apply := func(access advisory.Access, severity event.Severity, gateway string, credential event.Credential, status event.AdvisoryStatus) func(*check.Subject) {
		return func(s *check.Subject) {
			m := advisory.Match{Status: status, Advisory: &advisory.Advisory{
				ID: "GHSA-0000-0000-0000", Severity: severity, Gateway: gateway, Credential: credential, Summary: "what it is",
			}}
			s.Advisories = &advisory.Assessment{Access: access}
			switch m.Reach(access) {
			case event.Reachable:
				s.Advisories.Reachable = []advisory.Match{m}
			case event.NeedsCredential:
				s.Advisories.Behind = []advisory.Match{m}
			default:
				s.Advisories.Elsewhere = []advisory.Match{m}
			}
		}
	}
	// with makes several changes.
	with := func(changes ...func(*check.Subject)) func(*check.Subject) {
		return func(s *check.Subject) {
			for _, change := range changes {
				change(s)
			}
		}
	}
	traits := func(ids ...string) func(*check.Subject) {
		return func(s *check.Subject) {
			for _, id := range ids {
				s.Verdict.Traits = append(s.Verdict.Traits, fingerprint.Trait{ID: id, Because: []string{"details"}})
			}
		}
	}
	surface := func(id string, state event.SurfaceState) func(*check.Subject) {
		return func(s *check.Subject) {
			s.Verdict.Surfaces = append(s.Verdict.Surfaces, event.Surface{ID: id, State: state, Path: "/" + id})
		}
	}
	helper := func(product string, state event.AuthState) func(*check.Subject) {
		return func(s *check.Subject) {
			s.Verdict = &fingerprint.Verdict{
				Product: event.Product{ID: product, Name: product, Confidence: event.Certain, Because: []string{"rfb.version"}}, Helper: true,
				Auth: event.Auth{State: state},
			}
		}
	}
	// relative makes it one of OpenClaw's relatives, with words of its own.
	relative := func(state event.AuthState) func(*check.Subject) {
		return func(s *check.Subject) {
			s.Releases = nil
			s.Verdict = &fingerprint.Verdict{
				Product: event.Product{ID: "toy", Name: "Toy", Confidence: event.Certain, Because: []string{"root"}}, Relative: true,
				Auth:   event.Auth{State: state, Because: []string{"root"}},
				Advice: fingerprint.Advice{Means: "Anyone who reaches it can play with it.", Fix: "Put it away.", Steps: "1. Put it away."},
			}
		}
	}
	advised := func(s *check.Subject) { s.Verdict.Advice.Means = "Anyone who reaches it can play with it." }
	scanned := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	tls := func(i evidence.TLSInfo) func(*check.Subject) {
		return func(s *check.Subject) {
			if i.Version == "" {
				i.Version = "TLS 1.3"
			}
			i.SHA256 = "00"
			if i.NotAfter.IsZero() {
				i.NotAfter = scanned.Add(time.Hour)
			}
			s.Observation.TLS, s.Observation.Time = &i, scanned
		}
	}
	open, loopback := auth(event.AuthOpen, ""), reach("loopback")
	return []struct {
		check, name string
		change      func(*check.Subject)
		want        event.Severity
	}{
		{"everyone-is-local", "from elsewhere", traits("taken-for-local"), event.High},
		{"everyone-is-local", "over loopback", with(traits("taken-for-local"), loopback), ""},
		{"everyone-is-local", "details of unknown cause", with(traits("details-shown"), open), ""},

		{"proxy-attribution-blocked", "refused", with(traits("proxy-refused"), auth(event.AuthBlocked, "")), event.Medium},
		{"proxy-attribution-blocked", "our address is the proxy's", traits("proxy-refused", "proxy-spoofable"), ""},

		{"trusted-proxy-spoofable", "our address is the proxy's", with(traits("proxy-spoofable"), auth(event.AuthRequired, "")), event.High},
		{"trusted-proxy-spoofable", "another address is the proxy's", auth(event.AuthRequired, ""), ""},

		{"origin-wildcard", "passes", traits("origin-any"), event.High},
		{"origin-wildcard", "only under its own name", traits("origin-of-host"), ""},
		{"origin-host-fallback", "passes", traits("origin-of-host"), event.High},
		{"origin-host-fallback", "any passes", traits("origin-any"), ""},
		{"device-auth-disabled", "not asked", traits("no-device-asked"), event.High},
		{"device-auth-disabled", "any origin passes", traits("origin-any"), ""},

		{"openai-api-enabled", "chat, asks for a credential", surface("openai-chat", "present"), event.Info},
		{"openai-api-enabled", "models, asks for a credential", surface("openai-models", "gated"), event.Info},
		{"openai-api-enabled", "responses, open", with(surface("openai-responses", "present"), open), event.Critical},
		{"openai-api-enabled", "off and open", open, ""},
		{"hooks-enabled", "on", surface("hooks", "present"), event.Info},
		{"hooks-enabled", "off", surface("terminal", "present"), ""},
		{"terminal-enabled", "asks for a credential", surface("terminal", "present"), event.Low},
		{"terminal-enabled", "open", with(surface("terminal", "present"), open), event.Critical},
		{"terminal-enabled", "off and open", open, ""},

		{"canvas-open", "to all", with(surface("canvas", "open"), traits("canvas-for-all")), event.Medium},
		{"canvas-open", "to all, over loopback", with(surface("canvas", "open"), traits("canvas-for-all"), loopback), event.Medium},
		{"canvas-open", "from elsewhere", surface("canvas", "open"), event.Medium},
		{"canvas-open", "to local clients, over loopback", with(surface("canvas", "open"), loopback), ""},
		{"canvas-open", "on a port of its own", with(helper("openclaw-canvas", event.AuthOpen), surface("canvas", "open")), event.Medium},
		{"canvas-open", "on a port of its own, over loopback", with(helper("openclaw-canvas", event.AuthOpen), surface("canvas", "open"), loopback), ""},

		{"metrics-public", "open", surface("metrics", "open"), event.Medium},
		{"metrics-public", "gated", surface("metrics", "gated"), ""},
		{"readiness-details-public", "from elsewhere", with(traits("details-shown"), open), event.Low},
		{"readiness-details-public", "over loopback", with(traits("details-shown"), loopback), ""},
		{"readiness-details-public", "everybody is local", traits("details-shown", "taken-for-local"), ""},
		{"bootstrap-config-public", "public", traits("config-public"), event.Low},
		{"bootstrap-config-public", "given because all is open", open, ""},
		{"filesystem-paths-public", "listed", traits("config-public", "paths-public"), event.Low},
		{"filesystem-paths-public", "not listed", traits("config-public"), ""},
		{"assistant-name-public", "in the page", traits("assistant-public"), event.Low},
		{"assistant-name-public", "in the configuration", traits("config-public"), ""},
		{"source-maps-public", "served", surface("source-maps", "open"), event.Low},
		{"source-maps-public", "not served", surface("control-ui", "open"), ""},

		{"cdp-reachable", "from elsewhere", helper("cdp", event.AuthOpen), event.Critical},
		{"cdp-reachable", "over loopback", with(helper("cdp", event.AuthOpen), loopback), event.Info},
		{"cdp-reachable", "over loopback, bound to all", with(helper("cdp", event.AuthOpen), bound("0.0.0.0:9222", "chrome")), event.Critical},
		{"cdp-reachable", "over loopback, bound to loopback", with(helper("cdp", event.AuthOpen), bound("127.0.0.1:9222", "chrome")), event.Info},
		{"cdp-reachable", "another helper", helper("vnc", event.AuthOpen), ""},
		{"browser-control-reachable", "from elsewhere", helper("openclaw-browser", event.AuthOpen), event.Critical},
		{"browser-control-reachable", "over loopback", with(helper("openclaw-browser", event.AuthOpen), loopback), event.Info},
		{"browser-control-reachable", "over loopback, bound to all", with(helper("openclaw-browser", event.AuthOpen), bound("[::]:18791", "")), event.Critical},
		{"browser-control-reachable", "another helper", helper("cdp", event.AuthOpen), ""},
		{"novnc-reachable", "VNC without a password", helper("vnc", event.AuthOpen), event.Critical},
		{"novnc-reachable", "noVNC without a password", helper("novnc", event.AuthOpen), event.Critical},
		{"novnc-reachable", "with a password", helper("vnc", event.AuthRequired), event.Medium},
		{"novnc-reachable", "not known", helper("novnc", event.AuthUnknown), event.High},
		{"novnc-reachable", "over loopback", with(helper("vnc", event.AuthOpen), loopback), event.Info},
		{"novnc-reachable", "over loopback, published on all", with(helper("vnc", event.AuthOpen), bound("0.0.0.0:5900", "")), event.Critical},
		{"novnc-reachable", "another helper", helper("cdp", event.AuthOpen), ""},

		{"tls-self-signed", "self-signed", tls(evidence.TLSInfo{SelfSigned: true, Subject: "CN=openclaw-gateway"}), event.Low},
		{"tls-self-signed", "signed by an authority", tls(evidence.TLSInfo{VerifyError: "certificate signed by unknown authority"}), ""},
		{"tls-expired", "expired", tls(evidence.TLSInfo{NotAfter: scanned.Add(-time.Hour)}), event.Medium},
		{"tls-expired", "not yet valid", tls(evidence.TLSInfo{NotBefore: scanned.Add(time.Minute)}), event.Medium},
		{"tls-expired", "valid", tls(evidence.TLSInfo{}), ""},
		{"tls-name-mismatch", "another name", tls(evidence.TLSInfo{NameError: "certificate is valid for a.example, not gw.example", Names: []string{"a.example"}}), event.Medium},
		{"tls-name-mismatch", "no name", tls(evidence.TLSInfo{NameError: "certificate relies on legacy Common Name field"}), event.Medium},
		{"tls-name-mismatch", "self-signed, which is said", tls(evidence.TLSInfo{NameError: "x", SelfSigned: true}), ""},
		{"tls-old", "1.1 is accepted", tls(evidence.TLSInfo{Legacy: "TLS 1.1"}), event.Low},
		{"tls-old", "1.0 is all there is", tls(evidence.TLSInfo{Version: "TLS 1.0", Legacy: "TLS 1.0"}), event.Medium},
		{"tls-old", "1.2 and up", tls(evidence.TLSInfo{Version: "TLS 1.2"}), ""},

		{"auth-missing", "mode none", auth(event.AuthOpen, "none"), event.Critical},
		{"auth-missing", "open, mode not shown", auth(event.AuthOpen, ""), event.Critical},
		{"auth-missing", "open through a proxy", func(s *check.Subject) {
			auth(event.AuthOpen, "")(s)
			s.Verdict.Front.Kind = "nginx"
		}, event.Critical},
		{"auth-missing", "open over loopback", func(s *check.Subject) { auth(event.AuthOpen, "none")(s); s.Reach = "loopback" }, event.Critical},
		{"auth-missing", "a relative", relative(event.AuthOpen), event.Critical},
		{"auth-unverified", "a relative", relative(event.AuthUnknown), event.Info},
		{"claimable", "a relative", relative(event.AuthClaimable), event.Critical},
		{"claimable", "without words of its own", auth(event.AuthClaimable, ""), event.Critical},
		{"claimable", "open", relative(event.AuthOpen), ""},
		{"default-password", "a relative", with(relative(event.AuthRequired), traits("default-password")), event.Critical},
		{"default-password", "another password", relative(event.AuthRequired), ""},
		{"gateway-forwarded", "a relative", with(relative(event.AuthRequired), traits("gateway-forwarded")), event.High},
		{"gateway-forwarded", "a dashboard that does not", relative(event.AuthRequired), ""},
		{"helper-open", "from elsewhere", with(helper("ollama", event.AuthOpen), advised), event.High},
		{"helper-open", "over loopback, bound to all", with(helper("ollama", event.AuthOpen), advised, bound("0.0.0.0:11434", "")), event.High},
		{"helper-open", "over loopback", with(helper("ollama", event.AuthOpen), advised, loopback), event.Info},
		{"helper-open", "asks for a key", with(helper("litellm", event.AuthRequired), advised), ""},
		{"helper-open", "has a check of its own", helper("vnc", event.AuthOpen), ""},

		{"auth-missing", "required", auth(event.AuthRequired, ""), ""},
		{"auth-missing", "gated", auth(event.AuthGated, "http-authentication"), ""},
		{"auth-missing", "blocked", auth(event.AuthBlocked, ""), ""},
		{"auth-missing", "unknown", auth(event.AuthUnknown, ""), ""},

		{"legacy-product", "clawdbot", brand("clawdbot"), event.High},
		{"legacy-product", "moltbot", brand("moltbot"), event.High},
		{"legacy-product", "all candidates before the name", fits("2026.1.24", "2026.1.24-3"), event.High},
		{"legacy-product", "one candidate under the name", fits("2026.1.24", "2026.1.29"), ""},
		{"legacy-product", "release unknown", brand("openclaw"), ""},

		{"exposed-to-internet", "public", reach("public"), event.High},
		{"exposed-to-internet", "public and open", func(s *check.Subject) { auth(event.AuthOpen, "none")(s); s.Reach = "public" }, event.High},
		{"exposed-to-internet", "shared", reach("shared"), ""},
		{"exposed-to-internet", "loopback", reach("loopback"), ""},

		{"listens-beyond-loopback", "wildcard", bound("0.0.0.0:18789", "node"), event.Medium},
		{"listens-beyond-loopback", "IPv6 wildcard", bound("[::]:18789", ""), event.Medium},
		{"listens-beyond-loopback", "LAN address", bound("192.168.1.5:18789", "node"), event.Medium},
		{"listens-beyond-loopback", "loopback", bound("127.0.0.1:18789", "node"), ""},
		{"listens-beyond-loopback", "IPv6 loopback", bound("[::1]:18789", "node"), ""},
		{"published-on-all-interfaces", "every address", found(event.Discovery{By: event.ByDocker, Published: "0.0.0.0:18789"}), event.Medium},
		{"published-on-all-interfaces", "every IPv6 address", found(event.Discovery{By: event.ByDocker, Published: "[::]:18789"}), event.Medium},
		{"published-on-all-interfaces", "loopback", found(event.Discovery{By: event.ByDocker, Published: "127.0.0.1:18789"}), ""},
		{"published-on-all-interfaces", "one address", found(event.Discovery{By: event.ByDocker, Published: "192.168.1.5:18789"}), ""},
		{"published-on-all-interfaces", "no engine said so", found(event.Discovery{By: event.ByMDNS, Announced: []string{}}), ""},
		{"mdns-says-too-much", "its path", found(event.Discovery{By: event.ByMDNS, Announced: []string{"role", event.AnnouncedCLI}}), event.Medium},
		{"mdns-says-too-much", "the port of SSH", found(event.Discovery{By: event.ByMDNS, Announced: []string{event.AnnouncedSSH}}), event.Medium},
		{"mdns-says-too-much", "the tailnet", found(event.Discovery{By: event.ByMDNS, Announced: []string{event.AnnouncedTailnet}}), event.Medium},
		{"mdns-says-too-much", "what it must", found(event.Discovery{By: event.ByMDNS, Announced: []string{"role", event.AnnouncedPort, event.AnnouncedTLS, "displayName"}}), ""},
		{"mdns-says-too-much", "not announced", reach("private"), ""},

		{"listens-beyond-loopback", "a container's port", func(s *check.Subject) {
			bound("0.0.0.0:18789", "claw")(s)
			found(event.Discovery{By: event.ByDocker, Published: "0.0.0.0:18789"})(s)
		}, ""},
		{"listens-beyond-loopback", "a container's port on one address", func(s *check.Subject) {
			bound("192.168.1.5:18789", "claw")(s)
			found(event.Discovery{By: event.ByDocker, Published: "192.168.1.5:18789"})(s)
		}, event.Medium},
		{"listens-beyond-loopback", "not this machine", reach("private"), ""},

		{"advisory-affected", "needs no credential", apply(advisory.Guarded, "critical", "true", "none", event.StatusAffected), event.Critical},
		{"advisory-affected", "needs no credential, low", apply(advisory.Guarded, "low", "true", "none", event.StatusAffected), event.Low},
		{"advisory-affected", "needs no credential, not graded", apply(advisory.Guarded, "", "true", "none", event.StatusAffected), event.Critical},
		{"advisory-affected", "needs a credential, not graded", apply(advisory.Guarded, "", "true", "required", event.StatusAffected), event.Medium},
		{"advisory-affected", "only possible, not graded", apply(advisory.Guarded, "", "true", "none", event.StatusPossible), event.Medium},
		{"advisory-affected", "needs a credential", apply(advisory.Guarded, "critical", "true", "required", event.StatusAffected), event.Medium},
		{"advisory-affected", "needs a credential, but auth is open", apply(advisory.Open, "critical", "true", "required", event.StatusAffected), event.Critical},
		{"advisory-affected", "needs none, but a front asks for one", apply(advisory.Fronted, "critical", "true", "none", event.StatusAffected), event.Medium},
		{"advisory-affected", "only possible", apply(advisory.Guarded, "critical", "true", "none", event.StatusPossible), event.Medium},
		{"advisory-affected", "unclear way in", apply(advisory.Guarded, "critical", "unclear", "none", event.StatusAffected), event.Medium},
		{"advisory-affected", "not through the port", apply(advisory.Open, "critical", "false", "none", event.StatusAffected), event.Low},
		{"advisory-affected", "none applies", func(s *check.Subject) { s.Advisories = &advisory.Assessment{} }, ""},
		{"advisory-affected", "all suppressed", func(s *check.Subject) {
			s.Advisories = &advisory.Assessment{Suppressed: []advisory.Suppressed{{Why: "not affected"}}}
		}, ""},

		{"release-outdated", "some days", fits("2026.9.5"), event.Low},
		{"release-outdated", "a month", fits("2026.8.1"), event.Medium},
		{"release-outdated", "a quarter", fits("2026.7.1"), event.High},
		{"release-outdated", "not in the table", fits("2026.7.9"), event.Low},
		{"release-outdated", "all candidates older", fits("2026.7.1", "2026.8.1"), event.Medium},
		{"release-outdated", "extended-stable, behind its line", fits("2026.6.33"), event.Medium},
		{"release-outdated", "extended-stable, newest of its line", fits("2026.6.34"), ""},
		{"release-outdated", "one candidate is the newest", fits("2026.9.5", "2026.9.6"), ""},
		{"release-outdated", "newer than the table", fits("2026.10.1"), ""},
		{"release-outdated", "release unknown", brand("openclaw"), ""},
		{"release-outdated", "no table", func(s *check.Subject) { fits("2026.7.1")(s); s.Releases = nil }, ""},

		{"plain-http", "LAN", plain("private"), event.Medium},
		{"plain-http", "internet", plain("public"), event.Medium},
		{"plain-http", "loopback", plain("loopback"), event.Info},
		{"plain-http", "loopback, bound to all", with(plain("loopback"), bound("0.0.0.0:18789", "node")), event.Medium},
		{"plain-http", "loopback, bound to loopback", with(plain("loopback"), bound("127.0.0.1:18789", "node")), event.Info},
		{"plain-http", "TLS", reach("public"), ""},

		{"auth-unverified", "unknown", auth(event.AuthUnknown, ""), event.Info},
		{"auth-unverified", "unknown, requests failed", func(s *check.Subject) {
			auth(event.AuthUnknown, "")(s)
			s.Observation.Exchanges = []evidence.Exchange{{ID: "tools", Err: "no answer in time"}}
		}, event.Info},
		{"auth-unverified", "unknown, strange answers", func(s *check.Subject) {
			auth(event.AuthUnknown, "")(s)
			s.Observation.Exchanges = []evidence.Exchange{{ID: "tools", Status: 418}}
		}, event.Info},
		{"auth-unverified", "open", auth(event.AuthOpen, "none"), ""},
		{"auth-unverified", "gated", auth(event.AuthGated, "http-authentication"), ""},
		{"auth-unverified", "blocked", auth(event.AuthBlocked, ""), ""},
	}
}

// Every check is raised by some subject and not by another, with the severity
// that fits; and never on a guess, nor on the gateway that has nothing to fix.
func TestChecks(t *testing.T) {
	raised, quiet := map[string]bool{}, map[string]bool{}
	byID := map[string]check.Check{}
	for _, c := range check.All() {
		byID[c.Doc.ID] = c
		if got := c.Judge(sound(t)); got != nil {
			t.Errorf("%s: raised on a gateway that has nothing to fix: %s", c.Doc.ID, got.Detail)
		}
	}
	for _, c := range cases() {
		t.Run(c.check+"/"+c.name, func(t *testing.T) {
			judged, ok := byID[c.check]
			if !ok {
				t.Fatal("there is no such check")
			}
			if c.want != "" {
				raised[c.check] = true
			} else {
				quiet[c.check] = true
			}
			s := sound(t)
			c.change(&s)
			got := judged.Judge(s)
			switch {
			case c.want == "" && got == nil:
				return
			case c.want == "":
				t.Fatalf("raised (%s): %s", got.Severity, got.Detail)
			case got == nil:
				t.Fatalf("no finding, want one (%s)", c.want)
			case got.Severity != c.want:
				t.Errorf("severity %s, want %s: %s", got.Severity, c.want, got.Detail)
			}
			wellFormed(t, judged.Doc, *got)

			s.Verdict.Product.Confidence = event.Tentative
			if got := judged.Judge(s); got != nil {
				t.Errorf("raised on a guess (%s)", got.Severity)
			}
		})
	}
	for _, c := range check.All() {
		if c.Doc.Needs == event.NeedsFiles {
			continue // judged elsewhere
		}
		if !raised[c.Doc.ID] || !quiet[c.Doc.ID] {
			t.Errorf("%s: has a case that raises it: %t, that does not: %t; both are needed", c.Doc.ID, raised[c.Doc.ID], quiet[c.Doc.ID])
		}
	}
}

// What a finding says depends on what the listener is bound to, and on what leads
// to it; how severe it is does not.
func TestBinding(t *testing.T) {
	judge := map[string]check.Check{}
	for _, c := range check.All() {
		judge[c.Doc.ID] = c
	}
	for _, tt := range []struct {
		name, check string
		bound       string
		ways        []string
		forwards    bool
		front       string
		says, not   string // of detail and fix
	}{
		{name: "named, binding not known", check: "auth-missing", says: "Cut the exposure now", not: "alone"},
		{name: "loopback alone", check: "auth-missing", bound: "127.0.0.1:18789",
			says: "It listens on 127.0.0.1:18789 alone", not: "Cut the exposure"},
		{name: "loopback alone: what would open it", check: "auth-missing", bound: "[::1]:18789", says: "container port leads to it", not: "Cut the exposure"},
		{name: "all addresses", check: "auth-missing", bound: "0.0.0.0:18789", says: "Cut the exposure now", not: "alone"},
		{name: "something leads to it", check: "auth-missing", bound: "127.0.0.1:18789", ways: []string{"http://127.0.0.1/"}, says: "Cut the exposure now", not: "alone"},
		{name: "it is a proxy's", check: "auth-missing", bound: "127.0.0.1:80", forwards: true, says: "Cut the exposure now", not: "alone"},
		{name: "it is a proxy's by its answers", check: "auth-missing", bound: "127.0.0.1:80", front: "nginx", says: "Cut the exposure now", not: "alone"},

		{name: "all addresses", check: "plain-http", bound: "0.0.0.0:18789", says: "bound to 0.0.0.0:18789", not: "nothing leaves"},
		{name: "an outside address", check: "plain-http", bound: "192.0.2.7:18789", says: "bound to 192.0.2.7:18789", not: "nothing leaves"},
		{name: "loopback", check: "plain-http", bound: "127.0.0.1:18789", says: "nothing leaves this machine", not: "bound to"},
		{name: "binding not known", check: "plain-http", says: "nothing leaves this machine", not: "bound to"},

		{name: "the gateway's own", check: "listens-beyond-loopback", bound: "0.0.0.0:18789", says: "Set gateway.bind", not: "hands the gateway on"},
		{name: "a proxy's", check: "listens-beyond-loopback", bound: "0.0.0.0:80", forwards: true, says: "What forwards to the gateway is bound to 0.0.0.0:80", not: "gateway.bind"},
	} {
		t.Run(tt.check+"/"+tt.name, func(t *testing.T) {
			s := sound(t)
			s.Reach, s.Observation.Scheme, s.Observation.TLS = "loopback", "http", nil
			s.Verdict.Auth = event.Auth{State: event.AuthOpen, Mode: "none", Because: []string{"tools.missing-scope"}}
			s.Verdict.Front.Kind, s.Ways, s.Forwards = tt.front, tt.ways, tt.forwards
			if tt.bound != "" {
				s.Bound = netip.MustParseAddrPort(tt.bound)
			}
			got := judge[tt.check].Judge(s)
			if got == nil {
				t.Fatal("no finding")
			}
			if text := got.Detail + " " + got.Remediation; !strings.Contains(text, tt.says) || strings.Contains(text, tt.not) {
				t.Errorf("it says %q, want %q and not %q", text, tt.says, tt.not)
			}
			if tt.check == "auth-missing" && got.Severity != event.Critical {
				t.Errorf("severity %s", got.Severity)
			}
			wellFormed(t, judge[tt.check].Doc, *got)
		})
	}
}

func wellFormed(t *testing.T, doc event.CheckInfo, f event.Finding) {
	t.Helper()
	if f.ID != doc.ID || f.Title != doc.Title {
		t.Errorf("finding %s %q of check %s %q", f.ID, f.Title, doc.ID, doc.Title)
	}
	if f.Severity.Rank() == 0 || f.Severity.Rank() > doc.Severity.Rank() {
		t.Errorf("severity %q, the worst of this check is %q", f.Severity, doc.Severity)
	}
	if !strings.HasSuffix(f.Detail, ".") || strings.Contains(f.Detail, "\n") {
		t.Errorf("detail %q is not a sentence on one line", f.Detail)
	}
	if f.Remediation == "" || strings.Contains(f.Remediation, "\n") {
		t.Errorf("remediation %q is not on one line", f.Remediation)
	}
	saidInMessages(t, f)
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(f.Key) {
		t.Errorf("key %q", f.Key)
	}
	if f.Suppressed != "" {
		t.Errorf("suppressed: %q", f.Suppressed)
	}
}

// saidInMessages: what a finding says in English is what its messages say in all
// languages.
func saidInMessages(t *testing.T, f event.Finding) {
	t.Helper()
	for _, m := range slices.Concat(f.Said().Detail, f.Said().Remediation) {
		if err := m.Check(); err != nil {
			t.Errorf("%s: %v", f.ID, err)
		}
	}
	says := func(m message.Message) bool {
		text, ok := message.English.Text(m)
		return !ok || m.ID == "advisory-affected.worst" || strings.Contains(f.Detail+" "+f.Remediation, text)
	}
	for _, m := range slices.Concat(f.Said().Detail, f.Said().Remediation) {
		if !says(m) {
			t.Errorf("%s: %+v is not in %q, %q", f.ID, m, f.Detail, f.Remediation)
		}
	}
	if len(f.Said().Detail) == 0 || len(f.Said().Remediation) == 0 {
		t.Errorf("%s: said without messages: %q, %q", f.ID, f.Detail, f.Remediation)
	}
}

// translated: messages about a built-in product are in all languages.
func translated(t *testing.T, ms ...message.Message) {
	t.Helper()
	for _, m := range ms {
		if err := m.Check(); err != nil || m.ID == "said" {
			t.Errorf("not translated: %+v (%v)", m, err)
		}
	}
}

// goldenKeys has the key of each check's finding on the sound gateway's address.
// They are in the baselines of users: a changed one makes every finding of the
// check new to them. Add to this list, never change it.
func goldenKeys() map[string]string {
	return map[string]string{
		"auth-missing":                "cad1cc8d751f1e946f2836203499261e",
		"assistant-name-public":       "4a445887d4ce4e75055aa5e167fbcd33",
		"bootstrap-config-public":     "80e001eba51212e684fe12b6fb0f614e",
		"browser-control-reachable":   "e01491c5c188ff0aa9e165eeda3c7d6f",
		"canvas-open":                 "e0132bffc95920e7fdd750bfc25b730c",
		"cdp-reachable":               "d715c0c05ce072b160e845c240580286",
		"device-auth-disabled":        "a72320676d145422720cce4ad0182ee6",
		"everyone-is-local":           "c2220bdf0cd41cff3351bf5ebfc88098",
		"filesystem-paths-public":     "b21a59fdfe88247eeec809fdcb0ff237",
		"hooks-enabled":               "b8a58bb75cf7866a015e93a948c6619c",
		"metrics-public":              "879efcf3c56959b88ec4a3070bfab308",
		"novnc-reachable":             "f7d0d5f888d6d39404e48d7e183da3f7",
		"openai-api-enabled":          "82caab642fa7a0aa2de952ca0239360a",
		"origin-host-fallback":        "581103ab7a52a0d1ffa40a466efc2b3f",
		"origin-wildcard":             "08bd8135714aedd023d61c3b02b48b86",
		"proxy-attribution-blocked":   "2bfbe3cc9076d8890029127141dd80d7",
		"readiness-details-public":    "470a542ed0d9e962b5c40c020e86aee2",
		"source-maps-public":          "3d3335597925981e928de720b9e5dc51",
		"terminal-enabled":            "3a1e432e52ac1594c59b4e7d0a925fbf",
		"tls-expired":                 "4b4b3842a234c91769ed9368a9632da6",
		"tls-name-mismatch":           "8d772e805db2ee5da610c1c30b8df700",
		"tls-old":                     "c6558fe83eec5a3f724eaf63bba842a6",
		"tls-self-signed":             "8a379a7d562fc5e9f66c685ced63c679",
		"trusted-proxy-spoofable":     "0060b4411a332ba36862f0938dd61093",
		"legacy-product":              "f15c355f4d062230646728a612f418dc",
		"exposed-to-internet":         "e1050e292b4ccd561b9db0acf79c347e",
		"listens-beyond-loopback":     "8787124d4a58141559f2edc48a22a3b1",
		"published-on-all-interfaces": "3ae473fefe1185e963be067825b0e900",
		"mdns-says-too-much":          "03b0b8c752a01975e6717ab555e9d52d",
		"advisory-affected":           "c9a8b8c040d6a16f572bfe6a925c59ef",
		"release-outdated":            "70a420824509fc51c4776aaf24402609",
		"plain-http":                  "3869f858393302b6f247d65c0ccf4a77",
		"auth-unverified":             "efbd39f3ec3ff2b4a538ad5ba5320a67",
		"claimable":                   "bdfd2da58f5192abd27e3a05616afeea",
		"default-password":            "512e528d21f9582caecb1f2098bcf279",
		"gateway-forwarded":           "5289ccc0cba11b98d09252351acec301",
		"helper-open":                 "7ec16a5ad97e4435d9801af80449a881",
	}
}

// A finding's key depends on the check and the target, and on nothing else.
func TestKeys(t *testing.T) {
	golden := goldenKeys()
	byID := map[string]check.Check{}
	for _, c := range check.All() {
		byID[c.Doc.ID] = c
		if golden[c.Doc.ID] == "" && c.Doc.Needs != event.NeedsFiles {
			t.Errorf("%s has no golden key", c.Doc.ID)
		}
	}
	for id := range golden {
		if _, ok := byID[id]; !ok {
			t.Errorf("check %s is gone: its keys in baselines match nothing", id)
		}
	}
	seen := map[string]string{}
	for _, c := range cases() {
		if c.want == "" {
			continue
		}
		key := func(also func(*check.Subject)) string {
			s := sound(t)
			c.change(&s)
			also(&s)
			f := byID[c.check].Judge(s)
			if f == nil {
				t.Fatalf("%s/%s: no finding", c.check, c.name)
			}
			return f.Key
		}
		got := key(func(*check.Subject) {})
		if got != golden[c.check] {
			t.Errorf("%s/%s: key %s, want %s", c.check, c.name, got, golden[c.check])
		}
		if other, ok := seen[got]; ok && other != c.check {
			t.Errorf("%s and %s have the same key", c.check, other)
		}
		seen[got] = c.check
		// Only the address changes it.
		if again := key(func(s *check.Subject) {
			s.Observation.Addr, s.Observation.Name = netip.MustParseAddrPort("10.9.9.9:18789"), ""
			s.Verdict.Product.Because, s.Verdict.Product.Name = []string{"blocked"}, "another name"
		}); again != got {
			t.Errorf("%s/%s: the key depends on more than check and target", c.check, c.name)
		}
		if other := key(func(s *check.Subject) { s.HostPort = "gw.example:18790" }); other == got {
			t.Errorf("%s/%s: another port has the same key", c.check, c.name)
		}
		if other := key(func(s *check.Subject) { s.Observation.Base = "/claw" }); other == got {
			t.Errorf("%s/%s: another base path has the same key", c.check, c.name)
		}
	}
}

// Readers of "clawsonar explain" and of a report find every part of it.
func TestDocs(t *testing.T) {
	ids := map[string]bool{}
	optional := []string{"References", "Relatives", "FixAny", "Fixes", "Advised", "First", "Files"}
	control := regexp.MustCompile(`^(nvdb:N[1-6]|cncert:C[1-7]|tongbao:T[1-5]|owasp:ASI(0[1-9]|10))$`)
	for _, c := range check.All() {
		doc := c.Doc
		if ids[doc.ID] {
			t.Errorf("two checks are called %s", doc.ID)
		}
		ids[doc.ID] = true
		if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(doc.ID) {
			t.Errorf("id %q", doc.ID)
		}
		v := reflect.ValueOf(doc)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if !slices.Contains(optional, name) && (v.Field(i).IsZero() || v.Field(i).Kind() == reflect.Slice && v.Field(i).Len() == 0) {
				t.Errorf("%s: %s is empty", doc.ID, name)
			}
			if text := v.Field(i); text.Kind() == reflect.String && text.String() != strings.TrimSpace(text.String()) {
				t.Errorf("%s: %s has white space around it", doc.ID, name)
			}
		}
		if doc.FixAny != "" && (!doc.Relatives || doc.Advised) {
			t.Errorf("%s: FixAny would never be read", doc.ID)
		}
		if doc.Severity.Rank() == 0 {
			t.Errorf("%s: severity %q", doc.ID, doc.Severity)
		}
		for _, text := range []string{doc.Title, doc.When, doc.Files, doc.Why, doc.Fix, doc.Steps} {
			for line := range strings.Lines(text) {
				if utf8.RuneCountInString(line) > 81 {
					t.Errorf("%s: a line is longer than 80 columns: %s", doc.ID, line)
				}
			}
		}
		for _, name := range doc.Controls {
			if !control.MatchString(name) {
				t.Errorf("%s: control %q", doc.ID, name)
			}
		}
		for _, url := range doc.References {
			if !strings.HasPrefix(url, "https://") {
				t.Errorf("%s: reference %q", doc.ID, url)
			}
		}
	}
	for _, state := range []event.AuthState{event.AuthOpen, event.AuthRequired, event.AuthGated, event.AuthBlocked, event.AuthClaimable, event.AuthUnknown} {
		at := slices.IndexFunc(check.States(), func(d check.StateDoc) bool { return d.State == state })
		if at < 0 || check.States()[at].Title == "" || check.States()[at].Text == "" {
			t.Errorf("state %s is not explained", state)
		}
	}
	// "See auth-missing." leads somewhere.
	for _, d := range check.States() {
		for _, m := range regexp.MustCompile(`See ([a-z]+(?:-[a-z]+)+)`).FindAllStringSubmatch(d.Text, -1) {
			if !ids[m[1]] {
				t.Errorf("state %s refers to %s, which is no check", d.State, m[1])
			}
		}
	}
}

// On every recorded gateway, from wherever it is looked at, what a finding
// gives as its evidence is an exchange, or something that the fingerprints know.
func TestEvidenceExists(t *testing.T) {
	set, known := builtin(t), evidenceNames(t)
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, c := range all {
		o := set.Replay(&c, event.LevelStandard)
		o.Outcome = event.OutcomeIdentified
		v := o.Verdict()
		evidence := func(names ...string) []string {
			for _, id := range names {
				seen++
				if !known[id] && o.Exchange(id) == nil {
					t.Errorf("%s: a finding has evidence %q, which no fingerprint knows", name, id)
				}
			}
			return o.Evidence(names...)
		}
		for _, reach := range []event.Reach{"loopback", "private", "public"} {
			for _, f := range check.Run(check.All(), check.Subject{
				HostPort: "gw.example:18789", Reach: reach, Bound: netip.MustParseAddrPort("0.0.0.0:18789"),
				Observation: o.Observation, Verdict: v, Evidence: evidence, Releases: set.Releases(v.Product.ID),
			}) {
				for _, id := range f.Evidence {
					if o.Exchange(id) == nil {
						t.Errorf("%s: %s has evidence %q, which is no exchange", name, f.ID, id)
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no finding has any evidence")
	}
}

// evidenceNames returns what a finding may name: signals, fronts, and
// the sources of releases.
func evidenceNames(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	files, err := fs.Glob(fingerprints.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := fs.ReadFile(fingerprints.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Requests    []struct{ Signals map[string]any }
			Answers     map[string]any // some are signals of the same name
			Signals     map[string]any
			Version     []struct{ Source string }
			Fronts      []struct{ ID string }
			LoginFronts []struct{ ID string } `yaml:"login_fronts"`
		}
		if err := yaml.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		named := []map[string]any{file.Signals, file.Answers}
		for _, r := range file.Requests {
			named = append(named, r.Signals)
		}
		for _, names := range named {
			for name := range names {
				out[name] = true
			}
		}
		for _, v := range file.Version {
			out[v.Source] = true
		}
		for _, f := range file.Fronts {
			out["front."+f.ID] = true
		}
		for _, g := range file.LoginFronts {
			out["gate."+g.ID] = true
		}
	}
	return out
}

// A finding made elsewhere is as whole as one of a scan.
func TestAt(t *testing.T) {
	c, ok := check.Find("auth-missing")
	if !ok {
		t.Fatal("no auth-missing")
	}
	f := c.At("compose.yaml", event.Critical, message.Say("auth-missing.let-in"))
	wellFormed(t, c.Doc, *f)
	if f.Evidence == nil || len(f.Controls) == 0 || f.Key == c.At("other.yaml", event.Critical).Key {
		t.Errorf("%+v", f)
	}
	if _, ok := check.Find("no-such-check"); ok {
		t.Error("found no-such-check")
	}
}
