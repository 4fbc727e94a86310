package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// TestMCP: an agent's client starts the program, uses it and closes it. It then has ended
// well, has written nothing, and had no port.
func TestMCP(t *testing.T) {
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	r, err := replica.Start(all["openclaw/openclaw-2026.9.6-none.yaml"])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	scope := filepath.Join(t.TempDir(), "scope.txt")
	if err := os.WriteFile(scope, []byte("127.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("hub", "mcp", "-scope", scope)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, "XDG_CACHE_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	c, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), &sdk.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.CallTool(t.Context(), &sdk.CallToolParams{Name: "scan", Arguments: map[string]any{"targets": []string{r.Addr.String()}}})
	if err != nil {
		t.Fatal(err)
	}
	if text := res.Content[0].(*sdk.TextContent).Text; res.IsError || !strings.Contains(text, "critical auth-missing") {
		t.Error(text)
	}
	if runtime.GOOS == "linux" {
		if s := sockets(t, cmd.Process.Pid); len(s) > 0 {
			t.Errorf("it has sockets: %q", s)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := stderr.String(); got != "" {
		t.Errorf("%q", got)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("it wrote %v, %v", files, err)
	}
}

// sockets are the open sockets of a process.
func sockets(t *testing.T, pid int) (out []string) {
	t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if to, err := os.Readlink(filepath.Join(dir, f.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			out = append(out, to)
		}
	}
	return out
}
