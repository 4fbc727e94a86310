package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func gatewayForwarded() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "gateway-forwarded",
		Title:    "Anyone who reaches this dashboard reaches the gateway behind it",
		Severity: event.High,
		Needs:    event.NeedsProduct,
		When: `A WebSocket was opened on the dashboard without its login, and the first
message of an OpenClaw gateway came back. Nothing was said to it. Whether the
gateway asks for a credential of its own does not show there: it is critical if
it does not, so scan the gateway as well.`,
		Why: `The gateway may listen on loopback alone, and take what the dashboard
forwards for local. Then the gateway's own credential is all that is left in the
way, and what it permits to local clients it permits to everybody.`,
		Fix: `Close the dashboard's port to others, or put a proxy with a login in front
of all of its paths, WebSockets too. Scan the gateway, and give it a token if it
has none.`,
		Steps: `1. Close the dashboard's port to others.
2. Scan the gateway itself on its host ("clawsonar scan 127.0.0.1:18789"). If it
   is open, give it a fresh random token and restart it.
3. Update the dashboard. If it still forwards without a login, put a proxy in
   front of it that asks for one on every path, WebSockets too.
4. Look for devices and sessions of the gateway that are not yours.
5. Scan again: this finding must be gone.`,
		Controls:   []string{"nvdb:N2", "cncert:C1", "tongbao:T2", "owasp:ASI03"},
		References: []string{"https://cwe.mitre.org/data/definitions/441.html"},
		Relatives:  true,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		because := s.proven("gateway-forwarded")
		if because == nil {
			return nil
		}
		return c.finding(s, event.High, because, message.Say("gateway-forwarded.opened"), shownBy(because))
	}}
}
