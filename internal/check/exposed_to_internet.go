package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func exposedToInternet() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "exposed-to-internet",
		Title:    "The gateway answers on a globally reachable address",
		Severity: event.High,
		Needs:    event.NeedsRemote,
		When: `A recognised product answered on an address that is globally reachable by the
IANA special-purpose address registries. Its authentication does not matter
here.`,
		Files: `A way from the internet leads to the gateway: a tunnel (cloudflared, Tailscale
Funnel, ngrok, cpolar, frp), a Service of type LoadBalancer, an Ingress, the
public address of a platform (Fly, Render, Railway), or a proxy for a public
name. Its authentication does not matter here.`,
		Why: `Search engines list such gateways within days. From then on a single flaw in
the gateway, or one leaked token, is enough: everything between the internet and
the agent's mail, files and shell is that one login.`,
		Fix: `Set gateway.bind to "loopback" and reach the gateway through an SSH tunnel or
a VPN; until then close the port in the firewall.`,
		Steps: `Set gateway.bind to "loopback" and reach the gateway through an SSH tunnel
("ssh -N -L 18789:127.0.0.1:18789 HOST") or a VPN. In Docker publish the port
on loopback only ("127.0.0.1:18789:18789"). Where it must be public, close the
port in the firewall for all but known addresses, and put a proxy with TLS and
a login of its own in front. Scan again from outside.`,
		Fixes:      map[string]string{event.InFiles: `Take away what leads the internet to the gateway at this place (the public name, tunnel, load balancer, Ingress or published port) and reach it through an SSH tunnel or a VPN; where it must be public, let the proxy ask for a login of its own.`},
		Controls:   []string{"nvdb:N2", "cncert:C1", "tongbao:T2"},
		References: []string{"https://docs.openclaw.ai/gateway/security"},
		Relatives:  true,
		FixAny: `Bind it to loopback and reach it through an SSH tunnel or a VPN; until then
close the port in the firewall.`,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.gateway() || s.Reach != event.ReachPublic {
			return nil
		}
		return c.finding(s, event.High, s.Verdict.Product.Because, message.Say("exposed-to-internet.at", message.Of("address", s.Observation.Addr.String())))
	}}
}
