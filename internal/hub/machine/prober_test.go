package machine

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// served starts a gateway without a token.
func served(t *testing.T) string {
	t.Helper()
	const file = "openclaw/openclaw-2026.3.13-none-extras.yaml"
	data, err := captures.FS.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := evidence.LoadCapture(data, file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := replica.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return strconv.Itoa(int(r.Addr.Port()))
}

// of returns a prober of one watch, named office, with these settings.
func of(t *testing.T, change func(*audit.Settings)) *WatchProber {
	t.Helper()
	known, err := data.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return NewWatchProber(func(watch string) (*audit.Builder, string) {
		if watch != "office" {
			return nil, ""
		}
		s := audit.Defaults()
		s.Timeout = 5 * time.Second
		change(&s)
		return &audit.Builder{Settings: &s, Tool: event.Tool{Name: "test", Version: "1"}, Known: known, Naming: audit.Naming{Place: func(string) string { return "watch.yaml:7: " }}}, "watch.yaml:7"
	})
}

func TestWatchProber(t *testing.T) {
	port := served(t)
	list := filepath.Join(t.TempDir(), "list.txt")
	if err := os.WriteFile(list, []byte("127.0.0.9\n127.0.0.1:"+port+"\nlocalhost:"+port+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*audit.Settings){
		"named":   func(s *audit.Settings) { s.Targets = []string{"127.0.0.9", "127.0.0.1:" + port} },
		"a range": func(s *audit.Settings) { s.Targets, s.Ports = []string{"127.0.0.0/29"}, port },
		"a list":  func(s *audit.Settings) { s.Lists = []string{list} },
		"in the scope": func(s *audit.Settings) {
			s.Targets, s.Ports, s.Allow = []string{"0.0.0.0/0"}, port, []string{"127.0.0.0/8"}
			s.Authorized, s.Contact = true, "a@example.org"
		},
	} {
		lines, err := of(t, change).Probe(t.Context(), "office", "127.0.0.1:"+port)
		if err != nil || len(lines) != 1 || stateOf(lines[0]) != event.AuthOpen || lines[0].Target.IP != "127.0.0.1" {
			t.Errorf("%s: %v, %v", name, lines, err)
		}
	}
	lines, err := of(t, func(s *audit.Settings) {
		s.Lists, s.Addresses, s.Allow = []string{list}, "ipv4", []string{"127.0.0.0/8"}
	}).Probe(t.Context(), "office", "localhost:"+port)
	if err != nil || len(lines) != 1 || lines[0].Target.Name != "localhost" || stateOf(lines[0]) != event.AuthOpen {
		t.Errorf("a name: %+v, %v", lines, err)
	}
}

// Whatever is asked for, nothing is contacted that a run of the watch would not contact.
func TestWatchProberRefuses(t *testing.T) {
	var touched atomic.Int64
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			touched.Add(1)
			c.Close()
		}
	}()
	defer func() { ln.Close(); <-done }()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	here := "127.0.0.1:" + port
	for name, c := range map[string]struct {
		change        func(*audit.Settings)
		watch, target string
		want          string
	}{
		"another watch":      {func(s *audit.Settings) { s.Targets = []string{here} }, "lab", here, "no watch"},
		"no target":          {func(s *audit.Settings) { s.Targets = []string{"127.0.0.2:" + port} }, "office", here, "no target of watch office"},
		"another port":       {func(s *audit.Settings) { s.Targets = []string{"127.0.0.1:1"} }, "office", here, "no target"},
		"not a watched port": {func(s *audit.Settings) { s.Targets, s.Ports = []string{"127.0.0.0/24"}, "18789" }, "office", here, "no target"},
		"another name":       {func(s *audit.Settings) { s.Targets = []string{here} }, "office", "localhost:" + port, "no target"},
		"excluded":           {func(s *audit.Settings) { s.Targets, s.Exclude = []string{here}, []string{"127.0.0.0/30"} }, "office", here, "excluded"},
		"excluded, allowed": {func(s *audit.Settings) {
			s.Targets, s.Exclude, s.Allow = []string{here}, []string{"127.0.0.1"}, []string{"127.0.0.1"}
		}, "office", here, "excluded"},
		"an excluded name":  {func(s *audit.Settings) { s.Targets, s.Exclude = []string{"localhost:" + port}, []string{"localhost"} }, "office", "localhost:" + port, "excluded"},
		"outside the scope": {func(s *audit.Settings) { s.Targets, s.Allow = []string{here}, []string{"10.0.0.0/8"} }, "office", here, "outside the scope"},
		"within a wide range": {func(s *audit.Settings) {
			s.Targets, s.Ports, s.Authorized, s.Contact = []string{"0.0.0.0/0"}, port, true, "a@example.org"
		}, "office", here, "not written down"},
		"mapped":             {func(s *audit.Settings) { s.Targets = []string{"127.0.0.2:" + port} }, "office", "[::ffff:127.0.0.1]:" + port, "no target"},
		"a block":            {func(s *audit.Settings) { s.Targets, s.Ports = []string{"127.0.0.0/24"}, port }, "office", "127.0.0.0/24", "one HOST:PORT"},
		"an address range":   {func(s *audit.Settings) { s.Targets, s.Ports = []string{"127.0.0.0/24"}, port }, "office", "127.0.0.1-127.0.0.9", "one HOST:PORT"},
		"no port":            {func(s *audit.Settings) { s.Targets, s.Ports = []string{"127.0.0.0/24"}, port }, "office", "127.0.0.1", "one HOST:PORT"},
		"a URL":              {func(s *audit.Settings) { s.Targets = []string{here} }, "office", "http://" + here + "/admin", "one HOST:PORT"},
		"a password":         {func(s *audit.Settings) { s.Targets = []string{here} }, "office", "u:p@" + here, "one HOST:PORT"},
		"nothing":            {func(s *audit.Settings) { s.Targets = []string{here} }, "office", "", "one HOST:PORT"},
		"control characters": {func(s *audit.Settings) { s.Targets = []string{here} }, "office", here + "\r\nX: y", "one HOST:PORT"},
	} {
		lines, err := of(t, c.change).Probe(t.Context(), c.watch, c.target)
		var refused Refusal
		if !errors.As(err, &refused) || !strings.Contains(string(refused), c.want) || len(lines) > 0 {
			t.Errorf("%s: %v, %v", name, lines, err)
		}
	}
	if n := touched.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	// What cannot be read might be what is not to be contacted.
	_, err = of(t, func(s *audit.Settings) { s.Targets, s.ExcludeFile = []string{here}, "/nonexistent" }).Probe(t.Context(), "office", here)
	if err == nil || errors.As(err, new(Refusal)) || touched.Load() != 0 {
		t.Errorf("with an unreadable exclusion file: %v", err)
	}
}

// It answers when it is told to, and does no more than so many at a time.
func TestWatchProberIsBounded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := of(t, func(s *audit.Settings) { s.Targets, s.Timeout = []string{ln.Addr().String()}, 30*time.Second })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	begun := time.Now()
	lines, err := p.Probe(ctx, "office", ln.Addr().String())
	if took := time.Since(begun); err != nil || took > 5*time.Second || known(worstOf(lines)) {
		t.Errorf("%v, %v after %s", lines, err, took)
	}
	for range atOnce {
		p.slots <- struct{}{}
	}
	if _, err := p.Probe(ctx, "office", ln.Addr().String()); !errors.Is(err, ErrBusy) {
		t.Errorf("more than %d at once: %v", atOnce, err)
	}
}
