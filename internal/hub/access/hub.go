package access

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// Options are the settings of a Hub.
type Options struct {
	Store *store.Store
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: slog.Default()

	TLS   bool     // it serves TLS itself
	Proxy bool     // a proxy in front does, and says who the client is
	URL   *url.URL // under which browsers see it; nil if that was not said
	OIDC  *OIDC    // nil for none

	// Chrome writes a page with the hub's layout; nil writes it bare. The title is plain
	// text in the language of Lang.
	Chrome func(w http.ResponseWriter, r *http.Request, status int, title string, body template.HTML)
	// Lang returns the language of a page, see report.Languages; nil goes by the
	// request's Accept-Language.
	Lang func(*http.Request) string
}

// maxBody is how long the body of a request may be, in bytes.
const maxBody = 64 << 10

// Hub is the http.Handler of all routes.
type Hub struct {
	o      Options
	routes map[string]Route // by pattern
	mux    *http.ServeMux
	cross  *http.CrossOriginProtection
	limits *limits
	secure bool             // browsers see it over HTTPS
	local  atomic.Bool      // there are no accounts yet
	pages  map[string]pages // by language

	provider *provider // nil for none

	queue   chan func(context.Context) error
	written chan struct{}
	closing sync.RWMutex
	closed  bool
	stop    context.CancelFunc // ends what goes on in the background
	rest    sync.WaitGroup
}

// New makes the handler of the given routes and of those for logging in and out and for
// the audit log. It has to be closed.
func New(ctx context.Context, routes []Route, o Options) (*Hub, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	h := &Hub{
		o: o, routes: map[string]Route{}, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection(), limits: newLimits(),
		secure: o.TLS || o.URL != nil && o.URL.Scheme == "https",
		queue:  make(chan func(context.Context) error, 1024), written: make(chan struct{}),
	}
	if o.URL != nil {
		if err := h.cross.AddTrustedOrigin(o.URL.Scheme + "://" + o.URL.Host); err != nil {
			return nil, fmt.Errorf("url: %w", err)
		}
	}
	if o.OIDC != nil {
		if err := o.OIDC.Check(o.URL); err != nil {
			return nil, err
		}
		h.provider = newProvider(o.OIDC, o.URL, o.Now)
	}
	var err error
	if h.pages, err = loadPages(); err != nil {
		return nil, err
	}
	for _, r := range slices.Concat(routes, h.own()) {
		if err := h.add(r); err != nil {
			return nil, err
		}
	}
	have, err := o.Store.HaveTokens(ctx)
	if err != nil {
		return nil, err
	}
	h.local.Store(!have && o.OIDC == nil)
	// Who may log in by the provider may have changed while the hub was down.
	if err := o.Store.EndProviderSessions(ctx); err != nil {
		return nil, err
	}
	go h.write()
	var live context.Context
	live, h.stop = context.WithCancel(context.Background())
	if h.provider != nil {
		// Whether it answers is said early. It is asked again when somebody logs in.
		h.rest.Go(func() {
			if _, _, err := h.provider.find(live); err != nil && live.Err() == nil {
				o.Log.Warn("the provider of logins does not answer: until it does, only tokens can be used", "issuer", o.OIDC.Issuer, "error", clean.Text(err.Error()))
			}
		})
	}
	return h, nil
}

func (h *Hub) add(r Route) error {
	method, path, _ := strings.Cut(r.Pattern, " ")
	switch {
	case method != http.MethodGet && method != http.MethodPost || !strings.HasPrefix(path, "/"):
		return fmt.Errorf("route %q: it needs a method, GET or POST, and a path", r.Pattern)
	case r.Needs < Public || r.Needs > Work:
		return fmt.Errorf("route %q states no role", r.Pattern)
	case r.Handler == nil:
		return fmt.Errorf("route %q has no handler", r.Pattern)
	}
	if _, ok := h.routes[r.Pattern]; ok {
		return fmt.Errorf("route %q is there twice", r.Pattern)
	}
	h.routes[r.Pattern] = r
	h.mux.Handle(r.Pattern, r.Handler)
	return nil
}

// Routes returns all routes, by pattern.
func (h *Hub) Routes() []Route {
	return slices.SortedFunc(maps.Values(h.routes), func(a, b Route) int { return strings.Compare(a.Pattern, b.Pattern) })
}

// Server returns a server of the hub, with limits on how long a request may take and how
// large its head may be. An answer of a large file may ask for more time, with an
// http.ResponseController.
func (h *Hub) Server() *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(h.o.Log.Handler(), slog.LevelDebug),
	}
}

// ServeHTTP lets a request through to its route, or says why not.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.harden(w.Header())
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	local, err := h.isLocal(r.Context())
	if local {
		if why := h.fromHere(r); why != "" {
			plain(w, http.StatusForbidden, why)
			return
		}
	}
	if err := h.cross.Check(r); err != nil {
		plain(w, http.StatusForbidden, "This request was sent by a page of another site.")
		return
	}
	var u User
	if err == nil {
		u, err = h.user(r, local)
	}
	_, pattern := h.mux.Handler(r)
	route, known := h.routes[pattern]
	switch {
	case known && route.Needs == Public:
	case errors.Is(err, store.ErrNotFound):
		h.askLogin(w, r)
		return
	case errors.Is(err, errTooMany):
		w.Header().Set("Retry-After", "60")
		h.refuse(w, r, http.StatusTooManyRequests)
		return
	case err != nil:
		h.o.Log.Error("the database does not answer", "error", err)
		h.refuse(w, r, http.StatusServiceUnavailable)
		return
	case !known:
		h.unknown(w, r)
		return
	case u.Role < route.Needs:
		h.noteLater(r, u, didRefuse, r.Method+" "+r.RequestURI)
		h.refuse(w, r, http.StatusForbidden)
		return
	default:
		if err := h.logged(r, u, route); err != nil {
			h.o.Log.Error("the audit log could not be written", "error", err)
			h.refuse(w, r, http.StatusServiceUnavailable)
			return
		}
	}
	if err == nil {
		r = r.WithContext(WithUser(r.Context(), u))
	}
	h.mux.ServeHTTP(w, r)
}

// logged notes a request that is about to be served. A change is not made before it is
// noted.
func (h *Hub) logged(r *http.Request, u User, route Route) error {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		what := r.Method
		if route.Pattern == logoutPattern {
			what = didLogout
		}
		return h.note(r, u, what, r.RequestURI)
	case route.Logged || strings.Contains(route.Pattern, "{") || r.URL.Query().Get("format") != "":
		h.noteLater(r, u, didLook, r.RequestURI)
	}
	return nil
}

// isLocal reports whether there are no accounts, so that all who come from this machine
// are let in. That ends with the first token.
func (h *Hub) isLocal(ctx context.Context) (bool, error) {
	if !h.local.Load() {
		return false, nil
	}
	have, err := h.o.Store.HaveTokens(ctx)
	if have {
		h.local.Store(false)
	}
	return !have, err
}

// errTooMany says that too many tokens were wrong.
var errTooMany = errors.New("too many attempts")

// user returns who sent a request, or store.ErrNotFound if that is nobody.
func (h *Hub) user(r *http.Request, local bool) (User, error) {
	if local {
		return User{Name: string(ViaLocal), Role: Work, Via: ViaLocal}, nil
	}
	if auth := r.Header.Get("Authorization"); auth != "" {
		scheme, token, _ := strings.Cut(auth, " ")
		err := store.ErrNotFound
		if strings.EqualFold(scheme, "Bearer") {
			var u User
			if u, _, err = h.byToken(r.Context(), strings.TrimSpace(token)); err == nil {
				return u, nil
			}
		}
		// A token that is good is never held up by those that are not.
		if errors.Is(err, store.ErrNotFound) {
			if h.limits.wait(ofClient(h.client(r)), h.o.Now()) > 0 {
				return User{}, errTooMany
			}
			h.noteLater(r, User{}, didFail, "Authorization")
		}
		return User{}, err
	}
	c, err := r.Cookie(h.cookieName(sessionCookie))
	if err != nil {
		return User{}, store.ErrNotFound
	}
	return h.bySession(r.Context(), c.Value)
}

// forPeople reports whether a browser asks for a page.
func forPeople(r *http.Request) bool {
	return r.Header.Get("Authorization") == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// askLogin answers who is not known. Whether there is such a page is not said.
func (h *Hub) askLogin(w http.ResponseWriter, r *http.Request) {
	if forPeople(r) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="clawsonar-hub"`)
	h.refuse(w, r, http.StatusUnauthorized)
}

// unknown answers for a path or method that no route has.
func (h *Hub) unknown(w http.ResponseWriter, r *http.Request) {
	says, _ := h.mux.Handler(r)
	to := head{http.Header{}, http.StatusNotFound}
	says.ServeHTTP(&to, r)
	if to.status != http.StatusMethodNotAllowed {
		h.refuse(w, r, http.StatusNotFound)
		return
	}
	w.Header().Set("Allow", to.header.Get("Allow"))
	h.refuse(w, r, http.StatusMethodNotAllowed)
}

// head takes only the head of an answer.
type head struct {
	header http.Header
	status int
}

func (h *head) Header() http.Header         { return h.header }
func (h *head) WriteHeader(status int)      { h.status = status }
func (h *head) Write(b []byte) (int, error) { return len(b), nil }

func plain(w http.ResponseWriter, status int, text string) {
	http.Error(w, text, status)
}
