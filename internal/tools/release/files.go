package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/clawsonar/clawsonar/internal/cli"
	hub "github.com/clawsonar/clawsonar/internal/hub/cli"
)

// writeFiles makes DIR anew. The same sources give the same files.
func writeFiles(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, program := range programs {
		to := filepath.Join(dir, program)
		for _, sub := range []string{"man", "man.gz", "completions"} {
			if err := os.MkdirAll(filepath.Join(to, sub), 0o755); err != nil {
				return err
			}
		}
		if err := errors.Join(manual(program, to), completions(program, filepath.Join(to, "completions")), licences(program, to)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "ca-certificates.crt"), authorities(), 0o644)
}

// manual takes the pages of a program out of docs/man, where a test holds them to the
// commands.
func manual(program, to string) error {
	pages, err := filepath.Glob(filepath.FromSlash("docs/man/*.1"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		name := filepath.Base(page)
		if strings.HasPrefix(name, "clawsonar-hub") != (program == "clawsonar-hub") {
			continue
		}
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		if err := errors.Join(os.WriteFile(filepath.Join(to, "man", name), text, 0o644),
			os.WriteFile(filepath.Join(to, "man.gz", name+".gz"), packed.Bytes(), 0o644)); err != nil {
			return err
		}
	}
	return nil
}

func completions(program, to string) error {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var out, errs bytes.Buffer
		args := []string{"completion", shell}
		var code int
		if program == "clawsonar-hub" {
			code = hub.Main(args, &out, &errs)
		} else {
			code = cli.Main(args, strings.NewReader(""), &out, &errs)
		}
		if code != 0 {
			return fmt.Errorf("%s completion %s: %s", program, shell, errs.String())
		}
		if err := os.WriteFile(filepath.Join(to, program+"."+shell), out.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

type module struct{ Path, Version, Dir string }

// licences writes what the licences of Go and of all modules in a program, on any of the
// platforms, ask to be passed on with it.
func licences(program, to string) error {
	all := map[string]module{}
	for _, platform := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "-json=Module", "./cmd/"+program)
		cmd.Env = append(os.Environ(), "GOOS="+platform, "GOARCH=amd64", "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("go list: %w", err)
		}
		for dec := json.NewDecoder(bytes.NewReader(out)); ; {
			var p struct{ Module *module }
			if err := dec.Decode(&p); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
			if p.Module != nil && p.Module.Version != "" {
				all[p.Module.Path] = *p.Module
			}
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	modules := []module{{"Go", strings.TrimPrefix(runtime.Version(), "go"), strings.TrimSpace(string(root))}}
	for _, m := range all {
		modules = append(modules, m)
	}
	slices.SortFunc(modules[1:], func(a, b module) int { return strings.Compare(a.Path, b.Path) })

	var b strings.Builder
	fmt.Fprintf(&b, "%s contains the following software.\n", program)
	for _, m := range modules {
		texts, err := licenceTexts(m)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n%s\n%s %s\n\n%s", strings.Repeat("=", 78), m.Path, m.Version, texts)
	}
	return os.WriteFile(filepath.Join(to, "LICENSES-OTHERS"), []byte(b.String()), 0o644)
}

var licenceName = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice)([-._].*)?$`)

func licenceTexts(m module) (string, error) {
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, e := range entries {
		if e.IsDir() || !licenceName.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
		if err != nil {
			return "", err
		}
		b.WriteString(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n") + "\n")
	}
	if b.Len() == 0 {
		return "", fmt.Errorf("%s %s has no licence at its top: may it be passed on?", m.Path, m.Version)
	}
	return b.String(), nil
}

// authorities returns Mozilla's, as the Go project publishes them, in PEM: the images
// have nothing else by which alerts and the audit of certificates could tell who is
// trusted. Those that are trusted with conditions, which PEM cannot say, are left out.
func authorities() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return b.Bytes()
}
