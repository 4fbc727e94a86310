package alert

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// A digest is held from the first change that is due, over restarts, whatever the clock
// does; what is urgent is not held for long.
func TestDigest(t *testing.T) {
	alert := func() *config.Alert {
		return &config.Alert{Name: "r", When: []string{"opened", "release"}, Digest: 15 * time.Minute}
	}
	release := "1 gateway has another release: 10.0.0.1:18789"
	const both = "2 gateways have another release: 10.0.0.1:18789, 10.0.0.2:18789"
	t.Run("gathered", func(t *testing.T) {
		db := newOutbox()
		db.put(3, of(store.KindRelease, 1))
		b := newBench(t, db, alert())
		if next := b.run(); !next.Equal(start.Add(15 * time.Minute)) {
			t.Errorf("the next step is at %s", next)
		}
		b.after(14 * time.Minute)
		db.put(3, of(store.KindRelease, 2))
		b.after(59 * time.Second)
		b.want("r1")
		b.after(time.Second)
		b.want("r1", both)
		if len(db.holds) != 0 {
			t.Errorf("%v is left", db.holds)
		}
	})
	t.Run("restarts", func(t *testing.T) {
		db := newOutbox()
		db.put(3, of(store.KindRelease, 1))
		for i := range 4 {
			b := newBench(t, db, alert())
			b.after(time.Duration(i) * 5 * time.Minute)
			b.want("r1", []string{release}[:i/3]...)
		}
	})
	t.Run("urgent", func(t *testing.T) {
		db := newOutbox()
		db.put(3, of(store.KindRelease, 2))
		b := newBench(t, db, alert())
		b.run()
		db.put(2, opened(1))
		b.after(3 * time.Minute)
		b.want("r1")
		b.after(maxUrgent)
		b.want("r1", "1 gateway is now open to anyone: 10.0.0.1:18789 (was: auth required, for 3 days); 1 gateway has another release")
	})
	t.Run("taken back", func(t *testing.T) {
		db := newOutbox()
		db.put(3, of(store.KindRelease, 2))
		db.put(2, opened(1))
		b := newBench(t, db, alert())
		b.run()
		db.rows = nil // the run after that saw it as it was before
		b.after(time.Hour)
		b.want("r1")
		db.put(3, of(store.KindRelease, 1))
		b.after(time.Hour)
		b.want("r1") // the wait begins anew
		b.after(15 * time.Minute)
		b.want("r1", release)
	})
	t.Run("clock set back", func(t *testing.T) {
		db := newOutbox()
		db.put(3, of(store.KindRelease, 1))
		b := newBench(t, db, alert())
		b.run()
		b.after(-24 * time.Hour)
		b.after(16 * time.Minute)
		b.want("r1", release)
	})
	t.Run("clock set on", func(t *testing.T) {
		db := newOutbox()
		b := newBench(t, db, alert())
		b.run()
		b.after(365 * 24 * time.Hour)
		db.put(3, of(store.KindRelease, 1))
		b.run()
		b.want("r1")
		b.after(15 * time.Minute)
		b.want("r1", release)
	})
	t.Run("summer time", func(t *testing.T) {
		zone, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Skip("SKIPPED: no time zones here: ", err)
		}
		db := newOutbox()
		db.put(3, of(store.KindRelease, 1))
		b := newBench(t, db, alert())
		b.clock = time.Date(2026, 10, 25, 2, 55, 0, 0, zone) // the hour comes twice
		b.run()
		b.after(14 * time.Minute)
		b.want("r1")
		b.after(time.Minute)
		b.want("r1", release)
	})
}

// A digest spells out the worst and counts the rest, and quotes the notes that count.
func TestSpelledOut(t *testing.T) {
	db := newOutbox()
	for i := range 120 {
		c := of(store.KindFinding, i)
		c.Severity, c.Opened = event.High, 1
		if i == 100 {
			c.Severity = event.Critical
		}
		db.put(3, c)
	}
	db.put(2, opened(200))
	db.notes["10.0.0.200:18789"] = []store.Note{
		{Author: "ann", Text: "moves on Friday", Until: start.Add(time.Hour)},
		{Author: "bob", Text: "always so"},
		{Author: "eve", Text: "this is over", Until: start.Add(-time.Hour)},
	}
	b := newBench(t, db, &config.Alert{Name: "r", When: []string{"finding", "opened"}})
	b.run()
	got := b.sinks["r1"].taken()
	if len(got) != 1 {
		t.Fatalf("%d digests", len(got))
	}
	d := got[0].document
	if d.Total != 121 || len(d.Changes) != maxSpelled || d.Changes[0].Place != "10.0.0.200:18789" || d.Changes[1].Place != "10.0.0.100:18789" {
		t.Errorf("%d in all, %d spelled out, first %s, %s", d.Total, len(d.Changes), d.Changes[0].Place, d.Changes[1].Place)
	}
	has(t, d.Text,
		"1 gateway is now open to anyone: 10.0.0.200:18789 (was: auth required, for 3 days); 120 gateways have new findings\n\n- 10.0.0.200:18789: is now: open; was: auth required, for 3 days; worst of what is new: critical",
		"\n  Note of ann, until 2026-11-30 04:00 UTC: moves on Friday\n  Note of bob: always so\n- 10.0.0.100:18789",
		"\n- 71 more changes\n", "https://hub.example/gateways/"+store.ID(200).String(), "\n\nhttps://hub.example/changes\n",
		"for the rule r; delivery "+d.Delivery)
	if strings.Contains(d.Text, "this is over") {
		t.Error("a note that is over is quoted")
	}
	for _, most := range []int{maxShout, 5000} {
		if _, body := got[0].text(inert, most); len(body) > most {
			t.Errorf("%d bytes of %d", len(body), most)
		} else if !strings.Contains(body, "- 10.0.0.200:18789") || !strings.Contains(body, d.Delivery) {
			t.Errorf("what matters is missing:\n%s", body)
		}
	}
}

// What was open and was not seen to be closed is never called closed.
func TestNeverCalledClosed(t *testing.T) {
	for _, tt := range []struct {
		kind    store.Kind
		verdict store.Verdict
		closed  bool
	}{
		{store.KindGone, store.Gone, false},
		{store.KindVerdict, store.Other, false},
		{store.KindVerdict, store.Verdict(event.AuthUnknown), false},
		{store.KindVerdict, store.Verdict(event.AuthBlocked), false},
		{store.KindClosed, store.Verdict(event.AuthRequired), true},
	} {
		for _, lang := range []string{"en", "zh"} {
			c := of(tt.kind, 1)
			c.OldVerdict, c.Verdict = store.Verdict(event.AuthOpen), tt.verdict
			db := newOutbox()
			db.put(3, c)
			b := newBench(t, db, &config.Alert{Name: "r", When: []string{string(tt.kind)}})
			var err error
			if b.texts, err = newTexts(lang); err != nil {
				t.Fatal(err)
			}
			b.run()
			text := b.sinks["r1"].taken()[0].Text
			says := map[bool][2]string{
				true:  {"is no longer open, by proof", "已证实不再开放"},
				false: {"no look has shown that it was closed", "没有任何一次检查证实它已关闭"},
			}
			i := map[string]int{"en": 0, "zh": 1}[lang]
			has(t, text, says[tt.closed][i])
			if strings.Contains(text, says[!tt.closed][i]) {
				t.Errorf("%s, %s:\n%s", tt.kind, tt.verdict, text)
			}
		}
	}
}

func TestMatches(t *testing.T) {
	opened := opened(1)
	openedMild := opened
	openedMild.Severity = ""
	finding := of(store.KindFinding, 1)
	finding.Severity = event.Medium
	ungraded := of(store.KindAdvisory, 1)
	ungraded.Severity = event.Ungraded
	newOpen := opened
	newOpen.Kinds = []store.Kind{store.KindNew}
	newUnknown := of(store.KindNew, 1)
	newUnknown.Verdict = store.Verdict(event.AuthUnknown)
	both := of(store.KindClosed, 1)
	both.Kinds = append(both.Kinds, store.KindRelease)
	both.Owner = "IT"
	outside := both
	outside.Watch, outside.Vantage = job.Watch("plant", "fra"), "fra"
	for i, tt := range []struct {
		alert  config.Alert
		change store.Change
		want   bool
	}{
		{config.Alert{When: []string{"opened"}}, opened, true},
		{config.Alert{When: []string{"closed"}}, opened, false},
		{config.Alert{When: []string{"opened"}, Severity: event.Critical}, openedMild, true},
		{config.Alert{When: []string{"new"}, Severity: event.Critical}, newOpen, true},
		{config.Alert{When: []string{"new"}, Severity: event.High}, of(store.KindNew, 1), false},
		{config.Alert{When: []string{"new"}}, of(store.KindNew, 1), true},
		{config.Alert{When: []string{"new"}, Severity: event.High}, newUnknown, true}, // not known is not mild
		{config.Alert{When: []string{"finding"}, Severity: event.High}, finding, false},
		{config.Alert{When: []string{"finding"}, Severity: event.Medium}, finding, true},
		{config.Alert{When: []string{"advisory"}, Severity: event.Critical}, ungraded, true}, // not known is not mild
		{config.Alert{When: []string{"closed"}, Severity: event.Critical}, both, true},       // has no severity
		{config.Alert{When: []string{"release"}, Owners: []string{"IT"}}, both, true},
		{config.Alert{When: []string{"release"}, Owners: []string{"HR"}}, both, false},
		{config.Alert{When: []string{"release"}, Watches: []string{"plant"}}, both, false},
		{config.Alert{When: []string{"release"}, Watches: []string{"plant", "office"}}, both, true},
		{config.Alert{When: []string{"release"}, Watches: []string{"plant"}}, outside, true}, // of any vantage
		{config.Alert{When: []string{"release"}, Watches: []string{"office"}}, outside, false},
		{config.Alert{When: []string{config.SilentWatch}}, both, false},
	} {
		r := rule{Alert: &tt.alert}
		if got := r.matches(&tt.change); got != tt.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}

// What no rule is about does not wait, and each rule tells for itself.
func TestEachRule(t *testing.T) {
	db := newOutbox()
	db.put(1, of(store.KindGone, 1))
	db.put(2, opened(2))
	b := newBench(t, db,
		&config.Alert{Name: "a", When: []string{"opened"}, To: []string{"https://one.example/other"}},
		&config.Alert{Name: "b", When: []string{"opened"}, Digest: maxUrgent})
	b.run()
	const headline = "1 gateway is now open to anyone: 10.0.0.2:18789 (was: auth required, for 3 days)"
	one, two := b.sinks["a1"].taken(), b.sinks["a2"].taken()
	if len(one) != 1 || len(two) != 1 || one[0].Summary != headline || two[0].Summary != headline || one[0].Delivery == two[0].Delivery {
		t.Errorf("%v, %v", one, two)
	}
	b.want("b1")
	if len(db.done) != 1 || db.done[0].Gateway != 1 {
		t.Errorf("done: %v", db.done)
	}
	b.after(maxUrgent)
	b.want("a1")
	b.want("b1", headline)
	if len(db.done) != 2 {
		t.Errorf("done: %v", db.done)
	}
}

// A watch is called silent once, and back once, whatever happens in between.
// A run that ended before the clock was set back does not keep a watch from being silent.
func TestSilentWatchClock(t *testing.T) {
	db := newOutbox()
	db.complete["office"] = start.Add(1000 * time.Hour)
	b := newBench(t, db, &config.Alert{Name: "r", When: []string{config.SilentWatch}, After: 13 * time.Hour, Watches: []string{"office"}})
	b.run()
	b.after(13 * time.Hour)
	b.want("r1")
	b.after(time.Minute)
	b.want("r1", "The watch office is silent: its last complete run ended at 2026-11-30 03:00 UTC, 13 hours ago")
}

func TestSilentWatch(t *testing.T) {
	db := newOutbox()
	db.complete["office"] = start
	alert := func() *config.Alert {
		return &config.Alert{Name: "r", When: []string{config.SilentWatch}, After: 13 * time.Hour, Watches: []string{"office"}}
	}
	b := newBench(t, db, alert())
	if next := b.run(); next.Sub(start.Add(13*time.Hour)).Abs() > time.Second {
		t.Errorf("the next step is at %s", next)
	}
	b.after(13 * time.Hour)
	b.want("r1")
	b.after(time.Minute)
	b.want("r1", "The watch office is silent: its last complete run ended at 2026-11-30 03:00 UTC, 13 hours ago")
	for range 3 {
		clock := b.clock
		b = newBench(t, db, alert())
		b.clock = clock
		b.after(time.Hour)
		b.want("r1")
	}
	db.complete["office"] = b.clock
	b.after(time.Minute)
	b.want("r1", "The watch office is back: a run was completed at 2026-11-30 19:01 UTC")
	b.after(time.Minute)
	b.want("r1")
	b.after(14 * time.Hour)
	b.want("r1", "The watch office is silent: its last complete run ended at 2026-11-30 19:01 UTC, 14 hours ago")
}

// A watch that never completed a run is silent from the first start of the hub on, which
// later starts do not put off. Without after it is twice its interval.
func TestSilentFromTheStart(t *testing.T) {
	db := newOutbox()
	var b *bench
	for i := range 5 {
		b = newBench(t, db, &config.Alert{Name: "r", When: []string{config.SilentWatch}, Watches: []string{"plant"}})
		b.after(time.Duration(i) * 30 * time.Minute)
		b.want("r1")
	}
	b.after(time.Second)
	b.want("r1", "The watch plant is silent: it has completed no run in 2 hours")
	if text := func() string { b.after(time.Hour); b.want("r1"); return "" }(); text != "" {
		t.Error(text)
	}
}

// Of a watch that workers make, each vantage can be silent by itself.
func TestSilentVantage(t *testing.T) {
	db := newOutbox()
	db.complete["plant@fra"], db.complete["plant@sgp"] = start, start
	b := newBench(t, db, &config.Alert{Name: "r", When: []string{config.SilentWatch}, After: time.Hour, Watches: []string{"plant"}})
	for _, w := range b.config.Watches {
		if w.Name == "plant" {
			w.Vantages = []string{"fra", "sgp"}
		}
	}
	b.after(50 * time.Minute)
	db.complete["plant@fra"] = b.clock
	b.after(15 * time.Minute)
	b.want("r1", "The watch plant@sgp is silent: its last complete run ended at 2026-11-30 03:00 UTC, 65 minutes ago")
}

// A store that fails is said once, and nothing is lost.
func TestStoreFails(t *testing.T) {
	db := newOutbox()
	db.put(2, opened(1))
	db.fail = errors.New("disk full\nforged line")
	b := newBench(t, db, &config.Alert{Name: "r", When: []string{"opened"}})
	if _, err := b.step(t.Context()); err == nil {
		t.Error("no error")
	}
	db.fail = nil
	b.run()
	if got := b.sinks["r1"].taken(); len(got) != 1 {
		t.Errorf("%d digests", len(got))
	}
}

// What was taken is not sent again though the store could not record it.
func TestEndIsNotRecorded(t *testing.T) {
	db := newOutbox()
	db.put(2, opened(1))
	db.failEnd = errors.New("disk full")
	b := newBench(t, db, &config.Alert{Name: "r", When: []string{"opened"}})
	b.run()
	for range 5 {
		b.after(time.Hour)
	}
	if n := len(b.sinks["r1"].taken()); n != 1 {
		t.Errorf("sent %d times", n)
	}
	db.failEnd = nil
	b.after(time.Hour)
	if open, _ := db.Unfinished(t.Context(), 10); len(open) != 0 || len(b.ends) != 0 || len(b.sinks["r1"].taken()) != 0 {
		t.Errorf("%v, %v", open, b.ends)
	}
	// Nor is what fails tried without a pause.
	db.put(2, opened(2))
	db.failEnd = errors.New("disk full")
	b.sinks["r1"].fail = errors.New("no")
	b.after(0)
	b.errors.Reset()
	b.after(firstPause - time.Second)
	if b.errors.Len() != 0 {
		t.Errorf("%s", b.errors)
	}
}

// A place that fails is tried again, with growing pauses, and given up; it holds up no
// other, and nothing secret is said.
func TestRetries(t *testing.T) {
	db := newOutbox()
	db.put(2, opened(1))
	b := newBench(t, db, &config.Alert{Name: "r", When: []string{"opened"}, To: []string{"https://two.example/x"}})
	b.timeout = 20 * time.Millisecond
	b.sinks["r1"].fail = errors.New("HTTP 500 from secret-path\nforged")
	b.sinks["r2"].hang = true
	b.run()
	if got := strings.Split(strings.TrimSpace(b.errors.String()), "\n"); len(got) != 2 {
		t.Errorf("%q", got)
	}
	has(t, b.errors.String(), "clawsonar-hub: alert \"r\" to https://one.example: HTTP 500 from … forged; the next try is at 2026-11-30T03:00:10Z\n",
		"alert \"r\" to https://two.example: context deadline exceeded; ")
	b.sinks["r2"].hang = false
	var pauses []string
	last := b.clock
	for range 10 {
		next := b.run()
		pauses = append(pauses, next.Sub(last).String())
		b.clock, last = next, next
		b.run()
	}
	if got := strings.Join(pauses, " "); got != "10s 20s 40s 1m20s 2m40s 5m20s 10m40s 21m20s 42m40s 1h0m0s" {
		t.Errorf("pauses %s", got)
	}
	if n := len(b.sinks["r2"].taken()); n != 1 {
		t.Errorf("the other place got %d", n)
	}
	f, err := b.Failures(t.Context())
	if err != nil || len(f) != 1 || f[0].Sink != "https://one.example" || f[0].Tries != 11 || f[0].Reason != "HTTP 500 from … forged" || !f[0].Next.After(b.clock) {
		t.Errorf("%+v, %v", f, err)
	}
	// A clock that was set back by more than the longest pause does not stop it.
	b.clock = b.clock.Add(-48 * time.Hour)
	b.sinks["r1"].fail = nil
	b.run()
	if got := b.sinks["r1"].taken(); len(got) != 1 {
		t.Errorf("%d deliveries", len(got))
	}
	// What never works is given up.
	db.put(2, opened(2))
	b.sinks["r1"].fail = errors.New("HTTP 404")
	b.run()
	b.errors.Reset()
	b.after(maxAge + time.Minute)
	has(t, b.errors.String(), "HTTP 404; it is given up\n")
	b.errors.Reset()
	b.after(24 * time.Hour)
	if f, err := b.Failures(t.Context()); err != nil || len(f) != 1 || !f[0].Next.IsZero() || b.errors.Len() > 0 {
		t.Errorf("%+v, %v, %s", f, err, b.errors)
	}
}

// A place that is not in the configuration any more is given up; one whose address
// changed gets what waits.
func TestPlaceChanges(t *testing.T) {
	db := newOutbox()
	db.put(2, opened(1))
	alert := func(to ...string) *config.Alert {
		return &config.Alert{Name: "r", When: []string{"opened"}, To: to}
	}
	b := newBench(t, db, alert("https://two.example/old-token", "https://three.example/"))
	for _, s := range b.sinks {
		s.fail = errors.New("HTTP 403")
	}
	b.run()
	b = newBench(t, db, alert("https://two.example/new-token"))
	b.after(time.Hour)
	for name, want := range map[string]int{"r1": 1, "r2": 1} {
		if n := len(b.sinks[name].taken()); n != want {
			t.Errorf("%s got %d", name, n)
		}
	}
	has(t, b.errors.String(), "a delivery to https://three.example is given up: it is not in the configuration any more")
	if open, _ := db.Unfinished(t.Context(), 10); len(open) != 0 {
		t.Errorf("%+v", open)
	}
}

// Many changes cost one pass.
func BenchmarkChanges(b *testing.B) {
	db := newOutbox()
	for i := range 20000 {
		c := of(store.KindNew, i)
		c.Place = fmt.Sprint("10.0.0.1:", i)
		db.put(1, c)
	}
	l := &Loop{db: db, config: &config.Config{}, rules: []rule{{Alert: &config.Alert{Name: "r", When: []string{"new"}}}}}
	for b.Loop() {
		if _, err := l.changes(b.Context(), start); err != nil {
			b.Fatal(err)
		}
	}
}
