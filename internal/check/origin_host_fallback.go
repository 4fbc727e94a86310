package check

import "github.com/clawsonar/clawsonar/internal/event"

func originHostFallback() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "origin-host-fallback",
		Title:    "The gateway accepts any origin that matches the Host header",
		Severity: event.High,
		Needs:    event.NeedsDeep,
		When: `Level deep only, on gateways reached without a proxy. A WebSocket opening for
the host audit.example from the origin http://audit.example was not refused,
while one from another foreign origin was.`,
		Files: `gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback is true, and the
Control UI is not switched off.`,
		Why: `Anyone who owns a name can make it point at the gateway's address after the
owner's browser has loaded a page under it (DNS rebinding). Page and Host header
then agree, and the gateway treats the page as its own.`,
		Fix: `In openclaw.json remove
gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback and list the origins
of your Control UI in gateway.controlUi.allowedOrigins.`,
		Steps: `1. In openclaw.json remove, or set to false:
     gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback
2. List the origins that you open the Control UI from, in full:
     gateway.controlUi.allowedOrigins: ["https://claw.example.org"]
3. Restart the gateway and scan again at -level deep.`,
		Controls:   []string{"nvdb:N5", "cncert:C1", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/web/control-ui", "https://docs.openclaw.ai/gateway/security/audit-checks"},
	}, judge: onTrait("origin-of-host", event.High, "origin-host-fallback.host")}
}
