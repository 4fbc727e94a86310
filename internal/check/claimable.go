package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func claimable() Check {
	doc := Doc{
		ID:       "claimable",
		Title:    "Nobody owns this agent yet: whoever comes first takes it",
		Severity: event.Critical,
		Needs:    event.NeedsAuth,
		When: `The product itself says, to anybody who asks, that its log-in has no user, password or
pairing yet. Nothing was set up, registered or paired, and no code was asked for.`,
		Why: `The log-in protects nothing until somebody has made it his. A stranger who comes first
sets the password, becomes the administrator or pairs his own client; the owner is then
locked out, and the agent with its keys, files and shell is the stranger's. Several of
these products let everybody in until then.`,
		Fix: `Close the port to others, finish the set-up from the host itself, and look for what
strangers may have left behind.`,
		Steps: `1. Close the port to others now: firewall, or stop the proxy, tunnel or container port
   that leads to it.
2. On the host itself finish the set-up: register the first user, set the password or
   pair your own client.
3. If somebody was there before you, take the host for compromised: remove what you did
   not put there, and replace every key that the agent held.
4. The product's own steps: "clawsonar explain" with its id, as the report names it.
5. Scan again: it must ask for a credential now.`,
		Controls:   []string{"nvdb:N2", "cncert:C2", "tongbao:T4", "owasp:ASI03"},
		References: []string{"https://owasp.org/Top10/A05_2021-Security_Misconfiguration/"},
		Relatives:  true,
		Advised:    true,
	}
	return Check{doc, func(s Subject) []event.Finding {
		v := s.Verdict
		if !s.gateway() || v.Auth.State != event.AuthClaimable {
			return nil
		}
		return []event.Finding{doc.finding(s, event.Critical, v.Auth.Because, means(v, message.Say("claimable.no-owner")), shownBy(v.Auth.Because))}
	}}
}
