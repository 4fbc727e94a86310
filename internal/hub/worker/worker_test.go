package worker

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
)

// unit is the first one of a job.
func unit(id string) job.Unit { return job.Unit{Job: id, Vantage: testVantage, K: 1} }

func (h *hub) isDone(u job.Unit) (attempt int64, ok bool) {
	h.lock(func() { attempt, ok = h.done[u] })
	return attempt, ok
}

// TestUnit: a unit is scanned, within what the record and the worker itself allow, and its
// whole stream is at the hub before the unit is acknowledged.
func TestUnit(t *testing.T) {
	h := startHub(t)
	e := listenOn(t, "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
	exclude := filepath.Join(t.TempDir(), "exclude")
	if err := os.WriteFile(exclude, []byte("127.0.0.3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := h.work(func(w *Worker) { w.Settings.ExcludeFile = exclude })
	h.add("job1", func(s *audit.Settings) {
		for _, a := range e.addrs {
			s.Targets = append(s.Targets, a.String())
		}
		// A range of which the worker excludes one.
		s.Targets = append(s.Targets, "127.0.0.0/29")
		s.Ports = fmt.Sprint(e.addrs[0].Port())
		s.Exclude = []string{"127.0.0.4"}
	}, nil)
	wait(t, "a unit that is done", func() bool { _, ok := h.isDone(unit("job1")); return ok })
	wait(t, "its acknowledgement", func() bool { return h.left() == 0 })
	for i, want := range []bool{true, true, false, false} {
		if n := e.heard[i].Load(); (n > 0) != want {
			t.Errorf("%s was connected to %d times", e.addrs[i], n)
		}
	}
	attempt, _ := h.isDone(unit("job1"))
	stream := h.stream(attempt)
	head, ok := stream[0].(*event.Scan)
	sum, ok2 := stream[len(stream)-1].(*event.Summary)
	if !ok || !ok2 || head.Watch != "sweep@fra" || head.Vantage != "fra" || head.Shard != "1/1" || head.Config == "" || !sum.Complete || sum.Targets != 12 {
		t.Fatalf("%+v\n%+v", head, sum)
	}
	lines := map[string]event.Outcome{}
	for _, e := range stream {
		if l, ok := e.(*event.Target); ok {
			lines[fmt.Sprintf("%s:%d", l.Target.IP, l.Target.Port)] = l.Outcome
		}
	}
	mine := fmt.Sprintf("127.0.0.3:%d", e.addrs[0].Port())
	if lines[e.addrs[0].String()] != event.OutcomeOther || lines[e.addrs[2].String()] != event.OutcomeExcluded || lines[mine] != event.OutcomeExcluded {
		t.Errorf("%v", lines)
	}
	if len(lines) != 4+1 {
		t.Errorf("%d lines, want those that were named, and what the worker itself excludes of the range", len(lines))
	}
	// The hub's operator did not exclude it: nobody looked, and it is no answer.
	if u := sum.Unlisted; u == nil || u.Count != 1 || len(u.Targets) != 1 || u.Targets[0] != (event.Place{Place: mine, Outcome: string(event.OutcomeExcluded)}) {
		t.Errorf("not judged: %+v", u)
	}
	if err := x.end(t); err != nil {
		t.Error(err)
	}
}

// TestNotSigned: a record that is not signed for this worker makes no connection.
func TestNotSigned(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*hub, *job.Record)
		want   string
	}{
		"another key": {func(h *hub, _ *job.Record) { h.key = ed25519.NewKeyFromSeed(make([]byte, 32)) }, "not signed"},
		"vantage":     {func(_ *hub, r *job.Record) { r.Vantages = []string{"sgp"} }, "not for"},
		"data":        {func(_ *hub, r *job.Record) { r.Data = "x" }, "fingerprints or advisories"},
		"another job": {func(_ *hub, r *job.Record) { r.ID = "job9" }, "of another job"},
		"scope":       {func(_ *hub, r *job.Record) { r.Plan.Limits.Deny = nil }, "not that of the hub"},
		"list":        {func(_ *hub, r *job.Record) { r.List.SHA256 = strings.Repeat("0", 64) }, "not the one that the record names"},
	} {
		t.Run(name, func(t *testing.T) {
			h := startHub(t)
			e := listenOn(t, "127.0.0.1")
			x := h.work(nil)
			h.add("job1", func(s *audit.Settings) { s.Targets, s.Exclude = []string{e.addrs[0].String()}, []string{"127.0.0.9"} }, func(r *job.Record) { tt.change(h, r) })
			wait(t, "that it is given back", func() bool { return x.said("given back: ") })
			if !x.said(tt.want) || e.all.Load() > 0 || h.left() != 1 {
				t.Errorf("%d connections, %d units left", e.all.Load(), h.left())
			}
		})
	}
}

// TestStrangers: a server without the hub's key is told nothing, and one that does not know
// the worker ends it.
func TestStrangers(t *testing.T) {
	h := startHub(t)
	x := h.work(func(w *Worker) { w.Credentials.Pin = strings.Repeat("0", 64) })
	select {
	case err := <-x.ended:
		if err == nil || !strings.Contains(err.Error(), "does not have the hub's key") {
			t.Error(err)
		}
		x.ended <- err
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
	wait(t, "that only the hub itself is connected", func() bool { return h.server.NumClients() == 1 })
	other, _, err := job.NewCredentials(h.creds.Hub, testVantage, testWorker, h.creds.Pin, h.key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	y := h.work(func(w *Worker) { w.Credentials.Seed = other.Seed })
	select {
	case err := <-y.ended:
		if err == nil || !strings.Contains(err.Error(), "refuses the worker worker-1") {
			t.Error(err)
		}
		y.ended <- err
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}

// many are settings with n targets at a listener.
func many(e *ears, n int) func(*audit.Settings) {
	return func(s *audit.Settings) {
		s.Targets = []string{fmt.Sprintf("127.0.0.1-127.0.%d.%d", n/250, n%250+1)}
		s.Ports, s.Concurrency, s.Level = fmt.Sprint(e.addrs[0].Port()), 20, "passive"
	}
}

// TestNoGrant: without a grant there is no connection, and with one no more than it says.
func TestNoGrant(t *testing.T) {
	h := startHub(t)
	e := listenOn(t, "0.0.0.0")
	allow := 0
	h.grant = func(w job.Want) job.Grant {
		n := min(allow, w.N)
		allow -= n
		return job.Grant{Ordered: job.Ordered{Order: job.Run}, N: n, Over: 100_000}
	}
	h.work(nil)
	h.add("job1", many(e, 1000), nil)
	wait(t, "that it begins", func() (ok bool) { h.lock(func() { ok = len(h.begins) > 0 }); return ok })
	time.Sleep(time.Second)
	if n := e.all.Load(); n != 0 {
		t.Errorf("%d connections without a grant", n)
	}
	h.lock(func() { allow = 37 })
	time.Sleep(1500 * time.Millisecond)
	if n := e.all.Load(); n > 37 || n < 20 {
		t.Errorf("%d connections with 37 granted", n)
	}
	n := e.all.Load()
	time.Sleep(time.Second)
	if e.all.Load() != n {
		t.Error("connections after the end of the grants")
	}
}

// TestSilentHub: when the hub says nothing any more, connections end with what was granted.
func TestSilentHub(t *testing.T) {
	h := startHub(t)
	e := listenOn(t, "0.0.0.0")
	h.work(nil)
	h.add("job1", many(e, 8000), nil)
	wait(t, "some connections", func() bool { return e.all.Load() > 100 })
	h.lock(func() { h.mute[job.AskGrant] = -1 })
	silent := time.Now()
	time.Sleep(3 * time.Second)
	if late := time.Unix(0, e.last.Load()).Sub(silent); late > job.MaxGrant+200*time.Millisecond {
		t.Errorf("a connection %v after the last grant", late)
	}
	if n := int(e.all.Load()); n > h.granted {
		t.Errorf("%d connections, %d were granted", n, h.granted)
	}
	h.lock(func() { h.mute[job.AskGrant] = 0 })
	n := e.all.Load()
	wait(t, "more connections", func() bool { return e.all.Load() > n+100 })
}

// TestPause: a pause keeps the unit and opens no connection; what is dropped ends at once,
// and is acknowledged.
func TestPause(t *testing.T) {
	h := startHub(t)
	e := listenOn(t, "0.0.0.0")
	x := h.work(nil)
	h.add("job1", many(e, 8000), nil)
	wait(t, "some connections", func() bool { return e.all.Load() > 100 })
	h.tell("job1", job.Pause)
	told := time.Now()
	time.Sleep(2 * time.Second)
	if late := time.Unix(0, e.last.Load()).Sub(told); late > time.Second {
		t.Errorf("a connection %v after the pause", late)
	}
	n := e.all.Load()
	h.tell("job1", job.Run)
	wait(t, "more connections", func() bool { return e.all.Load() > n+100 })
	if len(h.begins) != 1 {
		t.Errorf("%d attempts", len(h.begins))
	}
	h.tell("job1", job.Drop)
	told = time.Now()
	wait(t, "an acknowledgement", func() bool { return h.left() == 0 })
	time.Sleep(500 * time.Millisecond)
	if late := time.Unix(0, e.last.Load()).Sub(told); late > time.Second {
		t.Errorf("a connection %v after the end", late)
	}
	if x.said("given back") || len(h.fails) > 0 {
		t.Error("it was given back")
	}
}

// TestStop: a worker that is stopped gives its unit back at once.
func TestStop(t *testing.T) {
	h := startHub(t)
	e := listenOn(t, "0.0.0.0")
	x := h.work(nil)
	h.add("job1", many(e, 8000), nil)
	wait(t, "some connections", func() bool { return e.all.Load() > 100 })
	begun := time.Now()
	if err := x.end(t); err != nil || time.Since(begun) > 2*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	e.all.Store(0)
	h.work(nil)
	wait(t, "that another goes on with it", func() bool { return e.all.Load() > 100 })
	if time.Since(begun) > 10*time.Second {
		t.Errorf("the unit was not given back at once: %v", time.Since(begun))
	}
}

// TestRepliesLost: what the hub has heard and the worker does not know comes again, and is
// the same.
func TestRepliesLost(t *testing.T) {
	h := startHub(t)
	e := listenOn(t, "127.0.0.1")
	h.lock(func() {
		h.mute = map[job.Verb]int{job.AskBegin: 1, job.AskPart: 1, job.AskDone: 1, job.AskRecord: 1, job.AskList: 1}
	})
	h.work(func(w *Worker) { w.reply = 300 * time.Millisecond })
	h.add("job1", func(s *audit.Settings) { s.Targets = []string{e.addrs[0].String()} }, nil)
	wait(t, "a unit that is done", func() bool { _, ok := h.isDone(unit("job1")); return ok })
	wait(t, "an acknowledgement", func() bool { return h.left() == 0 })
	attempt, _ := h.isDone(unit("job1"))
	if stream := h.stream(attempt); len(stream) != 3 {
		t.Errorf("%d lines", len(stream))
	}
}

// TestIdleUnheard: a worker that has nothing to do, and is not answered that it is there, as
// of a hub that was killed then, takes units again.
func TestIdleUnheard(t *testing.T) {
	h := startHub(t)
	e := listenOn(t, "127.0.0.1")
	h.lock(func() { h.mute[job.AskIdle] = -1 })
	h.work(nil)
	wait(t, "that it says so", func() (said bool) { h.lock(func() { said = h.idle > 0 }); return said })
	h.add("job1", func(s *audit.Settings) { s.Targets = []string{e.addrs[0].String()} }, nil)
	wait(t, "a unit that is done", func() bool { _, ok := h.isDone(unit("job1")); return ok })
}

// TestLease: a worker that could not say for the time of a lease that it is at work drops
// the unit and sends nothing more.
func TestLease(t *testing.T) {
	h := startHub(t)
	e := listenOn(t, "0.0.0.0")
	x := h.work(func(w *Worker) { w.lease = 3 * time.Second })
	h.add("job1", many(e, 8000), nil)
	wait(t, "some connections", func() bool { return e.all.Load() > 100 })
	h.stop()
	stopped := time.Now()
	wait(t, "that the unit is dropped", func() bool { return x.said("dropped: the hub could not be reached") })
	if took := time.Since(stopped); took > 5*time.Second {
		t.Errorf("dropped after %v", took)
	}
	time.Sleep(time.Second)
	if late := time.Unix(0, e.last.Load()).Sub(stopped); late > job.MaxGrant+200*time.Millisecond {
		t.Errorf("a connection %v after the hub was there", late)
	}
}

// TestExcludedMeanwhile: when what the worker must not scan changes, what runs is dropped
// and begun again under the new list; while that cannot be read nothing is scanned.
func TestExcludedMeanwhile(t *testing.T) {
	h := startHub(t)
	e := listenOn(t, "0.0.0.0")
	file := filepath.Join(t.TempDir(), "exclude")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("192.0.2.1\n")
	x := h.work(func(w *Worker) { w.Settings.ExcludeFile = file })
	h.add("job1", many(e, 8000), nil)
	wait(t, "some connections", func() bool { return e.all.Load() > 100 })
	write("192.0.2.1\nnot an address\n")
	wait(t, "that the list cannot be read", func() bool { return x.said("nothing is scanned until this can be read") })
	time.Sleep(300 * time.Millisecond)
	n := e.all.Load()
	time.Sleep(time.Second)
	if e.all.Load() != n {
		t.Error("it scans on while the list cannot be read")
	}
	write("127.0.0.0/8\n")
	wait(t, "that it is begun again", func() bool { return x.said("begun again") })
	wait(t, "that it is done", func() bool { _, ok := h.isDone(unit("job1")); return ok })
	if e.all.Load() != n {
		t.Error("what is excluded was connected to")
	}
	attempt, _ := h.isDone(unit("job1"))
	stream := h.stream(attempt)
	if sum := stream[len(stream)-1].(*event.Summary); attempt != 2 || !sum.Complete || sum.Outcomes[event.OutcomeExcluded] != 8193 || len(stream) != 8195 {
		t.Errorf("attempt %d, %d lines, %+v", attempt, len(stream), sum)
	}
}

// TestFlat: what the hub has not taken is held only up to a few parts: the scan waits.
func TestFlat(t *testing.T) {
	h := startHub(t)
	e := listenOn(t, "0.0.0.0")
	h.lock(func() { h.mute[job.AskPart] = -1 })
	h.work(func(w *Worker) { w.reply = time.Second })
	h.add("job1", many(e, 12_000), nil)
	var n int64
	wait(t, "that it waits", func() bool {
		before := n
		n = e.all.Load()
		time.Sleep(700 * time.Millisecond)
		return n > 100 && n == before
	})
	if n > 6000 {
		t.Errorf("%d targets were scanned while no part was taken", n)
	}
	h.lock(func() { h.mute[job.AskPart] = 0 })
	wait(t, "that it is done", func() bool { _, ok := h.isDone(unit("job1")); return ok })
	attempt, _ := h.isDone(unit("job1"))
	stream := h.stream(attempt)
	if sum := stream[len(stream)-1].(*event.Summary); !sum.Complete || len(stream) != 2+int(sum.Targets) {
		t.Errorf("%d lines, %+v", len(stream), sum)
	}
	if len(h.parts[attempt]) < 4 {
		t.Errorf("%d parts: the test tests nothing", len(h.parts[attempt]))
	}
}
