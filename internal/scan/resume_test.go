package scan_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

// A run that is cut off at any point and taken up again from its last
// checkpoint finds, together with what it found before, everything.
func TestResume(t *testing.T) {
	// A block of loopback addresses on the port of a server that listens on
	// every one of them, so that each address is a result.
	addr := everywhere(t)
	block := parsed(t, "127.9.0.0/25", addr.Port())
	stop := errors.New("stop here")
	furthest := 0 // mark of all cuts
	for _, cut := range []int{0, 1, 7, 40, 100, 127} {
		found := map[string]int{}
		var next scan.Mark
		run := func(limit int) error {
			cfg := config(t, builtin(t), block)
			cfg.Concurrency, cfg.Seed, cfg.From = 8, 5, next
			cfg.Checkpoint = func(m scan.Mark) { next = m }
			seen := 0
			cfg.Emit = func(e event.Event) error {
				if _, ok := e.(*event.Target); !ok {
					return nil
				}
				if seen++; seen > limit {
					return stop
				}
				found[e.(*event.Target).Target.IP]++
				return nil
			}
			_, err := scan.Run(t.Context(), cfg)
			return err
		}
		if err := run(cut); !errors.Is(err, stop) {
			t.Fatalf("cut %d: %v", cut, err)
		}
		mark := int(next.Next)
		if err := run(1000); err != nil {
			t.Fatalf("cut %d: %v", cut, err)
		}
		if len(found) != 128 {
			t.Errorf("cut %d: %d of 128 addresses found", cut, len(found))
		}
		repeated := 0
		for _, n := range found {
			repeated += n - 1
		}
		// What lies below the mark is not done again, all else is: how far the mark
		// is behind depends on the slowest of those in flight.
		if repeated != cut-mark {
			t.Errorf("cut %d: %d addresses twice, want %d: the mark was at %d", cut, repeated, cut-mark, mark)
		}
		furthest = max(furthest, mark)
	}
	if furthest == 0 {
		t.Error("every run started anew")
	}
}

// Four shards of one seed find everything, each address once.
func TestShards(t *testing.T) {
	addr := everywhere(t)
	found := map[string]int{}
	for k := range uint64(4) {
		cfg := config(t, builtin(t), parsed(t, "127.9.1.0/26", addr.Port()))
		cfg.Concurrency, cfg.Seed, cfg.Shard = 8, 9, target.Shard{K: k + 1, N: 4}
		cfg.Emit = func(e event.Event) error {
			if t, ok := e.(*event.Target); ok {
				found[t.Target.IP]++
			}
			return nil
		}
		if _, err := scan.Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	for ip, n := range found {
		if n != 1 {
			t.Errorf("%s is in %d shards", ip, n)
		}
	}
	if len(found) != 64 {
		t.Errorf("%d of 64 addresses found", len(found))
	}
}

// What is held back for the second look is not done: a run that is killed before
// that has written no line of it, and the one that continues does. What has no line
// is counted once.
func TestResumeHeldBack(t *testing.T) {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // nobody accepts: connected, and silent
	block := parsed(t, "127.9.2.0/27", l.Addr().(*net.TCPAddr).AddrPort().Port())
	for _, list := range []bool{true, false} {
		t.Run(fmt.Sprint("listed ", list), func(t *testing.T) {
			var mark scan.Mark
			found, atMark := map[string]int{}, 0
			run := func(from scan.Mark) event.Summary {
				cfg := config(t, builtin(t), block)
				cfg.Prober = prober(builtin(t), cfg.Scope, 300*time.Millisecond)
				cfg.Concurrency, cfg.Recheck, cfg.ListAll, cfg.From = 16, 5, list, from
				cfg.Checkpoint = func(m scan.Mark) { mark, atMark = m, len(found) }
				cfg.Emit = func(e event.Event) error {
					if t, ok := e.(*event.Target); ok {
						found[t.Target.IP]++
					}
					return nil
				}
				summary, err := scan.Run(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				return summary
			}
			run(scan.Mark{})
			if mark.Next != 32 || len(mark.Pending) != 5 {
				t.Fatalf("mark %+v, want 32 with 5 pending", mark)
			}
			if want := 27; list && (atMark != want || mark.Unlisted["silent"] != 0) || !list && mark.Unlisted["silent"] != want {
				t.Errorf("%d lines and %v without are done at the mark, want %d", atMark, mark.Unlisted, want)
			}
			clear(found) // the second look of a killed run never came
			summary := run(mark)
			if summary.Targets != 5 || summary.Outcomes["silent"] != 5 || !summary.Complete {
				t.Errorf("continued: %+v", summary)
			}
			if want := 5; list && len(found) != want {
				t.Errorf("continued: %d lines, want %d", len(found), want)
			}
			if mark.Next != 32 || len(mark.Pending)+mark.Unlisted["silent"]+atMark < 5 {
				t.Errorf("mark after it: %+v", mark)
			}
		})
	}
}

// everywhere starts a plain web server on all addresses of this machine, of
// which the tests use loopback ones only.
func everywhere(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: always(200, "<html><title>hello</title></html>", "Content-Type", htmlType)}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func parsed(t *testing.T, text string, port uint16) target.Spec {
	t.Helper()
	spec, err := target.Parse(text, "test", []uint16{port})
	if err != nil {
		t.Fatal(err)
	}
	return spec
}
