package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// noSocketEnv makes the test binary give up the system call socket before it
// runs the command: a process that makes it is killed.
const noSocketEnv = "CLAWSONAR_TEST_NO_SOCKET"

func init() {
	if os.Getenv(noSocketEnv) != "" {
		if err := forbidSockets(); err != nil {
			panic(err)
		}
	}
}

// forbidSockets installs a seccomp filter in all threads.
func forbidSockets() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SOCKET, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, no := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if no != 0 {
		return no
	}
	return nil
}

// A dry run opens no socket, for any arguments; a scan does.
func TestDryRunOpensNoSocket(t *testing.T) {
	t.Parallel()
	run := func(args ...string) (string, error) {
		cmd := exec.Command("clawsonar", append([]string{"scan"}, args...)...)
		cmd.Env = append(os.Environ(), noSocketEnv+"=1")
		cmd.Dir = t.TempDir()
		if err := os.WriteFile(filepath.Join(cmd.Dir, "names.txt"), []byte("gw.example\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, args := range [][]string{
		{"-dry-run", "127.0.0.0/16", "gw.example", "https://gw.example:8443/claw", "-e", "10.0.0.0/8", "-e", "x.example", "-allow", "gw.example"},
		{"-dry-run", "2002:7f00:1::1", "-authorized", "-contact", "me@example.org", "-scope", "names.txt"},
		{"-dry-run", "-interfaces"}, // this machine
		{"-dry-run", "10.0.0.0/8", "-shard", "1/2", "-journal", "j"},
	} {
		if out, err := run(args...); err != nil || !strings.Contains(out, "Nothing was contacted") {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
	if out, err := run("127.0.0.1:9"); err == nil || !strings.Contains(err.Error(), "bad system call") {
		t.Errorf("a scan without sockets: %v\n%s: this test tests nothing", err, out)
	}
}
