package scan_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/replica"
)

// browserControl answers as the service beside an early gateway does.
func browserControl(t *testing.T, gateway netip.AddrPort) (asked *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(gateway.Addr(), gateway.Port()+2).String())
	if err != nil {
		return nil
	}
	asked = new(atomic.Int32)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			buf := make([]byte, 1024)
			_, _ = c.Read(buf)
			body := `{"enabled":true,"running":false,"cdpReady":false,"cdpPort":18800,"chosenBrowser":null}`
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return asked
}

// pair starts a gateway and a helper on the port that belongs to it.
func pair(t *testing.T, capture string) (*replica.Replica, *atomic.Int32) {
	t.Helper()
	for range 20 { // until the port beside it is free
		gateway := start(t, recorded(t)[capture])
		if asked := browserControl(t, gateway.Addr); asked != nil {
			return gateway, asked
		}
	}
	t.Fatal("no free pair of ports in 20 tries")
	return nil, nil
}

// A helper is not asked beside a release beside which it would not tell.
func TestHelpersOfARelease(t *testing.T) {
	gateway, asked := pair(t, "openclaw/openclaw-2026.6.11-token.yaml")
	cfg := config(t, builtin(t), single(gateway.Addr))
	cfg.Helpers = true
	run(t, t.Context(), cfg)
	if n := asked.Load(); n != 0 {
		t.Errorf("browser control beside 2026.6.11 was asked %d times", n)
	}
}

// A helper that is a target itself has one line, as a target, whichever of the
// two comes first.
func TestHelperThatIsATarget(t *testing.T) {
	gateway, asked := pair(t, "openclaw/openclaw-2026.1.29-token.yaml")
	spec := single(gateway.Addr)
	spec.Ports = append(spec.Ports, gateway.Addr.Port()+2)
	for seed := range uint64(4) {
		asked.Store(0)
		cfg := config(t, builtin(t), spec)
		cfg.Helpers, cfg.Seed = true, seed
		targets, summary := run(t, t.Context(), cfg)
		if len(targets) != 2 || summary.Outcomes["helper"] != 1 || asked.Load() != 1 {
			t.Errorf("seed %d: %d lines, outcomes %v, asked %d times", seed, len(targets), summary.Outcomes, asked.Load())
		}
	}
}

// Beside a gateway that is found its helpers are looked for, once a host, and
// only where that was asked for.
func TestHelpers(t *testing.T) {
	set := builtin(t)
	gateway, asked := pair(t, "openclaw/openclaw-2026.1.29-token.yaml")
	for _, c := range []struct {
		name    string
		helpers bool
		level   event.Level
		auth    event.AuthState
		want    int // connections to the helper
	}{
		{"off", false, event.LevelStandard, "required", 0},
		{"passive", true, event.LevelPassive, "unknown", 0}, // this release shows it to a POST alone
		{"on", true, event.LevelStandard, "required", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked.Store(0)
			cfg := config(t, set, swept(gateway.Addr, 2)) // the gateway twice
			cfg.Helpers, cfg.Prober.Level = c.helpers, c.level
			targets, summary := run(t, t.Context(), cfg)
			// A helper is no gateway, and is not counted as one.
			if summary.Auth["open"] != 0 || summary.Auth[c.auth] != 2 || summary.Outcomes["helper"] != c.want || summary.Outcomes["identified"] != 2 {
				t.Errorf("auth %v, outcomes %v", summary.Auth, summary.Outcomes)
			}
			if n := int(asked.Load()); n != c.want {
				t.Errorf("the helper was asked %d times, want %d", n, c.want)
			}
			lines := 0
			for _, x := range targets {
				if x.Product != nil && x.Product.ID == "openclaw-browser" {
					lines++
					if x.Outcome != "helper" || !strings.HasPrefix(x.Target.Source, "beside 127.0.0.1:") || x.Auth.State != "open" {
						t.Errorf("%+v, auth %+v", x.Target, x.Auth)
					}
				}
			}
			if lines != c.want {
				t.Errorf("%d lines for the helper, want %d", lines, c.want)
			}
		})
	}
}

// A port that is named means that one: beside it nothing is tried, unless the
// helpers were asked for.
func TestHelpersOfANamedPort(t *testing.T) {
	set := builtin(t)
	gateway, asked := pair(t, "openclaw/openclaw-2026.1.29-token.yaml")
	for _, c := range []struct {
		name       string
		exact, all bool
		want       int32 // connections to the helper
	}{
		{"host", false, false, 1},
		{"port", true, false, 0},
		{"port, and the helpers", true, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked.Store(0)
			spec := single(gateway.Addr)
			spec.Exact = c.exact
			cfg := config(t, set, spec)
			cfg.Helpers, cfg.AllHelpers = true, c.all
			run(t, t.Context(), cfg)
			if n := asked.Load(); n != c.want {
				t.Errorf("the helper was asked %d times, want %d", n, c.want)
			}
		})
	}
}

// The ports beside a gateway are tried in what it has left of its time.
func TestHelpersWithinTheTime(t *testing.T) {
	set := builtin(t)
	behind := start(t, recorded(t)["openclaw/openclaw-2026.1.29-token.yaml"])
	stalled := make(chan struct{})
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: behind.Addr.String()})
	proxy.ErrorLog = log.New(io.Discard, "", 0) // that the scanner has gone
	var gateway *httptest.Server
	var asked *atomic.Int32
	for range 20 { // until the port beside it is free
		gateway = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/__openclaw__/canvas") { // by then it is known
				<-stalled
			}
			proxy.ServeHTTP(w, r)
		}))
		if asked = browserControl(t, netip.MustParseAddrPort(gateway.Listener.Addr().String())); asked != nil {
			break
		}
		gateway.Close()
	}
	if asked == nil {
		t.Fatal("no free pair of ports in 20 tries")
	}
	t.Cleanup(gateway.Close)
	t.Cleanup(func() { close(stalled) })
	cfg := config(t, set, single(netip.MustParseAddrPort(gateway.Listener.Addr().String())))
	cfg.Helpers, cfg.Prober.Timeout = true, 2*time.Second
	targets, _ := run(t, t.Context(), cfg)
	if len(targets) != 1 || targets[0].Outcome != "identified" {
		t.Fatalf("%d lines, %+v", len(targets), targets)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the helper was asked %d times after the gateway had used up the time", n)
	}
}
