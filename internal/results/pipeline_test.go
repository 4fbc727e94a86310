package results

import (
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/policy"
	"github.com/clawsonar/clawsonar/internal/redact"
)

// What is known is marked before the gate looks, and what identifies is replaced
// in what is written alone: the gate and the baseline know the real target.
func TestPipeline(t *testing.T) {
	line := func(check string) event.Event {
		return &event.Target{
			Type: "target", Target: event.Address{Input: "gw.example.net", Name: "gw.example.net", IP: "192.0.2.7", Port: 80, URL: "http://gw.example.net/"},
			Outcome: event.OutcomeIdentified, Findings: []event.Finding{{ID: check, Key: check, Severity: event.High}},
		}
	}
	ignore, err := policy.LoadIgnore("f", []byte("ignore:\n- {check: plain-http, target: gw.example.net, reason: known}\n"), []string{"plain-http"})
	if err != nil {
		t.Fatal(err)
	}
	for check, exit := range map[string]int{"plain-http": policy.Passed, "auth-missing": policy.Findings} {
		r, err := redact.New([]byte("0123456789abcdef0123456789abcdef"), func(_, value string) string { return value })
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		shown := 0
		p := &Pipeline{
			Filter: &policy.Filter{Now: time.Now(), Ignore: ignore}, Gate: &policy.Gate{FailOn: event.High}, Redact: r,
			Found: func(t *event.Target) { shown++ },
		}
		if err := p.Open([]Output{{Format: Stream, Writer: &out}}, nil, &event.Scan{Type: "scan"}); err != nil {
			t.Fatal(err)
		}
		for _, e := range []event.Event{&event.Scan{Type: "scan"}, line(check), event.NewSummary()} {
			if err := p.Event(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Finish(true); err != nil || shown != 1 {
			t.Errorf("%v, %d lines shown", err, shown)
		}
		if got := p.Gate.Exit(); got != exit {
			t.Errorf("%s: exit code %d, want %d", check, got, exit)
		}
		if text := out.String(); strings.Contains(text, "gw.example") || strings.Contains(text, "192.0.2.7") || strings.Count(text, "\n") != 3 || (exit == policy.Passed) != strings.Contains(text, `"suppressed":"ignore file`) {
			t.Errorf("%s: written is\n%s", check, text)
		}
	}
}
