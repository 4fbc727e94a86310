package event

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/clawsonar/clawsonar/internal/clean"
)

func TestRead(t *testing.T) {
	const (
		scan    = `{"type":"scan","schema":1}`
		target  = `{"type":"target","outcome":"closed"}`
		summary = `{"type":"summary","targets":1}`
	)
	for _, tt := range []struct {
		name, in string
		events   int
		want     []string // parts of the error; nil for none
	}{
		{"whole", scan + "\n" + target + "\n" + summary + "\n", 3, nil},
		{"no last line break", scan + "\n" + summary, 2, nil},
		{"empty", "", 0, nil},
		{"byte order mark, CR LF, empty lines", "\ufeff" + scan + "\r\n\r\n  \n" + target + "\r\n", 2, nil},
		{"fields of a later version", `{"type":"scan","schema":1,"moon":"full"}`, 1, nil},
		{"schema", `{"type":"scan","schema":2}` + "\n", 0, []string{"f.jsonl:1: ", "schema 2"}},
		{"not JSON", scan + "\nStarting Nmap\n", 1, []string{"f.jsonl:2: ", "-o jsonl=FILE"}},
		{"document", `{"scan":null,"targets":[],"summary":null}`, 0, []string{"f.jsonl:1: ", "type"}},
		{"wrong type", scan + "\n" + `{"type":"target","outcome":7}` + "\n", 1, []string{"f.jsonl:2: "}},
		{"array", "[]\n", 0, []string{"f.jsonl:1: "}},
		{"two on a line", scan + target + "\n", 0, []string{"f.jsonl:1: "}},
		{"cut off", scan + "\n" + target[:20], 1, []string{"f.jsonl:2: ", "cut off", "resume"}},
		{"cut off in the middle", scan + "\n" + target[:20] + "\n" + summary, 1, []string{"f.jsonl:2: ", "-o jsonl=FILE"}},
		{"line too long", scan + "\n\n" + strings.Repeat("x", maxLine+1), 1, []string{"f.jsonl:3: ", "3 MiB"}},
		{"hostile type", `{"type":"\u001b[2J\u202e` + strings.Repeat("A", 10_000) + `"}` + "\n", 0, []string{"f.jsonl:1: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			err := Read(strings.NewReader(tt.in), "f.jsonl", func(Event) error { n++; return nil })
			if n != tt.events {
				t.Errorf("%d events, want %d", n, tt.events)
			}
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if err == nil {
				return
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if len(err.Error()) > 1000 || clean.Text(err.Error()) != err.Error() {
				t.Errorf("error is not fit to print: %q", err)
			}
			if got := errors.Is(err, io.ErrUnexpectedEOF); got != (tt.name == "cut off") {
				t.Errorf("errors.Is(%q, io.ErrUnexpectedEOF) = %v", err, got)
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	stop := errors.New("enough")
	calls := 0
	err := Read(strings.NewReader("{\"type\":\"target\"}\n{\"type\":\"target\"}\n"), "f", func(Event) error {
		calls++
		return stop
	})
	if err != stop || calls != 1 {
		t.Errorf("error %v after %d calls, want %v after 1", err, calls, stop)
	}

	disk := errors.New("input/output error")
	r := io.MultiReader(strings.NewReader("{\"type\":\"target\"}\n"), iotest.ErrReader(disk))
	err = Read(r, "f", func(Event) error { return nil })
	if !errors.Is(err, disk) || !strings.HasPrefix(err.Error(), "f:2: ") {
		t.Errorf("error %v does not name the place and the cause", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"type\":\"scan\",\"schema\":1}\n{\"type\":\"target\",\"error\":\"\\u202e\"}\n{\"type\":\"summary\"}\n"))
	f.Add([]byte("{\"type\":\"target\",\"auth\":{\"state\":\"open\"},\"findings\":[{\"severity\":\"x\"}]}"))
	f.Add([]byte("\xef\xbb\xbf{}\n\n["))
	f.Fuzz(func(t *testing.T, data []byte) {
		var events []Event
		err := Read(strings.NewReader(string(data)), "f", func(e Event) error {
			events = append(events, e)
			return nil
		})
		if err != nil && strings.ContainsFunc(err.Error(), clean.Hidden) {
			t.Errorf("error is not fit to print: %q", err)
		}
		// What was read must be writable, and come back.
		out := written(t, events...)
		n := 0
		if err := Read(strings.NewReader(out), "f", func(Event) error { n++; return nil }); err != nil || n != len(events) {
			t.Errorf("%d of %d events came back: %v\n%s", n, len(events), err, out)
		}
	})
}

// written is a stream of these events.
func written(t *testing.T, events ...Event) string {
	t.Helper()
	var b strings.Builder
	w := NewWriter(&b)
	for _, e := range events {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
