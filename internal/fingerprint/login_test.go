package fingerprint

import (
	"net/netip"
	"os"
	"testing"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// A redirect to a login is told by its words; one to the same site is none,
// regardless of the site's name.
func TestRequiresLogin(t *testing.T) {
	s, err := Load(os.DirFS("../../fingerprints"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, location string
		status         int
		want           bool
	}{
		{"401", "", 401, true},
		{"403", "", 403, false},
		{"404", "/login", 404, false},
		{"200", "/login", 200, false},
		{"login", "/login", 302, true},
		{"a page of that name", "/user/Login.aspx?back=%2F", 302, true},
		{"relative", "login.php", 303, true},
		{"with a hyphen", "/sign-in/", 307, true},
		{"with an underscore", "/users/sign_in", 302, true},
		{"in the fragment", "/#/login", 302, true},
		{"another host", "https://sso.example.org/", 302, true},
		{"another host's path", "https://www.example.org/oauth2/authorize?x=1", 302, true},
		{"an identity provider", "https://idp.example.org/realms/x/protocol/openid-connect/auth", 302, true},
		{"a known login front", "https://team.cloudflareaccess.com/cdn-cgi/access/login/x", 302, true},
		{"the same host by https", "https://auth.example.com/", 301, false},
		{"the same host with www", "https://www.auth.example.com/", 301, false},
		{"https", "https://example.org/", 301, false},
		{"www", "http://www.example.org/home", 301, false},
		{"a slash", "/claw/", 308, false},
		{"words in words", "/authors/blogin-special/", 302, false},
		{"only in the query", "/home?next=/login", 302, false},
		{"no location", "", 302, false},
		{"not a URL", "http://[::1/login", 302, false},
	} {
		x := evidence.Exchange{ID: rootID, Status: tt.status, Header: evidence.Header{{Name: "Location", Value: tt.location}}}
		c := Case{set: s, Observation: &evidence.Observation{Name: "auth.example.com", Addr: netip.MustParseAddrPort("127.0.0.1:80")}}
		if got := c.requiresLogin(&answer{Exchange: &x}); got != tt.want {
			t.Errorf("%s: %d %s: %t", tt.name, tt.status, tt.location, got)
		}
	}
}
