package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// pass lets time pass for the hub, and waits until it has seen that.
func (h *hub) pass(d time.Duration) {
	h.t.Helper()
	h.mu.Lock()
	h.ahead += d
	h.mu.Unlock()
	now := h.now()
	h.wait("the hub looks at its ledger", func() bool {
		h.q.mu.Lock()
		defer h.q.mu.Unlock()
		return !h.q.known.Before(now)
	})
}

// finish does all units that are left.
func (c *client) finish(id string, vantage int) {
	c.t.Helper()
	c.wait("the job is done", func() bool {
		if m := c.take(200 * time.Millisecond); m != nil {
			u, err := job.ParseUnit(m.Subject)
			c.must(err)
			if b := c.begin(u); b.Order == job.Run {
				if o := c.send(job.At{Unit: u, Attempt: b.Attempt}); o.Order != job.Drop {
					c.t.Errorf("%+v %+v", u, o)
				}
			}
			c.must(m.Ack())
		}
		s, _ := c.state(id, vantage)
		return s == store.JobDone
	})
}

// TestHubStartsAgain: a hub that is started again, also after its queue was lost or damaged,
// goes on where it was: what was begun is ended by who began it, the rest is handed out, and
// the workers still know it.
func TestHubStartsAgain(t *testing.T) {
	files := func(h *hub, change func(name string, text []byte) []byte) {
		n := 0
		h.must(filepath.WalkDir(filepath.Join(h.o.Dir, storeDir), func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			n++
			return os.WriteFile(name, change(name, text), 0o600)
		}))
		if n == 0 {
			h.t.Fatal("there are no files")
		}
	}
	for name, damage := range map[string]func(*hub){
		"nothing":   func(*hub) {},
		"deleted":   func(h *hub) { h.must(os.RemoveAll(filepath.Join(h.o.Dir, storeDir))) },
		"truncated": func(h *hub) { files(h, func(_ string, text []byte) []byte { return text[:len(text)/2] }) },
		"blocks truncated": func(h *hub) {
			files(h, func(name string, text []byte) []byte {
				if strings.HasSuffix(name, ".blk") {
					return text[:len(text)/2]
				}
				return text
			})
		},
		"rubbish": func(h *hub) {
			files(h, func(_ string, text []byte) []byte { return []byte(strings.Repeat("x", len(text))) })
		},
		"a file in its place": func(h *hub) {
			dir := filepath.Join(h.o.Dir, storeDir, "jetstream", "$G", "streams")
			h.must(os.RemoveAll(dir))
			h.must(os.WriteFile(dir, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t).start()
			pin := h.q.Pin()
			c := h.worker("fra", "w1").connect()
			j := h.add("all", 100, "fra")
			_, u, b := c.next()
			at := job.At{Unit: u, Attempt: b.Attempt}
			h.stop()
			damage(h)
			h.start()
			if h.q.Pin() != pin {
				t.Error("the key is another one")
			}
			c.wait("it is back", func() bool { return c.nc.IsConnected() })
			var g job.Grant
			for range 2 { // the first second may still be that of the hub before
				if g = ask[job.Grant](c, job.AskGrant, job.Want{At: at, N: 5}); g.Order != job.Run {
					t.Fatalf("the attempt: %+v", g)
				}
			}
			h.worker("fra", "w2").connect().finishBut(u)
			if o := c.send(at); o.Order != job.Drop {
				t.Errorf("%+v", o)
			}
			if s, n := h.state(j.ID, 0); s != store.JobDone || n[store.UnitDone] != 3 {
				t.Errorf("%s %v", s, n)
			}
			h.wait("the queue is empty", func() bool {
				s, err := h.q.js.Stream(t.Context(), job.UnitsStream)
				return err == nil && s.CachedInfo().State.Msgs == 0
			})
		})
	}
}

// finishBut does two units, which must not be a certain one.
func (c *client) finishBut(not job.Unit) {
	c.t.Helper()
	for range 2 {
		m, u, b := c.next()
		if u == not || b.Order != job.Run {
			c.t.Fatalf("%+v %+v", u, b)
		}
		if o := c.send(job.At{Unit: u, Attempt: b.Attempt}); o.Order != job.Drop {
			c.t.Fatalf("%+v", o)
		}
		c.must(m.AckSync())
	}
}

// TestKey: a key that is not there is made, for its owner alone; one that cannot be read is
// not replaced.
func TestKey(t *testing.T) {
	dir := t.TempDir()
	one, err := Pin(dir, time.Now())
	two, err2 := Pin(dir, time.Now())
	if err != nil || err2 != nil || one != two || len(one) != 64 {
		t.Fatal(one, two, err, err2)
	}
	file := filepath.Join(dir, keyFile)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Pin(dir, time.Now()); err == nil || !strings.Contains(err.Error(), "the credentials of all workers") {
		t.Error(err)
	}
}

// TestPinOfTwo: who makes the key at the same time as others has the pin of the one that stays.
func TestPinOfTwo(t *testing.T) {
	dir, pins := t.TempDir(), make(chan string, 8)
	var group sync.WaitGroup
	for range cap(pins) {
		group.Go(func() {
			pin, err := Pin(dir, time.Now())
			if err != nil {
				t.Error(err)
			}
			pins <- pin
		})
	}
	group.Wait()
	close(pins)
	stays, err := Pin(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for pin := range pins {
		if pin != stays {
			t.Errorf("a worker was given the pin %s, and the key has %s", pin, stays)
		}
	}
}

// TestOpenRefuses: what is the operator's to correct is said in a line.
func TestOpenRefuses(t *testing.T) {
	h := newHub(t).start()
	other := newHub(t)
	for want, change := range map[string]func(*Options){
		"address already in use":    func(o *Options) { o.Listen = h.q.Addr() },
		"use an address and a port": func(o *Options) { o.Listen = "hub:1" },
		"no such file":              func(o *Options) { o.Dir = filepath.Join(o.Dir, "none") },
		"nats-credentials":          func(o *Options) { o.URL, o.Credentials = "tls://127.0.0.1:1", filepath.Join(o.Dir, "none") },
		"nats tls://127.0.0.1:1: ":  func(o *Options) { o.URL = "tls://127.0.0.1:1" },
	} {
		o := other.o
		change(&o)
		q, err := Open(t.Context(), o)
		if err == nil {
			q.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "workers: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestAttempts: a worker that was not heard of for a lease has lost its unit: what it says
// later counts nothing, and its late acknowledgement is no harm.
func TestAttempts(t *testing.T) {
	h := newHub(t).start()
	w1, w2, w3 := h.worker("fra", "w1").connect(), h.worker("fra", "w2").connect(), h.worker("fra", "w3").connect()
	j := h.add("all", 100, "fra")
	m, u, b := w1.next()
	old := job.At{Unit: u, Attempt: b.Attempt}
	if b := w2.begin(u); b.Order != job.Refuse || !strings.Contains(b.Why, "w1") {
		t.Errorf("while another is at it: %+v", b)
	}
	h.pass(job.Lease)
	b = w2.begin(u)
	if b.Order != job.Run || b.Attempt == old.Attempt {
		t.Fatalf("%+v", b)
	}
	if g := ask[job.Grant](w1, job.AskGrant, job.Want{At: old, N: 1}); g.Order != job.Lost || g.N > 0 {
		t.Errorf("%+v", g)
	}
	if o := w1.send(old); o.Order != job.Lost {
		t.Errorf("%+v", o)
	}
	if o := ask[job.Ordered](w1, job.AskFail, job.Fail{At: old, Error: "x"}); o.Order != job.Lost {
		t.Errorf("%+v", o)
	}
	w1.must(m.AckSync()) // the message is gone, and w2 at work
	w3.finishBut(u)
	if m := w3.take(1500 * time.Millisecond); m != nil {
		t.Errorf("%s is handed out while somebody is at it", m.Subject)
	}
	h.pass(2 * job.Lease) // w2 is no more
	w3.finish(j.ID, 0)
}

// TestPoison: a unit that nobody ends is given up, and the job ends without it.
func TestPoison(t *testing.T) {
	h := newHub(t).start()
	c := h.worker("fra", "w1").connect()
	j := h.add("all", 100, "fra")
	_, u, b := c.next()
	for range job.MaxAttempts - 1 {
		if b = c.begin(u); b.Order != job.Run {
			t.Fatalf("%+v", b)
		}
	}
	if b = c.begin(u); b.Order != job.Drop {
		t.Fatalf("%+v", b)
	}
	c.finish(j.ID, 0)
	if _, n := h.state(j.ID, 0); n[store.UnitFailed] != 1 || n[store.UnitDone] != 2 {
		t.Errorf("%v", n)
	}
	h.wait("it is taken into the history", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.finished) == 1 })
}

// TestUnitsComeBack: whatever happens to messages of units that are not done, they are there
// again.
func TestUnitsComeBack(t *testing.T) {
	h := newHub(t).start()
	c := h.worker("fra", "w1").connect()
	j := h.add("all", 100, "fra")
	for _, end := range []string{"+TERM", "+ACK"} {
		for range 3 {
			var m *nats.Msg
			h.wait("a unit", func() bool { m = c.take(time.Second); return m != nil })
			h.must(c.nc.Publish(m.Reply, []byte(end)))
		}
	}
	h.must(c.nc.Flush())
	ctx := t.Context()
	// Somebody changes what the hub has made.
	wrong := unitsConfig()
	wrong.MaxMsgsPerSubject, wrong.DiscardNewPerSubject = -1, false
	_, err := h.q.js.UpdateStream(ctx, wrong)
	h.must(err)
	h.wait("the stream is as it was", func() bool {
		s, err := h.q.js.Stream(ctx, job.UnitsStream)
		return err == nil && asUnits(s.CachedInfo().Config) == nil
	})
	var s jetstream.Stream
	h.wait("a consumer", func() bool {
		if s, err = h.q.js.Stream(ctx, job.UnitsStream); err == nil {
			_, err = s.Consumer(ctx, "fra")
		}
		return err == nil
	})
	lame := consumerConfig("fra")
	lame.MaxDeliver = 1
	_, err = s.UpdateConsumer(ctx, lame)
	h.must(err)
	_, err = h.q.js.Publish(ctx, job.Unit{Job: "nosuch", Vantage: "fra", K: 1}.Subject(), nil)
	h.must(err)
	_, err = h.q.js.Publish(ctx, job.AllUnits[:len(job.AllUnits)-1]+"fra."+j.ID+".01", nil)
	h.must(err)
	c.finish(j.ID, 0)
	h.wait("the queue is empty", func() bool {
		s, err := h.q.js.Stream(ctx, job.UnitsStream)
		return err == nil && s.CachedInfo().State.Msgs == 0
	})
	if !h.heard("the stream of units is made anew: its") || !h.heard("the consumer of fra is made anew: its max_deliver") {
		t.Error("the operator does not hear of it")
	}
}

// TestStuck: a message that the consumer has forgotten is put in again, soon if it has none
// out, else after a while; one that somebody is at work at is left alone.
func TestStuck(t *testing.T) {
	h := newHub(t)
	q, err := Open(t.Context(), h.o)
	h.must(err)
	defer q.Close()
	ctx := t.Context()
	j := h.add("all", 100, "fra")
	h.must(h.o.Start(ctx, j))
	h.must(q.follow(ctx))
	at := job.Unit{Job: j.ID, Vantage: "fra", K: 2}
	begun, err := h.ledger.BeginUnit(ctx, at, "w1", h.now())
	if err != nil || begun.Order != job.Run {
		t.Fatal(begun, err)
	}
	s, err := q.stream(ctx)
	h.must(err)
	units := map[job.Unit]bool{}
	for k := range uint64(3) {
		u := job.Unit{Job: j.ID, Vantage: "fra", K: k + 1}
		_, err := q.js.Publish(ctx, u.Subject(), nil)
		h.must(err)
		units[u] = true
	}
	jobs := q.some(store.JobRunning)
	i := &idle{}
	round := func(c jetstream.ConsumerInfo) (last uint64) {
		t.Helper()
		c.Config = consumerConfig("fra")
		queued, seen := map[job.Unit]bool{}, map[job.Unit]time.Time{}
		for u := range units {
			queued[u] = true
		}
		h.must(q.fillVantage(ctx, s, "fra", jobs, queued, &c, i, seen))
		q.queued = seen
		info, err := s.Info(ctx)
		h.must(err)
		if info.State.Msgs != 3 {
			t.Errorf("%d messages", info.State.Msgs)
		}
		return info.State.LastSeq
	}
	for n, want := range []uint64{3, 3, 5, 5} {
		if got := round(jetstream.ConsumerInfo{}); got != want {
			t.Fatalf("round %d: %d messages were sent, want %d", n, got, want)
		}
	}
	out := jetstream.ConsumerInfo{NumAckPending: 1}
	if got := round(out); got != 5 {
		t.Fatalf("%d", got)
	}
	h.ahead += stuckAfter + time.Second
	_, err = h.ledger.Heard(ctx, job.At{Unit: at, Attempt: begun.Attempt}, "w1", h.now())
	h.must(err)
	if got := round(out); got != 7 {
		t.Fatalf("%d messages were sent, want those of two units again", got)
	}
	out.NumPending = 1 // they wait for workers
	h.ahead += stuckAfter + time.Second
	if got := round(out); got != 7 {
		t.Fatalf("%d", got)
	}
}

// TestOrders: a job that pauses or stops is quiet within a second, and its workers are told;
// nothing is granted meanwhile.
func TestOrders(t *testing.T) {
	h := newHub(t).start()
	c := h.worker("fra", "w1").connect()
	orders, err := c.nc.SubscribeSync(job.Control("fra"))
	h.must(err)
	list := filepath.Join(h.o.Dir, "no.txt")
	h.must(os.WriteFile(list, []byte("10.0.0.1\n"), 0o600))
	sum := sha256.Sum256([]byte("10.0.0.1\n"))
	j := store.Job{Name: "all", Created: h.now(), Vantages: []string{"fra"}, Rate: 1000, Exclude: map[string]string{list: hex.EncodeToString(sum[:])}}
	h.must(h.ledger.AddJob(t.Context(), &j))
	_, u, b := c.next()
	h.wait("the unit is begun", func() bool { // a busy machine reads the ledger late, and all wait
		if b.Order != job.Run {
			b = c.begin(u)
		}
		return b.Order == job.Run
	})
	at := job.At{Unit: u, Attempt: b.Attempt}

	// The last moment of connections that were granted.
	var until time.Time
	grant := func() job.Order {
		g := ask[job.Grant](c, job.AskGrant, job.Want{At: at, N: 1000})
		if g.N > 0 {
			until = time.Now().Add(time.Duration(g.After+g.Over) * time.Microsecond)
			if g.Order != job.Run {
				t.Errorf("%+v", g)
			}
		}
		return g.Order
	}
	told := func(want job.Order) {
		t.Helper()
		for {
			m, err := orders.NextMsg(2 * time.Second)
			if err != nil {
				t.Fatalf("%s: %v", want, err)
			}
			var o job.Ordered
			h.must(json.Unmarshal(m.Data, &o))
			if o.Job == j.ID && o.Order == want {
				return
			}
		}
	}
	quiet := func(want job.Order, change func()) {
		t.Helper()
		began := time.Now()
		for until = (time.Time{}); until.IsZero(); {
			if o := grant(); time.Since(began) > 10*time.Second {
				t.Fatalf("nothing is granted: %s", o)
			}
		}
		began = time.Now()
		change()
		for grant() != want {
			if time.Since(began) > 3*time.Second {
				t.Fatalf("no %s", want)
			}
		}
		took := time.Since(began)
		told(want)
		if last := until.Sub(began); took > time.Second || last > time.Second {
			t.Errorf("%s after %s, the last connection after %s", want, took, last)
		}
	}
	want := func(w store.JobWant) func() {
		return func() {
			_, err := h.ledger.WantJob(t.Context(), j.ID, w, "because", h.now())
			h.must(err)
		}
	}
	told(job.Run)
	quiet(job.Pause, want(store.WantPause))
	h.wait("the units of a job that pauses are not in the way", func() bool {
		s, err := h.q.js.Stream(t.Context(), job.UnitsStream)
		return err == nil && s.CachedInfo().State.Msgs == 0
	})
	want(store.WantResume)()
	told(job.Run)
	h.wait("units", func() bool {
		s, err := h.q.js.Stream(t.Context(), job.UnitsStream)
		return err == nil && s.CachedInfo().State.Msgs == 2 // nobody needs the one that is begun
	})
	h.wait("grants", func() bool { return grant() == job.Run })

	// The list of what must not be scanned is looked at each second.
	h.must(os.WriteFile(list, []byte("10.0.0.2\n"), 0o600))
	h.wait("it is stopped", func() bool { return grant() == job.Drop })
	told(job.Drop)
	got, err := h.ledger.Job(t.Context(), j.ID)
	if err != nil || got.State != store.JobStopped || !strings.Contains(got.Why, list) {
		t.Errorf("%+v %v", got, err)
	}
	h.wait("it is taken into the history", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.finished) == 1 })

	j = store.Job{Name: "two", Created: h.now(), Vantages: []string{"fra"}, Rate: 1000}
	h.must(h.ledger.AddJob(t.Context(), &j))
	_, u, b = c.next()
	at = job.At{Unit: u, Attempt: b.Attempt}
	quiet(job.Drop, want(store.WantStop))
	if o := c.send(at); o.Order != job.Drop {
		t.Errorf("%+v", o)
	}
}

// TestLedgerIsGone: a hub that cannot read its ledger grants nothing, since it would not hear
// of a stop.
func TestLedgerIsGone(t *testing.T) {
	h := newHub(t).start()
	c := h.worker("fra", "w1").connect()
	h.add("all", 1000, "fra")
	_, u, b := c.next()
	at := job.At{Unit: u, Attempt: b.Attempt}
	h.wait("grants", func() bool { return ask[job.Grant](c, job.AskGrant, job.Want{At: at, N: 1}).N == 1 })
	h.must(h.ledger.Close())
	h.wait("no grants", func() bool {
		g := ask[job.Grant](c, job.AskGrant, job.Want{At: at, N: 1})
		return g.Order == job.Pause && g.N == 0
	})
	if m, err := c.nc.Request(job.Ask("fra", "w1", job.AskDone), []byte(fmt.Sprintf(`{"job":%q,"vantage":"fra","k":%d,"attempt":%d,"parts":1}`, u.Job, u.K, b.Attempt)), time.Second); err == nil {
		t.Errorf("what the ledger does not have is answered: %s", m.Data)
	}
}

// noStop is a ledger in which no job can be stopped.
type noStop struct{ *store.Store }

func (noStop) WantJob(context.Context, string, store.JobWant, string, time.Time) (store.Job, error) {
	return store.Job{}, errors.New("disk full")
}

// TestHeld: a job whose exclusions have changed gets no connections, though the ledger does
// not take that it is stopped.
func TestHeld(t *testing.T) {
	h := newHub(t, func(o *Options) { o.Ledger = noStop{o.Ledger.(*store.Store)} }).start()
	c := h.worker("fra", "w1").connect()
	j := store.Job{Name: "all", Created: h.now(), Vantages: []string{"fra"}, Rate: 1000, Exclude: map[string]string{filepath.Join(h.o.Dir, "none"): ""}}
	h.must(h.ledger.AddJob(t.Context(), &j))
	var b job.Begun
	u := job.Unit{Job: j.ID, Vantage: "fra", K: 1}
	h.wait("an attempt", func() (begun bool) {
		var err error
		b, err = h.ledger.BeginUnit(t.Context(), u, "w1", h.now())
		return err == nil && b.Order == job.Run
	})
	want := job.Want{At: job.At{Unit: u, Attempt: b.Attempt}, N: 1}
	h.wait("it is held", func() bool { return ask[job.Grant](c, job.AskGrant, want).Order == job.Pause })
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if g := ask[job.Grant](c, job.AskGrant, want); g.Order != job.Pause || g.N > 0 || !strings.Contains(g.Why, "cannot be read") {
			t.Fatalf("%+v", g)
		}
	}
}

// TestGivenBack: a unit that a worker gives back while no other is free is handed out at
// once to the next that asks, though others were taken out of the queue in between: those of a
// job that was stopped.
func TestGivenBack(t *testing.T) {
	h := newHub(t).start()
	c := h.worker("fra", "w1").connect()
	h.add("all", 100, "fra")
	back, unit, b := c.next()
	_, _, _ = c.next()
	_, _, _ = c.next()
	other := h.add("other", 100, "fra")
	messages := func(n uint64) func() bool {
		return func() bool {
			s, err := h.q.js.Stream(t.Context(), job.UnitsStream)
			return err == nil && s.CachedInfo().State.Msgs == n
		}
	}
	h.wait("the units of both jobs are queued", messages(6))
	if o := ask[job.Ordered](c, job.AskFail, job.Fail{At: job.At{Unit: unit, Attempt: b.Attempt}, Error: "the worker was stopped", Back: true}); o.Order != job.Refuse {
		t.Fatalf("%+v", o)
	}
	h.must(c.nc.Publish(back.Reply, []byte("-NAK")))
	h.must(c.nc.Flush())
	_, err := h.ledger.WantJob(t.Context(), other.ID, store.WantStop, "", h.now())
	h.must(err)
	h.wait("what nobody is to do is out of the queue", messages(3))
	if m := c.take(2 * time.Second); m == nil || m.Subject != unit.Subject() {
		t.Errorf("%v is handed out", m)
	}
	if len(h.said) > 0 {
		t.Errorf("said %q", h.said)
	}
}
