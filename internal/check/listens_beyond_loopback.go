package check

import "github.com/clawsonar/clawsonar/internal/event"

// forwardsFix is what to do about a proxy or the like in front of the gateway.
const forwardsFix = `Bind what listens there to 127.0.0.1 in its own settings (a container's port: "127.0.0.1:18789:18789"), or let only those in who need it: a log-in in front, the firewall.`

func listensBeyondLoopback() Check {
	doc := Doc{
		ID:       "listens-beyond-loopback",
		Title:    "The gateway's listener is bound beyond loopback",
		Severity: event.Medium,
		Needs:    event.NeedsListener,
		When: `This machine was scanned, and the operating system says that the listening
socket of the gateway found is bound to a wildcard or to an outside address. No
packet is sent to find that out.`,
		Why: `Every network that this machine is in, or joins later, can connect: an office
LAN, a hotel's Wi-Fi, a container network, the internet if nothing filters. Only
the gateway's own log-in stands in between.`,
		Fix: `Set gateway.bind to "loopback" and restart the gateway; in a container publish
the port on 127.0.0.1 only.`,
		Steps: `Set gateway.bind to "loopback" in openclaw.json and restart the gateway; use an
SSH tunnel or a VPN from other machines. In a container the wildcard is needed:
there publish the port on loopback only ("127.0.0.1:18789:18789"). If other
machines must connect directly, limit the port to them in the firewall and
switch on gateway.tls.`,
		Controls:   []string{"nvdb:N2", "cncert:C1", "tongbao:T2"},
		References: []string{"https://docs.openclaw.ai/gateway/security"},
		Relatives:  true,
		FixAny: `Bind it to 127.0.0.1 in its settings and restart it; in a container publish the port
on 127.0.0.1 only.`,
	}
	return Check{doc, func(s Subject) []event.Finding {
		if !s.gateway() || !s.Bound.IsValid() || s.Bound.Addr().IsLoopback() {
			return nil
		}
		detail := "The listener is bound to " + s.Bound.String()
		if s.Forwards {
			detail = "What hands the gateway on is bound to " + s.Bound.String()
		}
		if s.Bound.Addr().IsUnspecified() {
			detail += ", that is, to every address of this machine"
		}
		if s.Process != "" {
			detail += " (process " + s.Process + ")"
		}
		f := doc.finding(s, event.Medium, "", detail+".")
		if s.Forwards {
			f.Remediation = forwardsFix
		}
		return []event.Finding{f}
	}}
}
