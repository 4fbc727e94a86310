package check

import "github.com/clawsonar/clawsonar/internal/event"

func deviceAutoApprove() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "device-auto-approve",
		Title:    "New devices are approved without anyone looking",
		Severity: event.High,
		Needs:    event.NeedsFiles,
		When: `gateway.auth.trustedProxy.deviceAutoApprove is enabled in mode trusted-proxy,
and its scopes hold operator.admin; or gateway.nodes.pairing.autoApproveCidrs
holds a range that covers every address, public addresses, or far more than one
network of your own.`,
		Why: `A device that was approved once keeps its access. With operator.admin every user
whom the proxy lets in becomes an administrator of the gateway; with a wide
range any machine in it becomes a node of the agent, and receives what the agent
sends to nodes.`,
		Fix: `Take operator.admin out of deviceAutoApprove.scopes, or set
deviceAutoApprove.enabled to false; remove autoApproveCidrs, or list the single
addresses of your nodes. Then look through the paired devices.`,
		Steps: `1. Approve administrators by hand, with
     gateway.auth.trustedProxy.deviceAutoApprove.enabled: false
   in openclaw.json, or take "operator.admin" out of its scopes.
2. Approve nodes by hand:
     openclaw config unset gateway.nodes.pairing.autoApproveCidrs
   or list the single addresses of your nodes.
3. Restart, and remove devices that you do not know ("openclaw devices list",
   "openclaw devices remove", "openclaw nodes list").
4. Inspect again.`,
		Controls:   []string{"nvdb:N3", "cncert:C2", "tongbao:T4", "owasp:ASI03"},
		References: []string{"https://docs.openclaw.ai/gateway/trusted-proxy-auth", "https://docs.openclaw.ai/gateway/pairing"},
	}}
}
