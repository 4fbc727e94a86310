//go:build linux && e2e

package lab

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// openLab skips, with the reason, where gateways cannot run.
func openLab(t *testing.T, tools ...string) *Lab {
	t.Helper()
	for _, tool := range append(tools, "npm") {
		if _, err := FindTool(tool); err != nil {
			t.Skipf("skipped: %s is not installed", tool)
		}
	}
	l, err := Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ask sends one request and returns the answer as "status body", the body cut
// short.
func ask(t *testing.T, method, url string, header ...string) string {
	t.Helper()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("{}")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		},
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 2000))
	if err != nil {
		t.Error(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(data))
}

func wantPrefix(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.HasPrefix(got, want) {
		t.Errorf("%s: got %.160q, want %q", what, got, want)
	}
}

const (
	noScopes     = "X-OpenClaw-Scopes"
	unauthorized = `401 {"error":{"message":"Unauthorized","type":"unauthorized"}}`
	needsTool    = `400 {"error":{"message":"tools.invoke requires body.tool"`
)

// TestMatrix starts every instance and checks that each is what its
// configuration makes it, and that nothing is left of any once it is stopped.
func TestMatrix(t *testing.T) {
	l := openLab(t, "nginx", "caddy")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	begin := time.Now()
	running, stop, err := l.StartMatrix(ctx, t.TempDir(), Matrix(), 2)
	defer stop()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("all up after %.1f s", time.Since(begin).Seconds())
	for _, r := range running {
		t.Run(r.Name, func(t *testing.T) {
			t.Logf("start %5.1f s", r.Gateway.Startup.Seconds())
			root := strings.TrimSuffix(r.URL, "/")
			root = strings.TrimSuffix(root, r.Gateway.Config.BasePath)
			// The answers to: the one POST, a GET of the same, the page.
			post, get, page := unauthorized, "405 Method Not Allowed", "200 <!doctype html>"
			switch {
			case r.Truth.AuthState == "blocked":
				post = `403 {"error":{"message":"Proxy client attribution is required`
				get, page = post, post
			case r.Truth.AuthState == "gated":
				post, get, page = "401 <html>", "401 <html>", "401 <html>"
			case r.Front == NginxTokenFront:
				post = `400 {"ok":false,"error":{"type":"invalid_request","message":"tools.invoke requires name"`
			case r.Truth.AuthState == "open" && r.Truth.Release < "2026.5":
				post = needsTool
			case r.Truth.AuthState == "open":
				post = `403 {"ok":false,"error":{"type":"forbidden","message":"missing scope: operator.write"`
			}
			if r.Gateway.Config.NoControlUI {
				page = "404 Not Found"
			}
			wantPrefix(t, "POST /tools/invoke", ask(t, http.MethodPost, root+"/tools/invoke", noScopes, "none"), post)
			wantPrefix(t, "GET /tools/invoke", ask(t, http.MethodGet, root+"/tools/invoke"), get)
			wantPrefix(t, "GET /", ask(t, http.MethodGet, r.URL), page)
			if r.Gateway.Secret != "" && strings.Contains(r.Gateway.Log(), r.Gateway.Secret) {
				t.Error("the log gives the secret away")
			}
		})
	}
	stop()
	for _, r := range running {
		if left := groupMembers(t, r.Gateway.proc.pid); len(left) > 0 {
			t.Errorf("%s: left behind after Stop: %v", r.Name, left)
		}
	}
}

// groupMembers returns the processes of a process group, or of a gateway that
// runs as pid by its parent.
func groupMembers(t *testing.T, pid int) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		// After the name in brackets: state, parent, group.
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if fields[0] != "Z" && (fields[1] == strconv.Itoa(pid) || fields[2] == strconv.Itoa(pid)) {
			out = append(out, filepath.Base(filepath.Dir(path)))
		}
	}
	return out
}

// TestParentDeath kills a process that has started a gateway, hard, and looks
// for what is left of it.
func TestParentDeath(t *testing.T) {
	if dir := os.Getenv("LAB_PARENT_DEATH"); dir != "" {
		l := openLab(t)
		g, err := l.Start(t.Context(), dir, Config{Name: "parent", Package: "openclaw", Version: Newest, Mode: Token})
		if err != nil {
			t.Fatal(err)
		}
		children := groupMembers(t, g.proc.pid)
		if err := os.WriteFile(filepath.Join(dir, "pids"), []byte(strings.Join(children, " ")), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	openLab(t)
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestParentDeath$")
	cmd.Env = append(os.Environ(), "LAB_PARENT_DEATH="+dir)
	out, err := cmd.CombinedOutput()
	pids, readErr := os.ReadFile(filepath.Join(dir, "pids"))
	if readErr != nil {
		t.Fatalf("the child never got a gateway up: %v\n%s", err, out)
	}
	t.Logf("processes of the gateway: %s", pids)
	var left []string
	for range 50 {
		left = left[:0]
		for _, pid := range strings.Fields(string(pids)) {
			data, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
			if err == nil && !strings.Contains(string(data), ") Z ") {
				left = append(left, pid)
			}
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("still running 5 s after their parent was killed: %v", left)
}

// TestFronts checks what each kind of front makes of a gateway.
func TestFronts(t *testing.T) {
	l := openLab(t, "nginx", "caddy")
	work := t.TempDir()
	gateways, err := l.StartAll(t.Context(), work, []Config{
		{Name: "none", Package: "openclaw", Version: "2026.9.6", Mode: None},
		{Name: "token", Package: "openclaw", Version: "2026.9.6", Mode: Token},
		{Name: "proxy", Package: "openclaw", Version: "2026.6.11", Mode: TrustedProxy, TrustedProxies: []string{"127.0.0.1"},
			Extra: map[string]any{"gateway": map[string]any{"auth": map[string]any{"trustedProxy": map[string]any{"allowLoopback": true}}}}},
	}, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer StopAll(gateways)
	none, token, proxy := gateways[0], gateways[1], gateways[2]
	upstream := func(g *Gateway) string { return "http://" + g.Addr.String() }
	const blocked = `403 {"error":{"message":"Proxy client attribution is required`
	for _, test := range []struct {
		name   string
		config NginxConfig
		path   string
		want   string
	}{
		{"welcome", NginxConfig{}, "", "200 <!DOCTYPE html>"},
		{"plain", NginxConfig{Upstream: upstream(none)}, "tools/invoke", "403 "},
		{"plain readiness", NginxConfig{Upstream: upstream(none)}, "startupz", `200 {`},
		{"upgrade", NginxConfig{Upstream: upstream(none), Upgrade: true}, "tools/invoke", "403 "},
		{"forwarded", NginxConfig{Upstream: upstream(none), Forwarded: true}, "tools/invoke", blocked},
		{"basic", NginxConfig{Upstream: upstream(none), BasicAuth: true}, "", "401 <html>"},
		{"no injection", NginxConfig{Upstream: upstream(token)}, "tools/invoke", unauthorized},
		{"injection", NginxConfig{Upstream: upstream(token), SetHeader: map[string]string{"Authorization": "Bearer " + token.Secret}}, "tools/invoke", "400 "},
		{"identity", NginxConfig{Upstream: upstream(proxy), Forwarded: true, SetHeader: map[string]string{"X-Forwarded-User": "lab"}}, "tools/invoke", "403 "},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := Nginx(t.Context(), t.TempDir(), test.config)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Stop()
			method := http.MethodGet
			if test.path == "tools/invoke" {
				method = http.MethodPost
			}
			got := ask(t, method, f.URL+test.path, noScopes, "none")
			t.Logf("%.200s", got)
			wantPrefix(t, method+" /"+test.path, got, test.want)
		})
	}
	t.Run("caddy", func(t *testing.T) {
		f, err := Caddy(t.Context(), nil, t.TempDir(), none.Addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer f.Stop()
		wantPrefix(t, "GET /", ask(t, http.MethodGet, f.URL), blocked)
	})
}
