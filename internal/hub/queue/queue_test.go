package queue

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"go.uber.org/goleak"

	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// hub is one that runs, on a real ledger.
type hub struct {
	t      *testing.T
	o      Options
	ledger *store.Store
	q      *Queue
	end    func()

	mu       sync.Mutex
	ahead    time.Duration // of the clock
	said     []string
	finished []string
}

// newHub makes one that does not run yet.
func newHub(t *testing.T, change ...func(*Options)) *hub {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(dir, "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{t: t, ledger: s}
	h.o = Options{
		Dir: dir, Listen: "127.0.0.1:0", Ledger: s, Version: "1", Data: "d",
		Start: func(ctx context.Context, j store.Job) error {
			return s.StartJob(ctx, j.ID, []byte("record of "+j.ID), []byte("list"), 3, 12, h.now())
		},
		Finish: func(ctx context.Context, id, vantage string) error {
			h.mu.Lock()
			h.finished = append(h.finished, vantage)
			h.mu.Unlock()
			return s.Handed(ctx, store.Finished{Job: id, Vantage: vantage}, true, h.now())
		},
		Say: func(line string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.said = append(h.said, line)
		},
		Now: h.now,
	}
	for _, c := range change {
		c(&h.o)
	}
	t.Cleanup(func() {
		h.stop()
		s.Close()
		if t.Failed() {
			t.Logf("said: %q", h.said)
		}
	})
	return h
}

func (h *hub) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Add(h.ahead)
}

func (h *hub) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// start opens and runs it; again at the address that it had.
func (h *hub) start() *hub {
	h.t.Helper()
	q, err := Open(h.t.Context(), h.o)
	h.must(err)
	h.q = q
	if q.Addr() != "" {
		h.o.Listen = q.Addr()
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	h.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
		q.Close()
	})
	return h
}

func (h *hub) stop() {
	if h.end != nil {
		h.end()
	}
}

// heard reports whether the operator was told something.
func (h *hub) heard(what string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.said, func(s string) bool { return strings.Contains(s, what) })
}

// wait waits until something is so.
func (h *hub) wait(what string, is func() bool) {
	h.t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// add adds a job, which the hub starts with three units of four targets.
func (h *hub) add(name string, rate int, vantages ...string) store.Job {
	h.t.Helper()
	j := store.Job{Name: name, Created: h.now(), Vantages: vantages, Rate: rate}
	h.must(h.ledger.AddJob(h.t.Context(), &j))
	return j
}

// state returns how a job stands, and how many of its units at a vantage stand so.
func (h *hub) state(id string, vantage int) (store.JobState, map[store.UnitState]uint64) {
	h.t.Helper()
	j, err := h.ledger.Job(h.t.Context(), id)
	h.must(err)
	p, err := h.ledger.Progress(h.t.Context(), id, h.now())
	h.must(err)
	return j.State, p[vantage].Units
}

// client is a worker of a test.
type client struct {
	*hub
	vantage, name string
	key           nkeys.KeyPair
	public        string
	nc            *nats.Conn
}

// worker registers one.
func (h *hub) worker(vantage, name string) *client {
	h.t.Helper()
	key, err := nkeys.CreateUser()
	h.must(err)
	public, err := key.PublicKey()
	h.must(err)
	h.must(h.ledger.AddWorker(h.t.Context(), store.Worker{Name: name, Vantage: vantage, Key: public, Made: h.now()}))
	return &client{hub: h, vantage: vantage, name: name, key: key, public: public}
}

// dial connects it.
func (c *client) dial(opts ...nats.Option) (*nats.Conn, error) {
	want := c.q.Pin()
	return nats.Connect("tls://"+c.q.Addr(), append([]nats.Option{
		nats.Nkey(c.public, c.key.Sign), nats.CustomInboxPrefix(job.Inbox(c.name)),
		nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
		nats.Secure(&tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
			if got := job.Pin(s.PeerCertificates[0].RawSubjectPublicKeyInfo); got != want {
				return fmt.Errorf("key %s, not %s", got, want)
			}
			return nil
		}}),
	}, opts...)...)
}

func (c *client) connect() *client {
	c.t.Helper()
	nc, err := c.dial()
	c.must(err)
	c.nc = nc
	c.t.Cleanup(nc.Close)
	return c
}

// ask asks the hub.
func ask[T any](c *client, v job.Verb, what any) (out T) {
	c.t.Helper()
	text, ok := what.([]byte)
	if !ok {
		var err error
		text, err = json.Marshal(what)
		c.must(err)
	}
	m, err := c.nc.Request(job.Ask(c.vantage, c.name, v), text, 5*time.Second)
	if err != nil {
		c.t.Fatalf("%s: %v", v, err)
	}
	c.must(json.Unmarshal(m.Data, &out))
	return out
}

// take takes a unit from the queue; nil if there is none within a while.
func (c *client) take(within time.Duration) *nats.Msg {
	c.t.Helper()
	text := fmt.Sprintf(`{"batch":1,"expires":%d}`, within)
	m, err := c.nc.Request(nextAPI+job.UnitsStream+"."+job.Consumer(c.vantage), []byte(text), within+5*time.Second)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil
	}
	c.must(err)
	if m.Header.Get("Status") != "" {
		return nil
	}
	return m
}

// next takes a unit and begins it.
func (c *client) next() (*nats.Msg, job.Unit, job.Begun) {
	c.t.Helper()
	var m *nats.Msg
	c.wait("a unit", func() bool { m = c.take(time.Second); return m != nil })
	u, err := job.ParseUnit(m.Subject)
	c.must(err)
	return m, u, c.begin(u)
}

func (c *client) begin(u job.Unit) job.Begun {
	c.t.Helper()
	return ask[job.Begun](c, job.AskBegin, job.Begin{Unit: u, Version: "1", Data: "d"})
}

const (
	head = `{"type":"scan","schema":1,"tool":{"name":"clawsonar","version":"1"},"started":"2026-11-30T03:00:00Z","level":"standard","shard":"1/1"}`
	tail = `{"type":"summary","finished":"2026-11-30T03:01:00Z","targets":4,"outcomes":{"silent":4},"auth":{},"findings":{},"suppressed":0,"complete":true}`
)

// send sends the stream of a unit and says that it is done.
func (c *client) send(at job.At) job.Ordered {
	c.t.Helper()
	for i, line := range []string{head, tail} {
		var b bytes.Buffer
		z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		c.must(err)
		fmt.Fprintln(z, line)
		c.must(z.Close())
		text, err := job.EncodePart(job.Part{At: at, Seq: i, Data: b.Bytes()})
		c.must(err)
		if o := ask[job.Ordered](c, job.AskPart, text); o.Order != job.Run {
			return o
		}
	}
	return ask[job.Ordered](c, job.AskDone, job.Done{At: at, Parts: 2})
}

// TestJob: a job is started, all its units are handed out, and both vantages are finished.
func TestJob(t *testing.T) {
	h := newHub(t).start()
	fra, sgp := h.worker("fra", "w1").connect(), h.worker("sgp", "w2").connect()
	j := h.add("all", 100, "fra", "sgp")
	h.wait("it is started", func() bool { s, _ := h.state(j.ID, 0); return s == store.JobRunning })
	for _, c := range []*client{fra, sgp} {
		got := map[uint64]bool{}
		for range 3 {
			m, u, b := c.next()
			if b.Order != job.Run || u.Job != j.ID || u.Vantage != c.vantage || got[u.K] {
				t.Fatalf("%+v %+v", u, b)
			}
			got[u.K] = true
			at := job.At{Unit: u, Attempt: b.Attempt}
			if o := c.send(at); o.Order != job.Drop {
				t.Fatalf("%+v", o)
			}
			c.must(m.AckSync())
			// The answer may have been lost.
			if o := ask[job.Ordered](c, job.AskDone, job.Done{At: at, Parts: 2}); o.Order != job.Drop {
				t.Errorf("again: %+v", o)
			}
		}
	}
	h.wait("the history has it", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.finished) == 2 })
	if s, _ := h.state(j.ID, 0); s != store.JobDone {
		t.Errorf("the job is %s", s)
	}
	for by, want := range map[time.Duration]int{-time.Hour: 1, time.Hour: 0} {
		if open, err := h.ledger.OpenJobs(t.Context(), h.now().Add(by)); err != nil || len(open) != want {
			t.Errorf("%v %v", open, err)
		}
	}
	ws, err := h.ledger.Workers(t.Context())
	h.must(err)
	if len(ws) != 2 || ws[0].Version != "1" || ws[0].Doing == "" || ws[0].Seen.IsZero() {
		t.Errorf("workers %+v", ws)
	}
	if len(h.said) > 0 {
		t.Errorf("said %q", h.said)
	}
}

// TestDoneStays: a unit that is done stays in the stream until its worker has acknowledged
// it, who would wait for an answer in vain; one that is never acknowledged is gone with the
// job.
func TestDoneStays(t *testing.T) {
	h := newHub(t).start()
	c := h.worker("fra", "w1").connect()
	j := h.add("all", 100, "fra")
	m, u, b := c.next()
	_, u2, b2 := c.next()
	if o := c.send(job.At{Unit: u, Attempt: b.Attempt}); o.Order != job.Drop {
		t.Fatalf("%+v", o)
	}
	s, err := h.q.stream(t.Context())
	h.must(err)
	there := func(u job.Unit) bool {
		seq, err := find(t.Context(), s, u.Subject())
		h.must(err)
		return seq > 0
	}
	time.Sleep(refillEvery + refillEvery/2)
	if !there(u) {
		t.Error("it was taken out before it was acknowledged")
	}
	c.must(m.AckSync())
	if o := c.send(job.At{Unit: u2, Attempt: b2.Attempt}); o.Order != job.Drop {
		t.Fatalf("%+v", o)
	}
	if _, err := h.ledger.WantJob(t.Context(), j.ID, store.WantStop, "", h.now()); err != nil {
		t.Fatal(err)
	}
	h.wait("the other is taken out", func() bool { return !there(u2) })
}
