package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func claimable() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "claimable",
		Title:    "This agent has no owner yet: the first to connect takes it",
		Severity: event.Critical,
		Needs:    event.NeedsAuth,
		When: `The product itself tells any client that its login has no user, password or
pairing yet. Nothing was set up, registered or paired, and no code was
requested.`,
		Why: `The login protects nothing until an owner is registered. An attacker who
connects first sets the password, becomes the administrator or pairs a client;
the owner is then locked out, and the attacker has the agent with its keys,
files and shell. Several of these products accept anyone until then.`,
		Fix: `Close the port to others, finish the set-up from the host itself, and look for
what others may have left behind.`,
		Steps: `1. Close the port to others now: firewall, or stop the proxy, tunnel or
   container port that leads to it.
2. On the host itself finish the set-up: register the first user, set the
   password or pair your own client.
3. If somebody was there before you, treat the host as compromised: remove what
   is not yours, and replace every key that the agent held.
4. The product's own steps: "clawsonar explain" with its id, as the report names
   it.
5. Scan again: it must require a credential now.`,
		Controls:   []string{"nvdb:N2", "cncert:C2", "tongbao:T4", "owasp:ASI03"},
		References: []string{"https://owasp.org/Top10/A05_2021-Security_Misconfiguration/"},
		Relatives:  true,
		Advised:    true,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		v := s.Verdict
		if !s.gateway() || v.Auth.State != event.AuthClaimable {
			return nil
		}
		return c.finding(s, event.Critical, v.Auth.Because, means(v, message.Say("claimable.no-owner")), shownBy(v.Auth.Because))
	}}
}
