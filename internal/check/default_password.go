package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func defaultPassword() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "default-password",
		Title:    "It still has a password that anyone can know",
		Severity: event.Critical,
		Needs:    event.NeedsProduct,
		When: `The product itself tells any client that its password is still the default or a
generated one, or gives it out. No password was tried, and none was kept.`,
		Why: `A login whose password is published, or given to any client, stops nobody.
Anyone who logs in has the agent, its keys and what it can reach.`,
		Fix: `Set a password of your own now, end all sessions, and bind the port to loopback.`,
		Steps: `1. Close the port to others.
2. Set a password of your own on the host itself, and end all sessions.
3. Look for sessions, settings and jobs that are not yours, and replace the keys
   that the agent or the gateway behind it holds.
4. The product's own steps: "clawsonar explain" with its id, as the report names
   it.
5. Scan again: this finding must be gone.`,
		Controls:   []string{"nvdb:N2", "cncert:C2", "tongbao:T4", "owasp:ASI03"},
		References: []string{"https://cwe.mitre.org/data/definitions/1392.html"},
		Relatives:  true,
		Advised:    true,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		because := s.proven("default-password")
		if because == nil {
			return nil
		}
		return c.finding(s, event.Critical, because, means(s.Verdict, message.Say("default-password.default")), shownBy(because))
	}}
}
