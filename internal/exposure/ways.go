package exposure

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// defaultPort is where gateways listen unless told otherwise.
const defaultPort = 18789

// Bounds on what a tree of hostile files can make of the walk.
const (
	maxDoors = 8   // doors of one way in
	maxWays  = 256 // ways in to one gateway
)

// listener is something in a namespace that doors can lead to.
type listener struct {
	space    deploy.Space
	port     int
	loopback bool   // it listens on loopback alone
	near     string // the directory of its file, to choose between several of a host
}

// way is a way in: the doors from outside to the gateway; none is the gateway's own
// listener.
type way struct {
	doors []*deploy.Door
	reach event.FilesReach
	name  *deploy.Value // the first public name by which clients come; nil if there is none
}

// inner is the door next to the gateway, nil if there is none.
func (w *way) inner() *deploy.Door {
	if len(w.doors) == 0 {
		return nil
	}
	return w.doors[len(w.doors)-1]
}

// outer is the door that clients come to first.
func (w *way) outer() *deploy.Door {
	if len(w.doors) == 0 {
		return nil
	}
	return w.doors[0]
}

// ways walks from a listener to all that lead to it. It reports whether it found all of
// them within the bounds.
func (j *judge) ways(l listener, own event.FilesReach) (out []way, all bool) {
	if own != "" {
		out = append(out, way{reach: own})
	}
	type step struct {
		at    listener
		doors []*deploy.Door
	}
	for todo := []step{{at: l}}; len(todo) > 0; todo = todo[1:] {
		s := todo[0]
		near := split(s.at.near)
		for _, i := range j.leadTo(s.at.socket()) {
			if len(out) == maxWays || !j.spend(1) {
				return out, false
			}
			d := j.m.Doors[i]
			if slices.Contains(s.doors, d) || !j.nearest(i, s.at, near) {
				continue
			}
			if len(s.doors) == maxDoors || j.count == maxAllWays {
				return out, false
			}
			j.count++
			w := way{doors: append([]*deploy.Door{d}, s.doors...), reach: j.reach(d)}
			for _, d := range w.doors {
				w.name = cmp.Or(w.name, j.index.public[j.index.number[d]])
			}
			// A name counts where packets from elsewhere arrive.
			if w.name != nil && (w.reach == event.FilesHostAddresses || w.reach == event.FilesLAN || w.reach == event.FilesReachUnknown) {
				w.reach = event.FilesInternet
			}
			out = append(out, w)
			if at, ok := entrance(d); ok {
				todo = append(todo, step{at, w.doors})
			}
		}
	}
	return out, true
}

// connects reports whether a door may lead to a socket, by its namespace and port.
func (j *judge) connects(d *deploy.Door, l socket) bool {
	detected := d.To.Port == 0 && platform(d) && d.To.Space == l.space // a platform finds out where its service listens
	if !detected && !j.samePort(d.To, l) {
		return false
	}
	switch {
	case d.To.Select != nil:
		info := j.m.Spaces[l.space]
		return !l.loopback && info != nil && within(d.To.Select, info.Labels) && sameDomain(j.m.Spaces[d.To.Space], info)
	case d.Transparent: // to the address of the namespace, not to its loopback
		return d.To.Space == l.space && d.To.Host == "" && (!l.loopback || l.space == deploy.Host)
	case local(d.To.Host):
		return d.To.Space == l.space
	case hostName(d.To.Host):
		return l.space == deploy.Host && !l.loopback
	}
	info, from := j.m.Spaces[l.space], j.m.Spaces[d.To.Space]
	if info == nil || l.loopback {
		return false
	}
	if slices.Contains(info.Addresses, d.To.Host) {
		return true
	}
	return from != nil && sameDomain(from, info) && slices.Contains(info.Names, firstLabels(d.To.Host, info.Names))
}

// firstLabels is a name of Kubernetes without the cluster's part, if that is one of
// the names.
func firstLabels(host string, names []string) string {
	for _, n := range names {
		if host == n || strings.HasPrefix(host, n+".") {
			return n
		}
	}
	return host
}

func sameDomain(a, b *deploy.SpaceInfo) bool {
	return a != nil && b != nil && a.Domain == b.Domain && a.Domain != ""
}

func within(want, have map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return len(want) > 0
}

func (j *judge) samePort(to deploy.Endpoint, l socket) bool {
	port := to.Port
	if to.Name != "" && port == 0 {
		if info := j.m.Spaces[l.space]; info != nil {
			port = info.Ports[to.Name]
		}
	}
	return port == l.port && port != 0
}

// nearest reports whether nothing else that listens on the host is as likely, or
// likelier: in a repository of several deployments all of them use the same port. Where
// the directories do not tell, a door leads to none of them.
func (j *judge) nearest(door int, l listener, near []string) bool {
	if l.space != deploy.Host || j.index.hosts[l.port] == nil {
		return true
	}
	mine := common(j.index.dirs[door], near)
	best, score := j.index.hosts[l.port].nearest(j.index.dirs[door])
	return score < mine || score == mine && best.only && best.dir == strings.Join(near, "/")
}

// reach says who gets to a door.
func (j *judge) reach(d *deploy.Door) event.FilesReach {
	if d.In.Reach != "" {
		return d.In.Reach
	}
	if d.In.Space != deploy.Host {
		return j.inside(d.In.Space, isLoopback(d.In.Address))
	}
	switch a, err := netip.ParseAddr(strings.Trim(d.In.Address, "[]")); {
	case isLoopback(d.In.Address) && d.Transparent:
		return event.FilesHostLoopback
	case isLoopback(d.In.Address):
		return event.FilesLoopback
	case d.In.Address == "tailnet", err == nil && netip.MustParsePrefix("100.64.0.0/10").Contains(a):
		return event.FilesTailnet
	case err == nil && !a.IsUnspecified() && (a.IsPrivate() || a.IsLinkLocalUnicast()):
		return event.FilesLAN
	case err == nil && !a.IsUnspecified():
		return event.FilesInternet
	}
	return event.FilesHostAddresses
}

// inside says who gets to what listens in a container or pod, without a door.
func (j *judge) inside(s deploy.Space, loopback bool) event.FilesReach {
	switch {
	case loopback:
		return event.FilesPodLoopback
	case j.inCluster(s):
		return event.FilesCluster
	}
	return event.FilesContainerNet
}

// inCluster reports whether a namespace is that of a pod, or the address of a Service.
func (j *judge) inCluster(s deploy.Space) bool {
	info := j.m.Spaces[s]
	return info != nil && info.Made == deploy.KindKubernetes
}

// public returns the first name that strangers may know: one of a domain, and not one
// that only a private network resolves; nil if there is none.
func public(names []deploy.Value) *deploy.Value {
	for i, n := range names {
		if n.State != deploy.Unset && n.State != deploy.Unknown && publicName(n.Text) {
			return &names[i]
		}
	}
	return nil
}

// publicName reports whether a host name is one of the public DNS. Special-use
// domains are those of RFC 6761, 6762, 8375, 9476 and ICANN's "internal".
func publicName(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(name, "*."), "."), "."))
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return false
	}
	last := name[strings.LastIndex(name, ".")+1:]
	if !strings.Contains(name, ".") || strings.ContainsAny(name, " $~{}()|^\\/:") {
		return false
	}
	switch last {
	case "local", "localhost", "lan", "home", "internal", "intranet", "corp", "private", "localdomain", "arpa", "test", "invalid", "onion", "alt":
		return false
	}
	return !strings.HasSuffix(name, ".ts.net") && strings.Trim(last, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func isLoopback(host string) bool {
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// hostName reports whether a name is that by which containers reach their host.
func hostName(h string) bool {
	return h == "host.docker.internal" || h == "gateway.docker.internal" || h == "host.containers.internal"
}
