package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func terminalEnabled() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "terminal-enabled",
		Title:    "The host's terminal is switched on in the Control UI",
		Severity: event.Critical,
		Needs:    event.NeedsProduct,
		When: `The page says so itself (2026.7.1 and later; from 2026.8.1 on it is on unless
switched off). Critical when the gateway requires no credential, else low.`,
		Files: `gateway.terminal.enabled is true (2026.7.1 and later), or from 2026.8.1 on not
false, the Control UI is not switched off, and others than the gateway's own
host reach it.`,
		Why: `Anyone who gets into the Control UI has a shell on the host, as the user that
runs the gateway. Restrictions of the agent's tools do not apply there.`,
		Fix: `Set gateway.terminal.enabled to false and restart, unless you use it. On an open
gateway fix that first: clawsonar explain auth-missing`,
		Steps: `1. Is the gateway open? Then follow "clawsonar explain auth-missing" first, and
   assume that the host has been used: check its processes, cron jobs and
   authorized_keys.
2. In openclaw.json:
     gateway.terminal.enabled: false
3. Restart the gateway and scan again.`,
		Controls:   []string{"nvdb:N3", "cncert:C1", "owasp:ASI05"},
		References: []string{"https://docs.openclaw.ai/gateway/config-gateway"},
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.gateway() || s.Verdict.Surface("terminal") == "" {
			return nil
		}
		if s.Verdict.Auth.State == event.AuthOpen {
			return c.finding(s, event.Critical, []string{"root.terminal"}, message.Say("terminal-enabled.open"))
		}
		return c.finding(s, event.Low, []string{"root.terminal"}, message.Say("terminal-enabled.on"))
	}}
}
