package cli_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// Every secret that is planted holds one of these. A certificate is public by
// nature: who connects is shown it, so its secrets count with -redact alone. So is
// the host that a redirect leads to.
const (
	letters = "zqcanaryxk"
	digits  = "7391846"
	public  = "zqopenlyxk"
)

// garden is where secrets are planted.
type garden struct {
	mu     sync.Mutex
	places map[string]int  // how often something that holds it was sent
	sums   map[string]bool // of the bodies that were sent: the first half of SHA-256
}

// plant returns a secret of its own for a place.
func (g *garden) plant(place string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.places[place]++
	return fmt.Sprintf("%s%dq", letters, len(place)*1000+g.places[place]%1000)
}

// code is the same of digits alone.
func (g *garden) code(place string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.places[place+" (digits)"]++
	return digits + "42"
}

// canaryAnswer is what a hostile server says to one request.
type canaryAnswer struct {
	status int
	header []string
	body   string
	rude   string // sent as it is, instead
	torn   bool   // the body breaks off
}

// soil adds secrets wherever an answer has a place for one.
func (g *garden) soil(a canaryAnswer) canaryAnswer {
	add := func(format string, args ...any) { a.header = append(a.header, fmt.Sprintf(format, args...)) }
	p := g.plant
	add("X-%s: 1", p("name of a field"))
	add("X-Debug-Token: %s", p("value of a field"))
	add("Set-Cookie: %s=%s; Path=/%s", p("name of a cookie"), p("cookie"), p("path of a cookie"))
	add("Via: 1.1 %s", p("Via"))
	add("ETag: %q", p("ETag"))
	add("Link: </%s>; rel=%s", p("Link"), p("rel of Link"))
	add("Strict-Transport-Security: max-age=31536000; %s; preload; x=%s", p("HSTS"), p("value in HSTS"))
	add("Content-Security-Policy: default-src %s; report-uri /%s", p("CSP"), p("report in CSP"))
	add("Refresh: 0; url=/%s", p("Refresh"))
	add("Retry-After: %s", p("Retry-After"))
	add("Content-Language: %s", p("Content-Language"))
	add("Server-Timing: %s", p("Server-Timing"))
	add("X-Request-Id: %s", g.code("id of the request"))
	if !slices.ContainsFunc(a.header, func(h string) bool { return strings.HasPrefix(h, "Server:") }) {
		add("Server: nginx/1.22.1 (%s) %s/%s PHP/%s", p("comment of Server"), p("product in Server"), p("its version"), p("version of PHP"))
	}
	if a.status == 401 {
		add("WWW-Authenticate: Digest realm=%q, nonce=%q, opaque=%q, domain=/%s", p("realm"), p("nonce"), p("opaque"), p("domain"))
		add("WWW-Authenticate: Bearer error_description=%q", p("error_description"))
	}
	switch {
	case strings.HasPrefix(a.body, "{") && a.body != "{}":
		a.body = fmt.Sprintf(`{%q:%q,%q:{%q:[%q]},%q:%s,`, p("key"), p("value"), "nested", p("nested key"), p("nested value"), p("key of a number"), g.code("number")) + a.body[1:]
	case strings.Contains(a.body, "<html"):
		a.body = strings.Replace(a.body, "<html", fmt.Sprintf("<html data-%s=%q data-user=%q", p("name of an attribute"), p("attribute"), p("another attribute")), 1)
		a.body += fmt.Sprintf(`<meta name=%q content=%q><!-- %s --><p>%s</p><%s-app></%s-app><a href="/claw?%s">x</a><script src="assets/%s.js"></script><script>var t=%q</script>`,
			p("name of meta"), p("meta"), p("comment"), p("text"), p("element"), p("element"), p("query of a link"), p("script"), p("inline script"))
	}
	return a
}

// send writes an answer: chunked, with extensions and trailers.
func (g *garden) send(c net.Conn, req *http.Request, a canaryAnswer) {
	if a.rude != "" {
		fmt.Fprint(c, a.rude)
		return
	}
	var b bytes.Buffer
	reason := g.plant("reason of the status")
	if a.status == 101 {
		sum := sha1.Sum([]byte(req.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(&b, "HTTP/1.1 101 %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n", reason, base64.StdEncoding.EncodeToString(sum[:]))
		for _, h := range a.header {
			fmt.Fprintf(&b, "%s\r\n", h)
		}
		b.WriteString("\r\n")
		_, _ = c.Write(b.Bytes())
		_ = ws.WriteFrame(c, ws.NewPingFrame([]byte(g.plant("ping"))))
		_ = ws.WriteFrame(c, ws.NewTextFrame([]byte(a.body)))
		if h, err := ws.ReadHeader(c); err == nil && !h.OpCode.IsControl() { // the device was introduced
			_, _ = bufio.NewReader(c).Discard(int(h.Length))
			_ = ws.WriteFrame(c, ws.NewTextFrame(fmt.Appendf(nil, `{"type":"res","ok":false,"id":"1","error":{"code":%q,"message":"unauthorized: gateway token missing %s","details":{"authReason":%q}}}`,
				g.plant("code of a frame"), g.plant("message of a frame"), g.plant("reason of a frame"))))
		}
		_ = ws.WriteFrame(c, ws.NewCloseFrame(ws.NewCloseFrameBody(1008, g.plant("reason of the close"))))
		return
	}
	g.mu.Lock()
	sum := sha256.Sum256([]byte(a.body))
	g.sums[hex.EncodeToString(sum[:8])] = true
	g.mu.Unlock()
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nTrailer: X-%s\r\n", a.status, reason, g.plant("Trailer"))
	for _, h := range a.header {
		fmt.Fprintf(&b, "%s\r\n", h)
	}
	b.WriteString("\r\n")
	if a.body != "" {
		fmt.Fprintf(&b, "%x;%s=%s\r\n%s", len(a.body), g.plant("name of a chunk extension"), g.plant("chunk extension"), a.body)
		if a.torn {
			b.Truncate(b.Len() - 1)
			_, _ = c.Write(b.Bytes())
			return
		}
		b.WriteString("\r\n")
	}
	fmt.Fprintf(&b, "0\r\nX-%s: %s\r\n\r\n", g.plant("name of a trailer"), g.plant("trailer"))
	_, _ = c.Write(b.Bytes())
}

// serve answers requests on a listener until the end of the test.
func (g *garden) serve(t *testing.T, l net.Listener, say func(*http.Request) canaryAnswer) {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				req, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				a := say(req)
				if a.rude == "" {
					a = g.soil(a)
				}
				g.send(c, req, a)
			}()
		}
	}()
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// like answers as a recorded program does, and for the rest as web servers do.
// change is given each body.
func like(t *testing.T, file string, change func(body string) string) func(*http.Request) canaryAnswer {
	t.Helper()
	data, err := captures.FS.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := evidence.LoadCapture(data, file)
	if err != nil {
		t.Fatal(err)
	}
	return func(req *http.Request) canaryAnswer {
		opening := strings.EqualFold(req.Header.Get("Upgrade"), "websocket")
		for _, x := range c.Exchanges {
			if x.WebSocket == opening && x.Reply == "" && x.Method == req.Method && x.Path == req.URL.RequestURI() {
				return canaryAnswer{status: x.Status, header: slices.DeleteFunc(slices.Clone(x.Header), func(h string) bool {
					return strings.HasPrefix(h, "Content-Length:") || strings.HasPrefix(h, "Strict-Transport") || strings.ContainsAny(h, "\n")
				}), body: change(x.Body)}
			}
		}
		return canaryAnswer{status: 404, header: []string{"Content-Type: application/json"}, body: `{"error":"not found"}`}
	}
}

func asIs(body string) string { return body }

// nursery starts the servers and returns their targets.
func (g *garden) nursery(t *testing.T) []string {
	t.Helper()
	p := g.plant
	var targets []string
	start := func(say func(*http.Request) canaryAnswer) {
		l := loopback(t)
		g.serve(t, l, say)
		targets = append(targets, l.Addr().String())
	}
	always := func(make func() canaryAnswer) { start(func(*http.Request) canaryAnswer { return make() }) }

	// Gateways: open, with a token, and one that says more than it should.
	start(like(t, "openclaw/openclaw-2026.9.6-none.yaml", asIs))
	start(like(t, "openclaw/openclaw-2026.6.11-token.yaml", asIs))
	always(func() canaryAnswer {
		return canaryAnswer{status: 403, header: []string{"Content-Type: application/json"},
			body: fmt.Sprintf(`{"error":{"type":"proxy_attribution_required","message":"Proxy client attribution is required %s"}}`, p("end of a message"))}
	})
	start(like(t, "openclaw/openclaw-2026.9.6-none.yaml", func(body string) string {
		body = strings.ReplaceAll(body, `"serverVersion":"2026.9.6"`, fmt.Sprintf(`"serverVersion":"2026.9.6-%s"`, p("release")))
		body = strings.ReplaceAll(body, "2026.9.6-release-eb377ac59e6c-2026", "2026.9.6-"+p("build")+"-2026")
		return strings.ReplaceAll(body, "connect.challenge", p("event"))
	}))
	// Relatives.
	start(like(t, "librefang/open-mode-none.yaml", func(body string) string {
		return strings.ReplaceAll(body, `"2026.8.1"`, fmt.Sprintf(`"2026.8.1 %s"`, p("version of a relative")))
	}))
	start(like(t, "moltis/open.yaml", func(body string) string {
		return strings.ReplaceAll(body, `"version":"`, fmt.Sprintf(`"version":"%s `, p("another version of a relative")))
	}))
	start(like(t, "hermes-webui/open-exp.yaml", asIs))
	// Servers that are none of ours.
	html := []string{"Content-Type: text/html; charset=utf-8"}
	object := []string{"Content-Type: application/json"}
	always(func() canaryAnswer {
		return canaryAnswer{status: 200, header: html, body: "<!doctype html><html><title>Your pairing code is " + p("title") + " " + g.code("title") + "</title><h1>x</h1></html>"}
	})
	always(func() canaryAnswer { return canaryAnswer{status: 200, header: html, body: g.code("body")} })
	always(func() canaryAnswer {
		return canaryAnswer{status: 302, header: append(html, fmt.Sprintf("Location: https://%s:%s@login.example:8443/reset/%s/login;%s?token=%s&%s#%s",
			p("user in Location"), p("password in Location"), p("path of Location"), p("parameter of Location"), p("query of Location"), p("name in the query of Location"), p("fragment of Location")))}
	})
	for _, format := range []string{"/%s", "//login.example/%s", "%s", "?%s", "javascript:%s", "/openclaw/%s", "/%%7a%s", "http://[%s", "/login?next=%s", "https://host.example:80%s/", "mailto:%s@x.example"} {
		always(func() canaryAnswer {
			return canaryAnswer{status: 303, header: append(html, "Location: "+fmt.Sprintf(format, p("Location like "+format)))}
		})
	}
	always(func() canaryAnswer { return canaryAnswer{status: 401, header: html, body: "<html>401</html>"} })
	for _, format := range []string{"Basic realm=\"%s\"", "%s", "%s realm=x", "Basic %s", "Bearer,%s", "Basic\t%s"} {
		always(func() canaryAnswer {
			return canaryAnswer{status: 401, header: append(html, "WWW-Authenticate: "+fmt.Sprintf(format, p("challenge like "+format)))}
		})
	}
	for _, format := range []string{"%s", "%s/1.0", "nginx/%s", "nginx-%s", "Apache (%s)", "Caddy %s", "Google Frontend %s"} {
		always(func() canaryAnswer {
			return canaryAnswer{status: 200, header: append(html, "Server: "+fmt.Sprintf(format, p("Server like "+format))), body: "x"}
		})
	}
	always(func() canaryAnswer {
		return canaryAnswer{status: 200, header: append(html, "Server: nginx/"+g.code("version of Server")), body: "x"}
	})
	always(func() canaryAnswer {
		return canaryAnswer{status: 500, header: object, body: fmt.Sprintf(`{"error":{"type":%q,"message":"no such token: %s %s"},"event":%q,"ok, and 3 unknown %s":1}`,
			p("error.type"), p("error.message"), g.code("error.message"), p("event"), p("key with commas"))}
	})
	always(func() canaryAnswer {
		return canaryAnswer{status: 500, header: object, body: fmt.Sprintf(`{"error":{"type":"not_found","message":"Session not found: %s"}}`, p("end of error.message"))}
	})
	always(func() canaryAnswer {
		return canaryAnswer{status: 200, header: html, body: "<html>" + p("torn body"), torn: true}
	})
	always(func() canaryAnswer {
		return canaryAnswer{status: 200, header: []string{"Content-Type: " + p("media type"), "Content-Encoding: " + p("coding")}, body: p("body")}
	})
	for _, format := range []string{"%s\r\n", "HTTP/1.1 %s OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\nx", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n", "SSH-2.0-%s\r\n", "RFB %s\n"} {
		always(func() canaryAnswer { return canaryAnswer{rude: fmt.Sprintf(format, p("no HTTP like "+format))} })
	}
	targets = append(targets, g.screen(t)...)
	return append(targets, g.certificates(t)...)
}

// screen starts VNC servers: one that has no security types and says why, one that
// offers some.
func (g *garden) screen(t *testing.T) []string {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil // needs all of 127.0.0.0/8 to be loopback
	}
	var out []string
	for i, after := range []func() string{
		func() string { s := g.plant("reason of RFB"); return "\x00\x00\x00\x00" + string(rune(len(s))) + s },
		func() string { return "\x02\x01\x02\x00\x00\x00\x20" + g.plant("name of a desktop") },
	} {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.88.0.%d:5900", i+1))
		if err != nil {
			t.Log(err)
			continue
		}
		t.Cleanup(func() { l.Close() })
		out = append(out, l.Addr().String())
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprint(c, "RFB 003.008\n")
				_, _ = c.Read(make([]byte, 12))
				fmt.Fprint(c, after())
				c.Close()
			}
		}()
	}
	return out
}

// certificates starts servers with TLS: of a gateway whose certificate is out of
// date and for another name, of one that signs it itself, and one that nobody can
// read.
func (g *garden) certificates(t *testing.T) []string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	make := func(cn string, change func(*x509.Certificate), parent *x509.Certificate) tls.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().AddDate(0, -6, 0), NotAfter: time.Now().AddDate(0, 6, 0),
			Subject: pkix.Name{CommonName: cn, Organization: []string{public + " org"}, OrganizationalUnit: []string{strings.Repeat("long ", 30) + public}}}
		change(c)
		if parent == nil {
			parent = c
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	authority := &x509.Certificate{SerialNumber: big.NewInt(2), IsCA: true, BasicConstraintsValid: true, Subject: pkix.Name{CommonName: public + " root", Organization: []string{"The " + public}}}
	bad := append([]byte{0x30, byte(2 + 9 + len(letters)), 0x86, byte(9 + len(letters))}, "http://[ "+letters...)
	var out []string
	for _, cert := range []tls.Certificate{
		make(public+".example", func(c *x509.Certificate) {
			c.DNSNames = []string{public + ".example", "mail." + public + ".example", strings.Repeat("x", 60) + "." + public + ".example"}
			c.NotBefore, c.NotAfter = time.Date(2019, 3, 17, 1, 2, 3, 0, time.UTC), time.Date(2020, 3, 17, 4, 5, 6, 0, time.UTC)
		}, authority),
		make(public+"-self", func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }, nil),
		make("unreadable", func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 17}, Value: bad}} }, nil),
	} {
		l := loopback(t)
		g.serve(t, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}}), like(t, "openclaw/openclaw-2026.9.6-none.yaml", asIs))
		_, port, _ := net.SplitHostPort(l.Addr().String())
		out = append(out, "https://localhost:"+port, "https://127.0.0.1:"+port)
	}
	return out
}

// forms are how a secret could show.
func forms(core string) []string {
	out := []string{core, hex.EncodeToString([]byte(core))}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("_", shift) + core))
		text = strings.TrimRight(text, "=")
		// The ends depend on what stands beside it.
		out = append(out, strings.ToLower(text[(shift*8+5)/6:len(text)-1]))
	}
	return out
}

var longHex = regexp.MustCompile(`[0-9a-f]{16,}`)

// show fails for every secret that is in a text.
func (g *garden) show(t *testing.T, where, text string, cores ...string) {
	t.Helper()
	text = strings.ToLower(text)
	for _, core := range cores {
		for _, form := range forms(core) {
			if i := strings.Index(text, form); i >= 0 {
				t.Errorf("%s shows %q: %.300q", where, form, text[max(0, i-150):])
				break
			}
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, shown := range longHex.FindAllString(text, -1) {
		if g.sums[shown[:16]] {
			t.Errorf("%s shows the digest of a body: %s", where, shown)
		}
	}
}

// outputsTo is every format as a flag, with a name for its file.
func outputsTo(dir, prefix string) []string {
	var out []string
	for _, f := range []string{"table", "jsonl", "json", "csv", "markdown", "html", "sarif", "junit", "codequality"} {
		out = append(out, "-o", f+"="+filepath.Join(dir, prefix+"."+f))
	}
	return out
}

// TestCanaries plants secrets in every place of an answer and looks for them in all
// that a scan, a report and a comparison write.
func TestCanaries(t *testing.T) {
	t.Parallel()
	g := &garden{places: map[string]int{}, sums: map[string]bool{}}
	targets := g.nursery(t)
	dir := t.TempDir()
	clawsonar := func(prefix string, args ...string) {
		t.Helper()
		cmd := exec.Command("clawsonar", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "GORACE=atexit_sleep_ms=10")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, stderr.String())
		}
		for name, b := range map[string]*bytes.Buffer{"stdout": &stdout, "stderr": &stderr} {
			if err := os.WriteFile(filepath.Join(dir, prefix+"."+name), b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	scan := func(prefix string, more ...string) {
		t.Helper()
		args := append([]string{"scan", "-v", "-family", "-timeout", "5s", "-retries", "0", "-stats", "-stats-interval", "100ms", "-journal", filepath.Join(dir, prefix+".journal")}, more...)
		clawsonar(prefix, slices.Concat(args, outputsTo(dir, prefix), targets)...)
	}
	scan("scan", "-f", "table")
	scan("deep", "-f", "markdown", "-lang", "zh", "-level", "deep")
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("a key of this test alone"), 0o600); err != nil {
		t.Fatal(err)
	}
	scan("redacted", "-redact-key", key, "-f", "table")
	stored := filepath.Join(dir, "scan.jsonl")
	clawsonar("report", slices.Concat([]string{"report", "-v", stored, "-f", "markdown", "-view", "nvdb", "-lang", "zh"}, outputsTo(dir, "report"))...)
	clawsonar("report-redacted", slices.Concat([]string{"report", "-v", stored, "-redact"}, outputsTo(dir, "report-redacted"))...)
	clawsonar("diff", slices.Concat([]string{"diff", "-v", stored, filepath.Join(dir, "deep.jsonl")}, outputsTo(dir, "diff"))...)

	files, err := filepath.Glob(filepath.Join(dir, "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 6*8+3 {
		t.Errorf("only %d files", len(files))
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		cores := []string{letters, digits}
		if strings.Contains(filepath.Base(name), "redacted") {
			cores = append(cores, public, "2019-03-17", "2020-03-17")
		}
		g.show(t, filepath.Base(name), string(data), cores...)
	}
	g.recognised(t, stored)
}

// recognised makes sure that the servers were taken for what they play, so that
// there was something to show.
func (g *garden) recognised(t *testing.T, stored string) {
	t.Helper()
	data, err := os.ReadFile(stored)
	if err != nil {
		t.Fatal(err)
	}
	products, facts := map[string]int{}, map[string]int{}
	for line := range strings.Lines(string(data)) {
		var x struct {
			Product  struct{ ID string }
			Evidence []struct{ Facts map[string]string }
		}
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		products[x.Product.ID]++
		for _, e := range x.Evidence {
			for k, v := range e.Facts {
				if facts[k]++; v == "" {
					t.Errorf("the fact %s is empty", k)
				}
			}
		}
	}
	if products["openclaw"] < 6 || products["librefang"] != 1 || products["moltis"] != 1 || products["hermes-webui"] != 1 {
		t.Errorf("recognised %v", products)
	}
	for _, k := range []string{"title", "keys", "error.type", "error.message", "event", "location", "server", "www-authenticate", "body"} {
		if facts[k] == 0 {
			t.Errorf("there is no fact %s: %v", k, facts)
		}
	}
	for _, s := range []string{`"server":"nginx/1.22.1 PHP"`, `"title":"OpenClaw Control"`, `"www-authenticate":"Basic"`, `"location":"https://login.example:8443/*/*/*"`, `"event":"connect.challenge"`,
		`"error.message":"Session not found..."`, `"hsts":"max-age=31536000; preload"`, "certificate is valid for another name", public + ".example"} {
		if !strings.Contains(string(data), s) {
			t.Errorf("%s is not in the stream", s)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.places) < 80 {
		t.Errorf("secrets were planted in %d places: %v", len(g.places), slices.Sorted(maps.Keys(g.places)))
	}
}

// TestOldStream: what an earlier version has written down, with all that it quoted,
// is reported and compared without it.
func TestOldStream(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := filepath.Join(dir, "old.jsonl")
	s := letters + "7"
	lines := []string{
		`{"type":"scan","schema":1,"tool":{"name":"clawsonar","version":"0.1.0"},"started":"2026-10-06T12:00:00Z","level":"standard","seed":0,"shard":"1/1","data":{"releases":134,"newest_release":"2026.9.6","advisories":723},"authorization":{"authorized":false,"contact":""}}`,
		fmt.Sprintf(`{"type":"target","target":{"input":"127.0.0.1:1","source":"args","name":"","ip":"127.0.0.1","port":1,"url":"http://127.0.0.1:1/","reach":"loopback"},"outcome":"identified","product":{"id":"librefang","brand":"","name":"LibreFang","confidence":"certain","because":["x"]},"version":{"exact":"2026.8.1 %[1]s","candidates":["2026.8.1 %[1]s"],"build":"","source":"api-version","confidence":"certain"},"auth":{"state":"open","mode":"","because":["x"]},"tls":{"enabled":true,"hsts":"max-age=1; %[1]s","verify_error":"certificate is valid for %[1]s, not a","name_error":"certificate is valid for %[1]s, not a"},"notes":["release: a says %[1]s, but b says c"],"evidence":[{"id":"root","request":"GET /","status":302,"bytes":6,"sha256":"%[2]x","facts":{"title":"%[1]s","keys":"ok,%[1]s","error.type":"%[1]s","error.message":"Session not found: %[1]s","event":"%[1]s","location":"https://%[1]s:x@h.example/%[1]s?%[1]s","server":"nginx/1.22.1 %[1]s","www-authenticate":"Basic realm=%[1]s","x":"%[1]s"}},{"id":"status","request":"GET /status","status":200,"bytes":7391,"sha256":"","facts":{"body":"not kept: it may hold a secret"}}],"requests":1,"connections":1,"duration_ms":1,"error":""}`, s, sha256.Sum256([]byte("739184"))),
		`{"type":"summary","finished":"2026-10-06T12:00:01Z","targets":1,"outcomes":{"identified":1},"auth":{"open":1},"findings":{},"suppressed":0,"complete":true,"miss_estimate":{"reprobed":0,"found":0}}`,
	}
	if err := os.WriteFile(old, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("739184"))
	g := &garden{sums: map[string]bool{hex.EncodeToString(sum[:8]): true}}
	for _, command := range [][]string{{"report", old}, {"report", old, "-redact"}, {"diff", old, old}} {
		for _, f := range []string{"table", "jsonl", "json", "csv", "markdown", "html", "sarif", "junit", "codequality"} {
			cmd := exec.Command("clawsonar", append(slices.Clone(command), "-v", "-f", f)...)
			cmd.Env = append(os.Environ(), "HOME="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %v: %s", command, err, out)
			}
			g.show(t, fmt.Sprint(command[0], " ", f), string(out), letters)
			if strings.Contains(string(out), "7391") {
				t.Errorf("%v %s: the length of a body that is not kept is there", command, f)
			}
			if f == "jsonl" && command[0] == "report" {
				for _, want := range []string{`"server":"nginx/1.22.1"`, `"keys":"ok and 1 unknown"`, `"error.message":"Session not found..."`, `"exact":"2026.8.1"`, `"hsts":"max-age=1"`} {
					if !strings.Contains(string(out), want) {
						t.Errorf("%v: %s is gone: %s", command, want, out)
					}
				}
			}
		}
	}
}
