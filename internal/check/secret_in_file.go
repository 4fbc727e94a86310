package check

import "github.com/clawsonar/clawsonar/internal/event"

func secretInFile() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "secret-in-file",
		Title:    "A secret stands in clear in a file",
		Severity: event.Medium,
		Needs:    event.NeedsFiles,
		When: `A file of the deployment holds the gateway's token or password, the token of the
webhooks or another secret in clear: openclaw.json or what it includes, a backup
of it, a Compose file, a Kubernetes manifest, a unit or quadlet, a script, a
command line, a URL with ?token=. A reference (${NAME} or an object with a
source) is not counted, nor is the placeholder of an example. The secret itself
is not shown: its length and its place.`,
		Why: `Anyone who reads the file, a copy or backup of it, or the history of the
repository has the secret. Units and manifests can usually be read by every user
of the machine, and command lines by every process.`,
		Fix: `Put the secret into a file with mode 0600 outside the repository, or a secret
store, refer to it from here, and replace it: what was committed stays in the
history.`,
		Steps: `1. In openclaw.json refer to a variable, in capitals and without a default:
     gateway.auth.token: "${OPENCLAW_GATEWAY_TOKEN}"
   The same works for hooks.token.
2. Give the variable its value where it is not committed: systemd with
   EnvironmentFile= (mode 0600), Compose with env_file or secrets, Kubernetes
   with a Secret and secretKeyRef.
3. Replace the secret ("openssl rand -hex 32"), since the old one is known.
4. See what is left ("openclaw secrets audit --check", in recent releases), and
   inspect again.`,
		Controls:   []string{"cncert:C4", "tongbao:T4", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/gateway/secrets", "https://docs.openclaw.ai/gateway/security/secrets-and-storage"},
	}}
}
