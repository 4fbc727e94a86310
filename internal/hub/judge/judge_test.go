package judge

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
	"github.com/clawsonar/clawsonar/internal/hub/watch"
	"github.com/clawsonar/clawsonar/internal/target"
)

const (
	units = 4
	port  = 18789
)

// bench is a ledger with a job of 16 addresses in four units, a history, and a judge.
type bench struct {
	*Judge
	t      *testing.T
	s      *store.Store
	runner *watch.Runner
	job    store.Job
	space  *target.Space
	seed   uint64
	now    time.Time
}

func begin(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)}
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	known, err := data.Builtin()
	b.must(err)
	s := audit.Defaults()
	s.Targets, s.Ports, s.Seed, s.Exclude = []string{"10.0.0.0/28"}, fmt.Sprint(port), 3, []string{"10.0.0.9"}
	digest, err := known.Digest()
	b.must(err)
	maker := audit.Builder{Settings: &s, Tool: event.Tool{Name: "test", Version: "1"}, Known: known}
	plan, cfg, err := maker.Plan(t.Context(), "job.yaml:1")
	b.must(err)
	t.Cleanup(cfg.Space.Close)
	b.space, b.seed = cfg.Space, cfg.Seed
	b.s, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "board.db"))
	b.must(err)
	t.Cleanup(func() { b.s.Close() })
	b.job = store.Job{Name: "all", Created: b.now, Vantages: []string{"fra", "sgp"}, Rate: 100}
	b.must(b.s.AddJob(t.Context(), &b.job))
	r, list, err := job.New(b.job.ID, "all", b.now, b.job.Vantages, 100, units, digest, plan, cfg)
	b.must(err)
	signed, err := job.Sign(key, r)
	b.must(err)
	b.must(b.s.StartJob(t.Context(), b.job.ID, signed, list, r.Units, r.Targets, b.now))
	b.runner = &watch.Runner{Dir: t.TempDir(), Store: b.s, Checks: check.Infos(), Now: b.clock}
	b.Judge = &Judge{Ledger: b.s, Take: b.runner.Take, Key: key.Public().(ed25519.PublicKey), Tool: event.Tool{Name: "clawsonar-hub", Version: "1"}, Now: b.clock}
	return b
}

func (b *bench) clock() time.Time { return b.now }

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// addresses are those of a unit.
func (b *bench) addresses(k uint64) (out []string) {
	order, shard := target.NewOrder(b.space.Len(), b.seed), target.Shard{K: k, N: units}
	for i := range shard.Len(b.space.Len()) {
		t, err := b.space.At(order.At(shard.At(i)))
		b.must(err)
		if a := t.Addr.Addr().String(); a != "10.0.0.9" {
			out = append(out, a)
		}
	}
	return out
}

// begin begins an attempt, with a head that lies.
func (b *bench) begin(k uint64, worker string, lines ...string) job.At {
	b.t.Helper()
	b.now = b.now.Add(time.Second)
	begun, err := b.s.BeginUnit(b.t.Context(), job.Unit{Job: b.job.ID, Vantage: "fra", K: k}, worker, b.now)
	if err != nil || begun.Order != job.Run {
		b.t.Fatalf("%+v, %v", begun, err)
	}
	a := job.At{Unit: job.Unit{Job: b.job.ID, Vantage: "fra", K: k}, Attempt: begun.Attempt}
	b.part(a, worker, 0, append([]string{`{"type":"scan","schema":1,"tool":{"name":"x"},"started":"2020-01-01T00:00:00Z","level":"passive","shard":"1/1","watch":"office",` +
		`"vantage":"moon","config":"other","authorization":{"authorized":true,"contact":"x"},"again":true}`}, lines...)...)
	return a
}

func (b *bench) part(a job.At, worker string, seq int, lines ...string) {
	b.t.Helper()
	var data bytes.Buffer
	z, err := zstd.NewWriter(&data)
	b.must(err)
	for _, l := range lines {
		fmt.Fprintln(z, l)
	}
	b.must(z.Close())
	if o, err := b.s.AddPart(b.t.Context(), job.Part{At: a, Seq: seq, Data: data.Bytes()}, worker, b.now); err != nil || o.Order != job.Run {
		b.t.Fatalf("%+v, %v", o, err)
	}
}

// done ends a unit of which so many lines are open gateways; the rest is silent.
func (b *bench) done(a job.At, worker string, open int) {
	b.t.Helper()
	b.part(a, worker, 1, fmt.Sprintf(`{"type":"summary","finished":"2099-01-01T00:00:00Z","targets":4,"outcomes":{"identified":%d,"silent":%d},"auth":{"open":%d},"findings":{},"complete":true,`+
		`"miss_estimate":{"reprobed":1,"found":0},"notes":["all is well","1 name"],"messages":[{"id":""},{"id":"names.chosen","args":{"count":["9"]}}]}`, open, 4-open, open))
	if o, err := b.s.DoneUnit(b.t.Context(), a, worker, 2, b.now); err != nil || o.Order != job.Drop || !strings.Contains(o.Why, "done") {
		b.t.Fatalf("%+v, %v", o, err)
	}
}

// line is that of an open gateway.
func line(ip string, change ...string) string {
	text := fmt.Sprintf(`{"type":"target","target":{"input":"x","ip":"%s","port":%d,"url":"http://%s:%d/"},"outcome":"identified",`+
		`"product":{"id":"openclaw","confidence":"certain"},"auth":{"state":"open"},"requests":1,"connections":1}`, ip, port, ip, port)
	for i := 0; i < len(change); i += 2 {
		text = strings.Replace(text, change[i], change[i+1], 1)
	}
	return text
}

// all does the units from one on, each with a gateway.
func (b *bench) all(from uint64) {
	for k := from; k <= units; k++ {
		b.done(b.begin(k, "w", line(b.addresses(k)[0])), "w", 1)
	}
}

// results are the events of a job.
func (b *bench) results() (head *event.Scan, ips []string, sum *event.Summary) {
	b.t.Helper()
	counted := event.NewSummary()
	b.must(b.Results(b.t.Context(), "all", "fra", func(e event.Event) error {
		switch e := e.(type) {
		case *event.Scan:
			head = e
		case *event.Target:
			ips = append(ips, e.Target.IP)
			counted.Add(e)
		case *event.Summary:
			sum = e
		}
		return nil
	}))
	if !maps.Equal(counted.Auth, sum.Auth) || counted.Outcomes[event.OutcomeIdentified] != sum.Outcomes[event.OutcomeIdentified] {
		b.t.Errorf("the summary says %v %v, the lines %v %v", sum.Outcomes, sum.Auth, counted.Outcomes, counted.Auth)
	}
	return head, ips, sum
}

// TestResults: the units of a job are one scan, of which the record says what was asked.
func TestResults(t *testing.T) {
	b := begin(t)
	_, ips, sum := b.results()
	if len(ips) > 0 || sum.Complete || sum.Targets != 0 || sum.Unlisted.Count != 16 || !strings.Contains(strings.Join(sum.Notes, ""), "4 of the 4 parts of this job were not done") {
		t.Errorf("of a job of which nothing is done: %v, %+v", ips, sum)
	}
	b.all(1)
	head, ips, sum := b.results()
	if head.Watch != "all@fra" || head.Vantage != "fra" || head.Shard != "1/1" || head.Level != "standard" || head.Again || head.Tool.Name != "clawsonar-hub" ||
		head.Authorization.Authorized || head.Config == "other" || head.Config == "" || !head.Started.Equal(b.job.Created.Add(time.Second)) {
		t.Errorf("%+v", head)
	}
	if len(ips) != 4 || !sum.Complete || sum.Targets != 16 || sum.Outcomes[event.OutcomeSilent] != 12 || sum.Unlisted != nil || !sum.Finished.Equal(b.now) ||
		len(sum.Notes) != 1 || !strings.HasPrefix(sum.Notes[0], "Of names with more than 9 addresses") {
		t.Errorf("%v, %+v", ips, sum)
	}
	if m := sum.MissEstimate; m.Reprobed != 4 || m.Missed != 0 || m.MissedAtMost != 4 { // of 8; Wilson's upper end of none of 4 is 0.49
		t.Errorf("%+v", m)
	}
}

// TestHostile: what a worker cannot have from its unit is not believed, and said.
func TestHostile(t *testing.T) {
	b := begin(t)
	mine, other := b.addresses(1), b.addresses(2)
	for name, l := range map[string]string{
		"outside the job":          line("10.0.1.1"),
		"excluded":                 line("10.0.0.9"),
		"of another unit":          line(other[0]),
		"never contacted":          line("169.254.169.254"),
		"a name":                   line(mine[0], `"ip"`, `"name":"bank.example","ip"`),
		"a name for the address":   line(mine[0], `"ip"`, `"name":"bank.example","ip"`, "http://"+mine[0], "http://bank.example"),
		"the URL of another":       line(mine[0], "http://"+mine[0], "http://bank.example"),
		"the URL of a file":        line(mine[0], "http://"+mine[0], "file:///x"),
		"another port in the URL":  line(mine[0], fmt.Sprintf("%s:%d/", mine[0], port), mine[0]+":1/"),
		"no port":                  line(mine[0], `"port":18789`, `"port":0`),
		"files":                    line(mine[0], `"ip"`, `"kind":"files","ip"`),
		"an unknown state":         line(mine[0], `"open"`, `"safe"`),
		"an absent one":            line(mine[0], `"outcome":"identified"`, `"outcome":"absent"`),
		"a declared one":           line(mine[0], `"requests"`, `"posture":{"result":"ok"},"requests"`),
		"the same as another":      line(mine[0], `"requests"`, `"same_as":{"url":"x"},"requests"`),
		"a change":                 line(mine[0], `"requests"`, `"changes":[{"what":"x"}],"requests"`),
		"silent, and a gateway":    line(mine[0], `"outcome":"identified"`, `"outcome":"silent"`),
		"no address":               line(mine[0], `"ip":"`+mine[0]+`"`, `"ip":""`),
		"negative":                 line(mine[0], `"requests":1`, `"requests":-1`),
		"a finding of no severity": line(mine[0], `"requests"`, `"findings":[{"id":"x","key":"x","severity":"none"}],"requests"`),
	} {
		b := begin(t)
		b.begin(1, "evil", l, line(mine[1]))
		if _, ips, sum := b.results(); !slices.Equal(ips, []string{mine[1]}) || !strings.Contains(strings.Join(sum.Notes, "\n"), "left out: 1, of evil") {
			t.Errorf("%s: %s, %s", name, ips, sum.Notes)
		}
	}
	// It says that all is done, and the numbers are right.
	b.done(b.begin(1, "evil", line(other[0]), line(mine[1])), "evil", 2)
	b.all(2)
	_, ips, sum := b.results()
	if sum.Complete || len(ips) != 4 || sum.Targets != 15 || sum.Outcomes[event.OutcomeIdentified] != 4 || strings.Contains(strings.Join(sum.Notes, ""), "well") {
		t.Errorf("%v, %+v", ips, sum)
	}
	// The job does not say that it is complete when its run is not.
	b.must(b.Finish(t.Context(), b.job.ID, "fra"))
	if p, err := b.s.Progress(t.Context(), b.job.ID, b.now); err != nil || !p[0].Handed || p[0].Summary.Complete {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestFailed: a unit that was given up makes the whole incomplete; what its attempts have
// found counts, each target once, and the others are named.
func TestFailed(t *testing.T) {
	b := begin(t)
	mine := b.addresses(1)
	for i := range job.MaxAttempts {
		a := b.begin(1, "w", line(mine[0]))
		if i == 1 {
			b.part(a, "w", 1, line(mine[1]), `{"type":"summary","targets":4,"complete":true}`, line(mine[2]))
		}
		if _, err := b.s.FailUnit(t.Context(), job.Fail{At: a, Error: "no way"}, "w", b.now); err != nil {
			t.Fatal(err)
		}
	}
	b.all(2)
	_, ips, sum := b.results()
	slices.Sort(ips)
	want := append(b.addresses(2)[:1], b.addresses(3)[0], b.addresses(4)[0], mine[0], mine[1])
	slices.Sort(want)
	if !slices.Equal(ips, want) || sum.Complete || sum.Targets != 14 || !strings.Contains(strings.Join(sum.Notes, ""), "1 of the 4 parts of this job were given up, so what is at their addresses is not known: 1/4 (no way)") {
		t.Errorf("%v, %+v", ips, sum)
	}
	if u := sum.Unlisted; u == nil || u.Count != 2 || len(u.Targets) != 2 || u.Targets[0].Outcome != "interrupted" {
		t.Errorf("%+v", u)
	}
}

// TestFinish: whatever fails, the vantage is in the history once.
func TestFinish(t *testing.T) {
	broken := errors.New("broken")
	for name, breaks := range map[string]func(b *bench){
		"nothing": func(*bench) {},
		"the writing": func(b *bench) {
			b.Take = func(ctx context.Context, w string, began time.Time, write func(func(event.Event) error) error) (store.Applied, error) {
				n := 0
				return b.runner.Take(ctx, w, began, func(emit func(event.Event) error) error {
					return write(func(e event.Event) error {
						if n++; n == 3 {
							return broken
						}
						return emit(e)
					})
				})
			}
		},
		"a kill while it is written": func(b *bench) {
			dir := filepath.Join(b.runner.Dir, "all@fra")
			b.must(os.MkdirAll(dir, 0o700))
			b.must(os.WriteFile(filepath.Join(dir, "20261130T030000.000Z.jsonl.gz.tmp"), []byte("half"), 0o600))
			b.Take = func(context.Context, string, time.Time, func(func(event.Event) error) error) (store.Applied, error) {
				return store.Applied{}, broken
			}
		},
		"the history": func(b *bench) {
			r := &watch.Runner{Dir: b.runner.Dir, Store: failing{b.s}, Checks: b.runner.Checks, Now: b.clock}
			b.Take = r.Take
		},
		"the mark": func(b *bench) { b.Ledger = unmarked{b.s} },
	} {
		t.Run(name, func(t *testing.T) {
			b := begin(t)
			b.all(1)
			breaks(b)
			err := b.Finish(t.Context(), b.job.ID, "fra")
			if (err == nil) != (name == "nothing") {
				t.Fatal(err)
			}
			// Another process.
			b.Judge.Take, b.Judge.Ledger = b.runner.Take, b.s
			b.must(b.runner.Adopt(t.Context()))
			for {
				list, err := b.s.Unhanded(t.Context())
				b.must(err)
				if len(list) == 0 {
					break
				}
				b.now = b.now.Add(time.Hour)
				b.must(b.Finish(t.Context(), list[0].Job, list[0].Vantage))
			}
			runs, n, err := b.s.Runs(t.Context(), store.RunFilter{}, store.Page{})
			if err != nil || n != 1 || runs[0].Watch != "all@fra" || runs[0].Vantage != "fra" || !runs[0].Complete || runs[0].Targets != 16 || runs[0].Gateways != 4 {
				t.Errorf("%+v, %v", runs, err)
			}
			files, err := os.ReadDir(filepath.Join(b.runner.Dir, "all@fra"))
			if err != nil || len(files) != 1 || files[0].Name() != "20261130T030000.000Z.jsonl.gz" {
				t.Errorf("%v, %v", files, err)
			}
			if p, err := b.s.Progress(t.Context(), b.job.ID, b.now); err != nil || !p[0].Summary.Complete {
				t.Errorf("%+v, %v", p, err)
			}
			if err := b.Results(t.Context(), "all", "fra", func(event.Event) error { return nil }); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the parts are still there: %v", err)
			}
		})
	}
}

type failing struct{ *store.Store }

func (failing) Apply(context.Context, *stream.Stream, string, []event.CheckInfo) (store.Applied, error) {
	return store.Applied{}, errors.New("broken")
}

type unmarked struct{ *store.Store }

func (unmarked) Handed(context.Context, store.Finished, bool, time.Time) error {
	return errors.New("broken")
}

// TestStopped: what a job that was stopped has found opens, and closes nothing.
func TestStopped(t *testing.T) {
	b := begin(t)
	b.all(3)
	b.begin(1, "w", line(b.addresses(1)[0]))
	_, err := b.s.WantJob(t.Context(), "all", store.WantStop, "enough", b.now)
	b.must(err)
	b.must(b.Finish(t.Context(), b.job.ID, "fra"))
	runs, n, err := b.s.Runs(t.Context(), store.RunFilter{}, store.Page{})
	if err != nil || n != 1 || runs[0].Complete || runs[0].Gateways != 3 || runs[0].Targets != 9 {
		t.Errorf("%+v, %v", runs, err)
	}
}
