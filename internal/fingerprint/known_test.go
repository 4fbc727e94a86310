package fingerprint_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

// sealed stands in for the digest of a scan.
func sealed(string) string { return "digest:0123456789ab" }

// described is an answer as results have it.
func described(set *fingerprint.Set, x evidence.Exchange) event.Evidence {
	return set.Open(&evidence.Observation{Exchanges: []evidence.Exchange{x}}, event.LevelStandard).Describe(sealed)[0]
}

func TestFacts(t *testing.T) {
	set := builtin(t)
	const gone = "digest:0123456789ab"
	header := func(lines ...string) (h evidence.Header) {
		for _, l := range lines {
			name, value, _ := strings.Cut(l, ": ")
			h = append(h, evidence.Field{Name: name, Value: value})
		}
		return h
	}
	html, object := "Content-Type: text/html", "Content-Type: application/json"
	for _, tt := range []struct {
		name   string
		header evidence.Header
		body   string
		want   map[string]string // without the body
	}{
		{"a title of ours", header(html), "<title>OpenClaw Control</title>", map[string]string{"title": "OpenClaw Control"}},
		{"a web server's title", header(html), "<title>401 Authorization  Required</title>", map[string]string{"title": "401 Authorization Required"}},
		{"another title", header(html), "<title>OpenClaw Control 1234</title>", map[string]string{"title": gone}},
		{"keys", header(object), `{"error":{},"s3cret":1,"ok":true}`, map[string]string{"keys": "error,ok and 1 unknown"}},
		{"unknown keys", header(object), `{"s3cret":1,"ok and 1 unknown":2}`, map[string]string{"keys": "2 unknown"}},
		{"no keys", header(object), `{}`, nil},
		{"error", header(object), `{"error":{"type":"unauthorized","message":"Unauthorized"}}`,
			map[string]string{"keys": "error", "error.type": "unauthorized", "error.message": "Unauthorized"}},
		{"the beginning of a message", header(object), `{"error":{"type":"x","message":"missing scope: operator.s3cret"}}`,
			map[string]string{"keys": "error", "error.type": gone, "error.message": "missing scope: operator...."}},
		{"event", header(object), `{"event":"connect.challenge"}`, map[string]string{"keys": "event", "event": "connect.challenge"}},
		{"redirect", header("Location: https://u:p@team.cloudflareaccess.com/cdn-cgi/access/login/claw.example?kid=1#x"), "",
			map[string]string{"location": "https://team.cloudflareaccess.com/cdn-cgi/access/login/*"}},
		{"redirect to a reset", header("Location: /reset/0123456789abcdef/"), "", map[string]string{"location": "/*/*/"}},
		{"redirect to a base path", header("Location: /openclaw/?token=x"), "", map[string]string{"location": "/openclaw/"}},
		{"redirect to an address", header("Location: //[2001:db8::1]:8080/oauth2/start"), "", map[string]string{"location": "//[2001:db8::1]:8080/oauth2/start"}},
		{"redirect to no host", header("Location: http://s3cret here/"), "", map[string]string{"location": "other"}},
		{"redirect to an empty host", header("Location: https:////x"), "", map[string]string{"location": "other"}},
		{"redirect to a script", header("Location: javascript:alert(1)"), "", map[string]string{"location": "other"}},
		{"redirect with a query alone", header("Location: ?t=1"), "", map[string]string{"location": "other"}},
		{"deep redirect", header("Location: /a/b/c/d/e/f/g/h/i/j"), "", map[string]string{"location": "/*/*/*/*/*/*/*/*/..."}},
		{"challenge", header(`WWW-Authenticate: bASIC realm="s3cret"`), "", map[string]string{"www-authenticate": "Basic"}},
		{"unknown challenge", header(`WWW-Authenticate: S3cret realm=x`), "", map[string]string{"www-authenticate": "other"}},
		{"server", header("Server: nginx/1.22.1"), "", map[string]string{"server": "nginx/1.22.1"}},
		{"server with comment", header("Server: Apache/2.4.62 (s3cret) s3cret/1 PHP/8.2.1-s3cret"), "", map[string]string{"server": "Apache/2.4.62 PHP"}},
		{"server of a fingerprint", header("Server: HermesWebUI/0.52.10"), "", map[string]string{"server": "HermesWebUI/0.52.10"}},
		{"server of two words", header("Server: google frontend"), "", map[string]string{"server": "Google Frontend"}},
		{"server with a code for a version", header("Server: nginx/123456"), "", map[string]string{"server": "nginx"}},
		{"unknown server", header("Server: s3cret/1.0"), "", map[string]string{"server": gone}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := evidence.Exchange{ID: "root", Status: 200, Header: tt.header, Body: []byte(tt.body)}
			got := described(set, x).Facts
			if body := got["body"]; (tt.body != "") != (body == gone) {
				t.Errorf("body %q", body)
			}
			delete(got, "body")
			if !maps.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			for name, value := range got {
				if again := set.Requote(name, value); again != value {
					t.Errorf("%s %q is stored and becomes %q", name, value, again)
				}
			}
		})
	}
}

// TestFactsHoldKnownWordsOnly: with any answer, a fact consists of words
// from the fingerprints and numbers, and what is stored stays as it is.
func TestFactsHoldKnownWordsOnly(t *testing.T) {
	set := builtin(t)
	const planted = "qx7"
	// Words that fingerprints know, so that more than the first test is passed.
	parts := rapid.OneOf(rapid.Just(planted), rapid.String(), rapid.SampledFrom([]string{
		"/", "//", "?", "#", "@", ":", "https://", "login", "/openclaw", "nginx", "/1.2", "Basic ", "Session not found", "missing scope: operator.",
		"unauthorized", "error", "ok", ",", " and 3 unknown", "digest:0123456789ab", "not shown", "other", "*", "...", "OpenClaw Control", " ", ";", "%71", "max-age=1",
	}))
	said := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(parts, 1, 5).Draw(t, "said"), "") })
	rapid.Check(t, func(t *rapid.T) {
		s := said.Draw(t, "text")
		quoted := fmt.Sprintf("%q", s)
		var h evidence.Header
		for _, name := range []string{"Location", "Server", "WWW-Authenticate"} {
			h = append(h, evidence.Field{Name: name, Value: s})
		}
		for mime, body := range map[string]string{
			"text/html":        "<title>" + s + "</title>",
			"application/json": `{"error":{"type":` + quoted + `,"message":` + quoted + `},"event":` + quoted + `,` + quoted + `:1}`,
		} {
			x := evidence.Exchange{ID: "root", Status: 401, Body: []byte(body), Header: append(h, evidence.Field{Name: "Content-Type", Value: mime})}
			for name, value := range described(set, x).Facts {
				// A host is shown by decision.
				if name != "location" && strings.Contains(value, planted) {
					t.Fatalf("%s: %q", name, value)
				}
				if again := set.Requote(name, value); again != value && name != "location" {
					t.Fatalf("%s: %q becomes %q", name, value, again)
				}
			}
		}
		for _, name := range []string{"title", "keys", "event", "error.type", "error.message", "location", "server", "www-authenticate", "body", "anything"} {
			once := set.Requote(name, s)
			if name != "location" && strings.Contains(once, planted) {
				t.Fatalf("%s: %q", name, once)
			}
			if again := set.Requote(name, once); again != once {
				t.Fatalf("%s: %q becomes %q", name, once, again)
			}
		}
	})
}

func TestHSTS(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "",
		"max-age=31536000":    "max-age=31536000",
		`Max-Age = "5" ; x=y`: "max-age=5",
		"includeSubDomains; preload; max-age=1; s3cret": "max-age=1; includeSubDomains; preload",
		"s3cret":               "other",
		"max-age=s3cret":       "other",
		"max-age=99999999999":  "other",
		"max-age=-1; preload;": "other",
	} {
		if got := fingerprint.HSTS(in); got != want || fingerprint.HSTS(got) != got {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestVersionText(t *testing.T) {
	set := builtin(t)
	for in, want := range map[string]string{
		"2026.9.6": "2026.9.6", "0.5.0": "0.5.0", "v1.2": "v1.2", "1.2.3.4": "1.2.3.4", "0.5.0-beta.2": "0.5.0-beta.2", "1.2.3rc1": "1.2.3rc1",
		"0.5.0+s3cret": "0.5.0", "0.5.0 s3cret": "0.5.0", "0.5.0-s3cret": "0.5.0", "Chrome/156.0.8078.79": "Chrome/156.0.8078.79",
		"OpenClaw/extension-relay": "OpenClaw/extension-relay",
		"s3cret/1.0":               "", "s3cret": "", "12345678": "", "1.2.3.4.5": "", "1.234567890": "", "": "",
	} {
		if got := set.Requote("version", in); got != want || set.Requote("version", got) != got {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzRequote: nothing that is stored breaks it, and it changes what it gave no
// more.
func FuzzRequote(f *testing.F) {
	set := builtin(f)
	for _, s := range []string{"https://u:p@h/login?x#y", "a,b and 2 unknown", "nginx/1.2 x", "Basic x", "missing scope: operator.x", "1.2.3-x", "http://[::1%25x]/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range []string{"title", "keys", "event", "error.message", "location", "server", "www-authenticate", "body", "version", "x"} {
			once := set.Requote(name, s)
			if again := set.Requote(name, once); again != once {
				t.Errorf("%s: %q becomes %q, then %q", name, s, once, again)
			}
		}
		if once := fingerprint.HSTS(s); fingerprint.HSTS(once) != once {
			t.Errorf("HSTS: %q", once)
		}
	})
}

// TestPath: the name of a script is the target's word.
func TestPath(t *testing.T) {
	set := builtin(t)
	for _, tt := range []struct{ id, path, want string }{
		{"source-map", "/assets/index-s3cret.js.map", "/assets/*.js.map"},
		{"source-map", "/claw/assets/index-s3cret.js.map", "/claw/assets/*.js.map"},
		{"root", "/claw/", "/claw/"},
	} {
		if got := described(set, evidence.Exchange{ID: tt.id, Method: "GET", Path: tt.path}).Request; got != "GET "+tt.want {
			t.Errorf("%s: %s, want %s", tt.id, got, tt.want)
		}
	}
}

// TestCapturesAreQuoted: the words that decide a verdict are still shown, and every
// fact of every capture consists of known words.
func TestCapturesAreQuoted(t *testing.T) {
	set := builtin(t)
	digest := regexp.MustCompile(`^digest:`)
	shown := map[string]int{}
	for name, c := range recorded(t) {
		for i := range c.Exchanges {
			x := c.Exchanges[i].Exchange()
			for k, v := range described(set, x).Facts {
				if !digest.MatchString(v) {
					shown[k]++
				}
				if k == "server" && digest.MatchString(v) && strings.HasPrefix(name, "fronts/") {
					t.Errorf("%s: the front's Server is not known: %s", name, x.Header.Get("Server"))
				}
			}
		}
	}
	for _, k := range []string{"title", "keys", "error.type", "error.message", "event", "location", "server", "www-authenticate"} {
		if shown[k] == 0 {
			t.Errorf("no %s is shown: %v", k, slices.Sorted(maps.Keys(shown)))
		}
	}
}
