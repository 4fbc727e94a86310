package cli

import (
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Findings of high or worse are shown when they are found, cleaned, and not
// without end; what is suppressed or milder is not.
func TestAnnounce(t *testing.T) {
	var out strings.Builder
	say := announce(&out)
	line := func(findings ...event.Finding) *event.Target {
		return &event.Target{Target: event.Address{URL: "http://192.0.2.1:18789/\x1b[31m"}, Findings: findings}
	}
	say(line(event.Finding{ID: "auth-missing", Severity: event.Critical, Title: "Open\r\n"}, event.Finding{ID: "plain-http", Severity: event.Medium, Title: "Mild"},
		event.Finding{ID: "exposed-to-internet", Severity: event.High, Title: "Known", Suppressed: "baseline"}))
	got := strings.ReplaceAll(out.String(), erase, "")
	if !strings.HasPrefix(got, "critical  http://192.0.2.1:18789/") || !strings.HasSuffix(got, "[auth-missing]\n") || strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") {
		t.Errorf("said %q", got)
	}
	for range 3 * maxAnnounced {
		say(line(event.Finding{ID: "auth-missing", Severity: event.Critical, Title: "Open"}))
	}
	if n := strings.Count(out.String(), "\n"); n != maxAnnounced+1 {
		t.Errorf("%d lines, want %d and one that says that there are more", n, maxAnnounced)
	}
}
