// Configkeys brings the table of configuration keys up to date with installed releases
// of the gateway, each of which prints its own schema (from 2026.3.28 on).
//
// Run it from the top of the module:
//
//	go run ./internal/tools/configkeys [-lab DIR] [-schema RELEASE=FILE] [-tsv FILE]
//
// DIR holds packages as openclaw-RELEASE/node_modules/openclaw, as the lab installs
// them; those that the table does not have are started with node, with an empty home
// directory. A schema that was printed elsewhere is taken from a file. A TSV file of
// path, first release, last release and the releases in between that lack it fills
// the table anew.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/openclaw"
	"github.com/clawsonar/clawsonar/internal/release"
)

func main() {
	out := flag.String("o", filepath.Join("fingerprints", filepath.FromSlash(openclaw.KeysFile)), "the table to bring up to date")
	lab := flag.String("lab", filepath.FromSlash(".cache/lab"), "where packages are installed")
	tsv := flag.String("tsv", "", "fill the table anew from this file")
	schema := flag.String("schema", "", "RELEASE=FILE: add the schema that a release printed")
	flag.Parse()
	if err := run(*out, *lab, *tsv, *schema); err != nil {
		fmt.Fprintln(os.Stderr, "configkeys:", err)
		os.Exit(1)
	}
}

func run(out, lab, tsv, schema string) error {
	keys, err := load(out, tsv)
	if err != nil {
		return err
	}
	if schema != "" {
		text, file, _ := strings.Cut(schema, "=")
		r, err := release.Parse(text)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := add(keys, r, data); err != nil {
			return err
		}
	}
	dirs, err := filepath.Glob(filepath.Join(lab, "openclaw-*", "node_modules", "openclaw"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		name := filepath.Base(filepath.Dir(filepath.Dir(dir)))
		r, err := release.Parse(strings.TrimPrefix(name, "openclaw-"))
		if err != nil || slices.Contains(keys.Releases(), r) || r.Compare(release.MustParse("2026.3.28")) < 0 {
			continue
		}
		data, err := printed(dir)
		if err == nil {
			err = add(keys, r, data)
		}
		if err != nil {
			return fmt.Errorf("%v: %w", r, err)
		}
		fmt.Println("added", r)
	}
	return os.WriteFile(out, keys.Format(), 0o644)
}

func load(out, tsv string) (*openclaw.Keys, error) {
	if tsv == "" {
		data, err := os.ReadFile(out)
		if err != nil {
			return nil, err
		}
		return openclaw.ParseKeys(data)
	}
	data, err := os.ReadFile(tsv)
	if err != nil {
		return nil, err
	}
	return fromTSV(data)
}

// fromTSV makes a table of a list of paths with the releases that know them.
func fromTSV(data []byte) (*openclaw.Keys, error) {
	releases := map[release.Version]bool{}
	type row struct {
		path        string
		first, last release.Version
		lacking     []release.Version
	}
	var rows []row
	for line := range bytes.Lines(data) {
		f := strings.Split(strings.TrimRight(string(line), "\r\n"), "\t")
		if len(f) < 3 {
			return nil, fmt.Errorf("%q: want path, first and last release", line)
		}
		r := row{path: f[0]}
		var err error
		if r.first, err = release.Parse(f[1]); err != nil {
			return nil, err
		}
		if r.last, err = release.Parse(f[2]); err != nil {
			return nil, err
		}
		releases[r.first], releases[r.last] = true, true
		for _, s := range f[3:] {
			for s := range strings.SplitSeq(s, ",") {
				if v, err := release.Parse(s); err == nil {
					r.lacking, releases[v] = append(r.lacking, v), true
				}
			}
		}
		rows = append(rows, r)
	}
	keys, err := openclaw.ParseKeys([]byte("releases \n"))
	if err != nil {
		return nil, err
	}
	for _, v := range slices.SortedFunc(maps.Keys(releases), release.Version.Compare) {
		var paths []string
		for _, r := range rows {
			if v.Compare(r.first) >= 0 && v.Compare(r.last) <= 0 && !slices.Contains(r.lacking, v) {
				paths = append(paths, r.path)
			}
		}
		if err := keys.Add(v, paths); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// printed is the schema that an installed release prints.
func printed(dir string) ([]byte, error) {
	home, err := os.MkdirTemp("", "configkeys")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(home)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join(dir, "openclaw.mjs"), "config", "schema")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("config schema: %w", err)
	}
	return out, nil
}

func add(keys *openclaw.Keys, r release.Version, data []byte) error {
	paths, err := schemaPaths(data)
	if err != nil {
		return err
	}
	return keys.Add(r, paths)
}

// schema is as much of JSON Schema as says which keys there are.
type schema struct {
	Ref         string             `json:"$ref"`
	Properties  map[string]*schema `json:"properties"`
	Additional  json.RawMessage    `json:"additionalProperties"`
	Items       json.RawMessage    `json:"items"`
	AnyOf       []*schema          `json:"anyOf"`
	OneOf       []*schema          `json:"oneOf"`
	AllOf       []*schema          `json:"allOf"`
	Definitions map[string]*schema `json:"definitions"`
	Defs        map[string]*schema `json:"$defs"`
}

// maxDepth is deeper than any configuration: what goes on refers to itself.
const maxDepth = 24

// schemaPaths returns the paths of all keys of a schema.
func schemaPaths(data []byte) ([]string, error) {
	var root schema
	if err := json.Unmarshal(data, &root); err != nil {
		return nil, err
	}
	if len(root.Properties) == 0 {
		return nil, errors.New("the schema has no keys")
	}
	found := map[string]bool{}
	var walk func(s *schema, path string, depth int)
	below := func(raw json.RawMessage, path string, depth int) {
		var s schema
		if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &s) != nil {
			return
		}
		found[path] = true
		walk(&s, path, depth+1)
	}
	walk = func(s *schema, path string, depth int) {
		if s == nil || depth > maxDepth {
			return
		}
		if name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]; name != "" {
			walk(root.Definitions[name], path, depth+1)
			walk(root.Defs[name], path, depth+1)
		}
		dot := path
		if path != "" {
			dot += "."
		}
		for name, p := range s.Properties {
			found[dot+name] = true
			walk(p, dot+name, depth+1)
		}
		below(s.Additional, dot+"*", depth)
		below(s.Items, path+"[]", depth)
		for _, list := range [][]*schema{s.AnyOf, s.OneOf, s.AllOf} {
			for _, p := range list {
				walk(p, path, depth+1)
			}
		}
	}
	walk(&root, "", 0)
	return slices.Sorted(maps.Keys(found)), nil
}
