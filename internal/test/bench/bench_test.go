//go:build linux

// Package bench measures the engine beside floors: the least a Go client can
// do for the same work, in turns in the same run. Servers are processes of
// their own, so that the CPU time measured is the client's; but they share the
// machine's cores.
//
// Each benchmark does its work once, in several rounds, and reports medians:
// run it with -benchtime 1x.
package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/pace"
	"github.com/clawsonar/clawsonar/internal/probe"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// roleEnv makes the test binary something else than a test: a server, or the
// client of a benchmark that needs a process of its own.
const roleEnv = "CLAWSONAR_BENCH_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleEnv); role {
	case "":
		debug.SetGCPercent(400) // as the command does
		os.Exit(m.Run())
	case "floor":
		if err := floorProcess(os.Args[1], os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "silent":
		debug.SetGCPercent(400)
		scanSilence()
	default:
		serve(role, os.Args[1])
	}
}

const (
	workers = 256 // targets in flight, unless a benchmark says otherwise
	rounds  = 5
)

// measured is one round of one side.
type measured struct {
	rate   float64 // targets a second
	cpu    float64 // µs a target
	allocs float64 // a target
}

// round measures f, which works through n targets.
func round(b *testing.B, n int, f func()) measured {
	b.Helper()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used, begin := cpu(b), time.Now()
	f()
	took, used := time.Since(begin), cpu(b)-used
	runtime.ReadMemStats(&after)
	return measured{
		rate: float64(n) / took.Seconds(), cpu: float64(used.Microseconds()) / float64(n),
		allocs: float64(after.Mallocs-before.Mallocs) / float64(n),
	}
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

// table collects what the rounds measure, by the name of what it is.
type table map[string][]float64

func (t table) add(name string, value float64) { t[name] = append(t[name], value) }

// report reports the medians.
func (t table) report(b *testing.B) {
	for name, values := range t {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], name)
	}
}

// compare measures floor and engine in turns, each with all targets a round, and
// reports the medians of both and of their ratios.
func compare(b *testing.B, space *target.Space, talk func(net.Conn) error, ours func()) {
	b.Helper()
	n := int(space.Len())
	least := func() {
		if err := floor(space, workers, talk); err != nil {
			b.Fatal(err)
		}
	}
	for range b.N {
		t := table{}
		for range rounds {
			f, o := round(b, n, least), round(b, n, ours)
			t.add("targets/s", o.rate)
			t.add("floor-targets/s", f.rate)
			t.add("×floor-rate", o.rate/f.rate)
			t.add("cpu-µs/target", o.cpu)
			t.add("×floor-cpu", o.cpu/f.cpu)
			t.add("mallocs/target", o.allocs)
		}
		t.report(b)
	}
}

// start runs a server process on a port, 0 for any, and returns the port.
func start(b *testing.B, role string, port uint16) uint16 {
	b.Helper()
	cmd := exec.Command(os.Args[0], strconv.Itoa(int(port)))
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
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
	if _, err := fmt.Sscan(line, &port); err != nil {
		b.Fatal(err)
	}
	return port
}

// blockOf returns the ends of the address space that is swept: many addresses, so
// that the pairs of addresses and ports do not run out.
func blockOf(n int) (first, last netip.Addr) {
	first = netip.MustParseAddr("127.1.0.1")
	last = first
	for range n - 1 {
		last = last.Next()
	}
	return first, last
}

// block returns n targets of it.
func block(n int, spec target.Spec) *target.Space {
	space := new(target.Space)
	spec.First, spec.Last = blockOf(n)
	if err := space.Add(spec); err != nil {
		panic(err)
	}
	return space
}

// floor has so many workers connect to all targets, and do what talk does with the
// connection; talk is nil where it is to be refused.
func floor(space *target.Space, workers int, talk func(net.Conn) error) error {
	var next atomic.Uint64
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			dialer := net.Dialer{Timeout: 3 * time.Second, KeepAlive: -1}
			for {
				i := next.Add(1) - 1
				if i >= space.Len() {
					return nil
				}
				t, err := space.At(i)
				if err != nil {
					return err
				}
				c, err := dialer.Dial("tcp", t.Addr.String())
				if err != nil {
					if talk != nil || !errors.Is(err, syscall.ECONNREFUSED) {
						return err
					}
					continue
				}
				err = talk(c)
				c.Close()
				if err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// oneGet is the floor's whole conversation: one write, one read.
func oneGet(c net.Conn) error {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: floor\r\n\r\n"); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	_, err := c.Read(buf)
	return err
}

func overTLS(c net.Conn) error {
	return oneGet(clientTLS(c))
}

func clientTLS(c net.Conn) net.Conn {
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
}

// engine returns the configuration of a scan with everything on.
func engine(b testing.TB, space *target.Space, inFlight int) scan.Config {
	b.Helper()
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		b.Fatal(err)
	}
	scope, places := target.NewScope(nil, nil, false), pace.NewInFlight(inFlight)
	return scan.Config{
		Space: space, Scope: scope, InFlight: places,
		Prober: &probe.Prober{
			Wire: wire.New(wire.Options{Scope: scope, InFlight: places}), Set: set,
			Level: event.LevelStandard, Timeout: 10 * time.Second,
		},
		Checks: check.All(), Concurrency: inFlight, Retries: 1,
		Emit: func(event.Event) error { return nil },
	}
}

// ours scans all of a space, of which each target has the same outcome.
func ours(b *testing.B, cfg scan.Config, want event.Outcome) {
	b.Helper()
	cfg.InFlight = pace.NewInFlight(cfg.Concurrency) // a closed one does not open again
	summary, err := scan.Run(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	if got := summary.Outcomes[want]; got != int(cfg.Space.Len()) {
		b.Fatalf("%d of %d %s: %v", got, cfg.Space.Len(), want, summary.Outcomes)
	}
}

// BenchmarkWeb: plain web servers, one request each.
func BenchmarkWeb(b *testing.B) {
	const n = 10_000
	space := block(n, target.Spec{Ports: []uint16{start(b, "web", 0)}})
	cfg := engine(b, space, workers)
	compare(b, space, oneGet, func() { ours(b, cfg, event.OutcomeOther) })
}

// BenchmarkTLS: the same over TLS, with an ECDSA certificate.
func BenchmarkTLS(b *testing.B) {
	const n = 1500
	space := block(n, target.Spec{Ports: []uint16{start(b, "tls", 0)}, Scheme: "https"})
	cfg := engine(b, space, workers)
	compare(b, space, overTLS, func() { ours(b, cfg, event.OutcomeOther) })
}

// BenchmarkClosed: refused connections.
func BenchmarkClosed(b *testing.B) {
	const n = 40_000
	space := block(n, target.Spec{Ports: []uint16{9}})
	cfg := engine(b, space, workers)
	compare(b, space, nil, func() { ours(b, cfg, event.OutcomeClosed) })
}

// BenchmarkGateway: full verdicts on the recorded answers of a gateway. The
// server sends the bytes that the replica sends, prepared beforehand, so that it
// takes less of the cores it shares. The floor sends the same requests and reads
// as many bytes, on one connection, and thinks nothing.
func BenchmarkGateway(b *testing.B) {
	const n = 3000
	for _, name := range []string{"openclaw-2026.9.6-token", "openclaw-2026.9.6-none", "openclaw-2026.3.13-none"} {
		b.Run(name, func(b *testing.B) {
			port := start(b, "openclaw/"+name+".yaml", 0)
			space := block(n, target.Spec{Ports: []uint16{port}})
			cfg := engine(b, space, workers)
			requests, connections := 0, 0
			cfg.Emit = func(e event.Event) error {
				if t, ok := e.(*event.Target); ok {
					requests, connections = max(requests, t.Requests), max(connections, t.Connections)
				}
				return nil
			}
			turns := overhear(b, port)
			compare(b, space, turns.repeat, func() { ours(b, cfg, event.OutcomeIdentified) })
			b.ReportMetric(float64(requests), "requests")
			b.ReportMetric(float64(connections), "connections")
		})
	}
}

// turns is a conversation: what was sent, and how many bytes came back.
type turns []turn

type turn struct {
	sent     []byte
	answered int
}

// overhear scans a server through a relay and returns the conversation.
func overhear(b *testing.B, port uint16) turns {
	b.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var heard turns
	done := make(chan error, 1)
	go func() { done <- relay(l, port, &heard) }()
	space := new(target.Space)
	here := netip.MustParseAddr("127.0.0.1")
	if err := space.Add(target.Spec{First: here, Last: here, Ports: []uint16{uint16(l.Addr().(*net.TCPAddr).Port)}}); err != nil {
		b.Fatal(err)
	}
	ours(b, engine(b, space, 1), event.OutcomeIdentified)
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	return heard
}

// relay passes one connection on, turn by turn.
func relay(l net.Listener, port uint16, heard *turns) error {
	client, err := l.Accept()
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := net.Dial("tcp4", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String())
	if err != nil {
		return err
	}
	defer server.Close()
	var mu sync.Mutex
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				client.Close()
				return
			}
			mu.Lock()
			(*heard)[len(*heard)-1].answered += n
			mu.Unlock()
			_, _ = client.Write(buf[:n])
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return nil // the scan is done
		}
		mu.Lock()
		*heard = append(*heard, turn{sent: bytes.Clone(buf[:n])})
		mu.Unlock()
		if _, err := server.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// repeat has the client's part of the conversation.
func (t turns) repeat(c net.Conn) error {
	buf := make([]byte, 64<<10)
	for _, turn := range t {
		if _, err := c.Write(turn.sent); err != nil {
			return err
		}
		for left := turn.answered; left > 0; {
			n, err := c.Read(buf[:min(left, len(buf))])
			if err != nil {
				return err
			}
			left -= n
		}
	}
	return nil
}

// BenchmarkMemory: the most memory that the command itself takes, by the size
// of the block and how many are in flight. CLAWSONAR_BENCH_LONG=1 adds a /10.
func BenchmarkMemory(b *testing.B) {
	command := build(b)
	blocks := []string{"127.64.0.0/16", "127.64.0.0/12"}
	if os.Getenv("CLAWSONAR_BENCH_LONG") != "" {
		blocks = append(blocks, "127.64.0.0/10")
	}
	for _, inFlight := range []string{"100", "5000"} {
		for _, prefix := range blocks {
			_, bits, _ := strings.Cut(prefix, "/")
			b.Run("block="+bits+"/inflight="+inFlight, func(b *testing.B) {
				for range b.N {
					p := run(b, exec.Command(command, "scan", prefix, "-p", "9", "-c", inFlight, "-f", "jsonl", "-silent"))
					if !bytes.Contains(p.out, []byte(`"complete":true`)) {
						b.Fatalf("%s", p.out)
					}
					b.ReportMetric(p.peak, "peak-MiB")
				}
			})
		}
	}
}
