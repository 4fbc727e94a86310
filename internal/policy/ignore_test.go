package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/event"
)

func checks() []string { return []string{"plain-http", "auth-missing", "legacy-product"} }

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestLoadIgnoreErrors(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"no mapping", "- check: plain-http", `f:1: expected a mapping of ignore, found a list`},
		{"scalar", "ignore", `f:1: expected a mapping of ignore, found a string`},
		{"unknown top", "ignore:\nbaseline: x", `f:2: unknown key "baseline": use ignore`},
		{"no list", "ignore: plain-http", `f:1: ignore: expected a list, found a string`},
		{"twice", "ignore: []\nignore: []", `f:2: duplicate key "ignore"`},
		{"entry no mapping", "ignore:\n- plain-http", `f:2: ignore: expected a mapping of check, reason, target, until, found a string`},
		{"unknown key", "ignore:\n- check: plain-http\n  target: '*'\n  because: x", `f:4: unknown key "because": use check, reason, target, until`},
		{"key twice", "ignore:\n- check: plain-http\n  check: plain-http", `f:3: duplicate key "check"`},
		{"no reason", "ignore:\n- check: plain-http\n  target: '*'", `f:2: reason is missing: an entry has check, target ("*" for all) and reason`},
		{"empty reason", "ignore:\n- check: plain-http\n  target: '*'\n  reason: ''", `f:4: reason is missing: an entry has check`},
		{"null reason", "ignore:\n- check: plain-http\n  target: '*'\n  reason:", `f:4: reason is empty`},
		{"no check", "ignore:\n- target: '*'\n  reason: x", `f:2: check is missing`},
		{"no target", "ignore:\n- check: plain-http\n  reason: x", `f:2: target is missing`},
		{"list of checks", "ignore:\n- check: [plain-http]\n  target: '*'\n  reason: x", `f:2: check: expected a string, found a list`},
		{"unknown check", "ignore:\n- check: plain-htp\n  target: '*'\n  reason: x", `f:2: unknown check "plain-htp": did you mean "plain-http"?: see "clawsonar explain" for the list`},
		{"bits beyond", "ignore:\n- check: plain-http\n  target: 10.0.0.1/24\n  reason: x", `f:3: target: "10.0.0.1/24" has bits set beyond its prefix: did you mean 10.0.0.0/24?`},
		{"no block", "ignore:\n- check: plain-http\n  target: 10.0.0.0/33\n  reason: x", `f:3: target: "10.0.0.0/33" is no CIDR block`},
		{"no date", "ignore:\n- check: plain-http\n  target: '*'\n  reason: x\n  until: tomorrow", `f:5: until: "tomorrow" is no date: write it as 2026-12-31`},
		{"no such day", "ignore:\n- check: plain-http\n  target: '*'\n  reason: x\n  until: 2026-02-30", `f:5: until: "2026-02-30" is no date`},
		{"second document", "ignore: []\n---\nignore: []", "a second document begins"},
		{"syntax", "ignore:\n\t- x", "f:2: "},
		{"large", strings.Repeat("#", bounded.MaxYAML+1), "f:1: larger than 1 MiB"},
	}
	for _, tt := range tests {
		_, err := LoadIgnore("f", []byte(tt.in), checks())
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error is %v, want %s", tt.name, err, tt.want)
		}
	}
	for _, in := range []string{"", "# nothing\n", "ignore:\n", "ignore: []\n", "---\n"} {
		if _, err := LoadIgnore("f", []byte(in), checks()); err != nil {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestIgnoreTargets(t *testing.T) {
	v4 := event.Address{Input: "10.0.0.0/24", IP: "10.0.0.7", Port: 18789, URL: "http://10.0.0.7:18789/"}
	v6 := event.Address{Input: "[fd00::8]:18789", IP: "fd00::8", Port: 18789, URL: "http://[fd00::8]:18789/"}
	named := event.Address{Input: "gw.example.net", Name: "gw.example.net", IP: "198.51.100.4", Port: 443, URL: "https://gw.example.net/claw/"}
	tests := []struct {
		target string
		a      event.Address
		want   bool
	}{
		{"*", v4, true},
		{"10.0.0.7", v4, true},
		{"10.0.0.8", v4, false},
		{"10.0.0.0/24", v4, true},
		{"10.0.1.0/24", v4, false},
		{"0.0.0.0/0", v6, false},
		{"10.0.0.7:18789", v4, true},
		{"10.0.0.7:18790", v4, false},
		{"10.0.0.7:*", v4, true},
		{"10.0.0.?:18789", v4, true},
		{"10.0.0.", v4, false},
		{"10x0.0.7", v4, false}, // a dot is a dot
		{"http://10.0.0.7:18789/", v4, true},
		{"http://10.0.0.7:18789", v4, true},
		{"fd00::/64", v6, true},
		{"fd00::8", v6, true},
		{"[fd00::8]:18789", v6, true},
		{"gw.example.net", named, true},
		{"GW.example.NET", named, true},
		{"*.example.net", named, true},
		{"*.example.net", v4, false},
		{"https://*/claw/", named, true},
		{"198.51.100.0/24", named, true},
		{"10.0.0.0/24", event.Address{Input: "no.example.org"}, false},
		{"no.example.org", event.Address{Input: "no.example.org"}, true},
	}
	for _, tt := range tests {
		i, err := LoadIgnore("f", []byte("ignore:\n- check: plain-http\n  target: '"+tt.target+"'\n  reason: r\n"), checks())
		if err != nil {
			t.Fatal(err)
		}
		if got := i.find(tt.a, "plain-http", day("2026-10-06")).English != ""; got != tt.want {
			t.Errorf("target %s on %+v: %t", tt.target, tt.a, got)
		}
		if i.find(tt.a, "auth-missing", day("2026-10-06")).English != "" {
			t.Errorf("target %s: another check is ignored, too", tt.target)
		}
	}
}

// TestExit is the table of all that comes together in an exit code: what is
// found, what is ignored until when, the baseline, VEX, and the gate.
func TestExit(t *testing.T) {
	const (
		ignoreAll     = "ignore:\n- {check: auth-missing, target: '*', reason: known}\n"
		ignoreUntil   = "ignore:\n- {check: auth-missing, target: '*', reason: known, until: 2026-10-06}\n"
		ignoreEnded   = "ignore:\n- {check: auth-missing, target: '*', reason: known, until: 2026-10-05}\n"
		ignoreOther   = "ignore:\n- {check: auth-missing, target: 10.9.9.9, reason: known}\n"
		ignoreAnother = "ignore:\n- {check: plain-http, target: '*', reason: known}\n"
		ignoreBoth    = ignoreEnded + "- {check: '*', target: 10.0.0.0/8, reason: lab}\n"
	)
	open := event.Finding{ID: "auth-missing", Severity: event.Critical, Key: "k1"}
	plain := event.Finding{ID: "plain-http", Severity: event.Medium, Key: "k2"}
	vexed := event.Advisory{ID: "GHSA-1", Severity: event.High, Suppressed: "VEX: not affected"}
	tests := []struct {
		name       string
		ignore     string
		baseline   []string // keys
		failOn     event.Severity
		incomplete bool
		auth       event.AuthState
		findings   []event.Finding
		advisories []event.Advisory
		want       int
		suppressed int // findings that the filter takes back
		notes      []string
	}{
		{name: "nothing set", auth: "open", findings: []event.Finding{open}, want: Passed},
		{name: "fails", failOn: event.High, auth: "open", findings: []event.Finding{open}, want: Findings},
		{name: "ignored", ignore: ignoreAll, failOn: event.High, auth: "open", findings: []event.Finding{open}, want: Passed, suppressed: 1},
		{name: "ignored on its last day", ignore: ignoreUntil, failOn: event.High, auth: "open", findings: []event.Finding{open}, want: Passed, suppressed: 1},
		{name: "ended", ignore: ignoreEnded, failOn: event.High, auth: "open", findings: []event.Finding{open}, want: Findings,
			notes: []string{"f:2: the entry for auth-missing ended on 2026-10-05: fix it, or set a new date"}},
		{name: "ended, but another entry holds", ignore: ignoreBoth, failOn: event.High, auth: "open", findings: []event.Finding{open}, want: Passed, suppressed: 1,
			notes: []string{"f:2: the entry for auth-missing ended"}},
		{name: "other target", ignore: ignoreOther, failOn: event.High, auth: "open", findings: []event.Finding{open}, want: Findings,
			notes: []string{"f:2: the entry for auth-missing matches nothing here"}},
		{name: "other check", ignore: ignoreAnother, failOn: event.High, auth: "open", findings: []event.Finding{open}, want: Findings,
			notes: []string{"f:2: the entry for plain-http matches nothing here"}},
		{name: "one of two ignored", ignore: ignoreAll, failOn: event.Medium, auth: "open", findings: []event.Finding{open, plain}, want: Findings, suppressed: 1},
		{name: "one of two ignored, the other below", ignore: ignoreAll, failOn: event.High, auth: "open", findings: []event.Finding{open, plain}, want: Passed, suppressed: 1},
		{name: "in the baseline", baseline: []string{"k1"}, failOn: event.High, auth: "open", findings: []event.Finding{open}, want: Passed, suppressed: 1},
		{name: "not in the baseline", baseline: []string{"k2"}, failOn: event.High, auth: "open", findings: []event.Finding{open, plain}, want: Findings, suppressed: 1},
		{name: "empty baseline", baseline: []string{}, failOn: event.High, auth: "open", findings: []event.Finding{open}, want: Findings},
		{name: "ignored and in the baseline", ignore: ignoreAll, baseline: []string{"k1", "k2"}, failOn: event.Low, auth: "open", findings: []event.Finding{open, plain}, want: Passed, suppressed: 2},
		{name: "VEX does not open the gate for findings", failOn: event.High, auth: "open", findings: []event.Finding{open}, advisories: []event.Advisory{vexed}, want: Findings},
		{name: "an advisory alone is no finding", failOn: event.Low, auth: "required", advisories: []event.Advisory{vexed, {ID: "GHSA-2", Severity: event.Critical}}, want: Passed},
		{name: "ignoring does not make unknown known", ignore: ignoreAll, failOn: event.High, incomplete: true, auth: "unknown", findings: []event.Finding{open}, want: Incomplete, suppressed: 1},
		{name: "unknown without a gate for it", failOn: event.High, auth: "unknown", want: Passed},
		{name: "found goes before incomplete", failOn: event.High, incomplete: true, auth: "unknown", findings: []event.Finding{open}, want: Findings},
		{name: "gone in a comparison", failOn: event.Low, auth: "required", findings: []event.Finding{{ID: "auth-missing", Severity: event.Critical, Change: event.Closed}, {ID: "plain-http", Severity: event.High, Change: event.Unseen}}, want: Passed},
		{name: "new in a comparison", failOn: event.Low, auth: "open", findings: []event.Finding{{ID: "auth-missing", Severity: event.Critical, Change: event.Opened}}, want: Findings},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &Filter{Now: day("2026-10-06").Add(23 * time.Hour)}
			if tt.ignore != "" {
				i, err := LoadIgnore("f", []byte(tt.ignore), checks())
				if err != nil {
					t.Fatal(err)
				}
				f.Ignore = i
			}
			if tt.baseline != nil {
				f.Baseline = &Baseline{}
				for _, k := range tt.baseline {
					f.Baseline.Event(&event.Target{Findings: []event.Finding{{Key: k}}})
				}
			}
			g := &Gate{FailOn: tt.failOn, FailOnIncomplete: tt.incomplete}
			summary := &event.Summary{Complete: true, Findings: map[event.Severity]int{}, Suppressed: len(tt.advisories)}
			x := &event.Target{Outcome: "identified", Target: event.Address{IP: "10.0.0.7", Port: 18789}, Findings: tt.findings, Advisories: tt.advisories, Auth: &event.Auth{State: tt.auth}}
			standing := 0
			for i := range tt.findings {
				if tt.findings[i].Active() {
					summary.Findings[tt.findings[i].Severity]++
					standing++
				}
			}
			g.Event(f.Event(x))
			after := f.Event(summary)
			g.Event(after)
			if got := g.Exit(); got != tt.want {
				t.Errorf("Exit() = %d, want %d", got, tt.want)
			}
			for i := range tt.findings {
				if tt.findings[i].Suppressed != "" {
					t.Error("the event that was given is changed")
				}
			}
			left := 0
			for _, n := range after.(*event.Summary).Findings {
				left += n
			}
			if left != standing-tt.suppressed || after.(*event.Summary).Suppressed != len(tt.advisories)+tt.suppressed {
				t.Errorf("summary: %d findings, %d suppressed; want %d and %d", left, after.(*event.Summary).Suppressed, standing-tt.suppressed, len(tt.advisories)+tt.suppressed)
			}
			if len(after.(*event.Summary).Notes) != len(tt.notes) {
				t.Fatalf("notes %q, want %q", after.(*event.Summary).Notes, tt.notes)
			}
			for i, want := range tt.notes {
				if !strings.HasPrefix(after.(*event.Summary).Notes[i], want) {
					t.Errorf("note %q, want %q", after.(*event.Summary).Notes[i], want)
				}
			}
		})
	}
}

func FuzzLoadIgnore(f *testing.F) {
	f.Add([]byte("ignore:\n- {check: plain-http, target: 10.0.0.0/24, reason: r, until: 2026-12-31}\n"))
	f.Add([]byte("ignore: {a: &x [*x]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := LoadIgnore("f", data, checks())
		if err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("error %q does not begin with the file", err)
		}
		if err == nil {
			i.find(event.Address{IP: "10.0.0.7", URL: "http://10.0.0.7/"}, "plain-http", day("2026-10-06"))
			i.notes(day("2026-10-06"))
		}
	})
}
