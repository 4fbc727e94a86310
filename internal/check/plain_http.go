package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func plainHTTP() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "plain-http",
		Title:    "The gateway is used without encryption",
		Severity: event.Medium,
		Needs:    event.NeedsProduct,
		When: `A recognised product answered over plain HTTP. Over loopback this is for
information only, unless the operating system or a container engine says that
the listener is bound, or published, beyond it.`,
		Files: `Others than the gateway's own host reach it without TLS: gateway.tls.enabled is
not true, and neither a proxy nor a tunnel on the way speaks TLS with clients.`,
		Why: `The token or password, and all that the agent says and does, crosses the network
in the clear: anyone on the way can read it and take it over.`,
		Fix: `Put TLS in front, or switch on gateway.tls, and bind the plain port to loopback
only.`,
		Steps: `Put TLS in front: a reverse proxy with a certificate, "tailscale serve", or the
gateway's own (gateway.tls.enabled: true, with gateway.tls.certPath and
gateway.tls.keyPath of a certificate that clients can verify). Then bind the
plain port to loopback only. If the plain port was used from elsewhere, replace
the token.`,
		Controls:   []string{"nvdb:N2", "tongbao:T2"},
		References: []string{"https://docs.openclaw.ai/gateway/security"},
		Relatives:  true,
		FixAny:     `Put a proxy with TLS in front, and bind the plain port to loopback only.`,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.gateway() || s.Observation.Scheme != "http" {
			return nil
		}
		if s.loopback() && s.beyond() {
			return c.finding(s, event.Medium, nil, message.Say("plain-http.bound", message.Of("address", s.Bound.String())))
		}
		if s.loopback() {
			return c.finding(s, event.Info, nil, message.Say("plain-http.loopback"))
		}
		return c.finding(s, event.Medium, nil, message.Say("plain-http.at", message.Of("address", s.HostPort)))
	}}
}
