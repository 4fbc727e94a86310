//go:build linux

package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed dump.mjs
var dumpScript string

// State is what a gateway keeps on disk at one moment: its home folder, with
// the state folder and the configuration, and its log.
type State struct {
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

// Kind says what sort of thing changed.
type Kind string

// The kinds of change.
const (
	FileAdded   Kind = "file added"
	FileRemoved Kind = "file removed"
	FileChanged Kind = "file changed"
	RowsChanged Kind = "rows changed"
	LogLine     Kind = "log line"
)

// Change is one difference between two states.
type Change struct {
	Kind   Kind
	Path   string // below the home folder: ".openclaw/devices/paired.json"; empty for a log line
	Table  string // of the database at Path; empty for other files
	Detail string // which keys, how many rows, or the log line; never a stored value
}

// String is the change as one line.
func (c Change) String() string {
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

// Snapshot reads the state of a running or stopped gateway without touching
// it. Databases are compared table by table, on a copy.
func (g *Gateway) Snapshot(ctx context.Context) (State, error) {
	s := State{files: map[string]fileState{}, tables: map[string]map[string]dbTable{}}
	var databases []string
	err := filepath.WalkDir(g.Home, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone since its folder was read
		}
		if err != nil || entry.IsDir() || !entry.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(g.Home, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		switch {
		case strings.HasSuffix(rel, "-wal"), strings.HasSuffix(rel, "-shm"):
			return nil // part of the database beside it
		case strings.HasSuffix(rel, ".sqlite"), strings.HasSuffix(rel, ".db"):
			databases = append(databases, rel)
			return nil
		}
		f, err := readFileState(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		s.files[rel] = f
		return err
	})
	if err == nil && len(databases) > 0 {
		s.tables, err = g.dumpDatabases(ctx, databases)
	}
	if err != nil {
		return State{}, fmt.Errorf("snapshot of gateway %s: %w", g.Config.Name, err)
	}
	s.log = strings.Split(strings.TrimRight(g.Log(), "\n"), "\n")
	return s, nil
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

// dumpDatabases summarises the tables of the named databases below Home.
func (g *Gateway) dumpDatabases(ctx context.Context, names []string) (map[string]map[string]dbTable, error) {
	dir, err := os.MkdirTemp("", "clawsonar-lab-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	args := []string{"--disable-warning=ExperimentalWarning", "--input-type=module", "-"}
	for i, name := range names {
		to := filepath.Join(dir, fmt.Sprintf("%d.sqlite", i))
		if err := copyDatabase(ctx, filepath.Join(g.Home, filepath.FromSlash(name)), to); err != nil {
			return nil, err
		}
		args = append(args, to)
	}
	cmd := exec.CommandContext(ctx, g.lab.Node(), args...)
	cmd.Stdin = strings.NewReader(dumpScript)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("read the copied databases: %w\n%s", err, lastLines(stderr.String(), 5))
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(names) {
		return nil, fmt.Errorf("read the copied databases: %d answers for %d files", len(lines), len(names))
	}
	tables := map[string]map[string]dbTable{}
	for i, name := range names {
		var t map[string]dbTable
		if err := json.Unmarshal([]byte(lines[i]), &t); err != nil {
			return nil, fmt.Errorf("read the copied databases: %w", err)
		}
		tables[name] = t
	}
	return tables, nil
}

// copyDatabase copies a database that may be in use, with its write-ahead log.
// The two files belong together only if neither moved during the copy.
func copyDatabase(ctx context.Context, from, to string) error {
	const tries = 20
	for range tries {
		before := fingerprint(from)
		for _, suffix := range []string{"", "-wal"} {
			data, err := os.ReadFile(from + suffix)
			if errors.Is(err, fs.ErrNotExist) && suffix != "" {
				if err := os.Remove(to + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
			if err := os.WriteFile(to+suffix, data, 0o600); err != nil {
				return err
			}
		}
		if before == fingerprint(from) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s changed during each of %d copies: let the gateway come to rest first", from, tries)
}

// fingerprint tells whether a database or its write-ahead log was written to.
func fingerprint(path string) string {
	var b strings.Builder
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(path + suffix); err == nil {
			fmt.Fprintln(&b, suffix, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// How Settle judges rest: nothing but the heartbeat moves for settleQuiet.
const (
	settleStep  = 5 * time.Second
	settleQuiet = 15 * time.Second
	settleLimit = 3 * time.Minute
)

// Settle waits until a gateway that has just started comes to rest, and
// returns its state then: recent releases continue unpacking files, filling tables
// and logging for some time after they say that they are ready.
func (g *Gateway) Settle(ctx context.Context) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	rest, err := g.Snapshot(ctx)
	if err != nil {
		return State{}, err
	}
	since := time.Now()
	for {
		select {
		case <-ctx.Done():
			return State{}, fmt.Errorf("gateway %s does not come to rest: %w", g.Config.Name, ctx.Err())
		case <-time.After(settleStep):
		}
		now, err := g.Snapshot(ctx)
		if err != nil {
			return State{}, err
		}
		if len(WithoutIdle(Diff(rest, now))) > 0 {
			since = time.Now()
		}
		rest = now
		if time.Since(since) >= settleQuiet {
			return rest, nil
		}
	}
}

// busyMachine matches what 2026.9 logs where the machine gives it too little
// time: its timer was late, or a transaction of its own took more than a second
// (dist/diagnostic-*.mjs, dist/sqlite-transaction-*.mjs). What somebody had it
// write shows in the tables.
var busyMachine = regexp.MustCompile(`\[diagnostic\] liveness heartbeat delayed: |slow SQLite (?:transaction|coordinator) `)

// Idle says whether a gateway that nobody talks to makes this change by itself:
// recent releases renew a lease in their database every few seconds, and
// complain of a busy machine.
func (c Change) Idle() bool {
	return c.Kind == RowsChanged && c.Table == "state_leases" ||
		c.Kind == LogLine && busyMachine.MatchString(c.Detail)
}

// WithoutIdle returns the changes that somebody caused.
func WithoutIdle(changes []Change) []Change {
	return slices.DeleteFunc(slices.Clone(changes), Change.Idle)
}

// Diff lists what is different in b, files and tables in order of path, log
// lines last.
func Diff(a, b State) []Change {
	var changes []Change
	add := func(kind Kind, path, table, detail string) {
		changes = append(changes, Change{Kind: kind, Path: path, Table: table, Detail: detail})
	}
	for _, path := range bothKeys(a.files, b.files) {
		was, existed := a.files[path]
		is, exists := b.files[path]
		switch {
		case !existed:
			add(FileAdded, path, "", fmt.Sprintf("%d bytes", is.size))
		case !exists:
			add(FileRemoved, path, "", "")
		case was.sha256 == is.sha256:
		case was.json != nil && is.json != nil:
			if keys := jsonDiff("", was.json, is.json); len(keys) > 0 {
				add(FileChanged, path, "", strings.Join(keys, ", "))
			}
		default:
			add(FileChanged, path, "", fmt.Sprintf("%d bytes, were %d", is.size, was.size))
		}
	}
	for _, path := range bothKeys(a.tables, b.tables) {
		for _, table := range bothKeys(a.tables[path], b.tables[path]) {
			was, is := a.tables[path][table], b.tables[path][table]
			switch {
			case was == is:
			case was.Rows == is.Rows:
				add(RowsChanged, path, table, fmt.Sprintf("%d rows, not the same", is.Rows))
			default:
				add(RowsChanged, path, table, fmt.Sprintf("%d rows, were %d", is.Rows, was.Rows))
			}
		}
	}
	// A log only grows; what is past the old end is new.
	for _, line := range b.log[min(len(a.log), len(b.log)):] {
		add(LogLine, "", "", line)
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
