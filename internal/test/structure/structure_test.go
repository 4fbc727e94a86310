// Package structure holds the tests of the repository as a whole: which package may
// import which, words and documents.
package structure

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/clawsonar/clawsonar/"

// allowedImports says which of our packages each package may import. A package that
// is not listed fails the test: add it first.
func allowedImports() map[string][]string {
	domain := []string{
		"fingerprints", "testdata/captures",
		"internal/advisory", "internal/bounded", "internal/check", "internal/clean", "internal/event", "internal/evidence", "internal/fingerprint", "internal/local",
		"internal/handshake", "internal/message", "internal/pace", "internal/policy", "internal/probe", "internal/release", "internal/replica",
		"internal/redact", "internal/report", "internal/results", "internal/scan", "internal/stored", "internal/strict", "internal/suggest", "internal/target", "internal/wire",
	}
	return map[string][]string{
		"cmd/clawsonar":      {"internal/cli"},
		"internal/cli":       domain,
		"internal/bounded":   {},
		"internal/target":    {"internal/bounded", "internal/event", "internal/message"},
		"internal/message":   {"internal/strict"},
		"internal/pace":      {},
		"internal/evidence":  {"internal/event", "internal/strict", "internal/message"},
		"internal/clean":     {},
		"internal/event":     {"internal/bounded", "internal/clean", "internal/message"},
		"internal/release":   {"internal/strict"},
		"internal/local":     {"internal/event", "internal/strict", "internal/target"},
		"internal/suggest":   {},
		"internal/strict":    {"internal/bounded", "internal/suggest"},
		"internal/handshake": {},
		"internal/wire":      {"internal/event", "internal/evidence", "internal/target", "internal/pace", "internal/message"},

		"internal/fingerprint": {"internal/bounded", "internal/event", "internal/evidence", "internal/handshake", "internal/release", "internal/strict", "internal/suggest", "internal/message"},
		"internal/probe":       {"internal/event", "internal/wire", "internal/fingerprint", "internal/handshake", "internal/target"},
		"internal/advisory":    {"internal/bounded", "internal/event", "internal/release", "internal/strict", "internal/message"},
		"internal/check":       {"internal/advisory", "internal/event", "internal/evidence", "internal/fingerprint", "internal/release", "internal/message"},
		"internal/scan": {"internal/bounded", "internal/target", "internal/pace", "internal/probe", "internal/check",
			"internal/advisory", "internal/event", "internal/evidence", "internal/fingerprint", "internal/release", "internal/message"},
		"internal/policy":  {"internal/event", "internal/strict", "internal/suggest", "internal/message"},
		"internal/report":  {"internal/clean", "internal/event", "internal/strict", "internal/message"},
		"internal/redact":  {"internal/event", "internal/evidence", "internal/message"},
		"internal/stored":  {"internal/event", "internal/message"},
		"internal/results": {"internal/event", "internal/policy", "internal/redact", "internal/report", "internal/stored", "internal/message"},
		"internal/replica": {"internal/evidence"},

		"fingerprints":      {},
		"testdata/captures": {},

		// Not part of the program.
		"internal/test/ci":         {},
		"internal/test/structure":  {},
		"internal/test/lab":        {"internal/event", "internal/results"},
		"internal/test/nameserver": {},
		"internal/test/e2e":        {},
		"internal/test/bench":      {},
		"internal/tools/releases":  {"internal/release", "internal/results"},
		"internal/tools/captures":  append([]string{"internal/test/lab"}, domain...),
	}
}

// exclusiveImports says which packages alone may import a library.
func exclusiveImports() map[string][]string {
	lab := []string{"internal/test/lab", "internal/tools/releases"}
	return map[string][]string{
		"net":                                         append([]string{"internal/wire", "internal/replica", "internal/test/nameserver"}, lab...),
		"net/http":                                    append([]string{"internal/replica"}, lab...),
		"crypto/tls":                                  append([]string{"internal/wire"}, lab...),
		"github.com/spf13/cobra":                      {"internal/cli"},
		"github.com/projectdiscovery/goflags":         {"internal/cli"},
		"github.com/olekukonko/tablewriter":           {"internal/report"},
		"github.com/shirou/gopsutil/v4/net":           {"internal/local"},
		"github.com/shirou/gopsutil/v4/process":       {"internal/local"},
		"os/exec":                                     append([]string{"internal/tools/captures"}, lab...),
		"github.com/clawsonar/clawsonar/internal/cli": {"cmd/clawsonar"},
	}
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	// testdata is not matched by "...".
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...", module+"testdata/captures").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImports(t *testing.T) {
	all := list(t)
	if len(all) < 15 {
		t.Fatalf("only %d packages listed", len(all))
	}
	for _, p := range all {
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, ok := allowedImports()[name]
		if !ok {
			t.Errorf("%s is not in the table of allowed imports", name)
		}
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, module); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s must not import %s", name, ours)
			}
			if only, ok := exclusiveImports()[imp]; ok && !slices.Contains(only, name) {
				t.Errorf("%s must not import %s: only %s may", name, imp, strings.Join(only, ", "))
			}
		}
	}
}
