package alert

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

func TestMain(m *testing.M) {
	crash() // does not return in a process that a test started to have it killed
	goleak.VerifyTestMain(m)
}

var start = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

// outbox is a DB in memory, with the meaning that the tests of package store prove.
type outbox struct {
	mu         sync.Mutex
	rows       []store.Waiting
	done       []store.RowID
	holds      map[string]store.Hold
	deliveries []*store.Delivery
	ended      map[string]string
	watched    map[string]time.Time
	silent     map[string]map[string]time.Time
	complete   map[string]time.Time
	notes      map[string][]store.Note
	fail       error // of everything
	failEnd    error // of Delivered and Failed
}

func newOutbox() *outbox {
	return &outbox{
		holds: map[string]store.Hold{}, ended: map[string]string{}, watched: map[string]time.Time{},
		silent: map[string]map[string]time.Time{}, complete: map[string]time.Time{}, notes: map[string][]store.Note{},
	}
}

func (o *outbox) put(looks int, changes ...store.Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range changes {
		o.rows = append(o.rows, store.Waiting{Change: c, Looks: looks})
	}
}

func (o *outbox) Waiting(_ context.Context, f func(store.Waiting) error) error {
	o.mu.Lock()
	rows := slices.Clone(o.rows)
	fail := o.fail
	o.mu.Unlock()
	if fail != nil {
		return fail
	}
	for _, w := range rows {
		if !slices.Contains(o.done, id(w)) {
			if err := f(w); err != nil {
				return err
			}
		}
	}
	return nil
}

func id(w store.Waiting) store.RowID { return store.RowID{Run: w.Run, Gateway: w.Gateway} }

func (o *outbox) Done(_ context.Context, rows []store.RowID) error {
	o.done = append(o.done, rows...)
	return nil
}

func (o *outbox) Holds(context.Context) (map[string]store.Hold, error) { return o.holds, nil }

func (o *outbox) Hold(_ context.Context, rule string, h store.Hold) error {
	o.holds[rule] = h
	if h == (store.Hold{}) {
		delete(o.holds, rule)
	}
	return nil
}

func (o *outbox) Begin(_ context.Context, d store.Digest) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, v := range d.Deliveries {
		if !slices.ContainsFunc(o.deliveries, func(x *store.Delivery) bool { return x.ID == v.ID }) {
			v.Rule = d.Rule
			o.deliveries = append(o.deliveries, &v)
		}
	}
	for i := range o.rows {
		if slices.Contains(d.Rows, id(o.rows[i])) {
			o.rows[i].Alerted = append(o.rows[i].Alerted, d.Rule)
		}
	}
	if s := d.Silence; s == nil {
		delete(o.holds, d.Rule)
	} else if s.Since.IsZero() {
		delete(o.silent[d.Rule], s.Watch)
	} else {
		if o.silent[d.Rule] == nil {
			o.silent[d.Rule] = map[string]time.Time{}
		}
		o.silent[d.Rule][s.Watch] = s.Since
	}
	return nil
}

func (o *outbox) Unfinished(_ context.Context, limit int) (out []store.Delivery, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.deliveries {
		if o.ended[d.ID] == "" && len(out) < limit {
			out = append(out, *d)
		}
	}
	return out, nil
}

func (o *outbox) Body(_ context.Context, id string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.deliveries {
		if d.ID == id {
			return d.Body, nil
		}
	}
	return nil, store.ErrNotFound
}

func (o *outbox) Delivered(_ context.Context, id string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failEnd == nil {
		o.ended[id] = "taken"
	}
	return o.failEnd
}

func (o *outbox) Failed(_ context.Context, id string, tried time.Time, reason error, retry time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failEnd != nil {
		return o.failEnd
	}
	for _, d := range o.deliveries {
		if d.ID == id {
			d.Tries++
			d.Tried, d.Error, d.Retry = tried, reason.Error(), retry
			if retry.IsZero() {
				o.ended[id] = "given up"
			}
		}
	}
	return nil
}

func (o *outbox) Failing(context.Context, int) (out []store.Delivery, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range o.deliveries {
		if o.ended[d.ID] != "taken" && d.Tries > 0 {
			out = append(out, *d)
		}
	}
	return out, nil
}

func (o *outbox) Watched(_ context.Context, watch string, now time.Time) (time.Time, error) {
	if _, ok := o.watched[watch]; !ok {
		o.watched[watch] = now
	}
	return o.watched[watch], nil
}

func (o *outbox) Silent(_ context.Context, rule string) (map[string]time.Time, error) {
	return o.silent[rule], nil
}

func (o *outbox) PruneOutbox(context.Context, time.Time) error { return nil }

func (o *outbox) Notes(_ context.Context, place string) ([]store.Note, error) {
	return o.notes[place], nil
}

func (o *outbox) LastComplete(_ context.Context, watch string) (time.Time, error) {
	return o.complete[watch], nil
}

// memory is a sink that keeps what it gets.
type memory struct {
	mu   sync.Mutex
	got  []*message
	fail error
	hang bool
}

func (s *memory) send(ctx context.Context, m *message) error {
	s.mu.Lock()
	hang, fail := s.hang, s.fail
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if fail != nil {
		return fail
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, m)
	return nil
}

// taken returns what the sink got since the last call.
func (s *memory) taken() []*message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.got
	s.got = nil
	return out
}

// bench is a loop whose rules send into memory, and whose clock the test turns.
type bench struct {
	*Loop
	t      *testing.T
	clock  time.Time
	errors *strings.Builder
	sinks  map[string]*memory // by rule and number: "r1"
}

func newBench(t *testing.T, db DB, rules ...*config.Alert) *bench {
	t.Helper()
	b := &bench{t: t, clock: start, errors: &strings.Builder{}, sinks: map[string]*memory{}}
	for _, r := range rules {
		r.To = append([]string{"https://one.example/secret-path"}, r.To...)
	}
	var err error
	b.Loop, err = newLoop(db, &config.Config{
		Alerts: rules, URL: "https://hub.example",
		Watches: []*config.Watch{{Name: "office", Confirm: 3, Every: 6 * time.Hour}, {Name: "plant", Confirm: 1, Every: time.Hour}},
	}, func() time.Time { return b.clock }, b.errors, newClient(&http.Transport{}, time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.rules {
		for j := range b.rules[i].places {
			s := &memory{}
			b.rules[i].places[j].sink = s
			b.sinks[fmt.Sprint(b.rules[i].Name, j+1)] = s
		}
	}
	return b
}

// run steps until nothing is due, and waits for the tries.
func (b *bench) run() (next time.Time) {
	b.t.Helper()
	for range 10 {
		next, err := b.step(context.Background())
		if err != nil {
			b.t.Fatal(err)
		}
		b.workers.Wait()
		if next.IsZero() || next.After(b.clock) {
			return next
		}
	}
	b.t.Fatal("something stays due")
	return next
}

// after turns the clock and runs.
func (b *bench) after(d time.Duration) {
	b.t.Helper()
	b.clock = b.clock.Add(d)
	b.run()
}

func (b *bench) want(sink string, headlines ...string) {
	b.t.Helper()
	var got []string
	for _, m := range b.sinks[sink].taken() {
		got = append(got, m.Summary)
	}
	if !slices.Equal(got, headlines) {
		b.t.Errorf("%s got %q, want %q", sink, got, headlines)
	}
}

func opened(n int) store.Change {
	return store.Change{
		Run: 1, Gateway: store.ID(n), At: start, Watch: "office", Place: fmt.Sprintf("10.0.0.%d:18789", n),
		Kinds: []store.Kind{store.KindOpened}, OldVerdict: store.Verdict(event.AuthRequired), Verdict: store.Verdict(event.AuthOpen),
		OldVerdictSince: start.Add(-75 * time.Hour), Severity: event.Critical,
	}
}

func of(kind store.Kind, n int) store.Change {
	c := opened(n)
	c.Kinds, c.Severity, c.Verdict = []store.Kind{kind}, "", c.OldVerdict
	return c
}

// What is open is told after two looks, everything else after as many as are asked for.
func TestConfirmed(t *testing.T) {
	db := newOutbox()
	db.put(1, opened(1))
	db.put(2, opened(2), of(store.KindRelease, 3))
	db.put(3, of(store.KindRelease, 4))
	plant := of(store.KindRelease, 5)
	plant.Watch = "plant"
	db.put(1, plant)
	fresh := of(store.KindNew, 6)
	fresh.Verdict = store.Verdict(event.AuthClaimable)
	fresh.OldVerdict = ""
	db.put(2, fresh, of(store.KindNew, 7))
	b := newBench(t, db, &config.Alert{Name: "r", When: []string{"opened", "new", "release"}})
	b.run()
	b.want("r1", "1 gateway is now open to anyone: 10.0.0.2:18789 (was: auth required, for 3 days); 1 gateway can now be claimed by its first visitor; 2 gateways have another release")
	if len(db.done) != 4 {
		t.Errorf("%d rows are done, want 4", len(db.done))
	}
	b.after(time.Hour)
	b.want("r1")
}

// The hub cannot look again from where its workers stand, and a job is made once.
func TestConfirmedByWorkers(t *testing.T) {
	db := newOutbox()
	seen, job, watched := opened(1), of(store.KindRelease, 2), of(store.KindRelease, 3)
	seen.Watch, job.Watch, watched.Watch = "office@fra", "sweep@fra", "office@fra"
	db.put(1, seen, job, watched)
	b := newBench(t, db, &config.Alert{Name: "r", When: []string{"opened", "release"}})
	b.config.Watches[0].Vantages = []string{"fra"}
	b.run()
	b.want("r1", "1 gateway is now open to anyone: 10.0.0.1:18789 (was: auth required, for 3 days); 1 gateway has another release")
	if len(db.done) != 2 {
		t.Errorf("%d rows are done, want 2", len(db.done))
	}
}

func TestPause(t *testing.T) {
	var sum time.Duration
	for i := range 20 {
		p := pause(i)
		if p < pause(max(i-1, 0)) || p > maxPause {
			t.Errorf("pause %d is %s", i, p)
		}
		sum += p
	}
	if pause(0) != firstPause || pause(1<<30) != maxPause || sum > maxAge {
		t.Errorf("%s, %s, %s", pause(0), pause(1<<30), sum)
	}
}

func has(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, w := range wants {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in:\n%s", w, text)
		}
	}
}
