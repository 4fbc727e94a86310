package cli_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/report"
)

// outputFlags has each format written to a file out.FORMAT in a folder.
func outputFlags(dir string) (args []string) {
	for _, f := range report.Formats() {
		args = append(args, "-o", f+"="+filepath.Join(dir, "out."+f))
	}
	return args
}

// checkOutputs checks that the file of each format is there as a whole and tells
// of the address, and that nothing else is in the folder.
func checkOutputs(t *testing.T, dir, address string, except ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Name()] = true
	}
	for _, f := range report.Formats() {
		name := "out." + f
		delete(there, name)
		if len(except) > 0 && f == except[0] {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		end := map[string]string{
			"table": "DATA", "json": "}\n", "html": "</html>\n", "sarif": "}\n", "junit": "</testsuites>\n", "codequality": "]\n", "jsonl": "}\n",
		}[f]
		if !bytes.Contains(data, []byte(address)) || f != "table" && !bytes.HasSuffix(data, []byte(end)) {
			t.Errorf("%s does not tell of %s, or is not whole: …%q", f, address, data[max(0, len(data)-80):])
		}
	}
	for name := range there {
		if name != "journal" {
			t.Errorf("left behind: %s", name)
		}
	}
}

// Regardless of the signal that ends a scan, all formats tell what it found until then, say
// that it is incomplete, and nothing is left beside them.
func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals to send to a process")
	}
	t.Parallel()
	gateway := openReplica(t)
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTERM, os.Interrupt} {
		t.Run(sig.String(), func(t *testing.T) {
			if signal.Ignored(sig) {
				t.Skipf("NOT TESTED HERE: %s is ignored, as nohup has it, and the scan inherits that", sig)
			}
			t.Parallel()
			silent, err := serve("silent")
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			dir := t.TempDir()
			cmd := exec.Command("clawsonar", append([]string{"scan", gateway, silent.Addr().String(), "-timeout", "60s",
				"-journal", filepath.Join(dir, "journal")}, outputFlags(dir)...)...)
			var stderr bytes.Buffer
			cmd.Stderr, cmd.Dir = &stderr, t.TempDir()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
				found, _ := os.ReadFile(filepath.Join(dir, "out.jsonl"))
				if silent.contacts.Load() > 0 && bytes.Contains(found, []byte(`"identified"`)) {
					break
				}
				if time.Now().After(deadline) {
					_ = cmd.Process.Kill()
					t.Fatal("the scan has not come so far")
				}
			}
			_ = cmd.Process.Signal(sig)
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
				t.Errorf("ended with %v, want 130\n%s", err, stderr.String())
			}
			if !strings.Contains(stderr.String(), "continue with: ") {
				t.Errorf("does not say how to continue: %s", stderr.String())
			}
			checkOutputs(t, dir, gateway)
			if stream, _ := os.ReadFile(filepath.Join(dir, "out.jsonl")); !bytes.Contains(stream, []byte(`"complete":false`)) {
				t.Error("the stream is not said to be incomplete")
			}
		})
	}
}

// A scan that nohup has made deaf to SIGHUP stays so.
func TestNohup(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signals to send to a process")
	}
	t.Parallel()
	silent, err := serve("silent")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec clawsonar scan -silent -f jsonl -timeout 1500ms `+silent.Addr().String())
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); silent.contacts.Load() == 0 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	_ = cmd.Process.Signal(syscall.SIGHUP)
	text, _ := io.ReadAll(out)
	if err := cmd.Wait(); err != nil || !bytes.Contains(text, []byte(`"complete":true`)) {
		t.Errorf("%v: %s", err, text)
	}
}

// A reader that goes away takes no file with it: all are completed, what is lost
// is said, and it does not pass for success.
func TestClosedPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGPIPE")
	}
	t.Parallel()
	gateway := openReplica(t)
	for _, format := range report.Formats() {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			cmd := exec.Command("clawsonar", append([]string{"scan", gateway, "-f", format, "-journal", filepath.Join(dir, "journal")}, outputFlags(dir)...)...)
			var stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = w, &stderr
			err = cmd.Run()
			w.Close()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("ended with %v, want 1", err)
			}
			if !strings.Contains(stderr.String(), "write results: stdout: broken pipe") {
				t.Errorf("stderr: %s", stderr.String())
			}
			checkOutputs(t, dir, gateway)
		})
	}
}

// unshared runs a shell script in namespaces of its own, or skips the test where
// that is not permitted.
func unshared(t *testing.T, script string, flags ...string) *exec.Cmd {
	t.Helper()
	if err := exec.Command("unshare", append(flags, "true")...).Run(); err != nil {
		t.Skipf("NOT TESTED HERE: unshare %v is not permitted: %v", flags, err)
	}
	return exec.Command("unshare", append(flags, "sh", "-c", script)...)
}

// A full disk under one output, of any format, loses that one and no other;
// what was there before stays.
func TestFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs mount namespaces")
	}
	t.Parallel()
	gateway := openReplica(t)
	for _, format := range report.Formats() {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			dir, full := t.TempDir(), t.TempDir()
			cmd := unshared(t, `mount -t tmpfs -o size=64k none "$FULL" && echo before >"$FULL/lost" && { cat /dev/zero >"$FULL/fill" 2>/dev/null; exec clawsonar "$@"; }`, "-m")
			// Its own output goes last, so that one that fails early shows.
			cmd.Args = append(cmd.Args, "sh", "scan", gateway, "-o", format+"="+full+"/lost")
			cmd.Args = append(cmd.Args, outputFlags(dir)...)
			cmd.Env = append(os.Environ(), "FULL="+full)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("ended with %v, want 1", err)
			}
			if lines := strings.Count(stderr.String(), "\n"); lines != 1 || !strings.Contains(stderr.String(), "write results: "+full+"/lost: no space left") {
				t.Errorf("stderr: %s", stderr.String())
			}
			if !bytes.Contains(out, []byte("SUMMARY")) {
				t.Errorf("stdout: %s", out)
			}
			checkOutputs(t, dir, gateway)
		})
	}
}

// A disk that is full for the journal loses nothing of the results; one that is
// full for the jsonl file keeps the journal where the file is.
func TestFullDiskUnderAJournal(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs mount namespaces")
	}
	t.Parallel()
	gateway := openReplica(t)
	for _, c := range []struct{ journal, stream, want string }{
		{"full", "dir", "write the journal: no space left"},
		{"dir", "full", "write results: full/out: no space left"},
	} {
		t.Run(c.journal, func(t *testing.T) {
			t.Parallel()
			silent, err := serve("silent")
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			work := t.TempDir()
			for _, name := range []string{"full", "dir", "good"} {
				if err := os.Mkdir(filepath.Join(work, name), 0o777); err != nil {
					t.Fatal(err)
				}
			}
			// The disk becomes full once the scan has begun.
			cmd := unshared(t, `mount -t tmpfs -o size=64k none full || exit 99
clawsonar "$@" & pid=$!
i=0; while [ ! -s "$JOURNAL" ] && [ $i -lt 500 ]; do i=$((i+1)); sleep 0.02; done
cat /dev/zero >full/fill 2>/dev/null
wait $pid; code=$?
cat "$JOURNAL" >last
exit $code`, "-m")
			cmd.Args = append(cmd.Args, "sh", "scan", gateway, silent.Addr().String(), "-timeout", "2500ms", "-c", "1", // the silent one comes first
				"-journal", c.journal+"/journal", "-o", "jsonl="+c.stream+"/out", "-o", "json=good/json", "-o", "sarif=good/sarif")
			cmd.Dir = work
			cmd.Env = append(os.Environ(), "JOURNAL="+c.journal+"/journal")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(stderr.String(), c.want) {
				t.Errorf("ended with %v, want 1 and %q: %s", err, c.want, stderr.String())
			}
			for name, data := range map[string][]byte{"stdout": out, "json": read(t, work, "good/json"), "sarif": read(t, work, "good/sarif")} {
				if !bytes.Contains(data, []byte(gateway)) && c.stream != "full" || !bytes.HasSuffix(bytes.TrimSpace(data), []byte("}")) && name != "stdout" || len(data) == 0 {
					t.Errorf("%s: %s", name, data)
				}
			}
			if last := read(t, work, "last"); bytes.Contains(last, []byte(`"finished":true`)) {
				t.Errorf("the journal says that all is done: %s", last)
			} else if c.stream == "full" && bytes.Contains(last, []byte(`"next":2`)) {
				t.Errorf("the journal is ahead of the stream: %s", last)
			}
		})
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Error(err)
	}
	return data
}

// In containers every run is process 1. Two that write the same files do not get
// in each other's way: the second says so and changes nothing. What one leaves
// that was killed stops nobody from continuing.
func TestProcessOne(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs PID namespaces")
	}
	t.Parallel()
	gateway := openReplica(t)
	silent, err := serve("silent")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dir := t.TempDir()
	run := func(targets ...string) (*exec.Cmd, *bytes.Buffer) {
		cmd := unshared(t, `[ $$ = 1 ] || exit 98; exec clawsonar "$@"`, "-p", "-f", "--kill-child")
		cmd.Args = append(append(append(cmd.Args, "sh", "scan", "-timeout", "60s", "-f", "jsonl"), targets...), outputFlags(dir)...)
		stderr := new(bytes.Buffer)
		cmd.Stderr = stderr
		return cmd, stderr
	}
	first, _ := run(silent.Addr().String())
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); silent.contacts.Load() == 0 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	second, stderr := run(gateway)
	var exit *exec.ExitError
	if err := second.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(stderr.String(), "another run is writing it") {
		t.Errorf("the second run ended with %v: %s", err, stderr.String())
	}
	if stream := read(t, dir, "out.jsonl"); !bytes.HasPrefix(stream, []byte(`{"type":"scan"`)) {
		t.Errorf("the stream of the first is gone: %s", stream)
	}
	_ = first.Process.Kill()
	_ = first.Wait()
	// The lock ends with the process in the namespace, which ends with its parent.
	for range 100 {
		third, stderr := run(gateway)
		err := third.Run()
		if err == nil {
			checkOutputs(t, dir, gateway)
			return
		}
		if !strings.Contains(stderr.String(), "another run is writing it") {
			t.Fatalf("after the kill: %v: %s", err, stderr.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("what the killed run left is in the way")
}

// Two runs do not share a journal.
func TestOneJournal(t *testing.T) {
	t.Parallel()
	silent, err := serve("silent")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dir := t.TempDir()
	args := []string{"scan", silent.Addr().String(), "-timeout", "60s", "-f", "jsonl", "-journal", filepath.Join(dir, "journal")}
	first := exec.Command("clawsonar", args...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Process.Kill(); _ = first.Wait() }()
	await(t, filepath.Join(dir, "journal"), 1)
	out, err := exec.Command("clawsonar", args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !bytes.Contains(out, []byte("another run is writing it")) {
		t.Errorf("the second run: %v: %s", err, out)
	}
}
