package policy

import (
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

func target(state string, findings ...event.Finding) event.Event {
	t := &event.Target{Outcome: "identified", Findings: findings}
	if state != "" {
		t.Auth = &event.Auth{State: state}
	}
	return event.Event{Target: t}
}

func TestGate(t *testing.T) {
	var (
		whole    = event.Event{Summary: &event.Summary{Complete: true}}
		part     = event.Event{Summary: &event.Summary{Complete: false}}
		high     = event.Finding{Severity: event.High}
		medium   = event.Finding{Severity: event.Medium}
		info     = event.Finding{Severity: event.Info}
		ignored  = event.Finding{Severity: event.Critical, Suppressed: "baseline"}
		newKind  = event.Finding{Severity: "apocalyptic"}
		scan     = event.Event{Scan: &event.Scan{}}
		stranger = event.Event{Target: &event.Target{Outcome: "other"}}
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
		{"whole", "", true, []event.Event{scan, target("required"), stranger, whole}, Passed},
		{"part", "", true, []event.Event{scan, target("required"), part}, Incomplete},
		{"part of two", "", true, []event.Event{part, whole}, Incomplete},
		{"no summary", "", true, []event.Event{scan, target("required")}, Incomplete},
		{"auth unknown", "", true, []event.Event{target("unknown"), whole}, Incomplete},
		{"auth missing", "", true, []event.Event{target(""), whole}, Incomplete},
		{"auth of a kind not known", "", true, []event.Event{target("ajar"), whole}, Incomplete},
		{"a helper's log-in unknown", "", true, []event.Event{{Target: &event.Target{Outcome: "helper", Auth: &event.Auth{State: "unknown"}}}, whole}, Incomplete},
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
	for _, state := range []string{"open", "required", "gated", "blocked", "claimable"} {
		g := &Gate{FailOnIncomplete: true}
		g.Event(target(state))
		g.Event(event.Event{Summary: &event.Summary{Complete: true}})
		if got := g.Exit(); got != Passed {
			t.Errorf("state %s: Exit() = %d, want %d", state, got, Passed)
		}
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
