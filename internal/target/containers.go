package target

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/event"
)

// listener is a port of a machine on which a program listens, or that a container has
// published.
type listener struct {
	addr   netip.Addr // may be a wildcard
	port   uint16
	likely bool   // HTTP is behind it, or a wanted port
	owner  string // the program or container
	engine bool   // a container engine says so
}

// listens takes a listener. A wildcard is reached over loopback, as in a scan of this
// machine. On loopback alone, nothing is said of where it is bound: who else leads to
// it is not in the list.
func (l *List) listens(in *input, p listener, yield func(Spec) error) error {
	at := p.addr.Unmap()
	h := host{known: true, owner: p.owner, open: []service{{port: p.port, http: p.likely}}}
	switch bound := netip.AddrPortFrom(at, p.port); {
	case p.engine:
		h.found = &event.Discovery{By: event.ByDocker, Published: bound.String()}
	case !at.IsLoopback():
		h.bound = bound
	}
	h.here = at.IsUnspecified() || at.IsLoopback()
	switch {
	case !at.IsUnspecified():
	case at.Is4():
		at = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		at = netip.IPv6Loopback()
	}
	h.addr = at.String()
	return l.take(in, h, yield)
}

// maxPublished is how many ports and ranges of ports a container may publish.
const maxPublished = 1 << 15

// container is what is read of a container, whatever lists it.
type container struct {
	name  string
	ports []published
}

// published is a port that a container engine publishes.
type published struct {
	addr          string // "": every address
	port, private string // numbers, or ranges of them
	http          bool
}

// publishes takes the published ports of a container. One that is published on every
// IPv4 and every IPv6 address is taken once.
func (l *List) publishes(in *input, c container, yield func(Spec) error) error {
	every := map[uint16]bool{}
	slices.SortStableFunc(c.ports, func(a, b published) int {
		return strings.Count(a.addr, ":") - strings.Count(b.addr, ":")
	})
	total := 0
	for _, p := range c.ports {
		addr := netip.IPv4Unspecified()
		var err error
		if p.addr != "" {
			if addr, err = netip.ParseAddr(p.addr); err != nil {
				return in.fail(fmt.Errorf("container %q: %q is not an address", short(c.name), short(p.addr)))
			}
		}
		first, last, err := portRange(p.port)
		if err != nil {
			return in.fail(fmt.Errorf("container %q: %w", short(c.name), err))
		}
		inner, innerLast, err := portRange(p.private)
		if err != nil {
			return in.fail(fmt.Errorf("container %q: %w", short(c.name), err))
		}
		if total += last - first + 1; total > maxPorts {
			return in.fail(errPorts)
		}
		for n := first; n <= last; n++ {
			one := listener{addr: addr, port: uint16(n), likely: p.http, owner: word(c.name), engine: true}
			if behind := inner + n - first; innerLast == inner { // one of the range
				one.likely = one.likely || l.isWanted[inner]
			} else if behind <= innerLast {
				one.likely = one.likely || l.isWanted[behind]
			}
			switch {
			case !addr.IsUnspecified():
			case addr.Is4():
				every[one.port] = true
			case every[one.port]:
				continue
			}
			if err := l.listens(in, one, yield); err != nil {
				return err
			}
		}
	}
	return nil
}

// portRange reads 80 or 80-90.
func portRange(text string) (first, last int, err error) {
	a, b, isRange := strings.Cut(text, "-")
	if !isRange {
		b = a
	}
	from, err1 := port(a)
	to, err2 := port(b)
	if err1 != nil || err2 != nil || to < from {
		return 0, 0, fmt.Errorf("%q is neither a port nor a range such as 9000-9002", short(text))
	}
	return int(from), int(to), nil
}

// word returns the name of a program, container or object if it is one that people
// give; else "".
func word(name string) string {
	name = strings.TrimPrefix(name, "/")
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("._-+:@/", c) >= 0:
		default:
			return ""
		}
	}
	if len(name) > 128 {
		return ""
	}
	return strings.Clone(name)
}

// texts is a list of texts, or one of them alone.
type texts []string

func (t *texts) UnmarshalJSON(data []byte) error {
	if data[0] == '[' {
		return json.Unmarshal(data, (*[]string)(t))
	}
	var one string
	if err := json.Unmarshal(data, &one); err != nil || one == "" {
		return err
	}
	*t = texts{one}
	return nil
}

// listed is a container of docker ps, docker compose ps or podman ps.
type listed struct {
	Names    texts
	State    string
	Networks texts
	Ports    json.RawMessage
}

// listedPort is a port of podman ps.
type listedPort struct {
	HostIP   string `json:"host_ip"`
	Private  uint16 `json:"container_port"`
	Host     uint16 `json:"host_port"`
	Range    uint16
	Protocol string // tcp, or several with commas
}

func (l *List) listedContainer(in *input, data []byte, yield func(Spec) error) error {
	var p listed
	if err := decode(data, &p); err != nil {
		return in.fail(err)
	}
	c := container{}
	if len(p.Names) > 0 {
		c.name, _, _ = strings.Cut(p.Names[0], ",")
	}
	switch p.State {
	case "exited", "created", "dead", "removing", "configured", "initialized", "stopped":
		l.leave(LeftStopped)
		return nil
	}
	docker := true
	switch p.Ports[0] {
	case '"':
		var text string
		if err := json.Unmarshal(p.Ports, &text); err != nil {
			return in.fail(badValue(err))
		}
		for part := range strings.SplitSeq(text, ", ") {
			one, err := dockerPort(part)
			if err != nil {
				return in.fail(fmt.Errorf("container %q: %w", short(c.name), err))
			}
			if one != nil {
				c.ports = append(c.ports, *one)
			}
			if len(c.ports) > maxPublished {
				return in.fail(fmt.Errorf("container %q publishes more than %d ports and ranges", short(c.name), maxPublished))
			}
		}
	default:
		docker = false
		var list []listedPort
		if err := json.Unmarshal(p.Ports, &list); err != nil {
			return in.fail(badValue(err))
		}
		for _, one := range list {
			if !slices.Contains(strings.Split(one.Protocol, ","), "tcp") {
				continue
			}
			span := max(int(one.Range), 1) - 1
			c.ports = append(c.ports, published{
				addr: one.HostIP,
				port: fmt.Sprintf("%d-%d", one.Host, int(one.Host)+span), private: fmt.Sprintf("%d-%d", one.Private, int(one.Private)+span),
			})
		}
	}
	if len(c.ports) == 0 {
		switch {
		case slices.Contains(p.Networks, "host"), !docker && len(p.Networks) == 0: // podman does not name it
			l.leave(LeftHostNet)
		default:
			l.leave(LeftInner)
		}
	}
	return l.publishes(in, c, yield)
}

// dockerPort reads a port as docker ps writes it, such as 0.0.0.0:80->8080/tcp or
// [::]:9000-9002->9000-9002/tcp; nil if it is not published, or not TCP.
func dockerPort(text string) (*published, error) {
	outer, inner, mapped := strings.Cut(text, "->")
	if !mapped {
		inner, outer = outer, ""
	}
	private, protocol, ok := strings.Cut(inner, "/")
	if text == "" {
		return nil, nil
	}
	if _, _, err := portRange(private); err != nil || !ok {
		return nil, fmt.Errorf("%q is not a port as docker ps writes it", short(text))
	}
	if !mapped || protocol != "tcp" {
		return nil, nil
	}
	i := strings.LastIndexByte(outer, ':')
	if i < 0 {
		return nil, fmt.Errorf("%q is not a port as docker ps writes it", short(text))
	}
	return &published{addr: strings.Trim(outer[:i], "[]"), port: outer[i+1:], private: private}, nil
}

// inspected is a container of docker inspect or podman inspect. What it holds of the
// container's environment is not read.
type inspected struct {
	Name            string
	State           struct{ Running, Paused, Restarting *bool }
	HostConfig      struct{ NetworkMode string }
	NetworkSettings struct {
		Ports map[string][]struct{ HostIP, HostPort string }
	}
}

func (l *List) inspectedContainer(in *input, data []byte, yield func(Spec) error) error {
	var p inspected
	if err := decode(data, &p); err != nil {
		return in.fail(err)
	}
	if p.State.Running != nil && !*p.State.Running {
		l.leave(LeftStopped)
		return nil
	}
	c := container{name: p.Name}
	for _, key := range slices.Sorted(maps.Keys(p.NetworkSettings.Ports)) {
		private, protocol, _ := strings.Cut(key, "/")
		if protocol != "tcp" {
			continue
		}
		for _, b := range p.NetworkSettings.Ports[key] {
			c.ports = append(c.ports, published{addr: b.HostIP, port: b.HostPort, private: private})
		}
	}
	if len(c.ports) == 0 {
		if p.HostConfig.NetworkMode == "host" {
			l.leave(LeftHostNet)
		} else {
			l.leave(LeftInner)
		}
	}
	return l.publishes(in, c, yield)
}

// composed is a service of docker compose config --format json. Its environment is not
// read.
type composed struct {
	NetworkMode string `json:"network_mode"`
	Ports       []struct {
		HostIP      string `json:"host_ip"`
		Target      loose
		Published   loose // a number, a range that one is chosen of, or nothing
		Protocol    string
		AppProtocol string `json:"app_protocol"`
	}
}

// compose takes the services of a project.
func (l *List) compose(in *input, data []byte, yield func(Spec) error) error {
	var project struct{ Services map[string]composed }
	if err := decode(data, &project); err != nil {
		return in.fail(err)
	}
	for _, name := range slices.Sorted(maps.Keys(project.Services)) {
		s := project.Services[name]
		c := container{name: name}
		for _, p := range s.Ports {
			switch {
			case p.Protocol != "" && p.Protocol != "tcp":
			case p.Published.text == "":
				l.leave(LeftAnyPort)
			default:
				c.ports = append(c.ports, published{
					addr: p.HostIP, port: p.Published.text, private: p.Target.text, http: web(p.AppProtocol),
				})
			}
		}
		switch {
		case s.NetworkMode == "host":
			l.leave(LeftHostNet)
		case len(s.Ports) == 0:
			l.leave(LeftInner)
		}
		if err := l.publishes(in, c, yield); err != nil {
			return err
		}
	}
	return nil
}

// web reports whether what a port is said to speak is HTTP, or runs over it.
func web(protocol string) bool {
	protocol = strings.TrimPrefix(strings.ToLower(protocol), "kubernetes.io/")
	return strings.HasPrefix(protocol, "http") || protocol == "h2c" || protocol == "ws" || protocol == "wss"
}

// badValue is the error for a value of another kind. It has the name of the field, and
// nothing of what was read: that may be a secret.
func badValue(err error) error {
	where := "a value"
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && kind.Field != "" {
		where = kind.Field
	}
	return fmt.Errorf("not JSON that is known: %s is not as docker, podman, kubectl and tailscale write it", where)
}

// decode reads an object as a whole.
func decode(data []byte, into any) error {
	if err := bounded.JSON(data, maxValues); err != nil {
		return fmt.Errorf("JSON object %w", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return badValue(err)
	}
	return nil
}

// tool is what tells which of the user's own programs has written an object.
type tool struct {
	APIVersion, Kind            loose           // kubectl
	HostConfig, NetworkSettings present         // docker inspect
	Names, Ports                json.RawMessage // docker ps, podman ps
	Services                    json.RawMessage // docker compose config
	BackendState                loose           // tailscale
	TailscaleIPs                json.RawMessage
}

// ofTool takes what one of the user's own programs says; known is false if none of them
// has written the object.
func (l *List) ofTool(in *input, data []byte, yield func(Spec) error) (known bool, err error) {
	var t tool
	if json.Unmarshal(data, &t) != nil {
		return false, nil
	}
	var take func(*input, []byte, func(Spec) error) error
	switch {
	case t.APIVersion.text != "" && t.Kind.text != "":
		take = l.kubernetes
	case bool(t.HostConfig && t.NetworkSettings):
		take = l.inspectedContainer
	case t.Names != nil && t.Ports != nil:
		take = l.listedContainer
	case bytes.HasPrefix(t.Services, []byte("{")):
		take = l.compose
	case t.BackendState.text != "":
		take = l.tailnet
	case t.TailscaleIPs != nil:
		take = l.tailnetPeer
	default:
		return false, nil
	}
	return true, take(in, data, yield)
}
