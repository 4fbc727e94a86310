package check

import (
	"net/netip"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func publishedOnAllInterfaces() Check {
	return Check{Doc: event.CheckInfo{
		ID:       "published-on-all-interfaces",
		Title:    "The container's port is published on every address of the host",
		Severity: event.Medium,
		Needs:    event.NeedsPublished,
		When: `Docker or Podman, or a list that they made, says that the port at which the
gateway was found is published on 0.0.0.0 or [::]: no host address was given. No
packet is sent to find that out.`,
		Files: `A container's port is published without a host address, in a Compose file, a
command, a unit or as a hostPort: "18789:18789".`,
		Why: `Every network that the host is in, or joins later, can connect. A firewall such
as ufw does not help: Docker puts its own rules before it. Many do not know that
"-p 18789:18789" means all networks.`,
		Fix: `Publish the port on loopback only, "127.0.0.1:18789:18789" in Compose or with
-p, and create the container again.`,
		Steps: `1. In compose.yaml, or where the container is started, put the host address
   before the port:
     ports: ["127.0.0.1:18789:18789"]        docker run -p 127.0.0.1:18789:18789
2. Create the container again ("docker compose up -d"); a restart keeps the old
   port.
3. Reach it through an SSH tunnel or a VPN. Where other machines must connect,
   publish the port on the one address that they use, and limit it in the chain
   DOCKER-USER: rules elsewhere come too late.
4. Find and scan again: "clawsonar discover -docker | clawsonar scan".`,
		Controls:   []string{"nvdb:N2", "cncert:C1", "tongbao:T2"},
		References: []string{"https://docs.docker.com/engine/network/packet-filtering-firewalls/", "https://docs.openclaw.ai/gateway/security"},
		Relatives:  true,
		FixAny:     `Publish the port on 127.0.0.1 only, and create the container again.`,
	}, judge: func(c *Check, s *Subject) *event.Finding {
		if !s.gateway() || s.Discovery == nil {
			return nil
		}
		at, err := netip.ParseAddrPort(s.Discovery.Published)
		if err != nil || !at.Addr().IsUnspecified() {
			return nil
		}
		return c.finding(s, event.Medium, nil, message.Say("published-on-all-interfaces.every", message.Of("address", at.String())))
	}}
}
