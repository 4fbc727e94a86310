package access

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// idp is a provider with one user. It is strict about what the hub sends.
type idp struct {
	t        *testing.T
	url      string
	key      *rsa.PrivateKey
	down     bool     // answers 503
	scopes   []string // that it says it has
	insecure string   // comes before the address of its keys
	page     bool     // a page of its own sends browsers back
	// callback is where browsers are sent back to.
	callback string
	faults   faults

	mu    sync.Mutex
	codes map[string]url.Values // what was asked for, by code; each is good once
	now   func() time.Time
}

// faults are what a provider, or somebody between, does wrong.
type faults struct {
	claims   map[string]any // instead of the right ones; nil for none
	alg      string         // in place of RS256
	otherKey bool
	noToken  bool
}

func newIDP(t *testing.T) *idp {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{t: t, key: key, codes: map[string]url.Values{}, callback: "https://board.example/login/callback"}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func enc(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (p *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
	switch {
	case p.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/.well-known/openid-configuration":
		answer(map[string]any{
			"issuer": p.url, "authorization_endpoint": p.url + "/authorize", "token_endpoint": p.url + "/token", "jwks_uri": p.insecure + p.url + "/keys", "scopes_supported": p.scopes,
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		})
	case r.URL.Path == "/keys":
		answer(map[string]any{"keys": []any{map[string]any{"kty": "RSA", "kid": "1", "alg": "RS256", "use": "sig", "n": enc(p.key.N.Bytes()), "e": enc(big.NewInt(int64(p.key.E)).Bytes())}}})
	case r.URL.Path == "/authorize":
		q := r.URL.Query()
		for name, want := range map[string]string{"client_id": "board", "response_type": "code", "redirect_uri": p.callback, "code_challenge_method": "S256", "scope": "openid email profile" + map[bool]string{true: " groups"}[p.scopes != nil]} {
			if q.Get(name) != want {
				p.t.Errorf("authorize: %s=%s", name, q.Get(name))
			}
		}
		code := secret()
		p.codes[code] = q
		back := q.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.url}}.Encode()
		if p.page {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<!doctype html><meta http-equiv="refresh" content="0;url=%s">`, html.EscapeString(back))
			return
		}
		http.Redirect(w, r, back, http.StatusFound)
	case r.URL.Path == "/token":
		asked, ok := p.codes[r.PostFormValue("code")]
		delete(p.codes, r.PostFormValue("code"))
		id, password, _ := r.BasicAuth()
		if !ok || r.PostFormValue("grant_type") != "authorization_code" || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") || id != "board" || password != "s3cret" ||
			oauth2.S256ChallengeFromVerifier(r.PostFormValue("code_verifier")) != asked.Get("code_challenge") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			answer(map[string]any{"error": "invalid_grant"})
			return
		}
		out := map[string]any{"access_token": "at", "token_type": "Bearer", "expires_in": 60}
		if !p.faults.noToken {
			out["id_token"] = p.sign(asked.Get("nonce"))
		}
		answer(out)
	default:
		http.NotFound(w, r)
	}
}

// sign makes the ID token.
func (p *idp) sign(nonce string) string {
	is := map[string]any{
		"iss": p.url, "aud": "board", "sub": "u-17", "nonce": nonce, "iat": p.now().Unix(), "exp": p.now().Add(time.Minute).Unix(),
		"email": "Ann@example.org", "email_verified": true, "groups": []string{"staff", "soc"},
	}
	maps.Copy(is, p.faults.claims)
	alg := "RS256"
	if p.faults.alg != "" {
		alg = p.faults.alg
	}
	head, _ := json.Marshal(map[string]any{"alg": alg, "kid": "1", "typ": "JWT"})
	claims, _ := json.Marshal(is)
	text := enc(head) + "." + enc(claims)
	if alg == "none" {
		return text + "."
	}
	key := p.key
	if p.faults.otherKey {
		key, _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		p.t.Error(err)
	}
	return text + "." + enc(signature)
}

// withProvider is a hub with that provider.
func withProvider(t *testing.T, change func(*OIDC)) (*fixture, *idp) {
	p := newIDP(t)
	o := &OIDC{Issuer: p.url, ClientID: "board", ClientSecret: "s3cret", Allow: Members{Groups: []string{"soc"}}}
	if change != nil {
		change(o)
	}
	f := setUp(t, Options{TLS: true, URL: parsed(t, "https://board.example"), OIDC: o})
	p.mu.Lock()
	p.now = f.clock.now
	p.mu.Unlock()
	return f, p
}

// begin goes to the provider and to where it sends the browser back; change may spoil
// that. It returns the hub's answer.
func (f *fixture) through(change func(back *url.URL, r *http.Request)) *http.Response {
	f.t.Helper()
	f.clock.add(time.Minute) // no limit on failed logins
	to := f.ask("GET", "/login/provider?next=%2Fgateways", people)
	if to.StatusCode != http.StatusSeeOther {
		f.t.Fatalf("%s: %s", to.Status, body(f.t, to))
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Get(to.Header.Get("Location"))
	if err != nil {
		f.t.Fatal(err)
	}
	res.Body.Close()
	back, err := res.Location()
	if err != nil {
		f.t.Fatal(err)
	}
	r := httptest.NewRequest("GET", back.String(), nil)
	people(r)
	cookies(to)(r)
	if change != nil {
		change(back, r)
		r.URL, r.RequestURI = back, back.String()
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Result()
}

func (f *fixture) lastEntry() store.AuditEntry {
	f.t.Helper()
	f.start(f.o)
	entries, _, err := f.store.AuditLog(f.t.Context(), store.Page{Limit: 1})
	if err != nil || len(entries) != 1 {
		f.t.Fatalf("%v, %v", entries, err)
	}
	return entries[0]
}

func session(res *http.Response) bool {
	return slices.ContainsFunc(res.Cookies(), func(c *http.Cookie) bool { return c.Name == "__Host-session" && c.Value != "" })
}

func TestProvider(t *testing.T) {
	f, _ := withProvider(t, nil)
	to := f.ask("GET", "/login/provider", people)
	c := to.Cookies()[0]
	if c.Name != "__Host-login" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 {
		t.Errorf("%+v", c)
	}
	in := f.through(nil)
	if in.StatusCode != 200 || !session(in) || in.Header.Get("Refresh") != "0; url=/gateways" {
		t.Fatalf("%s %v: %s", in.Status, in.Header, body(t, in))
	}
	if res := f.ask("GET", "/gateways", cookies(in)); res.StatusCode != 200 || !strings.Contains(body(t, res), `"Ann@example.org"`) {
		t.Errorf("%s", res.Status)
	}
	if res := f.ask("GET", "/audit", cookies(in)); res.StatusCode != 403 {
		t.Errorf("a group with the role view reads the audit log: %s", res.Status)
	}
	if e := f.lastEntry(); e.What != didRefuse || e.Who != "Ann@example.org" || e.Via != "oidc" {
		t.Errorf("%+v", e)
	}
	// After a restart they may not be allowed any more.
	if res := f.ask("GET", "/gateways", cookies(in)); res.StatusCode != 401 {
		t.Errorf("after a restart: %s", res.Status)
	}
}

func TestProviderRoles(t *testing.T) {
	for name, c := range map[string]struct {
		set    func(*OIDC)
		claims map[string]any
		want   Role
	}{
		"group with work":             {func(o *OIDC) { o.Work.Groups = []string{"soc"} }, nil, Work},
		"work alone is enough":        {func(o *OIDC) { o.Allow = Members{}; o.Work.Users = []string{"u-17"} }, nil, Work},
		"a subject":                   {func(o *OIDC) { o.Allow = Members{Users: []string{"u-17"}} }, nil, View},
		"a verified address":          {func(o *OIDC) { o.Allow = Members{Users: []string{"ann@EXAMPLE.org"}} }, nil, View},
		"verified as a word":          {func(o *OIDC) { o.Allow = Members{Users: []string{"ann@example.org"}} }, map[string]any{"email_verified": "true"}, View},
		"an address not verified":     {func(o *OIDC) { o.Allow = Members{Users: []string{"ann@example.org"}} }, map[string]any{"email_verified": false}, 0},
		"an address, nothing said":    {func(o *OIDC) { o.Allow = Members{Users: []string{"ann@example.org"}} }, map[string]any{"email_verified": nil}, 0},
		"an address as subject":       {func(o *OIDC) { o.Allow = Members{Users: []string{"ann@example.org"}} }, map[string]any{"sub": "ann@example.org", "email": nil}, 0},
		"no group":                    {nil, map[string]any{"groups": nil}, 0},
		"another group":               {nil, map[string]any{"groups": []string{"soc2", "SOC", "so"}}, 0},
		"one group, no list":          {nil, map[string]any{"groups": "soc"}, View},
		"a group named like the user": {func(o *OIDC) { o.Allow = Members{Users: []string{"soc"}} }, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := withProvider(t, c.set)
			p.faults.claims = c.claims
			in := f.through(nil)
			if session(in) != (c.want != 0) {
				t.Fatalf("%s: %s", in.Status, body(t, in))
			}
			if c.want == 0 {
				if e := f.lastEntry(); in.StatusCode != 403 || e.What != didFail || e.Who == "" {
					t.Errorf("%s, %+v", in.Status, e)
				}
				return
			}
			if got := f.ask("GET", "/audit", cookies(in)).StatusCode == 200; got != (c.want == Work) {
				t.Errorf("reads the audit log: %v", got)
			}
		})
	}
}

// What a provider, another one, or somebody between could do is refused.
func TestProviderRefused(t *testing.T) {
	f, p := withProvider(t, nil)
	other := f.ask("GET", "/login/provider", people)
	for name, c := range map[string]struct {
		faults faults
		change func(*url.URL, *http.Request)
		want   string // in the audit log
	}{
		"nonce":            {faults{claims: map[string]any{"nonce": "x"}}, nil, "nonce"},
		"no nonce":         {faults{claims: map[string]any{"nonce": nil}}, nil, "nonce"},
		"audience":         {faults{claims: map[string]any{"aud": "mail"}}, nil, "audience"},
		"two audiences":    {faults{claims: map[string]any{"aud": []string{"board", "mail"}}}, nil, "another client"},
		"other party":      {faults{claims: map[string]any{"azp": "mail"}}, nil, "another client"},
		"expired":          {faults{claims: map[string]any{"exp": f.clock.now().Add(-time.Hour).Unix()}}, nil, "expired"},
		"issuer":           {faults{claims: map[string]any{"iss": "https://evil.example"}}, nil, "different provider"},
		"no subject":       {faults{claims: map[string]any{"sub": ""}}, nil, "subject"},
		"unsigned":         {faults{alg: "none"}, nil, "malformed"},
		"HMAC":             {faults{alg: "HS256"}, nil, "malformed"},
		"key":              {faults{otherKey: true}, nil, "signature"},
		"no ID token":      {faults{noToken: true}, nil, "malformed"},
		"state":            {faults{}, func(u *url.URL, _ *http.Request) { set(u, "state", secret()) }, "state"},
		"no state":         {faults{}, func(u *url.URL, _ *http.Request) { set(u, "state", "") }, "state"},
		"code":             {faults{}, func(u *url.URL, _ *http.Request) { set(u, "code", "x") }, "invalid_grant"},
		"issuer of answer": {faults{}, func(u *url.URL, _ *http.Request) { set(u, "iss", "https://evil.example") }, "another issuer"},
		"error":            {faults{}, func(u *url.URL, _ *http.Request) { set(u, "error", "access_denied\x1b[31m") }, "access_denied"},
		"no cookie":        {faults{}, func(_ *url.URL, r *http.Request) { r.Header.Del("Cookie") }, "not begun in this browser"},
		"empty cookie":     {faults{}, func(u *url.URL, r *http.Request) { set(u, "state", ""); r.Header.Set("Cookie", "__Host-login=...") }, "state"},
		"other browser": {faults{}, func(_ *url.URL, r *http.Request) {
			r.Header.Del("Cookie")
			cookies(other)(r)
		}, "state"},
		"code of another": {faults{}, func(u *url.URL, r *http.Request) {
			// The attacker's code with the victim's own state: PKCE.
			r.Header.Del("Cookie")
			cookies(other)(r)
			to, _ := other.Location()
			set(u, "state", to.Query().Get("state"))
		}, "invalid_grant"},
	} {
		p.mu.Lock()
		p.faults = c.faults
		p.mu.Unlock()
		res := f.through(c.change)
		if res.StatusCode != 403 || session(res) {
			t.Errorf("%s: %s, %v", name, res.Status, res.Cookies())
		}
		text := body(t, res)
		if e := f.lastEntry(); e.What != didFail || !strings.Contains(e.Object, c.want) || strings.ContainsAny(e.Object, "\x1b\n") {
			t.Errorf("%s: %+v", name, e)
		}
		if strings.Contains(text, c.want) {
			t.Errorf("%s: the page says what the log should: %s", name, text)
		}
	}
	// A code is good once.
	p.faults = faults{}
	var again *http.Request
	if res := f.through(func(_ *url.URL, r *http.Request) { again = r.Clone(r.Context()) }); !session(res) {
		t.Fatal(res.Status)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, again)
	if w.Code != 403 || session(w.Result()) {
		t.Errorf("a second time: %d", w.Code)
	}
}

func set(u *url.URL, name, value string) {
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
}

// Groups are asked for only where that is no error, and nothing is sent or fetched in the
// clear.
func TestProviderSaysOfItself(t *testing.T) {
	f, p := withProvider(t, nil)
	for _, scopes := range [][]string{{"openid", "groups"}, nil} {
		p.mu.Lock()
		p.scopes = scopes
		p.mu.Unlock()
		f.start(f.o)
		if res := f.through(nil); !session(res) {
			t.Errorf("%v: %s", scopes, res.Status)
		}
	}
	p.mu.Lock()
	p.insecure = "http://keys.example.org/?"
	p.mu.Unlock()
	f.start(f.o)
	if res := f.ask("GET", "/login/provider", people); res.StatusCode != 503 {
		t.Errorf("keys in the clear: %s", res.Status)
	}
}

// A provider that does not answer keeps nobody with a token out, and is asked again.
func TestProviderDown(t *testing.T) {
	f, p := withProvider(t, nil)
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	f.start(f.o)
	token := f.token("ann", View)
	if res := f.login(token); res.StatusCode != 303 {
		t.Errorf("login with a token: %s", res.Status)
	}
	f.rest.Wait() // it has been asked
	res := f.ask("GET", "/login/provider?next=/gateways", people)
	if text := body(t, res); res.StatusCode != 503 || !strings.Contains(text, "127.0.0.1 does not answer") || !strings.Contains(text, `value="/gateways"`) {
		t.Errorf("%s: %s", res.Status, text)
	}
	p.mu.Lock()
	p.down = false
	p.mu.Unlock()
	if res := f.ask("GET", "/login/provider", people); res.StatusCode != 503 {
		t.Errorf("asked again at once: %s", res.Status)
	}
	f.clock.add(retry)
	if res := f.through(nil); !session(res) {
		t.Errorf("after a while: %s", res.Status)
	}
}

func TestProviderSettings(t *testing.T) {
	hub := parsed(t, "https://board.example")
	good := OIDC{Issuer: "https://id.example.org", ClientID: "board", Allow: Members{Groups: []string{"soc"}}}
	if err := good.Check(hub); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*OIDC){
		"https":            func(o *OIDC) { o.Issuer = "http://id.example.org" },
		"client_id":        func(o *OIDC) { o.ClientID = "" },
		"nobody":           func(o *OIDC) { o.Allow = Members{} },
		"group or user is": func(o *OIDC) { o.Work.Users = []string{""} },
	} {
		o := good
		change(&o)
		if err := o.Check(hub); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := good.Check(nil); err == nil {
		t.Error("without url")
	}
}
