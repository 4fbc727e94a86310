// Package structure holds the tests of the repository as a whole: which package may
// import which, words and documents.
package structure

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/clawsonar/clawsonar/"

// tables reads the two tables of imports in docs/architecture.md: what each of our
// packages may import of ours, and which packages alone may import a library.
func tables(t *testing.T) (allowed, only map[string][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	allowed, only = map[string][]string{}, map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 4 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		name := strings.Trim(cells[1], " `")
		var packages []string
		for p := range strings.SplitSeq(cells[len(cells)-2], ",") {
			packages = append(packages, strings.TrimSpace(p))
		}
		if len(cells) == 5 {
			allowed[name] = packages
		} else {
			only[name] = packages
		}
	}
	if len(allowed) < 30 || len(only) < 8 {
		t.Fatalf("%d packages and %d libraries in docs/architecture.md", len(allowed), len(only))
	}
	return allowed, only
}

// short is what docs/architecture.md calls one of our packages in a list.
func short(name string) string { return strings.TrimPrefix(name, "internal/") }

// mayImport reports whether a list of the table names a package of ours.
func mayImport(allowed []string, name string) bool {
	if slices.Contains(allowed, short(name)) {
		return true
	}
	notProgram := strings.HasPrefix(name, "internal/test/") || strings.HasPrefix(name, "internal/tools/") || name == "internal/cli"
	return !notProgram && slices.ContainsFunc(allowed, func(s string) bool { return strings.HasSuffix(s, "every package of the program") })
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
	allowed, only := tables(t)
	for _, p := range all {
		name := strings.TrimPrefix(p.ImportPath, module)
		if _, ok := allowed[name]; !ok {
			t.Errorf("%s is not in the table of docs/architecture.md", name)
		}
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, module); ok && !mayImport(allowed[name], ours) {
				t.Errorf("docs/architecture.md: %s may not import %s", name, ours)
			}
			if packages, ok := only[imp]; ok && !slices.Contains(packages, short(name)) {
				t.Errorf("docs/architecture.md: %s may not import %s: only %s may", name, imp, strings.Join(packages, ", "))
			}
		}
		for _, ours := range allowed[name] {
			if ours != "" && !strings.Contains(ours, " ") && !slices.Contains(p.Imports, module+"internal/"+ours) && !slices.Contains(p.Imports, module+ours) {
				t.Errorf("docs/architecture.md: %s does not import %s", name, ours)
			}
		}
	}
	for name := range allowed {
		if !slices.ContainsFunc(all, func(p pkg) bool { return p.ImportPath == module+name }) {
			t.Errorf("docs/architecture.md: there is no package %s", name)
		}
	}
}

// TestLean: the auditor has nothing of the hub, nor of the libraries that only the hub
// needs.
func TestLean(t *testing.T) {
	deps := func(command string) []string {
		t.Helper()
		out, err := exec.Command("go", "list", "-deps", module+"cmd/"+command).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	heavy := func(path string) bool {
		for _, prefix := range []string{
			module + "internal/hub/", "github.com/ncruces/", "github.com/jackc/", "github.com/nicholas-fedor/", "github.com/coreos/", "golang.org/x/oauth2", "github.com/modelcontextprotocol/",
		} {
			if strings.HasPrefix(path, prefix) {
				return true
			}
		}
		return false
	}
	if !slices.ContainsFunc(deps("clawsonar-hub"), heavy) {
		t.Error("the hub has none of its own packages: the prefixes are wrong")
	}
	for _, path := range deps("clawsonar") {
		if heavy(path) {
			t.Errorf("clawsonar has %s", path)
		}
	}
}
