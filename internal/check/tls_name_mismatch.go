package check

import (
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func tlsNameMismatch() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "tls-name-mismatch",
		Title:    "The certificate is for another name",
		Severity: event.Medium,
		Needs:    event.NeedsTLS,
		When: `The target was given by a name that is none of the certificate's subject
alternative names. A target given by its address is not judged.`,
		Why: `Clients refuse it, or their users click the warning away. It can also mean that
the name leads to another machine than you think.`,
		Fix: `Get a certificate with the name that is used, or use the name that is in the
certificate.`,
		Steps: `1. Does the name lead where it should? Compare its address with the machine's.
2. Get a certificate that has this name among its subject alternative names; a
   common name alone does not count.
3. Restart or reload what serves it, and scan again by the same name.`,
		Controls:   []string{"nvdb:N2", "tongbao:T2"},
		References: []string{"https://docs.openclaw.ai/gateway/config-gateway"},
		Relatives:  true,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		i := s.Observation.TLS
		if !s.recognised() || i == nil || i.NameError == "" || i.SelfSigned {
			return nil
		}
		const shown = 3
		names := i.Names[:min(len(i.Names), shown)]
		if all := strings.Join(names, ", "); short(all) != all {
			names = []string{short(all)}
		}
		listed, not := message.Of("names", names...), message.Of("name", s.Observation.Name)
		detail := message.Say("tls-name-mismatch.names", listed, not)
		switch more := len(i.Names) - shown; {
		case len(names) == 0:
			detail = message.Say("tls-name-mismatch.none", not)
		case more > 0:
			detail = message.Say("tls-name-mismatch.more", listed, message.Number("more", more), not)
		}
		return c.finding(s, event.Medium, nil, detail)
	}}
}
