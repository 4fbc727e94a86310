//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// TestPipeline: the shell step of the CI templates waits for a gateway that is
// started at the same moment, and then fails on it, since it is open.
func TestPipeline(t *testing.T) {
	t.Parallel()
	l, ctx := open(t, "a gateway that starts with the pipeline")
	g, err := l.Start(ctx, t.TempDir(), lab.Config{Name: "pipeline", Package: "openclaw", Version: "2026.9.6", Mode: lab.None})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Stop()
	g.Pause()
	restarted := make(chan error, 1)
	go func() { restarted <- g.Restart(ctx) }()

	temp := t.TempDir()
	bin := filepath.Join(temp, "clawsonar-bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(bin, "clawsonar")); err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(temp, "output")
	cmd := exec.Command("bash", "-c", "../../../ci/start.sh && ../../../ci/scan.sh")
	cmd.Env = append(os.Environ(), "NAME=clawsonar", "GITHUB_REPOSITORY=o/r", "RUNNER_TEMP="+temp, "GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+filepath.Join(temp, "summary.md"),
		"TARGETS="+g.Addr.String(), "CLAWSONAR_FAIL_ON=high", "CLAWSONAR_FAIL_ON_INCOMPLETE=true")
	begun := time.Now()
	log, err := cmd.CombinedOutput()
	t.Logf("after %s:\n%s", time.Since(begun).Round(time.Second), log)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "exit-code=3\n") || !strings.Contains(string(log), "waiting for "+g.Addr.String()) {
		t.Errorf("output %q: want exit code 3, after waiting", data)
	}
}
