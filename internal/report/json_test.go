package report

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// stored gives e as a stream holds it: invalid UTF-8 is U+FFFD.
func stored(t *testing.T, e event.Event) event.Event {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	back, err := event.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func same(t *testing.T, got, want []event.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d events came back, want %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], stored(t, want[i])) {
			t.Errorf("event %d came back different", i)
		}
	}
}

// printable fails if out holds a character that a terminal acts on or hides.
func printable(t *testing.T, out string) {
	t.Helper()
	for i, r := range out {
		if r != '\n' && clean.Hidden(r) {
			t.Fatalf("%U at %d: %q", r, i, out[max(i-40, 0):i+10])
		}
	}
}

func TestJSONLRoundTrip(t *testing.T) {
	long := gateway("10.0.0.1", func(x *event.Target) { x.Error = nastyText("error", 1<<20) })
	for name, events := range map[string][]event.Event{"mixed": mixed(), "hostile": hostile(10_000), "empty": nil, "long": {long}} {
		t.Run(name, func(t *testing.T) {
			out := render(t, "jsonl", Options{}, events...)
			printable(t, out)
			if n := strings.Count(out, "\n"); n != len(events) {
				t.Errorf("%d lines for %d events", n, len(events))
			}
			var got []event.Event
			if err := event.Read(strings.NewReader(out), name, func(e event.Event) error {
				got = append(got, e)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			same(t, got, events)
		})
	}
}

func TestJSONLKeepsMarkup(t *testing.T) {
	e := gateway("10.0.0.1", func(x *event.Target) { x.Error = "<a href=\"x\">&</a> \u2028\x1b\x7f\u202e\U000e0041" })
	out := render(t, "jsonl", Options{}, e)
	if want := `"error":"<a href=\"x\">&</a> \u2028\u001b\u007f\u202e\udb40\udc41"`; !strings.Contains(out, want) {
		t.Errorf("no %s in %s", want, out)
	}
}

// TestJSONLWritesOnce checks that a line is never torn by another writer.
func TestJSONLWritesOnce(t *testing.T) {
	var w writeCounter
	s := newJSONL(&w, Options{}, nil)
	for i, e := range mixed() {
		if err := s.Event(e); err != nil {
			t.Fatal(err)
		}
		if int(w) != i+1 {
			t.Fatalf("%d writes after %d events", w, i+1)
		}
	}
}

type writeCounter int

func (c *writeCounter) Write(p []byte) (int, error) {
	if bytes.Count(p, []byte("\n")) == 1 && bytes.HasSuffix(p, []byte("\n")) {
		*c++
	}
	return len(p), nil
}

func TestJSONDocument(t *testing.T) {
	m := mixed()
	last := len(m) - 1
	long := gateway("10.0.0.1", func(x *event.Target) { x.Error = nastyText("error", 1<<20) })
	for name, events := range map[string][]event.Event{
		"mixed":       m,
		"hostile":     hostile(10_000),
		"long":        {long},
		"nothing":     nil,
		"scan":        m[:1],
		"no target":   {m[0], m[last]},
		"summary":     m[last:],
		"no summary":  m[:3],
		"target only": m[2:3],
		"no scan":     m[1:],
	} {
		t.Run(name, func(t *testing.T) {
			out := render(t, "json", Options{}, events...)
			printable(t, out)
			var doc struct {
				Scan    *event.Scan
				Targets []event.Target
				Totals  struct{ Checks, Releases, Networks, AS, Countries []group }
				Summary *event.Summary
			}
			d := json.NewDecoder(strings.NewReader(out))
			d.DisallowUnknownFields()
			if err := d.Decode(&doc); err != nil {
				t.Fatalf("%v in\n%.500s", err, out)
			}
			if _, err := d.Token(); err != io.EOF {
				t.Errorf("more than one document: %v", err)
			}
			if doc.Targets == nil {
				t.Error("targets is null, want an array")
			}
			if gateways := slices.ContainsFunc(doc.Targets, func(x event.Target) bool { return x.Outcome == "identified" }); gateways != (len(doc.Totals.Releases) > 0) {
				t.Errorf("gateways %t, totals %+v", gateways, doc.Totals)
			}
			var got []event.Event
			if doc.Scan != nil {
				got = append(got, doc.Scan)
			}
			for _, x := range doc.Targets {
				got = append(got, &x)
			}
			if doc.Summary != nil {
				got = append(got, doc.Summary)
			}
			same(t, got, events)
		})
	}
}

// TestJSONWritesAsItGoes checks that targets do not wait for the end.
func TestJSONWritesAsItGoes(t *testing.T) {
	var b bytes.Buffer
	s := newJSON(&b, Options{}, nil)
	for _, e := range mixed()[:2] {
		if err := s.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(b.String(), "10.0.0.21") {
		t.Errorf("the target is not written yet: %s", &b)
	}
}

func TestJSONOrderErrors(t *testing.T) {
	m := mixed()
	for name, events := range map[string][]event.Event{
		"two scans":         {m[0], m[0]},
		"scan after target": {m[1], m[0]},
		"two summaries":     {m[len(m)-1], m[len(m)-1]},
	} {
		s := newJSON(io.Discard, Options{}, nil)
		var err error
		for _, e := range events {
			err = s.Event(e)
		}
		if err == nil || !strings.Contains(err.Error(), "merge") {
			t.Errorf("%s: error %v does not say what to do", name, err)
		}
	}
}

func TestNewUnknownFormat(t *testing.T) {
	_, err := New("xml\n", io.Discard, Options{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, f := range Formats() {
		if !strings.Contains(err.Error(), f) {
			t.Errorf("error %q does not list %s", err, f)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q is not one line", err)
	}
}

func BenchmarkJSONL(b *testing.B) {
	for _, bm := range []struct {
		name string
		e    event.Event
	}{
		{"closed", &event.Target{Type: "target", Target: event.Address{Input: "10.0.0.0/24", IP: "10.0.0.7", Port: 18789}, Outcome: "closed"}},
		{"gateway", mixed()[3]},
		{"escaped", gateway("10.0.0.1", func(x *event.Target) { x.Error = strings.Repeat("caf\u00e9 \u202e", 100) })},
	} {
		b.Run(bm.name, func(b *testing.B) {
			s := newJSONL(io.Discard, Options{}, nil)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Event(bm.e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTable(b *testing.B) {
	events := many(1000, func(i int) event.Severity { return event.Severities()[i%5] })
	b.ReportAllocs()
	for b.Loop() {
		s := newTable(io.Discard, Options{}, nil)
		for _, e := range events {
			if err := s.Event(e); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Flush(); err != nil {
			b.Fatal(err)
		}
	}
}
