package audit

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/target"
)

func planner(t *testing.T, change func(*Settings)) *Builder {
	t.Helper()
	known, err := data.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	s := Defaults()
	s.Targets = []string{"127.0.0.1:18789", "10.0.0.0/24", "gw.example"}
	change(&s)
	return &Builder{Settings: &s, Tool: event.Tool{Name: "test", Version: "1"}, Known: known, Naming: Naming{Prefix: "-"}}
}

// TestPlan: what another machine makes of a plan that was written down is the same scan,
// without the files; and what it has of its own does not change what the scan is.
func TestPlan(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for name, change := range map[string]func(*Settings){
		"defaults": func(*Settings) {},
		"scope": func(s *Settings) {
			s.Allow, s.ScopeFile, s.Exclude = []string{"127.0.0.0/8"}, write("scope", "10.0.0.0/8\n"), []string{"10.0.0.7"}
		},
		"wide and AS": func(s *Settings) {
			s.Allow, s.ASFile = []string{"0.0.0.0/0", "AS64500"}, write("as", "10.0.0.0/9 64500\n")
		},
		"list":    func(s *Settings) { s.Lists = []string{write("list", "10.1.0.0/16\n10.2.0.1:8080\n")} },
		"public":  func(s *Settings) { s.Authorized, s.Contact, s.Targets = true, "a@example.org", []string{"8.8.8.0/24"} },
		"helpers": func(s *Settings) { s.Helpers, s.Ports = true, "family,80" },
		"others": func(s *Settings) {
			s.Family, s.Bases, s.BasePath, s.Seed, s.Level, s.Addresses = true, true, "/claw", 7, "deep", "ipv4"
			s.Concurrency, s.HostRate, s.Retries, s.Timeout = 3, 5, 0, time.Second
			s.Headers, s.Advisories = []string{"X-Scan: us"}, []string{AllAdvisories}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := planner(t, change)
			p, cfg, err := b.Plan(t.Context(), "job.yaml:1")
			if err != nil {
				t.Fatal(err)
			}
			defer cfg.Space.Close()
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{"scope", "as", "list"} {
				os.Remove(filepath.Join(dir, file))
			}
			var again Plan
			if err := json.Unmarshal(text, &again); err != nil {
				t.Fatal(err)
			}
			var space target.Space
			defer space.Close()
			if err := cfg.Space.Entries(space.Add); err != nil {
				t.Fatal(err)
			}
			own := &Settings{Concurrency: 2, Network: Network{SourceIP: "127.0.0.1", Headers: []string{"X-Other: no"}}}
			fence := target.NewScope(nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.9/32")}, true)
			got, err := again.Build(t.Context(), Builder{Settings: own, Tool: b.Tool, Known: b.Known, Within: fence}, &space)
			if err != nil {
				t.Fatal(err)
			}
			if got.Head.Config != cfg.Head.Config || got.Seed != cfg.Seed || got.Head.Level != cfg.Head.Level || got.Head.Authorization != cfg.Head.Authorization ||
				got.Helpers != cfg.Helpers || got.AllHelpers != cfg.AllHelpers || got.Prober.Bases != cfg.Prober.Bases || got.Prober.Timeout != cfg.Prober.Timeout ||
				got.Retries != cfg.Retries || got.Advisories.All != cfg.Advisories.All || len(got.Head.Ports) != len(cfg.Head.Ports) {
				t.Errorf("%+v\nwant %+v", got, cfg)
			}
			if got.Concurrency != 2 || got.Head.Network.SourceIP != "127.0.0.1" || len(got.Head.Network.Headers) != len(b.Headers) {
				t.Errorf("of its own: %d in flight, %+v", got.Concurrency, got.Head.Network)
			}
			for i := range space.Len() {
				at, err := space.At(i)
				if err != nil {
					t.Fatal(err)
				}
				mine := at.Addr.Addr() == netip.MustParseAddr("10.0.0.9")
				if byHub, here := cfg.Scope.CheckTarget(at), got.Scope.CheckTarget(at); (here == nil) != (byHub == nil && !mine) {
					t.Errorf("%s: %v, at the hub %v", at.HostPort(), here, byHub)
				}
			}
			again.Limits.Deny = append(again.Limits.Deny, netip.MustParsePrefix("10.0.0.8/32"))
			if _, err := again.Build(t.Context(), Builder{Settings: own, Tool: b.Tool, Known: b.Known}, &space); err == nil {
				t.Error("a scan that is not the hub's is built")
			}
		})
	}
}

// TestPlanRefuses: what another machine cannot have is refused where it was set.
func TestPlanRefuses(t *testing.T) {
	docker := filepath.Join(t.TempDir(), "docker")
	if err := os.WriteFile(docker, []byte(`{"Names":"a","Ports":"0.0.0.0:18789->18789/tcp"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ss := docker + ".ss"
	if err := os.WriteFile(ss, []byte("LISTEN 0 1 10.0.0.1:18789 *:*\nLISTEN 0 1 127.0.0.1:18789 *:*\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Settings){
		ss + ":2: what is published":         func(s *Settings) { s.Lists = []string{ss} },
		docker + ":1: what is published":     func(s *Settings) { s.Lists = []string{docker} },
		"-proxy: belongs to the machine":     func(s *Settings) { s.Proxy = "socks5://127.0.0.1:1080" },
		"-source-ip: belongs to the machine": func(s *Settings) { s.SourceIP = "127.0.0.1" },
		"-interface: belongs to the machine": func(s *Settings) { s.Interface = "lo" },
		"-resolver: belongs to the machine":  func(s *Settings) { s.Resolver = "127.0.0.1" },
		"-vex: workers have no such file":    func(s *Settings) { s.VEX = "x.json" },
		"-advisories: workers match those":   func(s *Settings) { s.Advisories = []string{AllAdvisories, "x.json"} },
		"-wait: workers ask once":            func(s *Settings) { s.Wait = time.Second },
	} {
		if _, _, err := planner(t, change).Plan(t.Context(), "x"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	p, cfg, err := planner(t, func(*Settings) {}).Plan(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Space.Close()
	for name, change := range map[string]func(*Plan){
		"level": func(p *Plan) { p.Level = "x" }, "addresses": func(p *Plan) { p.Addresses = "" }, "ports": func(p *Plan) { p.Ports = "0" },
		"public": func(p *Plan) { p.Limits.Public = true }, "concurrency": func(p *Plan) { p.Concurrency = 0 },
		"timeout": func(p *Plan) { p.Timeout = 0 }, "contact": func(p *Plan) { p.Contact = "x\n" },
	} {
		bad := *p
		if change(&bad); bad.Check() == nil || p.Check() != nil {
			t.Errorf("%s: %v, unchanged %v", name, bad.Check(), p.Check())
		}
	}
}
