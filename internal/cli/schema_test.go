package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

const schemaFile = "../../schema/config.schema.json"

// configSchema describes the settings that a configuration file takes: those of
// the flags of scan.
func configSchema(f *flags) map[string]any {
	settings := map[string]any{}
	for _, g := range f.groups {
		for _, o := range g.flags {
			if o.long == configFlag {
				continue
			}
			s := map[string]any{"description": o.usage}
			switch {
			case o.arg == "":
				s["type"] = "boolean"
			case o.arg == "N":
				s["type"], s["minimum"] = "integer", o.least
			case o.arg == "DURATION":
				s["type"], s["pattern"] = "string", `^([0-9]*\.?[0-9]+(ns|us|µs|ms|s|m|h))+$`
			case f.multi[o.long]:
				s["type"], s["items"] = []string{"string", "number", "array"}, map[string]any{"type": []string{"string", "number"}}
			default:
				s["type"] = []string{"string", "number"}
			}
			if o.words != nil {
				delete(s, "type")
				s["enum"] = o.words
			}
			settings[o.long] = s
		}
	}
	return map[string]any{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"$id":                  "https://github.com/clawsonar/clawsonar/schema/config.schema.json",
		"title":                "clawsonar's configuration file: settings of scan",
		"type":                 []string{"object", "null"},
		"properties":           settings,
		"additionalProperties": false,
	}
}

// The published schema has exactly the settings of the loader. Refresh with: go
// test ./internal/cli -run TestConfigSchema -update
func TestConfigSchema(t *testing.T) {
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(configSchema(new(scanOptions).flags())); err != nil {
		t.Fatal(err)
	}
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(schemaFile, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(schemaFile); err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s differs from the flags: refresh with -update and review (%v)", schemaFile, err)
	}
}

// What the schema takes the loader takes, and the reverse.
func TestConfigSchemaAndLoader(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../examples/clawsonar.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for text, good := range map[string]bool{
		string(example): true,
		"":              true,
		"fail-on: high\nexpect: 2\ntimeout: 1m30s\nauthorized: true\n": true,
		"exclude: 10.0.0.1\nexclude-unresolved: ok\n":                  true,
		"exclude: [10.0.0.1, router.example.org]\nports: 18789\n":      true,
		"jsonl: true\nseed: 7\n":                                       true,
		"bogus: 1\n":                                                   false,
		"Fail-on: high\n":                                              false,
		"config: other.yaml\n":                                         false,
		"fail-on: maybe\n":                                             false,
		"level: [passive]\n":                                           false,
		"expect: some\n":                                               false,
		"expect: -1\n":                                                 false,
		"expect: 1.5\n":                                                false,
		"expect:\n":                                                    false,
		"timeout: soon\n":                                              false,
		"timeout: 3\n":                                                 false,
		"authorized: on\n":                                             false,
		"exclude: {a: b}\n":                                            false,
		"exclude: [[a]]\n":                                             false,
		"contact: [a]\n":                                               false,
		"- fail-on\n":                                                  false,
		"fail-on\n":                                                    false,
	} {
		file := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		none := func(string) (string, bool) { return "", false }
		_, loader := new(scanOptions).flags().parse(nil, none, func() (string, bool) { return file, true })
		var doc any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		if shape := schema.Validate(doc); (loader == nil) != good || (shape == nil) != good {
			t.Errorf("%q: the loader says %v, the schema %v", text, loader, shape)
		}
	}
}
