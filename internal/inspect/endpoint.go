package inspect

import (
	"net/url"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
)

// endpointOf reads where something forwards to: "18789", ":18789", "HOST:PORT", "HOST", a URL of
// any scheme, "unix:PATH". Without a port it is that of the scheme, or standard.
func endpointOf(space deploy.Space, text string, standard int) (deploy.Endpoint, bool) {
	to := deploy.Endpoint{Space: space, Port: standard}
	text = strings.TrimSpace(text)
	if p := portNumber(text); p > 0 {
		to.Port = p
		return to, true
	}
	if strings.HasPrefix(text, "unix:") || strings.HasPrefix(text, "unix+tls:") {
		_, file, _ := strings.Cut(text, ":")
		to.Host, to.Port = "unix:"+file, 0
		return to, true
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "", text
	}
	switch scheme = strings.TrimSuffix(strings.ToLower(scheme), "+insecure"); scheme {
	case "https", "wss", "h2", "tls":
		to.TLS = true
		to.Port = 443
	case "http", "ws", "h2c":
		to.Port = 80
	}
	u, err := url.Parse("x://" + rest)
	if err != nil || u.Host == "" {
		return to, false
	}
	to.Host = u.Hostname()
	if p := u.Port(); p != "" {
		if to.Port = portNumber(p); to.Port == 0 {
			return to, false
		}
	}
	return to, true
}
