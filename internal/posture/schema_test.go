package posture_test

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/posture"
	"github.com/clawsonar/clawsonar/internal/test/schema"
)

const schemaFile = "../../schema/posture.schema.json"

var update = flag.Bool("update", false, "write the ids of the findings into the schema")

func checks() []string {
	ids := check.IDs()
	slices.Sort(ids)
	return ids
}

// The published schema has exactly the keys, verdicts and findings of the loader.
// Refresh the findings with: go test ./internal/posture -run TestSchema -update
func TestSchema(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		before, rest, _ := strings.Cut(string(data), "\"the id of a check\",\n                  \"enum\": [")
		_, after, _ := strings.Cut(rest, "]")
		list := "\n                    \"" + strings.Join(checks(), "\",\n                    \"") + "\"\n                  "
		data = []byte(before + "\"the id of a check\",\n                  \"enum\": [" + list + "]" + after)
		if err := os.WriteFile(schemaFile, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	type object struct {
		Properties map[string]struct {
			Enum                 []string
			Items                json.RawMessage
			AdditionalProperties struct{ Items struct{ Enum []string } }
		}
	}
	read := func(raw []byte) object {
		var o object
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	root := read(data)
	endpoint := read(root.Properties["endpoints"].Items)
	host := read(root.Properties["hosts"].Items)
	accept := read(endpoint.Properties["accept"].Items)
	if got := accept.Properties["finding"].Enum; !slices.Equal(got, checks()) {
		t.Errorf("findings of the schema: %q", got)
	}
	if got := endpoint.Properties["from"].AdditionalProperties.Items.Enum; !slices.Equal(got, posture.Verdicts()) {
		t.Errorf("verdicts of the schema: %q", got)
	}
	for text, o := range map[string]object{
		"bogus: x":                            root,
		"endpoints: [{bogus: x}]":             endpoint,
		"endpoints: [{accept: [{bogus: x}]}]": accept,
		"hosts: [{bogus: x}]":                 host,
	} {
		_, err := posture.Load("file", []byte(text), checks())
		if err == nil {
			t.Fatalf("%s is taken", text)
		}
		_, keys, found := strings.Cut(err.Error(), `unknown key "bogus": use `)
		if want := strings.Join(slices.Sorted(maps.Keys(o.Properties)), ", "); !found || keys != want {
			t.Errorf("%s: the loader says %v, the schema has %s", text, err, want)
		}
	}
}

// What the schema takes the loader takes, and the reverse.
func TestSchemaAndLoader(t *testing.T) {
	example, err := os.ReadFile("../../examples/posture.yaml")
	if err != nil {
		t.Fatal(err)
	}
	one := func(more string) string {
		return "version: 1\nendpoints: [{target: \"a:1\", from: {lan: [closed]}" + more + "}]\n"
	}
	load := func(text string) error {
		_, err := posture.Load("file", []byte(text), checks())
		return err
	}
	schema.Agree(t, schemaFile, load, map[string]bool{
		string(example): true,
		one(""):         true,
		one(", tls: true, oldest: 2026.9.1-2, surfaces: [a2ui]"):                   true,
		one(", accept: [{finding: plain-http, reason: known}]"):                    true,
		one(", accept: [{finding: plain-http, reason: known, until: 2026-12-31}]"): true,
		"version: 1\nhosts: [{host: a}]\n":                                         true,
		"version: 1\nhosts: [{host: a, also_ports: '22,80-90'}]\n":                 true,
		"version: 1\nvantage: my-desk\nhosts: [{host: a}]\n":                       true,
		"":                                 false,
		"version: 1\n":                     false,
		"version: 2\nhosts: [{host: a}]\n": false,
		"hosts: [{host: a}]\n":             false,
		"version: 1\nhosts: []\n":          false,
		"version: 1\nhosts: [a]\n":         false,
		"version: 1\nhosts: [{}]\n":        false,
		"version: 1\nhosts: [{host: a, also_ports: ssh}]\n":                   false,
		"version: 1\nhosts: [{host: a, also_ports: }]\n":                      false,
		"version: 1\nvantage: Outside\nhosts: [{host: a}]\n":                  false,
		"version: 1\nendpoints: [{target: \"a:1\"}]\n":                        false,
		"version: 1\nendpoints: [{from: {lan: [closed]}}]\n":                  false,
		"version: 1\nendpoints: [{target: \"a:1\", from: {}}]\n":              false,
		"version: 1\nendpoints: [{target: \"a:1\", from: {lan: []}}]\n":       false,
		"version: 1\nendpoints: [{target: \"a:1\", from: {lan: closed}}]\n":   false,
		"version: 1\nendpoints: [{target: \"a:1\", from: {lan: [safe]}}]\n":   false,
		"version: 1\nendpoints: [{target: \"a:1\", from: {LAN: [closed]}}]\n": false,
		one(", tls: maybe"):                                                        false,
		one(", oldest: new"):                                                       false,
		one(", oldest: "):                                                          false,
		one(", surfaces: [A]"):                                                     false,
		one(", surfaces: a"):                                                       false,
		one(", accept: [{finding: plain-http}]"):                                   false,
		one(", accept: [{reason: known}]"):                                         false,
		one(", accept: [{finding: plain-htp, reason: known}]"):                     false,
		one(", accept: [{finding: plain-http, reason: TODO}]"):                     false,
		one(", accept: [{finding: plain-http, reason: ' todo '}]"):                 false,
		one(", accept: [{finding: plain-http, reason: ' '}]"):                      false,
		one(", accept: [{finding: plain-http, reason: known, until: soon}]"):       false,
		one(", accept: [{finding: plain-http, reason: known, until: 2026-02-30}]"): false,
		one(", accept: [{finding: plain-http, reason: known, severity: low}]"):     false,
	})
}
