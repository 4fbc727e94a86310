package inspect

import (
	"regexp"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// service adds a Service: a namespace of its own, in which each port is a door to the pods that it
// selects, and further doors for node ports, load balancers and external addresses.
func (m *manifests) service(o object) {
	spec := o.node.get("spec")
	kind := spec.at("type")
	if kind == "ExternalName" {
		return
	}
	space := deploy.Space("service:" + o.namespace + "/" + o.name)
	info := m.s.m.Space(space)
	info.Made, info.Domain, info.Pos = deploy.KindKubernetes, domainOf(o.namespace), o.node.get("metadata").keyPos("name")
	full := o.name + "." + o.namespace
	info.Names = []string{o.name, full, full + ".svc", full + ".svc.cluster.local"}
	info.Ports = map[string]int{}
	selected := map[string]string{}
	for _, l := range spec.get("selector").unique() {
		selected[l.key] = l.value.text
	}
	if len(selected) == 0 {
		m.gap("gap.referenced", spec.keyPos("ports")) // it leads to addresses that are named elsewhere
		return
	}
	for _, p := range spec.get("ports").list() {
		port, _, ok := portRange(p.at("port"))
		if proto := p.at("protocol"); !ok || proto != "" && proto != "TCP" || !m.spend(5+len(selected), p.pos) {
			continue
		}
		if name := p.at("name"); name != "" {
			info.Ports[name] = port
		}
		to := deploy.Endpoint{Space: space, Port: port, Select: selected}
		if target := p.at("targetPort"); target != "" {
			if n, _, ok := portRange(target); ok {
				to.Port = n
			} else {
				to.Port, to.Name = 0, target
			}
		}
		door := func(in deploy.Listen, pos event.Pos, login *deploy.Login) {
			m.door(&deploy.Door{Kind: deploy.KindService, Name: o.name, Transparent: true, In: in, To: to, Login: login, Pos: pos})
		}
		door(deploy.Listen{Space: space, Port: port, Reach: event.FilesCluster, Pos: p.pos}, p.pos, nil)
		typePos := spec.keyPos("type")
		if kind == "NodePort" {
			node, _, _ := portRange(p.at("nodePort"))
			door(deploy.Listen{Space: deploy.Host, Port: node, Reach: event.FilesHostAddresses, Pos: typePos}, typePos, nil)
		}
		if kind == "LoadBalancer" {
			reach := balancerReach(o.node.get("metadata", "annotations"), spec.at("loadBalancerClass"))
			door(deploy.Listen{Space: space, Port: port, Reach: reach, Pos: typePos}, typePos, allowList(spec, "loadBalancerSourceRanges"))
		}
		if len(spec.get("externalIPs").list()) > 0 {
			pos := spec.keyPos("externalIPs")
			door(deploy.Listen{Space: space, Port: port, Reach: event.FilesHostAddresses, Pos: pos}, pos, nil)
		}
	}
}

// balancerReach says who gets to a load balancer: everybody, unless it is one of an inner network.
func balancerReach(annotations *ynode, class string) deploy.Reach {
	if class == "tailscale" || annotations.at("tailscale.com/expose") == "true" {
		return event.FilesTailnet
	}
	for key, inner := range map[string]string{
		"service.beta.kubernetes.io/aws-load-balancer-internal":              "true",
		"service.beta.kubernetes.io/aws-load-balancer-scheme":                "internal",
		"service.beta.kubernetes.io/azure-load-balancer-internal":            "true",
		"service.beta.kubernetes.io/oci-load-balancer-internal":              "true",
		"service.beta.kubernetes.io/openstack-internal-load-balancer":        "true",
		"networking.gke.io/load-balancer-type":                               "internal",
		"cloud.google.com/load-balancer-type":                                "internal",
		"service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type": "intranet",
		"service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type":     "private",
		"load-balancer.hetzner.cloud/disable-public-network":                 "true",
	} {
		if strings.EqualFold(annotations.at(key), inner) {
			return event.FilesLAN
		}
	}
	return event.FilesInternet
}

// allowList is the login that a list of addresses is; nil if it lets everybody in.
func allowList(n *ynode, key string) *deploy.Login {
	ranges := n.get(key).list()
	if len(ranges) == 0 {
		return nil
	}
	for _, r := range ranges {
		for _, one := range strings.Split(r.text, ",") {
			if one = strings.TrimSpace(one); one == "0.0.0.0/0" || one == "::/0" {
				return nil
			}
		}
	}
	return &deploy.Login{Kind: "allow-list", Pos: n.keyPos(key)}
}

// entry is what the doors of an Ingress or a route have in common.
func (m *manifests) entry(o object) deploy.Door {
	space := deploy.Space("ingress:" + o.namespace + "/" + o.name)
	info := m.s.m.Space(space)
	info.Made, info.Domain, info.Pos = deploy.KindKubernetes, domainOf(o.namespace), o.node.get("metadata").keyPos("name")
	return deploy.Door{Kind: deploy.KindIngress, Name: o.name, In: deploy.Listen{Space: space, Reach: event.FilesInternet}, To: deploy.Endpoint{Space: space}, TLS: deploy.No}
}

// overwrites are the headers that a controller sets, whatever a client sends.
func overwrites(pos event.Pos) map[string]deploy.Header {
	set := deploy.Header{Does: deploy.Sets, From: deploy.FromPeer, Pos: pos}
	other := deploy.Header{Does: deploy.Sets, From: deploy.FromElse, Pos: pos}
	return map[string]deploy.Header{"x-forwarded-for": set, "x-real-ip": set, "x-forwarded-host": other, "x-forwarded-proto": other}
}

func (m *manifests) ingress(o object) {
	spec, notes := o.node.get("spec"), o.node.get("metadata", "annotations")
	common := m.entry(o)
	class := spec.at("ingressClassName")
	if class == "" {
		class = notes.at("kubernetes.io/ingress.class")
	}
	switch {
	case strings.Contains(class, "tailscale") && notes.at("tailscale.com/funnel") != "true":
		common.In.Reach = event.FilesTailnet
	case notes.at("alb.ingress.kubernetes.io/scheme") == "internal":
		common.In.Reach = event.FilesLAN
	case strings.Contains(class, "nginx"), strings.Contains(class, "traefik"):
		common.Headers = overwrites(spec.keyPos("ingressClassName"))
	}
	common.Login = m.ingressLogin(o.namespace, notes)
	for _, n := range notes.unique() {
		if strings.HasSuffix(n.key, "-snippet") {
			m.gap("gap.snippet", n.pos)
		}
	}
	door := func(backend *ynode, host *ynode, prefix string, pos event.Pos) {
		d := common
		d.Pos, d.Path, d.In.Pos, d.In.Port = pos, prefix, pos, 80
		name := ""
		if host != nil && host.kind == yscalar {
			name = host.text
			d.In.Names = []deploy.Value{host.value()}
			d.In.Pos = host.pos
		}
		for _, t := range spec.get("tls").list() {
			hosts := t.get("hosts").list()
			for _, h := range hosts {
				if h.text == name {
					d.TLS = deploy.Yes
				}
			}
			if len(hosts) == 0 {
				d.TLS = deploy.Yes
			}
		}
		if strings.Contains(class, "tailscale") {
			d.TLS = deploy.Yes
		}
		if d.TLS == deploy.Yes {
			d.In.Port = 443
		}
		service := backend.get("service")
		if service == nil { // of networking.k8s.io/v1beta1
			d.To.Host = backend.at("serviceName")
			setPort(&d.To, backend.at("servicePort"))
		} else {
			d.To.Host = service.at("name")
			setPort(&d.To, service.at("port", "number"))
			if n := service.at("port", "name"); n != "" {
				setPort(&d.To, n)
			}
		}
		if d.To.Host == "" {
			m.gap("gap.referenced", pos)
			return
		}
		m.door(&d)
	}
	for _, key := range []string{"defaultBackend", "backend"} {
		if b := spec.get(key); b != nil {
			door(b, nil, "/", spec.keyPos(key))
		}
	}
	for _, rule := range spec.get("rules").list() {
		for _, p := range rule.get("http", "paths").list() {
			if !m.spend(10+len(spec.get("tls").list()), p.pos) {
				return
			}
			door(p.get("backend"), rule.get("host"), p.at("path"), p.pos)
		}
	}
}

func setPort(to *deploy.Endpoint, text string) {
	if n, _, ok := portRange(text); ok {
		to.Port = n
	} else {
		to.Name = text
	}
}

// ingressLogin is what the annotations of an Ingress ask for.
func (m *manifests) ingressLogin(namespace string, notes *ynode) *deploy.Login {
	for _, n := range []struct{ key, kind string }{
		{"nginx.ingress.kubernetes.io/auth-url", "forward-auth"},
		{"nginx.ingress.kubernetes.io/auth-type", "basic"},
		{"nginx.ingress.kubernetes.io/auth-tls-secret", "client-certificate"},
		{"haproxy.org/auth-type", "basic"},
		{"haproxy-ingress.github.io/auth-url", "forward-auth"},
		{"alb.ingress.kubernetes.io/auth-type", "oauth"},
	} {
		text := notes.at(n.key)
		if text == "" || text == "none" || n.kind == "client-certificate" && strings.HasPrefix(notes.at("nginx.ingress.kubernetes.io/auth-tls-verify-client"), "o") && notes.at("nginx.ingress.kubernetes.io/auth-tls-verify-client") != "on" {
			continue
		}
		return &deploy.Login{Kind: n.kind, Pos: notes.keyPos(n.key)}
	}
	for _, key := range []string{"traefik.ingress.kubernetes.io/router.middlewares"} {
		for _, name := range strings.Split(notes.at(key), ",") {
			name, _, _ = strings.Cut(strings.TrimSpace(name), "@")
			name, inNamespace := strings.CutPrefix(name, namespace+"-")
			if l := m.middleware(namespace, name, notes.keyPos(key), inNamespace); l != nil {
				return l
			}
		}
	}
	for _, key := range []string{"nginx.ingress.kubernetes.io/whitelist-source-range", "nginx.ingress.kubernetes.io/allowlist-source-range", "alb.ingress.kubernetes.io/inbound-cidrs", "haproxy.org/allow-list"} {
		if l := allowList(notes, key); l != nil {
			return l
		}
	}
	return nil
}

// loginName are names that middlewares with a login have.
var loginName = regexp.MustCompile(`(?i)auth|login|sso|oidc|basic|allow-?list|white-?list|ip-?filter`)

// middleware is the login that a middleware of Traefik is: Unproven if only its name is here.
func (m *manifests) middleware(namespace, name string, pos event.Pos, look bool) *deploy.Login {
	if name == "" {
		return nil
	}
	if n := m.find("Middleware", namespace, name); n != nil && look {
		for _, k := range []struct{ key, kind string }{
			{"basicAuth", "basic"}, {"digestAuth", "basic"}, {"forwardAuth", "forward-auth"}, {"ipAllowList", "allow-list"}, {"ipWhiteList", "allow-list"},
		} {
			if n.has("spec") && n.get("spec").has(k.key) {
				if k.kind == "allow-list" && allowList(n.get("spec", k.key), "sourceRange") == nil {
					continue
				}
				return &deploy.Login{Kind: k.kind, Pos: pos}
			}
		}
		if len(n.get("spec", "chain", "middlewares").list()) > 0 {
			return &deploy.Login{Kind: "forward-auth", Pos: pos, Unproven: true}
		}
		return nil
	}
	if loginName.MatchString(name) {
		return &deploy.Login{Kind: "forward-auth", Pos: pos, Unproven: true}
	}
	return nil
}

// route adds the doors of a route of the Gateway API.
func (m *manifests) route(o object) {
	spec := o.node.get("spec")
	common := m.entry(o)
	common.TLS = deploy.NotKnown
	common.Bytes = o.kind == "TCPRoute" || o.kind == "TLSRoute"
	for _, parent := range spec.get("parentRefs").list() {
		namespace := parent.at("namespace")
		if namespace == "" {
			namespace = o.namespace
		}
		gateway := m.find("Gateway", namespace, parent.at("name"))
		if strings.Contains(gateway.at("spec", "gatewayClassName"), "tailscale") {
			common.In.Reach = event.FilesTailnet
		}
		for _, l := range gateway.get("spec", "listeners").list() {
			if section := parent.at("sectionName"); section != "" && section != l.at("name") || common.TLS == deploy.No {
				continue
			}
			common.In.Port, _, _ = portRange(l.at("port"))
			common.TLS = deploy.No
			if p := l.at("protocol"); p == "HTTPS" || p == "TLS" {
				common.TLS = deploy.Yes
			}
		}
	}
	for _, h := range spec.get("hostnames").list() {
		if !m.spend(1, h.pos) {
			return
		}
		common.In.Names = append(common.In.Names, h.value())
	}
	for _, rule := range spec.get("rules").list() {
		headers := map[string]deploy.Header{}
		for _, f := range rule.get("filters").list() {
			if f.at("type") == "ExtensionRef" {
				common.Login = m.middleware(o.namespace, f.at("extensionRef", "name"), f.pos, true)
			}
			modify := f.get("requestHeaderModifier")
			for _, op := range []string{"set", "add"} {
				for _, h := range modify.get(op).list() {
					does := deploy.Sets
					if op == "add" {
						does = deploy.Appends
					}
					header := deploy.Header{Does: does, From: deploy.FromConst, Pos: h.pos}
					name := strings.ToLower(h.at("name"))
					if name == "authorization" {
						v := h.get("value").value()
						v.Text = strings.TrimPrefix(v.Text, "Bearer ")
						header.Secret = &v
						m.secret(deploy.GatewayToken, v)
					}
					headers[name] = header
				}
			}
			for _, h := range modify.get("remove").list() {
				headers[strings.ToLower(h.text)] = deploy.Header{Does: deploy.Removes, Pos: h.pos}
			}
		}
		for _, backend := range rule.get("backendRefs").list() {
			matches := rule.get("matches").list()
			if len(matches) == 0 {
				matches = []*ynode{nil}
			}
			for _, match := range matches {
				if !m.spend(10, rule.pos) {
					return
				}
				d := common
				d.Headers = headers
				d.Pos, d.In.Pos, d.Path = backend.pos, backend.pos, "/"
				if p := match.get("path"); p != nil {
					d.Path, d.Pos, d.In.Pos = p.at("value"), p.pos, p.pos
				}
				d.To.Host = backend.at("name")
				if ns := backend.at("namespace"); ns != "" {
					d.To.Host += "." + ns
				}
				setPort(&d.To, backend.at("port"))
				m.door(&d)
			}
		}
	}
}

// ingressRoute adds the doors of Traefik's own kind of Ingress.
func (m *manifests) ingressRoute(o object) {
	spec := o.node.get("spec")
	common := m.entry(o)
	common.Bytes = o.kind == "IngressRouteTCP"
	common.In.Port = 80
	if spec.get("tls") != nil {
		common.TLS, common.In.Port = deploy.Yes, 443
	}
	for _, r := range spec.get("routes").list() {
		d := common
		d.Pos, d.In.Pos, d.Path = r.keyPos("match"), r.keyPos("match"), "/"
		if !d.Bytes {
			d.Headers = overwrites(d.Pos)
		}
		text := r.at("match")
		for _, h := range traefikHost.FindAllStringSubmatch(text, 100) {
			for _, q := range traefikText.FindAllStringSubmatch(h[1], 100) {
				d.In.Names = append(d.In.Names, deploy.Value{State: deploy.Set, Text: q[1], Pos: d.Pos})
			}
		}
		if p := traefikPath.FindStringSubmatch(text); p != nil {
			d.Path = p[1]
		}
		for _, w := range r.get("middlewares").list() {
			if l := m.middleware(o.namespace, w.at("name"), w.pos, w.at("namespace") == "" || w.at("namespace") == o.namespace); l != nil {
				d.Login = l
			}
		}
		for _, s := range r.get("services").list() {
			if !m.spend(10, s.pos) {
				return
			}
			one := d
			one.To.Host = s.at("name")
			setPort(&one.To, s.at("port"))
			m.door(&one)
		}
	}
}
