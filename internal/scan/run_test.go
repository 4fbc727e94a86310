package scan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/test/nameserver"
)

func outcomes(targets []*event.Target) map[event.Outcome]int {
	out := map[event.Outcome]int{}
	for _, ev := range targets {
		out[ev.Outcome]++
	}
	return out
}

// Closed and silent members of ranges are counted, and listed only on demand;
// with any other outcome, or named by itself, a target has a line.
func TestLines(t *testing.T) {
	t.Parallel()
	set := builtin(t)
	shut := closed(t)
	mute := raw(t, hold).addr
	site := web(t, always(200, "hello")).addr
	for _, c := range []struct {
		name    string
		spec    target.Spec
		all     bool
		outcome event.Outcome
		lines   int
	}{
		{"closed", single(shut), false, "closed", 1},
		{"silent", single(mute), false, "silent", 1},
		{"web", single(site), false, "other", 1},
		{"swept closed", swept(shut, 5), false, "closed", 0},
		{"swept silent", swept(mute, 3), false, "silent", 0},
		{"swept web", swept(site, 3), false, "other", 3},
		{"swept closed, all listed", swept(shut, 5), true, "closed", 5},
		{"swept silent, all listed", swept(mute, 3), true, "silent", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t, set, c.spec)
			cfg.ListAll = c.all
			if c.outcome == "silent" {
				cfg.Prober.Timeout = 200 * time.Millisecond
			}
			targets, summary := run(t, t.Context(), cfg)
			want := len(c.spec.Ports)
			if len(targets) != c.lines || summary.Targets != int64(want) || summary.Outcomes[c.outcome] != want || !summary.Complete {
				t.Errorf("%d lines, want %d; summary %+v, want %d %s", len(targets), c.lines, summary, want, c.outcome)
			}
			for _, ev := range targets {
				if ev.Outcome != c.outcome || ev.Target.Input != c.spec.Input || ev.Target.Source != "test" {
					t.Errorf("line %+v", ev)
				}
			}
		})
	}
}

// answerDNS has names looked up in a zone, within this process, until the test
// ends. A test that uses it must not be parallel.
func answerDNS(t *testing.T, z nameserver.Zone) {
	t.Helper()
	s, err := nameserver.Start(z)
	if err != nil {
		t.Fatal(err)
	}
	previous := net.DefaultResolver
	net.DefaultResolver = s.Resolver()
	t.Cleanup(func() {
		net.DefaultResolver = previous
		s.Close()
	})
}

// A name is probed at each of its addresses, one line each, and is what Host
// says. An address outside the scope is not contacted through a name either.
func TestNames(t *testing.T) {
	var host atomic.Value
	s := web(t, func(w http.ResponseWriter, r *http.Request) { host.Store(r.Host) })
	answerDNS(t, nameserver.Zone{"gateway.test A": "127.0.0.1 169.254.169.254", "gateway.test AAAA": "::1"})
	spec := target.Spec{Name: "gateway.test", Ports: []uint16{s.addr.Port()}, Input: "gateway.test", Source: "test"}
	cfg := config(t, builtin(t), spec)
	cfg.Concurrency = 1
	targets, summary := run(t, t.Context(), cfg)
	if len(targets) != 3 || summary.Targets != 3 {
		t.Fatalf("%d lines, %d targets counted, want 3", len(targets), summary.Targets)
	}
	byIP := map[string]*event.Target{}
	for _, ev := range targets {
		byIP[ev.Target.IP] = ev
		if ev.Target.Name != "gateway.test" || ev.Target.URL != fmt.Sprintf("http://gateway.test:%d/", s.addr.Port()) {
			t.Errorf("line %+v", ev.Target)
		}
	}
	if ev := byIP["127.0.0.1"]; ev == nil || ev.Outcome != "other" {
		t.Errorf("at 127.0.0.1: %+v", ev)
	}
	// Whether this machine has IPv6 or not, nothing listens there.
	if ev := byIP["::1"]; ev == nil || ev.Outcome == "other" {
		t.Errorf("at ::1: %+v", ev)
	}
	if ev := byIP["169.254.169.254"]; ev == nil || ev.Outcome != "excluded" || ev.Connections != 0 {
		t.Errorf("at 169.254.169.254: %+v", ev)
	}
	if want := fmt.Sprintf("gateway.test:%d", s.addr.Port()); host.Load() != want {
		t.Errorf("Host was %q, want %q", host.Load(), want)
	}
}

func TestDNSError(t *testing.T) {
	answerDNS(t, nil)
	spec := target.Spec{Name: "nowhere.test", Ports: []uint16{1, 2}, Input: "nowhere.test", Source: "test"}
	targets, summary := run(t, t.Context(), config(t, builtin(t), spec))
	if len(targets) != 2 || summary.Outcomes["dns-error"] != 2 || !summary.Complete {
		t.Fatalf("%d lines, summary %+v", len(targets), summary)
	}
	ev := targets[0]
	if ev.Outcome != "dns-error" || ev.Error == "" || ev.Target.IP != "" || ev.Target.Reach != "" || ev.Requests+ev.Connections != 0 {
		t.Errorf("line %+v", ev)
	}
}

// What is outside the scope has a line that says so, and no packet reaches it.
func TestExcluded(t *testing.T) {
	s := web(t, always(200, "hello"))
	cfg := config(t, builtin(t), single(s.addr), swept(s.addr, 3))
	cfg.Scope = target.NewScope(nil, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, false)
	cfg.Prober = prober(cfg.Prober.Set, cfg.Scope, plenty)
	targets, summary := run(t, t.Context(), cfg)
	// The members of a set are counted only.
	if len(targets) != 1 || summary.Outcomes["excluded"] != 4 {
		t.Errorf("%d lines, summary %+v", len(targets), summary)
	}
	for _, ev := range targets {
		if ev.Error == "" || ev.Requests != 0 || ev.Connections != 0 {
			t.Errorf("line %+v", ev)
		}
	}
	if n := s.accepts.Load(); n != 0 {
		t.Errorf("an excluded target was contacted %d times", n)
	}
}

// An error of Emit, wherever it comes, ends the run: nothing more is emitted,
// and what is in flight is not waited for.
func TestEmitError(t *testing.T) {
	full := errors.New("disk full")
	set := builtin(t)
	mute, site := raw(t, hold).addr, web(t, always(200, "hello"))
	for _, c := range []struct {
		name  string
		fails int // the call that fails, from 1
		specs []target.Spec
	}{
		{"head", 1, []target.Spec{single(site.addr)}},
		{"first target", 2, []target.Spec{single(mute), single(mute), swept(site.addr, 1000)}},
		{"later target", 5, []target.Spec{single(mute), swept(site.addr, 1000)}},
		{"summary", 3, []target.Spec{single(site.addr)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t, set, c.specs...)
			cfg.Count = new(scan.Count)
			calls := 0
			cfg.Emit = func(event.Event) error {
				if calls++; calls == c.fails {
					return full
				}
				return nil
			}
			before, begin := site.accepts.Load(), time.Now()
			_, err := scan.Run(t.Context(), cfg)
			if !errors.Is(err, full) {
				t.Errorf("error %v, want one that wraps %q", err, full)
			}
			if calls != c.fails {
				t.Errorf("Emit was called %d times, want no call after the one that failed, the %d.", calls, c.fails)
			}
			if took := time.Since(begin); took > plenty/2 {
				t.Errorf("targets in flight were waited for: %v", took)
			}
			if n := int(site.accepts.Load() - before); n > c.fails+cfg.Concurrency {
				t.Errorf("%d further targets were contacted", n)
			}
			if done, all := cfg.Count.Done.Load(), cfg.Count.Total.Load(); all > 100 && done > all/2 {
				t.Errorf("went through %d of %d targets", done, all)
			}
		})
	}
}

// At an interrupt no further target is contacted, those in flight are given
// their time of grace and then up, and the summary still comes.
func TestInterrupt(t *testing.T) {
	const inFlight = 4
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var accepted atomic.Int32
	s := raw(t, func(c net.Conn) {
		if accepted.Add(1) == inFlight {
			cancel()
		}
		hold(c)
	})
	cfg := config(t, builtin(t), swept(s.addr, 100))
	cfg.Concurrency, cfg.Grace, cfg.Count = inFlight, 100*time.Millisecond, new(scan.Count)
	begin := time.Now()
	targets, summary := run(t, ctx, cfg)
	if took := time.Since(begin); took < cfg.Grace || took > plenty/2 {
		t.Errorf("ended after %v, the grace is %v", took, cfg.Grace)
	}
	if len(targets) != inFlight || outcomes(targets)["interrupted"] != inFlight {
		t.Errorf("lines %v, want %d interrupted", outcomes(targets), inFlight)
	}
	if summary.Complete || summary.Targets != inFlight || summary.Outcomes["interrupted"] != inFlight {
		t.Errorf("summary %+v", summary)
	}
	if n := accepted.Load(); n != inFlight {
		t.Errorf("%d connections, want %d", n, inFlight)
	}
	if n := cfg.Count.Done.Load(); n != inFlight {
		t.Errorf("%d counted as done, want %d", n, inFlight)
	}
}

// A target that answers within the time of grace gets its verdict.
func TestInterruptGrace(t *testing.T) {
	const inFlight = 3
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var arrived atomic.Int32
	s := web(t, func(http.ResponseWriter, *http.Request) {
		if arrived.Add(1) == inFlight {
			cancel()
		}
		<-ctx.Done()
	})
	cfg := config(t, builtin(t), swept(s.addr, 100))
	cfg.Concurrency, cfg.Grace = inFlight, plenty
	targets, summary := run(t, ctx, cfg)
	if len(targets) != inFlight || outcomes(targets)["other"] != inFlight || summary.Complete {
		t.Errorf("lines %v, want %d other; summary %+v", outcomes(targets), inFlight, summary)
	}
	if n := s.accepts.Load(); n != inFlight {
		t.Errorf("%d connections, want %d", n, inFlight)
	}
}

func TestInterruptedFromTheStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := web(t, always(200, "hello"))
	targets, summary := run(t, ctx, config(t, builtin(t), swept(s.addr, 10)))
	if len(targets) != 0 || summary.Targets != 0 || summary.Complete || s.accepts.Load() != 0 {
		t.Errorf("%d lines, %d connections, summary %+v", len(targets), s.accepts.Load(), summary)
	}
}

// All attempts have the time for one target together: where the first has taken it,
// there is no second, and what the first saw is what is said.
func TestRetriesWithinTheTime(t *testing.T) {
	t.Parallel()
	set := builtin(t)
	const wait = 300 * time.Millisecond
	scanned := func(timeout time.Duration, handle func(net.Conn)) (*event.Target, int) {
		s := raw(t, handle)
		cfg := config(t, set, single(s.addr))
		cfg.Retries, cfg.Prober.Timeout = 1, timeout
		ev := one(t, cfg)
		return ev, int(s.accepts.Load())
	}
	slow := func(c net.Conn) {
		time.Sleep(wait)
		reset(c)
	}
	// Plain text and TLS are each tried once an attempt.
	if ev, n := scanned(plenty, slow); n != 4 || ev.Outcome != "reset" {
		t.Errorf("with plenty of time: %d connections, %s", n, ev.Outcome)
	}
	if _, n := scanned(2*wait+50*time.Millisecond, slow); n > 2 {
		t.Errorf("with time for one attempt: %d connections", n)
	}
	var seen atomic.Int32
	thenSilent := func(c net.Conn) {
		if seen.Add(1) <= 2 {
			reset(c)
			return
		}
		_, _ = io.Copy(io.Discard, c) // until the other side has had enough
		c.Close()
	}
	if ev, n := scanned(2*time.Second, thenSilent); n < 3 || ev.Outcome != "reset" {
		t.Errorf("silent at the second attempt: %d connections, %s", n, ev.Outcome)
	}
}

// A reset is tried again as often as was asked for and no more; the line
// counts what all attempts cost.
func TestRetries(t *testing.T) {
	t.Parallel()
	set := builtin(t)
	cost := func(retries int, handle func(net.Conn)) (*event.Target, int) {
		s := raw(t, handle)
		cfg := config(t, set, single(s.addr))
		cfg.Retries = retries
		ev := one(t, cfg)
		return ev, int(s.accepts.Load())
	}
	ev, attempt := cost(0, reset)
	if ev.Outcome != "reset" || attempt == 0 {
		t.Fatalf("outcome %q after %d connections", ev.Outcome, attempt)
	}
	for _, retries := range []int{1, 2} {
		ev, n := cost(retries, reset)
		if ev.Outcome != "reset" || n != (1+retries)*attempt {
			t.Errorf("%d retries: outcome %q after %d connections, want %d", retries, ev.Outcome, n, (1+retries)*attempt)
		}
		if ev.Connections != n {
			t.Errorf("%d retries: the line says %d connections, the server saw %d", retries, ev.Connections, n)
		}
	}

	var seen atomic.Int32
	ev, n := cost(3, func(c net.Conn) {
		if int(seen.Add(1)) <= attempt {
			reset(c)
			return
		}
		greet("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c)
	})
	if ev.Outcome != "other" || n != attempt+1 {
		t.Errorf("answers at the second attempt: outcome %q after %d connections, want %d", ev.Outcome, n, attempt+1)
	}

	if ev, n := cost(3, greet("SSH-2.0-x\r\n")); ev.Outcome != "protocol-error" || n != 1 {
		t.Errorf("an answer that is not HTTP: outcome %q after %d connections, want 1", ev.Outcome, n)
	}
}

// The limit is used, and never exceeded.
func TestConcurrency(t *testing.T) {
	const limit, n = 7, 70
	var busy, most atomic.Int32
	full := make(chan struct{})
	var once sync.Once
	s := web(t, func(http.ResponseWriter, *http.Request) {
		now := busy.Add(1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		if now == limit {
			// Time for one too many to show.
			once.Do(func() { time.AfterFunc(50*time.Millisecond, func() { close(full) }) })
		}
		select {
		case <-full:
		case <-time.After(plenty / 3):
		}
		// Counted down before the answer: the client cannot continue earlier.
		busy.Add(-1)
	})
	cfg := config(t, builtin(t), swept(s.addr, n))
	cfg.Concurrency = limit
	targets, _ := run(t, t.Context(), cfg)
	if len(targets) != n || most.Load() != limit {
		t.Errorf("%d lines; at most %d targets at a time, want %d", len(targets), most.Load(), limit)
	}
}

// For any targets, named in any way, the summary is the sum
// of the lines and of what is only counted.
func TestSummaryIsTheSum(t *testing.T) {
	set := builtin(t)
	all := recorded(t)
	denied := netip.MustParseAddrPort("127.9.9.9:1")
	type kind struct {
		addr    netip.AddrPort
		outcome event.Outcome
		auth    event.AuthState // of what is recognised
	}
	kinds := []kind{
		{closed(t), "closed", ""},
		{web(t, always(200, "hello")).addr, "other", ""},
		{web(t, always(200, controlPage, "Content-Type", htmlType)).addr, "other", ""},
		{web(t, always(401, "", "WWW-Authenticate", "Basic")).addr, "other", ""},
		{raw(t, greet("SSH-2.0-x\r\n")).addr, "protocol-error", ""},
		{raw(t, reset).addr, "reset", ""},
		{denied, "excluded", ""},
		{start(t, all["openclaw/openclaw-2026.9.6-none.yaml"]).Addr, "identified", "open"},
		{start(t, all["openclaw/openclaw-2026.9.6-token.yaml"]).Addr, "identified", "required"},
		{start(t, all["openclaw/openclaw-2026.9.6-none-caddy.yaml"]).Addr, "identified", "blocked"},
	}
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		cfg := config(t, set)
		cfg.Scope = target.NewScope(nil, []netip.Prefix{netip.PrefixFrom(denied.Addr(), 32)}, false)
		cfg.Prober = prober(set, cfg.Scope, plenty)
		cfg.Concurrency, cfg.ListAll, cfg.Count = 1+random.IntN(8), random.IntN(2) == 0, new(scan.Count)
		want := event.Summary{Outcomes: map[event.Outcome]int{}, Auth: map[event.AuthState]int{}}
		hidden := map[event.Outcome]int{}
		for range random.IntN(8) {
			k := kinds[random.IntN(len(kinds))]
			spec := single(k.addr)
			if random.IntN(2) == 0 {
				spec = swept(k.addr, 2+random.IntN(2))
			}
			if err := cfg.Space.Add(spec); err != nil {
				t.Fatal(err)
			}
			if uint64(want.Targets) == cfg.Space.Len() {
				continue // the same once more
			}
			if len(spec.Ports) > 1 && (k.outcome == "closed" || k.outcome == "excluded") && !cfg.ListAll {
				hidden[k.outcome] += len(spec.Ports)
			}
			want.Targets += int64(len(spec.Ports))
			want.Outcomes[k.outcome] += len(spec.Ports)
			if k.auth != "" {
				want.Auth[k.auth] += len(spec.Ports)
			}
		}
		targets, got := run(t, t.Context(), cfg)
		if !got.Complete || got.Targets != want.Targets || !maps.Equal(got.Outcomes, want.Outcomes) || !maps.Equal(got.Auth, want.Auth) {
			t.Errorf("seed %d: summary %+v, want %+v", seed, got, want)
		}
		lines := outcomes(targets)
		for outcome, n := range hidden {
			lines[outcome] += n
		}
		if !maps.Equal(lines, got.Outcomes) {
			t.Errorf("seed %d: lines and what is hidden make %v, the summary says %v", seed, lines, got.Outcomes)
		}
		severities := map[event.Severity]int{}
		recognised := int64(0)
		for _, ev := range targets {
			for _, f := range ev.Findings {
				severities[f.Severity]++
			}
			if ev.Outcome == "identified" {
				recognised++
			}
		}
		if !maps.Equal(severities, got.Findings) {
			t.Errorf("seed %d: findings %v, the summary says %v", seed, severities, got.Findings)
		}
		if c := cfg.Count; c.Total.Load() != want.Targets || c.Done.Load() != want.Targets || c.Found.Load() != recognised {
			t.Errorf("seed %d: progress %d of %d, %d found; want %d and %d", seed, c.Done.Load(), c.Total.Load(), c.Found.Load(), want.Targets, recognised)
		}
	}
}

// What is held at the end of a run does not grow with the number of targets.
func TestMemory(t *testing.T) {
	set, shut := builtin(t), closed(t)
	held := func(n int) int64 {
		cfg := config(t, set, swept(shut, n))
		var stats runtime.MemStats
		cfg.Emit = func(e event.Event) error {
			if _, ok := e.(*event.Summary); ok {
				runtime.GC()
				runtime.ReadMemStats(&stats)
			}
			return nil
		}
		if _, err := scan.Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		return int64(stats.HeapAlloc)
	}
	const few, many = 100, 3000
	held(few) // fills what is kept once for all
	less := held(few)
	more := held(many)
	// The ports take 2 bytes each; an observation alone takes some hundred.
	if growth := (more - less) / (many - few); growth > 60 {
		t.Errorf("%d bytes are held for each target (%d for %d, %d for %d)", growth, less, few, more, many)
	}
}

// Every target is in exactly one line, in whatever order they end in.
func TestEachTargetOnce(t *testing.T) {
	var specs []target.Spec
	var want []int
	for i := range 12 {
		s := web(t, func(http.ResponseWriter, *http.Request) { time.Sleep(time.Duration(i%4) * 5 * time.Millisecond) })
		specs = append(specs, single(s.addr))
		want = append(want, int(s.addr.Port()))
	}
	targets, _ := run(t, t.Context(), config(t, builtin(t), specs...))
	var got []int
	for _, ev := range targets {
		got = append(got, ev.Target.Port)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("lines for ports %v, want %v", got, want)
	}
}

// Silent members of ranges are tried again at the end. What answers then is
// counted, listed and judged as if it had answered at once; what does not stays
// silent. With ListAll, too, each has one line.
func TestRecheck(t *testing.T) {
	const n = 6
	for _, all := range []bool{false, true} {
		t.Run(fmt.Sprintf("all=%t", all), func(t *testing.T) {
			t.Parallel()
			var seen atomic.Int32
			s := raw(t, func(c net.Conn) {
				if i := seen.Add(1); i <= n || i == 2*n {
					hold(c)
					return
				}
				greet("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c)
			})
			cfg := config(t, builtin(t), swept(s.addr, n))
			cfg.Concurrency, cfg.Recheck, cfg.ListAll, cfg.Prober.Timeout = n, 100, all, time.Second
			targets, summary := run(t, t.Context(), cfg)
			if want := (event.MissEstimate{Reprobed: n, Found: n - 1}); summary.MissEstimate != want {
				t.Errorf("estimate %+v, want %+v", summary.MissEstimate, want)
			}
			want := map[event.Outcome]int{"other": n - 1, "silent": 1}
			if !maps.Equal(summary.Outcomes, want) || summary.Targets != n || !summary.Complete {
				t.Errorf("summary %+v, want %d: %v", summary, n, want)
			}
			if !all {
				delete(want, "silent")
			}
			if got := outcomes(targets); !maps.Equal(got, want) {
				t.Errorf("lines %v, want %v", got, want)
			}
		})
	}
}

// No more than the sample is tried again, and after an interrupt nothing; the
// lines are the same.
func TestRecheckSample(t *testing.T) {
	const n = 6
	for _, c := range []struct {
		name      string
		recheck   int
		interrupt bool
		reprobed  int
		atMost    int // of the four others, by what two say
	}{
		{"none", 0, false, 0, 0},
		{"two", 2, false, 2, 3},
		{"interrupted", 100, true, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var seen atomic.Int32
			mute := raw(t, func(conn net.Conn) {
				if seen.Add(1) == n && c.interrupt {
					cancel()
				}
				hold(conn)
			})
			cfg := config(t, builtin(t), swept(mute.addr, n))
			cfg.Concurrency, cfg.Recheck, cfg.ListAll, cfg.Prober.Timeout, cfg.Grace = n, c.recheck, true, time.Second, plenty
			targets, summary := run(t, ctx, cfg)
			if want := (event.MissEstimate{Reprobed: c.reprobed, MissedAtMost: c.atMost}); summary.MissEstimate != want {
				t.Errorf("estimate %+v, want %+v", summary.MissEstimate, want)
			}
			want := map[event.Outcome]int{"silent": n}
			if got := outcomes(targets); !maps.Equal(got, want) || !maps.Equal(summary.Outcomes, want) {
				t.Errorf("lines %v, summary %+v, want %v", got, summary, want)
			}
			if n := int(seen.Load()); n != int(summary.Targets)+c.reprobed {
				t.Errorf("%d connections", n)
			}
		})
	}
}
