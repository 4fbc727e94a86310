package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, name, want string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil || string(data) != want {
		t.Errorf("%s holds %q, %v; want %q", filepath.Base(name), data, err, want)
	}
}

func TestDistinct(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need rights there")
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, in("list"), "x")
	for _, err := range []error{
		os.Symlink("list", in("soft")), os.Link(in("list"), in("hard")), os.Symlink("soft", in("softer")),
		os.Symlink("new", in("dangling")), os.Symlink("loop", in("loop")), os.Mkdir(in("sub"), 0o700), os.Symlink(dir, in("sub/up")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		read, written []string
		same          bool
	}{
		{[]string{"list"}, []string{"other"}, false},
		{[]string{"list"}, []string{"list"}, true},
		{[]string{"list"}, []string{"soft"}, true},
		{[]string{"softer"}, []string{"hard"}, true},
		{[]string{"list"}, []string{"sub/up/list"}, true},
		{[]string{"list", "list", "soft"}, nil, false}, // read twice does no harm
		{nil, []string{"new", "dangling"}, true},
		{nil, []string{"new", "sub/up/new"}, true},
		{nil, []string{"new", "sub/new"}, false},
		{nil, []string{"new", ".new.part"}, true},
		{[]string{"list"}, []string{"missing/list", "loop", "sub"}, false}, // opening says why
		{[]string{"/dev/null"}, []string{"/dev/null", "/dev/null"}, false},
	} {
		names := func(flag string, all []string) (out []Named) {
			for _, n := range all {
				if !strings.HasPrefix(n, "/") {
					n = in(n)
				}
				out = append(out, Named{Flag: flag, Path: n})
			}
			return out
		}
		if err := Distinct(names("-list", c.read), names("-output", c.written)); (err != nil) != c.same {
			t.Errorf("%v and %v: %v", c.read, c.written, err)
		}
	}
	has(t, in("list"), "x")
}

// Replacing a file works after a run that was killed, keeps the rights of the
// file, follows a link, and leaves nothing beside it.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	write(t, name, "old")
	write(t, lockName(name), "")
	write(t, partName(name), "half")
	if err := Replace(name, []byte("new")); err != nil {
		t.Fatal(err)
	}
	has(t, name, "new")
	if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("rights %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if runtime.GOOS == "windows" {
		return
	}
	// A link laid in the way of the part or the lock is not followed.
	victim := filepath.Join(dir, "victim")
	write(t, victim, "safe")
	for _, trap := range []string{partName(name), lockName(name)} {
		if err := os.Symlink(victim, trap); err != nil {
			t.Fatal(err)
		}
		if err := Replace(name, []byte("bad")); err == nil {
			t.Errorf("%s: followed", trap)
		}
		has(t, victim, "safe")
		has(t, name, "new")
		os.Remove(trap)
	}
}

func TestClaim(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	first, err := take(name)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := take(name); !errors.Is(err, errHeld) {
		second.release()
		t.Errorf("taken twice: %v", err)
	}
	first.release()
	first.release()
	again, err := take(name)
	if err != nil {
		t.Fatal(err)
	}
	again.release()
	if _, err := os.Lstat(lockName(name)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock stays: %v", err)
	}
}

func want(config string) Journal {
	return Journal{Tool: "1", Config: config, Shard: "1/1", Targets: 10}
}

func at(minute int) time.Time { return time.Date(2026, 11, 24, 12, minute, 0, 0, time.UTC) }

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if _, err := OpenJournal(path, want("abc"), true, at(0)); err == nil || !strings.Contains(err.Error(), "no such file") && runtime.GOOS != "windows" {
		t.Errorf("one that must be there: %v", err)
	}
	k, err := OpenJournal(path, want("abc"), false, at(0))
	if err != nil || k.Resumed {
		t.Fatalf("%+v, %v", k, err)
	}
	if err := k.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := k.write(Mark{Next: 6, Pending: []uint64{2, 5}, Unlisted: map[event.Outcome]int{"closed": 3}}); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(path, want("abc"), false, at(1)); !errors.Is(err, errHeld) {
		t.Errorf("shared: %v", err)
	}
	k.Close()

	k, err = OpenJournal(path, want("abc"), false, at(1))
	if err != nil || !k.Resumed || k.Before.Done() != 4 || len(k.Before.Runs) != 1 || k.now.Runs[1].From != 4 {
		t.Fatalf("%+v, %v", k, err)
	}
	// Where lines are lost it stays where it is.
	k.hold()
	if err := k.write(Mark{Next: 9}); err != nil {
		t.Error(err)
	}
	_ = k.finish(true)
	k.Close()
	if j, err := ReadJournal(path, want("abc")); err != nil || j.Next != 6 {
		t.Errorf("%+v, %v", j, err)
	}

	shard := want("abc")
	shard.Shard = "1/2"
	size := want("abc")
	size.Targets = 11
	for name, w := range map[string]Journal{"configuration": want("abd"), "shard": shard, "size": size} {
		if _, err := OpenJournal(path, w, false, at(2)); err == nil || !strings.Contains(err.Error(), "of something else") {
			t.Errorf("another %s: %v", name, err)
		}
	}
	k, err = OpenJournal(path, want("abc"), false, at(3))
	if err != nil {
		t.Fatal(err)
	}
	if err := k.finish(true); err != nil {
		t.Error(err)
	}
	k.Close()
	if _, err := OpenJournal(path, want("abc"), false, at(4)); err == nil || !strings.Contains(err.Error(), "this scan is finished") {
		t.Errorf("finished: %v", err)
	}
	for _, bad := range []string{
		"", "{", "[]", "{}", "127.0.0.1\n",
		`{"config":"abc","shard":"1/1","targets":10,"next":11}`,
		`{"config":"abc","shard":"1/1","targets":10,"next":3,"pending":[3]}`,
		`{"config":"abc","shard":"1/1","targets":10,"next":3,"pending":[1,1]}`,
		`{"config":"abc","shard":"1/1","targets":10,"next":3,"unlisted":{"closed":-1}}`,
	} {
		write(t, path, bad)
		if _, err := OpenJournal(path, want("abc"), false, at(5)); err == nil {
			t.Errorf("taken: %s", bad)
		}
		has(t, path, bad)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// FuzzJournal: for any content of a journal, reading it neither panics nor gives one
// that a scan could not continue.
func FuzzJournal(f *testing.F) {
	f.Add(`{"config":"abc","shard":"1/1","targets":10,"next":3,"pending":[1,2],"runs":[{"started":"2026-11-24T12:00:00Z","from":0}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "journal")
		write(t, path, text)
		j, err := ReadJournal(path, want("abc"))
		if err == nil && (j.Next > 10 || j.Done() > j.Next || j.Config != "abc") {
			t.Errorf("taken: %+v", j)
		}
	})
}

func head(config string, minute int, earlier ...event.Run) *event.Scan {
	h := &event.Scan{Type: "scan", Schema: 1, Started: at(minute), Shard: "1/1", Config: config, Earlier: earlier}
	if n := len(earlier); n > 0 {
		h.From = 4
	}
	return h
}

func line(h *event.Scan) string {
	return fmt.Sprintf(`{"type":"scan","schema":1,"tool":{"name":"clawsonar","version":"1"},"started":%q,"shard":%q,"config":%q}`+"\n",
		h.Started.Format(time.RFC3339), h.Shard, h.Config)
}

// A run continues a jsonl file only if that is of the same scan, and cuts off
// nothing but half a line; all else stays as it is.
func TestGoOn(t *testing.T) {
	first := event.Run{Started: at(0)}
	now := head("abc", 2, first)
	for _, c := range []struct {
		name, file, keeps string
		whole, refused    bool
	}{
		{name: "none"},
		{name: "the first run", file: line(head("abc", 0)) + `{"type":"target"}` + "\n", keeps: line(head("abc", 0)) + `{"type":"target"}` + "\n", whole: true},
		{name: "cut off", file: line(head("abc", 0)) + `{"type":"tar`, keeps: line(head("abc", 0)), whole: true},
		{name: "cut off at once", file: `{"type":"scan","sch`},
		{name: "another scan", file: line(head("abd", 0)), refused: true},
		{name: "a run that is none of this scan's", file: line(head("abc", 1)), refused: true},
		{name: "no stream", file: "important\n", refused: true},
		{name: "no line", file: "important", refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path, journal := filepath.Join(dir, "out.jsonl"), filepath.Join(dir, "journal")
			if c.file != "" {
				write(t, path, c.file)
			}
			write(t, journal, `{"config":"abc","shard":"1/1","targets":10,"next":4,"runs":[{"started":"2026-11-24T12:00:00Z","from":0}]}`)
			k, err := OpenJournal(journal, want("abc"), false, at(2))
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open([]Output{{Format: Stream, Path: path}}, k, now)
			if c.refused {
				if err == nil || !strings.Contains(err.Error(), "not a stream that this scan was writing") {
					t.Errorf("error %v", err)
				}
				has(t, path, c.file)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Abandon()
			has(t, path, c.keeps)
			if (s.Whole() != "") != c.whole {
				t.Errorf("whole %q", s.Whole())
			}
		})
	}
}

// One output that cannot be opened leaves the others as they were.
func TestOpenAllOrNone(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "old.jsonl")
	write(t, old, "precious\n")
	page := filepath.Join(dir, "old.html")
	write(t, page, "precious")
	_, err := Open([]Output{{Format: Stream, Path: old}, {Format: "html", Path: page}, {Format: "json", Path: filepath.Join(dir, "none", "x")}}, nil, &event.Scan{})
	if err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("error %v", err)
	}
	has(t, old, "precious\n")
	has(t, page, "precious")
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
