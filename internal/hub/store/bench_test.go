package store

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
	"github.com/clawsonar/clawsonar/internal/test/postgres"
)

// fleet writes the streams of a fleet: gateways in a /14, of which a few in a hundred
// change between two runs, for so many runs, one a day. Its lines are copies of lines of
// a stored scan of replicas, about 4 kB each.
func fleet(tb testing.TB, dir string, gateways, runs int) {
	tb.Helper()
	var kinds []*event.Target
	f, err := os.Open("../../../testdata/streams/replicas.jsonl")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if err := event.Read(f, f.Name(), func(e event.Event) error {
		if t, ok := e.(*event.Target); ok && t.Outcome == event.OutcomeIdentified && len(kinds) < 4 {
			kinds = append(kinds, t)
		}
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	of := make([]int, gateways) // which kind each is now; -1: it does not answer
	for i := range of {
		of[i] = rng.IntN(len(kinds))
	}
	if err := os.MkdirAll(filepath.Join(dir, "fleet"), 0o700); err != nil {
		tb.Fatal(err)
	}
	start := time.Date(2025, 12, 1, 3, 0, 0, 0, time.UTC)
	for n := range runs {
		begun := start.AddDate(0, 0, n)
		out, err := os.Create(filepath.Join(dir, "fleet", begun.Format("20060102T150405.000Z")+".jsonl.gz"))
		if err != nil {
			tb.Fatal(err)
		}
		z, _ := gzip.NewWriterLevel(out, gzip.BestSpeed)
		buf := bufio.NewWriterSize(z, 1<<20)
		w := event.NewWriter(buf)
		sum := event.NewSummary()
		sum.Type, sum.Finished, sum.Complete = event.TypeSummary, begun.Add(10*time.Minute), true
		write := func(e event.Event) {
			if err := w.Write(e); err != nil {
				tb.Fatal(err)
			}
		}
		// With CLAWSONAR_BENCH_CHANGES only what changed has a line after the first run: as
		// many episodes in a fraction of the time.
		again := os.Getenv("CLAWSONAR_BENCH_CHANGES") != "" && n > 0
		write(&event.Scan{Type: event.TypeScan, Schema: event.Schema, Started: begun, Level: event.LevelStandard, Shard: "1/1", Watch: "fleet", Config: "x", Again: again})
		for i := range of {
			before := of[i]
			switch r := rng.IntN(1000); { // 10 changes a year each, about
			case r < 20:
				of[i] = rng.IntN(len(kinds))
			case r < 27:
				of[i] = -1
			case of[i] < 0 && r < 500:
				of[i] = rng.IntN(len(kinds))
			}
			if of[i] < 0 && !again || again && of[i] == before {
				continue
			}
			t := event.Target{Type: event.TypeTarget, Outcome: event.OutcomeSilent}
			if of[i] >= 0 {
				t = *kinds[of[i]]
			}
			t.Target.IP = fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
			t.Target.Port = 18789
			t.Target.URL = "http://" + t.Target.IP + ":18789/"
			t.Target.Input, t.Target.Name, t.Target.Member = "10.0.0.0/14", "", event.OfRange
			t.DurationMS = int64(rng.IntN(500))
			t.Findings = append([]event.Finding(nil), t.Findings...)
			for j := range t.Findings {
				t.Findings[j].Key = strconv.Itoa(i) + t.Findings[j].ID
			}
			sum.Add(&t)
			write(&t)
		}
		write(sum)
		if err := buf.Flush(); err != nil {
			tb.Fatal(err)
		}
		if err := z.Close(); err != nil {
			tb.Fatal(err)
		}
		if err := out.Close(); err != nil {
			tb.Fatal(err)
		}
	}
}

// size reads a number from the environment: CLAWSONAR_BENCH_GATEWAYS and
// CLAWSONAR_BENCH_RUNS make the fleet of 20,000 gateways and a year.
func size(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv("CLAWSONAR_BENCH_" + name)); err == nil {
		return n
	}
	return otherwise
}

func BenchmarkImport(b *testing.B) {
	gateways, runs := size("GATEWAYS", 2000), size("RUNS", 10)
	dir := os.Getenv("CLAWSONAR_BENCH_FLEET")
	if dir == "" {
		dir = b.TempDir()
	}
	if _, err := os.Stat(filepath.Join(dir, "fleet")); err != nil {
		fleet(b, dir, gateways, runs)
	}
	for _, kind := range []string{"SQLite", "PostgreSQL"} {
		b.Run(kind, func(b *testing.B) {
			where := filepath.Join(b.TempDir(), "board.db")
			if kind == "PostgreSQL" {
				where = postgres.Start(b).Database(b)
			}
			s, err := Open(context.Background(), where)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.Run("import", func(b *testing.B) {
				var out Imported
				for b.Loop() {
					if out, err = s.Import(context.Background(), dir, check.Infos(), nil); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(out.Runs*gateways*b.N)/b.Elapsed().Seconds(), "lines/s")
				b.ReportMetric(float64(peak())/(1<<20), "MiB-peak")
				if info, err := os.Stat(where); err == nil {
					b.ReportMetric(float64(info.Size())/(1<<20), "MiB-file")
				}
			})
			b.Run("queries", func(b *testing.B) { queries(b, s) })
			b.Run("apply", func(b *testing.B) { again(b, s, dir) })
		})
	}
}

// queries times what the pages ask.
func queries(b *testing.B, s *Store) {
	ctx := context.Background()
	filter := func(text string) Filter {
		f, err := ParseFilter(text)
		if err != nil {
			b.Fatal(err)
		}
		return f
	}
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	list, _, err := s.Gateways(ctx, Filter{}, Page{})
	if err != nil || len(list) == 0 {
		b.Fatal(err)
	}
	one := list[0].ID
	for name, f := range map[string]func() error{
		"overview":   func() error { _, err := s.Overview(ctx, now); return err },
		"first page": func() error { _, _, err := s.Gateways(ctx, Filter{}, Page{}); return err },
		"last page":  func() error { _, _, err := s.Gateways(ctx, Filter{}, Page{Offset: 19_900}); return err },
		"filter": func() error {
			_, _, err := s.Gateways(ctx, filter("verdict:open net:10.0.0.0/16 release:<2026.9"), Page{})
			return err
		},
		"finding":  func() error { _, _, err := s.Gateways(ctx, filter("finding:auth-missing"), Page{}); return err },
		"word":     func() error { _, _, err := s.Gateways(ctx, filter("99.1"), Page{}); return err },
		"gateway":  func() error { _, err := s.Sights(ctx, one); return err },
		"unseen":   func() error { _, err := s.Unseen(ctx, one); return err },
		"episodes": func() error { _, err := s.Episodes(ctx, one); return err },
		"changes":  func() error { _, _, err := s.Changes(ctx, ChangeFilter{Episodes: true}, Page{}); return err },
		"changes a week": func() error {
			_, _, err := s.Changes(ctx, ChangeFilter{Since: now.AddDate(0, 0, -7), Kinds: []Kind{KindClosed}}, Page{})
			return err
		},
		"gauges": func() error { _, err := s.Gauges(ctx); return err },
		"runs":   func() error { _, _, err := s.Runs(ctx, RunFilter{}, Page{}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// again times the taking in of one more run.
func again(b *testing.B, s *Store, dir string) {
	list, _, err := survey(dir)
	if err != nil {
		b.Fatal(err)
	}
	last := list[len(list)-1].Path
	for i := 0; b.Loop(); i++ {
		x, err := stream.Open(last)
		if err != nil {
			b.Fatal(err)
		}
		x.SHA256 = strconv.Itoa(i) // another one
		x.Summary.Finished = x.Summary.Finished.Add(time.Duration(i+1) * time.Hour)
		if _, err := s.Apply(context.Background(), x, last, check.Infos()); err != nil {
			b.Fatal(err)
		}
	}
}

// peak is the most memory that the process had, in bytes; 0 where that is not known.
func peak() (n int64) {
	runtime.GC()
	text, _ := os.ReadFile("/proc/self/status")
	for l := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(l, "VmHWM: %d kB", &n); err == nil {
			return n << 10
		}
	}
	return 0
}
