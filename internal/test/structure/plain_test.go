package structure

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// forbidden are words that the field has a plainer one for.
func forbidden() []struct{ words, instead string } {
	return []struct{ words, instead string }{
		{`rooms?`, "package, or space"},
		{`whoever`, "anyone who, or the user"},
		{`mend(s|ed|ing)?`, "fix"},
		{`his|him|her|hers|himself|herself`, "their, or the user"},
		{`log-ins?`, "login, as a verb log in"},
		{`lets go`, "ends, or releases"},
		{`keepers?`, "say what it does, such as lock"},
		{`the house`, "the repository"},
	}
}

// foreign are files whose words are not ours, or are history.
func foreign(path string) bool {
	for _, prefix := range []string{
		"testdata/captures/", "testdata/streams/replicas-0.1.", "testdata/golden/report/replicas-0.1",
		"fingerprints/advisories/", "CHANGELOG.md", "LICENSE", "NOTICE", "go.sum",
		"internal/test/structure/plain_test.go",
	} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	// A table cuts words.
	return strings.HasPrefix(path, "testdata/golden/report/") && strings.HasSuffix(path, ".txt")
}

// said are forbidden words that a file needs, since others use them.
func said() map[string]string {
	return map[string]string{"fingerprints/known.yaml": "log-in"} // part of a path of servers
}

// Code, help, reports and documents are in plain technical English.
func TestPlainWords(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	var patterns []*regexp.Regexp
	for _, f := range forbidden() {
		patterns = append(patterns, regexp.MustCompile(`(?i)(?:^|[^a-z])((?:`+f.words+`))(?:[^a-z]|$)`))
	}
	// In someName, Name is a word of its own.
	hump := regexp.MustCompile(`([a-z])([A-Z])`)
	files := tracked(t, root)
	if len(files) < 300 {
		t.Fatalf("only %d files found", len(files))
	}
	for _, name := range files {
		if foreign(name) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) { // removed, not yet committed
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(data, 0) >= 0 {
			continue
		}
		for i, line := range strings.Split(string(data), "\n") {
			apart := hump.ReplaceAllString(line, "$1 $2")
			for j, p := range patterns {
				m := p.FindStringSubmatch(line)
				if m == nil {
					m = p.FindStringSubmatch(apart)
				}
				if m != nil && said()[name] != m[1] {
					t.Errorf("%s:%d: %q: write %s", name, i+1, m[1], forbidden()[j].instead)
				}
			}
		}
	}
}

// tracked returns the files of the repository, with slashes; without git, all that
// lie there but for what is built.
func tracked(t *testing.T, root string) (out []string) {
	t.Helper()
	if list, err := exec.Command("git", "-C", root, "ls-files", "-z").Output(); err == nil {
		return strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00")
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == "bin" || name == ".cache"):
			return fs.SkipDir
		case d.Type().IsRegular():
			out = append(out, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
