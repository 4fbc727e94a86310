//go:build linux

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// state is what a gateway keeps on disk at one moment: its home folder, with
// the state folder and the configuration, and its log.
type state struct {
	files  map[string]fileState          // by path below the home folder, with slashes
	tables map[string]map[string]dbTable // by database path, then table
	log    []string
}

type fileState struct {
	size   int64
	sha256 string
	json   any // the decoded content of a JSON file, nil for any other
}

type dbTable struct {
	Rows   int
	SHA256 string
}

// kind says what sort of thing changed.
type kind string

// The kinds of change.
const (
	fileAdded   kind = "file added"
	fileRemoved kind = "file removed"
	fileChanged kind = "file changed"
	rowsChanged kind = "rows changed"
	logLine     kind = "log line"
)

// change is one difference between two states.
type change struct {
	Kind   kind
	Path   string // below the home folder: ".openclaw/devices/paired.json"; empty for a log line
	Table  string // of the database at Path; empty for other files
	Detail string // which keys, how many rows, or the log line; never a stored value
}

// String is the change as one line.
func (c change) String() string {
	text := string(c.Kind)
	if c.Path != "" {
		text += " " + c.Path
	}
	if c.Table != "" {
		text += " table " + c.Table
	}
	if c.Detail != "" {
		text += ": " + c.Detail
	}
	return text
}

func readFileState(path string) (fileState, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return fileState{}, err
	}
	sum := sha256.Sum256(data)
	f := fileState{size: int64(len(data)), sha256: hex.EncodeToString(sum[:])}
	if strings.HasSuffix(path, ".json") {
		// A file caught half written is compared as bytes.
		if err := json.Unmarshal(data, &f.json); err != nil {
			f.json = nil
		}
	}
	return f, nil
}

// ownLine matches what 2026.9 logs by itself. Where the machine gives it too little
// time: its timer was late, or a transaction of its own took more than a second
// (dist/diagnostic-*.mjs, dist/sqlite-transaction-*.mjs). Five minutes after its start, and
// then once a day: it has verified its databases (dist/openclaw-database-verify-*.mjs). What
// somebody had it write shows in the tables.
var ownLine = regexp.MustCompile(`\[diagnostic\] liveness heartbeat delayed: |slow SQLite (?:transaction|coordinator) |\[state/database-verify\] database integrity verification passed`)

// idle says whether a gateway that nobody talks to makes this change by itself:
// recent releases renew a lease in their database every few seconds, and log what
// ownLine matches.
func (c change) idle() bool {
	return c.Kind == rowsChanged && c.Table == "state_leases" ||
		c.Kind == logLine && ownLine.MatchString(c.Detail)
}

// withoutIdle returns the changes that somebody caused.
func withoutIdle(changes []change) []change {
	return slices.DeleteFunc(slices.Clone(changes), change.idle)
}

// diff lists what is different in b, files and tables in order of path, log
// lines last.
func diff(a, b state) []change {
	var changes []change
	add := func(kind kind, path, table, detail string) {
		changes = append(changes, change{Kind: kind, Path: path, Table: table, Detail: detail})
	}
	for _, path := range bothKeys(a.files, b.files) {
		was, existed := a.files[path]
		is, exists := b.files[path]
		switch {
		case !existed:
			add(fileAdded, path, "", fmt.Sprintf("%d bytes", is.size))
		case !exists:
			add(fileRemoved, path, "", "")
		case was.sha256 == is.sha256:
		case was.json != nil && is.json != nil:
			if keys := jsonDiff("", was.json, is.json); len(keys) > 0 {
				add(fileChanged, path, "", strings.Join(keys, ", "))
			}
		default:
			add(fileChanged, path, "", fmt.Sprintf("%d bytes, were %d", is.size, was.size))
		}
	}
	for _, path := range bothKeys(a.tables, b.tables) {
		for _, table := range bothKeys(a.tables[path], b.tables[path]) {
			was, is := a.tables[path][table], b.tables[path][table]
			switch {
			case was == is:
			case was.Rows == is.Rows:
				add(rowsChanged, path, table, fmt.Sprintf("%d rows, not the same", is.Rows))
			default:
				add(rowsChanged, path, table, fmt.Sprintf("%d rows, were %d", is.Rows, was.Rows))
			}
		}
	}
	// A log only grows; what is past the old end is new.
	for _, line := range b.log[min(len(a.log), len(b.log)):] {
		add(logLine, "", "", line)
	}
	return changes
}

// bothKeys returns the keys of either map, in order.
func bothKeys[V any](a, b map[string]V) []string {
	keys := slices.Collect(maps.Keys(a))
	for key := range b {
		if _, ok := a[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// jsonDiff returns the paths of the values that differ, as "a.b".
func jsonDiff(path string, a, b any) []string {
	objectA, ok1 := a.(map[string]any)
	objectB, ok2 := b.(map[string]any)
	if !ok1 || !ok2 {
		if reflect.DeepEqual(a, b) {
			return nil
		}
		return []string{path}
	}
	var out []string
	for _, key := range bothKeys(objectA, objectB) {
		below := strings.TrimPrefix(path+"."+key, ".")
		valueA, inA := objectA[key]
		valueB, inB := objectB[key]
		if inA != inB {
			out = append(out, below)
			continue
		}
		out = append(out, jsonDiff(below, valueA, valueB)...)
	}
	return out
}

func TestDiff(t *testing.T) {
	const late = "2026-11-24T12:43:56.746+00:00 [diagnostic] liveness heartbeat delayed: overdue=1137ms elapsed=31137ms; deferring recovery decisions"
	const slow = "slow SQLite transaction hold" // by hand, after the source of 2026.9.6
	file := func(path, content string) fileState {
		path = filepath.Join(t.TempDir(), filepath.Base(path))
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := readFileState(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	a := state{
		files: map[string]fileState{
			"same":         file("same", "x"),
			"gone":         file("gone", "x"),
			"text":         file("text", "x"),
			"layout.json":  file("layout.json", `{"a":1,"b":[2]}`),
			"devices.json": file("devices.json", `{"d1":{"token":"t1","ts":1},"list":[1]}`),
			"broken.json":  file("broken.json", `{"a":`),
		},
		tables: map[string]map[string]dbTable{"s.sqlite": {
			"state_leases":          {1, "x"},
			"device_pairing_paired": {0, "x"},
			"same":                  {3, "x"},
		}},
		log: []string{"one"},
	}
	b := state{
		files: map[string]fileState{
			"same":                 file("same", "x"),
			"text":                 file("text", "xyz"),
			"layout.json":          file("layout.json", `{ "b": [2], "a": 1 }`),
			"devices.json":         file("devices.json", `{"d1":{"token":"t2","ts":1},"d2":{},"list":[1,2]}`),
			"broken.json":          file("broken.json", `{"a":1}`),
			"devices/pending.json": file("pending.json", `{}`),
		},
		tables: map[string]map[string]dbTable{"s.sqlite": {
			"state_leases":          {1, "y"},
			"device_pairing_paired": {1, "y"},
			"same":                  {3, "x"},
		}},
		log: []string{"one", "two", late, slow},
	}
	want := []string{
		"file changed broken.json: 7 bytes, were 5",
		"file changed devices.json: d1.token, d2, list",
		"file added devices/pending.json: 2 bytes",
		"file removed gone",
		"file changed text: 3 bytes, were 1",
		"rows changed s.sqlite table device_pairing_paired: 1 rows, were 0",
		"rows changed s.sqlite table state_leases: 1 rows, not the same",
		"log line: two",
		"log line: " + late,
		"log line: " + slow,
	}
	var got []string
	changes := diff(a, b)
	for _, c := range changes {
		got = append(got, c.String())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := len(withoutIdle(changes)); n != len(want)-3 {
		t.Errorf("%d changes without the idle ones, want %d", n, len(want)-3)
	}
	if changes := diff(a, a); len(changes) != 0 {
		t.Errorf("no difference: got %v", changes)
	}
}
