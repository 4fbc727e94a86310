package check

import "github.com/clawsonar/clawsonar/internal/event"

func hooksWeak() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "hooks-weak",
		Title:    "The token of the webhooks does not protect them",
		Severity: event.High,
		Needs:    event.NeedsFiles,
		When: `hooks.enabled is true, and hooks.token is shorter than 24 characters, stands in
public examples, or is the token or password of the gateway as well; or
hooks.path is "/". The token itself is not shown.`,
		Why: `Webhooks hand a text to the agent, and their token is all that is asked. One
that is guessed makes the agent act. One that is the gateway's as well gives the
gateway away to every service that sends webhooks. With the path / the webhooks
answer for all other paths of the gateway.`,
		Fix: `Give hooks.token a random value of its own (openclaw config set hooks.token
"$(openssl rand -hex 32)"), set hooks.path to "/hooks", and restart; if nothing
uses them, set hooks.enabled to false.`,
		Steps: `1. If nothing sends webhooks:
     openclaw config set hooks.enabled false
2. Else give them a token of their own and a path of their own:
     openclaw config set hooks.token "$(openssl rand -hex 32)"
     openclaw config set hooks.path /hooks
3. If the token was the gateway's, replace that as well:
     openclaw config set gateway.auth.token "$(openssl rand -hex 32)"
4. Restart, give the senders the new token, and inspect again.`,
		Controls:   []string{"nvdb:N2", "nvdb:N3", "cncert:C2", "tongbao:T4", "owasp:ASI01"},
		References: []string{"https://docs.openclaw.ai/gateway/config-hooks"},
	}}
}
