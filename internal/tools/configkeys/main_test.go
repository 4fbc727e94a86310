package main

import (
	"slices"
	"testing"

	"github.com/clawsonar/clawsonar/internal/release"
)

func TestSchemaPaths(t *testing.T) {
	got, err := schemaPaths([]byte(`{"properties":{"a":{"anyOf":[{"type":"string"},{"properties":{"id":{}},"additionalProperties":false}]},
		"list":{"items":{"$ref":"#/definitions/x"}},"map":{"additionalProperties":{"properties":{"y":{}}}},"any":{"additionalProperties":true}},
		"definitions":{"x":{"properties":{"again":{"$ref":"#/definitions/x"},"name":{}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a", "a.id", "list", "list[]", "list[].name", "list[].again.name", "map.*", "map.*.y", "any"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing in %v", want, got)
		}
	}
	if slices.Contains(got, "any.*") {
		t.Error("any.* is there")
	}
	if _, err := schemaPaths([]byte(`{}`)); err == nil {
		t.Error("a schema without keys is taken")
	}
}

func TestFromTSV(t *testing.T) {
	keys, err := fromTSV([]byte("a\t2026.1.29\t2026.3.13\t\na.b\t2026.1.29\t2026.3.13\t2026.2.9\na.c[]\t2026.2.9\t2026.2.9\t\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := "releases 2026.1.29 2026.2.9 2026.3.13\na\n b ..2026.1.29,2026.3.13..\n c 2026.2.9..2026.2.9\n  []\n"
	if got := string(keys.Format()); got != want {
		t.Errorf("%s", got)
	}
	// A release between others, which lacks all but one key.
	if err := keys.Add(release.MustParse("2026.2.26"), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	want = "releases 2026.1.29 2026.2.9 2026.2.26 2026.3.13\na\n b ..2026.1.29,2026.3.13..\n c 2026.2.9..2026.2.9\n  []\n"
	if got := string(keys.Format()); got != want {
		t.Errorf("%s", got)
	}
}
