package check

import "github.com/clawsonar/clawsonar/internal/event"

func hooksEnabled() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "hooks-enabled",
		Title:    "Webhooks are switched on",
		Severity: event.Info,
		Needs:    event.NeedsProduct,
		When: `/hooks was answered as only an endpoint that is switched on answers: 405, POST
alone is allowed (2026.3.8 and later), or the refusal of its own (earlier, at
level deep only, since asking there counts as one failed attempt of your
address). Under another hooks.path they are not found.`,
		Files: `hooks.enabled is true. What is wrong with their token or path is hooks-weak.`,
		Why: `Anyone who has the hooks' token can make the agent act on a text. The token is
not the gateway's, travels through other people's services, and is the only
thing that is required.`,
		Fix: `If nothing uses them, set hooks.enabled to false. Else give them a long random
hooks.token that is not the gateway's, and allow only the sender's addresses to
reach /hooks.`,
		Steps: `1. If nothing sends hooks, in openclaw.json set hooks.enabled to false, restart,
   and scan again.
2. Else: hooks.token random and of 32 bytes or more ("openssl rand -hex 32"),
   and not the same as gateway.auth.token; hooks.allowedAgentIds with the agents
   that need them, hooks.allowRequestSessionKey left false.
3. In the proxy or firewall allow only the sender's addresses to reach /hooks.`,
		Controls:   []string{"nvdb:N2", "nvdb:N3", "owasp:ASI01"},
		References: []string{"https://docs.openclaw.ai/gateway/config-hooks"},
	}, judge: onSurface("hooks", "hooks.on", event.Info, "hooks-enabled.on")}
}
