package data

import (
	"testing"
	"testing/fstest"
)

// TestDigest: other data have another one, also if only the border of files is elsewhere.
func TestDigest(t *testing.T) {
	known, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	own, err := known.Digest()
	if err != nil || len(own) != 64 {
		t.Fatal(own, err)
	}
	seen := map[string]string{own: "that of the program"}
	for name, files := range map[string]map[string]string{
		"two files":          {"a": "one", "d/b": "two"},
		"another name":       {"a": "one", "d/c": "two"},
		"another place":      {"a": "one", "b": "two"},
		"another content":    {"a": "one", "d/b": "twO"},
		"the border of them": {"a": "onet", "d/b": "wo"},
		"a file less":        {"a": "one"},
	} {
		dir := fstest.MapFS{}
		for file, text := range files {
			dir[file] = &fstest.MapFile{Data: []byte(text)}
		}
		got, err := digest(dir)
		if err != nil || seen[got] != "" {
			t.Errorf("%s: as %q, %v", name, seen[got], err)
		}
		seen[got] = name
	}
}
