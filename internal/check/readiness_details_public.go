package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func readinessDetailsPublic() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "readiness-details-public",
		Title:    "Details of the gateway's state are public",
		Severity: event.Low,
		Needs:    event.NeedsProduct,
		When: `From another machine /readyz or /startupz gave the details that are meant for
the gateway's own host and for authenticated clients. Raised where the reason is
not known: everyone may be treated as local, or something in front may add a
credential. Where the former is proven, everyone-is-local is raised instead.`,
		Why: `Which channels fail, since when the gateway runs and which release it is tells
an attacker when and how to try. And if everyone is treated as local, that is
the least of the consequences.`,
		Fix: `Have the proxy answer /readyz and /startupz itself or to your monitoring alone,
and have it name the client: clawsonar explain everyone-is-local`,
		Steps: `1. If a proxy adds a credential or a user's name to every request, put a login
   in front of it: "clawsonar explain auth-missing".
2. Else make sure that visitors are not treated as local: "clawsonar explain
   everyone-is-local".
3. In the proxy refuse /ready, /readyz, /startup and /startupz to all but your
   monitoring. /health tells only that the gateway runs.
4. Scan again from another machine.`,
		Controls:   []string{"nvdb:N2", "cncert:C1"},
		References: []string{"https://docs.openclaw.ai/gateway/health"},
	}, judge: func(c *Check, s *Subject) *event.Finding {
		because := s.proven("details-shown")
		if because == nil || s.loopback() || s.Verdict.Trait("taken-for-local") != nil {
			return nil
		}
		return c.finding(s, event.Low, because, message.Say("readiness-details-public.given"))
	}}
}
