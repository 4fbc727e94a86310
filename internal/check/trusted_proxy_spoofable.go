package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func trustedProxySpoofable() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "trusted-proxy-spoofable",
		Title:    "Others can pass for the gateway's trusted proxy",
		Severity: event.Critical,
		Needs:    event.NeedsDeep,
		When: `Level deep only, on 2026.8.1 and later (earlier releases do not show it). The
gateway refused to answer without an address to attribute the request to, and
continued when it was given one, in a header that only its proxy may send,
although the scanning machine is not a proxy: it is on the list of proxies, or a
proxy passes a visitor's own headers on. No user's name was sent. Which
credential the gateway requires is not known: in mode trusted-proxy this is
critical.`,
		Files: `gateway.trustedProxies covers more than the proxy, such as 0.0.0.0/0, 10.0.0.0/8
or a network of pods; or gateway.allowRealIpFallback is true and a visitor's own
X-Real-IP passes; or in mode trusted-proxy the proxy neither sets nor removes
the header that names the user. In mode trusted-proxy this is critical where
visitors get through with it.`,
		Why: `In mode trusted-proxy the gateway believes what its proxy says about who the
user is. A machine that is treated as the proxy can do the same: with one header
it is any user, without a password. In the other modes it can claim any address,
that of the gateway's own host included.`,
		Fix: `In openclaw.json narrow gateway.trustedProxies to the proxy's one address, bind
the gateway so that only the proxy reaches it (gateway.bind: "loopback", or a
firewall rule), restart, and check sessions and paired devices for entries you
do not know.`,
		Steps: `1. Close the gateway's port to all but the proxy now: gateway.bind "loopback" if
   the proxy is on the same host, else a firewall rule.
2. In openclaw.json list the proxy's addresses one by one:
     gateway.trustedProxies: ["10.0.0.5"]
   No range, no container bridge, not the network of the users.
3. List the users who have access:
     gateway.auth.trustedProxy.allowUsers: ["you@example.org"]
   and what the proxy must add:
     gateway.auth.trustedProxy.requiredHeaders: ["x-forwarded-proto"]
4. Leave gateway.auth.trustedProxy.deviceAutoApprove off.
5. Restart, and remove devices and sessions that you do not know ("openclaw
   devices list").
6. Scan again at -level deep from the same machine: this finding must be gone.`,
		Fixes:      map[string]string{event.InFiles: `Narrow gateway.trustedProxies to the proxy's one address, and have the proxy itself set, or remove, the header of gateway.auth.trustedProxy.userHeader and X-Real-IP; bind the gateway so that only the proxy reaches it.`},
		Controls:   []string{"nvdb:N2", "cncert:C1", "cncert:C2", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/gateway/trusted-proxy-auth"},
	}, judge: func(c *Check, s *Subject) *event.Finding {
		because := s.proven("proxy-spoofable")
		if because == nil {
			return nil
		}
		return c.finding(s, event.High, because, message.Say("trusted-proxy-spoofable.believes"), shownBy(because))
	}}
}
