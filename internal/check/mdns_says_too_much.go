package check

import "github.com/clawsonar/clawsonar/internal/event"

func mdnsSaysTooMuch() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "mdns-says-too-much",
		Title:    "The gateway announces details of its host on the network",
		Severity: event.Medium,
		Needs:    event.NeedsFiles,
		When: `discovery.mdns.mode is "full", and the announcements are not switched off by
other means (the plug-in bonjour disabled, OPENCLAW_DISABLE_BONJOUR=1). Outside
macOS the plug-in is off unless it was enabled; the finding is for information
then.`,
		Why: `Every machine of the local network learns where the program lies, which often
shows the name of a user, the port of SSH and the name in the tailnet: what an
attacker looks for first.`,
		Fix: `Set discovery.mdns.mode to "minimal" or "off" (openclaw config set
discovery.mdns.mode minimal) and restart.`,
		Steps: `1. Announce no more than is needed:
     openclaw config set discovery.mdns.mode minimal
   or "off"; or switch the plug-in off ("openclaw plugins disable bonjour").
2. Restart the gateway and inspect again.`,
		Controls:   []string{"nvdb:N2", "cncert:C1"},
		References: []string{"https://docs.openclaw.ai/gateway/bonjour"},
	}}
}
