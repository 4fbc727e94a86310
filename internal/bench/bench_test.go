//go:build linux

// Package bench measures the engine beside floors: the least a Go client can
// do for the same work, in the same run. Servers are a process of their own, so
// that the CPU time measured is the client's.
package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/probe"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

// serveEnv makes the test binary a server: "web" or the name of a capture.
const serveEnv = "CLAWSONAR_BENCH_SERVE"

func TestMain(m *testing.M) {
	if what := os.Getenv(serveEnv); what != "" {
		serve(what)
		return
	}
	debug.SetGCPercent(400) // as the command does
	os.Exit(m.Run())
}

// serve prints its address and serves until stdin ends.
func serve(what string) {
	var addr netip.AddrPort
	if what == "web" {
		l, err := net.Listen("tcp4", "0.0.0.0:0") // every loopback address
		if err != nil {
			panic(err)
		}
		addr = l.Addr().(*net.TCPAddr).AddrPort()
		go web(l)
	} else {
		all, err := evidence.LoadCaptures(captures.FS, ".")
		if err != nil {
			panic(err)
		}
		r, err := replica.Start(all[what])
		if err != nil {
			panic(err)
		}
		addr = r.Addr
	}
	fmt.Println(addr.Port())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// web answers every connection once, as cheaply as Go can.
func web(l net.Listener) {
	const page = "<html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>"
	answer := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: keep-alive\r\n\r\n%s", len(page), page))
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			buf := make([]byte, 1024)
			for {
				if _, err := c.Read(buf); err != nil {
					c.Close()
					return
				}
				if _, err := c.Write(answer); err != nil {
					c.Close()
					return
				}
			}
		}()
	}
}

// start runs a server process and returns its port.
func start(b *testing.B, what string) uint16 {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+what)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	var port uint16
	if _, err := fmt.Sscan(line, &port); err != nil {
		b.Fatal(err)
	}
	return port
}

// workers are how many targets are in flight.
const workers = 256

// block is the address space that is swept: many addresses, so that the pairs
// of addresses and ports do not run out.
func block(b *testing.B, n int, port uint16) *target.Space {
	b.Helper()
	space := new(target.Space)
	first := netip.MustParseAddr("127.1.0.1")
	last := first
	for range n - 1 {
		last = last.Next()
	}
	if err := space.Add(target.Spec{First: first, Last: last, Ports: []uint16{port}}); err != nil {
		b.Fatal(err)
	}
	return space
}

// cpu returns the CPU time this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure runs f for b.N targets and reports rate and CPU time.
func measure(b *testing.B, f func()) {
	b.ReportAllocs()
	before := cpu(b)
	b.ResetTimer()
	f()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "targets/s")
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/target")
}

// floor dials, writes one request, reads once and closes; or, if closed, only
// finds out that it is refused.
func floor(b *testing.B, port uint16, refused bool) {
	space := block(b, b.N, port)
	request := []byte("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: floor\r\n\r\n")
	measure(b, func() {
		var next atomic.Uint64
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				dialer := net.Dialer{Timeout: 3 * time.Second, KeepAlive: -1}
				buf := make([]byte, 4096)
				for {
					i := next.Add(1) - 1
					if i >= uint64(b.N) {
						return
					}
					t, err := space.At(i)
					if err != nil {
						b.Error(err)
						return
					}
					c, err := dialer.Dial("tcp", t.Addr.String())
					if err != nil {
						if !refused || !errors.Is(err, syscall.ECONNREFUSED) {
							b.Error(err)
							return
						}
						continue
					}
					if _, err = c.Write(request); err == nil {
						_, err = c.Read(buf)
					}
					c.Close()
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

// ours scans the same with the whole engine.
func ours(b *testing.B, space *target.Space, want evidence.Outcome) {
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		b.Fatal(err)
	}
	scope := target.NewScope(nil, nil, false)
	cfg := scan.Config{
		Space: space, Scope: scope,
		Prober: &probe.Prober{
			Wire: wire.New(wire.Options{Scope: scope}), Set: set,
			Level: fingerprint.Standard, Timeout: 10 * time.Second,
		},
		Checks: check.All(), Concurrency: workers, Retries: 1,
		Emit: func(event.Event) error { return nil },
	}
	measure(b, func() {
		summary, err := scan.Run(context.Background(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		if got := summary.Outcomes[string(want)]; got != b.N {
			b.Fatalf("%d of %d %s: %v", got, b.N, want, summary.Outcomes)
		}
	})
}

func BenchmarkWeb(b *testing.B) {
	port := start(b, "web")
	b.Run("floor", func(b *testing.B) { floor(b, port, false) })
	b.Run("clawsonar", func(b *testing.B) { ours(b, block(b, b.N, port), evidence.Other) })
}

func BenchmarkClosed(b *testing.B) {
	b.Run("floor", func(b *testing.B) { floor(b, 9, true) })
	b.Run("clawsonar", func(b *testing.B) { ours(b, block(b, b.N, 9), evidence.Closed) })
}

// BenchmarkGateway gives a full verdict on the replica of a gateway.
func BenchmarkGateway(b *testing.B) {
	for _, name := range []string{"openclaw-2026.9.6-token", "openclaw-2026.3.13-none"} {
		port := start(b, "openclaw/"+name+".yaml")
		b.Run(strings.ReplaceAll(name, "/", "-"), func(b *testing.B) {
			space := new(target.Space)
			addr := netip.MustParseAddr("127.0.0.1")
			for range b.N {
				if err := space.Add(target.Spec{First: addr, Last: addr, Ports: []uint16{port}}); err != nil {
					b.Fatal(err)
				}
			}
			ours(b, space, evidence.Identified)
		})
	}
}
