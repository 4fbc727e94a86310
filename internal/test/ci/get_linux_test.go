package ci

import (
	"os/exec"
	"strings"
	"testing"
)

// TestGetWithoutNetwork: in a network namespace of its own, in which nothing can be
// reached, one line says so.
func TestGetWithoutNetwork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED: there is no curl")
	}
	namespace := []string{"unshare", "--user", "--map-root-user", "--net"}
	if err := exec.Command(namespace[0], append(namespace[1:], "true")...).Run(); err != nil {
		if namespace = []string{"unshare", "--net"}; exec.Command(namespace[0], append(namespace[1:], "true")...).Run() != nil {
			t.Skip("SKIPPED: no network namespace can be made: nothing was tried without a network")
		}
	}
	code, out, said, left := get(t, nil, sumLine(nil, archiveName()), "", namespace...)
	if code != 1 || out != "" || strings.Count(said, "\n") != 1 || !strings.Contains(said, "https://github.com/clawsonar/clawsonar/releases/download/v"+release+"/"+archiveName()+" cannot be downloaded: curl: (6)") || len(left) != 0 {
		t.Errorf("exit code %d, %q, %q, left %q", code, out, said, left)
	}
}
