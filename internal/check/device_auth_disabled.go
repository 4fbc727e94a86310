package check

import "github.com/clawsonar/clawsonar/internal/event"

func deviceAuthDisabled() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "device-auth-disabled",
		Title:    "The Control UI needs no paired device",
		Severity: event.High,
		Needs:    event.NeedsDeep,
		When: `Level deep only, on 2026.1.29 to 2026.7.35 (later releases have no such switch).
A Control UI without a device, in a role that needs one, was refused as any
other client is, and not as a Control UI.`,
		Files: `gateway.controlUi.dangerouslyDisableDeviceAuth is true, and the release is one
of 2026.1.29 to 2026.7.35. In later ones it is setting-without-effect.`,
		Why: `The token is then the only protection of the agent. One that leaked, from a log,
a link, a screenshot, is enough: no device has to be approved.`,
		Fix: `In openclaw.json remove gateway.controlUi.dangerouslyDisableDeviceAuth, restart,
and pair your browsers ("openclaw devices approve").`,
		Steps: `1. In openclaw.json remove, or set to false:
     gateway.controlUi.dangerouslyDisableDeviceAuth
     gateway.controlUi.allowInsecureAuth
2. Give the Control UI a secure context, which it needs to make a device key:
   HTTPS, or http://127.0.0.1 through an SSH tunnel.
3. Restart the gateway, open the Control UI and approve the browser ("openclaw
   devices list", "openclaw devices approve").
4. Replace gateway.auth.token, and scan again at -level deep.`,
		Controls:   []string{"nvdb:N2", "cncert:C2", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/web/control-ui"},
	}, judge: onTrait("no-device-asked", event.High, "device-auth-disabled.no-device")}
}
