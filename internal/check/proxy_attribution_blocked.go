package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func proxyAttributionBlocked() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "proxy-attribution-blocked",
		Title:    "The gateway refuses its own proxy",
		Severity: event.Medium,
		Needs:    event.NeedsProduct,
		When: `The gateway (2026.8.1 or later) refused with proxy_attribution_required: the
request came with forwarding headers from a proxy that the gateway has not been
told to trust, or from an address that it treats as a proxy's without any.
Whether it requires a credential cannot be seen behind that.`,
		Files: `A proxy that sends forwarding headers leads to the gateway, its address is not
in gateway.trustedProxies, and the release is 2026.8.1 or later.`,
		Why: `The gateway cannot be used on this path, so it is likely to be fixed in haste:
by trusting a whole network, or by removing the headers from the proxy, after
which everyone counts as local. Only then does it show whether authentication is
on.`,
		Fix: `In openclaw.json set gateway.trustedProxies to the one address from which the
proxy connects (["127.0.0.1"] on the same host), restart, and scan again: only
then can authentication be judged.`,
		Steps: `1. Find the address from which the proxy connects: the gateway's log names it
   ("observed unattributable proxy-shaped traffic from ..."). On the same host
   it is 127.0.0.1, in a container network that of the proxy's container.
2. In openclaw.json:
     gateway.trustedProxies: ["127.0.0.1"]
   with that address alone. A range such as 0.0.0.0/0 or 172.16.0.0/12 allows
   every host in it to claim any address.
3. Have the proxy overwrite X-Forwarded-For with the visitor's address (nginx:
   "proxy_set_header X-Forwarded-For $remote_addr;"), so that a visitor's own
   header does not pass. Do not remove the header instead: then everyone
   counts as local.
4. Set gateway.auth.mode to "token" with a random gateway.auth.token if it is
   not, and restart the gateway.
5. Scan again: authentication must now be "required".`,
		Controls:   []string{"nvdb:N2", "cncert:C1"},
		References: []string{"https://docs.openclaw.ai/gateway/trusted-proxy-auth", "https://docs.openclaw.ai/gateway/security/network-exposure"},
	}, judge: func(c *Check, s *Subject) *event.Finding {
		// An address that is treated as the proxy's is another finding.
		because := s.proven("proxy-refused")
		if because == nil || s.Verdict.Trait("proxy-spoofable") != nil {
			return nil
		}
		return c.finding(s, event.Medium, because, message.Say("proxy-attribution-blocked.refuses"))
	}}
}
