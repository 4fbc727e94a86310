package scan_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/policy"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/target"
)

// backend returns a handler that leads to the replica of a capture, as a proxy
// does.
func backend(t *testing.T, capture string) http.Handler {
	t.Helper()
	r := start(t, recorded(t)["openclaw/"+capture+".yaml"])
	to, err := url.Parse("http://" + r.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(to) },
		Transport: &http.Transport{DisableKeepAlives: true},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Server", "nginx/1.22.1")
			return nil
		},
	}
}

// Fronts that hand out answers of others, spread requests over backends, or ask
// for a login here and there. The end-to-end tests have the same with nginx and
// real gateways.
func TestMisleadingFronts(t *testing.T) {
	const (
		openOne  = "openclaw-2026.9.6-none"
		tokenOne = "openclaw-2026.9.6-token"
	)
	basic := always(401, "log in", "WWW-Authenticate", `Basic realm="x"`, "Content-Type", textType, "Server", "nginx/1.22.1")
	login := always(302, "", "Location", "/login", "Server", "nginx/1.22.1")
	upgrade := func(r *http.Request) bool { return r.Header.Get("Upgrade") != "" }
	// front sends each request where choose says.
	front := func(t *testing.T, choose func(*http.Request) http.Handler) *server {
		return web(t, func(w http.ResponseWriter, r *http.Request) { choose(r).ServeHTTP(w, r) })
	}
	for _, c := range []struct {
		name  string
		start func(t *testing.T) *server
		level event.Level

		outcome event.Outcome
		auth    event.AuthState
		mode    event.AuthMode
		note    string // part of a note that must be there
		finding string
	}{
		{name: "the owner's configuration out of a cache", start: func(t *testing.T) *server {
			open, token := backend(t, openOne), backend(t, tokenOne)
			return front(t, func(r *http.Request) http.Handler {
				if strings.HasPrefix(r.URL.Path, "/__openclaw/") {
					return open
				}
				return token
			})
		}, level: event.LevelStandard, outcome: "identified", auth: "unknown", note: "The ways in differ", finding: "auth-unverified"},
		{name: "the same, passive", start: func(t *testing.T) *server {
			open, token := backend(t, openOne), backend(t, tokenOne)
			return front(t, func(r *http.Request) http.Handler {
				if strings.HasPrefix(r.URL.Path, "/__openclaw/") {
					return open
				}
				return token
			})
		}, level: event.LevelPassive, outcome: "identified", auth: "unknown", note: "The ways in differ", finding: "auth-unverified"},
		{name: "a cache that knows the path without the random part as well", start: func(t *testing.T) *server {
			open, token := backend(t, openOne), backend(t, tokenOne)
			return front(t, func(r *http.Request) http.Handler {
				if strings.HasPrefix(r.URL.Path, "/__openclaw/") || r.URL.Path == "/api/channels/_audit" {
					return open
				}
				return token
			})
		}, level: event.LevelStandard, outcome: "identified", auth: "unknown", note: "The ways in differ", finding: "auth-unverified"},
		{name: "a copy of the configuration beside the gateway", start: func(t *testing.T) *server {
			token := backend(t, tokenOne)
			file := always(200, `{"basePath":"","assistantName":"A","assistantAvatar":"A","assistantAvatarStatus":null,"pluginAssetsRequireAuth":false}`, "Content-Type", "application/json", "Server", "nginx/1.22.1")
			return front(t, func(r *http.Request) http.Handler {
				if strings.HasPrefix(r.URL.Path, "/__openclaw/") {
					return file
				}
				return token
			})
		}, level: event.LevelStandard, outcome: "identified", auth: "unknown", note: "The ways in differ", finding: "auth-unverified"},
		{name: "an open and a token gateway in turn, open first", start: func(t *testing.T) *server {
			return inTurn(t, backend(t, openOne), backend(t, tokenOne))
		}, level: event.LevelStandard, outcome: "identified", auth: "open", finding: "auth-missing"},
		{name: "an open and a token gateway in turn, token first", start: func(t *testing.T) *server {
			return inTurn(t, backend(t, tokenOne), backend(t, openOne))
		}, level: event.LevelStandard, outcome: "identified", auth: "open", finding: "auth-missing"},
		{name: "in turn, passive, open first", start: func(t *testing.T) *server {
			return inTurn(t, backend(t, openOne), backend(t, tokenOne))
		}, level: event.LevelPassive, outcome: "identified", auth: "open", note: "The backends differ", finding: "auth-missing"},
		{name: "in turn, old releases", start: func(t *testing.T) *server {
			return inTurn(t, backend(t, "openclaw-2026.3.13-none"), backend(t, "openclaw-2026.3.13-token"))
		}, level: event.LevelStandard, outcome: "identified", auth: "open", finding: "auth-missing"},
		{name: "each connection to another, token first", start: func(t *testing.T) *server {
			return perConnection(t, backend(t, tokenOne), backend(t, openOne))
		}, level: event.LevelStandard, outcome: "identified", auth: "open", note: "The backends differ", finding: "auth-missing"},
		{name: "each connection to another, token first, passive", start: func(t *testing.T) *server {
			return perConnection(t, backend(t, tokenOne), backend(t, openOne))
		}, level: event.LevelPassive, outcome: "identified", auth: "open", note: "The backends differ", finding: "auth-missing"},
		{name: "each connection to another, predecessors", start: func(t *testing.T) *server {
			return perConnection(t, backend(t, "clawdbot-2026.1.24-3-token"), backend(t, "clawdbot-2026.1.24-3-none"))
		}, level: event.LevelStandard, outcome: "identified", auth: "open", note: "The backends differ", finding: "auth-missing"},
		{name: "two that ask", start: func(t *testing.T) *server {
			return perConnection(t, backend(t, tokenOne), backend(t, tokenOne))
		}, level: event.LevelStandard, outcome: "identified", auth: "required"},
		{name: "a login that is skipped on upgrades", start: func(t *testing.T) *server {
			token := backend(t, tokenOne)
			return front(t, func(r *http.Request) http.Handler {
				if upgrade(r) {
					return token
				}
				return basic
			})
		}, level: event.LevelStandard, outcome: "identified", auth: "unknown", note: "skipped for WebSocket", finding: "auth-unverified"},
		{name: "a login everywhere", start: func(t *testing.T) *server {
			return front(t, func(*http.Request) http.Handler { return basic })
		}, level: event.LevelStandard, outcome: "other", auth: "gated", mode: "http-authentication"},
		{name: "401 at / alone over an open gateway", start: func(t *testing.T) *server {
			open := backend(t, openOne)
			return front(t, func(r *http.Request) http.Handler {
				if r.URL.Path == "/" && !upgrade(r) {
					return basic
				}
				return open
			})
		}, level: event.LevelStandard, outcome: "identified", auth: "open", note: "asked for at / alone", finding: "auth-missing"},
		{name: "a redirect at / alone over an open gateway", start: func(t *testing.T) *server {
			open := backend(t, openOne)
			return front(t, func(r *http.Request) http.Handler {
				if r.URL.Path == "/" && !upgrade(r) {
					return login
				}
				return open
			})
		}, level: event.LevelStandard, outcome: "identified", auth: "open", note: "asked for at / alone", finding: "auth-missing"},
		{name: "a redirect at / alone over a token gateway", start: func(t *testing.T) *server {
			token := backend(t, tokenOne)
			return front(t, func(r *http.Request) http.Handler {
				if r.URL.Path == "/" {
					return login
				}
				return token
			})
		}, level: event.LevelStandard, outcome: "identified", auth: "required"},
		{name: "an open gateway, compressed unasked", start: func(t *testing.T) *server {
			r := start(t, recorded(t)["openclaw/"+openOne+".yaml"])
			return web(t, func(w http.ResponseWriter, req *http.Request) { compressed(w, req, r.Addr.String()) })
		}, level: event.LevelStandard, outcome: "identified", auth: "open", finding: "auth-missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, builtin(t), single(c.start(t).addr))
			cfg.Prober.Level = c.level
			ev := one(t, cfg)
			var auth event.Auth
			if ev.Auth != nil {
				auth = *ev.Auth
			}
			if ev.Outcome != c.outcome || auth.State != c.auth || c.mode != "" && auth.Mode != c.mode {
				t.Errorf("%s, auth %+v; want %s, %s %s", ev.Outcome, auth, c.outcome, c.auth, c.mode)
			}
			if c.note != "" && !slices.ContainsFunc(ev.Notes, func(n string) bool { return strings.Contains(n, c.note) }) {
				t.Errorf("no note says %q: %q", c.note, ev.Notes)
			}
			for _, id := range []string{"auth-missing", "auth-unverified"} {
				if has := slices.ContainsFunc(ev.Findings, func(f event.Finding) bool { return f.ID == id }); has != (id == c.finding) {
					t.Errorf("finding %s: %t", id, has)
				}
			}
			if ev.Requests > 12 || ev.Connections > 2 {
				t.Errorf("%d requests on %d connections", ev.Requests, ev.Connections)
			}
			t.Logf("%d requests on %d connections, because of %v", ev.Requests, ev.Connections, auth.Because)
		})
	}
}

// inTurn spreads requests over backends.
func inTurn(t *testing.T, backends ...http.Handler) *server {
	var n atomic.Int32
	return web(t, func(w http.ResponseWriter, r *http.Request) {
		backends[(int(n.Add(1))-1)%len(backends)].ServeHTTP(w, r)
	})
}

// perConnection spreads connections over backends, by the client's port.
func perConnection(t *testing.T, backends ...http.Handler) *server {
	var mu sync.Mutex
	var ports []string
	return web(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		at := slices.Index(ports, r.RemoteAddr)
		if at < 0 {
			at = len(ports)
			ports = append(ports, r.RemoteAddr)
		}
		mu.Unlock()
		backends[at%len(backends)].ServeHTTP(w, r)
	})
}

// compressed answers as the replica at addr does, with gzip.
func compressed(w http.ResponseWriter, req *http.Request, addr string) {
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	out, err := http.NewRequestWithContext(req.Context(), req.Method, "http://"+addr+req.URL.RequestURI(), req.Body)
	if err != nil {
		panic(err)
	}
	out.Header = req.Header
	resp, err := transport.RoundTrip(out)
	if err != nil {
		w.WriteHeader(502)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.Header().Del("Content-Length")
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(resp.StatusCode)
	_, _ = io.WriteString(w, packed(string(body)))
}

// A gateway that serves its page and then goes no further is one that could not
// be judged: it is listed, counted, and fails a gate on coverage. One that
// answers, but as no gateway does, is none.
func TestStalls(t *testing.T) {
	page := always(200, controlPage, "Content-Type", htmlType)
	then := func(rest func(http.ResponseWriter, *http.Request)) func(*testing.T) *server {
		return func(t *testing.T) *server {
			return web(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/" && r.Header.Get("Upgrade") == "" {
					page(w, r)
					return
				}
				rest(w, r)
			})
		}
	}
	stall := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	hijack := func(say string, linger bool) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, say)
			if linger {
				hold(c)
			} else if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
		}
	}
	for _, c := range []struct {
		name    string
		start   func(*testing.T) *server
		judged  bool
		brief   bool // the time is up soon
		because string
	}{
		{name: "says nothing more", start: then(stall), brief: true, because: "no answer in time"},
		{name: "resets every other request", start: then(hijack("", false)), because: "connection reset"},
		{name: "begins an answer and breaks off", start: then(hijack("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{", false)), because: "breaks off"},
		{name: "begins an answer and stalls", start: then(hijack("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{", true)), brief: true, because: "no answer in time"},
		{name: "speaks no HTTP after the page", start: then(hijack("hello\r\n", false)), because: "not HTTP"},
		{name: "the rest in a coding that cannot be read", start: then(always(200, "??", "Content-Type", jsonType, "Content-Encoding", "compress")), because: "cannot be read"},
		{name: "stalls within the page", brief: true, because: "no answer in time", start: func(t *testing.T) *server {
			return web(t, hijack("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9000\r\n\r\n"+controlPage, true))
		}},
		{name: "is slow with every answer", brief: true, because: "", start: then(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(400 * time.Millisecond):
			case <-r.Context().Done():
			}
			always(404, "Not Found", "Content-Type", textType)(w, r)
		})},
		{name: "answers otherwise", judged: true, start: then(always(404, nginx404, "Content-Type", htmlType))},
		{name: "answers otherwise, and accepts a WebSocket that says nothing", judged: true, start: then(socket(always(404, nginx404, "Content-Type", htmlType), func(c net.Conn) {
			_, _ = ws.ReadHeader(c)
		}))},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, builtin(t), single(c.start(t).addr))
			cfg.Prober.Wire = quickWire(cfg.Scope)
			if c.brief {
				cfg.Prober.Timeout = time.Second
			}
			targets, summary := run(t, t.Context(), cfg)
			ev := targets[0]
			gate := &policy.Gate{FailOnIncomplete: true}
			gate.Event(ev)
			gate.Event(&summary)
			if ev.Product == nil || ev.Product.ID != "openclaw" || ev.Product.Confidence != "tentative" || ev.Auth == nil || ev.Auth.State != "unknown" {
				t.Fatalf("%+v, auth %+v", ev.Product, ev.Auth)
			}
			if c.judged {
				if ev.Outcome != "other" || len(ev.Findings) > 0 || len(summary.Auth) > 0 || gate.Exit() != policy.Passed {
					t.Errorf("%s, findings %v, summary %v, exit %d", ev.Outcome, ev.Findings, summary.Auth, gate.Exit())
				}
				return
			}
			if ev.Outcome != "identified" || summary.Auth["unknown"] != 1 || summary.Outcomes["identified"] != 1 || gate.Exit() != policy.Incomplete {
				t.Errorf("%s, summary %v %v, exit %d", ev.Outcome, summary.Outcomes, summary.Auth, gate.Exit())
			}
			var said strings.Builder
			table, err := report.New("table", &said, report.Options{Width: 200})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range []event.Event{ev, &summary} {
				if err := table.Event(e); err != nil {
					t.Fatal(err)
				}
			}
			if err := table.Flush(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(said.String(), "No gateway was found") || !strings.Contains(said.String(), "perhaps OpenClaw") {
				t.Errorf("the report says:\n%s", said.String())
			}
			if len(ev.Findings) != 1 || ev.Findings[0].ID != "auth-unverified" || !strings.Contains(ev.Findings[0].Detail, c.because) {
				t.Errorf("findings %+v", ev.Findings)
			}
			if !slices.ContainsFunc(ev.Notes, func(n string) bool { return strings.Contains(n, "could not be judged") }) {
				t.Errorf("notes %q", ev.Notes)
			}
		})
	}
}

// On its usual port a gateway is found whatever is at /: a page in the place of its
// own, or one of the front's. That is what the second request there is for: no answer
// to the first rules a gateway out. Elsewhere one that says nothing ends it.
func TestUsualPortWhateverThePage(t *testing.T) {
	t.Parallel()
	type place struct {
		name string
		*server
		auth event.AuthState
	}
	var places []place
	var ports []string
	var specs []target.Spec
	pages := map[string]http.HandlerFunc{
		"gateway.controlUi.root, 2026.2.15 to 2026.3.7": always(200, "<html><title>Ours</title></html>", "Content-Type", htmlType, "Cache-Control", "no-cache",
			"X-Frame-Options", "DENY", "Referrer-Policy", "no-referrer"),
		"the same until 2026.2.1": always(200, "<html><title>Ours</title></html>", "Content-Type", htmlType, "Cache-Control", "no-cache"),
		"no assets":               always(503, "Control UI assets not found. Build them with `pnpm ui:build`", "Content-Type", textType),
		"a file of the front's": always(200, "<html><title>Welcome to nginx!</title></html>", "Content-Type", "text/html", "Server", "nginx/1.22.1",
			"Last-Modified", "Tue, 04 Feb 2025 10:00:00 GMT", "ETag", `"67a1e2d0-267"`, "Accept-Ranges", "bytes"),
		"nothing there": always(404, nginx404, "Content-Type", "text/html", "Server", "nginx/1.22.1"),
		"forbidden":     always(403, "Forbidden", "Content-Type", textType),
		"a redirect":    always(301, "", "Location", "https://www.example.org/"),
	}
	for capture, auth := range map[string]event.AuthState{
		"clawdbot-2026.1.24-3-none": event.AuthOpen, "openclaw-2026.1.29-token": event.AuthRequired, "openclaw-2026.3.13-none": event.AuthOpen,
		"openclaw-2026.3.13-token": event.AuthRequired, "openclaw-2026.9.6-none": event.AuthOpen, "openclaw-2026.9.6-token": event.AuthRequired,
	} {
		gateway := backend(t, capture)
		for name, page := range pages {
			s := web(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/" && r.Header.Get("Upgrade") == "" {
					page(w, r)
					return
				}
				gateway.ServeHTTP(w, r)
			})
			places = append(places, place{name + " over " + capture, s, auth})
			ports, specs = append(ports, fmt.Sprint(s.addr.Port())), append(specs, single(s.addr))
		}
	}
	for usual, set := range map[bool]*fingerprint.Set{false: builtin(t), true: at(t, ports, "openclaw.yaml")} {
		targets, _ := run(t, t.Context(), config(t, set, specs...))
		for _, ev := range targets {
			p := places[slices.IndexFunc(places, func(p place) bool { return int(p.addr.Port()) == ev.Target.Port })]
			switch {
			case !usual && (ev.Outcome != event.OutcomeOther || ev.Requests != 1):
				t.Errorf("%s, on another port: %s after %d requests, want other after 1", p.name, ev.Outcome, ev.Requests)
			case usual && (ev.Outcome != event.OutcomeIdentified || ev.Product.ID != "openclaw" || ev.Auth == nil || ev.Auth.State != p.auth):
				t.Errorf("%s: %s, auth %+v; want openclaw, %s", p.name, ev.Outcome, ev.Auth, p.auth)
			}
		}
		if len(targets) != len(places) {
			t.Errorf("%d lines, want %d", len(targets), len(places))
		}
	}
}
