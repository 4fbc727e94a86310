package target

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// kubeObject is what is read of an object as kubectl get -o json writes it. Nothing of a
// Secret is in it.
type kubeObject struct {
	APIVersion, Kind string
	Metadata         struct{ Name, Namespace string }
	Spec             struct {
		// Service
		Type        string
		ExternalIPs []string
		Ports       []kubePort
		// Ingress and HTTPRoute
		Rules          []struct{ Host string }
		TLS            []struct{ Hosts []string }
		DefaultBackend present
		Hostnames      []string
		ParentRefs     []struct {
			Kind, Namespace, Name, SectionName string
			Port                               uint16
		}
		// Gateway
		Listeners []kubeListener
	}
	Status struct {
		LoadBalancer struct {
			Ingress []struct{ IP, Hostname string }
		}
		Addresses []struct{ Type, Value, Address string } // Gateway: value, Node: address
	}
}

type kubePort struct {
	Name, Protocol, AppProtocol string
	Port, NodePort              uint16
	TargetPort                  loose // a number or the name of one
}

type kubeListener struct {
	Name, Hostname, Protocol string
	Port                     uint16
}

// name is namespace and name.
func (o *kubeObject) name() string {
	return cmp.Or(o.Metadata.Namespace, "default") + "/" + o.Metadata.Name
}

// cluster is what of a list waits for its end, since it belongs together.
type cluster struct {
	kept, bytes, reached int
	nodes                []kubePlace
	ports                []kubeNodePort
	gateways             map[string]*kubeGateway
	order                []string // of gateways
	routes               []kubeRoute
}

// kubePlace is an address or a name, "" for none.
type kubePlace struct{ addr, name string }

type kubeNodePort struct {
	at    input
	owner string
	service
}

type kubeGateway struct {
	at        input
	places    []kubePlace
	listeners []kubeListener
	routed    []bool // of listeners
}

type kubeRoute struct {
	at       input
	owner    string
	hosts    []string // one "" for any
	gateway  string
	listener string // name; "" for all
	port     uint16 // 0 for all
}

// Limits on what waits for the end of a list: objects and parts of them, and the bytes of
// their names.
const (
	maxKept      = 1 << 16
	maxKeptBytes = 16 << 20
)

// keep counts n objects or parts, and what they are called.
func (c *cluster) keep(n int, names ...string) error {
	for _, name := range names {
		c.bytes += len(name)
	}
	switch c.kept += n; {
	case c.kept > maxKept:
		return fmt.Errorf("more than %d nodes, node ports, gateways and routes: give the list in parts", maxKept)
	case c.bytes > maxKeptBytes:
		return fmt.Errorf("names and addresses that are longer than %s together: give the list in parts", bounded.Size(maxKeptBytes))
	}
	return nil
}

// reach counts what belongs together.
func (c *cluster) reach() error {
	if c.reached++; c.reached > maxReach {
		return fmt.Errorf("nodes and ports, or gateways and routes, make more than %d places: give the list in parts", maxReach)
	}
	return nil
}

// kubernetes takes an object of a cluster.
func (l *List) kubernetes(in *input, data []byte, yield func(Spec) error) error {
	var o kubeObject
	if err := decode(data, &o); err != nil {
		return in.fail(err)
	}
	if l.cluster == nil {
		l.cluster = &cluster{gateways: map[string]*kubeGateway{}}
	}
	group, _, _ := strings.Cut(o.APIVersion, "/")
	var err error
	switch {
	case o.Kind == "List":
	case o.Kind == "Service" && o.APIVersion == "v1":
		return l.kubeService(in, &o, yield)
	case o.Kind == "Node" && o.APIVersion == "v1":
		for _, a := range o.Status.Addresses {
			if a.Type == "InternalIP" || a.Type == "ExternalIP" {
				l.cluster.nodes = append(l.cluster.nodes, kubePlace{addr: a.Address})
				err = cmp.Or(err, l.cluster.keep(1, a.Address))
			}
		}
	case o.Kind == "Ingress" && (group == "networking.k8s.io" || group == "extensions"):
		return l.kubeIngress(in, &o, yield)
	case o.Kind == "HTTPRoute" && group == "gateway.networking.k8s.io":
		err = l.kubeRoute(in, &o)
	case o.Kind == "Gateway" && group == "gateway.networking.k8s.io":
		g := &kubeGateway{at: *in, listeners: o.Spec.Listeners, routed: make([]bool, len(o.Spec.Listeners))}
		for _, a := range o.Status.Addresses {
			if a.Type == "Hostname" {
				g.places = append(g.places, kubePlace{name: a.Value})
			} else {
				g.places = append(g.places, kubePlace{addr: a.Value})
			}
		}
		if l.cluster.gateways[o.name()] == nil {
			l.cluster.order = append(l.cluster.order, o.name())
		}
		l.cluster.gateways[o.name()] = g
		err = l.cluster.keep(1, o.name())
		for _, p := range g.places {
			err = cmp.Or(err, l.cluster.keep(1, p.addr, p.name))
		}
		for _, li := range g.listeners {
			err = cmp.Or(err, l.cluster.keep(1, li.Name, li.Hostname, li.Protocol))
		}
	default:
		l.leave(LeftKind)
	}
	if err != nil {
		return in.fail(err)
	}
	return nil
}

// places are those of a load balancer.
func (o *kubeObject) places() (out []kubePlace) {
	for _, i := range o.Status.LoadBalancer.Ingress {
		switch {
		case i.IP != "":
			out = append(out, kubePlace{addr: i.IP})
		case i.Hostname != "":
			out = append(out, kubePlace{name: i.Hostname})
		}
	}
	return out
}

func (l *List) kubeService(in *input, o *kubeObject, yield func(Spec) error) error {
	var open []service
	shared := o.Spec.Type == "NodePort" || o.Spec.Type == "LoadBalancer"
	for _, p := range o.Spec.Ports {
		if p.Protocol != "" && p.Protocol != "TCP" {
			continue
		}
		if p.Port == 0 {
			return in.fail(fmt.Errorf("service %q has a port that is none: use a number from 1 to 65535", short(o.name())))
		}
		behind, _ := strconv.ParseUint(p.TargetPort.text, 10, 16)
		speaks := cmp.Or(p.AppProtocol, p.Name)
		s := service{port: p.Port, http: web(speaks) || l.isWanted[behind], tls: strings.HasPrefix(strings.ToLower(speaks), "https")}
		open = append(open, s)
		if shared && p.NodePort > 0 {
			s.http = s.http || l.isWanted[s.port]
			s.port = p.NodePort
			l.cluster.ports = append(l.cluster.ports, kubeNodePort{*in, word(o.name()), s})
			if err := l.cluster.keep(1); err != nil {
				return in.fail(err)
			}
		}
	}
	var places []kubePlace
	if o.Spec.Type == "LoadBalancer" {
		if places = o.places(); len(places) == 0 {
			l.leave(LeftNoAddress)
		}
	}
	for _, addr := range o.Spec.ExternalIPs {
		places = append(places, kubePlace{addr: addr})
	}
	if len(places) == 0 && !shared {
		l.leave(LeftInside)
		return nil
	}
	if len(places)*len(open) > maxPorts {
		return in.fail(errPorts)
	}
	for _, p := range places {
		if err := l.takeAt(in, p, "", open, o.name(), yield); err != nil {
			return err
		}
	}
	return nil
}

// takeAt takes ports at a place, under a name if there is one. A place that has only a
// name cannot be called by another: that one is looked up instead.
func (l *List) takeAt(in *input, at kubePlace, name string, open []service, owner string, yield func(Spec) error) error {
	h := host{addr: at.addr, known: true, open: open, owner: word(owner)}
	if name = cmp.Or(name, at.name); name != "" {
		if err := checkName(name); err != nil {
			return in.fail(fmt.Errorf("%q: %w", short(name), err))
		}
		h.names = []string{name}
	}
	return l.take(in, h, yield)
}

// webPorts are those of HTTP and, with TLS, HTTPS.
func webPorts(secure bool) []service {
	open := []service{{port: 80, http: true}}
	if secure {
		open = append(open, service{port: 443, http: true, tls: true})
	}
	return open
}

func (l *List) kubeIngress(in *input, o *kubeObject, yield func(Spec) error) error {
	var hosts []string
	for _, r := range o.Spec.Rules {
		hosts = append(hosts, r.Host)
	}
	// It answers for every other host as well.
	if bool(o.Spec.DefaultBackend) && !slices.Contains(hosts, "") {
		hosts = append(hosts, "")
	}
	// Without hosts it is for all.
	all := false
	secure := map[string]bool{}
	for _, t := range o.Spec.TLS {
		all = all || len(t.Hosts) == 0
		for _, h := range t.Hosts {
			secure[h] = true
		}
	}
	places := o.places()
	if len(hosts)*max(len(places), 1) > maxPorts {
		return in.fail(fmt.Errorf("more than %d hosts and addresses of one ingress", maxPorts))
	}
	for _, h := range hosts {
		_, rest, _ := strings.Cut(h, ".")
		if err := l.atPlaces(in, places, h, webPorts(all || secure[h] || secure["*."+rest]), o.name(), yield); err != nil {
			return err
		}
	}
	return nil
}

// atPlaces takes ports of a host at each of its places. Without one, or where the place
// itself is only a name, the host's name is looked up.
func (l *List) atPlaces(in *input, places []kubePlace, host string, open []service, owner string, yield func(Spec) error) error {
	switch {
	case strings.HasPrefix(host, "*"):
		l.leave(LeftWildcard)
		return nil
	case len(places) == 0 && host == "":
		l.leave(LeftNoAddress)
		return nil
	case len(places) == 0:
		places = []kubePlace{{}}
	}
	for _, p := range places {
		if err := l.takeAt(in, p, host, open, owner, yield); err != nil {
			return err
		}
	}
	return nil
}

func (l *List) kubeRoute(in *input, o *kubeObject) error {
	hosts := o.Spec.Hostnames
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	for _, ref := range o.Spec.ParentRefs {
		if ref.Kind != "" && ref.Kind != "Gateway" {
			l.leave(LeftInside) // between services of the cluster
			continue
		}
		r := kubeRoute{
			at: *in, owner: word(o.name()), hosts: hosts, listener: ref.SectionName, port: ref.Port,
			gateway: cmp.Or(ref.Namespace, o.Metadata.Namespace, "default") + "/" + ref.Name,
		}
		l.cluster.routes = append(l.cluster.routes, r)
		if err := cmp.Or(l.cluster.keep(1+len(hosts), hosts...), l.cluster.keep(0, r.listener, r.gateway)); err != nil {
			return err
		}
	}
	return nil
}

// together takes what the end of a list was waited for: ports on nodes, and routes
// through gateways.
func (l *List) together(yield func(Spec) error) error {
	c := l.cluster
	if c == nil {
		return nil
	}
	for _, p := range c.ports {
		if len(c.nodes) == 0 {
			l.leave(LeftNoNodes)
			continue
		}
		if !l.takes(p.service) {
			l.Passed++
			continue
		}
		for _, n := range c.nodes {
			if err := c.reach(); err != nil {
				return p.at.fail(err)
			}
			if err := l.takeAt(&p.at, n, "", []service{p.service}, p.owner, yield); err != nil {
				return err
			}
		}
	}
	for _, r := range c.routes {
		if err := l.throughGateway(c, &r, yield); err != nil {
			return err
		}
	}
	for _, name := range c.order {
		g := c.gateways[name]
		for i, li := range g.listeners {
			switch li.Protocol {
			case "HTTP", "HTTPS":
				if !g.routed[i] {
					l.leave(LeftNoRoute)
				}
			case "UDP":
			default:
				for _, p := range g.places {
					if err := cmp.Or(c.reach(), li.check()); err != nil {
						return g.at.fail(err)
					}
					if err := l.takeAt(&g.at, p, "", []service{{port: li.Port}}, name, yield); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (li *kubeListener) check() error {
	if li.Port == 0 {
		return errors.New("a gateway has a port that is none: use a number from 1 to 65535")
	}
	return nil
}

// throughGateway takes the hosts of a route at its gateway. If that is not in the list,
// names are looked up.
func (l *List) throughGateway(c *cluster, r *kubeRoute, yield func(Spec) error) error {
	g := c.gateways[r.gateway]
	if g == nil || len(g.places) == 0 {
		for _, h := range r.hosts {
			if err := l.atPlaces(&r.at, nil, h, webPorts(true), r.owner, yield); err != nil {
				return err
			}
		}
		if g != nil {
			for i := range g.routed {
				g.routed[i] = true
			}
		}
		return nil
	}
	for i, li := range g.listeners {
		if li.Protocol != "HTTP" && li.Protocol != "HTTPS" || r.listener != "" && r.listener != li.Name || r.port != 0 && r.port != li.Port {
			continue
		}
		if err := li.check(); err != nil {
			return g.at.fail(err)
		}
		g.routed[i] = true
		for _, h := range r.hosts {
			if h == "" {
				h = li.Hostname
			} else if !hostFits(li.Hostname, h) {
				continue
			}
			for range g.places {
				if err := c.reach(); err != nil {
					return r.at.fail(err)
				}
			}
			open := []service{{port: li.Port, http: true, tls: li.Protocol == "HTTPS"}}
			if err := l.atPlaces(&r.at, g.places, h, open, r.owner, yield); err != nil {
				return err
			}
		}
	}
	return nil
}

// hostFits reports whether a listener for a host, or for all below a domain, takes
// another.
func hostFits(listener, host string) bool {
	suffix, wild := strings.CutPrefix(listener, "*")
	return listener == "" || strings.EqualFold(listener, host) ||
		wild && strings.HasSuffix(strings.ToLower(host), strings.ToLower(suffix)) || strings.HasPrefix(host, "*")
}
