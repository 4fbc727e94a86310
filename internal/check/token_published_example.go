package check

import "github.com/clawsonar/clawsonar/internal/event"

func tokenPublishedExample() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "token-published-example",
		Title:    "The gateway's credential is one that anyone can know",
		Severity: event.Critical,
		Needs:    event.NeedsFiles,
		When: `The token or password that the gateway takes (by its command line,
openclaw.json, the environment and the .env of the state directory, in the
product's own order) stands in public examples, such as
change-me-to-a-long-random-token; or it is the word undefined or null that a
script left; or it is the text of a reference that the product does not replace
and takes as it stands: "${NAME:-default}" or "${name}" in openclaw.json, where
${NAME} in capitals, digits and underscores alone is one. Where the release
refuses such a credential at start-up, refuses-start is raised.`,
		Why: `Examples are the first that an attacker tries, and the text of a reference
stands in the repository for all to read. The value that the operator takes for
the token is refused, while the text is accepted.`,
		Fix: `Set a random credential (openclaw config set gateway.auth.token "$(openssl rand
-hex 32)"), restart, and check sessions and paired devices for entries you do
not know.`,
		Steps: `1. If others can reach the gateway, stop what leads to it until this is done.
2. Set a random token and restart the gateway:
     openclaw config set gateway.auth.token "$(openssl rand -hex 32)"
3. Where the token comes from the environment, put the new value into a file
   that is not in the repository. In Compose write ${OPENCLAW_GATEWAY_TOKEN:?}
   instead of a default: without a value nothing is started then.
4. In openclaw.json write references as ${NAME}, in capitals, digits and
   underscores and without a default: what Compose and the shell know beyond
   that, the product does not.
5. Remove devices that you do not know ("openclaw devices list", "openclaw
   devices remove"), and treat what the agent could reach as known to others.
6. Inspect again: this finding must be gone.`,
		Controls:   []string{"nvdb:N2", "cncert:C2", "tongbao:T4", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/gateway/security/secrets-and-storage", "https://cwe.mitre.org/data/definitions/1392.html"},
	}}
}
