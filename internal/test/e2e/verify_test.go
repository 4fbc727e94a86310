//go:build e2e && linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// TestVerify compares a real gateway, and a real nginx before it, with a posture.
func TestVerify(t *testing.T) {
	t.Parallel()
	l, ctx := open(t, "a gateway against its posture")
	g, err := l.Start(ctx, filepath.Join(t.TempDir(), "gateway"), lab.Config{Name: "verify", Package: "openclaw", Version: "2026.9.6", Mode: lab.Token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Stop)
	dir, proxy := t.TempDir(), filepath.Join(t.TempDir(), "proxy")
	front, err := lab.Nginx(ctx, proxy, lab.NginxConfig{
		Upstream: "http://" + g.Addr.String(), SetHeader: map[string]string{"Authorization": "Bearer " + g.Secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(front.Stop)

	verify := func(want int, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, append([]string{"verify"}, args...)...)
		cmd.Dir = dir
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		code := 0
		var exit *exec.ExitError
		if err := cmd.Run(); errors.As(err, &exit) {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		t.Logf("verify %s: exit %d\n%s%s", strings.Join(args, " "), code, out.String(), errs.String())
		if code != want {
			t.Errorf("verify %s: exit %d, want %d", strings.Join(args, " "), code, want)
		}
		if strings.Contains(out.String()+errs.String(), g.Secret) {
			t.Error("the token is shown")
		}
		return strings.Join(strings.Fields(out.String()), " ")
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copyOf := func(name, from string) {
		t.Helper()
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(name, string(data))
	}

	// The posture of a scan holds against the same gateway.
	verify(0, "-init", g.Addr.String())
	cmd := exec.Command(program, "verify", "-init", "-reason", "known since the first look", g.Addr.String())
	posture, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	write("posture.yaml", string(posture))
	verify(0, "posture.yaml")

	// A proxy adds the token; the files say where.
	copyOf("deploy/openclaw.json", filepath.Join(g.Home, "openclaw.json"))
	copyOf("deploy/nginx.conf", filepath.Join(proxy, "nginx.conf"))
	write("opened.yaml", strings.ReplaceAll(string(posture), g.Addr.String(), front.Addr.String()))
	text := verify(3, "opened.yaml", "-files", "deploy")
	says := fmt.Sprintf("openclaw.json says token and loopback; from here it is open through nginx on :%d, which adds the credential (nginx.conf:", front.Addr.Port())
	if !strings.Contains(text, says) {
		t.Errorf("want %q", says)
	}

	// That port, where it is not listed.
	write("host.yaml", fmt.Sprintf("%shosts:\n  - {host: 127.0.0.1, also_ports: \"%d\"}\n", posture, front.Addr.Port()))
	if text := verify(3, "host.yaml"); !strings.Contains(text, fmt.Sprintf("BREACH 127.0.0.1:%d not listed", front.Addr.Port())) {
		t.Error("the port is not named")
	}

	g.Pause()
	verify(4, "posture.yaml")
}
