package check

import "github.com/clawsonar/clawsonar/internal/event"

func tokenWeak() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "token-weak",
		Title:    "The gateway's credential can be guessed",
		Severity: event.High,
		Needs:    event.NeedsFiles,
		When: `The token or password that the gateway takes (by its command line,
openclaw.json, the environment and the .env of the state directory, in the
product's own order) is shorter than 24 characters, or longer and made of so few
different characters or so plain a pattern that it can be guessed. One that
stands in public examples is token-published-example. The value itself is not
shown: its length, and why it is weak.`,
		Why: `The limit on failed attempts counts by address, and leaves out what seems to
come from the gateway's own host. It does not stop anyone who has a list of
usual passwords, many addresses or time; once one fits, they have the agent.`,
		Fix: `Set a random credential of 32 bytes (openclaw config set gateway.auth.token
"$(openssl rand -hex 32)") and restart.`,
		Steps: `1. Set a random token and restart the gateway:
     openclaw config set gateway.auth.token "$(openssl rand -hex 32)"
   In mode password the same for gateway.auth.password. Where the credential
   comes from the environment, change it there.
2. Give the new credential to your clients, and inspect again.`,
		Controls:   []string{"nvdb:N2", "cncert:C2", "tongbao:T4", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/gateway/security/audit-checks", "https://docs.openclaw.ai/gateway/security/rate-limiting"},
	}}
}
