package fingerprint

import (
	"encoding"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/fingerprints"
)

const schemaFile = "../../schema/fingerprint.schema.json"

// node is a part of a JSON Schema.
type node map[string]any

func schemaRoot(t *testing.T) node {
	t.Helper()
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var root node
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// at follows a reference, and of alternatives takes the one of that type.
func (n node) at(root node, kind string) node {
	if ref, ok := n["$ref"].(string); ok {
		return node(root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)).at(root, kind)
	}
	alternatives, _ := n["oneOf"].([]any)
	for _, a := range alternatives {
		if m := node(a.(map[string]any)).at(root, kind); m["type"] == kind {
			return m
		}
	}
	return n
}

func (n node) child(key string) node {
	m, _ := n[key].(map[string]any)
	return m
}

// agree holds a schema against the type that the loader decodes into.
func agree(t *testing.T, root, n node, of reflect.Type, where string) {
	t.Helper()
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	kind := map[reflect.Kind]string{reflect.Struct: "object", reflect.Map: "object", reflect.Slice: "array", reflect.Bool: "boolean", reflect.String: "string"}[of.Kind()]
	switch {
	case of == reflect.TypeFor[scalar](): // a value of JSON
		return
	case reflect.PointerTo(of).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		kind = "string"
	case kind == "":
		kind = "integer"
	}
	n = n.at(root, kind)
	if _, words := n["enum"]; words {
		n = node{"type": "string"}
	}
	if n["type"] != kind {
		t.Errorf("%s: the schema says %v, the loader takes %s", where, n["type"], kind)
		return
	}
	switch {
	case kind == "array":
		agree(t, root, n.child("items"), of.Elem(), where+"[]")
	case kind == "object" && of.Kind() == reflect.Map:
		agree(t, root, n.child("additionalProperties"), of.Elem(), where+".*")
	case kind == "object":
		if n["additionalProperties"] != false {
			t.Errorf("%s: the schema takes every key", where)
		}
		properties, fields := n.child("properties"), map[string]reflect.Type{}
		for _, f := range reflect.VisibleFields(of) {
			if tag := f.Tag.Get("yaml"); tag != "" && tag != ",inline" {
				fields[tag] = f.Type
			}
		}
		if got, want := slices.Sorted(maps.Keys(properties)), slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
			t.Errorf("%s: keys of the schema\n  %s\nof the loader\n  %s", where, got, want)
			return
		}
		for key, of := range fields {
			agree(t, root, node(properties).child(key), of, where+"."+key)
		}
	}
}

// The schema has the keys of the loader and no others, with the same types.
func TestSchemaKeys(t *testing.T) {
	root := schemaRoot(t)
	agree(t, root, root, reflect.TypeFor[spec](), "product")
	for name, of := range map[string]reflect.Type{
		"fronts": reflect.TypeFor[frontSpec](), "known": reflect.TypeFor[knownSpec](), "unseen": reflect.TypeFor[unseenSpec](),
	} {
		agree(t, root, node{"$ref": "#/$defs/" + name}, of, name)
	}
}

// fits reports what the schema has against a file of that name.
func fits(t *testing.T, name, text string) error {
	t.Helper()
	at := schemaFile
	switch name {
	case frontsFile, knownFile, unseenFile:
		at += "#/$defs/" + strings.TrimSuffix(name, ".yaml")
	}
	schema, err := jsonschema.NewCompiler().Compile(at)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return schema.Validate(doc)
}

func TestSchemaTakesBuiltIn(t *testing.T) {
	names, err := fs.Glob(fingerprints.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(fingerprints.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := fits(t, name, string(data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(names) < 35 {
		t.Errorf("only %d files", len(names))
	}
}

// What is wrong with the shape of a file both refuse.
func TestSchemaRefuses(t *testing.T) {
	root := `{id: root, path: "{base}/", signals: {hint: {status: 200, title: Toy}}}`
	good := "id: toy\nname: Toy\nports: [1]\nrequests:\n- " + root + "\nidentity:\n- {confidence: firm, any: hint}\n"
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatal(old)
		}
		return strings.Replace(good, old, new, 1)
	}
	if err := fits(t, "toy.yaml", good); err != nil {
		t.Fatal(err)
	}
	if _, err := compile([]byte(good), "toy.yaml", nil); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"[]", replace("ports", "port"), replace("name: Toy\n", ""), replace("id: toy", "id: Toy"),
		replace("[1]", "all"), replace("[1]", "[70000]"), replace("[1]", "[-1]"), replace("[1]", "[1.5]"), replace("name: Toy", "name: [Toy]"),
		replace("status: 200", "statsu: 200"), replace("status: 200", "status: ok"), replace("status: 200", "body_regex: [a]"),
		replace("title: Toy", "title: {a: b}"), replace("title: Toy", "header_regex: [a]"), replace("title: Toy", "json: {a: [b]}"),
		replace("title: Toy", "has: {a: b}"), replace("title: Toy", "login: sometimes"), replace("signals: {hint", "signals: {Hint"),
		replace("confidence: firm", "confidence: sure"), replace("confidence: firm, ", ""), replace("any: hint", "none: hint"),
		replace(`path: "{base}/"`, `path: "{base}/", level: high`), replace(`path: "{base}/"`, `path: "{base}/", when: [hint]`),
		replace(`path: "{base}/"`, `path: "{base}/", for: fun`), replace(`path: "{base}/"`, `path: "{base}/", surfaces: [{open: hint}]`),
		replace(`path: "{base}/"`, `path: "{base}/", releases: {since: 2026.1.1}`), replace(`path: "{base}/"`, `path: "{base}/", max_body: 2000000`),
		good + "auth:\n- {state: ajar, any: hint}\n", good + "auth:\n- {any: hint}\n", good + "notes:\n- {any: hint}\n",
		good + "notes:\n- {id: X, text: x, any: hint}\n", good + "traits: {id: x}\n", good + "advice: {open: {means: x}}\n",
		good + "version:\n- {source: x, on: root, assets: true, confidence: firm}\n", good + "signals: {port: {default_prot: true}}\n",
		good + "signals: {old: {versions: {form: '1'}}}\n", good + "gateway_releases: {to: soon}\n",
	} {
		if err := fits(t, "toy.yaml", text); err == nil {
			t.Errorf("the schema takes\n%s", text)
		}
		if _, err := compile([]byte(text), "toy.yaml", nil); err == nil {
			t.Errorf("the loader takes\n%s", text)
		}
	}
}
