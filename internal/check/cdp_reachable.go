package check

import "github.com/clawsonar/clawsonar/internal/event"

func cdpReachable() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "cdp-reachable",
		Title:    "Anyone who connects can control the agent's browser",
		Severity: event.Critical,
		Needs:    event.NeedsHelpers,
		When: `A Chrome DevTools endpoint answered /json/version on a port where agents'
browsers listen. The protocol has no login, so the answer is the proof; nothing
was opened or attached to. Over loopback, as intended, this is for information
only, unless the listener is known to be bound, or published, beyond it.`,
		Files: `The DevTools port of a browser is published or forwarded beyond loopback of the
host, or a command binds it to all addresses.`,
		Why: `Anyone who connects sees and controls the browser with all that it is logged in
to: mail, shops, the owner's accounts, and can read its cookies and files.`,
		Fix: `Bind the port to loopback (--remote-debugging-address=127.0.0.1; in Docker
publish 127.0.0.1:PORT:PORT), end the browser's sessions and change the
passwords it knew.`,
		Steps: `1. Close the port now: firewall, or stop the container or forwarder that
   publishes it.
2. Start the browser with its default, --remote-debugging-address=127.0.0.1; in
   Docker publish the port on loopback only ("127.0.0.1:9222:9222").
3. Log out everywhere in that browser's profile and change the passwords:
   cookies can be taken in one request.
4. Scan again from another machine.`,
		Controls:   []string{"nvdb:N2", "cncert:C1", "tongbao:T2", "owasp:ASI05"},
		References: []string{"https://docs.openclaw.ai/tools/browser/security"},
	}, judge: onHelper("cdp", "cdp-reachable.at")}
}
