package check

import "github.com/clawsonar/clawsonar/internal/event"

func settingWithoutEffect() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "setting-without-effect",
		Title:    "A setting has no effect",
		Severity: event.Info,
		Needs:    event.NeedsFiles,
		When: `A setting of the files is not read by the release, or another one takes
precedence: OPENCLAW_GATEWAY_BIND outside Compose files and scripts that pass it
on, CLAWDBOT_ and MOLTBOT_ variables (2026.4.5 and later), gateway.bind beside
--bind, a token beside mode none, keys whose effect was removed, ports beside
network_mode: host.`,
		Why: `The deployment is not as it reads: somebody relies on a protection, or on a way
in, that is not there.`,
		Fix: `Remove the setting, or write what was meant with the one that the release reads.`,
		Steps: `1. See what the gateway takes: its command line first, then openclaw.json, then
   the environment. gateway.bind and --bind decide where it listens:
     openclaw config get gateway.bind
2. Write what was meant there, and remove the setting that does nothing.
3. Inspect again: reach and authentication must be what you expect.`,
		Controls:   []string{"nvdb:N6", "tongbao:T2"},
		References: []string{"https://docs.openclaw.ai/gateway/config-gateway"},
	}}
}
