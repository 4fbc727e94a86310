package access

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// serve has the hub listen on loopback, and returns its port.
func (f *fixture) serve() string {
	f.t.Helper()
	ln, err := Listening{Addr: "127.0.0.1:0"}.Listen(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	server, done := f.Server(), make(chan error)
	go func() { done <- server.Serve(ln) }()
	f.t.Cleanup(func() {
		server.Close()
		if err := <-done; err != http.ErrServerClosed {
			f.t.Error(err)
		}
	})
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// What is sent is limited in size, and in how long it may take to come.
func TestServerLimits(t *testing.T) {
	f := setUp(t, Options{})
	port := f.serve()
	s := f.Server()
	for name, d := range map[string]time.Duration{"head": s.ReadHeaderTimeout, "request": s.ReadTimeout, "answer": s.WriteTimeout, "idle": s.IdleTimeout} {
		if d <= 0 || d > 5*time.Minute {
			t.Errorf("%s: no limit: %s", name, d)
		}
	}
	send := func(text string) string {
		t.Helper()
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		go io.WriteString(c, text)
		answer := make([]byte, 100)
		n, _ := io.ReadAtLeast(c, answer, 12)
		return string(answer[:n])
	}
	if got := send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 431") {
		t.Errorf("a large head: %q", got)
	}
	// A form that is too large is no login.
	f.token("ann", Work)
	form := "token=" + strings.Repeat("x", 2*maxBody)
	if got := send(fmt.Sprintf("POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(form), form)); !strings.HasPrefix(got, "HTTP/1.1 403") {
		t.Errorf("a large body: %q", got)
	}
}

// A browser that comes back from a provider at another site ends on the page that it
// wanted: its new cookie is sent although it is SameSite=Strict.
func TestProviderInBrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIPPED: there is no chromium: logging in by a provider was not tried in a browser")
	}
	p := newIDP(t)
	f := setUp(t, Options{URL: parsed(t, "http://localhost"), OIDC: &OIDC{Issuer: p.url, ClientID: "board", ClientSecret: "s3cret", Allow: Members{Groups: []string{"soc"}}}})
	port := f.serve()
	p.mu.Lock()
	p.now, p.page, p.callback = f.clock.now, true, "http://localhost:"+port+"/login/callback"
	p.mu.Unlock()
	f.provider.mu.Lock()
	f.provider.callback, f.provider.oauth = p.callback, nil // the port was not known before
	f.provider.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// localhost and 127.0.0.1 are two sites.
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=5000", "--dump-dom", "http://localhost:"+port+"/login/provider?next=/gateways")
	out, err := cmd.Output()
	if err != nil || !bytes.Contains(out, []byte(`served /gateways to "Ann@example.org"`)) {
		t.Errorf("%v: %s", err, out)
	}
}
