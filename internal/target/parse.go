package target

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"net/url"
	"strings"

	"go4.org/netipx"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Spec is one entry of the user's input: a name to resolve, or a range of
// addresses (of one address, mostly), each with the same ports. An address with
// a name is dialled as it is, and called by that name.
type Spec struct {
	First, Last netip.Addr // invalid for a name to resolve
	Name        string
	Ports       []uint16
	Scheme      string
	Base        string
	Input       string
	Source      string
	Bound       string // see Target
	Process     string
	Found       *event.Discovery
	Exact       bool         // see Target
	Listed      bool         // an entry of a list
	Part        event.Member // see Target; found out by itself unless it is set
	Implied     bool         // see Target; of a range, Space.Add finds out itself
}

// maxName is the longest host name in text form (RFC 1035 section 2.3.4).
const maxName = 253

// Parse reads one target: an IPv4 or IPv6 address, a CIDR block, a range
// "a-b", a host name, "host:port", or an http(s) URL whose path is the base
// path. Where the text names no port, defaults is used; a URL without a port
// means its scheme's own.
func Parse(text, source string, defaults []uint16) (Spec, error) {
	s := Spec{Input: text, Source: source, Ports: defaults}
	if strings.Contains(text, "://") {
		return parseURL(s)
	}
	if strings.ContainsAny(text, "@?#") {
		// Most likely a URL without its scheme. Not repeated, as in parseURL.
		return Spec{}, errors.New("target holds one of @ ? #: give only host and port, or http://host:port/path")
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return s.withAddr(addr)
	}
	if strings.Contains(text, "/") {
		return parseCIDR(s)
	}
	if a, b, ok := strings.Cut(text, "-"); ok {
		if first, err := netip.ParseAddr(a); err == nil {
			return parseRange(s, first, b)
		}
	}
	host := text
	if h, p, ok := splitPort(text); ok {
		n, err := port(p)
		if err != nil {
			return Spec{}, fmt.Errorf("target %q: %w", text, err)
		}
		host, s.Ports, s.Exact = h, []uint16{n}, true
	}
	return s.withHost(host)
}

// withAddr sets the one address of a target.
func (s Spec) withAddr(addr netip.Addr) (Spec, error) {
	for _, c := range []byte(addr.Zone()) {
		// netip takes any text as a zone; interfaces are not named like that.
		if c <= ' ' || c > '~' || c == '%' || c == '/' || c == '[' || c == ']' {
			return Spec{}, fmt.Errorf("target %q: %q is not the name of an interface", s.Input, addr.Zone())
		}
	}
	s.First, s.Last = addr.Unmap(), addr.Unmap()
	return s, nil
}

func (s Spec) withHost(host string) (Spec, error) {
	inner, opened := strings.CutPrefix(host, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	addr, err := netip.ParseAddr(inner)
	if opened || closed {
		if !opened || !closed || err != nil || addr.Is4() {
			return Spec{}, fmt.Errorf("target %q: brackets are for an IPv6 address", s.Input)
		}
	}
	if err == nil {
		return s.withAddr(addr)
	}
	if err := checkName(host); err != nil {
		return Spec{}, fmt.Errorf("target %q: %w", s.Input, err)
	}
	s.Name = strings.ToLower(strings.TrimSuffix(host, "."))
	return s, nil
}

// splitPort splits "host:port" and "[v6]:port"; a bare IPv6 address has none.
func splitPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return "", "", false
	}
	host, port = s[:i], s[i+1:]
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "", "", false
	}
	return host, port, true
}

func parseURL(s Spec) (Spec, error) {
	u, err := url.Parse(s.Input)
	if err != nil {
		// The text is not repeated, nor the part of it that url quotes, where
		// it may hold a password or a token.
		if strings.ContainsAny(s.Input, "@?#") {
			return Spec{}, errors.New("target URL does not parse: write it as http://host:port/path")
		}
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return Spec{}, fmt.Errorf("target URL does not parse: %w", err)
	}
	if u.User != nil {
		return Spec{}, errors.New("target URL holds a user name or password: remove it, clawsonar never sends a credential")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		// A query is where tokens are pasted, so it is neither sent nor shown.
		return Spec{}, errors.New("target URL holds a query or fragment: give only scheme, host, port and base path")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return Spec{}, fmt.Errorf("target %q: scheme %q is not supported: use http or https", s.Input, u.Scheme)
	}
	if u.Hostname() == "" {
		return Spec{}, fmt.Errorf("target %q names no host", s.Input)
	}
	s.Scheme = u.Scheme
	s.Base = strings.TrimRight(u.EscapedPath(), "/")
	// A URL without a port names its scheme's.
	s.Ports, s.Exact = []uint16{80}, true
	if u.Scheme == "https" {
		s.Ports = []uint16{443}
	}
	if p := u.Port(); p != "" {
		n, err := port(p)
		if err != nil {
			return Spec{}, fmt.Errorf("target %q: %w", s.Input, err)
		}
		s.Ports = []uint16{n}
	}
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return s.withHost(host)
}

func parseCIDR(s Spec) (Spec, error) {
	p, err := netip.ParsePrefix(s.Input)
	if err != nil {
		return Spec{}, fmt.Errorf("target %q is neither a CIDR block nor a URL: write 192.0.2.0/24, 2001:db8::/120 or http://host/path", s.Input)
	}
	if p != p.Masked() {
		return Spec{}, fmt.Errorf("target %q has bits set beyond its prefix: did you mean %s, or the one address %s?", s.Input, p.Masked(), p.Addr())
	}
	s.First, s.Last = unmap(p.Addr(), netipx.PrefixLastIP(p))
	return s, nil
}

func parseRange(s Spec, first netip.Addr, to string) (Spec, error) {
	last, err := netip.ParseAddr(to)
	first, last = unmap(first, last)
	if err != nil && first.Is4() {
		// The short form 192.0.2.10-20 of nmap.
		text := first.String()
		last, err = netip.ParseAddr(text[:strings.LastIndexByte(text, '.')+1] + to)
	}
	switch {
	case err != nil:
		return Spec{}, fmt.Errorf("target %q: %q does not end an address range", s.Input, to)
	case first.Zone() != "" || last.Zone() != "":
		return Spec{}, fmt.Errorf("target %q: a range has no zone", s.Input)
	case first.Is4() != last.Is4():
		return Spec{}, fmt.Errorf("target %q mixes two address families", s.Input)
	case last.Less(first):
		return Spec{}, fmt.Errorf("target %q runs backwards: write it as %s-%s", s.Input, last, first)
	}
	s.First, s.Last = first, last
	return s, nil
}

// unmap turns a range of IPv4-mapped addresses into one of IPv4 addresses, so
// that it counts, is denied, and is listed as what is dialled.
func unmap(first, last netip.Addr) (netip.Addr, netip.Addr) {
	if first.Is4In6() && last.Is4In6() {
		return first.Unmap(), last.Unmap()
	}
	return first, last
}

func checkName(name string) error {
	trimmed := strings.TrimSuffix(name, ".")
	if trimmed == "" || len(trimmed) > maxName {
		return errors.New("not an address or host name")
	}
	labels := strings.Split(trimmed, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return errors.New("not an address or host name")
		}
		for _, r := range label {
			switch {
			case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			case r > 0x7f:
				return errors.New("host name is not in ASCII: write it in its xn-- form")
			default:
				return errors.New("not an address or host name")
			}
		}
	}
	// A name whose last label is a number is an address that was mistyped, or is
	// written as old programs read it: 127.1, 2130706433, 0x7f000001 (WHATWG URL
	// section 3.5 "ends in a number"; RFC 3696 section 2: a top-level domain is
	// never all digits).
	last := strings.ToLower(labels[len(labels)-1])
	hex, prefixed := strings.CutPrefix(last, "0x")
	if strings.Trim(last, "0123456789") == "" || prefixed && strings.Trim(hex, "0123456789abcdef") == "" {
		return errors.New("not a valid address, and no host name ends in a number")
	}
	return nil
}

// count returns how many addresses the range first…last has, and false when
// they are more than 2^62.
func count(first, last netip.Addr) (uint64, bool) {
	a, b := first.As16(), last.As16()
	lo, borrow := bits.Sub64(binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(a[8:]), 0)
	hi, _ := bits.Sub64(binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(a[:8]), borrow)
	if hi != 0 || lo >= 1<<62 {
		return 0, false
	}
	return lo + 1, true
}
