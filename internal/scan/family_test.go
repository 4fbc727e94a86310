package scan_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/target"
)

// planted is the secret that some captures hold in their answers.
const planted = "planted-1f8e2a-not-a-real-token"

// village is one replica of each capture of a relative or of a helper that speaks
// HTTP, each on a port of its own.
func village(t *testing.T) (byPort map[int]string, all map[string]evidence.Capture, specs []target.Spec) {
	t.Helper()
	all, byPort = map[string]evidence.Capture{}, map[int]string{}
	known := map[string]bool{}
	for _, p := range builtin(t).Products() {
		known[p.ID] = p.Relative || p.Helper && p.About != ""
	}
	for name, c := range recorded(t) {
		folder := path.Dir(name)
		if c.TLS != nil || !known[folder] && folder != "strangers" {
			continue
		}
		all[name] = c
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		r := start(t, all[name])
		byPort[int(r.Addr.Port())] = name
		specs = append(specs, single(r.Addr))
	}
	return byPort, all, specs
}

// TestVillage scans all relatives, open and protected, on ports that say nothing,
// as -family does: each is named and judged, with few requests.
func TestVillage(t *testing.T) {
	byPort, all, specs := village(t)
	set := builtin(t)
	helper := map[string]bool{}
	for _, p := range set.Products() {
		helper[p.ID] = p.Helper
	}
	targets, _ := run(t, t.Context(), config(t, set.Everywhere(), specs...))
	if len(targets) != len(all) {
		t.Fatalf("%d lines for %d replicas", len(targets), len(all))
	}
	slices.SortFunc(targets, func(a, b *event.Target) int {
		return cmp.Compare(byPort[a.Target.Port], byPort[b.Target.Port])
	})
	var report strings.Builder
	judged := 0
	for _, ev := range targets {
		name := byPort[ev.Target.Port]
		want := all[name].Expect
		// What these show to everybody they show their owner over loopback anyway. Of the
		// last, nothing that would tell is asked there.
		if all[name].Reach != "" && (want.Auth == event.AuthOpen && slices.Contains([]string{"cowagent", "hermes", "librefang", "moltis", "nanobot", "openfang"}, want.Product) ||
			name == "qwenpaw/open-proxied-1.1.9b1.yaml" || want.Product == "nanobot") {
			want.Auth = event.AuthUnknown
		}
		got := event.Product{}
		if ev.Product != nil {
			got = *ev.Product
		}
		auth := event.Auth{}
		if ev.Auth != nil {
			auth = *ev.Auth
		}
		fmt.Fprintf(&report, "%-42s %-9s %-26s %-9s %2d on %d\n", name, got.Confidence, got.ID, auth.State, ev.Requests, ev.Connections)
		if ev.Requests > 24 || ev.Connections > 2 {
			t.Errorf("%s: %d requests on %d connections", name, ev.Requests, ev.Connections)
		}
		// Without their ports the helpers are not asked; their own pages tell some.
		if helper[path.Dir(name)] {
			continue
		}
		judged++
		recognised := got.Confidence == "certain" || got.Confidence == "firm"
		if want.Product == "" && recognised || want.Product != "" && (got.ID != want.Product || !recognised) {
			t.Errorf("%s: judged %q (%s), want %q", name, got.ID, got.Confidence, want.Product)
		}
		if want.Product != "" && auth.State != want.Auth {
			t.Errorf("%s: auth %q, want %q", name, auth.State, want.Auth)
		}
		has := func(id string) bool {
			return slices.ContainsFunc(ev.Findings, func(f event.Finding) bool { return f.ID == id })
		}
		for id, must := range map[string]bool{"auth-missing": want.Auth == "open", "claimable": want.Auth == "claimable", "default-password": slices.Contains(want.Findings, "default-password")} {
			if has(id) != must {
				t.Errorf("%s (%s): %s reported: %t", name, want.Auth, id, !must)
			}
		}
	}
	if judged < 60 {
		t.Errorf("only %d replicas judged", judged)
	}
	t.Log("\n" + report.String())
}

// Without -family a relative on a strange port is found by its page alone, and
// one that shows none costs no more than a plain web server.
func TestVillageByHintsAlone(t *testing.T) {
	byPort, all, specs := village(t)
	targets, _ := run(t, t.Context(), config(t, builtin(t), specs...))
	found := map[string]bool{}
	for _, ev := range targets {
		name := byPort[ev.Target.Port]
		product := all[name].Expect.Product
		if ev.Product != nil && ev.Product.Confidence != "tentative" {
			if ev.Product.ID != product {
				t.Errorf("%s: judged %s", name, ev.Product.ID)
			}
			found[product] = true
		}
		if ev.Requests > 12 {
			t.Errorf("%s: %d requests", name, ev.Requests)
		}
	}
	for _, id := range []string{"hermes", "hermes-webui", "qwenpaw", "zeroclaw", "picoclaw", "nanobot", "goclaw", "nextclaw", "openfang", "librefang",
		"microclaw", "moltis", "ironclaw", "clawpanel", "mission-control", "mission-control-builderz", "openclaw-admin", "openclaw-dashboard", "openclaw-studio", "ollama", "litellm"} {
		if !found[id] {
			t.Errorf("%s is not found by its page", id)
		}
	}
}

// Nothing of an answer that may hold a secret gets into the stream: not the
// secret, not a hash or the length of what it stands in.
func TestSecretsStayOut(t *testing.T) {
	byPort, all, specs := village(t)
	set := builtin(t).Everywhere()
	var stream bytes.Buffer
	cfg := config(t, set, specs...)
	cfg.Emit = func(e event.Event) error { return json.NewEncoder(&stream).Encode(e) }
	targets, _ := run(t, t.Context(), cfg)
	if strings.Contains(stream.String(), planted) {
		t.Error("the stream holds the planted secret")
	}
	hidden := 0
	for _, ev := range targets {
		name := byPort[ev.Target.Port]
		for _, x := range ev.Evidence {
			i := slices.IndexFunc(all[name].Exchanges, func(c evidence.CapturedExchange) bool { return c.ID == x.ID })
			if i < 0 || !strings.Contains(all[name].Exchanges[i].Body, planted) {
				continue
			}
			hidden++
			if sum := evidence.Sum([]byte(all[name].Exchanges[i].Body)); x.SHA256 != "" || strings.Contains(stream.String(), sum.SHA256) {
				t.Errorf("%s: the hash of %s is there", name, x.ID)
			}
			if x.Bytes != 0 {
				t.Errorf("%s: the length of %s is there", name, x.ID)
			}
			if x.Facts["body"] == "" || len(x.Facts) != 1 {
				t.Errorf("%s: facts of %s: %v", name, x.ID, x.Facts)
			}
		}
	}
	if hidden < 2 { // nanobot is not asked over loopback; its secret is dropped in the tests of fingerprint
		t.Errorf("only %d answers held the planted secret", hidden)
	}
}

// However many products are known, a web server that is none of them costs one
// request on one connection; asked everything, a bounded number, and only what a
// fingerprint may ask.
func TestPlainServerIsCheap(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"page":           always(200, "<html><head><title>hello</title></head></html>", "Content-Type", htmlType),
		"page for all":   always(200, "<html><head><title>My app</title></head></html>", "Content-Type", htmlType, "Server", "nginx"),
		"JSON for all":   always(200, `{"status":"ok"}`, "Content-Type", jsonType),
		"version to all": always(200, `{"version":"1.2.3"}`, "Content-Type", jsonType),
		"404 of nginx":   always(404, nginx404, "Content-Type", "text/html", "Server", "nginx/1.22.1"),
	} {
		s := web(t, h)
		ev := one(t, config(t, builtin(t), single(s.addr)))
		if ev.Outcome != "other" || ev.Requests != 1 || s.requests.Load() != 1 || s.accepts.Load() != 1 {
			t.Errorf("%s: %s after %d requests, the server saw %d on %d connections", name, ev.Outcome, ev.Requests, s.requests.Load(), s.accepts.Load())
		}
		ev = one(t, config(t, builtin(t).Everywhere(), single(s.addr)))
		if ev.Outcome != "other" || len(ev.Findings) > 0 || ev.Requests < 5 || ev.Requests > 20 {
			t.Errorf("%s, everything asked: %s after %d requests, findings %v", name, ev.Outcome, ev.Requests, ev.Findings)
		}
		t.Logf("%s: 1 request; %d with everything asked", name, ev.Requests)
	}
}
