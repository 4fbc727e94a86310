package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func tlsSelfSigned() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "tls-self-signed",
		Title:    "The certificate is self-signed",
		Severity: event.Low,
		Needs:    event.NeedsTLS,
		When: `The certificate's issuer is its subject, and its own key signed it. The gateway
makes such a one by itself (CN=openclaw-gateway) when TLS is on and no
certificate is given.`,
		Why: `Clients cannot tell the gateway from an attacker in between unless they pin this
very certificate. Users get used to dismissing the warning, and then do not
notice the one that matters.`,
		Fix: `Give the gateway a certificate that clients can verify (gateway.tls.certPath and
gateway.tls.keyPath), or pin its fingerprint in every client.`,
		Steps: `1. Get a certificate for the gateway's name: from a public authority, from
   "tailscale cert", or from an authority of your own that the clients know.
2. In openclaw.json:
     gateway.tls.enabled: true
     gateway.tls.autoGenerate: false
     gateway.tls.certPath: "/path/to/fullchain.pem"
     gateway.tls.keyPath: "/path/to/privkey.pem"
   or leave TLS to a proxy in front and bind the gateway to loopback.
3. Restart the gateway and scan again by its name.`,
		Controls:   []string{"nvdb:N2", "tongbao:T2"},
		References: []string{"https://docs.openclaw.ai/gateway/config-gateway"},
		Relatives:  true,
		FixAny: `Give it a certificate that clients can verify, or pin its fingerprint in every
client.`,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		i := s.Observation.TLS
		if !s.recognised() || i == nil || !i.SelfSigned {
			return nil
		}
		return c.finding(s, event.Low, nil, message.Say("tls-self-signed.own-key", message.Of("subject", short(i.Subject))))
	}}
}
