package report

import (
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

// BenchmarkFormats puts streams of two lengths through every format: the time a
// target takes, and the memory that is held before the end, which must not grow
// with the stream beyond the limits that table, markdown, html and sarif have.
func BenchmarkFormats(b *testing.B) {
	for _, f := range Formats() {
		for _, n := range []int{10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", f, n), func(b *testing.B) {
				for b.Loop() {
					held(b, f, n)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/target")
			})
		}
	}
}

func held(b *testing.B, f string, n int) {
	s, err := New(f, io.Discard, Options{Checks: fixtureChecks()})
	if err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	put := func(e event.Event) {
		if err := s.Event(e); err != nil {
			b.Fatal(err)
		}
	}
	put(scanEvent())
	for i := range n {
		put(gateway(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), func(t *event.Target) {
			t.Version = &event.Version{Exact: "2026.9.6", Candidates: []string{"2026.9.6"}}
			t.Auth = &event.Auth{State: "required", Mode: "token", Because: []string{"tools.unauthorized"}}
			t.Findings = []event.Finding{plainHTTP, legacy}
			t.Evidence = []event.Evidence{{ID: "root", Request: "GET /", Status: 200, Bytes: 712, Facts: map[string]string{"title": "OpenClaw Control"}}}
		}))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-min(before.HeapAlloc, after.HeapAlloc))/1e6, "MB-held")
	put(summaryEvent(event.Summary{Targets: int64(n), Outcomes: map[event.Outcome]int{"identified": n}, Auth: map[event.AuthState]int{"required": n}, Complete: true}))
	if err := s.Flush(); err != nil {
		b.Fatal(err)
	}
}
