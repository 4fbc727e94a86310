package cli

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/test/lab"
	"github.com/clawsonar/clawsonar/internal/test/script"
)

// TestOwnServer: a hub and its worker do a job through a nats-server that is a process of its
// own, with TLS and the accounts that "worker server-accounts" prints.
func TestOwnServer(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: nats-server cannot be built: %v\n%s", err, out)
	}
	scriptWith(t, filepath.Join(dir, "nats-server"), "testdata/nats/own.txtar")
}

// TestOldServer: a nats-server before 2.10 is refused. Debian 12 has one.
func TestOldServer(t *testing.T) {
	program, err := exec.LookPath("nats-server")
	if err != nil {
		t.Skip("SKIPPED: there is no nats-server; version 2.9 of Debian 12 is looked for")
	}
	out, err := exec.Command(program, "-v").Output()
	if err != nil || !strings.Contains(string(out), " v2.9.") {
		t.Skipf("SKIPPED: %s is %q, not version 2.9, %v", program, out, err)
	}
	scriptWith(t, program, "testdata/nats/old.txtar")
}

// scriptWith runs a script that starts a nats-server.
func scriptWith(t *testing.T, program, file string) {
	testscript.Run(t, testscript.Params{
		Files:               []string{file},
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  script.Exits("clawsonar-hub"),
			"fleet":  startWorkers,
			"server": func(ts *testscript.TestScript, _ bool, args []string) { natsServer(ts, program, args) },
		},
	})
}

// natsServer is the command of a script that prepares a nats-server, after fleet, so that
// watch.yaml names it and $PIN is that of its key, with more for its jetstream block; and that starts it, with nats.conf before
// what the hub has printed into accounts.conf.
func natsServer(ts *testscript.TestScript, program string, args []string) {
	dir := ts.MkAbs(".")
	conf := filepath.Join(dir, "nats.conf")
	if args[0] == "prepare" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		addr := l.Addr().String()
		ts.Check(l.Close())
		authority, err := lab.NewAuthority(dir)
		ts.Check(err)
		cert, key, err := authority.Issue(dir, "", time.Now().Add(time.Hour))
		ts.Check(err)
		block, _ := pem.Decode([]byte(ts.ReadFile(cert)))
		leaf, err := x509.ParseCertificate(block.Bytes)
		ts.Check(err)
		ts.Setenv("PIN", job.Pin(leaf.RawSubjectPublicKeyInfo))
		ts.Setenv("NATS", addr)
		ts.Check(os.WriteFile(conf, fmt.Appendf(nil, "listen: %q\ntls {cert_file: %q, key_file: %q}\njetstream {store_dir: %q\n%s}\ninclude accounts.conf\n",
			addr, cert, key, filepath.Join(dir, "jetstream"), strings.Join(args[1:], " ")), 0o600))
		pages, _, _ := strings.Cut(ts.ReadFile("watch.yaml"), "\n")
		ts.Check(os.WriteFile(filepath.Join(dir, "watch.yaml"), fmt.Appendf(nil, "%s\nworkers: {nats: 'tls://%s', nats-credentials: hub.nk, nats-ca: %q, rate-limit: 100}\n",
			pages, addr, authority.File), 0o600))
		return
	}
	cmd := exec.Command(program, "-c", conf, "-l", filepath.Join(dir, "nats.log"))
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 200 {
		if c, err := net.Dial("tcp", ts.Getenv("NATS")); err == nil {
			ts.Check(c.Close())
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("nats-server does not start: %s", ts.ReadFile("nats.log"))
}
