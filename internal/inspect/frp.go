package inspect

import (
	"path"
	"regexp"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
)

// frpReader reads the client's configuration of frp in its forms: TOML, YAML and JSON since 0.52,
// INI before.
func frpReader() reader {
	server := regexp.MustCompile(`(?m)^[ \t]*"?(?:serverAddr|server_addr)"?[ \t]*[:=]`)
	proxies := regexp.MustCompile(`(?m)^[ \t]*(?:\[\[proxies\]\]|"?proxies"?[ \t]*[:=]|type[ \t]*=)`)
	return reader{
		kind: deploy.KindFrp,
		match: func(name string, data []byte) bool {
			if !hasExt(name, ".toml", ".ini", ".yaml", ".yml", ".json") {
				return false
			}
			return strings.HasPrefix(path.Base(name), "frpc") && !strings.HasPrefix(path.Base(name), "frps") && (server.Match(data) || proxies.Match(data)) ||
				server.Match(data) && proxies.Match(data)
		},
		read: func(s *source) error {
			root, err := s.frpTree()
			if err != nil {
				return err
			}
			for _, p := range items(root.Get("proxies")) {
				s.frpProxy(p)
			}
			return nil
		},
	}
}

func (s *source) frpTree() (*json5.Node, error) {
	if path.Ext(s.name) == ".ini" || path.Ext(s.name) == ".toml" && regexp.MustCompile(`(?m)^\[common\]`).Match(s.data) {
		return frpINI(s), nil
	}
	return s.document()
}

// frpINI reads the old form into the new one.
func frpINI(s *source) *json5.Node {
	proxies := &json5.Node{Kind: json5.Array}
	root := &json5.Node{Kind: json5.Object, Members: []json5.Member{{Key: "proxies", Value: proxies}}}
	for _, section := range iniSections(s) {
		if section.name == "common" || section.name == "" {
			continue
		}
		p := &json5.Node{Kind: json5.Object, Pos: section.pos}
		p.Members = append(p.Members, json5.Member{Key: "name", Value: &json5.Node{Kind: json5.String, Text: section.name, Pos: section.pos}})
		for _, e := range section.entries {
			key := frpINIKey(e.name)
			if key == "" {
				continue
			}
			value := &json5.Node{Kind: json5.String, Text: strings.Trim(e.value.Text, `"`), Pos: e.value.Pos}
			if key == "customDomains" || key == "locations" {
				list := &json5.Node{Kind: json5.Array, Pos: value.Pos}
				for _, part := range strings.Split(value.Text, ",") {
					list.Items = append(list.Items, &json5.Node{Kind: json5.String, Text: strings.TrimSpace(part), Pos: value.Pos})
				}
				value = list
			}
			p.Members = append(p.Members, json5.Member{Key: key, Pos: e.pos, Value: value})
		}
		proxies.Items = append(proxies.Items, p)
	}
	return root
}

func frpINIKey(name string) string {
	switch name {
	case "type", "locations", "subdomain", "plugin", "role":
		return name
	case "local_ip":
		return "localIP"
	case "local_port":
		return "localPort"
	case "remote_port":
		return "remotePort"
	case "custom_domains":
		return "customDomains"
	case "http_user":
		return "httpUser"
	case "http_pwd":
		return "httpPassword"
	case "plugin_local_addr":
		return "localAddr"
	}
	return ""
}

// frpProxy adds what a proxy opens. Those for visitors with a key (stcp, sudp, xtcp) are not
// open to others, and a gateway does not speak UDP.
func (s *source) frpProxy(p *json5.Node) {
	kind := p.Get("type")
	what := strings.ToLower(scalar(kind))
	if what == "" {
		what = "tcp"
	}
	if what != "tcp" && what != "http" && what != "https" && what != "tcpmux" || scalar(p.Get("role")) == "visitor" {
		return
	}
	local, pos := p.Get("localPort"), p.Pos
	to := deploy.Endpoint{Space: deploy.Host, Host: scalar(p.Get("localIP")), Port: number(local)}
	if local != nil {
		pos = local.Pos
	}
	plugin := p.Get("plugin")
	name := scalar(plugin)
	if plugin != nil && plugin.Kind == json5.Object {
		name = scalar(plugin.Get("type"))
	}
	if name != "" {
		addr := first(plugin, "localAddr")
		if addr == nil {
			addr = p.Get("localAddr")
		}
		if !strings.Contains(name, "2http") {
			return // it serves files, or is a proxy of its own
		}
		var ok bool
		if to, ok = endpointOf(deploy.Host, scalar(addr), 0); !ok {
			s.gap(deploy.KindFrp, "gap.target", p.Pos.Line, p.Pos.Column)
			return
		}
		to.TLS, pos = strings.HasSuffix(name, "2https"), addr.Pos
	}
	if to.Port == 0 { // a range, a template, or nothing
		at := p.Pos
		if local != nil {
			at = local.Pos
		}
		s.gap(deploy.KindFrp, "gap.target", at.Line, at.Column)
		return
	}
	d := &deploy.Door{
		Kind: deploy.KindFrp,
		Name: scalar(p.Get("name")),
		In:   deploy.Listen{Reach: event.FilesInternet, Pos: pos},
		To:   to,
		Pos:  pos,
	}
	// Of https the server sees the name alone, unless a plug-in here ends TLS.
	if what == "http" || name != "" {
		d.Headers = map[string]deploy.Header{"x-forwarded-for": {Does: deploy.Appends, From: deploy.FromPeer}}
	} else {
		d.Bytes, d.BytesPos = true, pos
		if kind != nil {
			d.BytesPos = kind.Pos
		}
	}
	if what == "https" {
		d.TLS = deploy.Yes
	} else {
		d.TLS = deploy.No
	}
	if remote := p.Get("remotePort"); remote != nil && what == "tcp" {
		d.In.Port, d.In.Pos = number(remote), remote.Pos
	}
	for _, domain := range append(items(p.Get("customDomains")), items(p.Get("subdomain"))...) {
		if len(d.In.Names) == 0 {
			d.In.Pos = domain.Pos
		}
		d.In.Names = append(d.In.Names, valueOf(domain))
	}
	if what == "http" || what == "tcpmux" {
		if user := first(p, "httpUser", "httpPassword"); scalar(p.Get("httpUser")) != "" || scalar(p.Get("httpPassword")) != "" {
			d.Login = &deploy.Login{Kind: "basic", Pos: user.Pos}
		}
	}
	paths := items(p.Get("locations"))
	if len(paths) == 0 {
		s.m.Doors = append(s.m.Doors, d)
	}
	for _, location := range paths {
		one := *d
		one.Path = scalar(location)
		s.m.Doors = append(s.m.Doors, &one)
	}
}
