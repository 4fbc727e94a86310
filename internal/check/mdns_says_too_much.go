package check

import (
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func mdnsSaysTooMuch() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "mdns-says-too-much",
		Title:    "The gateway announces details of its host on the network",
		Severity: event.Medium,
		Needs:    event.NeedsAnnouncement,
		When: `The announcement that led to the gateway ("clawsonar discover -mdns") tells
where its program lies, the port of SSH or the name in the tailnet. Values are
not kept. An announcement is what its sender claims: anybody on the network can
make one up.`,
		Files: `discovery.mdns.mode is "full", and the announcements are not switched off by
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
   Releases before 2026.4 tell the name in the tailnet in mode minimal, too, and
   clawdbot 2026.1 tells everything in any mode: there set
   OPENCLAW_DISABLE_BONJOUR=1 (CLAWDBOT_DISABLE_BONJOUR=1), or update.
2. Restart the gateway, and inspect or find and scan again.`,
		Controls:   []string{"nvdb:N2", "cncert:C1"},
		References: []string{"https://docs.openclaw.ai/gateway/bonjour"},
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.gateway() || s.Discovery == nil {
			return nil
		}
		var tells []string
		for _, key := range []string{event.AnnouncedCLI, event.AnnouncedSSH, event.AnnouncedTailnet} {
			if slices.Contains(s.Discovery.Announced, key) {
				tells = append(tells, key)
			}
		}
		if tells == nil {
			return nil
		}
		return c.finding(s, event.Medium, nil, message.Say("mdns-says-too-much.announced", message.Of("settings", tells...)))
	}}
}
