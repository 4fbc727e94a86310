package report

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/clawsonar/clawsonar/internal/event"
)

const schemaURL = "https://github.com/clawsonar/clawsonar/schema/"

// schemas compiles the published schemas. With strict, a field that they do not
// name is an error: readers must take it, but we must not forget to write it down.
func schemas(t *testing.T, strict bool) (line, document *jsonschema.Schema) {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range []string{"stream.schema.json", "document.schema.json"} {
		f, err := os.Open(filepath.Join("..", "..", "schema", name))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strict {
			forbidMore(doc)
		}
		if err := c.AddResource(schemaURL+name, doc); err != nil {
			t.Fatal(err)
		}
	}
	line, err := c.Compile(schemaURL + "stream.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if document, err = c.Compile(schemaURL + "document.schema.json"); err != nil {
		t.Fatal(err)
	}
	return line, document
}

// forbidMore makes every object of a schema closed.
func forbidMore(v any) {
	switch x := v.(type) {
	case map[string]any:
		if _, ok := x["properties"]; ok {
			x["additionalProperties"] = false
		}
		for _, v := range x {
			forbidMore(v)
		}
	case []any:
		for _, v := range x {
			forbidMore(v)
		}
	}
}

func parse(t *testing.T, text string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestSchemaHolds: every stream and document there is, stored, golden or made in
// a test, is as the published schema says.
func TestSchemaHolds(t *testing.T) {
	line, document := schemas(t, true)
	streams := map[string]string{
		"everything": render(t, "jsonl", Options{}, mixed()...), "comparison": render(t, "jsonl", Options{}, changed()...),
		"files": render(t, "jsonl", Options{}, inspected()...),
	}
	stored, err := filepath.Glob("../../testdata/streams/*.jsonl")
	if err != nil || len(stored) == 0 {
		t.Fatalf("no stored stream: %v", err)
	}
	for _, name := range stored {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		streams[name] = string(b)
	}
	for name, text := range streams {
		for i, l := range strings.Split(strings.TrimSpace(text), "\n") {
			if err := line.Validate(parse(t, l)); err != nil {
				t.Errorf("%s:%d: %v", name, i+1, err)
			}
		}
	}
	goldens, err := filepath.Glob("../../testdata/golden/report/*.json")
	if err != nil || len(goldens) == 0 {
		t.Fatalf("no golden document: %v", err)
	}
	for _, name := range goldens {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := document.Validate(parse(t, string(b))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, events := range [][]event.Event{nil, mixed()[:3], mixed()[1:]} {
		if err := document.Validate(parse(t, render(t, "json", Options{}, events...))); err != nil {
			t.Errorf("part of a stream: %v", err)
		}
	}
}

// TestSchemaNamesEveryField fills every field of every event, and of nothing less
// than every one must the schema know.
func TestSchemaNamesEveryField(t *testing.T) {
	line, _ := schemas(t, true)
	scan, target, summary := new(event.Scan), new(event.Target), new(event.Summary)
	for _, v := range []any{scan, target, summary} {
		fill(reflect.ValueOf(v).Elem())
	}
	scan.Type, scan.Schema, target.Type, summary.Type = "scan", event.Schema, "target", "summary"
	target.Outcome, target.Target.Reach, target.Target.Member, target.Product.Confidence, target.Auth.State, target.Discovery.By = "identified", "public", "host", "certain", "open", event.ByMDNS
	target.TLS.NotBefore, target.TLS.NotAfter = "2026-10-06T12:00:00Z", "2026-10-06T12:00:00Z"
	target.Surfaces[0].State, target.Findings[0].Severity, target.Findings[0].Change = "open", "high", "opened"
	target.Advisories[0].Severity, target.Advisories[0].Status, target.Changes[0].What = "high", "affected", "verdict"
	scan.Kind, target.Target.Kind = event.TargetFiles, event.TargetFiles
	target.Files.Reach, target.Files.Starts, target.Files.Ways[0].Reach = event.FilesLAN, event.StartsYes, event.FilesInternet
	target.Posture.Configured.Way.Reach = event.FilesInternet
	for _, e := range []event.Event{scan, target, summary} {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := line.Validate(parse(t, string(b))); err != nil {
			t.Errorf("%v\n%s", err, b)
		}
	}
}

// fill sets every field to something.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		elem := reflect.New(v.Type().Elem()).Elem()
		fill(elem)
		v.SetMapIndex(reflect.ValueOf("x").Convert(v.Type().Key()), elem)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(started))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

// TestSchemaRefuses: a schema that takes anything would pass the tests above.
func TestSchemaRefuses(t *testing.T) {
	line, document := schemas(t, false)
	good := strings.Split(strings.TrimSpace(render(t, "jsonl", Options{}, mixed()...)), "\n")
	var target map[string]any
	if err := json.Unmarshal([]byte(good[1]), &target); err != nil {
		t.Fatal(err)
	}
	for _, key := range slices.Sorted(maps.Keys(target)) {
		if slices.Contains([]string{"product", "version", "auth"}, key) {
			continue
		}
		left := maps.Clone(target)
		delete(left, key)
		b, _ := json.Marshal(left)
		if line.Validate(parse(t, string(b))) == nil {
			t.Errorf("a target without %s is taken", key)
		}
	}
	for _, bad := range []string{`{}`, `[]`, `{"type":"target"}`, strings.Replace(good[0], `"schema":1`, `"schema":2`, 1), strings.Replace(good[1], `"identified"`, `"volcano"`, 1),
		strings.Replace(good[1], `"state":"required"`, `"state":"ajar"`, 1)} {
		if line.Validate(parse(t, bad)) == nil {
			t.Errorf("taken: %.100s", bad)
		}
	}
	if document.Validate(parse(t, `{"scan":null,"targets":[{}],"summary":null}`)) == nil {
		t.Error("a document with an empty target is taken")
	}
	more := strings.Replace(good[1], `{"type":"target"`, `{"of_tomorrow":1,"type":"target"`, 1)
	if err := line.Validate(parse(t, more)); err != nil {
		t.Errorf("a field of a later version is refused: %v", err)
	}
}
