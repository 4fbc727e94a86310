package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

func testGauges(t *testing.T, s *Store) {
	ctx := context.Background()
	dir := t.TempDir()
	if err := s.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if g, err := s.Gauges(ctx); err != nil || len(g.Gateways)+len(g.Findings)+len(g.Releases)+len(g.Watches)+g.Others != 0 {
		t.Errorf("an empty database: %+v, %v", g, err)
	}
	lines := []string{"10.0.0.1:18789 open 2026.9.6", "10.0.0.2:18789 unknown"}
	for i := range 60 { // more releases than are listed
		lines = append(lines, fmt.Sprintf("10.0.1.%d:18789 required 2026.1.%d", i, i))
	}
	apply(t, s, dir, run(t, dir, "a", 1, lines...))
	apply(t, s, dir, run(t, dir, "b", 2, "10.0.0.1:18789 open 2026.9.6"))
	apply(t, s, dir, run(t, dir, "b", 3, "10.0.0.1:18789 required 2026.9.6", "incomplete"))
	g, err := s.Gauges(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for watch, want := range map[string]map[Verdict]int{"a": {"open": 1, "unknown": 1, "required": 60}, "b": {"open": 1}} {
		if fmt.Sprint(g.Gateways[watch]) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", watch, g.Gateways[watch], want)
		}
	}
	episodes, err := s.Episodes(ctx, idOf(t, s, "10.0.0.1:18789"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[event.Severity]int{}
	for _, e := range episodes {
		if e.What == OfFinding && e.Closed.IsZero() {
			if want[e.Watch] == nil {
				want[e.Watch] = map[event.Severity]int{}
			}
			want[e.Watch][e.Severity]++
		}
	}
	if len(want["a"]) == 0 || fmt.Sprint(g.Findings["a"]) != fmt.Sprint(want["a"]) || fmt.Sprint(g.Findings["b"]) != fmt.Sprint(want["b"]) {
		t.Errorf("findings %v, want %v", g.Findings, want)
	}
	sum := g.Others
	for _, c := range g.Releases {
		sum += c.N
	}
	if len(g.Releases) != 50 || g.Others != 11 || sum != 62 {
		t.Errorf("%d releases and %d others: %v", len(g.Releases), g.Others, g.Releases)
	}
	if len(g.Watches) != 2 || g.Watches[1].Name != "b" || g.Watches[1].Last.Complete || !g.Watches[1].LastComplete.Finished.Equal(hour(2).Add(time.Minute)) {
		t.Errorf("%+v", g.Watches)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s.Ping(ctx) == nil {
		t.Error("a database that was closed answers")
	}
}
