package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func helperOpen() Check {
	doc := Doc{
		ID:       "helper-open",
		Title:    "A service that the agent uses serves everybody",
		Severity: event.High,
		Needs:    event.NeedsHelpers,
		When: `A service that stands beside agents (models, a browser, a payer) gave a stranger what it
is there for: its list of models, its version, its wallet. Nothing was asked of a model, no
browser opened, nothing spent. Over loopback, where it belongs, it is for information.`,
		Why: `Whoever connects uses it at the owner's cost and in the owner's name: his models and their
keys, his machine's power, his browsers, his money.`,
		Fix: `Bind the service to loopback, give it a key or a token where it has one, and put a log-in
in front where it has none.`,
		Steps: `1. Close the port to others now: firewall, or stop the container or forwarder that
   publishes it.
2. Bind it to 127.0.0.1; in Docker publish the port there only.
3. Set its key or token. Where it knows none, reach it through an SSH tunnel, or a proxy
   with a log-in.
4. The product's own steps: "clawsonar explain" with its id, as the report names it.
5. Scan again, from another machine.`,
		Controls:   []string{"nvdb:N2", "cncert:C1", "tongbao:T2", "owasp:ASI02"},
		References: []string{"https://cwe.mitre.org/data/definitions/306.html"},
		Advised:    true,
	}
	return Check{doc, func(s Subject) []event.Finding {
		v := s.Verdict
		// Others of the helpers have a check of their own, and no words here.
		if !s.recognised() || !v.Helper || v.Auth.State != event.AuthOpen || v.Advice.Means == "" {
			return nil
		}
		if s.loopback() {
			return []event.Finding{doc.finding(s, event.Info, v.Auth.Because, message.Say("over-loopback"))}
		}
		return []event.Finding{doc.finding(s, event.High, v.Auth.Because, means(v, message.Text{}))}
	}}
}
