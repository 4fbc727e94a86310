package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func helperOpen() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "helper-open",
		Title:    "A service that the agent uses is open to anyone",
		Severity: event.Critical,
		Needs:    event.NeedsHelpers,
		When: `A helper service of agents (models, a browser, payments) gave data without a
credential: its list of models, its version, its wallet. No model was queried,
no browser opened, nothing spent. Over loopback, as intended, this is for
information only, unless the listener is known to be bound, or published, beyond
it.`,
		Files: `A port of a service that asks for nothing by default (a terminal such as ttyd,
models, a browser) is published or forwarded beyond loopback of the host, or an
Ingress or a tunnel leads to it, and no login stands in front. Critical where it
gives a shell.`,
		Why: `Anyone who connects uses it at the owner's cost and in the owner's name: the
models and their keys, the machine's computing power, the browsers, the money.`,
		Fix: `Bind the service to loopback, give it a key or a token where it has one, and put
a login in front where it has none.`,
		Steps: `1. Close the port to others now: firewall, or stop the container or forwarder
   that publishes it.
2. Bind it to 127.0.0.1; in Docker publish the port there only.
3. Set its key or token. Where it has none, reach it through an SSH tunnel, or a
   proxy with a login.
4. The product's own steps: "clawsonar explain" with its id, as the report names
   it.
5. Scan again, from another machine.`,
		Controls:   []string{"nvdb:N2", "cncert:C1", "tongbao:T2", "owasp:ASI02"},
		References: []string{"https://cwe.mitre.org/data/definitions/306.html"},
		Advised:    true,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		v := s.Verdict
		// Other helpers have a check of their own, and no advice here.
		if !s.recognised() || !v.Helper || v.Auth.State != event.AuthOpen || v.Advice.Means == "" {
			return nil
		}
		if s.here() {
			return c.finding(s, event.Info, v.Auth.Because, message.Say("over-loopback"))
		}
		return c.finding(s, event.High, v.Auth.Because, means(v, message.Text{}))
	}}
}
