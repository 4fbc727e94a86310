package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

var outboxNow = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

func put(t *testing.T, s *Store, changes ...Change) {
	t.Helper()
	err := s.change(context.Background(), func(tx *sql.Tx) error {
		for _, c := range changes {
			if err := enqueue(context.Background(), tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func waiting(t *testing.T, s *Store) (out []Waiting) {
	t.Helper()
	if err := s.Waiting(context.Background(), func(w Waiting) error { out = append(out, w); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// A change is seen again, not looked at, or taken back; only a later run of the same
// watch does that.
func testOutboxSettle(t *testing.T, s *Store) {
	ctx := context.Background()
	var all []Change
	for i, watch := range []string{"office", "office", "office", "other"} {
		all = append(all, Change{Run: 1, Gateway: ID(i + 1), Watch: watch, At: outboxNow.Add(time.Duration(i) * time.Second), Place: fmt.Sprintf("10.0.0.%d:18789", i)})
	}
	put(t, s, all...)
	put(t, s, all[0]) // the same again changes nothing
	settling := func(run ID) {
		t.Helper()
		err := s.change(ctx, func(tx *sql.Tx) error {
			return settle(ctx, tx, "office", run, func(c Change) (looked, stands bool) {
				if c.Watch != "office" || c.Run == run {
					t.Errorf("asked about %+v", c)
				}
				return c.Gateway != 2, c.Gateway != 3
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	settling(1)
	put(t, s, Change{Run: 2, Gateway: 9, Watch: "office", At: outboxNow.Add(time.Minute)})
	settling(2)
	settling(3)
	var got []string
	for _, w := range waiting(t, s) {
		got = append(got, fmt.Sprintf("%d/%d %d", w.Run, w.Gateway, w.Looks))
	}
	if want := []string{"1/1 3", "1/2 1", "1/4 1", "2/9 2"}; !slices.Equal(got, want) {
		t.Errorf("waiting: %q, want %q", got, want)
	}
}

// What an alert says survives, whatever a target put into it.
func testOutboxChange(t *testing.T, s *Store) {
	c := Change{
		At: outboxNow, Run: MakeID("run"), Gateway: MakeID("gateway"), Watch: "office", Vantage: "fra",
		Place: "10.0.0.7:18789/\x00\xff'); DROP TABLE outbox; --", Owner: "net", Contact: "noc@example.org",
		Kinds: []Kind{KindOpened, KindFinding}, OldVerdict: Verdict(event.AuthRequired), Verdict: Verdict(event.AuthOpen),
		OldRelease: "2026.9.1", Release: "2026.9.2", Severity: event.Critical, Opened: 30, Closed: 1, Advisories: 2,
		OldVerdictSince: outboxNow.Add(-time.Hour),
	}
	for i := range 30 {
		c.Episodes = append(c.Episodes, Episode{Gateway: c.Gateway, What: OfFinding, Value: fmt.Sprint("check-", i), Opened: outboxNow})
	}
	put(t, s, c)
	got := waiting(t, s)
	if len(got) != 1 || len(got[0].Episodes) != maxRowEpisodes || got[0].Episodes[19] != c.Episodes[19] {
		t.Fatalf("%+v", got)
	}
	g := got[0].Change
	g.Episodes, c.Episodes = nil, nil
	c.Place = strings.ToValidUTF8(c.Place, "\ufffd")
	if fmt.Sprintf("%+v", g) != fmt.Sprintf("%+v", c) {
		t.Errorf("got\n%+v, want\n%+v", g, c)
	}
}

// Which rules have told a row, and when nothing is left to tell.
func testOutboxDone(t *testing.T, s *Store) {
	ctx := context.Background()
	const many = 9000 // more than fit into one statement
	var rows []RowID
	for i := range many {
		c := Change{Run: 1, Gateway: ID(i + 1), Watch: "office", At: outboxNow}
		put(t, s, c)
		rows = append(rows, RowID{c.Run, c.Gateway})
	}
	if err := s.Hold(ctx, "a", Hold{outboxNow, time.Time{}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Hold(ctx, "b", Hold{outboxNow, outboxNow.Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{"a", "c"} {
		for range 2 { // as after a crash
			if err := s.Begin(ctx, Digest{Rule: rule, Rows: rows}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, w := range waiting(t, s) {
		slices.Sort(w.Alerted)
		if !slices.Equal(w.Alerted, []string{"a", "c"}) {
			t.Fatalf("told by %q", w.Alerted)
		}
	}
	holds, err := s.Holds(ctx)
	if err != nil || len(holds) != 1 || holds["b"] != (Hold{outboxNow, outboxNow.Add(time.Second)}) {
		t.Errorf("%+v, %v", holds, err)
	}
	if err := s.Hold(ctx, "b", Hold{}); err != nil {
		t.Fatal(err)
	}
	if holds, err := s.Holds(ctx); err != nil || len(holds) != 0 {
		t.Errorf("%+v, %v", holds, err)
	}
	if err := s.Done(ctx, rows[1:]); err != nil {
		t.Fatal(err)
	}
	if w := waiting(t, s); len(w) != 1 || w[0].Gateway != 1 {
		t.Errorf("%d rows wait", len(w))
	}
}

func testOutboxDelivery(t *testing.T, s *Store) {
	ctx := context.Background()
	d := Digest{Rule: "r", Deliveries: []Delivery{
		{ID: "one", Sink: "slack", Body: []byte(`{"a":"ä"}`), Begun: outboxNow},
		{ID: "two", Sink: "exec:./page.sh", Body: []byte(`{}`), Begun: outboxNow.Add(time.Second)},
		{ID: "three", Sink: "smtp", Body: []byte(`{}`), Begun: outboxNow.Add(2 * time.Second)},
	}}
	if err := s.Begin(ctx, d); err != nil {
		t.Fatal(err)
	}
	if err := s.Delivered(ctx, "two"); err != nil {
		t.Fatal(err)
	}
	retry := outboxNow.Add(time.Minute)
	if err := s.Failed(ctx, "one", outboxNow.Add(time.Second), errors.New("HTTP 500 "+strings.Repeat("\xff", 999)), retry); err != nil {
		t.Fatal(err)
	}
	if err := s.Failed(ctx, "three", outboxNow.Add(2*time.Second), errors.New("no such sink"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(ctx, d); err != nil { // as after a crash: nothing begins anew
		t.Fatal(err)
	}
	open, err := s.Unfinished(ctx, 10)
	if err != nil || len(open) != 1 {
		t.Fatalf("%+v, %v", open, err)
	}
	// Of one place there may be many: another has its turn.
	var many []Delivery
	for i := range 20 {
		many = append(many, Delivery{ID: fmt.Sprint("many-", i), Sink: "slack", Body: []byte(`{}`), Begun: outboxNow.Add(time.Minute)})
	}
	many = append(many, Delivery{ID: "other", Sink: "ntfy", Body: []byte(`{}`), Begun: outboxNow.Add(time.Hour)})
	if err := s.Begin(ctx, Digest{Rule: "r", Deliveries: many}); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Unfinished(ctx, 5); err != nil || len(all) != 6 || all[0].ID != "one" || all[5].ID != "other" {
		t.Errorf("%+v, %v", all, err)
	}
	for _, d := range many {
		if err := s.Delivered(ctx, d.ID); err != nil {
			t.Fatal(err)
		}
	}
	o := open[0]
	if body, err := s.Body(ctx, "one"); err != nil || string(body) != `{"a":"ä"}` {
		t.Errorf("%s, %v", body, err)
	}
	if _, err := s.Body(ctx, "four"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if o.ID != "one" || o.Rule != "r" || o.Sink != "slack" || o.Tries != 1 ||
		!o.Retry.Equal(retry) || !o.Tried.Equal(outboxNow.Add(time.Second)) || !strings.HasPrefix(o.Error, "HTTP 500 ") || len(o.Error) > maxError {
		t.Errorf("%+v", o)
	}
	failing, err := s.Failing(ctx, 10)
	if err != nil || len(failing) != 2 || failing[0].ID != "three" || !failing[0].Retry.IsZero() {
		t.Errorf("%+v, %v", failing, err)
	}
	if err := s.Delivered(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	if failing, err := s.Failing(ctx, 10); err != nil || len(failing) != 1 {
		t.Errorf("%+v, %v", failing, err)
	}
	if err := s.Delivered(ctx, "four"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

func testOutboxSilence(t *testing.T, s *Store) {
	ctx := context.Background()
	for i := range 2 {
		if first, err := s.Watched(ctx, "office", outboxNow.Add(time.Duration(i)*time.Hour)); err != nil || !first.Equal(outboxNow) {
			t.Errorf("%s, %v", first, err)
		}
	}
	begin := func(id string, q Silence) {
		t.Helper()
		if err := s.Begin(ctx, Digest{Rule: "r", Silence: &q, Deliveries: []Delivery{{ID: id, Begun: outboxNow}}}); err != nil {
			t.Fatal(err)
		}
	}
	begin("a", Silence{"office", outboxNow})
	begin("b", Silence{"office", outboxNow.Add(time.Hour)})
	if got, err := s.Silent(ctx, "r"); err != nil || len(got) != 1 || !got["office"].Equal(outboxNow) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := s.Silent(ctx, "other"); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	begin("c", Silence{Watch: "office"})
	if got, err := s.Silent(ctx, "r"); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func testOutboxPrune(t *testing.T, s *Store) {
	ctx := context.Background()
	for i := range 2 {
		when := outboxNow.Add(time.Duration(i) * time.Hour)
		put(t, s, Change{Run: ID(i + 1), Gateway: 1, At: when})
		d := Digest{Rule: "r", Rows: []RowID{{ID(i + 1), 1}}}
		for _, name := range []string{"sent", "open"} {
			d.Deliveries = append(d.Deliveries, Delivery{ID: fmt.Sprint(name, i), Begun: when})
		}
		if err := s.Begin(ctx, d); err != nil {
			t.Fatal(err)
		}
		if err := s.Delivered(ctx, fmt.Sprint("sent", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PruneOutbox(ctx, outboxNow.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	count := func(table string) (n int) {
		t.Helper()
		if err := s.read.QueryRow(`SELECT COUNT(*) FROM ` + table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if a, b, c := count("outbox"), count("alerted"), count("delivery"); a != 1 || b != 1 || c != 3 {
		t.Errorf("%d rows, %d told, %d deliveries are left, want 1, 1, 3: what is open is kept", a, b, c)
	}
}
