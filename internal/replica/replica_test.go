package replica_test

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const plenty = 30 * time.Second

func recorded(t *testing.T) map[string]evidence.Capture {
	t.Helper()
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func start(t *testing.T, c evidence.Capture) *replica.Replica {
	t.Helper()
	r, err := replica.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// ask makes requests of a replica.
func ask(t *testing.T, addr netip.AddrPort, reqs ...evidence.Request) *evidence.Observation {
	t.Helper()
	w := wire.New(wire.Options{
		Scope:        target.NewScope([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil, false),
		FrameTimeout: plenty,
	})
	s := w.Open(t.Context(), target.Target{Addr: addr}, plenty)
	defer s.Close()
	for _, r := range reqs {
		if !s.Converse(r, nil) {
			t.Fatalf("%s: %s %s", r.ID, s.Observation().Outcome, s.Observation().Err)
		}
	}
	return s.Observation()
}

// A replica gives every answer of its capture as the wire would have recorded
// it from the program itself.
func TestAnswersLikeItsCapture(t *testing.T) {
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range recorded(t) {
		if c.TLS != nil {
			t.Logf("%s: skipped, replicas do not speak TLS", name)
			continue
		}
		if !strings.HasPrefix(name, "openclaw/") || c.Made != "recorded" || c.Deep() {
			continue // made of the few answers that it is about, or of what is said
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			whole := c.Observation()
			reqs := set.Open(&whole, event.LevelStandard).Plan("openclaw")
			if len(reqs) == 0 {
				t.Fatal("no plan")
			}
			for _, x := range c.Exchanges {
				if x.Reply == "" && !slices.ContainsFunc(reqs, func(r evidence.Request) bool { return r.ID == x.ID }) {
					reqs = append(reqs, evidence.Request{ID: x.ID, Method: x.Method, Path: x.Path})
				}
			}
			o := ask(t, start(t, c).Addr, reqs...)
			for i, got := range o.Exchanges {
				at := slices.IndexFunc(c.Exchanges, func(x evidence.CapturedExchange) bool { return x.ID == got.ID })
				if at < 0 {
					t.Errorf("%s is in the plan but not in the capture", got.ID)
					continue
				}
				want := c.Exchanges[at].Exchange()
				if got.Err != "" || got.Method != want.Method || got.Path != want.Path || got.Status != want.Status {
					t.Errorf("%s: %s %s → %d %s, want %s %s → %d", got.ID, got.Method, got.Path, got.Status, got.Err, want.Method, want.Path, want.Status)
				}
				if string(got.Body) != string(want.Body) {
					t.Errorf("%s: body %.60q, want %.60q", got.ID, got.Body, want.Body)
				}
				if got.Status == 101 {
					continue // its header is between the client and the server
				}
				if got, want := fields(got.Header), fields(want.Header); !maps.Equal(got, want) {
					t.Errorf("%s: header %v, want %v", o.Exchanges[i].ID, got, want)
				}
			}
		})
	}
}

// fields returns header lines by name. Captures leave out Content-Length,
// which belongs to the message and not to the program; where a name comes twice
// the order counts.
func fields(h evidence.Header) map[string]string {
	out := map[string]string{}
	for _, f := range h {
		if name := strings.ToLower(f.Name); name != "content-length" {
			out[name] += f.Value + "\n"
		}
	}
	return out
}

// What was not recorded is answered as the program answers what it does not
// have.
func TestNothingThere(t *testing.T) {
	root := evidence.CapturedExchange{ID: "root", Method: "GET", Path: "/", Status: 200, Body: "home"}
	none := evidence.CapturedExchange{ID: "nothing-there", Method: "GET", Path: "/nothing-there", Status: 200, Body: "fallback"}
	for _, c := range []struct {
		name      string
		exchanges []evidence.CapturedExchange
		req       evidence.Request
		status    int
		body      string
	}{
		{"recorded", []evidence.CapturedExchange{root, none}, evidence.Request{Method: "GET", Path: "/"}, 200, "home"},
		{"other path", []evidence.CapturedExchange{root, none}, evidence.Request{Method: "GET", Path: "/x"}, 200, "fallback"},
		{"other query", []evidence.CapturedExchange{root, none}, evidence.Request{Method: "GET", Path: "/?x"}, 200, "fallback"},
		{"other method", []evidence.CapturedExchange{root, none}, evidence.Request{Method: "POST", Path: "/", Body: "{}"}, 200, "fallback"},
		{"opening", []evidence.CapturedExchange{root, none}, evidence.Request{Method: "GET", Path: "/", WebSocket: true}, 200, "fallback"},
		{"no fallback", []evidence.CapturedExchange{root}, evidence.Request{Method: "GET", Path: "/x"}, 404, "Not Found\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, evidence.Capture{Exchanges: c.exchanges})
			x := ask(t, r.Addr, c.req).Exchanges[0]
			if x.Status != c.status || string(x.Body) != c.body {
				t.Errorf("%d %q, want %d %q", x.Status, x.Body, c.status, c.body)
			}
		})
	}
}

// Close ends every conversation at once, the ones that have become WebSockets
// too, and gives the port back.
func TestCloseLeavesNothing(t *testing.T) {
	r := start(t, recorded(t)["openclaw/openclaw-2026.9.6-token.yaml"])
	dial := func(say string) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", r.Addr.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(5 * time.Second)) // half of what the replica itself allows
		if _, err := io.WriteString(c, say); err != nil {
			t.Fatal(err)
		}
		return c, bufio.NewReader(c)
	}
	conversations := map[string]*bufio.Reader{}
	_, conversations["nothing said"] = dial("")
	_, conversations["half a request"] = dial("GET / HT")
	_, idle := dial("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
	conversations["idle"] = idle
	for line := ""; !strings.HasPrefix(line, "{"); { // the body, which has no line end
		head, err := idle.Peek(1)
		if err != nil {
			t.Fatal(err)
		}
		if head[0] == '{' {
			break
		}
		if line, err = idle.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	_, socket := dial("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	conversations["websocket"] = socket
	if line, err := socket.ReadString('{'); err != nil || !strings.Contains(line, " 101 ") {
		t.Fatalf("opening: %q, %v", line, err)
	}

	r.Close()
	for name, conversation := range conversations {
		if _, err := io.Copy(io.Discard, conversation); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: continues after Close", name)
		}
	}
	if c, err := net.Dial("tcp", r.Addr.String()); err == nil {
		c.Close()
		t.Error("still listening after Close")
	}
	r.Close() // a second time does nothing
}
