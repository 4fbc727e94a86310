package version

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	for _, c := range []struct{ release, module, want string }{
		{"", "", "0.0.0-devel"},
		{"", "(devel)", "0.0.0-devel"},
		{"", "v0.2.0", "0.2.0"},
		{"", "v0.0.0-20261130102424-a68edabc3f11+dirty", "0.0.0-20261130102424-a68edabc3f11+dirty"},
		{"0.3.0", "(devel)", "0.3.0"},
		{"0.3.0", "v0.2.0", "0.3.0"},
	} {
		if got := of(c.release, c.module); got != c.want {
			t.Errorf("of(%q, %q) = %q, want %q", c.release, c.module, got, c.want)
		}
	}
}

// The linker finds the variable by this name, and says nothing if there is none.
func TestLinker(t *testing.T) {
	program := filepath.Join(t.TempDir(), "clawsonar")
	build := exec.Command("go", "build", "-ldflags", "-X github.com/clawsonar/clawsonar/internal/version.release=9.8.7", "-o", program, "../../cmd/clawsonar")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, arg := range []string{"version", "--version"} {
		out, err := exec.Command(program, arg).Output()
		if err != nil || !strings.HasPrefix(string(out), "clawsonar 9.8.7, go1.") {
			t.Errorf("%s: %v\n%s", arg, err, out)
		}
	}
}
