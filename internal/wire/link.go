package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/clawsonar/clawsonar/internal/suggest"
)

// Limits on what a network can make AskLink hold.
const (
	maxDatagram = 9000 // bytes: no mDNS message is longer (RFC 6762 section 17)
	maxAnswered = 512  // datagrams of one interface and family
	maxLinks    = 64   // interfaces
	maxFailures = 100  // of reading from one socket
)

// mdnsPort is that of multicast DNS; 255 is the TTL that its packets have (RFC 6762 section 11).
const (
	mdnsPort = 5353
	mdnsTTL  = 255
)

// Link is an interface of this machine, and the networks that it is in.
type Link struct {
	Interface string
	Networks  []netip.Prefix
}

// Holds reports whether an address is on the link. A link-local one of IPv6 is on every
// link.
func (l *Link) Holds(addr netip.Addr) bool {
	addr = addr.WithZone("").Unmap()
	return addr.Is6() && addr.IsLinkLocalUnicast() ||
		slices.ContainsFunc(l.Networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Datagram is an answer from a link.
type Datagram struct {
	*Link
	From netip.Addr // with its zone if it is link-local
	Data []byte
}

// Heard is what AskLink heard.
type Heard struct {
	Links     []string // interfaces that were asked, each once
	Datagrams []Datagram
	// Trouble says of which interface and family what failed; Dropped counts datagrams
	// beyond the limit.
	Trouble []error
	Dropped int
}

// AskLink sends a query of multicast DNS twice to each interface that is up and takes
// multicast, over IPv4 and IPv6, and returns what answers within wait. With a name, only
// to the interface of that name, also if it is loopback. The query leaves from a port
// other than 5353, so that answers come to this socket alone (RFC 6762 section 6.7), and
// never leaves the link. Answers from addresses that are not on the link are dropped
// (section 11). It fails if no interface could be asked, or with the error of ctx.
func AskLink(ctx context.Context, query []byte, name string, wait time.Duration) (*Heard, error) {
	links, err := chooseLinks(name)
	if err != nil {
		return nil, err
	}
	var sockets []*linkSocket
	heard := new(Heard)
	for _, at := range links {
		asked := false
		for _, open := range []func(*net.Interface, []netip.Prefix) (*linkSocket, error){openLink4, openLink6} {
			s, err := open(at.nic, at.link.Networks)
			switch {
			case err != nil:
				heard.Trouble = append(heard.Trouble, fmt.Errorf("%s: %w", at.nic.Name, err))
			case s != nil: // it has an address of the family
				defer s.conn.Close()
				s.link, asked = at.link, true
				sockets = append(sockets, s)
			}
		}
		if asked {
			heard.Links = append(heard.Links, at.nic.Name)
		}
	}
	if len(sockets) == 0 {
		return nil, errors.Join(append([]error{errors.New("no network interface could be asked")}, heard.Trouble...)...)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var group sync.WaitGroup
	for _, s := range sockets {
		group.Go(func() { s.ask(ctx, query, wait/2) })
	}
	group.Wait()
	unsent := 0
	for _, s := range sockets {
		heard.Datagrams = append(heard.Datagrams, s.heard...)
		heard.Dropped += s.dropped
		if s.err != nil {
			heard.Trouble = append(heard.Trouble, fmt.Errorf("%s: %w", s.link.Interface, s.err))
			unsent++
		}
	}
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	if unsent == len(sockets) {
		return nil, errors.Join(append([]error{errors.New("no network interface could be asked")}, heard.Trouble...)...)
	}
	return heard, nil
}

type chosen struct {
	nic  *net.Interface
	link *Link
}

func chooseLinks(name string) ([]chosen, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("ask the operating system for network interfaces: %w", err)
	}
	var out []chosen
	var names []string
	for i, nic := range all {
		names = append(names, nic.Name)
		usable := nic.Flags&net.FlagUp != 0 && nic.Flags&net.FlagMulticast != 0 && nic.Flags&net.FlagLoopback == 0
		if name != "" && nic.Name != name || name == "" && !usable || len(out) == maxLinks {
			continue
		}
		link := &Link{Interface: nic.Name}
		addrs, err := nic.Addrs()
		if err != nil {
			return nil, fmt.Errorf("ask the operating system for the addresses of %s: %w", nic.Name, err)
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				link.Networks = append(link.Networks, netip.PrefixFrom(p.Addr().Unmap().WithZone(""), p.Bits()))
			}
		}
		out = append(out, chosen{&all[i], link})
	}
	switch {
	case len(out) > 0:
		return out, nil
	case name != "":
		return nil, fmt.Errorf("this machine has no network interface %q%s: it has %s", name, suggest.DidYouMean(name, names), strings.Join(names, ", "))
	}
	return nil, errors.New("no network interface is up and takes multicast: name one with -interface")
}

// linkSocket is a socket of one interface and family.
type linkSocket struct {
	link    *Link
	conn    *net.UDPConn
	to      *net.UDPAddr
	heard   []Datagram
	dropped int
	err     error // of sending
}

func openLink4(nic *net.Interface, networks []netip.Prefix) (*linkSocket, error) {
	i := slices.IndexFunc(networks, func(p netip.Prefix) bool { return p.Addr().Is4() })
	if i < 0 {
		return nil, nil
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(networks[i].Addr(), 0)))
	if err != nil {
		return nil, err
	}
	p := ipv4.NewPacketConn(conn)
	// Without it, where the packet leaves is a matter of routes, of which there may be none.
	if err := errors.Join(p.SetMulticastInterface(nic), p.SetMulticastTTL(mdnsTTL)); err != nil {
		conn.Close()
		return nil, err
	}
	return &linkSocket{conn: conn, to: &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: mdnsPort}}, nil
}

func openLink6(nic *net.Interface, networks []netip.Prefix) (*linkSocket, error) {
	is6 := func(p netip.Prefix) bool { return p.Addr().Is6() }
	i := slices.IndexFunc(networks, func(p netip.Prefix) bool { return is6(p) && p.Addr().IsLinkLocalUnicast() })
	if i < 0 {
		i = slices.IndexFunc(networks, is6)
	}
	if i < 0 {
		return nil, nil
	}
	addr := networks[i].Addr()
	if addr.IsLinkLocalUnicast() {
		addr = addr.WithZone(nic.Name)
	}
	conn, err := net.ListenUDP("udp6", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return nil, err
	}
	p := ipv6.NewPacketConn(conn)
	if err := errors.Join(p.SetMulticastInterface(nic), p.SetMulticastHopLimit(mdnsTTL)); err != nil {
		conn.Close()
		return nil, err
	}
	return &linkSocket{conn: conn, to: &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: mdnsPort, Zone: nic.Name}}, nil
}

// ask sends the query now and again, and takes answers until the end of ctx.
func (s *linkSocket) ask(ctx context.Context, query []byte, again time.Duration) {
	defer context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })()
	if _, s.err = s.conn.WriteToUDP(query, s.to); s.err != nil {
		return
	}
	// A datagram may be lost; a second one that cannot be sent changes nothing.
	defer time.AfterFunc(again, func() { _, _ = s.conn.WriteToUDP(query, s.to) }).Stop()
	buf := make([]byte, maxDatagram+1)
	for failed := 0; ctx.Err() == nil && failed < maxFailures; {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			failed++ // the end, or on some systems word of a packet that was refused
			continue
		}
		addr := from.Addr().Unmap()
		switch {
		case !s.link.Holds(addr) || n > maxDatagram:
		case len(s.heard) == maxAnswered:
			s.dropped++
		default:
			s.heard = append(s.heard, Datagram{Link: s.link, From: addr, Data: slices.Clone(buf[:n])})
		}
	}
}
