package cli_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/cli"
)

// The pages in docs/man are those that the commands give. Refresh with: go test
// ./internal/cli -run TestManual -update
func TestManual(t *testing.T) {
	const dir = "../../docs/man"
	pages := cli.Manual()
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range pages {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	there, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for i := range there {
		there[i] = filepath.Base(there[i])
	}
	if want := slices.Sorted(maps.Keys(pages)); !slices.Equal(there, want) {
		t.Errorf("docs/man holds %v, want %v", there, want)
	}
	for name, want := range pages {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s differs: refresh with -update and review", name)
		}
	}
	if scan := pages["clawsonar-scan.1"]; !strings.Contains(scan, `.B \-fail\-on SEVERITY`) || !strings.Contains(scan, ".SH EXAMPLES") {
		t.Errorf("the page of scan lacks flags or examples:\n%s", scan)
	}
}

// What reads man pages has nothing to say against them.
func TestManualFormats(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("SKIPPED: groff is not installed")
	}
	for name, text := range cli.Manual() {
		cmd := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// Help fits into a terminal of 80 columns.
func TestHelpWidth(t *testing.T) {
	for name, args := range map[string][]string{
		"root": {"-h"}, "scan": {"scan", "-h"}, "report": {"report", "-h"}, "diff": {"diff", "-h"}, "demo": {"demo", "-h"},
		"fingerprints": {"fingerprints", "list", "-h"}, "advisories": {"advisories", "check", "-h"},
	} {
		var out, errs strings.Builder
		if code := cli.Main(args, strings.NewReader(""), &out, &errs); code != 0 || errs.Len() > 0 {
			t.Errorf("%s: exit %d, %s", name, code, errs.String())
		}
		for line := range strings.Lines(out.String()) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
	}
}
