package stored

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

// sampled is a shard of a scan, of whose silent targets some were tried again.
func sampled(config, shard string, silent, reprobed, found int, more ...event.Event) []event.Event {
	e := scan(0, shard)
	e.(*event.Scan).Config = config
	out := summed(0, append([]event.Event{e}, more...)...)
	s := out[len(out)-1].(*event.Summary)
	s.AddOutcome(event.OutcomeSilent, silent)
	s.MissEstimate = event.MissEstimate{Reprobed: reprobed, Found: found}
	s.MissEstimate.Estimate(silent)
	return out
}

// The shards of a scan together have one estimate: as if it had been made in one.
func TestMergePoolsTheEstimate(t *testing.T) {
	many := func(config string, n int) (out [][]event.Event) {
		for k := range n {
			out = append(out, sampled(config, fmt.Sprintf("%d/%d", k+1, n), 1000, 1, 0))
		}
		return out
	}
	again := sampled("a", "1/2", 100, 10, 1)
	again[0].(*event.Scan).Started = again[0].(*event.Scan).Started.Add(time.Hour)
	cut := sampled("a", "2/2", 0, 0, 0, other("10.0.0.1", event.OutcomeSilent))
	for name, c := range map[string]struct {
		streams [][]event.Event
		want    event.MissEstimate
	}{
		// 500 of 500,000: the rule of three has 3/500, of each thousand apart nearly 800.
		"many shards":    {many("a", 500), event.MissEstimate{Reprobed: 500, Found: 0, Missed: 0, MissedAtMost: 3809}},
		"two shards":     {[][]event.Event{sampled("a", "1/2", 90, 10, 0), sampled("a", "2/2", 40, 10, 5)}, event.MissEstimate{Reprobed: 20, Found: 5, Missed: 29, MissedAtMost: 54}},
		"of two scans":   {[][]event.Event{sampled("a", "1/2", 90, 10, 0), sampled("b", "2/2", 40, 10, 5)}, event.MissEstimate{Reprobed: 20, Found: 5, Missed: 18, MissedAtMost: 23 + 27}},
		"of no known":    {[][]event.Event{sampled("", "1/2", 90, 10, 0), sampled("", "2/2", 40, 10, 5)}, event.MissEstimate{Reprobed: 20, Found: 5, Missed: 18, MissedAtMost: 23 + 27}},
		"a shard twice":  {[][]event.Event{sampled("a", "1/2", 100, 10, 1), again}, event.MissEstimate{Reprobed: 20, Found: 2, Missed: 18, MissedAtMost: 2 * 37}},
		"one is cut off": {[][]event.Event{sampled("a", "1/2", 100, 10, 1), cut[:2]}, event.MissEstimate{Reprobed: 10, Found: 1, Missed: 9, MissedAtMost: 38}},
		"two of each":    {append(many("a", 2), many("b", 2)...), event.MissEstimate{Reprobed: 4, Missed: 0, MissedAtMost: 2 * 1314}},
	} {
		out := merge(t, c.streams...)
		if got := out[len(out)-1].(*event.Summary).MissEstimate; got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// Some 15,000 shards are merged in seconds, and of what is missing among them it is said
// how much.
func TestMergeManyShards(t *testing.T) {
	const n = 15_000
	var all []Source
	for k := range n {
		s := sampled("a", fmt.Sprintf("%d/%d", k+1, n), 10, 1, 0, gateway(fmt.Sprintf("10.%d.%d.1", k/250, k%250), "open", "1"))
		s[len(s)-1].(*event.Summary).Notes = []string{"the same note", fmt.Sprint("one of ", k%3)}
		all = append(all, source(s...))
	}
	last := func(sources []Source) *event.Summary {
		var sum *event.Summary
		begun := time.Now()
		if err := Merge(sources, func(e event.Event) error { sum, _ = e.(*event.Summary); return nil }); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("%d shards take %v", len(sources), took)
		} else {
			t.Log(took)
		}
		return sum
	}
	if s := last(all); !s.Complete || s.Targets != 11*n || s.Auth[event.AuthOpen] != n || len(s.Notes) != 4 {
		t.Errorf("%+v", s)
	}
	s := last(all[5000:])
	if note := strings.Join(s.Notes, "\n"); s.Complete || !strings.Contains(note, "shards of this scan are missing: 1/15000, 2/15000") || strings.Contains(note, "5000/15000") {
		t.Errorf("%t, %q", s.Complete, s.Notes)
	}
}
