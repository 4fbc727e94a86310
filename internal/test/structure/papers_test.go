package structure

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

// TestLinks: what the papers link to in the repository is there.
func TestLinks(t *testing.T) {
	var papers []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		papers = append(papers, found...)
	}
	if len(papers) < 5 {
		t.Fatalf("only %d papers", len(papers))
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	for _, paper := range papers {
		text, err := os.ReadFile(paper)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(paper), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", paper, m[1], err)
			}
		}
	}
}

// TestNoPrograms: "go build" of one package leaves its program in the folder it is run in,
// and nobody sees that it is committed.
func TestNoPrograms(t *testing.T) {
	files, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue
		}
		file, err := os.Open(filepath.Join(root, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		begin := make([]byte, 512)
		n, _ := file.Read(begin)
		file.Close()
		if strings.ContainsRune(string(begin[:n]), 0) {
			t.Errorf("%s is no text: a program that was built? Remove it", f.Name())
		}
	}
}

// TestMakeHelp: "make help" names every target.
func TestMakeHelp(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	said := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if names, ok := strings.CutPrefix(line, ".PHONY: "); ok {
			targets = strings.Fields(names)
		}
		if target, help, ok := strings.Cut(line, " ## "); ok {
			name, _, _ := strings.Cut(target, ":")
			said[name] = strings.TrimSpace(help) != ""
		}
	}
	if len(targets) < 10 {
		t.Fatalf("targets %v", targets)
	}
	for _, name := range targets {
		if !said[name] {
			t.Errorf("make help does not name %s: write \"## what it does\" after its prerequisites", name)
		}
	}
}
