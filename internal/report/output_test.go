package report

import (
	"strings"
	"testing"
)

func TestParseOutput(t *testing.T) {
	for _, tt := range []struct{ spec, format, path, err string }{
		{spec: "a.html", format: "html", path: "a.html"},
		{spec: "d/a.HTM", format: "html", path: "d/a.HTM"},
		{spec: "a.ndjson", format: "jsonl", path: "a.ndjson"},
		{spec: "a.json", format: "json", path: "a.json"},
		{spec: "a.sarif.json", format: "sarif", path: "a.sarif.json"},
		{spec: "a.xml", format: "junit", path: "a.xml"},
		{spec: "a.txt", format: "table", path: "a.txt"},
		{spec: "a", path: "a"},
		{spec: ".json", path: ".json"},
		{spec: "/dev/stderr", path: "/dev/stderr"},
		{spec: "jsonl=a", format: "jsonl", path: "a"},
		{spec: "csv=a.html", format: "csv", path: "a.html"},
		{spec: "./a=b.csv", format: "csv", path: "./a=b.csv"},
		{spec: "xls=a", err: `"xls" is no format: use one of table, jsonl`},
		{spec: "a.pdf", err: `a.pdf: ".pdf" is no ending of a format`},
		{spec: "csv=", err: "the name of a file is missing"},
		{err: "the name of a file is missing"},
	} {
		format, path, err := ParseOutput(tt.spec)
		if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) || tt.err == "" && (err != nil || format != tt.format || path != tt.path) {
			t.Errorf("%q: %q, %q, %v", tt.spec, format, path, err)
		}
	}
}
