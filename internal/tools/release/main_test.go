package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sums writes a SHA256SUMS in which each archive has a digest of its own.
func sums(t *testing.T, without string) (dist string, of map[string]string) {
	t.Helper()
	dist, of = t.TempDir(), map[string]string{}
	var b strings.Builder
	for i, name := range []string{
		"clawsonar-hub_1.2.3_darwin_amd64.tar.gz", "clawsonar-hub_1.2.3_darwin_arm64.tar.gz", "clawsonar-hub_1.2.3_linux_amd64.tar.gz",
		"clawsonar-hub_1.2.3_linux_arm64.tar.gz", "clawsonar_1.2.3_darwin_amd64.tar.gz", "clawsonar_1.2.3_darwin_arm64.tar.gz",
		"clawsonar_1.2.3_linux_amd64.tar.gz", "clawsonar_1.2.3_linux_arm64.tar.gz",
	} {
		if name != without {
			of[name] = fmt.Sprintf("%064x", i+1)
			fmt.Fprintf(&b, "%s  %s\n", of[name], name)
		}
	}
	if err := os.WriteFile(filepath.Join(dist, "SHA256SUMS"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return dist, of
}

func TestRecipes(t *testing.T) {
	dist, of := sums(t, "")
	if err := run([]string{"recipes", dist, "1.2.3"}); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	formula, hub, flake := read("homebrew/Formula/clawsonar.rb"), read("homebrew/Formula/clawsonar-hub.rb"), read("flake.nix")
	for name, sum := range of {
		text := formula
		if strings.HasPrefix(name, "clawsonar-hub") {
			text = hub
		}
		if want := "releases/download/v1.2.3/" + name + "\"\n      sha256 \"" + sum + "\""; strings.Count(text, want) != 1 {
			t.Errorf("the formulae lack %s", want)
		}
		if strings.Count(flake, "= \""+sum+"\";") != 1 {
			t.Errorf("the flake lacks %s of %s", sum, name)
		}
	}
	if !strings.Contains(hub, "class ClawsonarHub < Formula") {
		t.Error("Homebrew finds no class in clawsonar-hub.rb")
	}
	for program, args := range map[string][]string{
		"ruby":            {"-c", filepath.Join(dist, "homebrew/Formula/clawsonar.rb")},
		"nix-instantiate": {"--parse", filepath.Join(dist, "flake.nix")},
	} {
		if _, err := exec.LookPath(program); err != nil {
			t.Logf("SKIPPED: %s is not installed", program)
		} else if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
	}
}

// A recipe without a digest, or with what is none, is not written.
func TestRecipesRefuse(t *testing.T) {
	dist, _ := sums(t, "clawsonar-hub_1.2.3_linux_arm64.tar.gz")
	if err := run([]string{"recipes", dist, "1.2.3"}); err == nil || !strings.Contains(err.Error(), "SHA256SUMS lacks clawsonar-hub_1.2.3_linux_arm64.tar.gz") {
		t.Errorf("one archive is missing: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dist, "SHA256SUMS"), []byte("\" + evil + \"  clawsonar_1.2.3_linux_arm64.tar.gz\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"recipes", dist, "1.2.3"}); err == nil || !strings.Contains(err.Error(), "SHA256SUMS:1: not a line of sha256sum") {
		t.Errorf("no digest: %v", err)
	}
}

// A module whose licence is not found could not be passed on.
func TestLicenceMissing(t *testing.T) {
	dir := t.TempDir()
	if _, err := licenceTexts(module{"example.org/m", "v1.0.0", dir}); err == nil {
		t.Error("no error without a licence")
	}
	for name, text := range map[string]string{"LICENCE.md": "a\r\n", "NOTICE": "b", "licensed.go": "no"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := licenceTexts(module{"example.org/m", "v1.0.0", dir}); err != nil || got != "a\nb\n" {
		t.Errorf("%q, %v", got, err)
	}
}
