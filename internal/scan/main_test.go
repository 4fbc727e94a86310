package scan_test

import (
	"bufio"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/probe"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plenty is a time that nothing on loopback comes near, however loaded the
// machine is.
const plenty = 30 * time.Second

func builtin(t testing.TB) *fingerprint.Set {
	t.Helper()
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// config returns the configuration of a scan that can contact loopback only.
func config(t testing.TB, set *fingerprint.Set, specs ...target.Spec) scan.Config {
	t.Helper()
	scope := target.NewScope([]netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	}, nil, false)
	cfg := scan.Config{
		Space: new(target.Space), Scope: scope,
		Prober:      prober(set, scope, plenty),
		Checks:      check.All(),
		Concurrency: 4,
		Head:        event.Scan{Type: "scan", Schema: event.Schema},
	}
	for _, spec := range specs {
		if err := cfg.Space.Add(spec); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

func prober(set *fingerprint.Set, scope *target.Scope, timeout time.Duration) *probe.Prober {
	return &probe.Prober{
		Wire: wire.New(wire.Options{Scope: scope, ConnectTimeout: plenty, FrameTimeout: plenty}),
		Set:  set, Level: event.LevelStandard, Timeout: timeout,
	}
}

// single is a target that is named by itself.
func single(addr netip.AddrPort) target.Spec {
	return target.Spec{First: addr.Addr(), Last: addr.Addr(), Ports: []uint16{addr.Port()}, Input: addr.String(), Source: "test"}
}

// swept is one target n times over, as a member of a set of ports.
func swept(addr netip.AddrPort, n int) target.Spec {
	s := single(addr)
	s.Ports = make([]uint16, n)
	for i := range s.Ports {
		s.Ports[i] = addr.Port()
	}
	return s
}

// run scans and returns what came out. It checks what holds of every stream:
// one head at its begin, one summary at its end, targets in between, and no
// two calls of Emit at once.
func run(t testing.TB, ctx context.Context, cfg scan.Config) ([]*event.Target, event.Summary) {
	t.Helper()
	var events []event.Event
	var busy atomic.Bool
	watch := cfg.Emit
	cfg.Emit = func(e event.Event) error {
		if !busy.CompareAndSwap(false, true) {
			t.Error("Emit was called twice at once")
		}
		defer busy.Store(false)
		events = append(events, e)
		if watch != nil {
			return watch(e)
		}
		return nil
	}
	returned, err := scan.Run(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) < 2 {
		t.Fatalf("the stream has %d events", len(events))
	}
	_, begins := events[0].(*event.Scan)
	end, ends := events[len(events)-1].(*event.Summary)
	if !begins || !ends {
		t.Fatalf("the stream does not begin with a scan and end with a summary: %d events", len(events))
	}
	var targets []*event.Target
	for _, e := range events[1 : len(events)-1] {
		ev, ok := e.(*event.Target)
		if !ok {
			t.Fatalf("between head and summary: %+v", e)
		}
		targets = append(targets, ev)
	}
	summary := *end
	if !summary.Finished.Equal(returned.Finished) || summary.Targets != returned.Targets {
		t.Errorf("the summary emitted is not the one returned: %+v, %+v", summary, returned)
	}
	return targets, summary
}

// one scans a single target and returns its line.
func one(t testing.TB, cfg scan.Config) *event.Target {
	t.Helper()
	targets, summary := run(t, t.Context(), cfg)
	if len(targets) != 1 || summary.Targets != 1 {
		t.Fatalf("%d lines and %d targets counted for a single target", len(targets), summary.Targets)
	}
	return targets[0]
}

// server is a listener on loopback that counts what reaches it.
type server struct {
	addr     netip.AddrPort
	accepts  atomic.Int32
	requests atomic.Int32 // of an HTTP server only
}

// counter counts the connections of a listener.
type counter struct {
	net.Listener
	n *atomic.Int32
}

func (c counter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}

func listen(t testing.TB) (net.Listener, *server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: l.Addr().(*net.TCPAddr).AddrPort()}
	return counter{l, &s.accepts}, s
}

// raw serves connections byte by byte. A connection ends when handle returns,
// or when the test does.
func raw(t testing.TB, handle func(net.Conn)) *server {
	t.Helper()
	l, s := listen(t)
	var group sync.WaitGroup
	ended, end := context.WithCancel(context.Background())
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ended, func() { c.Close() })()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		end()
		group.Wait()
	})
	return s
}

// web serves HTTP; over TLS when wrap makes it so.
func web(t testing.TB, h http.HandlerFunc, wrap ...func(net.Listener) net.Listener) *server {
	t.Helper()
	l, s := listen(t)
	for _, w := range wrap {
		l = w(l)
	}
	srv := &http.Server{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.requests.Add(1); h(w, r) }),
		ErrorLog: log.New(io.Discard, "", 0),
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return s
}

// always answers every request alike; header is name, value and so on.
func always(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// closed returns an address that refuses connections and cannot be taken by
// anybody else while the test runs: it is the near end of a connection.
func closed(t testing.TB) netip.AddrPort {
	t.Helper()
	s := raw(t, hold)
	c, err := net.Dial("tcp", s.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().(*net.TCPAddr).AddrPort()
}

// hold says nothing until the other side, or the test, ends the connection.
func hold(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// greet says something at once, as mail and shell servers do.
func greet(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, text); hold(c) }
}

// reset reads what the client begins with and ends the connection with RST.
func reset(c net.Conn) {
	_, _ = bufio.NewReader(c).Peek(1)
	_ = c.(*net.TCPConn).SetLinger(0)
}

// quickWire waits only briefly for servers that accept a WebSocket opening and
// then say nothing.
func quickWire(scope *target.Scope) *wire.Wire {
	return wire.New(wire.Options{Scope: scope, ConnectTimeout: plenty, FrameTimeout: 300 * time.Millisecond})
}

// seeded chooses of a name's addresses by a seed.
func seeded(scope *target.Scope, seed uint64) *wire.Wire {
	return wire.New(wire.Options{
		Scope: scope, ConnectTimeout: plenty, FrameTimeout: plenty, Resolver: wire.NewResolver(wire.AllAddresses, seed, netip.AddrPort{}),
	})
}
