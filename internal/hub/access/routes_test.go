package access_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/machine"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/hub/web"
)

// Every route of the hub as it is, the pages' and the machines', asked by everybody: the
// table is the router's. Who may not, learns nothing; who may, is never sent away.
func TestEveryRouteOfTheHub(t *testing.T) {
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "board.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	board, err := web.New(web.Config{Data: s, Now: clock, Log: log, Streams: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	routes := append(board.Routes(), machine.Routes(machine.Options{Data: s, Now: clock, Log: log, Prober: machine.NewWatchProber(nil)})...)
	hub, err := access.New(ctx, routes, access.Options{
		Store: s, Now: clock, Log: log, TLS: true, URL: &url.URL{Scheme: "https", Host: "board.example"}, Chrome: board.Chrome, Lang: web.Lang,
		OIDC: &access.OIDC{Issuer: "http://127.0.0.1:1", ClientID: "board", Allow: access.Members{Users: []string{"nobody"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	tokens := map[string]string{}
	for name, role := range map[string]access.Role{"view": access.View, "work": access.Work, "revoked": access.Work} {
		if tokens[name], err = access.NewToken(ctx, s, name, role, now); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(method, path string, change ...func(*http.Request)) *http.Response {
		r := httptest.NewRequest(method, "https://board.example"+path, strings.NewReader(""))
		for _, c := range change {
			c(r)
		}
		w := httptest.NewRecorder()
		hub.ServeHTTP(w, r)
		return w.Result()
	}
	people := func(r *http.Request) { r.Header.Set("Accept", "text/html") }
	bearer := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+tokens[name]) }
	}
	login := func(name string) func(*http.Request) {
		in := ask("POST", "/login", func(r *http.Request) { r.PostForm, r.Form = url.Values{"token": {tokens[name]}}, url.Values{} })
		if len(in.Cookies()) != 1 {
			t.Fatalf("login as %s: %s", name, in.Status)
		}
		return func(r *http.Request) { r.AddCookie(in.Cookies()[0]); people(r) }
	}
	viewer, worker, ended := login("view"), login("work"), login("revoked")
	if err := access.RevokeToken(ctx, s, "revoked", now); err != nil {
		t.Fatal(err)
	}
	wild := regexp.MustCompile(`\{[a-z]+\}`)
	for _, route := range hub.Routes() {
		method, path, _ := strings.Cut(route.Pattern, " ")
		path = wild.ReplaceAllString(strings.Replace(path, "{$}", "", 1), "0000000000001")
		if path == "/probe" {
			path += "?watch=a&watch=b" // refused before anything is contacted
		}
		for _, who := range []struct {
			name   string
			role   access.Role
			change func(*http.Request)
		}{
			{"nobody, a program", access.Public, func(*http.Request) {}},
			{"nobody, a browser", access.Public, people},
			{"a view token", access.View, bearer("view")},
			{"a work token", access.Work, bearer("work")},
			{"a view session", access.View, viewer},
			{"a work session", access.Work, worker},
			{"a revoked token", access.Public, bearer("revoked")},
			{"the session of a revoked token", access.Public, ended},
			{"a page of another site", 0, func(r *http.Request) { worker(r); r.Header.Set("Origin", "https://evil.example") }},
		} {
			now = now.Add(time.Second * 13) // no limit on wrong tokens
			res := ask(method, path, who.change)
			toLogin := strings.HasPrefix(res.Header.Get("Location"), "/login?next=")
			switch {
			case who.role == 0 && method != "GET":
				if res.StatusCode != 403 {
					t.Errorf("%s, %s: %s", route.Pattern, who.name, res.Status)
				}
			case who.role == 0:
			case who.role >= route.Needs:
				// A probe takes no cookie; a failed login is refused by its own page.
				own := strings.HasPrefix(path, "/probe") && res.StatusCode == 401 || strings.HasPrefix(path, "/login") && res.StatusCode == 403
				if (res.StatusCode == 401 || res.StatusCode == 403 || toLogin) && !own {
					t.Errorf("%s, %s: sent away: %s", route.Pattern, who.name, res.Status)
				}
			case who.role != access.Public:
				if res.StatusCode != 403 {
					t.Errorf("%s, %s: %s, want 403", route.Pattern, who.name, res.Status)
				}
			default:
				if res.StatusCode != 401 && (res.StatusCode != 303 || !toLogin) {
					t.Errorf("%s, %s: %s", route.Pattern, who.name, res.Status)
				}
			}
			if csp := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
				t.Errorf("%s, %s: policy %q", route.Pattern, who.name, csp)
			}
		}
	}
}
