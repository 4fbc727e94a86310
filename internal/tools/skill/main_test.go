package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const root = "../../.."

// TestPinned: the skill offers the archives of ci/sums.txt and no others.
func TestPinned(t *testing.T) {
	skill, err := os.ReadFile(filepath.Join(root, skillFile))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, sumsFile))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	want, err := pin(skill, sums)
	if err != nil {
		t.Fatal(err)
	}
	if string(skill) != string(want) {
		t.Errorf("%s is not that of %s: go run ./internal/tools/skill", skillFile, sumsFile)
	}
}

func TestPin(t *testing.T) {
	digest := strings.Repeat("0a", 32)
	skill := []byte("---\nname: x\nmetadata:\n  {\"old\": 1}\n---\n\n# x\n\n---\n")
	out, err := pin(skill, []byte("# two\n"+digest+"  clawsonar_1.2.3_linux_arm64.tar.gz\n"+digest+"  clawsonar_1.2.3_windows_amd64.zip\n"))
	if err != nil {
		t.Fatal(err)
	}
	head, ok := strings.CutSuffix(strings.TrimPrefix(string(out), "---\n"), "\n---\n\n# x\n\n---\n")
	if !ok {
		t.Fatalf("%s", out)
	}
	var front struct {
		Name     string
		Metadata map[string]any
	}
	if err := yaml.Unmarshal([]byte(head), &front); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(front.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	const at = "https://github.com/clawsonar/clawsonar/releases/download/v1.2.3/clawsonar_1.2.3_"
	want := `{"openclaw":{"install":[` +
		`{"archive":"tar.gz","bins":["clawsonar"],"id":"download-linux-arm64","kind":"download","label":"Download clawsonar 1.2.3 (linux, arm64), then put it on PATH","os":["linux"],"sha256":"` + digest + `","targetDir":"bin","url":"` + at + `linux_arm64.tar.gz"},` +
		`{"archive":"zip","bins":["clawsonar"],"id":"download-windows-amd64","kind":"download","label":"Download clawsonar 1.2.3 (windows, amd64), then put it on PATH","os":["win32"],"sha256":"` + digest + `","targetDir":"bin","url":"` + at + `windows_amd64.zip"}` +
		`],"requires":{"bins":["clawsonar"]}}}`
	if front.Name != "x" || string(got) != want {
		t.Errorf("%s\n%s\nwant\n%s", front.Name, got, want)
	}
	for name, bad := range map[string]string{
		"no digest":    "0a  clawsonar_1.2.3_linux_arm64.tar.gz\n",
		"two versions": digest + "  clawsonar_1.2.3_linux_arm64.tar.gz\n" + digest + "  clawsonar_1.2.4_linux_amd64.tar.gz\n",
		"the hub":      digest + "  clawsonar-hub_1.2.3_linux_arm64.tar.gz\n",
		"a path":       digest + "  ../clawsonar_1.2.3_linux_arm64.tar.gz\n",
	} {
		if out, err := pin(skill, []byte(bad)); err == nil {
			t.Errorf("%s: %s", name, out)
		}
	}
	if _, err := pin([]byte("---\nname: x\n---\n"), nil); err == nil {
		t.Error("no metadata")
	}
}
