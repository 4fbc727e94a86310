package worker

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/judge"
	"github.com/clawsonar/clawsonar/internal/hub/queue"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/hub/watch"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

// The benchmarks of a fleet measure a hub, all of it, with workers that do all that a worker
// does but scan: no packet is sent. The workers are a process of their own, so that CPU time
// and memory are the hub's.
const (
	fleetEnv     = "CLAWSONAR_BENCH_FLEET" // has them run: they take minutes
	workersEnv   = "CLAWSONAR_BENCH_FLEET_WORKERS"
	fleetWorkers = 100
	fleetSpace   = "10.0.0.0/8"
	fleetPort    = 18789
)

// BenchmarkFleetUnits: a /8 in so many units with so many gateways, without the time that
// scanning takes.
func BenchmarkFleetUnits(b *testing.B) {
	for _, c := range []struct{ units, gateways uint64 }{{4096, 839}, {69, 839}, {69, 20_000}, {69, 100_000}} {
		b.Run(fmt.Sprintf("units=%d/gateways=%d", c.units, c.gateways), func(b *testing.B) {
			for range b.N {
				fleetUnits(b, c.units, c.gateways)
			}
		})
	}
}

func fleetUnits(b *testing.B, units, gateways uint64) {
	f := newFleet(b, 1_000_000, units)
	w := f.start(b, gateways, 0)
	before := f.ledger(b)
	resetPeak(b)
	begun, used := time.Now(), cpuTime(b)
	for f.progress(b).Units[store.UnitDone] < units {
		if time.Since(begun) > 10*time.Minute {
			b.Fatalf("not done: %+v", f.progress(b))
		}
		time.Sleep(250 * time.Millisecond)
	}
	took, cpu := time.Since(begun), cpuTime(b)-used
	b.ReportMetric(float64(units)/took.Seconds(), "units/s")
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(units), "hub-cpu-ms/unit")
	b.ReportMetric(peak(b), "hub-MiB")
	b.ReportMetric(float64(f.ledger(b)-before)/1024/float64(units), "ledger-KiB/unit")
	w.end(b)

	resetPeak(b)
	begun, used = time.Now(), cpuTime(b)
	var longest time.Duration // that the ledger keeps others waiting
	finished := make(chan error, 1)
	go func() { finished <- f.judge.Finish(b.Context(), f.job.ID, testVantage) }()
	for waits := true; waits; time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-finished:
			if err != nil {
				b.Fatal(err)
			}
			waits = false
		default:
			asked := time.Now()
			if err := f.db.SawWorker(b.Context(), "w1", "", "", asked); err != nil {
				b.Fatal(err)
			}
			longest = max(longest, time.Since(asked))
		}
	}
	b.ReportMetric(time.Since(begun).Seconds(), "finish-s")
	b.ReportMetric((cpuTime(b) - used).Seconds(), "finish-cpu-s")
	b.ReportMetric(peak(b), "finish-MiB")
	b.ReportMetric(longest.Seconds(), "longest-wait-s")
	b.ReportMetric(float64(f.ledger(b))/(1<<20), "database-MiB")
	b.ReportMetric(f.streams(b)/(1<<20), "stream-MiB")
	run, _, err := f.db.Runs(b.Context(), store.RunFilter{}, store.Page{Limit: 1})
	if err != nil || len(run) != 1 || run[0].Targets != 1<<24 || uint64(run[0].Gateways) != gateways || !run[0].Complete {
		b.Fatalf("%+v, %v", run, err)
	}
}

// BenchmarkFleetGrants: how much of a rate the workers get when all of them always want
// connections.
func BenchmarkFleetGrants(b *testing.B) {
	for _, rate := range []int{4000, 20_000, 100_000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			for range b.N {
				const over = 20 * time.Second
				w := newFleet(b, rate, 4096).start(b, 1, 256)
				time.Sleep(10 * time.Second) // they begin one after the other
				begun, used := time.Now(), cpuTime(b)
				taken, replies := w.taken.Load(), w.replies.Load()
				resetPeak(b)
				time.Sleep(over)
				took := time.Since(begun).Seconds()
				b.ReportMetric(float64(w.taken.Load()-taken)/took, "connections/s")
				b.ReportMetric(float64(w.replies.Load()-replies)/took, "replies/s")
				b.ReportMetric(100*(cpuTime(b)-used).Seconds()/took, "hub-cpu-%")
				b.ReportMetric(peak(b), "hub-MiB")
				w.end(b)
			}
		})
	}
}

// fleet is a hub with a job.
type fleet struct {
	dir   string
	db    *store.Store
	judge *judge.Judge
	job   store.Job
}

func newFleet(b *testing.B, rate int, units uint64) *fleet {
	b.Helper()
	if os.Getenv(fleetEnv) == "" {
		b.Skip(fleetEnv + " is not set")
	}
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	debug.SetGCPercent(50) // as the program does
	debug.FreeOSMemory()
	f := &fleet{dir: b.TempDir()}
	var err error
	f.db, err = store.Open(b.Context(), filepath.Join(f.dir, "board.db"))
	must(err)
	b.Cleanup(func() { f.db.Close() })
	key, err := job.Key(f.dir)
	must(err)

	f.job = store.Job{Name: "eight", Created: time.Now(), Vantages: []string{testVantage}, Rate: rate}
	must(f.db.AddJob(b.Context(), &f.job))
	tool := event.Tool{Name: "hub", Version: "1"}
	s := audit.Defaults()
	s.Targets, s.Ports, s.Seed = []string{fleetSpace}, strconv.Itoa(fleetPort), 3
	plan, cfg, err := (&audit.Builder{Settings: &s, Tool: tool, Known: known(b)}).Plan(b.Context(), "job.yaml:1")
	must(err)
	defer cfg.Space.Close()
	r, list, err := job.New(f.job.ID, f.job.Name, f.job.Created, f.job.Vantages, rate, units, digest(b), plan, cfg)
	must(err)
	signed, err := job.Sign(key, r)
	must(err)
	must(f.db.StartJob(b.Context(), f.job.ID, signed, list, r.Units, r.Targets, time.Now()))

	runner := &watch.Runner{Dir: filepath.Join(f.dir, "streams"), Store: f.db, Checks: check.Infos(), Now: time.Now}
	f.judge = &judge.Judge{Ledger: f.db, Take: runner.Take, Key: key.Public().(ed25519.PublicKey), Tool: tool, Now: time.Now}
	q, err := queue.Open(b.Context(), queue.Options{
		Dir: f.dir, Listen: "127.0.0.1:0", Ledger: f.db, Version: "1", Data: digest(b),
		Start:  func(context.Context, store.Job) error { return nil },
		Finish: func(context.Context, string, string) error { return nil }, // it is measured by itself
		Say:    func(line string) { b.Log(line) }, Now: time.Now,
	})
	must(err)
	for i := range fleetWorkers {
		name := fmt.Sprintf("w%d", i+1)
		c, public, err := job.NewCredentials("tls://"+q.Addr(), testVantage, name, q.Pin(), key.Public().(ed25519.PublicKey))
		must(err)
		must(f.db.AddWorker(b.Context(), store.Worker{Name: name, Vantage: testVantage, Key: public, Made: time.Now()}))
		must(c.Write(filepath.Join(f.dir, name+".worker.yaml")))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		q.Close()
	})
	return f
}

func (f *fleet) progress(b *testing.B) store.Progress {
	b.Helper()
	p, err := f.db.Progress(b.Context(), f.job.ID, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return p[0]
}

// ledger is how many bytes the database has on the disk.
func (f *fleet) ledger(b *testing.B) (n int64) {
	b.Helper()
	for _, end := range []string{"", "-wal"} {
		info, err := os.Stat(filepath.Join(f.dir, "board.db"+end))
		if err != nil {
			b.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

// streams is how many bytes the packed stream has.
func (f *fleet) streams(b *testing.B) (n float64) {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(f.dir, "streams", "*", "*"))
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			b.Fatal(err)
		}
		n += float64(info.Size())
	}
	return n
}

// process is that of the workers.
type process struct {
	end            func(*testing.B)
	taken, replies atomic.Int64
}

// start starts the workers: they see so many gateways in all. With a wire, each of them
// wants connections for so many targets at a time, and does not end.
func (f *fleet) start(b *testing.B, gateways uint64, wire int) *process {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestFleetWorkers$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", workersEnv, gateways, wire, f.dir))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	p := &process{}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var taken, replies int64
			if _, err := fmt.Sscanf(lines.Text(), "taken %d replies %d", &taken, &replies); err == nil {
				p.taken.Store(taken)
				p.replies.Store(replies)
			}
		}
	}()
	var once sync.Once
	p.end = func(b *testing.B) {
		once.Do(func() {
			in.Close()
			<-read
			if err := cmd.Wait(); err != nil {
				b.Error(err)
			}
		})
	}
	b.Cleanup(func() { p.end(b) })
	return p
}

// TestFleetWorkers is the process of the workers, until its input ends.
func TestFleetWorkers(t *testing.T) {
	var gateways uint64
	var wire int
	var dir string
	if n, _ := fmt.Sscan(os.Getenv(workersEnv), &gateways, &wire, &dir); n != 3 {
		t.Skip("not started by a benchmark")
	}
	lines := recorded(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _, _ = bufio.NewReader(os.Stdin).ReadByte(); cancel() }()
	var taken atomic.Int64
	var all []*Worker
	var group errgroup.Group
	for i := range fleetWorkers {
		c, err := job.ReadCredentials(filepath.Join(dir, fmt.Sprintf("w%d.worker.yaml", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		w := &Worker{
			Credentials: c, Settings: audit.Defaults(), Naming: audit.Naming{Prefix: "-"}, Units: 1,
			Tool: event.Tool{Name: "hub", Version: "1"}, Known: known(t), Say: func(line string) {
				if !strings.HasPrefix(line, "job ") && !strings.HasPrefix(line, "worker ") {
					fmt.Fprintln(os.Stderr, c.Worker, line)
				}
			},
		}
		w.scan = func(ctx context.Context, cfg scan.Config) (event.Summary, error) {
			for range wire {
				go w.spend(ctx, cfg.Shard.K, &taken)
			}
			if wire > 0 {
				<-ctx.Done()
			}
			return madeUp(cfg, lines, gateways)
		}
		if err := w.Check(ctx); err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
		group.Go(func() error { return w.Run(ctx) })
	}
	for ctx.Err() == nil {
		sleep(ctx, time.Second)
		var replies uint64
		for _, w := range all {
			w.mu.Lock()
			if len(w.running) > 0 { // then there is a link
				replies += w.link.nc.Stats().InMsgs
			}
			w.mu.Unlock()
		}
		fmt.Printf("taken %d replies %d\n", taken.Load(), replies)
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// spend takes what is granted for a unit.
func (w *Worker) spend(ctx context.Context, k uint64, taken *atomic.Int64) {
	w.mu.Lock()
	var at *attempt
	for a := range w.running {
		if a.at.K == k {
			at = a
		}
	}
	w.mu.Unlock()
	for at.gate.Wait(ctx) == nil {
		taken.Add(1)
	}
}

// recorded are lines of gateways that a scan wrote.
func recorded(t *testing.T) (out []*event.Target) {
	t.Helper()
	f, err := os.Open("../../../testdata/streams/replicas.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := event.Read(f, "replicas", func(e event.Event) error {
		if line, ok := e.(*event.Target); ok && line.Outcome == event.OutcomeIdentified {
			out = append(out, line)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// madeUp is the stream of a unit of a job with so many gateways in all, each with a line
// that was recorded; of the rest each tenth target is closed and the others are silent.
func madeUp(cfg scan.Config, lines []*event.Target, gateways uint64) (sum event.Summary, err error) {
	cfg.Head.Started = time.Now().UTC().Truncate(time.Millisecond)
	sum = *event.NewSummary()
	err = cfg.Emit(&cfg.Head)
	order, n := target.NewOrder(cfg.Space.Len(), cfg.Seed), cfg.Targets()
	listed := 0
	for i := range n {
		// They stand evenly in the order of the job.
		at := cfg.Shard.At(i)
		if g := at * gateways / cfg.Space.Len(); at > 0 && g == (at-1)*gateways/cfg.Space.Len() {
			continue
		}
		t, e := cfg.Space.At(order.At(at))
		line := *lines[int(at)%len(lines)]
		line.Target = event.Address{
			Input: fleetSpace, Source: "job.yaml:1", IP: t.Addr.Addr().String(), Port: fleetPort, URL: "http://" + netip.AddrPortFrom(t.Addr.Addr(), fleetPort).String() + "/",
			Reach: event.ReachPrivate,
		}
		sum.Add(&line)
		listed++
		err = errors.Join(err, e, cfg.Emit(&line))
	}
	rest := int(n) - listed
	sum.AddOutcome(event.OutcomeClosed, rest/10)
	sum.AddOutcome(event.OutcomeSilent, rest-rest/10)
	sum.MissEstimate.Reprobed = min(cfg.Recheck, rest-rest/10)
	sum.MissEstimate.Estimate(sum.Outcomes[event.OutcomeSilent])
	sum.Complete, sum.Finished = true, time.Now().UTC().Truncate(time.Millisecond)
	final := sum
	return sum, errors.Join(err, cfg.Emit(&final))
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resetPeak has peak count from now on.
func resetPeak(b *testing.B) {
	b.Helper()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Fatal(err)
	}
}

// peak is the most memory that this process had, in MiB.
func peak(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
