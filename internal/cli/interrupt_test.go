package cli_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// scanning starts a scan of silent targets, as a process of its own, and waits
// until two of them, as many as it does at a time, have been connected to.
func scanning(t *testing.T, format string) (cmd *exec.Cmd, stdout io.Reader) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGINT to send to a process")
	}
	silent, err := serve("silent")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	// TestMain has put this test binary in the path under that name.
	cmd = exec.Command("clawsonar", "scan", "-f", format, "-c", "2", "-timeout", "60s", "-silent")
	for i := range 10 {
		cmd.Args = append(cmd.Args, fmt.Sprintf("http://%s/%d", silent.Addr(), i))
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for deadline := time.Now().Add(20 * time.Second); silent.contacts.Load() < 2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the scan has not begun")
		}
	}
	return cmd, out
}

// The first SIGINT ends a scan in good order: what was found is in the output.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	type run struct {
		format string
		cmd    *exec.Cmd
		stdout io.Reader
	}
	var runs []run
	for _, format := range []string{"jsonl", "json", "table"} {
		cmd, stdout := scanning(t, format)
		runs = append(runs, run{format, cmd, stdout})
	}
	begin := time.Now()
	for _, r := range runs {
		if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range runs {
		out, err := io.ReadAll(r.stdout)
		if err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := r.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
			t.Errorf("%s: ended with %v, want exit code 130", r.format, err)
		}
		checkInterrupted(t, r.format, string(out))
	}
	// Far below the 60 s that the targets would have had.
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("took %v to end", took)
	}
}

func checkInterrupted(t *testing.T, format, out string) {
	t.Helper()
	switch format {
	case "jsonl":
		// The two in flight are told of, the eight not begun are not.
		lines := strings.SplitAfter(strings.TrimSuffix(out, "\n"), "\n")
		if err := checkStream(lines, 2); err != nil {
			t.Fatalf("%v in:\n%s", err, out)
		}
		for _, line := range lines[1:3] {
			if !strings.Contains(line, `"outcome":"interrupted"`) {
				t.Errorf("not interrupted: %s", line)
			}
		}
		if summary := lines[3]; !strings.Contains(summary, `"targets":2,`) || !strings.Contains(summary, `"complete":false`) {
			t.Errorf("summary is %s", summary)
		}
	case "json":
		var d struct{ Summary struct{ Complete *bool } }
		if err := json.Unmarshal([]byte(out), &d); err != nil || d.Summary.Complete == nil || *d.Summary.Complete {
			t.Errorf("%v, or no summary that says incomplete, in:\n%s", err, out)
		}
	default:
		if !strings.Contains(out, "INCOMPLETE") {
			t.Errorf("the table does not say that the scan is incomplete:\n%s", out)
		}
	}
}

// The second SIGINT ends the process at once: the signal itself does, there is
// no exit code.
func TestSecondInterrupt(t *testing.T) {
	t.Parallel()
	cmd, stdout := scanning(t, "jsonl")
	go func() {
		// A second signal may melt into one that has not been delivered yet.
		for cmd.Process.Signal(os.Interrupt) == nil {
			time.Sleep(20 * time.Millisecond)
		}
	}()
	// The head of the stream was written before; nothing comes after it.
	r := bufio.NewReader(stdout)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("went on: %s", rest)
	}
	_ = cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("ended with %v, want the end by SIGINT", cmd.ProcessState)
	}
}

// Before there are results, the first SIGINT ends the process, regardless of what it waits
// for.
func TestInterruptBeforeResults(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGINT to send to a process")
	}
	cmd := exec.Command("clawsonar", "scan", "-l", "-")
	cmd.Dir = t.TempDir()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	// More than a pipe holds: once it is written, the list is being read.
	if _, err := io.WriteString(in, strings.Repeat("# not a target\n", 20_000)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("ended with %v, want exit code 130", err)
	}
}
