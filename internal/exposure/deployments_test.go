package exposure_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/clawsonar/clawsonar/internal/exposure"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/inspect"
)

// judgement is the file of an archive that holds what is said of the others.
const judgement = "JUDGED"

// Deployments and their near misses, one an archive: its comment says in a line what is
// tried, and in one that begins with "release" the release that the user
// states, or none.
func TestDeployments(t *testing.T) {
	files, err := filepath.Glob("testdata/deployments/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d archives (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			stated := "2026.9.6"
			for line := range strings.Lines(string(archive.Comment)) {
				if v, ok := strings.CutPrefix(line, "release "); ok {
					stated = strings.TrimPrefix(strings.TrimSpace(v), "none")
				}
			}
			want := ""
			archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool {
				if f.Name == judgement {
					want = string(f.Data)
				}
				return f.Name == judgement
			})
			texts := map[string]string{}
			for _, f := range archive.Files {
				texts[f.Name] = string(f.Data)
			}
			d := inspect.Read(filetree.Map(texts), inspect.Options{})
			got := say(exposure.Judge(d.Model, options(t, d, stated)))
			if *update {
				archive.Files = append(archive.Files, txtar.File{Name: judgement, Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
