package discover

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// services are the types under which gateways announce themselves: of the releases by each
// of their names, and the bridge of the oldest, whose port is not the gateway's.
func services() []string {
	return []string{"_openclaw-gw._tcp.local.", "_moltbot-gw._tcp.local.", "_clawdbot-gw._tcp.local.", bridge}
}

const bridge = "_clawdbot-bridge._tcp.local."

// Limits on what is kept of announcements, all of them hostile.
const (
	maxRecords   = 1000 // of one datagram
	maxInstances = 64   // of one sender
	maxHostAddrs = 16   // of one host
)

// MDNS asks the local link for announcements of gateways, over multicast DNS, and returns
// a target for each address that they name and that is on the link. What an announcement
// says is what its sender claims.
func MDNS(ctx context.Context, iface string, wait time.Duration) (Result, error) {
	query, id, err := question()
	if err != nil {
		return Result{}, err
	}
	heard, err := wire.AskLink(ctx, query, iface, wait)
	if err != nil {
		return Result{}, fmt.Errorf("mdns: %w", err)
	}
	r := read(heard.Datagrams, id)
	for _, err := range heard.Trouble {
		r.note("mdns: not asked on %s", err)
	}
	if heard.Dropped > 0 {
		r.note("mdns: %d answers were left out: there are too many", heard.Dropped)
	}
	r.Asked = "mdns on " + strings.Join(heard.Links, ", ") + " within " + wait.String()
	return r, nil
}

// question is one message that asks for all types, and its number.
func question() ([]byte, uint16, error) {
	var b [2]byte
	rand.Read(b[:])
	id := binary.BigEndian.Uint16(b[:])
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: id}}
	for _, s := range services() {
		m.Questions = append(m.Questions, dnsmessage.Question{Name: dnsmessage.MustNewName(s), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET})
	}
	query, err := m.Pack()
	return query, id, err
}

// instance is one announcement.
type instance struct {
	service string
	host    string // "" until its SRV record came
	port    uint16
	said    []string // known keys of its TXT record; of the values no more than the next two
	gateway uint16   // 0 if it is not said
	tls     bool
}

// sender is what one address of one link has said. What others say of the same names does
// not count: it may be made up.
type sender struct {
	at        wire.Datagram
	instances map[string]*instance
	order     []string // keys of instances
	hosts     map[string][]netip.Addr
}

// read makes targets of answers to the message of that number.
func read(answers []wire.Datagram, id uint16) Result {
	var r Result
	var senders []*sender
	broken := 0
	for _, d := range answers {
		i := slices.IndexFunc(senders, func(s *sender) bool { return s.at.Link == d.Link && s.at.From == d.From })
		if i < 0 {
			i = len(senders)
			senders = append(senders, &sender{at: d, instances: map[string]*instance{}, hosts: map[string][]netip.Addr{}})
		}
		if err := senders[i].take(d.Data, id); err != nil {
			broken++
		}
	}
	for _, s := range senders {
		s.targets(&r)
	}
	if broken > 0 {
		r.note("mdns: %d answers could not be read", broken)
	}
	return r
}

// take reads the records of a datagram.
func (s *sender) take(data []byte, id uint16) error {
	var p dnsmessage.Parser
	h, err := p.Start(data)
	if err != nil {
		return err
	}
	if !h.Response || h.ID != id {
		return nil // no answer to the question
	}
	if err := p.SkipAllQuestions(); err != nil {
		return err
	}
	left := maxRecords
	// Which section a record is in depends on who answers.
	for _, next := range []func() (dnsmessage.Resource, error){p.Answer, p.Authority, p.Additional} {
		for ; ; left-- {
			r, err := next()
			if err == dnsmessage.ErrSectionDone {
				break
			}
			if err != nil || left == 0 {
				return cmp.Or(err, errors.New("too many records"))
			}
			s.record(r)
		}
	}
	return nil
}

func (s *sender) record(r dnsmessage.Resource) {
	name := r.Header.Name.String()
	switch body := r.Body.(type) {
	case *dnsmessage.PTRResource:
		s.instance(body.PTR.String())
	case *dnsmessage.SRVResource:
		if i := s.instance(name); i != nil && i.host == "" {
			i.host, i.port = strings.ToLower(body.Target.String()), body.Port
		}
	case *dnsmessage.TXTResource:
		if i := s.instance(name); i != nil && i.said == nil {
			i.text(body.TXT)
		}
	case *dnsmessage.AResource:
		s.address(name, netip.AddrFrom4(body.A))
	case *dnsmessage.AAAAResource:
		s.address(name, netip.AddrFrom16(body.AAAA))
	}
}

// text reads a TXT record.
func (i *instance) text(entries []string) {
	var keys []string
	for _, entry := range entries {
		key, value, _ := strings.Cut(entry, "=")
		keys = append(keys, key)
		switch key {
		case event.AnnouncedPort:
			n, _ := strconv.ParseUint(value, 10, 16)
			i.gateway = uint16(n)
		case event.AnnouncedTLS:
			i.tls = value == "1"
		}
	}
	i.said = event.AnnouncedKeys(keys)
}

// instance returns the announcement of that name; nil if it is none of a gateway, or one
// too many.
func (s *sender) instance(name string) *instance {
	key := strings.ToLower(name)
	if i := s.instances[key]; i != nil {
		return i
	}
	for _, service := range services() {
		if len(key) > len(service)+1 && strings.HasSuffix(key, "."+service) && len(s.order) < maxInstances {
			i := &instance{service: service}
			s.instances[key] = i
			s.order = append(s.order, key)
			return i
		}
	}
	return nil
}

func (s *sender) address(host string, addr netip.Addr) {
	host = strings.ToLower(host)
	addr = addr.Unmap()
	known := s.hosts[host]
	if len(known) >= maxHostAddrs || slices.Contains(known, addr) || len(known) == 0 && len(s.hosts) >= maxInstances {
		return
	}
	s.hosts[host] = append(known, addr)
}

// targets adds what was announced.
func (s *sender) targets(r *Result) {
	for _, key := range s.order {
		i := s.instances[key]
		port := i.port
		if i.service == bridge {
			port = i.gateway
		}
		where := clean.N(strings.TrimSuffix(key, ".local."), 100)
		from := s.at.From.String()
		addrs := s.hosts[i.host]
		if port == 0 || len(addrs) == 0 {
			r.note("mdns: %s from %s is left out: it names no address or no port", where, from)
			continue
		}
		left := 0
		for _, addr := range addrs {
			if !s.reaches(addr) {
				left++
				continue
			}
			if addr.Is6() && addr.IsLinkLocalUnicast() {
				addr = addr.WithZone(s.at.Interface)
			}
			f := target.Found{IP: addr, Port: port, TLS: i.tls, Found: event.Discovery{By: event.ByMDNS, Announced: i.said}}
			// Of names only those of this kind: any other may be somebody else's.
			if name := strings.TrimSuffix(i.host, "."); strings.HasSuffix(name, ".local") && target.IsName(name) {
				f.Name = name
			}
			r.add(f)
		}
		if left > 0 {
			r.note("mdns: %s from %s: %d addresses are left out: they are not on the link of %s", where, from, left, s.at.Interface)
		}
	}
}

// reaches reports whether an announced address is one that the link leads to: one of its
// networks, or the sender's own. Any other may be something else from here.
func (s *sender) reaches(addr netip.Addr) bool {
	return !addr.IsUnspecified() && !addr.IsMulticast() &&
		(s.at.Holds(addr) || addr == s.at.From.WithZone(""))
}
