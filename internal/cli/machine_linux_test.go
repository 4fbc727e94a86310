package cli_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// insideEnv says that this process has a network of its own.
const insideEnv = "CLAWSONAR_TEST_OWN_NETWORK"

// TestThisMachine scans without a target in a network of its own, where nothing
// listens but what the test starts.
func TestThisMachine(t *testing.T) {
	t.Parallel()
	if os.Getenv(insideEnv) == "" {
		inOwnNetwork(t)
		return
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Run("nothing", func(t *testing.T) {
		targets, summary, table := scanMachine(t, nil)
		for _, x := range targets {
			if x.Outcome != "closed" {
				t.Errorf("%s: %s", x.Target.URL, x.Outcome)
			}
		}
		if want := "Seen over loopback only: this machine has no other address."; !slices.Contains(summary.Notes, want) || !strings.Contains(table, want) {
			t.Errorf("notes %q, table\n%s", summary.Notes, table)
		}
		if !strings.Contains(table, "No gateway was found") {
			t.Errorf("table\n%s", table)
		}
	})
	t.Run("another address", func(t *testing.T) {
		for _, args := range []string{"link add name away type veth peer name gone", "addr add 192.0.2.7/24 dev away", "link set away up"} {
			if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
				t.Skipf("skipped: no second interface: %v: %s", err, out)
			}
		}
		defer exec.Command("ip", "link", "del", "away").Run()
		_, summary, _ := scanMachine(t, nil)
		if want := "Seen over loopback only. From another machine run: clawsonar scan 192.0.2.7"; !slices.Contains(summary.Notes, want) {
			t.Errorf("notes %q, want %q", summary.Notes, want)
		}
	})
	t.Run("token gateway behind a web server that adds the token", func(t *testing.T) {
		gateway := start(t, "openclaw-2026.9.6-token")
		front := start(t, "openclaw-2026.9.6-token-nginx-token")
		targets, _, table := scanMachine(t, nil)
		own, way := line(t, targets, gateway), line(t, targets, front)
		if own.Auth == nil || own.Auth.State != "required" || own.SameAs != nil {
			t.Errorf("the gateway itself: %+v, same as %+v", own.Auth, own.SameAs)
		}
		if way.Auth == nil || way.Auth.State != "open" || way.SameAs == nil || way.SameAs.URL != "http://"+gateway+"/" || way.SameAs.Confidence != "firm" {
			t.Errorf("the proxy: %+v, same as %+v", way.Auth, way.SameAs)
		}
		if !strings.Contains(table, "1 of 1 gateway is OPEN") || !strings.Contains(table, "1 gateway (2 ways in)") {
			t.Errorf("table\n%s", table)
		}
	})
	t.Run("an open gateway of another user", func(t *testing.T) {
		gateway := start(t, "openclaw-2026.9.6-none")
		for _, user := range []struct {
			name string
			as   *syscall.Credential
		}{{"root", nil}, {"nobody", &syscall.Credential{Uid: 65534, Gid: 65534}}} {
			if os.Getuid() != 0 && user.as != nil {
				t.Log("skipped: only root can be another user")
				continue
			}
			targets, summary, table := scanMachine(t, user.as)
			x := line(t, targets, gateway)
			if x.Auth == nil || x.Auth.State != "open" || x.Target.Bound != gateway || (x.Target.Process == "") != (user.as != nil) {
				t.Errorf("%s: %+v, auth %+v", user.name, x.Target, x.Auth)
			}
			if len(x.Findings) == 0 || !strings.Contains(x.Findings[0].Detail, "listens on "+gateway+" alone") || !strings.Contains(table, "is OPEN") {
				t.Errorf("%s: %+v, table\n%s", user.name, x.Findings, table)
			}
			hidden := slices.ContainsFunc(summary.Notes, func(n string) bool {
				return strings.Contains(n, "program that this user may not see: "+gateway)
			})
			if hidden != (user.as != nil) {
				t.Errorf("%s: notes %q", user.name, summary.Notes)
			}
		}
	})
	t.Run("what is skipped", func(t *testing.T) {
		printer := open(t, "127.0.0.1:9100", func(c net.Conn) { drain(c) })
		web := open(t, "127.0.0.1:80", func(c net.Conn) {
			answer(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n<h1>Hello</h1>")
		})
		targets, summary, _ := scanMachine(t, nil)
		if n := printer.contacts.Load(); n != 0 {
			t.Errorf("the printer was contacted %d times", n)
		}
		if n := web.contacts.Load(); n != 2 { // by both formats
			t.Errorf("the web server was contacted %d times, want 2", n)
		}
		if x := line(t, targets, "127.0.0.1:80"); x.Outcome != "other" || x.Requests != 1 {
			t.Errorf("web server: %s, %d requests", x.Outcome, x.Requests)
		}
		if !slices.ContainsFunc(summary.Notes, func(n string) bool {
			return strings.HasPrefix(n, "1 listener was skipped, so it is not judged: 127.0.0.1:9100 (raw printing, ")
		}) {
			t.Errorf("notes %q", summary.Notes)
		}
		if out, err := exec.Command("clawsonar", "scan", "-dry-run").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("127.0.0.1:9100 (raw printing")) {
			t.Errorf("dry run: %v\n%s", err, out)
		}
		silent, _, _ := scanMachine(t, nil, "-silent", "-p", "9100")
		if len(silent) != 0 || printer.contacts.Load() != 0 {
			t.Errorf("named by -ports: %d targets, contacted %d times", len(silent), printer.contacts.Load())
		}
	})
}

// inOwnNetwork runs the test again in a network namespace.
func inOwnNetwork(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("skipped: no tool ip (package iproute2)")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestThisMachine$", "-test.v")
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Skipf("skipped: no network namespace: %v", err)
	case err != nil:
		t.Fatalf("%s", out)
	case !bytes.Contains(out, []byte("PASS: TestThisMachine/what_is_skipped")):
		t.Errorf("it has not run:\n%s", out)
	}
	t.Logf("%s", out)
}

// scanMachine runs scan without a target, as another user if as is set, once as a
// stream and once as a table.
func scanMachine(t *testing.T, as *syscall.Credential, args ...string) ([]event.Target, *event.Summary, string) {
	t.Helper()
	program, dir := "clawsonar", t.TempDir()
	if as != nil {
		// Where it is nobody else may look.
		var err error
		if dir, err = os.MkdirTemp("", "clawsonar-machine-"); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "clawsonar")
		if err := errors.Join(os.Chmod(dir, 0o755), copyFile(program)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(format string) []byte {
		cmd := exec.Command(program, append([]string{"scan", "-f", format}, args...)...)
		cmd.Dir = dir
		if as != nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		return out
	}
	var targets []event.Target
	var summary *event.Summary
	for raw := range bytes.Lines(run("jsonl")) {
		e, err := event.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if t, ok := e.(*event.Target); ok {
			targets = append(targets, *t)
		}
		if s, ok := e.(*event.Summary); ok {
			summary = s
		}
	}
	return targets, summary, string(run("table"))
}

// copyFile puts this test binary where everybody can run it.
func copyFile(to string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	in, err := os.Open(self)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func start(t *testing.T, name string) string {
	t.Helper()
	data, err := captures.FS.ReadFile("openclaw/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := evidence.LoadCapture(data, name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := replica.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r.Addr.String()
}

// open starts a listener at an address.
func open(t *testing.T, addr string, talk func(net.Conn)) *server {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &server{Listener: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.contacts.Add(1)
			go func() { defer c.Close(); talk(c) }()
		}
	}()
	return s
}

func line(t *testing.T, targets []event.Target, addr string) event.Target {
	t.Helper()
	i := slices.IndexFunc(targets, func(x event.Target) bool { return net.JoinHostPort(x.Target.IP, strconv.Itoa(x.Target.Port)) == addr })
	if i < 0 {
		t.Fatalf("no line of %s among %d", addr, len(targets))
	}
	return targets[i]
}
