//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// TestHub: a real gateway is opened, closed and opened again while the hub watches it:
// one digest each, none twice, and a hub that is killed in the middle of a run closes
// nothing. The gateway keeps no trace of it.
func TestHub(t *testing.T) {
	t.Parallel()
	l, ctx := open(t, "the hub and a gateway that opens and closes")
	dir := t.TempDir()
	hub := filepath.Join(dir, "clawsonar-hub")
	if out, err := exec.Command("go", "build", "-o", hub, "github.com/clawsonar/clawsonar/cmd/clawsonar-hub").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	config := lab.Config{Name: "hub", Package: "openclaw", Version: "2026.9.6", Mode: lab.None}
	work := filepath.Join(t.TempDir(), "gateway")
	g, err := l.Start(ctx, work, config)
	if err != nil {
		t.Fatal(err)
	}
	port := g.Addr.Port()
	t.Cleanup(g.Stop) // until then the port is this test's
	t.Cleanup(func() { g.Stop() })
	// become restarts it with another authentication, on the same port.
	become := func(mode lab.Mode) {
		t.Helper()
		g.Pause()
		config.Mode, config.Port = mode, port
		config.Name = "hub-" + string(mode)
		next, err := l.Start(ctx, filepath.Join(t.TempDir(), "gateway"), config)
		if err != nil {
			t.Fatal(err)
		}
		g = next
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("tell.sh", "#!/bin/sh\nprintf '%s\\t%s\\n' \"$CLAWSONAR_EVENT\" \"$CLAWSONAR_SUMMARY\" >>told.txt\ncat >>told.json\necho >>told.json\n")
	write("watch.yaml", fmt.Sprintf(`watches:
  - {name: lab, targets: ["127.0.0.1:%d"], every: 1h, confirm: 2}
alerts:
  - {name: people, when: [opened, closed, new, gone, verdict], to: ["exec:./tell.sh"]}
`, port))
	once := func(want int) {
		t.Helper()
		cmd := exec.Command(hub, "serve", "-once", "watch.yaml")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		code := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != want {
			t.Fatalf("serve -once: exit %d, want %d\n%s", code, want, out)
		}
		if g.Secret != "" && strings.Contains(string(out), g.Secret) {
			t.Error("the token is shown")
		}
	}
	told := func() []string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, "told.txt"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	expect := func(step string, n int, kind string) {
		t.Helper()
		lines := told()
		if n == 0 && lines[0] == "" {
			return
		}
		if len(lines) != n || !strings.Contains(strings.SplitN(lines[n-1], "\t", 2)[0], kind) {
			t.Fatalf("%s: told %q, want %d, the last of them %s", step, lines, n, kind)
		}
		t.Logf("%s: %s", step, lines[n-1])
	}

	// The first request that a gateway of this release ever accepts makes its owner's
	// profile, no matter who sends it.
	if resp, err := http.Get(g.URL + "__openclaw/control-ui-config.json"); err != nil {
		t.Fatal(err)
	} else {
		resp.Body.Close()
	}
	before, err := settle(ctx, g)
	if err != nil {
		t.Fatal(err)
	}
	once(0)
	expect("opened", 1, "opened")
	once(0)
	expect("still open", 1, "opened")
	after, err := settle(ctx, g)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range withoutIdle(diff(before, after)) {
		// The one line that a WebSocket opening leaves.
		if c.Kind != logLine || !strings.Contains(c.Detail, "closed before connect") {
			t.Errorf("the gateway's state changed: %s", c)
		}
	}

	become(lab.Token)
	once(0)
	expect("closed, seen once", 1, "opened")
	once(0)
	expect("closed, confirmed", 2, "closed")

	// Killed in the middle: a target that accepts and is silent keeps the run going.
	write("watch.yaml", strings.Replace(read(t, dir, "watch.yaml"), "targets: [", fmt.Sprintf("timeout: 1m, targets: [%q, ", silent(t)), 1))
	cmd := exec.Command(hub, "serve", "-once", "watch.yaml")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	part := waitFor(t, filepath.Join(dir, "streams", "lab", "*.part"), fmt.Sprintf(":%d/", port))
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	write("watch.yaml", strings.Replace(read(t, dir, "watch.yaml"), "timeout: 1m", "timeout: 2s", 1))
	once(4) // what is silent could not be judged
	expect("after the kill", 2, "closed")
	if _, err := os.Stat(part); err == nil {
		t.Errorf("%s is still there", part)
	}

	become(lab.None)
	once(4)
	expect("opened again", 3, "opened")

	// The index is made of the streams, whatever happened meanwhile.
	index := func() string {
		t.Helper()
		cmd := exec.Command(hub, "import")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("import: %v\n%s", err, out)
		}
		return string(out)
	}
	if first, second := index(), index(); first != second || !strings.Contains(first, "gateways: 1") {
		t.Errorf("import: %q, then %q", first, second)
	}
	once(4)
	expect("after an import", 3, "opened")

	for line := range strings.Lines(read(t, dir, "told.json")) {
		if strings.TrimSpace(line) != "" && !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}

// silent is the address of something that accepts connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return l.Addr().String()
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// waitFor waits until a file that matches holds the text, and returns its name.
func waitFor(t *testing.T, pattern, text string) string {
	t.Helper()
	for range 300 {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			if data, err := os.ReadFile(name); err == nil && strings.Contains(string(data), text) {
				return name
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("no %s with %s in 30 s", pattern, text)
	return ""
}
