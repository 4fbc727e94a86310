package audit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
)

// build makes a configuration as a file would, in which setting s is in line len(s).
func build(t *testing.T, change func(*Settings)) (*Builder, event.Scan, error) {
	t.Helper()
	known, err := data.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	s := Defaults()
	s.Targets = []string{"127.0.0.1:18789"}
	change(&s)
	b := &Builder{
		Settings: &s, Tool: event.Tool{Name: "test", Version: "1"}, Known: known,
		Naming: Naming{Place: func(setting string) string { return "w.yaml:" + string(rune('0'+len(setting))) + ": " }},
	}
	cfg, err := b.Build(t.Context(), "w.yaml:1")
	if err != nil {
		return b, event.Scan{}, err
	}
	cfg.Space.Close()
	return b, cfg.Head, nil
}

// TestErrorsNameTheSetting: whatever is wrong is said of the setting where it was set,
// and names others as they are called there.
func TestErrorsNameTheSetting(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.txt")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Settings){
		"w.yaml:5: allow: ":   func(s *Settings) { s.Allow = []string{"10.0.0.0/33"} },
		"w.yaml:7: exclude: ": func(s *Settings) { s.Exclude = []string{"not a name"} },
		"w.yaml:5: scope: " + empty + " allows nothing: list addresses, blocks or ranges, one a line": func(s *Settings) { s.ScopeFile = empty },
		"w.yaml:7: exclude: AS64500: its addresses are not known: name a file with as-file":           func(s *Settings) { s.Exclude = []string{"AS64500"} },
		"w.yaml:4: list: " + empty + " contains no target: give one a line":                           func(s *Settings) { s.Lists = []string{empty} },
		"w.yaml:5: ports: ": func(s *Settings) { s.Ports = "0" },
		`w.yaml:1: target "192.0.0.8-193.0.0.1": it has addresses that are globally reachable: state your right to probe with authorized and contact`: func(s *Settings) {
			s.Targets = []string{"192.0.0.8-193.0.0.1"}
		},
		"w.yaml:8: resolver: ":  func(s *Settings) { s.Resolver = "x" },
		"w.yaml:5: proxy: ":     func(s *Settings) { s.Proxy = "ftp://x" },
		"w.yaml:9: source-ip: ": func(s *Settings) { s.SourceIP = "0.0.0.0" },
		"w.yaml:6: header: ":    func(s *Settings) { s.Headers = []string{"Cookie: a"} },
	} {
		_, _, err := build(t, change)
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "with -") {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// TestDigest: the same settings have the same digest at any time, and whatever
// changes what is asked changes it.
func TestDigest(t *testing.T) {
	_, first, err := build(t, func(*Settings) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, again, _ := build(t, func(*Settings) {}); again.Config != first.Config || len(first.Config) != 64 {
		t.Errorf("%q, then %q", first.Config, again.Config)
	}
	seen := map[string]string{first.Config: "as it is"}
	for name, change := range map[string]func(*Settings){
		"target":     func(s *Settings) { s.Targets = append(s.Targets, "127.0.0.2:18789") },
		"ports":      func(s *Settings) { s.Ports = "18789" },
		"exclude":    func(s *Settings) { s.Exclude = []string{"127.0.0.9"} },
		"level":      func(s *Settings) { s.Level = "deep" },
		"seed":       func(s *Settings) { s.Seed = 7 },
		"family":     func(s *Settings) { s.Family = true },
		"base-paths": func(s *Settings) { s.Bases = true },
		"helpers":    func(s *Settings) { s.Helpers = true },
		"addresses":  func(s *Settings) { s.Addresses = "ipv4" },
		"public":     func(s *Settings) { s.Authorized, s.Contact = true, "a@example.org" },
	} {
		_, head, err := build(t, change)
		if err != nil {
			t.Fatal(name, err)
		}
		if before, ok := seen[head.Config]; ok {
			t.Errorf("%s: the digest is that of %s", name, before)
		}
		seen[head.Config] = name
	}
}
