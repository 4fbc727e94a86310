package fingerprint

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
)

func manual(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/fingerprints.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Every key of the schema is described, and so is every word that a key takes.
func TestManualNamesEveryKey(t *testing.T) {
	text, seen := manual(t), map[string]bool{}
	var walk func(n any)
	walk = func(n any) {
		switch n := n.(type) {
		case map[string]any:
			if properties, ok := n["properties"].(map[string]any); ok {
				for key := range properties {
					seen[key] = true
				}
			}
			words, _ := n["enum"].([]any)
			for _, word := range words {
				seen[word.(string)] = true
			}
			for _, child := range n {
				walk(child)
			}
		case []any:
			for _, child := range n {
				walk(child)
			}
		}
	}
	walk(map[string]any(schemaRoot(t)))
	for word := range seen {
		if !strings.Contains(text, "`"+word+"`") {
			t.Errorf("docs/fingerprints.md does not describe %q", word)
		}
	}
	if len(seen) < 90 {
		t.Errorf("only %d keys and words", len(seen))
	}
}

// The worked example is what it says: the schema and the loader take the file, and
// it decides on the captures beside it.
func TestManualExample(t *testing.T) {
	_, text, _ := strings.Cut(manual(t), "\n## A worked example\n")
	var blocks []string
	for range 3 {
		_, rest, found := strings.Cut(text, "```yaml\n")
		block, after, closed := strings.Cut(rest, "```")
		if !found || !closed {
			t.Fatal("docs/fingerprints.md has no example of a file and two captures")
		}
		blocks, text = append(blocks, block), after
	}
	if err := fits(t, "toyclaw.yaml", blocks[0]); err != nil {
		t.Error(err)
	}
	set, err := LoadOwn(fstest.MapFS{"toyclaw.yaml": {Data: []byte(blocks[0])}}, fingerprints.Paths, []string{"/api/toy"})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]evidence.Capture{}
	for i, name := range []string{"open.yaml", "someones.yaml"} {
		if all[name], err = evidence.LoadCapture([]byte(blocks[i+1]), name); err != nil {
			t.Fatal(err)
		}
	}
	if problems, idle := set.Test(all); len(problems)+len(idle) > 0 {
		t.Errorf("problems %q, rules that decide nowhere %q", problems, idle)
	}
	open := all["open.yaml"]
	if v := set.Replay(&open, event.LevelStandard).Verdict(); v.Product.ID != "toyclaw" || v.Auth.State != event.AuthOpen || v.Version.Exact != "1.2" {
		t.Errorf("verdict %+v", v)
	}
}
