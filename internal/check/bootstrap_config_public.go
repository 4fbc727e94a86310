package check

import "github.com/clawsonar/clawsonar/internal/event"

func bootstrapConfigPublic() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "bootstrap-config-public",
		Title:    "The page's configuration is public",
		Severity: event.Low,
		Needs:    event.NeedsProduct,
		When: `/__openclaw/control-ui-config.json was answered without a credential on a
release that gives it to anyone (2026.2.15 to 2026.4.21). On an open gateway of
a later release it is a consequence, and not raised.`,
		Why: `It tells anyone the assistant's name and, from 2026.3.7 to 2026.3.30 and again
from 2026.4.14 on, the exact release: the list of what to try.`,
		Fix: `Update to 2026.4.22 or later, which requires a credential there.`,
		Steps: `1. Update: "npm install -g openclaw@latest", or pull the current image.
2. Until then have the proxy refuse /__openclaw/control-ui-config.json to all
   but your own addresses; the Control UI starts without it.
3. Restart the gateway and scan again.`,
		Controls:   []string{"nvdb:N1", "cncert:C7", "tongbao:T1"},
		References: []string{"https://docs.openclaw.ai/install/updating"},
	}, judge: onTrait("config-public", event.Low, "bootstrap-config-public.given")}
}
