package redact

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func redactor(t testing.TB, key string) *Redactor {
	t.Helper()
	r, err := New([]byte(key), known)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// known lets through what stands in the tests for words of the fingerprints.
func known(name, value string) string {
	if name == "version" || slices.Contains([]string{"OpenClaw Control", "nginx", "ok,error", "https://gw.acme.example/login", "digest:001122334455"}, value) {
		return value
	}
	return "not shown"
}

func TestKey(t *testing.T) {
	if _, err := New(make([]byte, MinKey-1), known); err == nil || !strings.Contains(err.Error(), "too short") {
		t.Errorf("short key: %v", err)
	}
}

func secretTarget() *event.Target {
	return &event.Target{
		Type: "target", Outcome: "identified",
		Target: event.Address{Input: "gw.acme.example/secretpath", Source: "acme-prod.txt:3", Name: "gw.acme.example", IP: "198.51.100.4", Port: 8443,
			URL: "https://gw.acme.example:8443/secretpath/", Reach: "public", Bound: "198.51.100.4:8443", Process: "openclaw-gateway"},
		Product: &event.Product{ID: "openclaw", Brand: "openclaw"},
		Version: &event.Version{Exact: "2026.9.6"},
		TLS: &event.TLS{Enabled: true, Subject: "CN=gw.acme.example,O=Acme Inc", Issuer: "CN=Acme Root", Names: []string{"gw.acme.example", "mail.acme.example", "198.51.100.4"},
			SHA256: strings.Repeat("ab", 32), VerifyError: "certificate is valid for mail.acme.example, not gw.acme.example"},
		Surfaces: []event.Surface{{ID: "control-ui", State: "open", Path: "/secretpath/"}},
		Findings: []event.Finding{{ID: "plain-http", Title: "A title", Detail: "It answers at gw.acme.example:8443, ask boss@acme.example or 192.0.2.77 or fd12::9.",
			Remediation: "Set gateway.bind.", Key: "00112233445566778899aabbccddeeff", Suppressed: "ignore file: the acme balancer"}},
		Advisories: []event.Advisory{{ID: "GHSA-1", Suppressed: "not affected: acme patched it"}},
		Evidence: []event.Evidence{{ID: "root", Request: "GET /secretpath/", SHA256: strings.Repeat("cd", 32), Facts: map[string]string{
			"title": "Acme's Agent", "location": "https://gw.acme.example/login", "server": "nginx", "keys": "a,b", "www-authenticate": `Basic realm="Acme"`, "unheard-of": "acme"}}},
		Noted: event.Noted{Notes: []string{"seen at 198.51.100.4"}},
		Error: "lookup gw.acme.example: no such host",
	}
}

func TestNothingOfTheOperatorIsLeft(t *testing.T) {
	in := secretTarget()
	before, _ := json.Marshal(in)
	e := redactor(t, "0123456789abcdef").Event(in)
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"acme", "198.51.100.4", "secretpath", "boss", "192.0.2.77", "fd12", "001122", "abab", "cdcd"} {
		if strings.Contains(strings.ToLower(string(out)), secret) {
			t.Errorf("%s is still there: %s", secret, out)
		}
	}
	for _, kept := range []string{"2026.9.6", "8443", "list:3", "nginx", "Set gateway.bind.", `"reach":"public"`, "openclaw-gateway", "GET /p-", ".invalid"} {
		if !strings.Contains(string(out), kept) {
			t.Errorf("%s is gone: %s", kept, out)
		}
	}
	if after, _ := json.Marshal(in); string(after) != string(before) {
		t.Error("the event that was given is changed")
	}
}

func TestStableAndKeyed(t *testing.T) {
	a, b, c := redactor(t, "0123456789abcdef"), redactor(t, "0123456789abcdef"), redactor(t, "fedcba9876543210")
	in := secretTarget()
	if !reflect.DeepEqual(a.Event(in), b.Event(in)) {
		t.Error("the same key gives something else")
	}
	x, y := a.Event(in).(*event.Target), c.Event(in).(*event.Target)
	if x.Target.IP == y.Target.IP || x.Target.Name == y.Target.Name || x.Findings[0].Key == y.Findings[0].Key {
		t.Error("another key gives the same")
	}
	// Whether two lines are about the same host still shows.
	if x.TLS.Names[0] != x.Target.Name || !strings.Contains(x.Findings[0].Detail, x.Target.Name) {
		t.Errorf("the same name has two pseudonyms: %s", x.Findings[0].Detail)
	}
}

func TestLoopbackStays(t *testing.T) {
	in := &event.Target{Target: event.Address{Input: "127.0.0.1:1", Source: "args", IP: "127.0.0.1", Port: 1, URL: "http://127.0.0.1:1/", Bound: "0.0.0.0:1"}}
	out := redactor(t, "0123456789abcdef").Event(in).(*event.Target)
	if !reflect.DeepEqual(in.Target, out.Target) {
		t.Errorf("%+v", out.Target)
	}
}

func TestScanAndSummary(t *testing.T) {
	r := redactor(t, "0123456789abcdef")
	if s := r.Event(&event.Scan{Authorization: event.Authorization{Contact: "me@acme.example"}}).(*event.Scan); s.Authorization.Contact != "redacted" {
		t.Errorf("contact %q", s.Authorization.Contact)
	}
	if s := r.Event(&event.Summary{Noted: event.Noted{Notes: []string{"acme.yaml:3"}}}).(*event.Summary); s.Notes != nil {
		t.Errorf("notes %q", s.Notes)
	}
}

// TestAddresses: any address becomes a valid one that is for documentation, two
// become two, and a text that holds it no longer does.
func TestAddresses(t *testing.T) {
	r := redactor(t, "0123456789abcdef")
	rapid.Check(t, func(t *rapid.T) {
		var a netip.Addr
		if rapid.Bool().Draw(t, "v4") {
			a = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "a")))
		} else {
			a = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "a"))).Unmap()
		}
		if a.IsLoopback() || a.IsUnspecified() || documentation.Contains(a) {
			return
		}
		p := r.addr(a)
		if !documentation.Contains(p) || p != r.addr(a) {
			t.Fatalf("%s became %s", a, p)
		}
		x := r.eraser(&event.Target{}, &url.URL{})
		if s := x.text("at " + a.String() + " seen"); strings.Contains(s, a.String()) || !strings.Contains(s, p.String()) {
			t.Fatalf("%s: %q", a, s)
		}
	})
}

// The digest of a scan's configuration would let small scans be guessed. With one
// key it stays the same, so that the parts of a scan are known as such.
func TestConfig(t *testing.T) {
	config := strings.Repeat("ab", 32)
	of := func(key string) string {
		return redactor(t, key).Event(&event.Scan{Type: "scan", Config: config}).(*event.Scan).Config
	}
	a, b := strings.Repeat("k", MinKey), strings.Repeat("l", MinKey)
	first, again := of(a), of(a)
	if first == config || first == "" || first != again || first == of(b) {
		t.Errorf("%s, %s, %s", first, again, of(b))
	}
	if got := redactor(t, a).Event(&event.Scan{Type: "scan"}).(*event.Scan).Config; got != "" {
		t.Errorf("none became %s", got)
	}
}

// TestGeo: the country stays. An AS is the same one wherever it is the same, another with
// another key, and has no name.
func TestGeo(t *testing.T) {
	r, other := redactor(t, "0123456789abcdef"), redactor(t, "fedcba9876543210")
	at := func(r *Redactor, g event.Geo) event.Geo {
		return *r.Event(&event.Target{Type: "target", Geo: &g}).(*event.Target).Geo
	}
	a, b := at(r, event.Geo{AS: 64500, ASName: "Secret Ltd", Country: "AU"}), at(r, event.Geo{AS: 64500, ASName: "Secret Limited", Country: "NZ"})
	if a.AS != b.AS || a.AS == 64500 || a.ASName+b.ASName != "" || a.Country != "AU" || b.Country != "NZ" {
		t.Errorf("%+v, %+v", a, b)
	}
	if c := at(r, event.Geo{AS: 64501}); c.AS == a.AS || c.Country != "" {
		t.Errorf("another AS: %+v", c)
	}
	if c := at(other, event.Geo{AS: 64500, Country: "Secretland"}); c.AS == a.AS || c.Country != "" {
		t.Errorf("with another key: %+v", c)
	}
	if c := at(r, event.Geo{}); c != (event.Geo{}) {
		t.Errorf("out of nothing: %+v", c)
	}
}

// TestVantages: two vantages stay two, in a comparison, in a stream that was merged and in
// what a finding says; their names go.
func TestVantages(t *testing.T) {
	r := redactor(t, "0123456789abcdef")
	s := r.Event(&event.Scan{Vantage: "acme-fra", Compared: &event.Compared{Vantage: "acme-sgp"}}).(*event.Scan)
	first, second, ok := s.Vantages()
	if !ok || strings.Contains(first+second, "acme") {
		t.Fatalf("%q and %q (%v), want two pseudonyms", first, second, ok)
	}
	if got := r.Event(&event.Scan{Vantage: "acme-fra+acme-sgp"}).(*event.Scan).Vantage; got != second+"+"+first {
		t.Errorf("of both %q, want those of each", got)
	}
	f := event.Finding{ID: "differs-by-vantage", Key: strings.Repeat("0", 32)}
	for _, v := range []string{"acme-fra", "acme-sgp"} {
		m := message.Say("differs-by-vantage.saw", message.Of("vantage", v), message.Of("seen", "open"), message.Of("started", "2026-11-30T08:00:00Z"))
		f.Detail = strings.TrimSpace(f.Detail + " " + m.English)
		if f.Messages == nil {
			f.Messages = &event.FindingMessages{}
		}
		f.Messages.Detail = append(f.Messages.Detail, m.Message)
	}
	for _, in := range []event.Finding{f, {ID: f.ID, Key: f.Key, Detail: f.Detail}} {
		out := r.Event(&event.Target{Findings: []event.Finding{in}}).(*event.Target).Findings[0]
		if strings.Contains(out.Detail, "acme") || in.Messages != nil && (!strings.Contains(out.Detail, "From "+first) || !strings.Contains(out.Detail, "From "+second)) {
			t.Errorf("detail %q, want the pseudonyms %s and %s", out.Detail, first, second)
		}
	}
}
