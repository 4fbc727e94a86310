package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func proxyAttributionBlocked() Check {
	doc := Doc{
		ID:       "proxy-attribution-blocked",
		Title:    "The gateway refuses its own proxy",
		Severity: event.Medium,
		Needs:    event.NeedsProduct,
		When: `The gateway (2026.8.1 or later) refused with proxy_attribution_required: the
request came with forwarding headers from a proxy that the gateway has not been
told to trust, or from an address that it takes for a proxy's without any.
Whether it asks for a credential cannot be seen behind that.`,
		Why: `Nobody can use the gateway on this way, so sooner or later somebody mends it in
haste: by trusting a whole network, or by taking the headers out of the proxy,
after which everybody counts as local. Whether authentication is on shows only
then.`,
		Fix: `In openclaw.json set gateway.trustedProxies to the one address from which the
proxy connects (["127.0.0.1"] on the same host), restart, and scan again: only
then can authentication be judged.`,
		Steps: `1. Find the address from which the proxy connects: the gateway's log names it
   ("observed unattributable proxy-shaped traffic from ..."). On the same host it
   is 127.0.0.1, in a container network that of the proxy's container.
2. In openclaw.json:
     gateway.trustedProxies: ["127.0.0.1"]
   with that address alone. A range such as 0.0.0.0/0 or 172.16.0.0/12 lets every
   host in it claim any address.
3. Have the proxy overwrite X-Forwarded-For with the visitor's address (nginx:
   "proxy_set_header X-Forwarded-For $remote_addr;"), so that a visitor's own
   header does not pass. Do not take the header out instead: then everybody
   counts as local.
4. Set gateway.auth.mode to "token" with a random gateway.auth.token if it is not,
   and restart the gateway.
5. Scan again: authentication must now be "required".`,
		Controls:   []string{"nvdb:N2", "cncert:C1"},
		References: []string{"https://docs.openclaw.ai/gateway/trusted-proxy-auth", "https://docs.openclaw.ai/gateway/security/network-exposure"},
	}
	return Check{doc, func(s Subject) []event.Finding {
		// An address that turned out to be taken for the proxy's is another
		// finding.
		because := s.Verdict.Trait("proxy-refused")
		if !s.gateway() || because == nil || s.Verdict.Trait("proxy-spoofable") != nil {
			return nil
		}
		return []event.Finding{doc.finding(s, event.Medium, because, message.Say("proxy-attribution-blocked.refuses"))}
	}}
}
