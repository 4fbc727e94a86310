package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// MaxHeader bounds a header field of the user's, name and value together.
const MaxHeader = 512

// ParseHeader reads "Name: value" of a field to send with every HTTP request, as
// programmes for researchers ask for. The names are an allow-list: From,
// Accept-Language, traceparent, and X- names none of whose words speaks of a
// credential, of who or where the sender is, or of how a server is to take the
// request.
func ParseHeader(text string) (evidence.Field, error) {
	name, value, ok := strings.Cut(text, ":")
	value = strings.Trim(value, " \t")
	switch {
	case !ok || name == "":
		return evidence.Field{}, errors.New("write it as 'Name: value'")
	case len(text) > MaxHeader:
		return evidence.Field{}, fmt.Errorf("it is longer than %d bytes", MaxHeader)
	case strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	}):
		return evidence.Field{}, errors.New("the name is not made of letters, digits and hyphens")
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
		return evidence.Field{}, errors.New("the value is not printable ASCII")
	}
	lower := strings.ToLower(name)
	if slices.Contains([]string{"from", "accept-language", "traceparent"}, lower) {
		return evidence.Field{Name: name, Value: value}, nil
	}
	rest, own := strings.CutPrefix(lower, "x-")
	if !own || rest == "" {
		return evidence.Field{}, fmt.Errorf("%s is not sent: names that begin with X-, From, Accept-Language and traceparent can be", name)
	}
	for _, word := range refused() {
		if strings.Contains(rest, word) {
			return evidence.Field{}, fmt.Errorf("%s is not sent: %q may be a credential, an identity or an instruction to a proxy", name, word)
		}
	}
	return evidence.Field{Name: name, Value: value}, nil
}

// refused are parts of names that gateways, proxies and identity providers give a
// meaning to.
func refused() []string {
	return []string{
		"auth", "token", "key", "secret", "pass", "cookie", "session", "csrf", "xsrf", "jwt", "oidc", "oauth", "saml", "sso", "login", "credential", "sign", "cert", "ssl", "tls", "nonce",
		"user", "email", "mail", "account", "identity", "principal", "subject", "role", "group", "scope", "permission", "admin", "tenant", "member", "name", "device", "pair", "owner", "operator", "tailscale", "goog", "amz", "amzn", "azure", "ms-", "appengine", "vercel", "webauth", "remote",
		"forward", "real", "client", "proxy", "ip", "addr", "host", "port", "proto", "scheme", "origin", "referer", "url", "uri", "path", "rewrite", "original", "method", "override", "http", "internal", "local", "debug", "cache", "accel", "sendfile", "envoy", "nginx", "cluster", "server", "backend", "upstream",
		"openclaw", "clawdbot", "moltbot", "claw",
	}
}
