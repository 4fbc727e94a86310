package check

import "github.com/clawsonar/clawsonar/internal/event"

func browserControlReachable() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "browser-control-reachable",
		Title:    "The gateway's browser control can be reached",
		Severity: event.Critical,
		Needs:    event.NeedsHelpers,
		When: `The HTTP service through which the gateway controls its browser gave its state
without a credential. It listens on loopback alone, so from elsewhere something
forwards to it. Over loopback this is for information only, unless the
listener is known to be bound, or published, beyond it.`,
		Files: `The port of the browser control (the gateway's plus 2) is published or forwarded
beyond loopback of the host.`,
		Why: `The service opens pages, types and clicks in the agent's browser, with all that
it is logged in to. Releases before 2026.2.17 require no credential there.`,
		Fix: `Stop what forwards to the port (the gateway's plus 2), and update: current
releases require the gateway's credential.`,
		Steps: `1. Find what forwards to the port, the gateway's own plus 2 (18791 by default):
   a container's published range, socat, ssh -R. Stop it.
2. Update to a current release, which requires the gateway's credential there.
3. If you do not use the browser, set browser.enabled to false and restart.
4. Scan again from another machine.`,
		Controls:   []string{"nvdb:N2", "cncert:C1", "tongbao:T2", "owasp:ASI05"},
		References: []string{"https://docs.openclaw.ai/gateway/security/browser-control"},
	}, judge: onHelper("openclaw-browser", "browser-control-reachable.at")}
}
