package check

import "github.com/clawsonar/clawsonar/internal/event"

func originWildcard() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "origin-wildcard",
		Title:    "Any web page may talk to the gateway through its owner's browser",
		Severity: event.High,
		Needs:    event.NeedsDeep,
		When: `Level deep only. A WebSocket opening that named the origin of a foreign page was
not refused for it: the gateway continued and required the Control UI's device.`,
		Files: `gateway.controlUi.allowedOrigins holds "*", and the Control UI is not switched
off.`,
		Why: `A page that the owner happens to open can connect to the gateway from inside the
owner's network, even over loopback, with all that the browser is trusted with.
The origin is what distinguishes such a page from the Control UI.`,
		Fix: `In openclaw.json take "*" out of gateway.controlUi.allowedOrigins and list the
origins of your own Control UI, in full; before 2026.2.2 no origin is checked at
all: update.`,
		Steps: `1. Releases before 2026.2.2 check no origin at all: update first.
2. In openclaw.json replace "*" by the origins you open the Control UI from,
   scheme and port included:
     gateway.controlUi.allowedOrigins: ["https://claw.example.org"]
   For use over loopback or a tailnet none is needed: leave the key out.
3. Restart the gateway and scan again at -level deep.`,
		Controls:   []string{"nvdb:N5", "cncert:C1", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/web/control-ui", "https://docs.openclaw.ai/gateway/security"},
	}, judge: onTrait("origin-any", event.High, "origin-wildcard.any")}
}
