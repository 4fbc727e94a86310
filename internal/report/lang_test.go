package report

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

// interfaceTexts returns every text that the reports, the page's template and the
// commands hand to the catalogue, with the place where they do.
func interfaceTexts(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	commands, err := filepath.Glob("../cli/*.go")
	if err != nil || len(commands) == 0 {
		t.Fatal("no commands", err)
	}
	names = append(names, commands...)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
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
			if !ok || !slices.Contains([]string{"say", "Say", "count"}, sel.Sel.Name) || len(call.Args) == 0 {
				return true
			}
			if of, ok := sel.X.(*ast.Ident); ok && of.Name == "message" {
				return true // has an id
			}
			args := call.Args
			if sel.Sel.Name == "count" {
				if len(args) != 3 {
					return true // tally.count
				}
				args = args[1:]
			} else {
				args = args[:1]
			}
			for _, a := range args {
				lit, ok := a.(*ast.BasicLit)
				if !ok {
					if name := filepath.Base(fset.Position(a.Pos()).Filename); name != "lang.go" && name != "texts.go" {
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
	page, err := htmlFiles.ReadFile("html/page.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`say "([^"]+)"`).FindAllStringSubmatch(string(page), -1) {
		out[m[1]] = "html/page.html"
	}
	return out
}

// TestCataloguesAreComplete names every text of the reports and the commands that a
// language lacks, or has and nobody says. The texts of the checks are looked at in
// internal/cli, which knows them.
func TestCataloguesAreComplete(t *testing.T) {
	texts := interfaceTexts(t)
	if len(texts) < 100 {
		t.Fatalf("only %d texts found", len(texts))
	}
	for _, lang := range Languages() {
		c, err := loadCatalogue(lang)
		if err != nil {
			t.Fatal(err)
		}
		if c == nil {
			continue
		}
		for _, text := range slices.Sorted(maps.Keys(texts)) {
			got, ok := c.exact[text]
			if !ok {
				t.Errorf("lang/%s.yaml lacks %q (%s)", lang, text, texts[text])
				continue
			}
			if !slices.Equal(verbs(text), verbs(got)) {
				t.Errorf("lang/%s.yaml: %q does not take what %q takes", lang, got, text)
			}
		}
		for text := range c.exact {
			if texts[text] == "" {
				t.Errorf("lang/%s.yaml: nothing says %q", lang, text)
			}
		}
	}
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

func TestCatalogueErrors(t *testing.T) {
	for in, want := range map[string]string{
		"- {en: a, text: b}\n- {en: a, text: c}": "duplicate",
		"- {en: a}":                              "empty",
		"- {en: a, txt: b}":                      "txt",
		"en: a":                                  "f:",
	} {
		if _, err := parseWords("f", []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", in, err, want)
		}
	}
	if _, err := New("table", nil, Options{Lang: "xx"}); err == nil || !strings.Contains(err.Error(), `unknown language "xx": use one of en, zh`) {
		t.Errorf("error %v", err)
	}
}

// TestNoEnglishIsLeft reads the Chinese reports of a real scan, whose texts are
// those of the checks: what is left in Latin letters must be a name, an id, a key,
// a command, or somebody else's words.
func TestNoEnglishIsLeft(t *testing.T) {
	events := replicas(t)
	for i := range events {
		if x, ok := events[i].(*event.Target); ok {
			for j := range x.Findings {
				if by := x.Findings[j].Said().Suppressed; by != nil {
					by.Args["reason"] = []string{"原因"} // the operator's words
				}
			}
			x.Advisories, x.Evidence = nil, nil // published, and answered, in English
		}
	}
	names := strings.Fields("OpenClaw clawsonar scan UTC HTTP TLS HTTPS SSH VPN SHA token mode none standard caddy alive advisories show explain ID http latest assets root blocked nginx NVDB CNCERT OWASP npm install IP auth config tools-get tools")
	for format, o := range map[string]Options{"table": {Lang: "zh", Verbose: true, Width: 200}, "markdown": {Lang: "zh"}, "html": {Lang: "zh"}} {
		out := render(t, format, o, events...)
		out = regexp.MustCompile(`(?s)<(style|script|head)>.*?</(style|script|head)>|<[^>]*>|`+"`[^`]*`").ReplaceAllString(out, " ")
		for word := range strings.FieldsFuncSeq(out, func(r rune) bool { return r > '~' || strings.ContainsRune(" \n(){}[],;'\"=", r) }) {
			word = strings.Trim(word, ".:*~&#\\|")
			plain := regexp.MustCompile(`^[A-Za-z]{2,}$`).MatchString(word)
			if plain && !slices.Contains(names, word) {
				t.Errorf("%s: %q is left in English", format, word)
			}
		}
	}
}
