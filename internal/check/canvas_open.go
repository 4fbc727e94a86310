package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func canvasOpen() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "canvas-open",
		Title:    "The agent's canvas is shown without a credential",
		Severity: event.Medium,
		Needs:    event.NeedsProduct,
		When: `The canvas answered with its own page. Releases up to 2026.2.5 show it to
anyone, regardless of authentication; those up to 2026.4 to clients that count
as local, so over loopback nothing is raised for them.`,
		Why: `The canvas holds what the agent draws and writes for its owner, and its pages
can run scripts next to the Control UI. A missing page reveals the path of the
folder, and with it the name of the user.`,
		Fix: `Update to 2026.2.6 or later; from then on this appears only where everyone is
treated as local: clawsonar explain everyone-is-local`,
		Steps: `1. Up to 2026.2.5: update ("npm install -g openclaw@latest"); until then keep
   /__openclaw__/ and /__clawdbot__/ out of what the proxy passes on, or set
   canvasHost.enabled to false and restart.
2. From 2026.2.6 on the gateway treats the visitor as local: follow "clawsonar
   explain everyone-is-local".
3. Scan again from another machine.`,
		Controls:   []string{"nvdb:N1", "nvdb:N2", "cncert:C1", "cncert:C7"},
		References: []string{"https://docs.openclaw.ai/gateway/security"},
	}, judge: func(c *Check, s *Subject) *event.Finding {
		toAll := s.Verdict.Trait("canvas-for-all") != nil
		host := s.Verdict.Product.ID == "openclaw-canvas" // on a port of its own
		if !s.gateway() && !(host && s.recognised()) || s.Verdict.Surface("canvas") == "" || s.loopback() && !toAll {
			return nil
		}
		return c.finding(s, event.Medium, []string{"canvas.shown"}, message.Say("canvas-open.answers"))
	}}
}
