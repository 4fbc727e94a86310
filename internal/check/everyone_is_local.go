package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func everyoneIsLocal() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "everyone-is-local",
		Title:    "The gateway treats every visitor as a local client",
		Severity: event.High,
		Needs:    event.NeedsRemote,
		When: `From another machine, and without a credential, the gateway answered as it
answers its own host only: with the details of its readiness (2026.3.7 and
later), the release at start-up (2026.8.1 and later) or its canvas (2026.2.6 to
2026.4). Never raised over loopback, where clients are local, nor when something
in front adds a credential, since an authenticated client gets the details as
well.`,
		Files: `What leads to the gateway connects from its own host and hides the client: a
proxy that sends no X-Forwarded-For or removes it, or a forwarder of bytes
(socat, ssh -R, frp in mode tcp, a stream of nginx).`,
		Why: `Something on the gateway's host forwards to it without naming the client: a
proxy without forwarding headers, a tunnel, socat, ssh -R, a container's port.
To the gateway every connection then comes from itself. Local clients have
privileges: their devices are paired without approval, failed logins are not
limited, and anyone who had the token once keeps access.`,
		Fix: `Have the proxy name the client, and tell the gateway to trust the proxy: in
nginx "proxy_set_header X-Forwarded-For $remote_addr;", in openclaw.json
gateway.trustedProxies: ["127.0.0.1"] (the proxy's own address, nothing wider).
Replace byte forwarders by such a proxy, or bind them to loopback.`,
		Steps: `1. Find what forwards: on the gateway's host look for nginx, Caddy, socat, ssh
   with -R or -L, cloudflared, a container's published port in front of port
   18789 ("ss -ltnp").
2. A byte forwarder (socat, ssh -R, a TCP load balancer) cannot name the
   client. Stop it, or bind it to 127.0.0.1 and reach it through a VPN.
3. Have an HTTP proxy set the visitor's address itself, so that no visitor can
   claim one. nginx, in the location that has proxy_pass:
     proxy_http_version 1.1;
     proxy_set_header Upgrade $http_upgrade;
     proxy_set_header Connection "upgrade";
     proxy_set_header Host $host;
     proxy_set_header X-Forwarded-For $remote_addr;
     proxy_set_header X-Forwarded-Proto $scheme;
   Caddy's reverse_proxy does so by itself.
4. Tell the gateway to trust the proxy, in openclaw.json:
     gateway.trustedProxies: ["127.0.0.1"]
   with the address from which the proxy connects, and no range. From 2026.8.1
   on the gateway refuses such requests until this is set.
5. Restart the gateway, check the paired devices ("openclaw devices list")
   and remove those that you did not pair; if in doubt, replace the token.
6. Scan again from another machine: this finding must be gone.`,
		Controls:   []string{"nvdb:N2", "cncert:C1", "tongbao:T2", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/gateway/security/network-exposure", "https://docs.openclaw.ai/gateway/trusted-proxy-auth"},
	}, judge: func(c *Check, s *Subject) *event.Finding {
		because := s.proven("taken-for-local")
		if s.loopback() || because == nil {
			return nil
		}
		detail := message.Say("everyone-is-local.elsewhere")
		if s.Reach == event.ReachPublic {
			detail = message.Say("everyone-is-local.internet")
		}
		return c.finding(s, event.High, because, detail, shownBy(because))
	}}
}
