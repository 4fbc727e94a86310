package main

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

//go:embed formula.rb.tmpl flake.nix.tmpl
var templates embed.FS

// recipe is what the templates are filled with.
type recipe struct {
	Program, Class, Version, About string
	Sums                           map[string]string // archive name → SHA-256 in hex
}

// Archive returns the name of an archive of a release.
func (r recipe) Archive(program, platform string) string {
	return program + "_" + r.Version + "_" + platform + ".tar.gz"
}

// Sum returns the digest of an archive. One that is not in SHA256SUMS is an error.
func (r recipe) Sum(program, platform string) (string, error) {
	name := r.Archive(program, platform)
	if r.Sums[name] == "" {
		return "", fmt.Errorf("SHA256SUMS lacks %s", name)
	}
	return r.Sums[name], nil
}

// Systems returns what Nix calls the platforms that it runs on.
func (recipe) Systems() map[string]string {
	return map[string]string{
		"x86_64-linux": "linux_amd64", "aarch64-linux": "linux_arm64",
		"x86_64-darwin": "darwin_amd64", "aarch64-darwin": "darwin_arm64",
	}
}

var line = regexp.MustCompile(`^([0-9a-f]{64})  ([A-Za-z0-9._~+-]+)$`)

func readSums(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for i, s := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		m := line.FindStringSubmatch(s)
		if m == nil {
			return nil, fmt.Errorf("%s:%d: not a line of sha256sum", file, i+1)
		}
		sums[m[2]] = m[1]
	}
	return sums, nil
}

func writeRecipes(dist, version string) error {
	sums, err := readSums(filepath.Join(dist, "SHA256SUMS"))
	if err != nil {
		return err
	}
	all, err := template.ParseFS(templates, "*.tmpl")
	if err != nil {
		return err
	}
	write := func(name, file string, r recipe) error {
		var b strings.Builder
		if err := all.ExecuteTemplate(&b, name, r); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, []byte(b.String()), 0o644)
	}
	formulae := filepath.Join(dist, "homebrew", "Formula")
	for _, r := range []recipe{
		{"clawsonar", "Clawsonar", version, "Find OpenClaw gateways that are open to anyone", sums},
		{"clawsonar-hub", "ClawsonarHub", version, "Watch the OpenClaw gateways of your own networks", sums},
	} {
		if err := write("formula.rb.tmpl", filepath.Join(formulae, r.Program+".rb"), r); err != nil {
			return err
		}
	}
	return write("flake.nix.tmpl", filepath.Join(dist, "flake.nix"), recipe{Version: version, Sums: sums})
}
