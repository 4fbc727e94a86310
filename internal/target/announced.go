package target

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// announcement reads a line of avahi-browse -rp: what happened, interface, family,
// instance, type, domain and, behind "=", host, address, port and TXT record. A service
// comes with "+" first and with "=" once its host is known. The TXT record is texts in
// quotes, in which a quote has a backslash before it.
func (l *List) announcement(in *input, text string, yield func(Spec) error) error {
	f := strings.SplitN(text, ";", 10)
	if len(f) < 6 {
		return in.fail(errors.New(`not a line of avahi-browse: "=;INTERFACE;IPv4;NAME;TYPE;DOMAIN;HOST;ADDRESS;PORT;TXT" is expected`))
	}
	switch f[0] {
	case "+":
		l.unnamed++
		return nil
	case "-":
		return nil
	}
	if l.unnamed > 0 {
		l.unnamed--
	}
	if len(f) < 9 || f[7] == "" {
		return in.fail(errors.New("an announcement without address and port: avahi-browse -rp gives them"))
	}
	kind := strings.ToLower(f[4])
	if strings.HasSuffix(kind, "._udp") {
		return nil
	}
	h := host{addr: f[7], known: true}
	if addr, err := netip.ParseAddr(f[7]); err == nil && addr.Is6() && addr.IsLinkLocalUnicast() && addr.Zone() == "" {
		h.addr = addr.WithZone(f[1]).String()
	}
	if f[6] != "" {
		h.names = []string{f[6]}
	}
	txt := ""
	if len(f) > 9 {
		txt = f[9]
	}
	// The values are the sender's text: of most only the key is kept.
	values := map[string]string{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(txt, `"`), `"`), `" "`) {
		if key, value, ok := strings.Cut(entry, "="); ok {
			values[key] = value
		}
	}
	h.found = &event.Discovery{By: event.ByMDNS, Announced: event.AnnouncedKeys(slices.Collect(maps.Keys(values)))}
	port, gateway := values[event.AnnouncedPort]
	if !gateway {
		port, gateway = f[8], values["role"] == "gateway"
	}
	// Without -k, avahi-browse writes what a type is called instead of it.
	https := kind == "_https._tcp" || kind == "secure web site"
	h.add(port, gateway || https || kind == "_http._tcp" || kind == "web site", https || values[event.AnnouncedTLS] == "1")
	return l.take(in, h, yield)
}
