//go:build linux

package lab

import "github.com/clawsonar/clawsonar/internal/event"

// Telling lists the findings that an instance's Truth tells: those of them that
// it does not name must not be raised.
func Telling() []string {
	return []string{
		"everyone-is-local", "proxy-attribution-blocked", "trusted-proxy-spoofable",
		"origin-wildcard", "origin-host-fallback", "device-auth-disabled",
		"openai-api-enabled", "hooks-enabled", "terminal-enabled", "canvas-open",
		"metrics-public", "readiness-details-public", "bootstrap-config-public",
		"assistant-name-public", "source-maps-public", "filesystem-paths-public",
		"tls-self-signed", "tls-expired", "tls-name-mismatch", "tls-old",
	}
}

// The releases of the standard matrices: the oldest, the first of the present
// name, two in between, the newest.
const (
	oldest  = "2026.1.24-3" // of clawdbot
	rebrand = "2026.1.29"
	spring  = "2026.3.13"
	summer  = "2026.6.11"
	newest  = "2026.9.6"
)

func packageOf(version string) string {
	if version == oldest {
		return "clawdbot"
	}
	return "openclaw"
}

// truth is what holds of a gateway of that release in any set-up.
func truth(version string, state event.AuthState, front string) Truth {
	t := Truth{
		Product: "openclaw", Brand: packageOf(version), Release: version, Candidates: []string{version},
		AuthState: state, Front: front,
	}
	switch version {
	case oldest:
		// 2026.1.24 and 2026.1.24-3 serve the same files.
		t.Candidates = []string{"2026.1.24", oldest}
		t.Findings = []string{"assistant-name-public", "canvas-open", "source-maps-public"}
	case spring:
		t.Findings = []string{"bootstrap-config-public", "source-maps-public"}
	case newest:
		t.Findings = []string{"terminal-enabled"}
	}
	return t
}

// RemoteMatrix returns instances to be looked at from another host: the releases
// by the ways in which people let them be reached.
func RemoteMatrix(n *Net) []Instance {
	var list []Instance
	for _, version := range []string{oldest, spring, summer, newest} {
		add := func(mode Mode, front FrontKind, state event.AuthState, edit func(*Truth)) {
			c := Config{
				Name: packageOf(version) + "-" + version + "-" + string(mode) + "-remote", Package: packageOf(version), Version: version,
				Mode: mode, Net: n.Gateway,
			}
			if mode == Token {
				c.Bind = "lan" // which mode none is refused
			}
			i := Instance{Name: c.Name, Gateway: c, Front: front, Truth: truth(version, state, "")}
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
		if version != newest {
			blocked = nil
		}
		add(Token, NoFront, event.AuthRequired, nil)
		// What shows of it differs. Before 2026.3.7 nothing does.
		switch version {
		case oldest:
			add(None, NginxUpgradeFront, event.AuthOpen, nil)
			add(Token, NginxUpgradeFront, event.AuthRequired, nil)
		case newest:
			add(None, NginxUpgradeFront, event.AuthOpen, also("everyone-is-local"))
			add(Token, NginxUpgradeFront, event.AuthRequired, also("everyone-is-local"))
		case spring:
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
		case oldest:
			add(Token, NginxTokenFront, event.AuthOpen, nil)
		case spring:
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
		c := Config{
			Name: packageOf(version) + "-" + version + "-" + suffix + "-deep", Package: packageOf(version), Version: version,
			Mode: mode, Bind: "lan", Net: n.Gateway,
		}
		if edit != nil {
			edit(&c)
		}
		i := Instance{Name: c.Name, Gateway: c, Truth: truth(version, event.AuthRequired, "")}
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
	for _, version := range []string{spring, summer, newest} {
		add(version, "token", Token, nil)
		add(version, "password", Password, nil)
		add(version, "trusted-proxy", TrustedProxy, proxies("192.0.2.9"))
		// Before 2026.8.1 nothing shows that it takes the viewer for its proxy.
		add(version, "trusted-viewer", TrustedProxy, proxies(n.Viewer.Addr.String()))
		if version == newest {
			// Without a header it refuses everything, its page included.
			last := &list[len(list)-1].Truth
			last.Candidates, last.Findings = nil, []string{"trusted-proxy-spoofable"}
		}
	}
	for _, version := range []string{summer, newest} {
		add(version, "any-origin", Token, ui(map[string]any{"allowedOrigins": []string{"*"}}), "origin-wildcard")
		add(version, "host-origin", Token, ui(map[string]any{"dangerouslyAllowHostHeaderOriginFallback": true}), "origin-host-fallback")
	}
	add(summer, "no-device", Token, ui(map[string]any{"dangerouslyDisableDeviceAuth": true, "allowedOrigins": []string{"*"}}),
		"origin-wildcard", "device-auth-disabled")
	// From the gateway's own page alone. Its origin has a port, so it is fixed.
	own := ui(map[string]any{"dangerouslyDisableDeviceAuth": true, "allowedOrigins": []string{"http://" + n.Gateway.Addr.String() + ":18789"}})
	add(summer, "no-device-own", Token, func(c *Config) { own(c); c.Port = 18789 }, "device-auth-disabled")
	// Nothing to be seen of a predecessor's origins: it checks none.
	add(oldest, "token", Token, nil)
	return list
}

// Newest is the last of the releases of the standard matrices.
const Newest = newest

// Releases lists the releases of the standard matrices, the oldest first.
func Releases() []string { return []string{oldest, rebrand, spring, summer, newest} }

// OpenMatrix returns gateways of one release that are open to anyone, with
// every safeguard of the Control UI switched off that the release lets one switch
// off, behind every front there is. Behind NginxSplitFront the API is that of a
// gateway which asks for a token.
//
// 2026.1.29 knows no mode none, so that one asks for a token everywhere.
func OpenMatrix(n *Net, version string) []Instance {
	controlUI := map[string]any{"allowInsecureAuth": true, "dangerouslyDisableDeviceAuth": true}
	mode := None
	switch version {
	case oldest:
		delete(controlUI, "dangerouslyDisableDeviceAuth")
	case rebrand:
		mode = Token
	default:
		controlUI["allowedOrigins"] = []string{"*"}
		controlUI["dangerouslyAllowHostHeaderOriginFallback"] = true
	}
	if version == newest {
		delete(controlUI, "allowInsecureAuth")
	}
	config := func(suffix string, mode Mode) Config {
		return Config{
			Name: packageOf(version) + "-" + version + "-" + suffix, Package: packageOf(version), Version: version,
			Mode: mode, Net: n.Gateway, Extra: map[string]any{"gateway": map[string]any{"controlUi": controlUI}},
		}
	}
	open, token := config("loose", mode), config("loose-api", Token)
	var list []Instance
	add := func(c Config, front FrontKind) {
		i := Instance{Name: c.Name, Gateway: c, Front: front, Truth: truth(version, "", "")}
		if front != NoFront {
			i.Name += "-" + string(front)
		}
		if front == NginxSplitFront {
			i.API = &token
		}
		list = append(list, i)
	}
	for _, front := range []FrontKind{
		NoFront, NginxFront, CaddyFront, NginxUpgradeFront, NginxForwardedFront, NginxUserFront, NginxBelowFront,
		NginxTokenFront, NginxLoginFront, NginxSplitFront,
	} {
		add(open, front)
	}
	if version != oldest && version != rebrand {
		// Its front names a user for everybody.
		c := config("loose-user", TrustedProxy)
		c.TrustedProxies = []string{loopback().String()}
		if version != spring { // where that needs no leave
			c.Extra = merge(c.Extra, map[string]any{"gateway": map[string]any{"auth": map[string]any{"trustedProxy": map[string]any{"allowLoopback": true}}}})
		}
		add(c, NginxUserFront)
	}
	return list
}
