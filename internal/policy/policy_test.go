package policy

import (
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

func target(state event.AuthState, findings ...event.Finding) event.Event {
	t := &event.Target{Outcome: "identified", Findings: findings}
	if state != "" {
		t.Auth = &event.Auth{State: state}
	}
	return t
}

func TestGate(t *testing.T) {
	var (
		whole   = &event.Summary{Complete: true}
		part    = &event.Summary{Complete: false}
		high    = event.Finding{Severity: event.High}
		medium  = event.Finding{Severity: event.Medium}
		info    = event.Finding{Severity: event.Info}
		ignored = event.Finding{Severity: event.Critical, Suppressed: "baseline"}
		newKind = event.Finding{Severity: "apocalyptic"}
		scan    = &event.Scan{}
		other   = &event.Target{Outcome: "other"}
		of      = func(outcome event.Outcome, member event.Member) event.Event {
			return &event.Target{Outcome: outcome, Target: event.Address{IP: "192.0.2.1", Port: 1, Member: member}}
		}
		starting = &event.Target{Outcome: "other", Evidence: []event.Evidence{{ID: "root", Status: 502}}}
		cut      = &event.Target{Outcome: "other", Evidence: []event.Evidence{{ID: "root", Status: 200, Error: "answer breaks off"}}}
		unlisted = &event.Summary{Complete: true, Unlisted: &event.Unlisted{Count: 1}}
	)
	tests := []struct {
		name       string
		failOn     event.Severity
		incomplete bool
		events     []event.Event
		want       int
	}{
		{"no gate set", "", false, []event.Event{scan, target("open", high), part}, Passed},
		{"below", event.High, false, []event.Event{scan, target("required", medium), whole}, Passed},
		{"at", event.High, false, []event.Event{scan, target("required", high), whole}, Findings},
		{"above", event.Low, false, []event.Event{scan, target("required", info, high), whole}, Findings},
		{"info is below every limit", event.Low, false, []event.Event{target("required", info), whole}, Passed},
		{"suppressed", event.Low, false, []event.Event{target("open", ignored), whole}, Passed},
		{"suppressed beside another", event.Low, false, []event.Event{target("open", ignored, medium), whole}, Findings},
		{"severity not known", event.Critical, false, []event.Event{target("required", newKind), whole}, Findings},
		{"a later quiet target takes nothing back", event.High, false, []event.Event{target("open", high), target("required"), whole}, Findings},
		{"whole", "", true, []event.Event{scan, target("required"), other, whole}, Passed},
		{"part", "", true, []event.Event{scan, target("required"), part}, Incomplete},
		{"part of two", "", true, []event.Event{part, whole}, Incomplete},
		{"no summary", "", true, []event.Event{scan, target("required")}, Incomplete},
		{"auth unknown", "", true, []event.Event{target("unknown"), whole}, Incomplete},
		{"auth missing", "", true, []event.Event{target(""), whole}, Incomplete},
		{"auth of a kind not known", "", true, []event.Event{target("ajar"), whole}, Incomplete},
		{"a helper's login unknown", "", true, []event.Event{&event.Target{Outcome: "helper", Auth: &event.Auth{State: "unknown"}}, whole}, Incomplete},
		{"blocked", "", true, []event.Event{target("blocked"), whole}, Incomplete},
		{"named and closed", "", true, []event.Event{target("required"), of("closed", ""), whole}, Incomplete},
		{"named and silent", "", true, []event.Event{of("silent", ""), whole}, Incomplete},
		{"named and excluded", "", true, []event.Event{of("excluded", ""), whole}, Incomplete},
		{"closed in a range", "", true, []event.Event{of("closed", event.OfRange), whole}, Passed},
		{"silent in a range", "", true, []event.Event{of("silent", event.OfRange), whole}, Passed},
		{"excluded from a range", "", true, []event.Event{of("excluded", event.OfRange), whole}, Passed},
		{"a port of a host", "", true, []event.Event{of("silent", event.OfHost), of("closed", event.OfHost), whole}, Passed},
		{"no route", "", true, []event.Event{of("unreachable", event.OfRange), whole}, Incomplete},
		{"reset", "", true, []event.Event{of("reset", event.OfHost), whole}, Incomplete},
		{"no name", "", true, []event.Event{of("dns-error", ""), whole}, Incomplete},
		{"TLS", "", true, []event.Event{of("tls-error", ""), whole}, Incomplete},
		{"not HTTP", "", true, []event.Event{of("protocol-error", ""), whole}, Incomplete},
		{"this machine's fault", "", true, []event.Event{of("local-error", ""), whole}, Incomplete},
		{"interrupted", "", true, []event.Event{of("interrupted", ""), whole}, Incomplete},
		{"of a kind not known", "", true, []event.Event{of("melted", event.OfRange), whole}, Incomplete},
		{"a proxy without its server", "", true, []event.Event{starting, whole}, Incomplete},
		{"an answer that breaks off", "", true, []event.Event{cut, whole}, Incomplete},
		{"without a line", "", true, []event.Event{unlisted}, Incomplete},
		{"auth unknown, no gate", "", false, []event.Event{target("unknown"), part}, Passed},
		{"findings go first", event.High, true, []event.Event{target("unknown", high), part}, Findings},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := &Gate{FailOn: tt.failOn, FailOnIncomplete: tt.incomplete}
			for _, e := range tt.events {
				g.Event(e)
			}
			if got := g.Exit(); got != tt.want {
				t.Errorf("Exit() = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestGateJudgedStates(t *testing.T) {
	for _, state := range []event.AuthState{"open", "required", "gated", "claimable"} {
		g := &Gate{FailOnIncomplete: true}
		g.Event(target(state))
		g.Event(&event.Summary{Complete: true})
		if got := g.Exit(); got != Passed {
			t.Errorf("state %s: Exit() = %d, want %d", state, got, Passed)
		}
	}
}

func TestExpect(t *testing.T) {
	for n := range 4 {
		g := &Gate{Expect: 2}
		for range n {
			g.Event(target("required"))
		}
		g.Event(&event.Target{Outcome: "helper", Auth: &event.Auth{State: "open"}})
		g.Event(&event.Summary{Complete: true})
		want := Passed
		if n < 2 {
			want = Incomplete
		}
		if got := g.Exit(); got != want {
			t.Errorf("%d gateways: Exit() = %d, want %d", n, got, want)
		}
	}
}

func TestReasons(t *testing.T) {
	g := &Gate{FailOnIncomplete: true, Expect: 1}
	for i := range event.MaxUnlisted + 1 {
		g.Event(&event.Target{Outcome: "closed", Target: event.Address{IP: "192.0.2.1", Port: 1 + i}})
	}
	g.Event(&event.Summary{Unlisted: &event.Unlisted{Count: 7, Targets: []event.Place{{Place: "192.0.2.9", Outcome: "silent"}}}})
	got := strings.Join(g.Reasons(), "\n")
	for _, want := range []string{"0 of at least 1 gateways found", "not judged: 192.0.2.1:1 (closed), ", "192.0.2.1:20 (closed) and 8 more", "not all targets were looked at"} {
		if !strings.Contains(got, want) {
			t.Errorf("reasons lack %q:\n%s", want, got)
		}
	}
	g = &Gate{FailOnIncomplete: true}
	g.Event(&event.Summary{Complete: true})
	if got := g.Reasons(); got != nil {
		t.Errorf("reasons of a gate that passed: %q", got)
	}
}

func TestParseFailOn(t *testing.T) {
	tests := []struct {
		in   string
		want event.Severity
		ok   bool
	}{
		{"none", "", true},
		{"low", event.Low, true},
		{"medium", event.Medium, true},
		{"high", event.High, true},
		{"critical", event.Critical, true},
		{"info", "", false}, // notes, not reasons to fail
		{"", "", false},
		{"High", "", false},
		{"high\n", "", false},
	}
	for _, tt := range tests {
		got, err := ParseFailOn(tt.in)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("ParseFailOn(%q) = %q, %v; want %q, ok %v", tt.in, got, err, tt.want, tt.ok)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "none, low")) {
			t.Errorf("ParseFailOn(%q): error %q must be one line that lists the values", tt.in, err)
		}
	}
}
