package check

import "github.com/clawsonar/clawsonar/internal/event"

func runsAsRoot() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "runs-as-root",
		Title:    "The gateway runs as root",
		Severity: event.Medium,
		Needs:    event.NeedsFiles,
		When: `What starts the gateway runs it as root: a system unit without User=, an image
whose last USER is root or that has none, user: root or privileged in Compose,
runAsUser: 0 or privileged in Kubernetes, or a process of root. Low in a
container without further rights, medium else.`,
		Why: `What the agent runs, and what an attacker has it run, runs with the gateway's
rights: as root every file and every other service of the machine is theirs.`,
		Fix: `Run the gateway as a user of its own: User= in the unit, USER node in the
Dockerfile, user: in Compose, runAsNonRoot in Kubernetes.`,
		Steps: `1. On a host: make a user ("useradd --system --create-home openclaw"), give it
   the state directory ("chown -R openclaw: DIR"), and set in the unit:
     User=openclaw
     NoNewPrivileges=yes
2. In a Dockerfile "USER node" as the last USER; in Compose user: "1000:1000"
   and no privileged: true; in Kubernetes securityContext with runAsNonRoot:
   true and allowPrivilegeEscalation: false.
3. Start it again and inspect again.`,
		Controls:   []string{"nvdb:N3", "cncert:C3", "tongbao:T5", "owasp:ASI05"},
		References: []string{"https://docs.openclaw.ai/gateway/security", "https://cwe.mitre.org/data/definitions/250.html"},
	}}
}
