package policy_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/policy"
	"github.com/clawsonar/clawsonar/internal/test/schema"
)

const schemaFile = "../../schema/ignore.schema.json"

// The published schema has exactly the keys and the checks of the loader.
func TestIgnoreSchema(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Ignore struct {
				Items struct {
					Properties map[string]struct{ Enum []string }
				}
			}
		}
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	properties := schema.Properties.Ignore.Items.Properties
	if got, want := properties["check"].Enum, append([]string{"*"}, checks()...); !slices.Equal(got, want) {
		t.Errorf("checks of the schema:\n%q\nof the loader:\n%q", got, want)
	}
	_, err = policy.LoadIgnore("file", []byte("ignore: [{bogus: x}]"), checks())
	_, keys, found := strings.Cut(err.Error(), `unknown key "bogus": use `)
	if got := strings.Join(slices.Sorted(maps.Keys(properties)), ", "); !found || got != sorted(keys) {
		t.Errorf("keys of the schema: %s; the loader: %v", got, err)
	}
}

func sorted(list string) string {
	keys := strings.Split(list, ", ")
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

func checks() []string {
	var ids []string
	for _, c := range check.All() {
		ids = append(ids, c.Doc.ID)
	}
	slices.Sort(ids)
	return ids
}

// What the schema takes the loader takes, and the reverse.
func TestIgnoreSchemaAndLoader(t *testing.T) {
	example, err := os.ReadFile("../../examples/clawsonar-ignore.yaml")
	if err != nil {
		t.Fatal(err)
	}
	load := func(text string) error {
		_, err := policy.LoadIgnore("file", []byte(text), checks())
		return err
	}
	schema.Agree(t, schemaFile, load, map[string]bool{
		string(example): true,
		"":              true,
		"ignore:\n":     true,
		"ignore: []\n":  true,
		"ignore: [{check: '*', target: 10.0.0.0/24, reason: lab}]\n":                       true,
		"ignore: [{check: plain-http, target: '*', reason: lab, until: \"2026-12-31\"}]\n": true,
		"ignored: []\n":                                                                            false,
		"- check: '*'\n":                                                                           false,
		"ignore: plain-http\n":                                                                     false,
		"ignore: {check: plain-http}\n":                                                            false,
		"ignore: [plain-http]\n":                                                                   false,
		"ignore: [{}]\n":                                                                           false,
		"ignore: [{check: plain-http, target: a}]\n":                                               false,
		"ignore: [{check: plain-http, reason: a}]\n":                                               false,
		"ignore: [{target: a, reason: a}]\n":                                                       false,
		"ignore: [{check: plain-htp, target: a, reason: a}]\n":                                     false,
		"ignore: [{check: [plain-http], target: a, reason: a}]\n":                                  false,
		"ignore: [{check: plain-http, target: [a], reason: a}]\n":                                  false,
		"ignore: [{check: plain-http, target: a, reason: ' '}]\n":                                  false,
		"ignore: [{check: plain-http, target: a, reason: }]\n":                                     false,
		"ignore: [{check: plain-http, target: '', reason: a}]\n":                                   false,
		"ignore: [{check: plain-http, target: a, reason: a, until: soon}]\n":                       false,
		"ignore: [{check: plain-http, target: a, reason: a, until: 2026-02-30}]\n":                 false,
		"ignore: [{check: plain-http, target: a, reason: a, until: 2026-12-31, severity: high}]\n": false,
		"ignore: [{check: plain-http, target: " + strings.Repeat("a", 2049) + ", reason: a}]\n":    false,
	})
}
