package access

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/clawsonar/clawsonar/internal/clean"
)

// OIDC are the settings of an OpenID Connect provider, by which people log in.
type OIDC struct {
	Issuer       string // its URL, as it writes it
	ClientID     string
	ClientSecret string  // "" of a public client
	Allow        Members // who has the role view
	Work         Members // who has the role work
}

// Members are people of a provider.
type Members struct {
	Groups []string // of the claim groups
	Users  []string // with an @: an address of mail, which the provider has verified; else a subject
}

func (m Members) none() bool { return len(m.Groups)+len(m.Users) == 0 }

func (m Members) has(c *claims) bool {
	for _, g := range c.Groups {
		if slices.Contains(m.Groups, g) {
			return true
		}
	}
	for _, u := range m.Users {
		if strings.Contains(u, "@") && strings.EqualFold(u, c.verifiedMail()) || !strings.Contains(u, "@") && u == c.Subject {
			return true
		}
	}
	return false
}

// Check says what is wrong with the settings, in one line.
func (o *OIDC) Check(hub *url.URL) error {
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || !privateWay(u):
		return fmt.Errorf("auth.oidc: issuer %.200q has to be https://", o.Issuer)
	case o.ClientID == "":
		return errors.New("auth.oidc: client_id is missing: the provider knows the hub by it")
	case o.Allow.none() && o.Work.none():
		return errors.New("auth.oidc: allow and work name nobody: name groups or users who may log in")
	case slices.Contains(slices.Concat(o.Allow.Groups, o.Allow.Users, o.Work.Groups, o.Work.Users), ""):
		return errors.New("auth.oidc: a group or user is empty")
	case hub == nil:
		return errors.New("auth.oidc needs url: the provider sends browsers back to it")
	}
	return nil
}

// privateWay reports whether nobody between can read or change what goes to a URL.
func privateWay(u *url.URL) bool {
	return u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && loopbackName(u.Hostname()))
}

// host is what the login page calls the provider.
func (o *OIDC) host() string {
	u, err := url.Parse(o.Issuer)
	if err != nil {
		return o.Issuer
	}
	return u.Hostname()
}

// claims are what is read of an ID token.
type claims struct {
	Subject  string `json:"sub"`
	Mail     string `json:"email"`
	Verified any    `json:"email_verified"` // some write "true"
	Groups   list   `json:"groups"`
	Party    string `json:"azp"`
}

func (c *claims) verifiedMail() string {
	if (c.Verified == true || c.Verified == "true") && strings.Contains(c.Mail, "@") {
		return c.Mail
	}
	return ""
}

// list is a list of strings, or one alone.
type list []string

func (l *list) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// provider is a provider that is looked up when it is needed.
type provider struct {
	o        *OIDC
	callback string
	now      func() time.Time
	client   *http.Client

	mu       sync.Mutex
	tried    time.Time
	failed   error // of that try
	oauth    *oauth2.Config
	verifier *oidc.IDTokenVerifier
}

// retry is how long after a failed try the provider is asked again.
const retry = 10 * time.Second

const callbackPath = "/login/callback"

func newProvider(o *OIDC, hub *url.URL, now func() time.Time) *provider {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // a few requests a day
	return &provider{o: o, callback: hub.Scheme + "://" + hub.Host + callbackPath, now: now, client: &http.Client{
		Timeout:   10 * time.Second,
		Transport: small{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the provider redirects, which it has no reason to")
		},
	}}
}

// small cuts answers off at 1 MiB.
type small struct{ http.RoundTripper }

func (s small) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, 1<<20), res.Body}
	}
	return res, err
}

// find looks the provider up, if that has not been done.
func (p *provider) find(ctx context.Context) (*oauth2.Config, *oidc.IDTokenVerifier, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.oauth != nil || p.failed != nil && now.Sub(p.tried) < retry {
		return p.oauth, p.verifier, p.failed
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.o.Issuer)
	var scopes []string
	if err == nil {
		scopes, err = check(found)
	}
	p.tried, p.failed = now, err
	if err != nil {
		return nil, nil, err
	}
	p.oauth = &oauth2.Config{
		ClientID: p.o.ClientID, ClientSecret: p.o.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: p.callback, Scopes: scopes,
	}
	if p.o.ClientSecret == "" {
		p.oauth.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	p.verifier = found.Verifier(&oidc.Config{ClientID: p.o.ClientID, Now: p.now})
	return p.oauth, p.verifier, nil
}

// check returns the scopes to ask a provider for. It refuses one to which secrets would
// go, or whose keys would come, by a way that somebody between can use.
func check(found *oidc.Provider) (scopes []string, err error) {
	var says struct {
		Auth   string   `json:"authorization_endpoint"`
		Token  string   `json:"token_endpoint"`
		Keys   string   `json:"jwks_uri"`
		Scopes []string `json:"scopes_supported"`
	}
	if err := found.Claims(&says); err != nil {
		return nil, err
	}
	for _, text := range []string{says.Auth, says.Token, says.Keys} {
		if u, err := url.Parse(text); err != nil || !privateWay(u) {
			return nil, fmt.Errorf("the provider names %.200q, which is not https", text)
		}
	}
	scopes = []string{oidc.ScopeOpenID, "email", "profile"}
	// Some give groups only for this scope, others refuse a scope that they do not know.
	if slices.Contains(says.Scopes, groupsScope) {
		scopes = append(scopes, groupsScope)
	}
	return scopes, nil
}

// groupsScope is no standard, but what those call it that have it.
const groupsScope = "groups"

// attempt is a login that has begun, kept by the browser in a cookie.
type attempt struct{ state, nonce, verifier, next string }

func (a attempt) String() string {
	return strings.Join([]string{a.state, a.nonce, a.verifier, url.QueryEscape(a.next)}, ".")
}

func parseAttempt(text string) (a attempt, ok bool) {
	parts := strings.SplitN(text, ".", 4)
	if len(parts) != 4 {
		return a, false
	}
	next, err := url.QueryUnescape(parts[3])
	return attempt{parts[0], parts[1], parts[2], localPath(next)}, err == nil && len(parts[0]) == 43 && len(parts[1]) == 43 && len(parts[2]) == 43
}

const (
	attemptCookie = "login"
	attemptLife   = 10 * time.Minute
)

// getProvider sends a browser to the provider.
func (h *Hub) getProvider(w http.ResponseWriter, r *http.Request) {
	oauth, _, err := h.provider.find(r.Context())
	if err != nil {
		h.o.Log.Warn("the provider of logins does not answer", "issuer", h.o.OIDC.Issuer, "error", clean.Text(err.Error()))
		h.loginPage(w, r, http.StatusServiceUnavailable, localPath(r.URL.Query().Get("next")),
			h.pages[h.lang(r)].Say("%s does not answer now. Log in with a token, or try again in a moment.", h.o.OIDC.host()))
		return
	}
	a := attempt{secret(), secret(), secret(), localPath(r.URL.Query().Get("next"))}
	// The way back comes from another site: a cookie of SameSite=Strict would not.
	h.setCookie(w, attemptCookie, a.String(), attemptLife, http.SameSiteLaxMode)
	http.Redirect(w, r, oauth.AuthCodeURL(a.state, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier)), http.StatusSeeOther)
}

// getCallback takes a browser back from the provider.
func (h *Hub) getCallback(w http.ResponseWriter, r *http.Request) {
	p := h.pages[h.lang(r)]
	client := ofClient(h.client(r))
	if h.limits.wait(client, h.o.Now()) > 0 {
		w.Header().Set("Retry-After", "60")
		h.refuse(w, r, http.StatusTooManyRequests)
		return
	}
	h.setCookie(w, attemptCookie, "", 0, http.SameSiteLaxMode)
	a := attempt{next: "/"}
	u, subject, err := h.fromProvider(r, &a)
	if err != nil {
		why := clean.N(err.Error(), 300)
		h.o.Log.Warn("a login failed", "client", client, "error", why)
		h.noteLater(r, User{Name: subject, Via: ViaProvider}, didFail, why)
		text := p.Say("Logging in with %s failed. The log of the hub says why.", h.o.OIDC.host())
		if errors.Is(err, errNotAllowed) {
			text = p.Say("%s knows you, but nobody has allowed you to look at this hub.", h.o.OIDC.host())
		}
		h.loginPage(w, r, http.StatusForbidden, a.next, text)
		return
	}
	h.limits.good(client)
	if err = h.note(r, u, didLogin, "sub "+subject); err == nil {
		err = h.begin(w, r, u, 0)
	}
	if err != nil {
		h.o.Log.Error("a login failed", "error", err)
		h.refuse(w, r, http.StatusServiceUnavailable)
		return
	}
	// A redirect would be part of the way that began at another site, and the new cookie
	// would not be sent with it. This page goes on by itself.
	w.Header().Set("Refresh", "0; url="+a.next)
	h.page(w, r, http.StatusOK, p.Say("Logged in"), "on.html", a.next)
}

var errNotAllowed = errors.New("neither allow nor work of auth.oidc names this user")

// fromProvider says who a browser is that comes back from the provider. The attempt is
// filled from its cookie.
func (h *Hub) fromProvider(r *http.Request, a *attempt) (u User, subject string, err error) {
	c, err := r.Cookie(h.cookieName(attemptCookie))
	if err != nil {
		return u, "", errors.New("the login was not begun in this browser, or more than 10 minutes ago")
	}
	begun, ok := parseAttempt(c.Value)
	q := r.URL.Query()
	if !ok || subtle.ConstantTimeCompare([]byte(begun.state), []byte(q.Get("state"))) != 1 {
		return u, "", errors.New("the state is not that of this browser's login")
	}
	*a = begun
	// RFC 9207
	if iss := q.Get("iss"); iss != "" && iss != h.o.OIDC.Issuer {
		return u, "", errors.New("the answer is another issuer's")
	}
	if code := q.Get("error"); code != "" {
		return u, "", fmt.Errorf("the provider says %.100q", code)
	}
	ctx := oidc.ClientContext(r.Context(), h.provider.client)
	oauth, verifier, err := h.provider.find(ctx)
	if err != nil {
		return u, "", err
	}
	got, err := oauth.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(a.verifier))
	var said *oauth2.RetrieveError
	if errors.As(err, &said) { // its text has the whole answer
		return u, "", fmt.Errorf("the provider refuses the code: %d %.100q", said.Response.StatusCode, said.ErrorCode)
	}
	if err != nil {
		return u, "", errors.New("the provider's answer to the code cannot be used")
	}
	raw, _ := got.Extra("id_token").(string)
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return u, "", err
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(a.nonce)) != 1 {
		return u, "", errors.New("the nonce of the ID token is not that of this browser's login")
	}
	var is claims
	if err := token.Claims(&is); err != nil {
		return u, "", err
	}
	if is.Party != "" && is.Party != h.o.OIDC.ClientID || is.Party == "" && len(token.Audience) > 1 {
		return u, "", errors.New("the ID token was made for another client")
	}
	return h.o.OIDC.user(&is)
}

func (o *OIDC) user(c *claims) (u User, subject string, err error) {
	if c.Subject == "" {
		return u, "", errors.New("the ID token has no subject")
	}
	u = User{Name: c.verifiedMail(), Via: ViaProvider}
	if u.Name == "" {
		u.Name = c.Subject
	}
	switch {
	case o.Work.has(c):
		u.Role = Work
	case o.Allow.has(c):
		u.Role = View
	default:
		return User{}, c.Subject, errNotAllowed
	}
	return u, c.Subject, nil
}
