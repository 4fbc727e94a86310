package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// policy is the content security policy of every answer: nothing but our own style
// sheets and forms, and no page may frame ours.
const policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// harden sets the headers that every answer has.
func (h *Hub) harden(head http.Header) {
	head.Set("Content-Security-Policy", policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Cache-Control", "no-store") // a handler may say otherwise
	if h.secure {
		head.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// fromHere says why a request is not from this machine's own user, or "". Without
// accounts only those are served: a page on the web can make a browser send requests to
// loopback under its own name (DNS rebinding), and a proxy in front would let in the
// world.
func (h *Hub) fromHere(r *http.Request) string {
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via"} {
		if r.Header.Get(name) != "" {
			return "This request came through a proxy (" + name + "), and the hub has no accounts: make a token (clawsonar-hub token new), and state behind: proxy."
		}
	}
	// A proxy that names neither itself nor its client, as nginx does if nothing else is
	// said, speaks HTTP/1.0; no browser does.
	if !r.ProtoAtLeast(1, 1) {
		return "This request is in HTTP/1.0, as from a proxy, and the hub has no accounts: make a token (clawsonar-hub token new), and state behind: proxy."
	}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && !a.Addr().Unmap().IsLoopback() {
		return "This request is not from this machine, and the hub has no accounts: make a token (clawsonar-hub token new)."
	}
	if !h.ownName(r.Host) {
		return "This request is for another host name, and the hub has no accounts: use http://localhost or the address that it listens on."
	}
	return ""
}

// ownName reports whether a Host header names loopback or the host of the hub's URL.
func (h *Hub) ownName(host string) bool {
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if strings.EqualFold(name, "localhost") || h.o.URL != nil && strings.EqualFold(name, h.o.URL.Hostname()) {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.Unmap().IsLoopback()
}
