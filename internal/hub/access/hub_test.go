package access

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clawsonar/clawsonar/internal/hub/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests set. Each look at it takes it a millisecond further.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(time.Millisecond)
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// fixture is a hub on an empty database, behind TLS, seen as https://board.example.
type fixture struct {
	*Hub
	t     *testing.T
	clock *clock
	store *store.Store
	open  bool
}

// sample are routes like those of the pages.
func sample() []Route {
	ok := func(role Role) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			u, known := UserOf(r.Context())
			if role != Public && (!known || u.Role < role) {
				panic("a handler was reached without its role")
			}
			io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, "served %s to %q", r.URL.Path, u.Name)
		})
	}
	return []Route{
		{Pattern: "GET /{$}", Needs: View, Handler: ok(View)},
		{Pattern: "GET /public", Needs: Public, Handler: ok(Public)},
		{Pattern: "GET /gateways", Needs: View, Handler: ok(View)},
		{Pattern: "GET /gateways/{id}", Needs: View, Handler: ok(View)},
		{Pattern: "POST /gateways/{id}/notes", Needs: Work, Handler: ok(Work)},
		{Pattern: "GET /style/{file...}", Needs: Public, Handler: ok(Public)},
	}
}

func setUp(t *testing.T, o Options) *fixture {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "board.db"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, store: s, clock: &clock{t: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)}}
	o.Store, o.Now, o.Log = s, f.clock.now, slog.New(slog.NewTextHandler(t.Output(), nil))
	t.Cleanup(func() {
		f.shut()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	f.start(o)
	return f
}

// start serves anew, as after a restart.
func (f *fixture) start(o Options) {
	f.t.Helper()
	f.shut()
	h, err := New(context.Background(), sample(), o)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Hub, f.open = h, true
}

func (f *fixture) shut() {
	if f.open {
		f.Close()
		f.open = false
	}
}

func (f *fixture) token(name string, role Role) string {
	f.t.Helper()
	token, err := NewToken(f.t.Context(), f.store, name, role, f.clock.now())
	if err != nil {
		f.t.Fatal(err)
	}
	return token
}

// ask sends a request as a client at 192.0.2.1 would, changed by what is given.
func (f *fixture) ask(method, path string, change ...func(*http.Request)) *http.Response {
	r := httptest.NewRequest(method, "https://board.example"+path, nil)
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Result()
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func people(r *http.Request) { r.Header.Set("Accept", "text/html,*/*;q=0.8") }

func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func form(values url.Values) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body = io.NopCloser(strings.NewReader(values.Encode()))
	}
}

func cookies(from *http.Response) func(*http.Request) {
	return func(r *http.Request) {
		for _, c := range from.Cookies() {
			r.AddCookie(c)
		}
	}
}

// login logs in with a form.
func (f *fixture) login(token string) *http.Response {
	return f.ask("POST", "/login", people, form(url.Values{"token": {token}, "next": {"/gateways?q=verdict:open"}}))
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A path of a route's pattern.
func (r Route) sample() (method, path string) {
	method, path, _ = strings.Cut(r.Pattern, " ")
	return method, strings.NewReplacer("{$}", "", "{id}", "0000000000001", "{file...}", "page.css").Replace(path)
}

// Every route that there is, asked by everybody that there is.
func TestEveryRoute(t *testing.T) {
	f := setUp(t, Options{TLS: true})
	view, work, revoked := f.token("grafana", View), f.token("ann", Work), f.token("bob", Work)
	old, ended := f.login(work), f.login(revoked)
	if err := RevokeToken(t.Context(), f.store, "bob", f.clock.now()); err != nil {
		t.Fatal(err)
	}
	f.clock.add(sessionLife)
	viewer, worker := f.login(view), f.login(work)
	if worker.StatusCode != http.StatusSeeOther || len(worker.Cookies()) != 1 {
		t.Fatalf("login: %s, %v", worker.Status, worker.Cookies())
	}
	routes := f.Routes()
	if len(routes) < len(sample())+4 {
		t.Fatalf("only %d routes", len(routes))
	}
	for _, route := range routes {
		if route.Pattern == "POST /login" || route.Pattern == "GET /login" || route.Pattern == logoutPattern {
			continue // below: these do not say 200
		}
		for _, who := range []struct {
			name    string
			role    Role
			machine bool
			change  []func(*http.Request)
		}{
			{"nobody, a program", Public, true, nil},
			{"nobody, a browser", Public, false, []func(*http.Request){people}},
			{"a view token", View, true, []func(*http.Request){bearer(view)}},
			{"a work token", Work, true, []func(*http.Request){bearer(work)}},
			{"a view session", View, false, []func(*http.Request){people, cookies(viewer)}},
			{"a work session", Work, false, []func(*http.Request){people, cookies(worker)}},
			{"a revoked token", Public, true, []func(*http.Request){bearer(revoked)}},
			{"a revoked token in a browser", Public, true, []func(*http.Request){people, bearer(revoked)}},
			{"a wrong token beside a good cookie", Public, true, []func(*http.Request){bearer("clawsonar_x"), cookies(worker)}},
			{"a token in another scheme", Public, true, []func(*http.Request){with("Authorization", "Basic "+work)}},
			{"a session that is over", Public, false, []func(*http.Request){people, cookies(old)}},
			{"the session of a revoked token", Public, false, []func(*http.Request){people, cookies(ended)}},
			{"another page's script", 0, true, []func(*http.Request){bearer(work), with("Origin", "https://evil.example"), with("Sec-Fetch-Site", "cross-site")}},
		} {
			f.clock.add(time.Minute) // no limit on wrong tokens
			method, path := route.sample()
			want := http.StatusOK
			switch {
			case who.role == 0 && method == "POST":
				want = http.StatusForbidden
			case who.role == 0 || who.role >= route.Needs:
			case who.role != Public:
				want = http.StatusForbidden
			case who.machine || method == "POST":
				want = http.StatusUnauthorized
			default:
				want = http.StatusSeeOther
			}
			res := f.ask(method, path, who.change...)
			if res.StatusCode != want {
				t.Errorf("%s, %s: %d, want %d: %s", route.Pattern, who.name, res.StatusCode, want, body(t, res))
			}
			if want == http.StatusSeeOther && res.Header.Get("Location") != "/login?next="+url.QueryEscape(path) {
				t.Errorf("%s, %s: to %s", route.Pattern, who.name, res.Header.Get("Location"))
			}
			if want == http.StatusUnauthorized && res.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: 401 without WWW-Authenticate", route.Pattern, who.name)
			}
			for name, value := range map[string]string{
				"Content-Security-Policy":      "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
				"X-Content-Type-Options":       "nosniff",
				"Referrer-Policy":              "no-referrer",
				"Cross-Origin-Opener-Policy":   "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin",
				"Strict-Transport-Security":    "max-age=31536000",
			} {
				if res.Header.Get(name) != value {
					t.Errorf("%s, %s: %s: %q", route.Pattern, who.name, name, res.Header.Get(name))
				}
			}
		}
	}
}

// Who is not logged in does not learn which paths there are.
func TestUnknown(t *testing.T) {
	f := setUp(t, Options{TLS: true})
	work := f.token("ann", Work)
	for _, c := range []struct {
		method, path string
		want         int
		allow        string
	}{
		{"GET", "/nothing", 404, ""},
		{"GET", "/gateways/a/b", 404, ""},
		{"GET", "//gateways", 307, ""},
		{"PUT", "/gateways", 405, "GET, HEAD"},
		{"DELETE", "/login", 405, "GET, HEAD, POST"},
		{"GET", "/gateways/x/notes", 405, "POST"},
		{"OPTIONS", "/gateways", 405, "GET, HEAD"},
	} {
		for _, accept := range []string{"", "text/html"} {
			res := f.ask(c.method, c.path, bearer(work), with("Accept", accept))
			if res.StatusCode != c.want || res.Header.Get("Allow") != c.allow {
				t.Errorf("%s %s: %d, %q", c.method, c.path, res.StatusCode, res.Header.Get("Allow"))
			}
			want := http.StatusUnauthorized
			if accept != "" && c.method == "GET" {
				want = http.StatusSeeOther
			}
			if res := f.ask(c.method, c.path, with("Accept", accept)); res.StatusCode != want || res.Header.Get("Allow") != "" {
				t.Errorf("%s %s without a login: %d, %q", c.method, c.path, res.StatusCode, res.Header.Get("Allow"))
			}
		}
	}
	if res := f.ask("HEAD", "/gateways", bearer(work)); res.StatusCode != 200 {
		t.Errorf("HEAD: %s", res.Status)
	}
}

// A route that could be reached without a stated role is not served.
func TestRoutesAreStated(t *testing.T) {
	f := setUp(t, Options{})
	ok := http.NotFoundHandler()
	for want, r := range map[string]Route{
		"states no role": {Pattern: "GET /x", Handler: ok},
		"no handler":     {Pattern: "GET /x", Needs: View},
		"needs a method": {Pattern: "/x", Needs: View, Handler: ok},
		"twice":          {Pattern: "GET /audit", Needs: View, Handler: ok},
	} {
		h, err := New(t.Context(), []Route{r}, Options{Store: f.store})
		if err == nil {
			h.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestSession(t *testing.T) {
	f := setUp(t, Options{TLS: true})
	token := f.token("ann", Work)
	in := f.login(token)
	if in.StatusCode != http.StatusSeeOther || in.Header.Get("Location") != "/gateways?q=verdict:open" || len(in.Cookies()) != 1 {
		t.Fatalf("%s, %v", in.Status, in.Header)
	}
	c := in.Cookies()[0]
	if c.Name != "__Host-session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || len(c.Value) != 43 {
		t.Errorf("%+v", c)
	}
	used := func(d time.Duration) int {
		f.clock.add(d)
		return f.ask("GET", "/gateways", cookies(in)).StatusCode
	}
	for range 2 {
		if got := used(sessionIdle - time.Minute); got != 200 {
			t.Fatalf("used within the idle time: %d", got)
		}
		f.shut() // what is to be written is written
		f.start(f.o)
	}
	if got := used(sessionIdle); got != 401 {
		t.Errorf("idle for too long: %d", got)
	}

	// One that is always used ends too.
	in = f.login(token)
	for range 23 {
		if got := used(time.Hour); got != 200 {
			t.Fatalf("used every hour: %d", got)
		}
		f.start(f.o)
	}
	if got := used(time.Hour); got != 401 {
		t.Errorf("after a day: %d", got)
	}

	in = f.login(token)
	again := f.ask("POST", "/login", form(url.Values{"token": {token}}), cookies(in))
	if used(0) != 401 {
		t.Error("a second login leaves the session before it")
	}
	in = again
	if res := f.ask("POST", "/logout", cookies(in), with("Origin", "https://evil.example")); res.StatusCode != 403 || used(0) != 200 {
		t.Errorf("another site logs out: %s", res.Status)
	}
	if res := f.ask("POST", "/logout", cookies(in), with("Origin", "https://board.example")); res.StatusCode != 303 || used(0) != 401 {
		t.Errorf("after logging out: %s", res.Status)
	}

	plain := setUp(t, Options{})
	c = plain.login(plain.token("ann", Work)).Cookies()[0]
	if c.Name != "clawsonar-session" || c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("over plain HTTP: %+v", c)
	}
}

func TestWhereToAfterLogin(t *testing.T) {
	for next, want := range map[string]string{
		"/gateways?q=a&page=2": "/gateways?q=a&page=2",
		"":                     "/", "https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", "/\t/evil.example": "/",
		"javascript:alert(1)": "/", "gateways": "/", "/login?next=/": "/", "http:/x": "/", "\x00": "/",
	} {
		if got := localPath(next); got != want {
			t.Errorf("%q: %q", next, got)
		}
	}
}

func TestLoginIsLimited(t *testing.T) {
	f := setUp(t, Options{TLS: true})
	token := f.token("ann", Work)
	from := func(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }
	try := func(token, addr string) *http.Response {
		return f.ask("POST", "/login", from(addr), form(url.Values{"token": {token}}))
	}
	for i := range 5 {
		if res := try("clawsonar_wrong", fmt.Sprintf("[2001:db8::%x]:1", i)); res.StatusCode != 403 {
			t.Fatalf("attempt %d: %s", i, res.Status)
		}
	}
	if res := try(token, "[2001:db8::99]:1"); res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
		t.Errorf("a sixth attempt from the same network: %s", res.Status)
	}
	if res := try(token, "[2001:db8:1::1]:1"); res.StatusCode != 303 {
		t.Errorf("from another: %s", res.Status)
	}
	f.clock.add(13 * time.Second)
	if res := try(token, "[2001:db8::99]:1"); res.StatusCode != 303 {
		t.Errorf("later: %s", res.Status)
	}

	// Wrong tokens in headers are limited too, but do not keep out a good one.
	for range 5 {
		f.ask("GET", "/gateways", bearer("clawsonar_wrong"))
	}
	if res := f.ask("GET", "/gateways", bearer("clawsonar_wrong")); res.StatusCode != 429 {
		t.Errorf("a sixth wrong token: %s", res.Status)
	}
	if res := f.ask("GET", "/gateways", bearer(token)); res.StatusCode != 200 {
		t.Errorf("a good one after it: %s", res.Status)
	}

	for i := range 200 {
		try("clawsonar_wrong", fmt.Sprintf("10.1.%d.1:1", i))
	}
	if res := try(token, "10.2.0.1:1"); res.StatusCode != 429 {
		t.Errorf("after 200 attempts from everywhere: %s", res.Status)
	}
	for i := range 5000 {
		f.limits.wait(fmt.Sprint(i), f.clock.now())
	}
	if n := f.limits.clients.Len(); n > 4096 {
		t.Errorf("%d clients are remembered", n)
	}
}

func TestClient(t *testing.T) {
	direct, proxied := &Hub{}, &Hub{o: Options{Proxy: true}}
	for _, c := range []struct{ remote, forwarded, direct, proxied string }{
		{"192.0.2.1:5", "", "192.0.2.1", "192.0.2.1"},
		{"127.0.0.1:5", "6.6.6.6, 203.0.113.9", "127.0.0.1", "203.0.113.9"},
		{"127.0.0.1:5", "203.0.113.9:4711", "127.0.0.1", "203.0.113.9"},
		{"127.0.0.1:5", "203.0.113.9, nonsense", "127.0.0.1", "127.0.0.1"},
		{"[::ffff:192.0.2.1]:5", "::ffff:203.0.113.9", "192.0.2.1", "203.0.113.9"},
		{"@", "", "local", "local"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Add("X-Forwarded-For", "7.7.7.7")
			r.Header.Add("X-Forwarded-For", c.forwarded)
		}
		if got := direct.client(r); got != c.direct {
			t.Errorf("%+v: %s", c, got)
		}
		if got := proxied.client(r); got != c.proxied {
			t.Errorf("%+v: behind a proxy: %s", c, got)
		}
	}
}

// Without accounts anyone on this machine is let in, and nobody else.
func TestWithoutAccounts(t *testing.T) {
	f := setUp(t, Options{URL: &url.URL{Scheme: "http", Host: "board.internal:8790"}})
	here := func(host string) func(*http.Request) {
		return func(r *http.Request) { r.RemoteAddr, r.Host = "127.0.0.1:5", host }
	}
	for _, host := range []string{"localhost", "localhost:8790", "LocalHost:8790", "127.0.0.1:8790", "127.9.9.9", "[::1]:8790", "[::1]", "[::ffff:127.0.0.1]:1", "board.internal:8790"} {
		res := f.ask("POST", "/gateways/x/notes", here(host))
		if res.StatusCode != 200 || !strings.Contains(body(t, res), `"local"`) {
			t.Errorf("Host %s: %s", host, res.Status)
		}
	}
	for _, host := range []string{"", "evil.example", "evil.example:8790", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1:8790", "[fe80::1]:8790", "0.0.0.0:8790"} {
		for _, path := range []string{"/", "/public"} {
			if res := f.ask("GET", path, here(host)); res.StatusCode != 403 {
				t.Errorf("Host %q, %s: %s", host, path, res.Status)
			}
		}
	}
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"} {
		if res := f.ask("GET", "/", here("localhost"), with(name, "203.0.113.9")); res.StatusCode != 403 {
			t.Errorf("through a proxy, %s: %s", name, res.Status)
		}
	}
	if res := f.ask("GET", "/", here("localhost"), func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 1, 0 }); res.StatusCode != 403 {
		t.Errorf("through a proxy that says nothing: %s", res.Status)
	}
	if res := f.ask("GET", "/", func(r *http.Request) { r.Host = "localhost" }); res.StatusCode != 403 {
		t.Errorf("from another machine: %s", res.Status)
	}
	if res := f.ask("POST", "/gateways/x/notes", here("localhost"), with("Sec-Fetch-Site", "cross-site")); res.StatusCode != 403 {
		t.Errorf("from a page on the web: %s", res.Status)
	}
	if res := f.ask("GET", "/login", here("localhost")); res.StatusCode != 303 {
		t.Errorf("the page for logging in: %s", res.Status)
	}

	// That ends when a token is made, and does not begin again when it is revoked.
	f.token("ann", View)
	if res := f.ask("GET", "/", here("localhost")); res.StatusCode != 401 {
		t.Errorf("after a token was made: %s", res.Status)
	}
	if err := RevokeToken(t.Context(), f.store, "ann", f.clock.now()); err != nil {
		t.Fatal(err)
	}
	f.start(f.o)
	if res := f.ask("GET", "/", here("localhost")); res.StatusCode != 401 {
		t.Errorf("after it was revoked: %s", res.Status)
	}
}

func TestAuditLog(t *testing.T) {
	f := setUp(t, Options{TLS: true})
	view, work := f.token("grafana", View), f.token("ann", Work)
	f.ask("POST", "/login", form(url.Values{"token": {"clawsonar_" + strings.Repeat("x", 43)}}))
	in := f.login(work)
	f.ask("GET", "/gateways", cookies(in))
	f.ask("GET", "/gateways?format=csv", cookies(in))
	f.ask("GET", "/gateways/0000000000001?token="+view, bearer(view))
	f.ask("GET", "/gateways/0000000000002?t="+strings.Replace(view, "_", "%5f", 1), bearer(view))
	f.ask("POST", "/gateways/0000000000001/notes", cookies(in))
	f.ask("POST", "/gateways/0000000000001/notes", bearer(view))
	f.ask("GET", "/gateways/0000000000001")
	f.ask("POST", "/logout", cookies(in))
	if err := RevokeToken(t.Context(), f.store, "ann", f.clock.now()); err != nil {
		t.Fatal(err)
	}
	f.start(f.o) // all is written
	entries, all, err := f.store.AuditLog(t.Context(), store.Page{})
	var got []string
	for _, e := range entries {
		got = append(got, strings.Join([]string{e.Who, e.Via, e.Addr, e.What, e.Object}, "|"))
		if e.At.IsZero() {
			t.Errorf("%+v", e)
		}
	}
	want := []string{
		"|command||token revoked|ann",
		"ann|token|192.0.2.1|logout|https://board.example/logout",
		"grafana|token|192.0.2.1|refused|POST https://board.example/gateways/0000000000001/notes",
		"ann|token|192.0.2.1|POST|https://board.example/gateways/0000000000001/notes",
		"grafana|token|192.0.2.1|looked|https://board.example/gateways/0000000000002?t=clawsonar_...",
		"grafana|token|192.0.2.1|looked|https://board.example/gateways/0000000000001?token=clawsonar_...",
		"ann|token|192.0.2.1|looked|https://board.example/gateways?format=csv",
		"ann|token|192.0.2.1|login|",
		"||192.0.2.1|login failed|/login",
		"|command||token made|ann (work)",
		"|command||token made|grafana (view)",
	}
	if err != nil || all != len(want) || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%v, %d:\n%s\nwant\n%s", err, all, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	f.token("bea", Work)
	f.clock.add(auditLife - time.Hour)
	f.start(f.o)
	f.start(f.o) // the first has pruned
	if _, all, err = f.store.AuditLog(t.Context(), store.Page{}); err != nil || all != len(want)+1 {
		t.Errorf("before 400 days: %d, %v", all, err)
	}
	f.clock.add(2 * time.Hour)
	f.start(f.o)
	f.start(f.o)
	if _, all, err = f.store.AuditLog(t.Context(), store.Page{}); err != nil || all != 0 {
		t.Errorf("after 400 days: %d, %v", all, err)
	}
}

// A change that cannot be noted is not made.
func TestNoChangeWithoutAudit(t *testing.T) {
	f := setUp(t, Options{TLS: true})
	work := f.token("ann", Work)
	if res := f.ask("POST", "/gateways/x/notes", bearer(work)); res.StatusCode != 200 {
		t.Fatal(res.Status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequest("POST", "https://board.example/gateways/x/notes", nil).WithContext(ctx)
	err := f.logged(r, User{Name: "ann"}, Route{})
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.logged(r, User{Name: "ann"}, Route{}); err == nil {
		t.Error("a database that does not answer is no error")
	}
	f.shut()
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/gateways": 503, "/public": 200} {
		if res := f.ask("GET", path, bearer(work)); res.StatusCode != want {
			t.Errorf("%s without a database: %s", path, res.Status)
		}
	}
}

func TestTokens(t *testing.T) {
	f := setUp(t, Options{TLS: true})
	token := f.token("ann", Work)
	if !strings.HasPrefix(token, "clawsonar_") || len(token) != len("clawsonar_")+43 {
		t.Errorf("%s", token)
	}
	for _, name := range []string{"ann", "", "-x", "a b", "a\n", "<b>", strings.Repeat("x", 61)} {
		if _, err := NewToken(t.Context(), f.store, name, Work, f.clock.now()); err == nil {
			t.Errorf("a token %q was made", name)
		}
	}
	if _, err := NewToken(t.Context(), f.store, "x", Public, f.clock.now()); err == nil {
		t.Error("a token for everybody was made")
	}
	f.ask("GET", "/gateways", bearer(token))
	f.start(f.o)
	all, err := f.store.Tokens(t.Context())
	if err != nil || len(all) != 1 || all[0].Used.IsZero() {
		t.Fatalf("%+v, %v", all, err)
	}
	f.clock.add(30 * time.Second)
	f.ask("GET", "/gateways", bearer(token))
	f.start(f.o)
	if again, err := f.store.Tokens(t.Context()); err != nil || !again[0].Used.Equal(all[0].Used) {
		t.Errorf("written twice in a minute: %+v, %v", again, err)
	}
	if err := RevokeToken(t.Context(), f.store, "nobody", f.clock.now()); err == nil {
		t.Error("a token that is not there was revoked")
	}
}
