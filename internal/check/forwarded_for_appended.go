package check

import "github.com/clawsonar/clawsonar/internal/event"

func forwardedForAppended() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "forwarded-for-appended",
		Title:    "The proxy passes on an address that visitors claim",
		Severity: event.Medium,
		Needs:    event.NeedsFiles,
		When: `A proxy in front of the gateway appends the visitor's address to the
X-Forwarded-For header that the visitor sent (nginx:
$proxy_add_x_forwarded_for), or passes that header on as it is, and
gateway.trustedProxies trusts the proxy.`,
		Why: `The gateway reads that list from its end and passes over trusted and loopback
addresses. As soon as the proxy's own entry is one of those (a second proxy or
tunnel in front of it, a range that covers visitors), it believes the address
before it, which the visitor wrote. Limits on failed logins and the log then
count whatever is claimed.`,
		Fix: `Have the proxy overwrite the header: in nginx "proxy_set_header X-Forwarded-For
$remote_addr;".`,
		Steps: `1. In nginx, in the location that has proxy_pass:
     proxy_set_header X-Forwarded-For $remote_addr;
     proxy_set_header X-Real-IP $remote_addr;
   Caddy's reverse_proxy overwrites X-Forwarded-For by itself unless its
   trusted_proxies says otherwise.
2. Where another proxy stands in front of it, have the outermost one overwrite
   the header, and list the exact addresses of all of them:
     gateway.trustedProxies: ["127.0.0.1", "10.0.0.5"]
3. Reload the proxy and inspect again.`,
		Controls:   []string{"nvdb:N2", "cncert:C1", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/gateway/security/network-exposure"},
	}}
}
