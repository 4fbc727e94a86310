package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func listensBeyondLoopback() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "listens-beyond-loopback",
		Title:    "The gateway's listener is bound beyond loopback",
		Severity: event.Medium,
		Needs:    event.NeedsListener,
		When: `This machine was scanned, and the operating system says that the listening
socket of the gateway found is bound to a wildcard or to an outside address. No
packet is sent to find that out.`,
		Files: `The command line, the configuration, or what the release does by default in a
container binds the gateway beyond loopback of a machine; or a way in is open to
its networks: a port published on one of its addresses, network_mode: host,
hostNetwork, a NodePort. The bind inside a container or pod alone is none: what
is published counts (without an address: published-on-all-interfaces).`,
		Why: `Every network that this machine is in, or joins later, can connect: an office
LAN, a hotel's Wi-Fi, a container network, the internet if nothing filters. Only
the gateway's own login protects it.`,
		Fix: `Set gateway.bind to "loopback" and restart the gateway; in a container publish
the port on 127.0.0.1 only.`,
		Steps: `Set gateway.bind to "loopback" in openclaw.json and restart the gateway; use an
SSH tunnel or a VPN from other machines. In a container the wildcard is needed:
there publish the port on loopback only ("127.0.0.1:18789:18789"). If other
machines must connect directly, limit the port to them in the firewall and
switch on gateway.tls.`,
		// Of a proxy or the like in front of the gateway.
		Fixes:      map[string]string{"forwards": `Bind what listens there to 127.0.0.1 in its own settings (a container's port: "127.0.0.1:18789:18789"), or limit it to those who need it: a login in front, the firewall.`},
		Controls:   []string{"nvdb:N2", "cncert:C1", "tongbao:T2"},
		References: []string{"https://docs.openclaw.ai/gateway/security"},
		Relatives:  true,
		FixAny: `Bind it to 127.0.0.1 in its settings and restart it; in a container publish the
port on 127.0.0.1 only.`,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.gateway() || !s.beyond() {
			return nil
		}
		args := []message.Arg{message.Of("address", s.Bound.String())}
		if s.Process != "" {
			args = append(args, message.Of("process", s.Process))
		}
		every := s.Bound.Addr().IsUnspecified()
		if every && s.Discovery != nil && s.Discovery.Published != "" {
			return nil // published-on-all-interfaces
		}
		var detail message.Text
		switch {
		case s.Forwards && every:
			detail = message.Say("listens-beyond-loopback.forwards.every", args...)
		case s.Forwards:
			detail = message.Say("listens-beyond-loopback.forwards.bound", args...)
		case every:
			detail = message.Say("listens-beyond-loopback.every", args...)
		default:
			detail = message.Say("listens-beyond-loopback.bound", args...)
		}
		f := c.finding(s, event.Medium, nil, detail)
		if s.Forwards {
			f.Advise(c.OtherFix("forwards"))
		}
		return f
	}}
}
