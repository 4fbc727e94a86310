//go:build linux

package lab

import "github.com/clawsonar/clawsonar/internal/event"

// The releases of the standard matrices: the oldest, the first of the present
// name, two in between, the newest.
const (
	Oldest  = "2026.1.24-3" // of clawdbot
	Rebrand = "2026.1.29"
	Spring  = "2026.3.13"
	Summer  = "2026.6.11"
	Newest  = "2026.9.6"
)

// packageOf is the package of a release of the standard matrices.
func packageOf(version string) string {
	if version == Oldest {
		return "clawdbot"
	}
	return "openclaw"
}

// ConfigOf describes a gateway of that release, called after it and the suffix.
func ConfigOf(version, suffix string, mode Mode) Config {
	pkg := packageOf(version)
	return Config{Name: pkg + "-" + version + "-" + suffix, Package: pkg, Version: version, Mode: mode}
}

// TruthOf is what holds of a gateway of that release in any set-up.
func TruthOf(version string, state event.AuthState, front string) Truth {
	t := Truth{
		Product: "openclaw", Brand: packageOf(version), Release: version, Candidates: []string{version},
		AuthState: state, Front: front,
	}
	switch version {
	case Oldest:
		// 2026.1.24 and 2026.1.24-3 serve the same files.
		t.Candidates = []string{"2026.1.24", Oldest}
		t.Findings = []string{"assistant-name-public", "canvas-open", "source-maps-public"}
	case Spring:
		t.Findings = []string{"bootstrap-config-public", "source-maps-public"}
	case Newest:
		t.Findings = []string{"terminal-enabled"}
	}
	return t
}

// RemoteMatrix returns instances to be looked at from another host: the releases
// by the ways in which people let them be reached.
func RemoteMatrix(n *Net) []Instance {
	var list []Instance
	for _, version := range []string{Oldest, Spring, Summer, Newest} {
		add := func(mode Mode, front FrontKind, state event.AuthState, edit func(*Truth)) {
			c := ConfigOf(version, string(mode)+"-remote", mode)
			c.Net = n.Gateway
			if mode == Token {
				c.Bind = "lan" // which mode none is refused
			}
			i := Instance{Name: c.Name, Gateway: c, Front: front, Truth: TruthOf(version, state, "")}
			if front != NoFront {
				i.Name += "-" + string(front)
				i.Truth.Front = "nginx"
			}
			if front == CaddyFront {
				i.Truth.Front = "caddy"
			}
			if edit != nil {
				edit(&i.Truth)
			}
			list = append(list, i)
		}
		also := func(ids ...string) func(*Truth) {
			return func(t *Truth) { t.Findings = append(t.Findings, ids...) }
		}
		// From 2026.8.1 on a gateway refuses a proxy that it has not been told
		// about; all that it then shows is that it is one of those.
		blocked := func(t *Truth) {
			t.AuthState, t.Candidates, t.Findings = event.AuthBlocked, nil, []string{"proxy-attribution-blocked"}
		}
		if version != Newest {
			blocked = nil
		}
		add(Token, NoFront, event.AuthRequired, nil)
		// What shows of it differs. Before 2026.3.7 nothing does.
		switch version {
		case Oldest:
			add(None, NginxUpgradeFront, event.AuthOpen, nil)
			add(Token, NginxUpgradeFront, event.AuthRequired, nil)
		case Newest:
			add(None, NginxUpgradeFront, event.AuthOpen, also("everyone-is-local"))
			add(Token, NginxUpgradeFront, event.AuthRequired, also("everyone-is-local"))
		case Spring:
			// The canvas is shown to local clients, too.
			add(None, NginxUpgradeFront, event.AuthOpen, also("canvas-open", "readiness-details-public"))
			add(Token, NginxUpgradeFront, event.AuthRequired, also("canvas-open", "everyone-is-local"))
		default:
			// Whether a client is accepted as local or by a credential that was added
			// on the way cannot be told.
			add(None, NginxUpgradeFront, event.AuthOpen, also("readiness-details-public"))
			add(Token, NginxUpgradeFront, event.AuthRequired, also("everyone-is-local"))
		}
		add(Token, NginxForwardedFront, event.AuthRequired, blocked)
		switch version {
		case Oldest:
			add(Token, NginxTokenFront, event.AuthOpen, nil)
		case Spring:
			add(Token, NginxTokenFront, event.AuthOpen, also("canvas-open", "readiness-details-public"))
		default:
			add(Token, NginxTokenFront, event.AuthOpen, also("readiness-details-public"))
		}
		add(Token, NginxLoginFront, event.AuthGated, func(t *Truth) {
			*t = Truth{Release: t.Release, AuthState: t.AuthState, Front: t.Front}
		})
		add(None, CaddyFront, event.AuthOpen, blocked)
	}
	return list
}

// DeepMatrix returns instances whose set-up shows only at level deep, to be
// looked at from another host without a front.
func DeepMatrix(n *Net) []Instance {
	var list []Instance
	add := func(version, suffix string, mode Mode, edit func(*Config), findings ...string) {
		c := ConfigOf(version, suffix+"-deep", mode)
		c.Bind, c.Net = "lan", n.Gateway
		if edit != nil {
			edit(&c)
		}
		i := Instance{Name: c.Name, Gateway: c, Truth: TruthOf(version, event.AuthRequired, "")}
		i.Truth.Findings = append(i.Truth.Findings, findings...)
		list = append(list, i)
	}
	ui := func(settings map[string]any) func(*Config) {
		return func(c *Config) {
			c.Extra = map[string]any{"gateway": map[string]any{"controlUi": settings}}
		}
	}
	proxies := func(addr string) func(*Config) {
		return func(c *Config) { c.TrustedProxies = []string{addr} }
	}
	for _, version := range []string{Spring, Summer, Newest} {
		add(version, "token", Token, nil)
		add(version, "password", Password, nil)
		add(version, "trusted-proxy", TrustedProxy, proxies("192.0.2.9"))
		// Before 2026.8.1 nothing shows that it takes the viewer for its proxy.
		add(version, "trusted-viewer", TrustedProxy, proxies(n.Viewer.Addr.String()))
		if version == Newest {
			// Without a header it refuses everything, its page included.
			last := &list[len(list)-1].Truth
			last.Candidates, last.Findings = nil, []string{"trusted-proxy-spoofable"}
		}
	}
	for _, version := range []string{Summer, Newest} {
		add(version, "any-origin", Token, ui(map[string]any{"allowedOrigins": []string{"*"}}), "origin-wildcard")
		add(version, "host-origin", Token, ui(map[string]any{"dangerouslyAllowHostHeaderOriginFallback": true}), "origin-host-fallback")
	}
	add(Summer, "no-device", Token, ui(map[string]any{"dangerouslyDisableDeviceAuth": true, "allowedOrigins": []string{"*"}}),
		"origin-wildcard", "device-auth-disabled")
	// From the gateway's own page alone. Its origin has a port, so it is fixed.
	own := ui(map[string]any{"dangerouslyDisableDeviceAuth": true, "allowedOrigins": []string{"http://" + n.Gateway.Addr.String() + ":18789"}})
	add(Summer, "no-device-own", Token, func(c *Config) { own(c); c.Port = 18789 }, "device-auth-disabled")
	// Nothing to be seen of a predecessor's origins: it checks none.
	add(Oldest, "token", Token, nil)
	return list
}
