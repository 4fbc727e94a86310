package cli

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// networkOptions are the flags about how connections are made.
type networkOptions struct {
	proxy, sourceIP, netInterface, resolver string
	headers                                 []string
}

func (o *networkOptions) flags(f *flags) {
	f.group("Network")
	f.text(&o.proxy, "proxy", "", "URL", "connect through socks5://HOST:PORT or http://HOST:PORT; names are resolved here, and the scope applies to the address that the proxy is asked for", checked(wire.ParseProxy)).
		mustName("it says how connections are made")
	f.text(&o.sourceIP, "source-ip", "", "ADDRESS", "connect from this address of this machine", checked(parseAddress)).
		mustName("it says how connections are made")
	f.text(&o.netInterface, "interface", "", "NAME", "connect through this network interface (Linux)", nil).
		mustName("it says how connections are made")
	f.text(&o.resolver, "resolver", "", "ADDRESS[:PORT]", "resolve names with this DNS server", checked(parseResolver)).
		mustName("it says how connections are made")
	f.list(&o.headers, "header", "H", "'NAME: VALUE'", "send this header with every HTTP request; credentials and identities are refused; repeatable", checked(wire.ParseHeader)).
		mustName("it says what is sent")
}

func parseAddress(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.IsUnspecified() || addr.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("%q is not the address of a machine", s)
	}
	return addr.Unmap(), nil
}

// parseResolver reads an address with or without a port; 53 without.
func parseResolver(s string) (netip.AddrPort, error) {
	if addr, err := parseAddress(s); err == nil {
		return netip.AddrPortFrom(addr, 53), nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 || ap.Addr().IsUnspecified() || ap.Addr().IsMulticast() {
		return netip.AddrPort{}, fmt.Errorf("%q is not a DNS server: write it as 192.0.2.53 or [2001:db8::53]:53", s)
	}
	return ap, nil
}

// makeResolver returns the resolver of names.
func (o *networkOptions) makeResolver(family string, seed uint64) (*wire.Resolver, error) {
	var server netip.AddrPort
	if o.resolver != "" {
		var err error
		if server, err = parseResolver(o.resolver); err != nil {
			return nil, fmt.Errorf("-resolver: %w", err)
		}
	}
	return wire.NewResolver(family, seed, server), nil
}

// apply sets the wire's options, and returns what the stream says about them.
func (o *networkOptions) apply(opt *wire.Options) (*event.Network, error) {
	out := &event.Network{Interface: o.netInterface}
	if o.proxy != "" {
		p, err := wire.ParseProxy(o.proxy)
		if err != nil {
			return nil, fmt.Errorf("-proxy: %w", err)
		}
		opt.Proxy, out.Proxy = p, p.String()
	}
	if o.sourceIP != "" {
		addr, err := parseAddress(o.sourceIP)
		if err != nil {
			return nil, fmt.Errorf("-source-ip: %w", err)
		}
		opt.Source.Addr, out.SourceIP = addr, addr.String()
	}
	opt.Source.Interface = o.netInterface
	if err := opt.Source.Check(); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, h := range o.headers {
		field, err := wire.ParseHeader(h)
		if err != nil {
			return nil, fmt.Errorf("-header: %w", err)
		}
		if seen[field.Name] {
			return nil, errors.New("-header: " + field.Name + " is given twice")
		}
		seen[field.Name] = true
		opt.Header = append(opt.Header, evidence.Field{Name: field.Name, Value: field.Value})
		out.Headers = append(out.Headers, field.Name+": "+field.Value)
	}
	if o.resolver != "" {
		at, err := parseResolver(o.resolver)
		if err != nil {
			return nil, fmt.Errorf("-resolver: %w", err)
		}
		out.Resolver = at.String()
	}
	if out.Proxy == "" && out.SourceIP == "" && out.Interface == "" && out.Resolver == "" && len(out.Headers) == 0 {
		return nil, nil
	}
	return out, nil
}
