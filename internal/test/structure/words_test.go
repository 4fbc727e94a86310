package structure

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// homonyms are words of the result stream that mean something else in a package,
// such as the name of a flag, a key of a file, or a word of another program.
func homonyms() map[string][]string {
	return map[string][]string{
		"internal/advisory":    {"affected", "credential", "none", "summary"},                                                // keys and words of OSV, VEX and our own files; what a change is from
		"internal/audit":       {"ok"},                                                                                       // value of a flag
		"internal/check":       {"claimable", "elsewhere", "name", "possible", "reachable"},                                  // id of a check; names of arguments
		"internal/cli":         {"files", "interrupted", "release", "scan", "silent", "target"},                              // commands, flags, an error, how notes of old streams begin
		"internal/deploy":      {"host"},                                                                                     // name of a namespace
		"internal/discover":    {"host"},                                                                                     // a network of containers
		"internal/exposure":    {"credential", "lan", "mdns", "open", "private", "release", "summary", "tailnet", "unknown"}, // places of findings, a setting, a policy of channels, domains, reasons of the official audit
		"internal/fingerprint": {"deep", "gated", "helper", "none", "other", "passive", "release", "unseen"},                 // keys and values of the language
		"internal/hub/access":  {"public"},                                                                                   // a role
		"internal/hub/config":  {"name"},                                                                                     // key of watch.yaml
		"internal/hub/web":     {"closed", "opened", "other", "public", "release", "verdict"},                                // columns, keys of queries, a taxonomy, a page
		"internal/hub/machine": {"release", "target", "verdict"},                                                             // labels of metrics, a parameter
		"internal/hub/mcp":     {"scan"},                                                                                     // name of a tool
		"internal/hub/store":   {"closed", "high", "none", "open", "opened", "other", "release", "unknown", "verdict"},       // of what an episode is and why it ended, kinds of changes, queries, columns
		"internal/local":       {"docker", "loopback"},                                                                       // name and flag of an interface
		"internal/message":     {"elsewhere", "host", "name", "other", "possible", "reachable", "release"},                   // names and kinds of arguments, a plural form
		"internal/policy":      {"none", "target"},                                                                           // value of -fail-on; key of an ignore file
		"internal/posture":     {"host", "lan", "loopback", "release", "target"},                                             // keys of a posture, names of vantages
		"internal/redact":      {"files", "name", "other"},                                                                   // kinds of pseudonyms; name of a fact
		"internal/release":     {"none"},                                                                                     // how assets fit
		"internal/report":      {"absent", "high", "name", "none", "release", "scan", "target", "unknown", "verdict"},        // words of SARIF and JUnit, columns, style classes, a command
		"internal/target":      {"host", "name", "open"},                                                                     // words of nmap, masscan and others
		"internal/wire":        {"cluster", "credential", "host", "name", "unknown"},                                         // parts of header names; a coding

		"internal/test/lab":        {"lan", "loopback", "none"}, // settings and names of gateways
		"internal/test/nameserver": {"silent"},
	}
}

// A word of the result stream is a constant of package event, declared once. Texts
// for people (the arguments of say and Say) are no words.
func TestWords(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	words := map[string]bool{}
	for _, name := range []string{"words.go", "severity.go"} {
		ast.Inspect(parse(t, filepath.Join(root, "internal", "event", name)).File, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				for _, x := range v.Values {
					if w := text(x); w != "" {
						words[w] = true
					}
				}
			}
			return true
		})
	}
	if len(words) < 50 {
		t.Fatalf("only %d words found", len(words))
	}
	used := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		dir, _ := filepath.Rel(root, filepath.Dir(path))
		dir = filepath.ToSlash(dir)
		switch {
		case dir == "internal/inspect" || dir == "internal/openclaw": // full of the words of the files that they read
			return nil
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == ".cache"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || dir == "internal/event":
			return nil
		}
		for _, w := range literals(parse(t, path)) {
			switch {
			case !words[w.text]:
			case slices.Contains(homonyms()[dir], w.text):
				used[dir+" "+w.text] = true
			default:
				t.Errorf("%s:%d: %q is a word of the result stream: use the constant of package event", path, w.line, w.text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, list := range maps.All(homonyms()) {
		for _, w := range list {
			if !used[dir+" "+w] {
				t.Errorf("%s: no literal is %q: take it off the list", dir, w)
			}
		}
	}
}

type literal struct {
	text string
	line int
}

// literals returns the string literals of a file, but for imports, tags and texts
// for people.
func literals(f file) (out []literal) {
	ast.Inspect(f.File, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			return !ok || !strings.EqualFold(sel.Sel.Name, "say")
		case *ast.BasicLit:
			if s := text(n); s != "" {
				out = append(out, literal{s, f.set.Position(n.Pos()).Line})
			}
		}
		return true
	})
	return out
}

// text is the value of a string literal, else "".
func text(x ast.Expr) string {
	l, ok := x.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(l.Value)
	if err != nil {
		panic(fmt.Sprint(l.Value, err))
	}
	return s
}

type file struct {
	*ast.File
	set *token.FileSet
}

func parse(t *testing.T, name string) file {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file{f, set}
}
