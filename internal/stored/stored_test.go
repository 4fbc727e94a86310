package stored

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/clawsonar/clawsonar/internal/event"
)

var noon = time.Date(2026, 10, 6, 12, 0, 0, 0, time.UTC)

func source(events ...event.Event) Source {
	return func(yield func(event.Event) error) error {
		for _, e := range events {
			if err := yield(e); err != nil {
				return err
			}
		}
		return nil
	}
}

func scan(hour int, shard string) event.Event {
	return &event.Scan{Type: "scan", Schema: 1, Tool: event.Tool{Name: "clawsonar", Version: "1"}, Started: noon.Add(time.Duration(hour) * time.Hour), Level: "standard", Shard: shard}
}

func gateway(ip string, state event.AuthState, release string, findings ...event.Finding) event.Event {
	return &event.Target{
		Type: "target", Outcome: "identified", Target: event.Address{IP: ip, Port: 18789, URL: "http://" + ip + ":18789/"},
		Auth: &event.Auth{State: state}, Version: &event.Version{Exact: release}, Findings: findings,
	}
}

func other(ip string, outcome event.Outcome) event.Event {
	return &event.Target{Type: "target", Outcome: outcome, Target: event.Address{IP: ip, Port: 18789, URL: "http://" + ip + ":18789/"}}
}

func member(ip string, outcome event.Outcome) event.Event {
	e := other(ip, outcome)
	e.(*event.Target).Target.Member = event.OfRange
	return e
}

func finding(id, key string, s event.Severity) event.Finding {
	return event.Finding{ID: id, Key: key, Severity: s, Evidence: []string{"tools"}}
}

// summed ends a stream with the summary that a scan would give it, with more
// targets that it did not list.
func summed(more int, events ...event.Event) []event.Event {
	s := newSummary()
	for _, e := range events {
		if t, ok := e.(*event.Target); ok {
			s.Add(t)
		}
	}
	s.AddOutcome("closed", more)
	return append(events, s)
}

func run(t testing.TB, f func(emit func(event.Event) error) error) []event.Event {
	t.Helper()
	var out []event.Event
	if err := f(func(e event.Event) error { out = append(out, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func merge(t testing.TB, streams ...[]event.Event) []event.Event {
	var sources []Source
	for _, s := range streams {
		sources = append(sources, source(s...))
	}
	return run(t, func(emit func(event.Event) error) error { return Merge(sources, emit) })
}

func TestMergeOfOneChangesNothing(t *testing.T) {
	in := summed(3, scan(0, "1/1"), gateway("10.0.0.1", "open", "1", finding("a", "k", "high")), other("10.0.0.2", "silent"))
	if out := merge(t, in); !reflect.DeepEqual(in, out) {
		t.Errorf("got %v", out)
	}
	if out := merge(t, in[:2]); !reflect.DeepEqual(in[:2], out) {
		t.Errorf("cut off: got %v", out)
	}
}

func TestMergeShards(t *testing.T) {
	out := merge(t, summed(4, scan(1, "1/2"), gateway("10.0.0.1", "open", "1")), summed(5, scan(0, "2/2"), gateway("10.0.0.2", "required", "1")))
	if s := out[0].(*event.Scan); s.Shard != "1/1" || !s.Started.Equal(noon) {
		t.Errorf("scan %+v", s)
	}
	s := out[len(out)-1].(*event.Summary)
	if len(out) != 4 || s.Targets != 11 || s.Outcomes["closed"] != 9 || s.Auth["open"] != 1 || s.Auth["required"] != 1 || !s.Complete {
		t.Errorf("%d events, summary %+v", len(out), s)
	}
	if out := merge(t, summed(0, scan(0, "1/3")), summed(0, scan(0, "2/3"))); out[0].(*event.Scan).Shard != "1/3+2/3" {
		t.Errorf("shard %q", out[0].(*event.Scan).Shard)
	}
}

func TestMergeFindingsByKey(t *testing.T) {
	a := summed(0, scan(0, "1/1"), gateway("10.0.0.1", "unknown", "1", finding("a", "k1", "high"), finding("b", "k2", "low")), gateway("10.0.0.3", "open", "1"))
	b := summed(0, scan(1, "1/1"), gateway("10.0.0.1", "required", "2", finding("a", "k1", "high"), finding("c", "k3", "medium")))
	for _, streams := range [][][]event.Event{{a, b}, {b, a}} {
		out := merge(t, streams...)
		var x *event.Target
		n := 0
		for _, e := range out {
			if t, ok := e.(*event.Target); ok {
				if n++; t.Target.IP == "10.0.0.1" {
					x = t
				}
			}
		}
		if n != 2 || x.Auth.State != "required" || x.Version.Exact != "2" {
			t.Errorf("%d lines; %+v", n, x)
		}
		var keys []string
		for _, f := range x.Findings {
			keys = append(keys, f.Key)
		}
		if slices.Sort(keys); !slices.Equal(keys, []string{"k1", "k2", "k3"}) {
			t.Errorf("keys %v", keys)
		}
		s := out[len(out)-1].(*event.Summary)
		if s.Targets != 2 || s.Outcomes["identified"] != 2 || s.Auth["required"] != 1 || s.Auth["open"] != 1 || s.Auth["unknown"] != 0 ||
			s.Findings["high"] != 1 || s.Findings["low"] != 1 || s.Findings["medium"] != 1 {
			t.Errorf("summary %+v", s)
		}
	}
}

func TestMergeOfACutOffStream(t *testing.T) {
	out := merge(t, summed(2, scan(0, "1/1"), gateway("10.0.0.1", "open", "1")), []event.Event{scan(0, "1/1"), gateway("10.0.0.2", "open", "1")})
	if s := out[len(out)-1].(*event.Summary); s.Complete || s.Targets != 4 || s.Auth["open"] != 2 {
		t.Errorf("summary %+v", s)
	}
}

func TestTwoStreamsInOneFile(t *testing.T) {
	one := summed(0, scan(0, "1/1"))
	for _, in := range [][]event.Event{slices.Concat(one, one), {scan(0, "1/1"), scan(0, "1/1")}, append(summed(0), gateway("10.0.0.1", "open", "1"))} {
		err := Merge([]Source{source(in...)}, func(event.Event) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "a second stream begins") {
			t.Errorf("error %v", err)
		}
	}
}

// TestMergeNumbers: for any streams that are merged, the summary is what its lines add up to,
// and no target and no key comes twice.
func TestMergeNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var streams []Source
		for range rapid.IntRange(2, 4).Draw(t, "streams") {
			events := []event.Event{scan(rapid.IntRange(0, 3).Draw(t, "hour"), "1/1")}
			for range rapid.IntRange(0, 6).Draw(t, "lines") {
				ip := fmt.Sprintf("10.0.0.%d", rapid.IntRange(1, 4).Draw(t, "ip"))
				if rapid.Bool().Draw(t, "gateway") {
					var fs []event.Finding
					for _, k := range rapid.SliceOfDistinct(rapid.IntRange(1, 4), rapid.ID[int]).Draw(t, "keys") {
						fs = append(fs, finding("x", ip+fmt.Sprint(k), rapid.SampledFrom(event.Severities()).Draw(t, "severity")))
					}
					events = append(events, gateway(ip, rapid.SampledFrom([]event.AuthState{"open", "required", "unknown"}).Draw(t, "state"), "1", fs...))
				} else {
					events = append(events, other(ip, rapid.SampledFrom([]event.Outcome{"closed", "other", "reset"}).Draw(t, "outcome")))
				}
			}
			streams = append(streams, source(summed(0, events...)...))
		}
		want := newSummary()
		var got *event.Summary
		seen := map[string]bool{}
		err := Merge(streams, func(e event.Event) error {
			switch e := e.(type) {
			case *event.Target:
				want.Add(e)
				if seen[e.Target.IP] {
					t.Fatalf("%s comes twice", e.Target.IP)
				}
				seen[e.Target.IP] = true
				for i, f := range e.Findings {
					if has(e.Findings[:i], f.Key) {
						t.Fatalf("key %s comes twice", f.Key)
					}
				}
			case *event.Summary:
				got = e
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.Targets != want.Targets || !reflect.DeepEqual(got.Outcomes, want.Outcomes) || !reflect.DeepEqual(got.Auth, want.Auth) || !reflect.DeepEqual(got.Findings, want.Findings) {
			t.Fatalf("summary %+v, lines add up to %+v", got, want)
		}
	})
}

func TestDiff(t *testing.T) {
	checks := []event.CheckInfo{{ID: "auth-missing", Needs: event.NeedsAuth}, {ID: "plain-http"}, {ID: "helper-open", Needs: event.NeedsHelpers}}
	helper := func(state event.AuthState, findings ...event.Finding) event.Event {
		e := gateway("10.0.0.1", state, "", findings...)
		e.(*event.Target).Outcome = "helper"
		return e
	}
	missing, plain := finding("auth-missing", "k1", "critical"), finding("plain-http", "k2", "medium")
	reachable := finding("helper-open", "k3", "high")
	ignored := missing
	ignored.Suppressed = "baseline"
	tests := []struct {
		name     string
		old, now []event.Event
		want     event.Diff
		changes  string // of the first line
		marks    string // of its findings
		unjudged string
	}{
		{name: "same", old: []event.Event{gateway("10.0.0.1", "open", "1", missing)}, now: []event.Event{gateway("10.0.0.1", "open", "1", missing)}},
		{name: "nothing known before, nothing now", old: []event.Event{other("10.0.0.1", "silent")}, now: []event.Event{other("10.0.0.1", "other")}},
		{name: "new gateway", now: []event.Event{gateway("10.0.0.1", "open", "1", missing)}, want: event.Diff{Opened: 1, Changed: 1}, changes: "target:>open", marks: "opened"},
		{name: "new finding", old: []event.Event{gateway("10.0.0.1", "required", "1")}, now: []event.Event{gateway("10.0.0.1", "required", "1", plain)}, want: event.Diff{Opened: 1}, marks: "opened"},
		{name: "gone", old: []event.Event{gateway("10.0.0.1", "open", "1", missing, plain)}, now: []event.Event{gateway("10.0.0.1", "required", "2", plain)},
			want: event.Diff{Closed: 1, Changed: 1}, changes: "verdict:open>auth required release:1>2", marks: "closed"},
		{name: "not shown to be gone", old: []event.Event{gateway("10.0.0.1", "open", "1", missing)}, now: []event.Event{gateway("10.0.0.1", "unknown", "1")},
			want: event.Diff{Unseen: 1, Changed: 1}, changes: "verdict:open>auth unclear", marks: "unseen", unjudged: "10.0.0.1 unknown"},
		{name: "no longer a gateway", old: []event.Event{gateway("10.0.0.1", "open", "1", missing)}, now: []event.Event{other("10.0.0.1", "silent")},
			want: event.Diff{Unseen: 1, Changed: 1}, changes: "target:open>", marks: "unseen", unjudged: "10.0.0.1 silent"},
		{name: "not listed", old: []event.Event{gateway("10.0.0.1", "open", "1", missing)}, want: event.Diff{Unseen: 1, Changed: 1}, changes: "target:open>", marks: "unseen"},
		{name: "helper that asks now", old: []event.Event{helper("open", reachable)}, now: []event.Event{helper("required")},
			want: event.Diff{Closed: 1, Changed: 1}, changes: "verdict:open>auth required", marks: "closed"},
		{name: "helper of which nothing is proven now", old: []event.Event{helper("open", reachable)}, now: []event.Event{helper("unknown")},
			want: event.Diff{Unseen: 1, Changed: 1}, changes: "verdict:open>auth unclear", marks: "unseen", unjudged: "10.0.0.1 unknown"},
		{name: "suppressed now", old: []event.Event{gateway("10.0.0.1", "open", "1", missing)}, now: []event.Event{gateway("10.0.0.1", "open", "1", ignored)}},
		{name: "no longer suppressed", old: []event.Event{gateway("10.0.0.1", "open", "1", ignored)}, now: []event.Event{gateway("10.0.0.1", "open", "1", missing)}, want: event.Diff{Opened: 1}, marks: "opened"},
		{name: "unknown check, judged by the product", old: []event.Event{gateway("10.0.0.1", "unknown", "1", finding("new-one", "k9", "low"))}, now: []event.Event{gateway("10.0.0.1", "unknown", "1")},
			want: event.Diff{Closed: 1}, marks: "closed", unjudged: "10.0.0.1 unknown"},
		{name: "judged in neither", old: []event.Event{gateway("10.0.0.1", "blocked", "1", plain)}, now: []event.Event{gateway("10.0.0.1", "blocked", "1", plain)}, unjudged: "10.0.0.1 blocked"},
		{name: "reached in neither", old: []event.Event{other("10.0.0.1", "dns-error"), other("10.0.0.2", "closed")}, now: []event.Event{other("10.0.0.1", "dns-error"), other("10.0.0.2", "closed")},
			unjudged: "10.0.0.1 dns-error, 10.0.0.2 closed"},
		{name: "something else, and now not reached", old: []event.Event{other("10.0.0.1", "other")}, now: []event.Event{other("10.0.0.1", "reset")}, unjudged: "10.0.0.1 reset"},
		{name: "members of a range", old: []event.Event{member("10.0.0.1", "closed")}, now: []event.Event{member("10.0.0.1", "silent")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			old, now := summed(0, append([]event.Event{scan(0, "1/1")}, tt.old...)...), summed(0, append([]event.Event{scan(1, "1/1")}, tt.now...)...)
			out := run(t, func(emit func(event.Event) error) error { return Diff(source(old...), source(now...), checks, emit) })
			if c := out[0].(*event.Scan).Compared; c == nil || !c.Started.Equal(noon) {
				t.Errorf("compared with %+v", c)
			}
			s := out[len(out)-1].(*event.Summary)
			if *s.Diff != tt.want || !s.Complete {
				t.Errorf("diff %+v, want %+v", *s.Diff, tt.want)
			}
			var changes, marks []string
			if len(out) > 2 {
				for _, c := range out[1].(*event.Target).Changes {
					changes = append(changes, string(c.What)+":"+c.Old+">"+c.New)
				}
				for _, f := range out[1].(*event.Target).Findings {
					marks = append(marks, string(f.Change))
				}
			}
			if strings.Join(changes, " ") != tt.changes || strings.Join(marks, " ") != tt.marks {
				t.Errorf("changes %v, marks %v; want %q, %q", changes, marks, tt.changes, tt.marks)
			}
			var unjudged []string
			for _, e := range out {
				if x, ok := e.(*event.Target); ok && !x.Judged() {
					unjudged = append(unjudged, x.Target.IP+" "+x.Why())
				}
			}
			if got := strings.Join(unjudged, ", "); got != tt.unjudged {
				t.Errorf("not judged: %q, want %q", got, tt.unjudged)
			}
			if s.Findings["critical"]+s.Findings["medium"] != tt.want.Opened {
				t.Errorf("findings %v: only those that are new count", s.Findings)
			}
		})
	}
}

// TestDiffOfANameWithTwoAddresses: a finding that the other address may have is
// not said to be gone.
func TestDiffOfANameWithTwoAddresses(t *testing.T) {
	named := func(ip string, state event.AuthState, fs ...event.Finding) event.Event {
		e := gateway(ip, state, "1", fs...)
		e.(*event.Target).Target.Name, e.(*event.Target).Target.URL = "gw.example", "http://gw.example:18789/"
		return e
	}
	f := finding("plain-http", "k", "medium")
	old := summed(0, scan(0, "1/1"), named("10.0.0.1", "required"), named("10.0.0.2", "required", f))
	now := summed(0, scan(1, "1/1"), named("10.0.0.1", "required"), named("10.0.0.2", "required"))
	out := run(t, func(emit func(event.Event) error) error { return Diff(source(old...), source(now...), nil, emit) })
	if d := out[len(out)-1].(*event.Summary).Diff; d.Closed != 0 || d.Unseen != 1 {
		t.Errorf("diff %+v", d)
	}
}

func TestDiffAdvisories(t *testing.T) {
	with := func(ids ...string) event.Event {
		e := gateway("10.0.0.1", "required", "1")
		for _, id := range ids {
			e.(*event.Target).Advisories = append(e.(*event.Target).Advisories, event.Advisory{ID: id})
		}
		return e
	}
	old, now := summed(0, scan(0, "1/1"), with("A")), summed(0, scan(1, "1/1"), with("A", "B"))
	out := run(t, func(emit func(event.Event) error) error { return Diff(source(old...), source(now...), nil, emit) })
	if len(out) != 3 || len(out[1].(*event.Target).Advisories) != 1 || out[1].(*event.Target).Advisories[0].ID != "B" || out[2].(*event.Summary).Diff.Advisories != 1 {
		t.Errorf("got %+v", out)
	}
}

func TestDiffNeedsAScan(t *testing.T) {
	err := Diff(source(), source(), nil, func(event.Event) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "does not begin with a scan") {
		t.Errorf("error %v", err)
	}
}

// TestKnownOfFewFields: a gateway that was kept elsewhere, as the little that Known
// needs, gives the news that its stored line gives.
func TestKnownOfFewFields(t *testing.T) {
	older := gateway("192.0.2.1", event.AuthOpen, "2026.3.13", finding("auth-missing", "a", event.Critical), finding("plain-http", "b", event.Low)).(*event.Target)
	older.Advisories = []event.Advisory{{ID: "GHSA-1"}}
	newer := gateway("192.0.2.1", event.AuthRequired, "2026.9.6", finding("plain-http", "b", event.Low), finding("x", "c", event.High)).(*event.Target)
	newer.Advisories = []event.Advisory{{ID: "GHSA-1"}, {ID: "GHSA-2"}, {ID: "GHSA-3", Suppressed: "fixed"}}
	line := func() *Known {
		var k Known
		k.Add(older)
		return &k
	}
	few := func() *Known {
		return &Known{
			Verdict: VerdictOf(event.AuthOpen), Release: Release(older), Addresses: []string{"192.0.2.1"},
			Findings:   []event.Finding{{ID: "auth-missing", Key: "a", Severity: event.Critical}, {ID: "plain-http", Key: "b", Severity: event.Low}},
			Advisories: map[string]bool{"GHSA-1": true},
		}
	}
	look := NewLook(event.LevelStandard, []event.CheckInfo{{ID: "auth-missing", Needs: event.NeedsAuth}, {ID: "plain-http"}})
	show := func(n News) string {
		var b strings.Builder
		for _, c := range n.Changes {
			fmt.Fprintf(&b, "%s %s > %s\n", c.What, c.Old, c.New)
		}
		for _, f := range n.Findings {
			fmt.Fprintf(&b, "%s %s %s\n", f.Key, f.Severity, f.Change)
		}
		for _, a := range n.Advisories {
			fmt.Fprintln(&b, a.ID)
		}
		return b.String()
	}
	for name, tt := range map[string]struct {
		to   *event.Target
		want string
	}{
		"another verdict": {newer, "verdict open > auth required\nrelease 2026.3.13 > 2026.9.6\nc high opened\na critical closed\nGHSA-2\n"},
		"no gateway":      {other("192.0.2.1", event.OutcomeSilent).(*event.Target), "target open > \na critical unseen\nb low unseen\n"},
		"nothing else":    {older, ""},
	} {
		if got := show(look.Compare(few(), tt.to)); got != tt.want {
			t.Errorf("%s:\n%swant\n%s", name, got, tt.want)
		}
		if got := show(look.Compare(line(), tt.to)); got != tt.want {
			t.Errorf("%s, from the line:\n%swant\n%s", name, got, tt.want)
		}
	}
	// A second line for a place says nothing more of what is missing.
	k := few()
	look.Compare(k, newer)
	if got := show(look.Compare(k, other("192.0.2.1", event.OutcomeClosed).(*event.Target))); got != "" || !k.Seen() {
		t.Errorf("a second line: %q", got)
	}
}
