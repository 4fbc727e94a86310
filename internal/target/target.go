// Package target says what is scanned: it reads what a user names, counts and
// addresses the space of targets that follows from it, and knows the scope
// outside which nothing is ever contacted.
//
// A list of any length is read once, entry by entry. Space keeps the first few
// thousand entries in memory and the others in a temporary file, so that every
// target has an index and can be looked up by it: lists, too, have a seeded
// order, shards and a journal, an error in the last line is found before the
// first packet, and what becomes of the list afterwards does not matter. The
// memory of ten million lines is about 1 MB.
package target

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// Target is one thing to probe. It is comparable.
type Target struct {
	// Addr is what is dialled. Its address is invalid while Name still has to
	// be resolved; its port is always set.
	Addr   netip.AddrPort
	Name   string // host name for DNS, SNI and Host; "" for a bare address
	Scheme string // "http" or "https" to try first; "" when the user did not say
	Base   string // base path without the final slash: "" or "/claw"
	Input  string // as the user wrote it
	Source string // where: "args", "stdin:3", "hosts.txt:3", "local"
	// Implied targets have an address that was not written down: it is what a name
	// in a list resolves to, or part of a range that goes beyond the special
	// block it lies in. Such a target is not contacted at special addresses.
	Implied bool
	// Resolved targets have an address that a look-up of Name gave.
	Resolved bool
	// Note is what is to be said of the look-up in the target's line; nil for nothing.
	Note *message.Text
	// Swept targets are members of a range or of a set of ports, or come from a
	// list: when closed, silent or excluded they are counted, not listed.
	Swept bool
	// Exact targets were named with their port, by the user or in a list: other
	// ports of the host were not.
	Exact bool
	// Part says as part of what the target was named, and Entry as which entry of
	// the space, from 0 on.
	Part  event.Member
	Entry uint64
	// Bound and Process say which listener it is, as the operating system or a list of
	// what listens tells; Process may also be the container or service that publishes the
	// port. "" for all others.
	Bound, Process string
	// Found says what led to the target without contacting it; nil if it was named.
	Found *event.Discovery
	// Position is the place in a run's order that a target was taken from; 0
	// where that does not matter.
	Position uint64
}

// HostPort returns the target as host:port, the host being the name if there
// is one, in lower case.
func (t Target) HostPort() string {
	if t.Name == "" && t.Addr.IsValid() && t.Addr.Addr().Zone() == "" {
		return t.Addr.String()
	}
	host := cmp.Or(t.Name, t.Addr.Addr().String())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return strings.ToLower(host) + ":" + strconv.Itoa(int(t.Addr.Port()))
}

// URL returns the target's address for people: scheme (http when not known),
// host, port unless it is the scheme's own, base path and a final slash.
func (t Target) URL(scheme string) string {
	if scheme == "" {
		scheme = "http"
	}
	host := t.HostPort()
	switch {
	case scheme == "http" && t.Addr.Port() == 80:
		host = strings.TrimSuffix(host, ":80")
	case scheme == "https" && t.Addr.Port() == 443:
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host + t.Base + "/"
}

// WithAddr returns the target with its name resolved to addr.
func (t Target) WithAddr(addr netip.Addr) Target {
	t.Addr, t.Resolved = netip.AddrPortFrom(addr, t.Addr.Port()), true
	return t
}

// Ports reads a list of ports and port ranges such as "18789,18790-18793".
// Duplicates are dropped, the order is kept.
func Ports(s string) ([]uint16, error) {
	var ports []uint16
	seen := make(map[uint16]bool)
	for _, part := range strings.Split(s, ",") {
		part = strings.TrimSpace(part)
		first, last, isRange := strings.Cut(part, "-")
		a, err := port(first)
		if err != nil {
			return nil, err
		}
		b := a
		if isRange {
			if b, err = port(last); err != nil {
				return nil, err
			}
			if b < a {
				return nil, fmt.Errorf("port range %q runs backwards: write it as %d-%d", part, b, a)
			}
		}
		for p := int(a); p <= int(b); p++ {
			if !seen[uint16(p)] {
				seen[uint16(p)] = true
				ports = append(ports, uint16(p))
			}
		}
	}
	return ports, nil
}

func port(s string) (uint16, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a port: use a number from 1 to 65535", s)
	}
	return uint16(n), nil
}
