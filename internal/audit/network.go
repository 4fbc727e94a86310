package audit

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// Network says how connections are made.
type Network struct {
	Proxy, SourceIP, Interface, Resolver string
	Headers                              []string
}

// CheckContact checks who can be contacted about a scan.
func CheckContact(s string) error {
	bad := errors.New("use a mail address, or a URL that begins with http:// or https://, in plain ASCII")
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '(' || r == ')' }) {
		return bad
	}
	if u, err := url.Parse(s); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil {
		return nil
	}
	if a, err := mail.ParseAddress(strings.TrimPrefix(s, "mailto:")); err != nil || a.Name != "" || !strings.Contains(a.Address, "@") {
		return bad
	}
	return nil
}

// ParseAddress reads the address of a machine.
func ParseAddress(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.IsUnspecified() || addr.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("%q is not the address of a machine", s)
	}
	return addr.Unmap(), nil
}

// ParseResolver reads an address with or without a port; 53 without.
func ParseResolver(s string) (netip.AddrPort, error) {
	if addr, err := ParseAddress(s); err == nil {
		return netip.AddrPortFrom(addr, 53), nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 || ap.Addr().IsUnspecified() || ap.Addr().IsMulticast() {
		return netip.AddrPort{}, fmt.Errorf("%q is not a DNS server: write it as 192.0.2.53 or [2001:db8::53]:53", s)
	}
	return ap, nil
}

// resolver returns the resolver of names.
func (b *Builder) resolver() (*wire.Resolver, error) {
	var server netip.AddrPort
	if b.Resolver != "" {
		var err error
		if server, err = ParseResolver(b.Resolver); err != nil {
			return nil, fmt.Errorf("%s: %w", b.At("resolver"), err)
		}
	}
	return wire.NewResolver(b.Addresses, uint64(b.Seed), server), nil
}

// network sets the wire's options, and returns what the stream says about them.
func (b *Builder) network(opt *wire.Options) (*event.Network, error) {
	out := &event.Network{Interface: b.Interface}
	if b.Proxy != "" {
		p, err := wire.ParseProxy(b.Proxy)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.At("proxy"), err)
		}
		opt.Proxy, out.Proxy = p, p.String()
	}
	if b.SourceIP != "" {
		addr, err := ParseAddress(b.SourceIP)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.At("source-ip"), err)
		}
		opt.Source.Addr, out.SourceIP = addr, addr.String()
	}
	opt.Source.Interface = b.Interface
	if err := opt.Source.Check(); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, h := range b.Headers {
		field, err := wire.ParseHeader(h)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.At("header"), err)
		}
		if seen[field.Name] {
			return nil, errors.New(b.At("header") + ": " + field.Name + " is given twice")
		}
		seen[field.Name] = true
		opt.Header = append(opt.Header, evidence.Field{Name: field.Name, Value: field.Value})
		out.Headers = append(out.Headers, field.Name+": "+field.Value)
	}
	if b.Resolver != "" {
		at, err := ParseResolver(b.Resolver)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.At("resolver"), err)
		}
		out.Resolver = at.String()
	}
	if out.Proxy == "" && out.SourceIP == "" && out.Interface == "" && out.Resolver == "" && len(out.Headers) == 0 {
		return nil, nil
	}
	return out, nil
}
