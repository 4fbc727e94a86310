// Package nameserver is a DNS server on loopback for tests: it answers as its
// zone says, rightly or not.
package nameserver

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// Zone is what a server knows: "name A" or "name AAAA" to addresses, separated by
// blanks, or to one of SERVFAIL, REFUSED, NXDOMAIN, silent. A name that has another
// type has no such data; what is not there at all does not exist.
type Zone map[string]string

// Server is a running server.
type Server struct {
	Addr  string // host:port, for UDP and TCP
	ended context.Context
	end   func()
	wait  func()
}

// Start starts a server. Stop it with Close.
func Start(z Zone) (*Server, error) {
	var pc net.PacketConn
	var l net.Listener
	for range 20 { // the port that is free for TCP may be taken for UDP
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
		if pc, err = net.ListenPacket("udp", l.Addr().String()); err == nil {
			break
		}
		l.Close()
	}
	if pc == nil {
		return nil, errors.New("no port is free")
	}
	ended, end := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { z.datagrams(pc) })
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ended, func() { c.Close() })()
				z.stream(c)
			})
		}
	})
	return &Server{
		Addr: l.Addr().String(), ended: ended,
		end:  func() { end(); pc.Close(); l.Close() },
		wait: group.Wait,
	}, nil
}

// Close stops the server, and ends questions that nobody has answered.
func (s *Server) Close() {
	s.end()
	s.wait()
}

// Resolver returns one that asks this server only, strictly.
func (s *Server) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(_ context.Context, network, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(s.ended, network, s.Addr)
		if err == nil {
			context.AfterFunc(s.ended, func() { c.Close() })
		}
		return c, err
	}}
}

func (z Zone) datagrams(pc net.PacketConn) {
	const limit = 512 // RFC 1035 section 2.3.4
	buf := make([]byte, 1500)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return
		}
		if answer := z.answer(buf[:n], limit); answer != nil {
			_, _ = pc.WriteTo(answer, from)
		}
	}
}

func (z Zone) stream(c net.Conn) {
	for {
		var size [2]byte // RFC 1035 section 4.2.2
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		msg := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, msg); err != nil {
			return
		}
		answer := z.answer(msg, 1<<16-1)
		if answer == nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// answer returns nil for what is not answered.
func (z Zone) answer(msg []byte, limit int) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(msg); err != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	data, ok := z[name+" "+strings.TrimPrefix(q.Type.String(), "Type")]
	_, a := z[name+" A"]
	_, aaaa := z[name+" AAAA"]
	m = dnsmessage.Message{
		Header:    dnsmessage.Header{ID: m.ID, Response: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: m.Questions,
	}
	switch {
	case data == "silent":
		return nil
	case data == "SERVFAIL":
		m.RCode = dnsmessage.RCodeServerFailure
	case data == "REFUSED":
		m.RCode = dnsmessage.RCodeRefused
	case data == "NXDOMAIN", !ok && !a && !aaaa:
		m.RCode = dnsmessage.RCodeNameError
	default:
		for text := range strings.FieldsSeq(data) {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return nil
			}
			r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}}
			if q.Type == dnsmessage.TypeA {
				r.Body = &dnsmessage.AResource{A: addr.As4()}
			} else {
				r.Body = &dnsmessage.AAAAResource{AAAA: addr.As16()}
			}
			m.Answers = append(m.Answers, r)
		}
	}
	out, err := m.Pack()
	if err == nil && len(out) > limit {
		m.Truncated, m.Answers = true, nil
		out, err = m.Pack()
	}
	if err != nil {
		return nil
	}
	return out
}
