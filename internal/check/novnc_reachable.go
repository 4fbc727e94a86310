package check

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func novncReachable() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "novnc-reachable",
		Title:    "The agent's screen is offered to anyone who connects",
		Severity: event.Critical,
		Needs:    event.NeedsHelpers,
		When: `A VNC server, or noVNC's page in front of one, answered on a port where agents'
sandboxes show their screen. The list of security types tells whether a password
is required; none was tried and no screen opened. Critical without a password,
high where it is not known whether one is required, medium with one; over
loopback for information, unless the listener is known to be bound, or
published, beyond it.`,
		Files: `A port of VNC or noVNC (5900, 6080) is published or forwarded beyond loopback of
the host, or an Ingress or a tunnel leads to it. Whether it requires a password
counts where the files tell.`,
		Why: `Anyone who connects sees what the agent's browser shows and can click and type
there. OpenClaw before 2026.2.21 started its sandbox's VNC server without a
password (CVE-2026-32064).`,
		Fix: `Publish the port on loopback only ("127.0.0.1::6080"), give the server a
password (x11vnc -rfbauth) and update OpenClaw and its sandbox image.`,
		Steps: `1. Close the port now: firewall, or stop the container that publishes it.
2. Update OpenClaw and rebuild its sandbox browser's image: from 2026.2.21 on
   the server requires a password.
3. Publish the port on loopback only: "-p 127.0.0.1::6080".
4. Log out of what the browser was logged in to, and scan again from another
   machine.`,
		Controls:   []string{"nvdb:N2", "cncert:C1", "tongbao:T2", "owasp:ASI05"},
		References: []string{"https://docs.openclaw.ai/tools/browser/security"},
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.recognised() || s.Verdict.Product.ID != "novnc" && s.Verdict.Product.ID != "vnc" {
			return nil
		}
		switch {
		case s.here():
			return c.finding(s, event.Info, s.Verdict.Product.Because, message.Say("over-loopback"))
		case s.Verdict.Auth.State == event.AuthRequired:
			return c.finding(s, event.Medium, s.Verdict.Product.Because, message.Say("novnc-reachable.password", message.Of("address", s.at())))
		case s.Verdict.Auth.State == event.AuthOpen:
			return c.finding(s, event.Critical, s.Verdict.Product.Because, message.Say("novnc-reachable.open", message.Of("address", s.at())))
		}
		return c.finding(s, event.High, s.Verdict.Product.Because, message.Say("novnc-reachable.unclear", message.Of("address", s.at())))
	}}
}
