package cli_test

import (
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/cli"
	"github.com/clawsonar/clawsonar/internal/test/manual"
)

// The pages in docs/man are those that the commands give. Refresh with: go test
// ./internal/cli -run TestManual -update
func TestManual(t *testing.T) {
	pages := cli.Manual()
	manual.Compare(t, "../../docs/man", func(name string) bool { return !strings.HasPrefix(name, "clawsonar-hub") }, pages, *update)
	if scan := pages["clawsonar-scan.1"]; !strings.Contains(scan, `.B \-fail\-on SEVERITY`) || !strings.Contains(scan, ".SH EXAMPLES") {
		t.Errorf("the page of scan lacks flags or examples:\n%s", scan)
	}
}

// What reads man pages has nothing to say against them.
func TestManualFormats(t *testing.T) { manual.Format(t, cli.Manual()) }

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
