package worker

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/queue"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// TestRealQueue: workers do all units of a job of the hub's real queue and ledger, though
// one of them is stopped in the middle; what the ledger has adds up, and what was opened is
// what was granted.
func TestRealQueue(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "board.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	key, err := job.Key(dir)
	if err != nil {
		t.Fatal(err)
	}
	e := listenOn(t, "0.0.0.0")
	const rate = 400
	start := func(ctx context.Context, j store.Job) error {
		s := audit.Defaults()
		s.Seed = 3
		many(e, 1500)(&s)
		b := audit.Builder{Settings: &s, Tool: event.Tool{Name: "clawsonar-hub", Version: "1"}, Known: known(t)}
		plan, cfg, err := b.Plan(ctx, "job.yaml:1")
		if err != nil {
			return err
		}
		defer cfg.Space.Close()
		r, list, err := job.New(j.ID, j.Name, j.Created, j.Vantages, j.Rate, 6, digest(t), plan, cfg)
		if err != nil {
			return err
		}
		signed, err := job.Sign(key, r)
		if err != nil {
			return err
		}
		return db.StartJob(ctx, j.ID, signed, list, r.Units, r.Targets, time.Now())
	}
	finished := make(chan struct{})
	finish := sync.OnceFunc(func() { close(finished) })
	fleet := filepath.Join(dir, "fleet")
	if err := os.Mkdir(fleet, 0o700); err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(t.Context(), queue.Options{
		Dir: fleet, Listen: "127.0.0.1:0", Version: "1", Data: digest(t), Ledger: db, Start: start,
		Finish: func(context.Context, string, string) error { finish(); return nil },
		Say:    func(line string) { t.Log("hub: ", line) }, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		if err := q.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer q.Close()
	defer group.Wait()
	defer stop()
	j := store.Job{Name: "sweep", Created: time.Now(), Vantages: []string{testVantage}, Rate: rate}
	if err := db.AddJob(t.Context(), &j); err != nil {
		t.Fatal(err)
	}
	h := &hub{t: t}
	var workers []*running
	for i := range 3 {
		name := fmt.Sprintf("worker-%d", i)
		c, nkey, err := job.NewCredentials("tls://"+q.Addr(), testVantage, name, q.Pin(), key.Public().(ed25519.PublicKey))
		if err == nil {
			err = db.AddWorker(t.Context(), store.Worker{Name: name, Vantage: testVantage, Key: nkey, Made: time.Now()})
		}
		if err != nil {
			t.Fatal(err)
		}
		h.creds = c
		workers = append(workers, h.work(nil))
	}
	begun := time.Now()
	wait(t, "some connections", func() bool { return e.all.Load() > 200 })
	if err := workers[0].end(t); err != nil {
		t.Error(err)
	}
	select {
	case <-finished:
	case <-time.After(90 * time.Second):
		t.Fatal("the job is not finished")
	}
	took := time.Since(begun)
	streams, err := db.UnitStreams(t.Context(), j.ID, testVantage)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	targets := int64(0)
	for _, s := range streams {
		if s.Attempts != 1 { // one that was given back is none
			t.Errorf("unit %d was tried %d times", s.K, s.Attempts)
		}
		if err := s.Events(func(ev event.Event) error {
			switch ev := ev.(type) {
			case *event.Target:
				seen[ev.Target.IP]++
			case *event.Summary:
				targets += ev.Targets
				if !ev.Complete {
					t.Error("a unit is not complete")
				}
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	if len(streams) != 6 || targets != int64(len(seen)) || targets < 1500 {
		t.Errorf("%d units, %d targets, %d addresses", len(streams), targets, len(seen))
	}
	for ip, n := range seen {
		if n != 1 {
			t.Errorf("%s has %d lines", ip, n)
		}
	}
	// Each target is connected to at least once.
	if n := float64(e.all.Load()); n < 1500 || n > rate*(took.Seconds()+1) {
		t.Errorf("%.0f connections in %v, of %d a second", n, took, rate)
	}
	t.Logf("%d connections in %v, %.0f a second", e.all.Load(), took, float64(e.all.Load())/took.Seconds())
	if err := db.RevokeWorker(t.Context(), "worker-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-workers[1].ended:
		if err == nil {
			t.Error("a worker that was revoked ends as if it had been told to")
		}
		workers[1].ended <- err
	case <-time.After(20 * time.Second):
		t.Error("a worker that was revoked goes on")
	}
}
