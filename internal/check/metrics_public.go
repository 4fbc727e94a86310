package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func metricsPublic() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "metrics-public",
		Title:    "The gateway's metrics are public",
		Severity: event.Medium,
		Needs:    event.NeedsProduct,
		When: `/api/diagnostics/prometheus answered with metrics without a credential
(2026.4.25 and later, with the plugin diagnostics-prometheus).`,
		Why: `Metrics tell which models and channels are used, how much and when: a picture of
the owner's days. They also show whether an attack works.`,
		Fix: `Switch the gateway's authentication on (clawsonar explain auth-missing) and give
the collector a token; if nothing collects, remove the plugin.`,
		Steps: `1. The route requires the gateway's credential. That it answered without means
   that the gateway requires none, or that something in front adds one: follow
   "clawsonar explain auth-missing".
2. If nothing collects the metrics, switch the plugin off:
     plugins.entries.diagnostics-prometheus.enabled: false
3. Restart the gateway and scan again.`,
		Controls:   []string{"nvdb:N2", "cncert:C1"},
		References: []string{"https://docs.openclaw.ai/gateway/prometheus"},
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.gateway() || s.Verdict.Surface("metrics") != event.SurfaceOpen {
			return nil
		}
		return c.finding(s, event.Medium, []string{"metrics.listed"}, message.Say("metrics-public.given"))
	}}
}
