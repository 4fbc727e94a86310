//go:build linux

package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Net is two network namespaces joined by one link, with no way out of either:
// a place to look at a gateway from elsewhere. Loopback is not enough for that,
// since a client on loopback counts as local.
type Net struct {
	Gateway *Namespace // where gateways and their fronts run
	Viewer  *Namespace // where they are looked at from
}

// Namespace is one side of a Net.
type Namespace struct {
	Addr netip.Addr // its address on the link
	name string
	ip   string // path of the tool
}

// nets counts those of this process, for their names.
var nets atomic.Int32

// NewNet makes the two namespaces, with documentation addresses (RFC 5737).
// Close removes them; the processes in them must have ended before.
func NewNet() (*Net, error) {
	ip, err := FindTool("ip")
	if err != nil {
		return nil, fmt.Errorf("make network namespaces: %w (install the package iproute2)", err)
	}
	name := fmt.Sprintf("clawsonar-%d-%d-", os.Getpid(), nets.Add(1))
	n := &Net{
		Gateway: &Namespace{Addr: netip.AddrFrom4([4]byte{192, 0, 2, 1}), name: name + "gateway", ip: ip},
		Viewer:  &Namespace{Addr: netip.AddrFrom4([4]byte{192, 0, 2, 2}), name: name + "viewer", ip: ip},
	}
	for _, args := range []string{
		"netns add " + n.Gateway.name,
		"netns add " + n.Viewer.name,
		"-n " + n.Gateway.name + " link add link0 type veth peer name link0 netns " + n.Viewer.name,
	} {
		if err := runTool(ip, args); err != nil {
			n.Close()
			return nil, err
		}
	}
	for _, side := range []*Namespace{n.Gateway, n.Viewer} {
		for _, args := range []string{"addr add " + side.Addr.String() + "/24 dev link0", "link set lo up", "link set link0 up"} {
			if err := runTool(ip, "-n "+side.name+" "+args); err != nil {
				n.Close()
				return nil, err
			}
		}
	}
	return n, nil
}

func runTool(tool, args string) error {
	if out, err := exec.Command(tool, strings.Fields(args)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Close removes the namespaces.
func (n *Net) Close() {
	for _, side := range []*Namespace{n.Gateway, n.Viewer} {
		_ = runTool(side.ip, "netns delete "+side.name)
	}
}

// Command is exec.Command for a program that runs in the namespace; in the
// machine's own when n is nil.
func (n *Namespace) Command(name string, args ...string) *exec.Cmd {
	if n == nil {
		return exec.Command(name, args...)
	}
	return exec.Command(n.ip, append([]string{"netns", "exec", n.name, name}, args...)...)
}

// DialContext connects from the namespace to an IP address and port.
func (n *Namespace) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	if n == nil {
		return d.DialContext(ctx, network, address)
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// A socket belongs to the namespace of the thread that makes it. The
		// thread is not given back: it ends with the goroutine.
		runtime.LockOSThread()
		f, err := os.Open(filepath.Join("/run/netns", n.name))
		if err != nil {
			done <- result{nil, err}
			return
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{nil, fmt.Errorf("enter network namespace %s: %w", n.name, err)}
			return
		}
		conn, err := d.DialContext(ctx, network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// Star is network namespaces that reach each other through one router, with no way out.
type Star struct {
	Router *Namespace
	Nodes  []*Namespace // in the order of their names
}

// NewStar makes a router with a node for each name: the i-th has the address 10.55.i.2, its
// link is called link0 there and like the node at the router. Close removes them; the
// processes in them must have ended before.
func NewStar(names ...string) (*Star, error) {
	ip, err := FindTool("ip")
	if err != nil {
		return nil, fmt.Errorf("make network namespaces: %w (install the package iproute2)", err)
	}
	prefix := fmt.Sprintf("clawsonar-%d-%d-", os.Getpid(), nets.Add(1))
	s := &Star{Router: &Namespace{name: prefix + "router", ip: ip}}
	var steps []string
	step := func(format string, args ...any) { steps = append(steps, fmt.Sprintf(format, args...)) }
	step("netns add %s", s.Router.name)
	for i, name := range names {
		n := &Namespace{Addr: netip.AddrFrom4([4]byte{10, 55, byte(i), 2}), name: prefix + name, ip: ip}
		s.Nodes = append(s.Nodes, n)
		step("netns add %s", n.name)
		step("-n %s link add link0 type veth peer name %s netns %s", n.name, name, s.Router.name)
		step("-n %s addr add 10.55.%d.2/24 dev link0", n.name, i)
		step("-n %s addr add 10.55.%d.1/24 dev %s", s.Router.name, i, name)
		step("-n %s link set lo up", n.name)
		step("-n %s link set link0 up", n.name)
		step("-n %s link set %s up", s.Router.name, name)
		step("-n %s route add default via 10.55.%d.1", n.name, i)
	}
	for _, args := range steps {
		if err := runTool(ip, args); err != nil {
			s.Close()
			return nil, err
		}
	}
	if out, err := s.Router.Command("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward").CombinedOutput(); err != nil {
		s.Close()
		return nil, fmt.Errorf("forward between namespaces: %w: %s", err, out)
	}
	return s, nil
}

// Set runs ip with arguments in a namespace.
func (n *Namespace) Set(args string) error { return runTool(n.ip, "-n "+n.name+" "+args) }

// Close removes the namespaces.
func (s *Star) Close() {
	for _, n := range append(s.Nodes, s.Router) {
		_ = runTool(n.ip, "netns delete "+n.name)
	}
}
