package probe_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/probe"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// probeReplica probes a replica at level standard.
func probeReplica(t *testing.T, served evidence.Capture, base string, bases bool) (*fingerprint.Case, *fingerprint.Verdict) {
	t.Helper()
	r, err := replica.Start(served)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	set, _ := load(t)
	p := probe.Prober{
		Wire: wire.New(wire.Options{Scope: target.NewScope(nil, nil, false)}),
		Set:  set, Level: event.LevelStandard, Timeout: 10 * time.Second, Bases: bases,
	}
	o := p.Probe(context.Background(), target.Target{Addr: r.Addr, Base: base}, p.Budget())
	return o, o.Verdict()
}

// A gateway whose page is at /claw, given without that: the page is found where
// / leads to it, or where it is asked for, and nowhere else.
func TestBasePaths(t *testing.T) {
	all, err := evidence.LoadCaptures(captures.FS, "openclaw")
	if err != nil {
		t.Fatal(err)
	}
	gateway := all["openclaw/openclaw-2026.9.6-base-path.yaml"]
	page := func(headers []string, status int, body string) evidence.CapturedExchange {
		return evidence.CapturedExchange{ID: "outside", Method: "GET", Path: "/", Status: status, Header: headers, Body: body}
	}
	html := []string{"Content-Type: text/html"}
	nothing := page([]string{"Content-Type: text/plain; charset=utf-8"}, 404, "Not Found")
	for _, c := range []struct {
		name string
		root evidence.CapturedExchange
		all  bool
		base string // where the page must be found
	}{
		{name: "redirect", root: page([]string{"Location: /claw/"}, 302, ""), base: "/claw"},
		{name: "redirect into it", root: page([]string{"Location: /claw/chat"}, 302, ""), base: "/claw"},
		{name: "redirect to another host", root: page([]string{"Location: https://elsewhere.example/claw/"}, 302, "")},
		{name: "link", root: page(html, 200, `<a href="/claw/">my agent</a>`), base: "/claw"},
		{name: "link to something like it", root: page(html, 200, `<a href="/clawback/">another</a>`)},
		{name: "no hint", root: nothing},
		{name: "no hint, but asked for", root: nothing, all: true, base: "/claw"},
	} {
		t.Run(c.name, func(t *testing.T) {
			served := gateway
			served.Exchanges = []evidence.CapturedExchange{c.root}
			for _, x := range gateway.Exchanges {
				// What it answers to unknown paths below its base path, a replica
				// would answer to all.
				if x.ID != "nothing-there" {
					served.Exchanges = append(served.Exchanges, x)
				}
			}
			o, v := probeReplica(t, served, "", c.all)
			if o.Base != c.base {
				t.Errorf("base path %q, want %q", o.Base, c.base)
			}
			if c.base != "" && (v.Version.Exact != "2026.9.6" || v.Auth.State != event.AuthRequired || v.Surface("control-ui") != "open") {
				t.Errorf("%+v", v)
			}
			for _, x := range o.Exchanges {
				if c.base == "" && !c.all && strings.HasPrefix(x.Path, "/claw") {
					t.Errorf("%s was asked for without a hint", x.Path)
				}
			}
			// Every answer keeps a name of its own.
			var ids []string
			for _, x := range o.Exchanges {
				if slices.Contains(ids, o.Label(&x)) {
					t.Errorf("two exchanges are called %s", o.Label(&x))
				}
				ids = append(ids, o.Label(&x))
			}
		})
	}
}

// All of a gateway is below /openclaw/, where a proxy takes that off: what is
// asked for is asked for there, as soon as it has shown itself.
func TestMount(t *testing.T) {
	all, err := evidence.LoadCaptures(captures.FS, "openclaw")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		capture string
		state   event.AuthState
	}{
		{"openclaw/clawdbot-2026.1.24-3-token-nginx-below.yaml", event.AuthRequired},
		{"openclaw/openclaw-2026.3.13-none-nginx-below.yaml", event.AuthOpen},
		{"openclaw/openclaw-2026.9.6-none-nginx-below.yaml", event.AuthOpen},
	} {
		for _, base := range []string{"/openclaw", ""} { // given, and found by a link
			t.Run(c.capture+" from "+base+"/", func(t *testing.T) {
				served := all[c.capture]
				served.Exchanges = append([]evidence.CapturedExchange{{
					ID: "outside", Method: "GET", Path: "/", Status: 200,
					Header: []string{"Content-Type: text/html"}, Body: `<a href="/openclaw/">my agent</a>`,
				}}, served.Exchanges...)
				o, v := probeReplica(t, served, base, false)
				if o.Base != "/openclaw" || v.Auth.State != c.state || v.Product.Confidence != event.Certain && v.Product.Confidence != event.Firm {
					t.Errorf("base path %q, %+v", o.Base, v)
				}
				for _, s := range v.Surfaces {
					if !strings.HasPrefix(s.Path, "/openclaw/") {
						t.Errorf("surface %s is said to be at %s", s.ID, s.Path)
					}
				}
				if len(o.Exchanges) > 13 { // 12, and / itself
					t.Errorf("%d requests", len(o.Exchanges))
				}
				for _, x := range o.Exchanges {
					if x.Path != "/" && !strings.HasPrefix(x.Path, "/openclaw/") {
						t.Errorf("%s was asked for beside it", x.Path)
					}
				}
			})
		}
	}
}
