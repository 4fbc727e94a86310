package inspect

import (
	"regexp"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
)

// cloudflaredReader reads the configuration of cloudflared: its rules, or the one service that it has.
func cloudflaredReader() reader {
	rules := regexp.MustCompile(`(?m)^"?ingress"?:[ \t]*(?:#.*)?\r?\n(?:[ \t]*(?:#.*)?\r?\n)*[ \t]*-`)
	single := regexp.MustCompile(`(?m)^url:[ \t]*\S`)
	tunnel := regexp.MustCompile(`(?m)^(?:tunnel|credentials-file):[ \t]*\S`)
	return reader{
		kind: deploy.KindCloudflared,
		match: func(name string, data []byte) bool {
			return hasExt(name, ".yml", ".yaml") && (rules.Match(data) || single.Match(data) && tunnel.Match(data))
		},
		read: readCloudflared,
	}
}

func readCloudflared(s *source) error {
	root, err := s.document()
	if err != nil || root == nil {
		return err
	}
	name := valueOf(root.Get("tunnel")).Text
	login := accessLogin(root.Get("originRequest"))
	rules := items(root.Get("ingress"))
	if len(rules) == 0 {
		rules = []*json5.Node{{Kind: json5.Object, Pos: root.Pos, Members: []json5.Member{
			{Key: "service", Value: root.Get("url")},
			{Key: "hostname", Value: root.Get("hostname")},
		}}}
	}
	for _, rule := range rules {
		service := rule.Get("service")
		if service == nil {
			continue
		}
		to, ok := cloudflaredService(scalar(service))
		if !ok {
			if !cloudflaredOwn(scalar(service)) {
				s.gap(deploy.KindCloudflared, "gap.target", service.Pos.Line, service.Pos.Column)
			}
			continue
		}
		d := cloudflareDoor(to, service.Pos)
		d.Name = name
		d.Login = login
		if own := rule.Get("originRequest", "access"); own != nil {
			d.Login = accessLogin(rule.Get("originRequest"))
		}
		if strings.HasPrefix(scalar(service), "tcp:") || strings.HasPrefix(scalar(service), "ssh:") {
			d.Bytes, d.Headers = true, nil
		}
		if host := rule.Get("hostname"); host != nil {
			d.In.Pos = host.Pos
			if scalar(host) != "" && scalar(host) != "*" {
				d.In.Names = []deploy.Value{valueOf(host)}
			}
		}
		d.Path = literalPrefix(scalar(rule.Get("path")))
		s.m.Doors = append(s.m.Doors, d)
	}
	return nil
}

// cloudflareDoor is a way through Cloudflare's network, which ends TLS and says for whom it speaks.
func cloudflareDoor(to deploy.Endpoint, pos event.Pos) *deploy.Door {
	return &deploy.Door{
		Kind: deploy.KindCloudflared,
		In:   deploy.Listen{Reach: event.FilesInternet, Pos: pos},
		To:   to,
		TLS:  deploy.Yes,
		Pos:  pos,
		Headers: map[string]deploy.Header{
			"x-forwarded-for":   {Does: deploy.Appends, From: deploy.FromPeer},
			"x-forwarded-proto": {Does: deploy.Sets, From: deploy.FromElse},
			"cf-connecting-ip":  {Does: deploy.Sets, From: deploy.FromPeer},
		},
	}
}

func cloudflaredService(text string) (deploy.Endpoint, bool) {
	if cloudflaredOwn(text) {
		return deploy.Endpoint{}, false
	}
	return endpointOf(deploy.Host, text, 0)
}

// cloudflaredOwn reports whether cloudflared answers by itself, or is a proxy to anywhere.
func cloudflaredOwn(service string) bool {
	return strings.HasPrefix(service, "http_status:") || service == "hello_world" || service == "hello-world" ||
		service == "bastion" || service == "socks-proxy"
}

// accessLogin is Cloudflare Access, where cloudflared itself insists on its token.
func accessLogin(request *json5.Node) *deploy.Login {
	required := request.Get("access", "required")
	if required == nil || !strings.EqualFold(scalar(required), "true") {
		return nil
	}
	return &deploy.Login{Kind: "access", Pos: required.Pos}
}

// literalPrefix is what all paths that match a regular expression begin with; "" if that is not plain.
func literalPrefix(expression string) string {
	anchored, ok := strings.CutPrefix(expression, "^")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(anchored, `\.+*?()|[]{}$`); i >= 0 {
		if strings.ContainsRune(anchored, '|') {
			return ""
		}
		if strings.IndexByte("*?{", anchored[i]) >= 0 && i > 0 {
			i--
		}
		anchored = anchored[:i]
	}
	return anchored
}

// hasExt reports whether a name ends in one of the extensions.
func hasExt(name string, extensions ...string) bool {
	for _, e := range extensions {
		if strings.HasSuffix(name, e) {
			return true
		}
	}
	return false
}
