package inspect

import (
	"path"
	"regexp"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
)

// ngrokReader reads the agent's configuration of ngrok: tunnels of versions 1 to 3, endpoints of
// version 3.
func ngrokReader() reader {
	own := regexp.MustCompile(`(?m)^(?:tunnels|endpoints):`)
	agent := regexp.MustCompile(`(?m)^(?:[ \t]+authtoken|authtoken|agent):`)
	return reader{
		kind: deploy.KindNgrok,
		match: func(name string, data []byte) bool {
			return hasExt(name, ".yml", ".yaml") && own.Match(data) && !cpolarFile(name, data) &&
				(strings.Contains(path.Base(name), "ngrok") || strings.Contains(name, "ngrok/") || agent.Match(data))
		},
		read: func(s *source) error { return s.readTunnels(deploy.KindNgrok) },
	}
}

// cpolarReader reads cpolar.yml, which is like the first ngrok's.
func cpolarReader() reader {
	return reader{
		kind:  deploy.KindCpolar,
		match: func(name string, data []byte) bool { return hasExt(name, ".yml", ".yaml") && cpolarFile(name, data) },
		read:  func(s *source) error { return s.readTunnels(deploy.KindCpolar) },
	}
}

func cpolarFile(name string, data []byte) bool {
	return strings.Contains(name, "cpolar") && strings.Contains(string(data), "tunnels:")
}

func (s *source) readTunnels(kind deploy.Kind) error {
	root, err := s.document()
	if err != nil {
		return err
	}
	if tunnels := root.Get("tunnels"); tunnels != nil {
		for _, m := range tunnels.Members {
			s.tunnel(kind, m.Key, m.Value)
		}
	}
	for _, e := range items(root.Get("endpoints")) {
		s.tunnel(kind, scalar(e.Get("name")), e)
	}
	return nil
}

// tunnel adds one tunnel or endpoint.
func (s *source) tunnel(kind deploy.Kind, name string, t *json5.Node) {
	target := first(t, "addr")
	if target == nil {
		target = t.Get("upstream", "url")
	}
	if target == nil { // a labelled tunnel has its address at the provider, but still says where it leads
		return
	}
	to, ok := endpointOf(deploy.Host, scalar(target), 80)
	if !ok {
		if !strings.HasPrefix(scalar(target), "file:") {
			s.gap(kind, "gap.target", target.Pos.Line, target.Pos.Column)
		}
		return
	}
	proto := strings.ToLower(scalar(t.Get("proto")))
	d := &deploy.Door{Kind: kind, Name: name, In: deploy.Listen{Reach: event.FilesInternet, Pos: target.Pos}, To: to, Pos: target.Pos}
	if proto := t.Get("proto"); proto != nil {
		d.BytesPos = proto.Pos
	}
	for _, key := range []string{"url", "hostname", "domain", "subdomain", "remote_addr", "host"} {
		at := t.Get(key)
		if at == nil || scalar(at) == "" {
			continue
		}
		d.In.Pos = at.Pos
		host := scalar(at)
		if scheme, rest, ok := strings.Cut(host, "://"); ok {
			host = rest
			if proto == "" {
				proto, d.BytesPos = strings.ToLower(scheme), at.Pos
			}
		}
		host, _, _ = strings.Cut(host, "/")
		d.In.Names = append(d.In.Names, deploy.Value{State: deploy.Set, Text: host, Pos: at.Pos})
		if strings.HasSuffix(host, ".internal") {
			return // reached by the account's own endpoints alone, which say so themselves
		}
	}
	for _, b := range items(t.Get("bindings")) {
		if scalar(b) == "internal" || scalar(b) == "kubernetes" {
			return
		}
	}
	switch proto {
	case "tcp":
		d.Bytes, d.TLS = true, deploy.No
	case "tls":
		d.Bytes, d.TLS = true, deploy.Yes
	default:
		d.BytesPos, d.TLS = event.Pos{}, tunnelTLS(t, proto)
		d.Headers = tunnelHeaders()
	}
	d.Login = tunnelLogin(t)
	s.m.Doors = append(s.m.Doors, d)
}

// tunnelHeaders are the headers that the HTTP side of a tunnel provider sets.
func tunnelHeaders() map[string]deploy.Header {
	return map[string]deploy.Header{
		"x-forwarded-for":   {Does: deploy.Appends, From: deploy.FromPeer},
		"x-forwarded-proto": {Does: deploy.Sets, From: deploy.FromElse},
	}
}

// tunnelTLS says whether clients must speak TLS: not where http is offered beside it.
func tunnelTLS(t *json5.Node, proto string) deploy.Tri {
	schemes := items(t.Get("schemes"))
	for _, scheme := range schemes {
		if scalar(scheme) == "http" {
			return deploy.No
		}
	}
	bind := t.Get("bind_tls")
	switch {
	case proto == "http" && t.Get("url") != nil && strings.HasPrefix(scalar(t.Get("url")), "http://"), bind != nil && scalar(bind) != "true":
		return deploy.No
	}
	return deploy.Yes
}

// tunnelLogin is what the provider asks before it passes anything on.
func tunnelLogin(t *json5.Node) *deploy.Login {
	for _, key := range []string{"basic_auth", "auth", "httpauth", "oauth", "oidc", "saml", "mutual_tls_cas", "webhook_verification", "verify_webhook", "ip_restriction"} {
		n := t.Get(key)
		if n == nil || n.Kind == json5.Null || n.Kind == json5.Array && len(n.Items) == 0 || n.Kind == json5.String && n.Text == "" {
			continue
		}
		l := &deploy.Login{Kind: "basic", Pos: n.Pos}
		switch key {
		case "oauth", "oidc", "saml":
			l.Kind = "oauth"
		case "mutual_tls_cas":
			l.Kind = "client-certificate"
		case "webhook_verification", "verify_webhook":
			l.Kind, l.Unproven = "access", true
		case "ip_restriction":
			l.Kind = "allow-list"
			if len(items(n.Get("allow_cidrs"))) == 0 {
				continue // it keeps some out, and lets all others in
			}
		}
		return l
	}
	if n := t.Get("traffic_policy_file"); n != nil {
		return &deploy.Login{Kind: "access", Pos: n.Pos, Unproven: true}
	}
	return policyLogin(first(t, "traffic_policy", "policy"))
}

// policyLogin looks for an action of a traffic policy that asks for something.
func policyLogin(policy *json5.Node) *deploy.Login {
	if policy == nil {
		return nil
	}
	if policy.Kind == json5.String { // a policy as a text, or its name at the provider
		return &deploy.Login{Kind: "access", Pos: policy.Pos, Unproven: true}
	}
	for _, phase := range []string{"on_http_request", "on_tcp_connect", "inbound"} {
		for _, rule := range items(policy.Get(phase)) {
			for _, action := range items(rule.Get("actions")) {
				what := action.Get("type")
				l := &deploy.Login{Unproven: len(items(rule.Get("expressions"))) > 0}
				switch scalar(what) {
				case "basic-auth":
					l.Kind = "basic"
				case "oauth", "openid-connect", "saml":
					l.Kind = "oauth"
				case "jwt-validation":
					l.Kind = "access"
				case "restrict-ips":
					l.Kind = "allow-list"
					if len(items(action.Get("config", "allow"))) == 0 {
						continue
					}
				case "terminate-tls":
					if action.Get("config", "mutual_tls_certificate_authorities") == nil {
						continue
					}
					l.Kind = "client-certificate"
				case "deny":
					l.Kind, l.Unproven = "allow-list", true
				default:
					continue
				}
				l.Pos = what.Pos
				return l
			}
		}
	}
	return nil
}
