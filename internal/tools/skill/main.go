// Command skill pins, in skills/clawsonar/SKILL.md, the archives from which OpenClaw
// installs the program: to the version and the digests of ci/sums.txt. "make release-sums"
// runs it. Without sums, which is before the first release, nothing is offered.
//
//	go run ./internal/tools/skill
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

const (
	skillFile = "skills/clawsonar/SKILL.md"
	sumsFile  = "ci/sums.txt"
	releases  = "https://github.com/clawsonar/clawsonar/releases/download/"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "skill: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	skill, err := os.ReadFile(skillFile)
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(sumsFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := pin(skill, sums)
	if err != nil {
		return err
	}
	return os.WriteFile(skillFile, out, 0o644)
}

// installer is an entry of metadata.openclaw.install, as docs/tools/skills.md of openclaw
// 2026.9.6 has it. A digest that is none makes the gateway drop the entry.
type installer struct {
	ID        string   `json:"id"`
	Kind      string   `json:"kind"`
	OS        []string `json:"os"`
	URL       string   `json:"url"`
	SHA256    string   `json:"sha256"`
	Archive   string   `json:"archive"`
	TargetDir string   `json:"targetDir"`
	Bins      []string `json:"bins"`
	Label     string   `json:"label"`
}

// sum is a line of ci/sums.txt, as sha256sum writes it.
var sum = regexp.MustCompile(`^([0-9a-f]{64})  (clawsonar_([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.]+)?)_(linux|darwin|windows)_(amd64|arm64)\.(tar\.gz|zip))$`)

// installers are one for each archive.
func installers(sums []byte) ([]installer, error) {
	var out []installer
	version := ""
	for line := range strings.Lines(string(sums)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := sum.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%s: %q is not the digest of an archive", sumsFile, line)
		}
		digest, name, v, system, arch, archive := m[1], m[2], m[3], m[4], m[5], m[6]
		if version != "" && v != version {
			return nil, fmt.Errorf("%s: archives of %s and of %s", sumsFile, version, v)
		}
		version = v
		called := system // as Node calls it
		if system == "windows" {
			called = "win32"
		}
		out = append(out, installer{
			ID: "download-" + system + "-" + arch, Kind: "download", OS: []string{called},
			URL: releases + "v" + v + "/" + name, SHA256: digest, Archive: archive, TargetDir: "bin", Bins: []string{"clawsonar"},
			Label: fmt.Sprintf("Download clawsonar %s (%s, %s), then put it on PATH", v, system, arch),
		})
	}
	return out, nil
}

// pin returns the skill with metadata for these sums.
func pin(skill, sums []byte) ([]byte, error) {
	install, err := installers(sums)
	if err != nil {
		return nil, err
	}
	type bins struct {
		Bins []string `json:"bins"`
	}
	type metadata struct {
		Requires bins        `json:"requires"`
		Install  []installer `json:"install,omitempty"`
	}
	text, err := json.MarshalIndent(map[string]metadata{"openclaw": {bins{[]string{"clawsonar"}}, install}}, "  ", "  ")
	if err != nil {
		return nil, err
	}
	// Short lists stand on one line.
	text = regexp.MustCompile(`\[\s+("[^"]*")\s+\]`).ReplaceAll(text, []byte("[$1]"))
	head, rest, ok := bytes.Cut(skill, []byte("\nmetadata:\n"))
	_, rest, end := bytes.Cut(rest, []byte("\n---\n"))
	if !ok || !end {
		return nil, fmt.Errorf("%s has no metadata at the end of its frontmatter", skillFile)
	}
	return bytes.Join([][]byte{head, []byte("\nmetadata:\n  "), text, []byte("\n---\n"), rest}, nil), nil
}
