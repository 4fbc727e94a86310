package worker

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testVantage = "fra"
	testWorker  = "worker-1"
)

// hub is a server with the little of a hub that a worker speaks to.
type hub struct {
	t       *testing.T
	server  *server.Server
	nc      *nats.Conn
	js      jetstream.JetStream
	key     ed25519.PrivateKey
	creds   *job.Credentials
	mu      sync.Mutex
	records map[string][]byte
	lists   map[string][]byte
	order   job.Order // of all jobs
	attempt int64
	parts   map[int64]map[int][]byte
	done    map[job.Unit]int64 // attempt
	fails   []string
	begins  []job.Begin
	mute    map[job.Verb]int // so many requests are heard and not answered; -1 for all
	granted int
	idle    int // so often a worker said that it has nothing to do
	// grant answers a request for connections; by default it grants all for the next 100 ms.
	grant func(job.Want) job.Grant
}

func (h *hub) lock(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	do()
}

func startHub(t *testing.T) *hub {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)} // nobody looks at more than its key
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{
		t: t, key: key, order: job.Run, records: map[string][]byte{}, lists: map[string][]byte{},
		parts: map[int64]map[int][]byte{}, done: map[job.Unit]int64{}, mute: map[job.Verb]int{},
	}
	creds, nkey, err := job.NewCredentials("tls://127.0.0.1:1", testVantage, testWorker, job.Pin(cert.RawSubjectPublicKeyInfo), public)
	if err != nil {
		t.Fatal(err)
	}
	// These are all that a worker may do, as in the queue.
	allowed := &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"$JS.API.CONSUMER.MSG.NEXT." + job.UnitsStream + "." + testVantage, "$JS.ACK." + job.UnitsStream + "." + testVantage + ".>", "clawsonar.ask." + testVantage + "." + testWorker + ".*"}},
		Subscribe: &server.SubjectPermission{Allow: []string{job.Inbox(testWorker) + ".>", job.Control(testVantage)}},
	}
	h.server, err = server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), MaxPayload: job.MaxPayload,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}, MinVersion: tls.VersionTLS13},
		Users:     []*server.User{{Username: "hub", Password: "hub"}}, Nkeys: []*server.NkeyUser{{Nkey: nkey, Permissions: allowed}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.server.Start()
	t.Cleanup(h.stop)
	if !h.server.ReadyForConnections(30 * time.Second) {
		t.Fatal("the server does not start")
	}
	creds.Hub = "tls://" + h.server.Addr().String()
	h.creds = creds
	if h.nc, err = nats.Connect("", nats.InProcessServer(h.server), nats.UserInfo("hub", "hub"), nats.MaxReconnects(0)); err != nil {
		t.Fatal(err)
	}
	if h.js, err = jetstream.New(h.nc); err != nil {
		t.Fatal(err)
	}
	s, err := h.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: job.UnitsStream, Subjects: []string{job.AllUnits}, Retention: jetstream.WorkQueuePolicy,
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
	})
	if err == nil {
		_, err = s.CreateConsumer(t.Context(), jetstream.ConsumerConfig{
			Durable: job.Consumer(testVantage), FilterSubject: job.UnitsOf(testVantage), AckPolicy: jetstream.AckExplicitPolicy, AckWait: job.Lease, MaxDeliver: -1,
		})
	}
	if err == nil {
		_, err = h.nc.Subscribe(job.AllRequests, func(m *nats.Msg) { go h.answer(m) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hub) stop() {
	if h.nc != nil {
		h.nc.Close()
	}
	h.server.Shutdown()
	h.server.WaitForShutdown()
}

func (h *hub) answer(m *nats.Msg) {
	_, _, verb, err := job.Asked(m.Subject)
	if err != nil {
		h.t.Error(err)
		return
	}
	reply := h.reply(verb, m.Data)
	h.mu.Lock()
	n := h.mute[verb]
	if n > 0 {
		h.mute[verb]--
	}
	h.mu.Unlock()
	if n == 0 {
		_ = m.Respond(reply)
	}
}

func (h *hub) reply(verb job.Verb, data []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := job.Ordered{Order: h.order}
	var out any = &o
	read := func(into any) {
		if err := json.Unmarshal(data, into); err != nil {
			h.t.Errorf("%s: %v", verb, err)
		}
	}
	switch verb {
	case job.AskRecord, job.AskList:
		var f job.Fetch
		read(&f)
		text := h.records[f.Job]
		if verb == job.AskList {
			text = h.lists[f.Job]
		}
		text = text[min(f.Offset, int64(len(text))):]
		return text[:min(len(text), 1000)]
	case job.AskBegin:
		var b job.Begin
		read(&b)
		h.begins = append(h.begins, b)
		if _, done := h.done[b.Unit]; done {
			o.Order = job.Drop
		}
		h.attempt++
		h.parts[h.attempt] = map[int][]byte{}
		out = job.Begun{Ordered: o, Attempt: h.attempt}
	case job.AskGrant:
		var w job.Want
		read(&w)
		g := job.Grant{Ordered: o}
		switch {
		case o.Order != job.Run:
		case h.grant != nil:
			g = h.grant(w)
		default:
			g.N, g.Over = w.N, 100_000
		}
		h.granted += g.N
		out = g
	case job.AskPart:
		p, err := job.DecodePart(data)
		if err != nil {
			h.t.Error(err)
		}
		if old, ok := h.parts[p.Attempt][p.Seq]; ok && !bytes.Equal(old, p.Data) {
			h.t.Errorf("part %d comes again and is another", p.Seq)
		}
		h.parts[p.Attempt][p.Seq] = p.Data
	case job.AskDone:
		var d job.Done
		read(&d)
		if len(h.parts[d.Attempt]) != d.Parts {
			h.t.Errorf("%d parts of %d", len(h.parts[d.Attempt]), d.Parts)
		}
		h.done[d.Unit] = d.Attempt
		o.Order = job.Drop
	case job.AskFail:
		var f job.Fail
		read(&f)
		h.fails = append(h.fails, f.Error)
		o.Order = job.Refuse
	case job.AskIdle:
		h.idle++
	}
	text, err := json.Marshal(out)
	if err != nil {
		h.t.Error(err)
	}
	return text
}

// tell orders something, of all jobs from now on.
func (h *hub) tell(id string, o job.Order) {
	h.t.Helper()
	h.lock(func() { h.order = o })
	text, err := json.Marshal(job.Ordered{Job: id, Order: o})
	if err == nil {
		err = h.nc.Publish(job.Control(testVantage), text)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// add makes a job, changes its record before it is signed, and hands out its units.
func (h *hub) add(id string, settings func(*audit.Settings), change func(*job.Record)) *job.Record {
	h.t.Helper()
	s := audit.Defaults()
	s.Seed, s.Timeout = 3, 2*time.Second
	settings(&s)
	b := audit.Builder{Settings: &s, Tool: event.Tool{Name: "hub", Version: "1"}, Known: known(h.t)}
	plan, cfg, err := b.Plan(h.t.Context(), "job.yaml:1")
	if err != nil {
		h.t.Fatal(err)
	}
	defer cfg.Space.Close()
	r, list, err := job.New(id, "sweep", time.Now(), []string{testVantage, "sgp"}, 1000, 0, digest(h.t), plan, cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	signed, err := job.Sign(h.key, r)
	if err != nil {
		h.t.Fatal(err)
	}
	h.lock(func() { h.records[id], h.lists[id] = signed, list })
	for k := uint64(1); k <= r.Units; k++ {
		h.hand(job.Unit{Job: id, Vantage: testVantage, K: k})
	}
	return r
}

func (h *hub) hand(u job.Unit) {
	h.t.Helper()
	if _, err := h.js.Publish(h.t.Context(), u.Subject(), nil); err != nil {
		h.t.Fatal(err)
	}
}

// left is how many units are not acknowledged.
func (h *hub) left() uint64 {
	s, err := h.js.Stream(h.t.Context(), job.UnitsStream)
	if err != nil {
		h.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// stream is what the hub has of an attempt.
func (h *hub) stream(attempt int64) (out []event.Event) {
	h.t.Helper()
	var text bytes.Buffer
	h.lock(func() {
		for seq := range len(h.parts[attempt]) {
			z, err := zstd.NewReader(bytes.NewReader(h.parts[attempt][seq]), zstd.WithDecoderConcurrency(1))
			if err != nil {
				h.t.Fatal(err)
			}
			if _, err := io.Copy(&text, z); err != nil {
				h.t.Fatal(err)
			}
			z.Close()
			if !bytes.HasSuffix(text.Bytes(), []byte("\n")) {
				h.t.Error("a part has no whole lines")
			}
		}
	})
	if err := event.Read(&text, "parts", func(e event.Event) error { out = append(out, e); return nil }); err != nil {
		h.t.Fatal(err)
	}
	return out
}

var builtin = sync.OnceValues(data.Builtin)

func known(t testing.TB) *data.Known {
	t.Helper()
	k, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func digest(t testing.TB) string {
	t.Helper()
	d, err := known(t).Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// running is a worker that runs.
type running struct {
	*Worker
	mu    sync.Mutex
	lines []string
	stop  context.CancelFunc
	ended chan error
}

func (h *hub) work(change func(*Worker)) *running {
	h.t.Helper()
	x := &running{ended: make(chan error, 1)}
	s := audit.Defaults()
	s.Concurrency = 0
	c := *h.creds
	x.Worker = &Worker{
		Credentials: &c, Settings: s, Naming: audit.Naming{Prefix: "-"}, Units: 1, Tool: event.Tool{Name: "clawsonar-hub", Version: "1"}, Known: known(h.t),
		Say: func(line string) {
			h.t.Log("worker: ", line)
			x.mu.Lock()
			defer x.mu.Unlock()
			x.lines = append(x.lines, line)
		},
	}
	if change != nil {
		change(x.Worker)
	}
	if err := x.Check(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	var ctx context.Context
	ctx, x.stop = context.WithCancel(context.Background())
	go func() { x.ended <- x.Run(ctx) }()
	h.t.Cleanup(func() { x.end(h.t) })
	return x
}

// end stops the worker and waits for it.
func (x *running) end(t *testing.T) error {
	x.stop()
	select {
	case err := <-x.ended:
		x.ended <- err
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("the worker does not end")
		return nil
	}
}

func (x *running) said(what string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.lines, func(line string) bool { return strings.Contains(line, what) })
}

func wait(t *testing.T, what string, until func() bool) {
	t.Helper()
	for range 3000 {
		if until() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it never comes: %s", what)
}

// ears are listeners on loopback that count who connects, and answer nothing useful.
type ears struct {
	addrs []netip.AddrPort
	heard []atomic.Int64
	all   atomic.Int64
	last  atomic.Int64 // when, in nanoseconds
}

func listenOn(t *testing.T, hosts ...string) *ears {
	t.Helper()
	e := &ears{heard: make([]atomic.Int64, len(hosts))}
	var group sync.WaitGroup
	var open []net.Listener
	for i, host := range hosts {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		e.addrs = append(e.addrs, l.Addr().(*net.TCPAddr).AddrPort())
		group.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				e.heard[i].Add(1)
				e.all.Add(1)
				e.last.Store(time.Now().UnixNano())
				group.Go(func() {
					defer c.Close()
					_ = c.SetDeadline(time.Now().Add(2 * time.Second))
					_, _ = c.Read(make([]byte, 512))
					_, _ = c.Write([]byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
				})
			}
		})
		open = append(open, l)
	}
	t.Cleanup(func() {
		for _, l := range open {
			l.Close()
		}
		group.Wait()
	})
	return e
}
