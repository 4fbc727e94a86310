package check

import "github.com/clawsonar/clawsonar/internal/event"

func refusesStart() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "refuses-start",
		Title:    "The gateway refuses to start with these settings",
		Severity: event.Medium,
		Needs:    event.NeedsFiles,
		When: `The release refuses the settings at start-up, as was measured on it or stands in
its code: a bind beyond loopback without a credential or with mode none, a token
and a password without a mode, a token beside mode trusted-proxy, mode
trusted-proxy without trustedProxies or userHeader, Tailscale serve or funnel
with a bind beyond loopback or a mode that it excludes, a credential of
examples. The finding names the releases.`,
		Why: `A gateway that does not start exposes nothing. But it is then often opened in
haste, with mode none or a proxy that adds the token, and an earlier release may
start with the same files and be open.`,
		Fix: `Correct the setting that is named: a random gateway.auth.token, one mode, and
gateway.bind "loopback" unless others must connect directly.`,
		Steps: `1. Decide on one mode, and set a random credential for it:
     openclaw config set gateway.auth.token "$(openssl rand -hex 32)"
     openclaw config set gateway.auth.mode token
     openclaw config unset gateway.auth.password
2. Where nobody connects directly, bind to loopback:
     openclaw config set gateway.bind loopback
   In a container bind "lan" is needed; publish the port on 127.0.0.1 there.
3. For mode trusted-proxy set gateway.trustedProxies to the address of the proxy
   and gateway.auth.trustedProxy.userHeader to the header that it sets, and
   remove the token.
4. Start the gateway ("openclaw gateway status" tells whether it runs) and
   inspect again.`,
		Controls:   []string{"nvdb:N2", "cncert:C2", "tongbao:T2"},
		References: []string{"https://docs.openclaw.ai/gateway/config-gateway", "https://docs.openclaw.ai/gateway/trusted-proxy-auth"},
	}}
}
