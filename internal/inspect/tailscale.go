package inspect

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
)

// tailscaleReader reads a serve configuration of Tailscale: what TS_SERVE_CONFIG of its container
// names, and what `tailscale serve status --json` prints.
func tailscaleReader() reader {
	return reader{
		kind: deploy.KindTailscale,
		match: func(name string, data []byte) bool {
			return hasExt(name, ".json") && (bytes.Contains(data, []byte(`"Web"`)) && bytes.Contains(data, []byte(`"Handlers"`)) ||
				bytes.Contains(data, []byte(`"TCPForward"`)))
		},
		read: readTailscale,
	}
}

func readTailscale(s *source) error {
	root, err := s.document()
	if err != nil || root == nil {
		return err
	}
	// A serve of the foreground or of a Service has the same form further in.
	configs := []*json5.Node{root}
	for _, key := range []string{"Foreground", "Services"} {
		if more := root.Get(key); more != nil {
			for _, m := range more.Members {
				configs = append(configs, m.Value)
			}
		}
	}
	for _, c := range configs {
		s.tailscaleServe(c)
	}
	return nil
}

func (s *source) tailscaleServe(root *json5.Node) {
	funnel := map[int]event.Pos{}
	if allow := root.Get("AllowFunnel"); allow != nil {
		for _, m := range allow.Members {
			if m.Value.Bool {
				funnel[portBehind(m.Key)] = m.Pos
			}
		}
	}
	add := func(port int, at event.Pos, text string, target event.Pos, path string, bytesOnly bool) {
		to, ok := endpointOf(deploy.Host, text, 80)
		if !ok {
			s.gap(deploy.KindTailscale, "gap.target", target.Line, target.Column)
			return
		}
		d := tailscaleDoor(to, target)
		d.In.Port, d.In.Pos, d.Path = port, at, path
		if pos, ok := funnel[port]; ok {
			d.Kind, d.In.Reach, d.In.Pos = deploy.KindFunnel, event.FilesInternet, pos
		}
		if bytesOnly {
			d.Bytes, d.Headers, d.TLS = true, nil, deploy.NotKnown
		} else if scalar(root.Get("TCP", strconv.Itoa(port), "HTTP")) == "true" {
			d.TLS = deploy.No
		}
		s.m.Doors = append(s.m.Doors, d)
	}
	if web := root.Get("Web"); web != nil {
		for _, server := range web.Members {
			handlers := server.Value.Get("Handlers")
			if handlers == nil {
				continue
			}
			for _, h := range handlers.Members {
				if proxy := h.Value.Get("Proxy"); proxy != nil {
					add(portBehind(server.Key), server.Pos, scalar(proxy), proxy.Pos, h.Key, false)
				}
			}
		}
	}
	if tcp := root.Get("TCP"); tcp != nil {
		for _, listener := range tcp.Members {
			if forward := listener.Value.Get("TCPForward"); forward != nil && scalar(forward) != "" {
				add(portNumber(listener.Key), listener.Pos, scalar(forward), forward.Pos, "", true)
			}
		}
	}
}

// tailscaleDoor is a serve: it overwrites what strangers send, and names the user of the tailnet.
func tailscaleDoor(to deploy.Endpoint, pos event.Pos) *deploy.Door {
	user := deploy.Header{Does: deploy.Sets, From: deploy.FromLogin}
	return &deploy.Door{
		Kind: deploy.KindTailscale,
		In:   deploy.Listen{Reach: event.FilesTailnet, Address: "tailnet", Port: 443, Pos: pos},
		To:   to,
		TLS:  deploy.Yes,
		Pos:  pos,
		Headers: map[string]deploy.Header{
			"x-forwarded-for":            {Does: deploy.Sets, From: deploy.FromPeer},
			"x-forwarded-host":           {Does: deploy.Sets, From: deploy.FromElse},
			"x-forwarded-proto":          {Does: deploy.Sets, From: deploy.FromElse},
			"tailscale-user-login":       user,
			"tailscale-user-name":        user,
			"tailscale-user-profile-pic": user,
		},
	}
}

// portBehind is the port of HOST:PORT.
func portBehind(text string) int {
	return portNumber(text[strings.LastIndexByte(text, ':')+1:])
}
