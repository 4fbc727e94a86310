// Package schema holds a published schema to the code that reads what it is for.
package schema

import (
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// Agree fails for every YAML text of which the schema in a file, or load, thinks another
// thing than is given: whether it is to be taken.
func Agree(t *testing.T, file string, load func(text string) error, texts map[string]bool) {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	for text, good := range texts {
		loader := load(text)
		var doc any
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		if shape := schema.Validate(plain(doc)); (loader == nil) != good || (shape == nil) != good {
			t.Errorf("%q: the loader says %v, the schema %v", text, loader, shape)
		}
	}
}

// plain is a document as an editor sees it: a date is text.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = plain(v[key])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case time.Time:
		return v.Format(time.DateOnly)
	}
	return v
}
