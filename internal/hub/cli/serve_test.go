package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// lines is what a hub prints, safe to read meanwhile.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// address waits for where the pages are.
func (l *lines) address(t *testing.T) string {
	t.Helper()
	said := regexp.MustCompile(`pages at (https?://127\.0\.0\.1:\d+/)`)
	for range 200 {
		if m := said.FindStringSubmatch(l.String()); m != nil {
			return m[1]
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("no address in 20 s: %s", l)
	return ""
}

// TestDemo: the fleet has a history of gateways that opened and closed, and the hub
// shows it, runs on, and ends in order.
func TestDemo(t *testing.T) {
	f, err := startFleet()
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	c, err := demoConfig(t.TempDir(), "127.0.0.1:0", f.targets())
	if err != nil {
		t.Fatal(err)
	}
	var said lines
	s := streams{io.Discard, &said}
	ctx, end := context.WithTimeout(context.Background(), 2*time.Minute)
	defer end()
	if err := pastDays(ctx, s, c, f); err != nil {
		t.Fatal(err)
	}
	db, err := openStore(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Import(ctx, c.Streams, check.Infos(), nil); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []store.Kind{store.KindOpened, store.KindClosed, store.KindRelease, store.KindGone} {
		if _, n, err := db.Changes(ctx, store.ChangeFilter{Kinds: []store.Kind{kind}}, store.Page{}); err != nil || n == 0 {
			t.Errorf("%d changes are %s, %v", n, kind, err)
		}
	}
	o, err := db.Overview(ctx, time.Now())
	if err != nil || len(o.Days) < demoDays || o.Now[store.Verdict("open")] == 0 {
		t.Errorf("%+v, %v", o, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(ctx)
	turned := make(chan struct{}, 100)
	ended := make(chan error)
	go func() {
		ended <- serve(ctx, s, c, func() error { turned <- struct{}{}; return nil })
	}()
	address := said.address(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	for path, want := range map[string]string{
		"": "What needs you now", "gateways?q=verdict:open": "/gateways/", "changes": "Changes", "runs": "replicas", "weekly": "demo",
		"metrics": "clawsonar_gateways{", "api/v1/overview": "{", "healthz": "ok", "changes.atom": "<feed", "style.css": "--critical",
	} {
		resp, err := client.Get(address + path)
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
			t.Errorf("/%s: %d, %v, without %q", path, resp.StatusCode, err, want)
		}
	}
	select {
	case <-turned:
	case <-time.After(time.Minute):
		t.Error("no run in a minute")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if strings.Contains(said.String(), "panic") {
		t.Error(said.String())
	}
}

// TestServeTLS: with a certificate and an account the hub talks TLS alone, and shows
// nothing without the token.
func TestServeTLS(t *testing.T) {
	dir := t.TempDir()
	authority, err := lab.NewAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := authority.Issue(dir, "", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "watch.yaml")
	text := "listen: 127.0.0.1:0\ntls: {cert: " + filepath.Base(cert) + ", key: " + filepath.Base(key) + "}\nwatches:\n  - {name: a, targets: [\"127.0.0.1:1\"], every: 1h}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	db, err := openStore(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	token, err := access.NewToken(ctx, db, "ann", access.View, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var said lines
	ended := make(chan error)
	go func() { ended <- serve(ctx, streams{io.Discard, &said}, c, nil) }()
	address := said.address(t)
	if strings.Contains(said.String(), token) || strings.Contains(said.String(), "no accounts") {
		t.Error(said.String())
	}
	pem, err := os.ReadFile(authority.File)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: 20 * time.Second}
	get := func(address, token string) int {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if code := get(address, ""); code != http.StatusUnauthorized {
		t.Errorf("without a token %d", code)
	}
	if code := get(address, token); code != http.StatusOK {
		t.Errorf("with a token %d", code)
	}
	if code := get(strings.Replace(address, "https", "http", 1), token); code == http.StatusOK {
		t.Error("it answers without TLS")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
