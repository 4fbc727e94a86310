package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func tlsOld() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "tls-old",
		Title:    "Outdated versions of TLS are accepted",
		Severity: event.Medium,
		Needs:    event.NeedsTLS,
		When: `A connection that offered nothing above TLS 1.1 was agreed to (low), or TLS 1.1
or older is the best that the server speaks (medium). The gateway itself speaks
1.2 and 1.3 only, so a proxy in front decides.`,
		Why: `TLS 1.0 and 1.1 are withdrawn (RFC 8996): their ciphers and hashes can be
attacked by anyone in between.`,
		Fix: `Allow TLS 1.2 and 1.3 only: in nginx "ssl_protocols TLSv1.2 TLSv1.3;", in
HAProxy "ssl-min-ver TLSv1.2", in Apache "SSLProtocol -all +TLSv1.2 +TLSv1.3".`,
		Steps: `1. nginx: "ssl_protocols TLSv1.2 TLSv1.3;" in every server that listens on this
   port (the first one decides). HAProxy: "ssl-min-ver TLSv1.2" in the bind line
   or ssl-default-bind-options. Apache: "SSLProtocol -all +TLSv1.2 +TLSv1.3".
   Caddy has it so by default: remove "protocols" from the tls directive.
2. Reload the proxy and scan again.`,
		Controls:   []string{"nvdb:N2", "tongbao:T2"},
		References: []string{"https://docs.openclaw.ai/gateway/config-gateway"},
		Relatives:  true,
		FixAny:     `Have it, or the proxy in front of it, offer TLS 1.2 and later only.`,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		i := s.Observation.TLS
		if !s.recognised() || i == nil || i.Legacy == "" && !outdated(i.Version) {
			return nil
		}
		if outdated(i.Version) {
			return c.finding(s, event.Medium, nil, message.Say("tls-old.best", message.Of("version", i.Version)))
		}
		return c.finding(s, event.Low, nil, message.Say("tls-old.agrees", message.Of("version", i.Legacy)))
	}}
}

// outdated reports whether a version of TLS is withdrawn (RFC 8996).
func outdated(version string) bool { return version == "TLS 1.0" || version == "TLS 1.1" }
