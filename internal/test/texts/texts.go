// Package texts holds the tests of texts for people: English is what the code says, and
// every other language has each of them in a file.
package texts

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/strict"
)

// Used returns every text that files hand to a catalogue of texts, with the place where
// they do: Go files to the methods say, Say, count and Count, templates to the functions
// say and count. Each file is named by a pattern of filepath.Glob.
func Used(t *testing.T, patterns ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, p := range patterns {
		names, err := filepath.Glob(p)
		if err != nil || len(names) == 0 {
			t.Fatalf("no files %s: %v", p, err)
		}
		for _, name := range names {
			switch {
			case strings.HasSuffix(name, "_test.go"):
			case strings.HasSuffix(name, ".go"):
				ofCode(t, name, out)
			default:
				ofTemplate(t, name, out)
			}
		}
	}
	return out
}

func ofCode(t *testing.T, name string, out map[string]string) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"say", "Say", "count", "Count"}, sel.Sel.Name) || len(call.Args) == 0 {
			return true
		}
		if of, ok := sel.X.(*ast.Ident); ok && of.Name == "message" {
			return true // has an id
		}
		args := call.Args
		if strings.EqualFold(sel.Sel.Name, "count") {
			if len(args) != 3 {
				return true // another method
			}
			args = args[1:]
		} else {
			args = args[:1]
		}
		for _, a := range args {
			lit, ok := a.(*ast.BasicLit)
			if !ok {
				// The catalogue itself hands them on.
				if name := filepath.Base(name); name != "lang.go" && name != "texts.go" {
					t.Errorf("%s: a text that is no constant cannot be looked up", fset.Position(a.Pos()))
				}
				continue
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			out[text] = fset.Position(a.Pos()).String()
		}
		return true
	})
}

func ofTemplate(t *testing.T, name string, out map[string]string) {
	t.Helper()
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\bsay "([^"]+)"|\bcount (?:\S+|\([^)]*\)) "([^"]+)" "([^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		for _, text := range m[1:] {
			if text != "" {
				out[text] = name
			}
		}
	}
}

// Check names every text that is used and that neither the file of a language nor those
// of other packages have, that takes other arguments there, or that is only in the file.
func Check(t *testing.T, used map[string]string, file string, others ...string) {
	t.Helper()
	own, all := read(t, file), map[string]string{}
	for _, o := range others {
		maps.Copy(all, read(t, o))
	}
	maps.Copy(all, own)
	for _, text := range slices.Sorted(maps.Keys(used)) {
		got, ok := all[text]
		if !ok {
			t.Errorf("%s lacks %q (%s)", file, text, used[text])
			continue
		}
		if !slices.Equal(verbs(text), verbs(got)) {
			t.Errorf("%s: %q does not take what %q takes", file, got, text)
		}
	}
	for text := range own {
		if used[text] == "" {
			t.Errorf("%s: nothing says %q", file, text)
		}
	}
}

func read(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var entries []struct {
		EN   string `yaml:"en"`
		Text string `yaml:"text"`
	}
	if err := strict.YAML(file, data, &entries); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		out[e.EN] = e.Text
	}
	return out
}

var verb = regexp.MustCompile(`%(?:\[\d+\])?([a-z%])`)

// verbs lists the verbs of a format in the order of the arguments.
func verbs(format string) []string {
	var out []string
	for _, m := range verb.FindAllStringSubmatch(format, -1) {
		out = append(out, m[1])
	}
	if strings.Contains(format, "%[") {
		slices.Sort(out)
	}
	return out
}
