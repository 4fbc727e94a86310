package stored

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

// part is the head of a run of one scan.
func part(hour int, from uint64, unlisted int, earlier ...event.Run) event.Event {
	e := scan(hour, "1/1")
	e.(*event.Scan).Config, e.(*event.Scan).From, e.(*event.Scan).Earlier = "abc", from, earlier
	if unlisted > 0 {
		e.(*event.Scan).Unlisted = map[event.Outcome]int{"closed": unlisted}
	}
	return e
}

func ran(hour int, from uint64) event.Run {
	return event.Run{Started: noon.Add(time.Duration(hour) * time.Hour), From: from}
}

// The runs of a scan together are the scan: what two of them have counted counts
// once, and what is missing is said.
func TestMergeRuns(t *testing.T) {
	// 10 targets. The first run was killed after 4 of them, of which one is a
	// gateway; it had found another beyond. The second was interrupted after 6; one
	// was in flight. The third did the rest.
	first := []event.Event{part(0, 0, 0), gateway("10.0.0.1", "open", "1"), gateway("10.0.0.2", "open", "1")}
	second := summed(2, part(1, 4, 3, ran(0, 0)), gateway("10.0.0.2", "open", "1"), other("10.0.0.3", "interrupted"))
	second[len(second)-1].(*event.Summary).Complete = false
	third := summed(3, part(2, 6, 4, ran(0, 0), ran(1, 4)), gateway("10.0.0.4", "required", "1"))
	for name, streams := range map[string][][]event.Event{
		"in order": {first, second, third}, "in another": {third, first, second}, "one twice": {first, first, second, third, third},
	} {
		out := merge(t, streams...)
		s := out[len(out)-1].(*event.Summary)
		if !s.Complete || s.Targets != 10 || s.Outcomes["closed"] != 7 || s.Outcomes["identified"] != 3 || len(s.Outcomes) != 2 || s.Auth["open"] != 2 || s.Auth["required"] != 1 {
			t.Errorf("%s: %+v", name, s)
		}
		if len(out) != 5 || out[0].(*event.Scan).From != 0 || out[0].(*event.Scan).Earlier != nil || out[0].(*event.Scan).Config != "abc" || out[0].(*event.Scan).Shard != "1/1" {
			t.Errorf("%s: %d events, %+v", name, len(out), out[0].(*event.Scan))
		}
	}
	for name, c := range map[string]struct {
		streams [][]event.Event
		note    string
	}{
		"the first is missing":      {[][]event.Event{second, third}, "that of 2026-10-06T12:00:00Z"},
		"the second is missing":     {[][]event.Event{first, third}, "that of 2026-10-06T13:00:00Z (shard 1/1), which continued from target 4"},
		"the last is missing":       {[][]event.Event{first, second}, ""},
		"the last alone":            {[][]event.Event{third}, "is missing"},
		"the last is cut":           {[][]event.Event{first, second, third[:2]}, ""},
		"another scan in its place": {[][]event.Event{summed(4, scan(0, "1/1")), second, third}, "that of 2026-10-06T12:00:00Z"},
	} {
		out := merge(t, c.streams...)
		s := out[len(out)-1].(*event.Summary)
		if s == nil || s.Complete {
			t.Errorf("%s: complete", name)
		} else if c.note != "" && !slices.ContainsFunc(s.Notes, func(n string) bool { return strings.Contains(n, c.note) }) {
			t.Errorf("%s: notes %q", name, s.Notes)
		}
	}
	// A run that did nothing is not missed.
	idle := summed(3, part(3, 6, 4, ran(0, 0), ran(1, 4), ran(2, 6)), gateway("10.0.0.4", "required", "1"))
	if s := merge(t, first, second, idle); !s[len(s)-1].(*event.Summary).Complete {
		t.Error("a run that did nothing is missed")
	}
}

func TestMergeShardsOfOneScan(t *testing.T) {
	shard := func(k, config string) []event.Event {
		e := scan(0, k)
		e.(*event.Scan).Config = config
		return summed(4, e)
	}
	last := func(out []event.Event) *event.Summary { return out[len(out)-1].(*event.Summary) }
	if s := last(merge(t, shard("1/3", "a"), shard("2/3", "a"), shard("3/3", "a"))); !s.Complete || s.Targets != 12 || len(s.Notes) > 0 {
		t.Errorf("all: %+v", s)
	}
	if s := last(merge(t, shard("1/3", "a"), shard("3/3", "a"))); s.Complete || !slices.ContainsFunc(s.Notes, func(n string) bool { return strings.Contains(n, "missing: 2/3") }) {
		t.Errorf("two of three: %+v", s)
	}
	if s := last(merge(t, shard("1/3", "a"))); s.Complete || !slices.ContainsFunc(s.Notes, func(n string) bool { return strings.Contains(n, "missing: 2/3, 3/3") }) {
		t.Errorf("one of three: %+v", s)
	}
	if s := last(merge(t, shard("7/70000", "a"), shard("8/70000", "a"))); s.Complete || !slices.ContainsFunc(s.Notes, func(n string) bool {
		return strings.Contains(n, "missing: 1/70000, ") && strings.Contains(n, "66/70000, …") && !strings.Contains(n, " 8/") && !strings.Contains(n, "67/")
	}) {
		t.Errorf("two of very many: %+v", s)
	}
	// The runs of a shard are all there, whatever is of the others.
	again := shard("2/3", "a")
	again[0].(*event.Scan).Started = noon.Add(time.Hour)
	again[0].(*event.Scan).From, again[0].(*event.Scan).Earlier = 4, []event.Run{ran(0, 0)}
	for _, runs := range [][][]event.Event{{shard("2/3", "a")}, {shard("2/3", "a"), again}} {
		var sources []Source
		for _, r := range runs {
			sources = append(sources, source(r...))
		}
		if s := last(run(t, func(emit func(event.Event) error) error { return MergeRuns(sources, emit) })); !s.Complete || len(s.Notes) > 0 {
			t.Errorf("%d runs of one shard: %+v", len(runs), s)
		}
		if s := last(merge(t, runs...)); s.Complete {
			t.Errorf("%d runs of one shard of three are the whole", len(runs))
		}
	}
	out := merge(t, shard("1/2", "a"), shard("2/2", "b"))
	if s := last(out); s.Complete || out[0].(*event.Scan).Shard == "1/1" {
		t.Errorf("of two scans: %+v, shard %s", s, out[0].(*event.Scan).Shard)
	}
}

func lines(t testing.TB, events ...event.Event) string {
	t.Helper()
	var b bytes.Buffer
	for _, e := range events {
		if err := json.NewEncoder(&b).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestParts(t *testing.T) {
	first, second := part(0, 0, 0), part(1, 4, 3, ran(0, 0))
	unrelated := scan(1, "1/1")
	unrelated.(*event.Scan).Config = "abd"
	long := other("10.0.0.1", "other")
	long.(*event.Target).Error = strings.Repeat("x", 300<<10)
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"empty", "", 0},
		{"one", lines(t, summed(0, first)...), 1},
		{"with a mark", "\ufeff" + lines(t, summed(0, first)...), 0},
		{"two runs", lines(t, first, long) + lines(t, summed(0, second)...), 2},
		{"two scans", lines(t, first) + lines(t, unrelated), 0},
		{"the same twice", lines(t, first) + lines(t, first), 0},
		{"something before", "x\n" + lines(t, first) + lines(t, second), 0},
		{"a line that looks so", lines(t, first) + `{"type":"scan"` + "\n", 1},
	} {
		r := strings.NewReader(c.text)
		parts, err := Parts(r, int64(r.Len()))
		if err != nil || len(parts) != c.want {
			t.Errorf("%s: %d parts, %v", c.name, len(parts), err)
		}
		for i, p := range parts {
			if i > 0 && p.Begin != parts[i-1].End || i == len(parts)-1 && p.End != int64(len(c.text)) {
				t.Errorf("%s: %+v", c.name, parts)
			}
			if text, _ := io.ReadAll(io.NewSectionReader(r, p.Begin, p.End-p.Begin)); !bytes.HasPrefix(text, scanLine) {
				t.Errorf("%s: part %d begins with %.40s", c.name, i, text)
			}
		}
	}
}

func FuzzParts(f *testing.F) {
	f.Add(lines(f, part(0, 0, 0)) + lines(f, part(1, 4, 3, ran(0, 0))))
	f.Fuzz(func(t *testing.T, text string) {
		parts, err := Parts(strings.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range parts {
			if p.Begin < 0 || p.Begin >= p.End || p.End > int64(len(text)) || i > 0 && p.Begin != parts[i-1].End {
				t.Errorf("%+v of %d", p, len(text))
			}
		}
	})
}
