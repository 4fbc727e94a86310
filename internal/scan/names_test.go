package scan_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/test/nameserver"
)

func named(name string, ports ...uint16) target.Spec {
	return target.Spec{Name: name, Ports: ports, Input: name, Source: "test"}
}

// A look-up of which one half failed is not the whole target: it has a line of its
// own, and the others say so.
func TestHalfResolved(t *testing.T) {
	s := web(t, always(200, "hello"))
	answerDNS(t, nameserver.Zone{
		"gw.test A": "127.0.0.1", "gw.test AAAA": "SERVFAIL",
		"none.test A": "SERVFAIL", "none.test AAAA": "SERVFAIL",
	})
	const trouble = "its IPv6 addresses could not be looked up: server misbehaving"
	targets, summary := run(t, t.Context(), config(t, builtin(t), named("gw.test", s.addr.Port())))
	if got := fmt.Sprint(outcomes(targets)); got != "map[dns-error:1 other:1]" || summary.Targets != 2 || !summary.Complete {
		t.Fatalf("%s, %+v", got, summary)
	}
	for _, ev := range targets {
		switch ev.Outcome {
		case "dns-error":
			if ev.Error != trouble || ev.Target.IP != "" || len(ev.Notes) > 0 || ev.Connections != 0 {
				t.Errorf("line of the look-up: %+v", ev)
			}
		case "other":
			if ev.Target.IP != "127.0.0.1" || !slices.Contains(ev.Notes, trouble) {
				t.Errorf("line of the address: %+v", ev)
			}
		}
	}
	targets, _ = run(t, t.Context(), config(t, builtin(t), named("none.test", 1, 2)))
	if got := fmt.Sprint(outcomes(targets)); got != "map[dns-error:2]" || targets[0].Error != "its IPv4 and IPv6 addresses could not be looked up: server misbehaving" {
		t.Errorf("both halves failed: %s, %+v", got, targets[0])
	}
}

// manyAddresses is a zone in which many.test has n loopback addresses.
func manyAddresses(n int) nameserver.Zone {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("127.8.%d.%d", i>>8, i&255))
	}
	return nameserver.Zone{"many.test A": strings.Join(list, " ")}
}

// onEvery serves connections on all loopback addresses.
func onEvery(t *testing.T, handle func(net.Conn)) uint16 {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
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
	t.Cleanup(func() { l.Close(); end(); group.Wait() })
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}

// Of a name with thousands of addresses the seed chooses sixteen, which are tried
// side by side, and the output says so.
func TestManyAddresses(t *testing.T) {
	answerDNS(t, manyAddresses(3000))
	const most = 16
	var mu sync.Mutex
	inside := 0
	all := make(chan struct{})
	port := onEvery(t, func(c net.Conn) {
		// Nobody is answered before all are there: one after the other, none would be.
		mu.Lock()
		if inside++; inside == most {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
		case <-time.After(plenty):
		}
	})
	tried := func(seed uint64, specs ...target.Spec) []string {
		cfg := config(t, builtin(t), specs...)
		cfg.Concurrency, cfg.Seed, cfg.InFlight = 2*most, seed, nil
		cfg.Prober.Wire = seeded(cfg.Scope, seed)
		targets, summary := run(t, t.Context(), cfg)
		var out []string
		for _, ev := range targets {
			const note = "the name has 3000 addresses: 16 of them are tried"
			if ev.Target.IP != "" {
				out = append(out, ev.Target.IP)
				if !slices.Contains(ev.Notes, note) {
					t.Errorf("%s: notes %q", ev.Target.IP, ev.Notes)
				}
			} else if ev.Outcome != "excluded" || ev.Error != note {
				t.Errorf("line of those that are not tried: %+v", ev)
			}
		}
		if len(targets) != len(out)+1 || len(summary.Notes) != 1 || !strings.Contains(summary.Notes[0], "more than 16 addresses") || !summary.Complete {
			t.Errorf("%d lines, %d addresses, summary %+v", len(targets), len(out), summary)
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	first := tried(1, named("many.test", port))
	if len(first) != most {
		t.Fatalf("%d addresses were tried: %v", len(first), first)
	}
	if again := tried(1, named("many.test", port)); !slices.Equal(first, again) {
		t.Errorf("the same seed chose %v, then %v", first, again)
	}
	if other := tried(2, named("many.test", port)); slices.Equal(first, other) {
		t.Error("another seed chose the same")
	}
}

// A name is done when all its addresses are: an interrupt in between leaves it to
// the run that continues. One place in flight is enough for any number of names.
func TestAddressesInterrupted(t *testing.T) {
	answerDNS(t, manyAddresses(12))
	addr := everywhere(t)
	next := scan.Mark{Next: 99}
	seen := map[string]int{}
	for _, limit := range []int{3, 1000} {
		ctx, cancel := context.WithCancel(t.Context())
		cfg := config(t, builtin(t), named("many.test", addr.Port(), addr.Port()))
		cfg.Concurrency = 1
		if limit == 1000 {
			cfg.From = next
		}
		cfg.Checkpoint = func(m scan.Mark) { next = m }
		lines := 0
		cfg.Emit = func(e event.Event) error {
			if t, ok := e.(*event.Target); ok {
				seen[t.Target.IP]++
				if lines++; lines == limit {
					cancel()
				}
			}
			return nil
		}
		summary, err := scan.Run(ctx, cfg)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if limit == 3 && (next.Next != 0 || summary.Complete || lines >= 12) {
			t.Errorf("interrupted: %d lines, done before %d, %+v", lines, next.Next, summary)
		}
		if limit == 1000 && (next.Next != 2 || !summary.Complete || lines != 24) {
			t.Errorf("continued: %d lines, done before %d, %+v", lines, next.Next, summary)
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d of 12 addresses have a line", len(seen))
	}
}

// An AAAA record that holds an IPv4-mapped address is no way to this machine. (Of
// the other forms that lead to it the tests of the scope know.)
func TestMappedRecord(t *testing.T) {
	s := web(t, always(200, "hello"))
	answerDNS(t, nameserver.Zone{"gw.test AAAA": "::ffff:127.0.0.1", "plain.test A": "127.0.0.1"})
	for name, want := range map[string]string{"gw.test": "map[excluded:1]", "plain.test": "map[other:1]"} {
		cfg := config(t, builtin(t), named(name, s.addr.Port()))
		cfg.Scope = target.NewScope(nil, []netip.Prefix{netip.MustParsePrefix("::/0")}, true)
		cfg.Prober = prober(cfg.Prober.Set, cfg.Scope, plenty)
		before := s.accepts.Load()
		targets, _ := run(t, t.Context(), cfg)
		if got := fmt.Sprint(outcomes(targets)); got != want || name == "gw.test" && s.accepts.Load() != before {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
