package scan_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gobwas/ws"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/target"
)

const (
	htmlType = "text/html; charset=utf-8"
	textType = "text/plain; charset=utf-8"
	jsonType = "application/json; charset=utf-8"

	// controlPage is what the Control UI's page has for the eye.
	controlPage  = `<!doctype html><html lang="en"><head><title>OpenClaw Control</title></head><body><openclaw-app></openclaw-app></body></html>`
	titlePage    = `<!doctype html><html><head><title>OpenClaw Control</title></head><body>fan page</body></html>`
	unauthorized = `{"error":{"message":"Unauthorized","type":"unauthorized"}}`
	challenge    = `{"type":"event","event":"connect.challenge","payload":{"nonce":"00000000-0000-4000-8000-000000000000","ts":1767225600000}}`
	nginx404     = "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
)

// decoy is a server that is not a gateway, however much it looks like one.
type decoy struct {
	name    string
	start   func(t testing.TB) *server
	outcome event.Outcome
	gated   bool
	// once: it must cost exactly one request on one connection.
	once bool
	// thrice: it asks for a login at /, and so must cost exactly three.
	thrice bool
	// asked names a request that must be made, else the decoy tests nothing.
	asked string
	// slow decoys keep the probe until its deadline.
	slow bool
}

func decoys() []decoy {
	handler := func(h http.HandlerFunc) func(testing.TB) *server {
		return func(t testing.TB) *server { return web(t, h) }
	}
	bytewise := func(handle func(net.Conn)) func(testing.TB) *server {
		return func(t testing.TB) *server { return raw(t, handle) }
	}
	// routes answers by "METHOD /path"; rest answers everything else.
	routes := func(rest http.HandlerFunc, routes map[string]http.HandlerFunc) func(testing.TB) *server {
		return handler(func(w http.ResponseWriter, r *http.Request) {
			if h, ok := routes[r.Method+" "+r.URL.Path]; ok && r.Header.Get("Upgrade") == "" {
				h(w, r)
				return
			}
			rest(w, r)
		})
	}
	page := always(200, controlPage, "Content-Type", htmlType)
	notFound := always(404, "Not Found", "Content-Type", textType)
	postOnly := always(405, "Method Not Allowed", "Content-Type", textType, "Allow", "POST")
	const config = "GET /__openclaw/control-ui-config.json"

	return []decoy{
		// Plain web servers: one request each.
		{name: "nginx welcome page", outcome: event.OutcomeOther, once: true, start: handler(always(200,
			"<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n<body>\n<h1>Welcome to nginx!</h1>\n</body>\n</html>\n",
			"Server", "nginx/1.22.1", "Content-Type", "text/html"))},
		{name: "apache 404", outcome: event.OutcomeOther, once: true, start: handler(always(404,
			"<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>404 Not Found</title>\n</head><body>\n<h1>Not Found</h1>\n<p>The requested URL was not found on this server.</p>\n</body></html>\n",
			"Server", "Apache/2.4.57 (Debian)", "Content-Type", "text/html; charset=iso-8859-1"))},
		{name: "200 html to everything", outcome: event.OutcomeOther, once: true, start: handler(always(200, "<html><body>hello</body></html>", "Content-Type", htmlType))},
		{name: "200 {} to everything", outcome: event.OutcomeOther, once: true, start: handler(always(200, "{}", "Content-Type", jsonType))},
		{name: "live to everything", outcome: event.OutcomeOther, once: true, start: handler(always(200, `{"ok":true,"status":"live"}`, "Content-Type", jsonType))},
		{name: "401 json to everything", outcome: event.OutcomeOther, thrice: true, start: handler(always(401, unauthorized, "Content-Type", jsonType))},
		{name: "401 basic to everything", outcome: event.OutcomeOther, thrice: true, gated: true, start: handler(always(401, "log in", "WWW-Authenticate", `Basic realm="x"`, "Content-Type", textType))},
		{name: "403 to everything", outcome: event.OutcomeOther, once: true, start: handler(always(403, "Forbidden", "Content-Type", textType))},
		{name: "403 json to everything", outcome: event.OutcomeOther, once: true, start: handler(always(403, `{"ok":false,"error":{"type":"forbidden","message":"no"}}`, "Content-Type", jsonType))},
		{name: "405 allow post to everything", outcome: event.OutcomeOther, once: true, start: handler(postOnly)},
		{name: "426 to everything", outcome: event.OutcomeOther, once: true, start: handler(always(426, "Upgrade Required", "Content-Type", textType, "Upgrade", "websocket"))},
		{name: "429 to everything", outcome: event.OutcomeOther, once: true, start: handler(always(429, "slow down", "Content-Type", textType))},
		{name: "500 to everything", outcome: event.OutcomeOther, once: true, start: handler(always(500, "Internal Server Error", "Content-Type", textType))},
		{name: "502 of a proxy", outcome: event.OutcomeOther, once: true, start: handler(always(502, "<html><head><title>502 Bad Gateway</title></head></html>", "Server", "nginx", "Content-Type", "text/html"))},
		{name: "challenge as a plain answer to everything", outcome: event.OutcomeOther, once: true, start: handler(always(200, challenge, "Content-Type", jsonType))},
		{name: "article about the product", outcome: event.OutcomeOther, once: true, start: handler(always(200,
			`<html><head><title>OpenClaw Control - a review</title></head><body><pre>&lt;openclaw-app&gt;</pre><!-- <openclaw-app> --><script>"<openclaw-app>"</script></body></html>`, "Content-Type", htmlType))},
		{name: "redirect loop", outcome: event.OutcomeOther, once: true, start: handler(always(302, "", "Location", "/"))},
		{name: "redirect to https", outcome: event.OutcomeOther, once: true, start: handler(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+r.Host+"/", http.StatusMovedPermanently)
		})},
		{name: "redirect to https, www and a home page", outcome: event.OutcomeOther, once: true, start: handler(always(301, "", "Location", "https://www.example.org/home/?next=/login"))},
		{name: "redirect to a path with a slash", outcome: event.OutcomeOther, once: true, start: handler(always(308, "", "Location", "/authors/"))},
		{name: "redirect to a login from everywhere", outcome: event.OutcomeOther, thrice: true, start: handler(always(302, "", "Location", "/users/sign_in?back=/"))},
		{name: "redirect to another host's login", outcome: event.OutcomeOther, thrice: true, start: handler(always(302, "", "Location", "https://login.example.org/"))},
		{name: "401 at / alone", outcome: event.OutcomeOther, thrice: true, start: routes(always(404, nginx404, "Server", "nginx/1.22.1", "Content-Type", "text/html"),
			map[string]http.HandlerFunc{"GET /": always(401, "log in", "WWW-Authenticate", `Basic realm="x"`, "Content-Type", textType)})},
		{name: "plain page, compressed unasked", outcome: event.OutcomeOther, once: true, start: handler(always(200,
			packed("<html><head><title>Somebody's page</title></head></html>"), "Content-Type", htmlType, "Content-Encoding", "gzip"))},
		{name: "page in a coding that cannot be read", outcome: event.OutcomeProtocolError, once: true, start: handler(always(200,
			"??????", "Content-Type", htmlType, "Content-Encoding", "compress"))},
		{name: "redirect to a metadata service", outcome: event.OutcomeOther, once: true, start: handler(always(302, "", "Location", "http://169.254.169.254/latest/meta-data/"))},

		// What answers to everything in the words that a relative has for one path.
		{name: "says ok to everything", outcome: event.OutcomeOther, once: true, start: handler(always(200, `{"status":"ok"}`, "Content-Type", jsonType))},
		{name: "tells a version on every path", outcome: event.OutcomeOther, once: true, start: handler(always(200, `{"version":"x"}`, "Content-Type", jsonType))},
		{name: "a page for every path, called JSON", outcome: event.OutcomeOther, once: true, start: handler(always(200, "<html><head><title>My app</title></head></html>", "Content-Type", jsonType))},
		{name: "401 in JSON to everything", outcome: event.OutcomeOther, thrice: true, start: handler(always(401, `{"error":"unauthorized"}`, "Content-Type", jsonType))},
		{name: "a relative's title on every path", outcome: event.OutcomeOther, start: handler(always(200, "<html><head><title>ZeroClaw</title></head></html>", "Content-Type", htmlType)), asked: "health"},

		// Things that look like the product's API.
		{name: "404 text to everything", outcome: event.OutcomeOther, asked: "tools-get", start: handler(notFound)},
		{name: "404 text, 401 json to all but the root", outcome: event.OutcomeOther, asked: "tools-get", start: routes(
			always(401, unauthorized, "Content-Type", jsonType), map[string]http.HandlerFunc{"GET /": notFound})},
		{name: "tool service, 401 of its own", outcome: event.OutcomeOther, asked: "tools", start: routes(notFound, map[string]http.HandlerFunc{
			"GET /tools/invoke":  postOnly,
			"POST /tools/invoke": always(401, `{"detail":"Not authenticated"}`, "Content-Type", jsonType)})},
		{name: "tool service, 401 in the product's words", outcome: event.OutcomeOther, asked: "tools", start: routes(notFound, map[string]http.HandlerFunc{
			"GET /tools/invoke":  postOnly,
			"POST /tools/invoke": always(401, unauthorized, "Content-Type", jsonType)})},
		{name: "tool service behind a proxy, 401 in the product's words everywhere", outcome: event.OutcomeOther, asked: "health", start: routes(
			always(401, unauthorized, "Content-Type", jsonType, "Server", "nginx/1.22.1", "X-Content-Type-Options", "nosniff"), map[string]http.HandlerFunc{
				"GET /":             notFound,
				config:              notFound,
				"GET /tools/invoke": postOnly})},
		{name: "tool service, 400 of its own", outcome: event.OutcomeOther, asked: "tools", start: routes(notFound, map[string]http.HandlerFunc{
			"GET /tools/invoke":  postOnly,
			"POST /tools/invoke": always(400, `{"error":{"type":"invalid_request_error","message":"name is required"}}`, "Content-Type", jsonType)})},
		{name: "tool service, 200", outcome: event.OutcomeOther, asked: "tools", start: routes(notFound, map[string]http.HandlerFunc{
			"GET /tools/invoke":  postOnly,
			"POST /tools/invoke": always(200, `{"ok":true}`, "Content-Type", jsonType)})},

		// Things that look like the product's page.
		{name: "title on the root only", outcome: event.OutcomeOther, asked: "tools", start: routes(notFound, map[string]http.HandlerFunc{
			"GET /": always(200, titlePage, "Content-Type", htmlType)})},
		{name: "title on every path", outcome: event.OutcomeOther, asked: "tools", start: handler(always(200, titlePage, "Content-Type", htmlType))},
		{name: "page on every path", outcome: event.OutcomeOther, asked: "tools", start: handler(page)},
		{name: "static copy with the release in it", outcome: event.OutcomeOther, asked: "sw", start: routes(
			func(w http.ResponseWriter, r *http.Request) {
				status := 404
				if r.Method != "GET" {
					status = 405 // as nginx answers for files, without Allow
				}
				always(status, nginx404, "Server", "nginx/1.22.1", "Content-Type", "text/html")(w, r)
			},
			map[string]http.HandlerFunc{
				"GET /":      page,
				"GET /sw.js": always(200, `EMBEDDED_CACHE_VERSION = "2026.9.6-release-eb377ac59e6c-2026-09-23T16-33-12.144Z";`, "Content-Type", "text/javascript"),
			})},
		{name: "page, other keys in the configuration", outcome: event.OutcomeOther, asked: "config", start: routes(notFound, map[string]http.HandlerFunc{
			"GET /": page,
			config:  always(200, `{"basePath":"","theme":"dark","pluginAssetsRequireAuth":false}`, "Content-Type", jsonType)})},
		{name: "page, health json elsewhere", outcome: event.OutcomeOther, asked: "tools", start: routes(
			always(200, `{"ok":true,"status":"live"}`, "Content-Type", jsonType), map[string]http.HandlerFunc{"GET /": page})},
		{name: "page, 401 json of its own elsewhere", outcome: event.OutcomeOther, asked: "tools", start: routes(
			always(401, `{"error":{"message":"Unauthorized","type":"authentication_error"}}`, "Content-Type", jsonType), map[string]http.HandlerFunc{"GET /": page})},
		{name: "page, reflection elsewhere", outcome: event.OutcomeOther, asked: "tools", start: routes(
			func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				w.Header().Set("Content-Type", jsonType)
				fmt.Fprintf(w, `{"method":%q,"path":%q,"scopes":%q,"body":%q}`, r.Method, r.URL.Path, r.Header.Get("X-OpenClaw-Scopes"), body)
			}, map[string]http.HandlerFunc{"GET /": page})},

		// WebSocket servers.
		{name: "websocket echo", outcome: event.OutcomeOther, asked: "challenge", start: handler(socket(page, func(c net.Conn) { _, _ = io.Copy(c, c) }))},
		{name: "websocket, other json first", outcome: event.OutcomeOther, asked: "challenge", start: handler(socket(page, func(c net.Conn) {
			_ = ws.WriteFrame(c, ws.NewTextFrame([]byte(`{"type":"event","event":"welcome","payload":{"nonce":"x","ts":1}}`)))
			hold(c)
		}))},
		{name: "websocket, challenge without a nonce", outcome: event.OutcomeOther, asked: "challenge", start: handler(socket(page, func(c net.Conn) {
			_ = ws.WriteFrame(c, ws.NewTextFrame([]byte(`{"type":"event","event":"connect.challenge","payload":{}}`)))
			hold(c)
		}))},

		{name: "websocket, the challenge after a wrong accept", outcome: event.OutcomeOther, asked: "challenge", start: handler(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "" {
				page(w, r)
				return
			}
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
			_ = ws.WriteFrame(c, ws.NewTextFrame([]byte(challenge)))
			hold(c)
		})},

		// TLS.
		{name: "tls, the product's certificate, another page", outcome: event.OutcomeOther, asked: "tools-get", start: func(t testing.TB) *server {
			return web(t, always(200, "<html><head><title>intranet</title></head></html>", "Content-Type", htmlType), selfSigned(t, "openclaw-gateway"))
		}},

		// Not HTTP, or HTTP that goes too far.
		{name: "ssh", outcome: event.OutcomeProtocolError, start: bytewise(greet("SSH-2.0-OpenSSH_9.6\r\n"))},
		{name: "smtp", outcome: event.OutcomeProtocolError, start: bytewise(greet("220 mail.example.org ESMTP\r\n"))},
		{name: "closes at once", outcome: event.OutcomeReset, start: bytewise(func(net.Conn) {})},
		{name: "resets at once", outcome: event.OutcomeReset, start: bytewise(reset)},
		{name: "gzip bomb", outcome: event.OutcomeOther, asked: "tools", start: func(t testing.TB) *server {
			return web(t, always(200, bomb(), "Content-Type", htmlType, "Content-Encoding", "gzip"))
		}},
		{name: "endless header", outcome: event.OutcomeProtocolError, start: bytewise(func(c net.Conn) {
			endless(c, "HTTP/1.1 200 OK\r\n", strings.Repeat("X-More: and more\r\n", 100))
		})},
		{name: "header of a megabyte", outcome: event.OutcomeProtocolError, start: bytewise(func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX-Big: "+strings.Repeat("a", 1<<20)+"\r\nContent-Length: 0\r\n\r\n")
			hold(c)
		})},
		{name: "endless body", outcome: event.OutcomeOther, once: true, start: bytewise(func(c net.Conn) {
			endless(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", strings.Repeat("<p>more", 1000))
		})},
		{name: "endless chunks", outcome: event.OutcomeOther, once: true, start: bytewise(func(c net.Conn) {
			endless(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\nx\r\n", 500))
		})},
		{name: "endless interim answers", outcome: event.OutcomeProtocolError, start: bytewise(func(c net.Conn) {
			endless(c, "", "HTTP/1.1 103 Early Hints\r\n\r\n")
		})},
		{name: "accepts and says nothing", outcome: event.OutcomeSilent, slow: true, start: bytewise(hold)},
		{name: "header byte by byte", outcome: event.OutcomeSilent, slow: true, start: bytewise(func(c net.Conn) {
			drip(c, "HTTP/1.1 200 OK\r\n")
		})},
		{name: "page byte by byte", outcome: event.OutcomeOther, slow: true, start: bytewise(func(c net.Conn) {
			drip(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n")
		})},
	}
}

// socket accepts WebSocket openings and hands the connection on; anything else
// is answered by rest.
func socket(rest http.HandlerFunc, handle func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			rest(w, r)
			return
		}
		c, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		defer c.Close()
		handle(c)
	}
}

// endless sends first, then more until the connection ends.
func endless(c net.Conn, first, more string) {
	_, err := io.WriteString(c, first)
	for err == nil {
		_, err = io.WriteString(c, more)
	}
}

// drip sends first, then a byte now and then.
func drip(c net.Conn, first string) {
	_, err := io.WriteString(c, first)
	for err == nil {
		time.Sleep(20 * time.Millisecond)
		_, err = io.WriteString(c, "a")
	}
}

// packed is text, compressed.
func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	w.Close()
	return b.String()
}

// bomb is the product's page and eight megabytes of nothing, compressed.
func bomb() string {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is a valid one
	_, _ = io.WriteString(w, controlPage)
	_, _ = w.Write(make([]byte, 8<<20))
	w.Close()
	return b.String()
}

func selfSigned(t testing.TB, name string) func(net.Listener) net.Listener {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return func(l net.Listener) net.Listener { return tls.NewListener(l, config) }
}

// at returns the built-in fingerprints as if these ports were the products' own,
// or that of one file: there the plan asks more.
func at(t testing.TB, ports []string, only ...string) *fingerprint.Set {
	t.Helper()
	fsys := fstest.MapFS{}
	line := regexp.MustCompile(`(?m)^ports: \[.*\]$`)
	replaced := 0
	err := fs.WalkDir(fingerprints.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fingerprints.FS, name)
		if len(only) > 0 && !slices.Contains(only, name) {
			fsys[name] = &fstest.MapFile{Data: data}
			return err
		}
		replaced += len(line.FindAll(data, -1))
		fsys[name] = &fstest.MapFile{Data: line.ReplaceAll(data, []byte("ports: ["+strings.Join(ports, ", ")+"]"))}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if replaced == 0 {
		t.Fatal("no fingerprint has a line ports: […]")
	}
	set, err := fingerprint.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// No decoy is taken for a gateway or raises a finding, on a port of nobody's
// and on the product's own; each gets one line, and the run continues.
func TestDecoys(t *testing.T) {
	for _, slow := range []bool{false, true} {
		for _, own := range []bool{false, true} {
			t.Run(fmt.Sprintf("slow=%t,own-port=%t", slow, own), func(t *testing.T) {
				t.Parallel()
				testDecoys(t, slow, own)
			})
		}
	}
}

func testDecoys(t *testing.T, slow, own bool) {
	var table []decoy
	for _, d := range decoys() {
		if d.slow == slow {
			table = append(table, d)
		}
	}
	servers := make([]*server, len(table))
	var ports []string
	var specs []target.Spec
	for i, d := range table {
		servers[i] = d.start(t)
		ports = append(ports, fmt.Sprint(servers[i].addr.Port()))
		specs = append(specs, single(servers[i].addr))
	}
	set := builtin(t)
	if own {
		set = at(t, ports)
	}
	cfg := config(t, set, specs...)
	cfg.Prober.Wire = quickWire(cfg.Scope)
	if slow {
		cfg.Prober.Timeout = time.Second
	}
	targets, summary := run(t, t.Context(), cfg)
	if len(targets) != len(table) || summary.Targets != int64(len(table)) || !summary.Complete || len(summary.Auth) > 0 {
		t.Errorf("%d decoys made %d lines; summary %+v", len(table), len(targets), summary)
	}
	var report strings.Builder
	for i, d := range table {
		t.Run(d.name, func(t *testing.T) {
			at := slices.IndexFunc(targets, func(ev *event.Target) bool { return ev.Target.Port == int(servers[i].addr.Port()) })
			if at < 0 {
				t.Fatal("no line")
			}
			ev := targets[at]
			targets = slices.Delete(targets, at, at+1)
			d.judge(t, ev, servers[i], own)
			confidence := event.Confidence("-")
			if ev.Product != nil {
				confidence = ev.Product.Confidence
			}
			fmt.Fprintf(&report, "%-45s %-14s %-9s %2d on %d\n", d.name, ev.Outcome, confidence, ev.Requests, ev.Connections)
		})
	}
	t.Log("\n" + report.String())
}

func (d *decoy) judge(t *testing.T, ev *event.Target, s *server, own bool) {
	if ev.Outcome != d.outcome {
		t.Errorf("outcome is %q (%s), want %q", ev.Outcome, ev.Error, d.outcome)
	}
	if p := ev.Product; p != nil && p.Confidence != "tentative" {
		t.Errorf("taken for %s (%s) because of %v", p.ID, p.Confidence, p.Because)
	}
	var auth event.AuthState
	if ev.Auth != nil && ev.Auth.State != "unknown" {
		auth = ev.Auth.State
	}
	if want := map[bool]event.AuthState{true: "gated"}[d.gated]; auth != want {
		t.Errorf("auth is %q, want %q", auth, want)
	}
	for _, f := range ev.Findings {
		if f.Severity != event.Info {
			t.Errorf("finding %s (%s): %s", f.ID, f.Severity, f.Detail)
		}
	}
	if ev.Requests > 12 {
		t.Errorf("%d requests", ev.Requests)
	}
	if got := int(s.accepts.Load()); got != ev.Connections {
		t.Errorf("the line says %d connections, the server saw %d", ev.Connections, got)
	}
	// On the product's own port it may be asked for more.
	if d.once && !own && (ev.Requests != 1 || ev.Connections != 1) {
		t.Errorf("%d requests on %d connections, want 1 on 1", ev.Requests, ev.Connections)
	}
	if d.thrice && !own && (ev.Requests != 3 || ev.Connections != 1) {
		t.Errorf("%d requests on %d connections, want 3 on 1", ev.Requests, ev.Connections)
	}
	asked := func(id string) bool {
		return slices.ContainsFunc(ev.Evidence, func(e event.Evidence) bool { return e.ID == id })
	}
	if d.asked != "" && !asked(d.asked) {
		t.Errorf("%s was never asked for: this decoy tests nothing", d.asked)
	}
	for _, e := range ev.Evidence {
		if e.Bytes > 1<<20 {
			t.Errorf("%d bytes were kept of the answer to %s", e.Bytes, e.ID)
		}
	}
}

// A redirect is an answer like any other: where it points is not contacted.
func TestRedirectNotFollowed(t *testing.T) {
	trap := web(t, always(200, controlPage, "Content-Type", htmlType))
	for _, to := range []string{"http://" + trap.addr.String() + "/", "//" + trap.addr.String()} {
		s := web(t, always(http.StatusTemporaryRedirect, "", "Location", to))
		ev := one(t, config(t, builtin(t), single(s.addr)))
		if ev.Outcome != "other" || s.requests.Load() != 1 || s.accepts.Load() != 1 {
			t.Errorf("%s: outcome %q, %d requests on %d connections", to, ev.Outcome, s.requests.Load(), s.accepts.Load())
		}
		if ev.Evidence[0].Facts["location"] != to {
			t.Errorf("the line does not say where the redirect points: %v", ev.Evidence[0].Facts)
		}
	}
	if n := trap.accepts.Load(); n != 0 {
		t.Errorf("the redirects' target was contacted %d times", n)
	}
}
