package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/hub/store"
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
	address := ""
	for range 100 {
		if m := regexp.MustCompile(`pages at (http://127\.0\.0\.1:\d+/)`).FindStringSubmatch(said.String()); m != nil {
			address = m[1]
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
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
	var exit *exitError
	if err := <-ended; !errors.As(err, &exit) || exit.code != exitInterrupted {
		t.Errorf("%v", err)
	}
	if strings.Contains(said.String(), "panic") {
		t.Error(said.String())
	}
}
