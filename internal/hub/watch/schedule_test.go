package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/config"
)

// bench is a scheduler in a bubble of time, whose clock can be set.
type bench struct {
	Scheduler
	mu     sync.Mutex
	skew   time.Duration // of the time of day
	begun  time.Time
	runs   []time.Duration // since the begin, of all watches
	by     map[string]int
	now    int // runs at this moment
	most   int
	said   []string
	result func(n int) error // of the n-th run
}

// newBench has runs take some time. The time of day begins where zone says.
func newBench(t *testing.T, takes time.Duration, watches ...*config.Watch) *bench {
	t.Helper()
	b := &bench{begun: time.Now(), by: map[string]int{}, result: func(int) error { return nil }}
	clock := SystemClock()
	now := clock.Now
	clock.Now = func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		return now().Add(b.skew)
	}
	b.Scheduler = Scheduler{
		Watches: watches, Clock: clock,
		Last: func(context.Context, string) (time.Time, error) { return time.Time{}, nil },
		Say: func(watch, text string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.said = append(b.said, watch+": "+text)
		},
		Run: func(ctx context.Context, w *config.Watch) error {
			b.mu.Lock()
			b.runs = append(b.runs, time.Since(b.begun))
			b.by[w.Name]++
			b.now++
			b.most = max(b.most, b.now)
			n, running := len(b.runs), b.now
			b.mu.Unlock()
			if running > 10 {
				t.Error("too many runs")
			}
			clock.Sleep(ctx, takes)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.now--
			return b.result(n)
		},
	}
	return b
}

// after serves for some time, with what is done to the clock at some moments.
func (b *bench) after(total time.Duration, at map[time.Duration]time.Duration) {
	ctx, stop := context.WithTimeout(context.Background(), total)
	defer stop()
	for when, skew := range at {
		time.AfterFunc(when, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.skew += skew
		})
	}
	b.Serve(ctx)
}

func every(name string, d time.Duration) *config.Watch { return &config.Watch{Name: name, Every: d} }

// gaps are the times between runs.
func (b *bench) gaps() (out []time.Duration) {
	for i := 1; i < len(b.runs); i++ {
		out = append(out, b.runs[i]-b.runs[i-1])
	}
	return out
}

func TestServe(t *testing.T) {
	for name, tt := range map[string]struct {
		takes time.Duration
		for_  time.Duration
		clock map[time.Duration]time.Duration
		runs  int // of one watch, every 6h
		want  func(b *bench) string
	}{
		"at its times, the first at once": {for_: 60*time.Hour + time.Minute, runs: 11, want: func(b *bench) string {
			if g := b.gaps(); b.runs[0] != 0 || g[0] > 6*time.Hour || slices.ContainsFunc(g[1:], func(d time.Duration) bool { return d != 6*time.Hour }) {
				return fmt.Sprint(b.runs)
			}
			return ""
		}},
		// The time of day goes on while nothing runs: one run makes up for all.
		"a machine that slept three days": {for_: 14 * time.Hour, clock: map[time.Duration]time.Duration{7 * time.Hour: 72*time.Hour + time.Minute}, runs: 4, want: func(b *bench) string {
			if !slices.ContainsFunc(b.runs, func(d time.Duration) bool { return d >= 7*time.Hour && d <= 7*time.Hour+look }) {
				return fmt.Sprint(b.runs)
			}
			return ""
		}},
		"a clock that is set back a year": {for_: 25 * time.Hour, clock: map[time.Duration]time.Duration{7 * time.Hour: -365 * 24 * time.Hour}, runs: 5, want: func(b *bench) string {
			if g := b.gaps(); slices.Max(g) > 6*time.Hour {
				return fmt.Sprint(g)
			}
			return ""
		}},
		"a clock that is set ahead a year": {for_: 25 * time.Hour, clock: map[time.Duration]time.Duration{7 * time.Hour: 365 * 24 * time.Hour}, runs: 6, want: func(b *bench) string {
			if g := b.gaps(); slices.Max(g) > 6*time.Hour {
				return fmt.Sprint(g)
			}
			return ""
		}},
		"runs that take longer than every": {takes: 7 * time.Hour, for_: 30 * time.Hour, runs: 3, want: func(b *bench) string {
			if b.most != 1 || len(b.said) == 0 || !strings.Contains(b.said[0], "a: a run took 7h0m0s, longer than every") {
				return fmt.Sprint(b.most, b.said)
			}
			return ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, tt.takes, every("a", 6*time.Hour))
				b.after(tt.for_, tt.clock)
				if bad := tt.want(b); bad != "" {
					t.Error(bad)
				}
				if n := len(b.runs); n < tt.runs-1 || n > tt.runs+1 {
					t.Errorf("%d runs at %v", n, b.runs)
				}
			})
		})
	}
}

// TestSlots: the times of a watch are the same in any zone and over a change to winter
// time, do not move with a restart, and differ between watches.
func TestSlots(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: no data of time zones here: ", err)
	}
	at := func(name string, now time.Time) time.Time {
		s := Scheduler{Clock: Clock{Now: func() time.Time { return now }, Elapsed: func() time.Duration { return 0 }}}
		return s.next(every(name, 24*time.Hour)).at
	}
	before := time.Date(2026, 10, 24, 12, 0, 0, 0, berlin)
	first := at("a", before)
	if again := at("a", before.UTC().Add(time.Minute)); !again.Equal(first) && again.Sub(first) != 24*time.Hour {
		t.Errorf("%v, a minute later %v", first, again)
	}
	second := at("a", first.Add(time.Second))
	third := at("a", second.Add(time.Second))
	if second.Sub(first) != 24*time.Hour || third.Sub(second) != 24*time.Hour || first.Sub(before) > 24*time.Hour {
		t.Errorf("%v, %v, %v", first, second, third)
	}
	seen := map[time.Time]bool{}
	for i := range 20 {
		seen[at(fmt.Sprint("w", i), before)] = true
	}
	if len(seen) < 20 {
		t.Errorf("20 watches have %d times", len(seen))
	}
}

// TestAtOnce: never more runs at once than allowed, never two of a watch, and each has
// its turn.
func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var watches []*config.Watch
		for i := range 7 {
			watches = append(watches, every(fmt.Sprint("w", i), time.Hour))
		}
		b := newBench(t, 20*time.Minute, watches...)
		b.after(10*time.Hour, nil)
		if b.most != 2 {
			t.Errorf("%d at once", b.most)
		}
		for _, w := range watches {
			if b.by[w.Name] < 4 {
				t.Errorf("%v", b.by)
			}
		}
	})
}

// TestFailedRun: it is said, and made again at the next time.
func TestFailedRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, every("a", time.Hour))
		b.result = func(n int) error {
			if n == 1 {
				return errors.New("no way\n\x1b[2Jout")
			}
			return nil
		}
		b.after(150*time.Minute, nil)
		if len(b.runs) < 3 || !slices.Equal(b.said, []string{"a: " + clean.N("no way\n\x1b[2Jout", 100)}) || strings.ContainsAny(b.said[0], "\n\x1b") {
			t.Errorf("%v, %q", b.runs, b.said)
		}
	})
}

// TestRestart: a watch that has run a moment ago waits for its time.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, every("a", 6*time.Hour))
		b.Last = func(context.Context, string) (time.Time, error) { return b.begun.Add(-time.Minute), nil }
		b.after(6*time.Hour, nil)
		if len(b.runs) != 1 || b.runs[0] == 0 {
			t.Errorf("%v", b.runs)
		}
	})
}

// TestRestartOfVantages: a watch of several vantages is due when the one is that was looked
// at longest ago.
func TestRestartOfVantages(t *testing.T) {
	for ago, want := range map[time.Duration]time.Duration{time.Minute: 1, 7 * time.Hour: 0} {
		synctest.Test(t, func(t *testing.T) {
			w := every("a", 6*time.Hour)
			w.Vantages = []string{"fra", "sgp"}
			b := newBench(t, 0, w)
			b.Last = func(_ context.Context, name string) (time.Time, error) {
				return b.begun.Add(-map[string]time.Duration{"a@fra": time.Minute, "a@sgp": ago}[name]), nil
			}
			b.after(6*time.Hour, nil)
			if len(b.runs) == 0 || min(b.runs[0], 1) != want {
				t.Errorf("%s ago: %v", ago, b.runs)
			}
		})
	}
}

// TestOthersMakeIt: runs that workers make take no place of those that the hub makes.
func TestOthersMakeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var watches []*config.Watch
		for i := range 5 {
			w := every(fmt.Sprint("w", i), time.Hour)
			w.Vantages = []string{"fra"}
			watches = append(watches, w)
		}
		b := newBench(t, 20*time.Minute, watches...)
		b.after(30*time.Minute, nil)
		if b.most != 5 {
			t.Errorf("%d at once", b.most)
		}
	})
}

func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, time.Minute, every("a", time.Hour), every("b", time.Hour), every("c", time.Hour))
		b.result = func(n int) error {
			if n == 2 {
				return errors.New("no way")
			}
			return nil
		}
		err := b.Once(t.Context())
		if len(b.runs) != 3 || b.by["a"]+b.by["b"] != 2 || b.most != 2 || err == nil || strings.Count(err.Error(), "no way") != 1 {
			t.Errorf("%v, %v, %d at once", err, b.by, b.most)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := b.Once(ctx); !errors.Is(err, context.Canceled) || len(b.runs) != 3 {
			t.Errorf("stopped: %v, %d runs", err, len(b.runs))
		}
	})
}
