package stored

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// from is a scan of a vantage.
func from(vantage string, hour int, shard, config string) *event.Scan {
	s := scan(hour, shard).(*event.Scan)
	s.Vantage, s.Config = vantage, config
	return s
}

func inRange(e event.Event) event.Event {
	e.(*event.Target).Target.Member = event.OfRange
	return e
}

// testDiffers makes the finding as "report" does.
func testDiffers(place string, detail ...message.Text) *event.Finding {
	f := &event.Finding{ID: "differs-by-vantage", Key: "differs " + place, Severity: event.Info, Evidence: []string{}}
	f.Say(detail...)
	return f
}

// cut is a stream without its end.
func cut(events ...event.Event) []event.Event { return events }

func TestMergeVantages(t *testing.T) {
	open, asks, unclear := gateway("10.0.0.1", "open", "1", finding("auth-missing", "k", "critical")), gateway("10.0.0.1", "required", "1"), gateway("10.0.0.1", "unknown", "1")
	partly := func(events ...event.Event) []event.Event {
		out := summed(2, events...)
		out[len(out)-1].(*event.Summary).Complete = false
		return out
	}
	excluding := func(n int, events ...event.Event) []event.Event {
		out := summed(2, events...)
		out[len(out)-1].(*event.Summary).AddOutcome(event.OutcomeExcluded, n)
		return out
	}
	named := func(e event.Event) event.Event {
		x := *e.(*event.Target)
		x.Target.Name, x.Target.Member = "gw.example", event.OfName
		return &x
	}
	ranged := func(e event.Event) event.Event {
		x := *e.(*event.Target)
		return inRange(&x)
	}
	for _, tt := range []struct {
		name    string
		streams [][]event.Event
		state   event.AuthState // of the line
		says    string          // the finding; "" for none
	}{
		{"both the same", [][]event.Event{summed(0, from("fra", 0, "1/1", ""), asks), summed(0, from("sgp", 1, "1/1", ""), asks)}, "required", ""},
		{"the later one is milder", [][]event.Event{summed(0, from("fra", 0, "1/1", ""), open), summed(0, from("sgp", 1, "1/1", ""), asks)}, "open",
			"From fra: open (2026-10-06T12:00:00Z). From sgp: auth required (2026-10-06T13:00:00Z)."},
		{"in the other order", [][]event.Event{summed(0, from("sgp", 1, "1/1", ""), asks), summed(0, from("fra", 0, "1/1", ""), open)}, "open",
			"From fra: open (2026-10-06T12:00:00Z). From sgp: auth required (2026-10-06T13:00:00Z)."},
		{"unclear is not the same as required, nor milder", [][]event.Event{summed(0, from("fra", 0, "1/1", ""), unclear), summed(0, from("sgp", 1, "1/1", ""), asks)}, "unknown",
			"From fra: auth unclear (2026-10-06T12:00:00Z). From sgp: auth required (2026-10-06T13:00:00Z)."},
		{"closed from there", [][]event.Event{summed(0, from("fra", 0, "1/1", ""), asks), summed(0, from("sgp", 1, "1/1", ""), other("10.0.0.1", "closed"))}, "required",
			"From fra: auth required (2026-10-06T12:00:00Z). From sgp: closed (2026-10-06T13:00:00Z)."},
		{"could not be looked at from there", [][]event.Event{summed(0, from("fra", 0, "1/1", ""), asks), summed(0, from("sgp", 1, "1/1", ""), other("10.0.0.1", "interrupted"))}, "required", ""},
		{"one is not named", [][]event.Event{summed(0, from("fra", 0, "1/1", ""), asks), summed(0, from("", 1, "1/1", ""), other("10.0.0.1", "closed"))}, "required", ""},
		{"two scans of one vantage, the later counts", [][]event.Event{summed(0, from("fra", 0, "1/1", ""), open), summed(0, from("fra", 1, "1/1", ""), asks)}, "required", ""},
		{"two scans of one vantage, and one of another", [][]event.Event{summed(0, from("fra", 0, "1/1", ""), open), summed(0, from("fra", 1, "1/1", ""), asks), summed(0, from("sgp", 2, "1/1", ""), asks)}, "required", ""},
		{"three", [][]event.Event{summed(0, from("fra", 0, "1/1", ""), asks), summed(0, from("sgp", 1, "1/1", ""), other("10.0.0.1", "reset")), summed(0, from("ams", 2, "1/1", ""), asks)}, "required",
			"From ams: auth required (2026-10-06T14:00:00Z). From fra: auth required (2026-10-06T12:00:00Z). From sgp: reset (2026-10-06T13:00:00Z)."},
		{"no line in a whole scan of the same range", [][]event.Event{summed(1, from("fra", 0, "1/1", "c"), ranged(asks)), summed(2, from("sgp", 1, "1/1", "c"))}, "required",
			"From fra: auth required (2026-10-06T12:00:00Z). From sgp: closed or silent (2026-10-06T13:00:00Z)."},
		{"in shards", [][]event.Event{summed(1, from("fra", 0, "1/2", "c"), ranged(asks)), summed(1, from("fra", 0, "2/2", "c")), summed(1, from("sgp", 1, "1/2", "c")), summed(1, from("sgp", 2, "2/2", "c"))}, "required",
			"From fra: auth required (2026-10-06T12:00:00Z). From sgp: closed or silent (2026-10-06T13:00:00Z)."},
		{"begun at the same moment", [][]event.Event{summed(1, from("fra", 0, "1/1", "c"), ranged(open)), summed(1, from("sgp", 0, "1/1", "c"), ranged(asks))}, "open",
			"From fra: open (2026-10-06T12:00:00Z). From sgp: auth required (2026-10-06T12:00:00Z)."},
		{"a shard is missing", [][]event.Event{summed(1, from("fra", 0, "1/2", "c"), ranged(asks)), summed(1, from("fra", 0, "2/2", "c")), summed(1, from("sgp", 1, "1/2", "c"))}, "required", ""},
		{"another range", [][]event.Event{summed(1, from("fra", 0, "1/1", "c"), ranged(asks)), summed(2, from("sgp", 1, "1/1", "d"))}, "required", ""},
		{"of which nothing is known", [][]event.Event{summed(1, from("fra", 0, "1/1", ""), ranged(asks)), summed(2, from("sgp", 1, "1/1", ""))}, "required", ""},
		{"not complete there", [][]event.Event{summed(1, from("fra", 0, "1/1", "c"), ranged(asks)), partly(from("sgp", 1, "1/1", "c"))}, "required", ""},
		{"cut off there", [][]event.Event{summed(1, from("fra", 0, "1/1", "c"), ranged(asks)), cut(from("sgp", 1, "1/1", "c"))}, "required", ""},
		{"not complete here", [][]event.Event{partly(from("fra", 0, "1/1", "c"), ranged(asks)), summed(2, from("sgp", 1, "1/1", "c"))}, "required", ""},
		{"more is excluded there", [][]event.Event{excluding(1, from("fra", 0, "1/1", "c"), ranged(asks)), excluding(2, from("sgp", 1, "1/1", "c"))}, "required", ""},
		{"as much is excluded there", [][]event.Event{excluding(1, from("fra", 0, "1/1", "c"), ranged(asks)), excluding(1, from("sgp", 1, "1/1", "c"))}, "required",
			"From fra: auth required (2026-10-06T12:00:00Z). From sgp: closed or silent (2026-10-06T13:00:00Z)."},
		{"a name is elsewhere from there", [][]event.Event{summed(1, from("fra", 0, "1/1", "c"), named(asks)), summed(2, from("sgp", 1, "1/1", "c"))}, "required", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var sources []Source
			for _, s := range tt.streams {
				sources = append(sources, source(s...))
			}
			out := run(t, func(emit func(event.Event) error) error { return MergeVantages(sources, testDiffers, emit) })
			x, said := out[1].(*event.Target), ""
			for _, f := range x.Findings {
				if f.ID == "differs-by-vantage" {
					said += f.Detail
				}
			}
			if x.Auth == nil || x.Auth.State != tt.state || said != tt.says {
				t.Errorf("%+v; says %q, want %q", x.Auth, said, tt.says)
			}
			want := newSummary()
			for _, e := range out {
				if x, ok := e.(*event.Target); ok {
					want.Add(x)
				}
			}
			if got := out[len(out)-1].(*event.Summary); fmt.Sprint(got.Findings) != fmt.Sprint(want.Findings) || fmt.Sprint(got.Auth) != fmt.Sprint(want.Auth) {
				t.Errorf("summary %v %v, lines add up to %v %v", got.Findings, got.Auth, want.Findings, want.Auth)
			}
			again := run(t, func(emit func(event.Event) error) error {
				return MergeVantages([]Source{source(out...), source(out...)}, testDiffers, emit)
			})
			if got := fmt.Sprint(again[1].(*event.Target).Findings); got != fmt.Sprint(x.Findings) {
				t.Errorf("merged with itself: %s", got)
			}
		})
	}
}

// TestMergeVantagesUnjudged: what one vantage could not judge is not hidden by what another
// one did.
func TestMergeVantagesUnjudged(t *testing.T) {
	asks, open := gateway("10.0.0.1", "required", "1"), gateway("10.0.0.1", "open", "1")
	for _, tt := range []struct {
		name  string
		one   string // vantage of the first, and of the second
		two   string
		first event.Event
		other event.Outcome
		count int64
	}{
		{"stopped there", "fra", "sgp", asks, event.OutcomeInterrupted, 1},
		{"an answer that could not be read", "fra", "sgp", asks, event.OutcomeProtocolError, 1},
		{"closed there", "fra", "sgp", asks, event.OutcomeClosed, 0},
		{"silent there", "fra", "sgp", asks, event.OutcomeSilent, 0},
		{"open is the worst", "fra", "sgp", open, event.OutcomeInterrupted, 0},
		{"the same vantage has looked again", "fra", "fra", asks, event.OutcomeInterrupted, 0},
	} {
		for _, turned := range []bool{false, true} {
			streams := [][]event.Event{summed(0, from(tt.one, 0, "1/1", ""), tt.first), summed(0, from(tt.two, 1, "1/1", ""), other("10.0.0.1", tt.other))}
			if turned {
				streams[0], streams[1] = streams[1], streams[0]
			}
			out := merge(t, streams...)
			var u event.Unjudged
			u.Summary(out[len(out)-1].(*event.Summary))
			if want := tt.count; u.Count != want || want > 0 && u.Places[0] != (event.Place{Place: "10.0.0.1:18789", Outcome: string(tt.other)}) {
				t.Errorf("%s: %+v, want %d", tt.name, u, want)
			}
		}
	}
}

func TestMergedVantage(t *testing.T) {
	for want, names := range map[string][]string{"fra": {"fra", "fra"}, "fra+sgp": {"fra", "sgp", "fra"}, "": {"fra", "", "sgp"}} {
		var streams [][]event.Event
		for i, n := range names {
			streams = append(streams, summed(0, from(n, i, fmt.Sprintf("%d/%d", i+1, len(names)), "")))
		}
		if s := merge(t, streams...)[0].(*event.Scan); s.Vantage != want {
			t.Errorf("%s: %q, want %q", strings.Join(names, " "), s.Vantage, want)
		}
	}
}

// TestMergeVantagesInShards: the shards of one vantage do not stand for those of another.
func TestMergeVantagesInShards(t *testing.T) {
	fra, sgp := func(k string) []event.Event { return summed(1, from("fra", 0, k, "c")) }, func(k string) []event.Event { return summed(1, from("sgp", 0, k, "c")) }
	for _, tt := range []struct {
		streams [][]event.Event
		whole   bool
	}{
		{[][]event.Event{fra("1/2"), fra("2/2"), sgp("1/2"), sgp("2/2")}, true},
		{[][]event.Event{fra("1/2"), fra("2/2"), sgp("1/2")}, false},
		{[][]event.Event{fra("1/2"), sgp("2/2")}, false},
	} {
		out := merge(t, tt.streams...)
		if s := out[len(out)-1].(*event.Summary); s.Complete != tt.whole || s.Targets != int64(len(tt.streams)) {
			t.Errorf("%d streams: %+v", len(tt.streams), s)
		}
	}
}

// TestDiffVantagesUnjudged: of two vantages neither is the older one, so what the first one
// could not judge counts as what the second one could not.
func TestDiffVantagesUnjudged(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		count         int64
	}{{"fra", "sgp", 2}, {"fra", "fra", 0}, {"", "sgp", 0}} {
		old := summed(0, from(tt.first, 0, "1/1", ""), other("10.0.0.1", event.OutcomeProtocolError), gateway("10.0.0.2", "required", "1"))
		old[len(old)-1].(*event.Summary).AddUnlisted(&event.Unlisted{Count: 1, Targets: []event.Place{{Place: "gw.example", Outcome: "silent"}}})
		now := summed(0, from(tt.second, 1, "1/1", ""), gateway("10.0.0.2", "required", "1"))
		out := run(t, func(emit func(event.Event) error) error { return Diff(source(old...), source(now...), nil, emit) })
		var u event.Unjudged
		u.Summary(out[len(out)-1].(*event.Summary))
		if u.Count != tt.count || tt.count > 0 && u.Places[0] != (event.Place{Place: "10.0.0.1:18789", Outcome: "protocol-error"}) {
			t.Errorf("%q and %q: %+v, want %d", tt.first, tt.second, u, tt.count)
		}
	}
}
