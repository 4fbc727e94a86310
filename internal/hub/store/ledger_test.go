package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
)

var jobTime = time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)

// jobs is a ledger with a job that runs.
type jobs struct {
	*Store
	t   *testing.T
	ctx context.Context
	job Job
	now time.Time
}

// begun has a job of so many units of four targets.
func begun(t *testing.T, s *Store, units uint64, vantages ...string) *jobs {
	t.Helper()
	j := &jobs{Store: s, t: t, ctx: t.Context(), now: jobTime, job: Job{Name: "all", Created: jobTime, Vantages: vantages, Rate: 100}}
	j.must(s.AddJob(j.ctx, &j.job))
	j.must(s.StartJob(j.ctx, j.job.ID, []byte("record"), []byte("list"), units, 4*units, j.now))
	return j
}

func (j *jobs) must(err error) {
	j.t.Helper()
	if err != nil {
		j.t.Fatal(err)
	}
}

func (j *jobs) unit(vantage string, k uint64) job.Unit {
	return job.Unit{Job: j.job.ID, Vantage: vantage, K: k}
}

// begin begins an attempt; it is to get that order.
func (j *jobs) begin(u job.Unit, worker string, want job.Order) job.At {
	j.t.Helper()
	j.now = j.now.Add(time.Second)
	b, err := j.BeginUnit(j.ctx, u, worker, j.now)
	j.order(b.Ordered, err, want)
	return job.At{Unit: u, Attempt: b.Attempt}
}

func (j *jobs) order(o job.Ordered, err error, want job.Order) {
	j.t.Helper()
	if err != nil || o.Order != want {
		j.t.Errorf("%+v, %v: want %s", o, err, want)
	}
}

// part sends lines as a part.
func (j *jobs) part(a job.At, worker string, seq int, want job.Order, lines ...string) {
	j.t.Helper()
	o, err := j.AddPart(j.ctx, job.Part{At: a, Seq: seq, Data: squeeze(j.t, lines...)}, worker, j.now)
	j.order(o, err, want)
}

func (j *jobs) done(a job.At, worker string, parts int, want job.Order) {
	j.t.Helper()
	o, err := j.DoneUnit(j.ctx, a, worker, parts, j.now)
	j.order(o, err, want)
}

// make does a unit: one gateway is listed, the rest is silent.
func (j *jobs) make(u job.Unit, worker string) {
	j.t.Helper()
	a := j.begin(u, worker, job.Run)
	j.part(a, worker, 0, job.Run, unitHead, unitLine(int(u.K)))
	j.part(a, worker, 1, job.Run, unitEnd)
	j.done(a, worker, 2, job.Drop)
}

func (j *jobs) progress() []Progress {
	j.t.Helper()
	p, err := j.Progress(j.ctx, j.job.ID, j.now)
	j.must(err)
	return p
}

func (j *jobs) count(table string) (n int) {
	j.t.Helper()
	j.must(j.read.QueryRowContext(j.ctx, `SELECT COUNT(*) FROM `+table).Scan(&n))
	return n
}

func squeeze(t *testing.T, lines ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err == nil {
		for _, l := range lines {
			fmt.Fprintln(z, l)
		}
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	unitHead = `{"type":"scan","schema":1,"tool":{"name":"clawsonar","version":"9"},"started":"2026-11-30T03:00:00Z","level":"standard","shard":"1/1"}`
	unitEnd  = `{"type":"summary","finished":"2026-11-30T03:01:00Z","targets":4,"outcomes":{"identified":1,"silent":3},"auth":{"open":1},"findings":{},"suppressed":0,"complete":true,` +
		`"miss_estimate":{"reprobed":2,"found":1,"missed":1,"missed_at_most":2},"notes":["a note"]}`
)

func unitLine(k int) string {
	return fmt.Sprintf(`{"type":"target","target":{"input":"10.0.0.0/8","ip":"10.0.%d.%d","port":18789,"url":"http://10.0.0.1:18789/"},"outcome":"identified","auth":{"state":"open"},"requests":1,"connections":1}`, k/256, k%256)
}

func testJobs(t *testing.T, s *Store) {
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	first := Job{Name: "all", Created: jobTime, Exclude: map[string]string{"/etc/no": "ab"}, Vantages: []string{"fra", "sgp"}, Rate: 7}
	must(s.AddJob(ctx, &first))
	if err := s.AddJob(ctx, &Job{Name: "all", Created: jobTime}); !errors.Is(err, ErrJobRuns) {
		t.Errorf("a second one of that name: %v", err)
	}
	record, list := []byte(strings.Repeat("r", 10)), bytes.Repeat([]byte("0123456789"), job.MaxPart/8)
	must(s.StartJob(ctx, first.ID, record, list, 1000, 4000, jobTime))
	if err := s.StartJob(ctx, first.ID, record, list, 1000, 4000, jobTime); err == nil {
		t.Error("it starts twice")
	}
	want := first
	want.State, want.Units, want.Targets = JobRunning, 1000, 4000
	for _, name := range []string{"all", first.ID} {
		if j, err := s.Job(ctx, name); err != nil || !reflect.DeepEqual(j, want) {
			t.Errorf("%+v, %v", j, err)
		}
	}
	if _, err := s.Job(ctx, "none"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	var got []byte
	for {
		piece, err := s.JobList(ctx, first.ID, int64(len(got)))
		must(err)
		if len(piece) == 0 {
			break
		}
		if len(piece) > job.MaxPart {
			t.Fatal(len(piece))
		}
		got = append(got, piece...)
	}
	if !bytes.Equal(got, list) {
		t.Errorf("%d of %d bytes", len(got), len(list))
	}
	for offset, want := range map[int64]string{0: "rrrrrrrrrr", 7: "rrr", 10: "", 1 << 50: ""} {
		if b, err := s.JobRecord(ctx, first.ID, offset); err != nil || string(b) != want {
			t.Errorf("%d: %q, %v", offset, b, err)
		}
	}
	if _, err := s.JobRecord(ctx, first.ID, -1); err == nil {
		t.Error("from before its begin")
	}
	for _, c := range []struct {
		want  JobWant
		state JobState
		wrong string
	}{
		{WantResume, JobRunning, "job all cannot resume: it is running"},
		{WantPause, JobPaused, ""},
		{WantPause, JobPaused, "job all cannot pause: it is paused"},
		{WantResume, JobRunning, ""},
		{WantPause, JobPaused, ""},
		{WantStop, JobStopped, ""},
		{WantStop, JobStopped, "job all cannot stop: it is stopped since 2026-11-30T03:00:00Z"},
		{WantResume, JobStopped, "job all cannot resume: it is stopped since 2026-11-30T03:00:00Z"},
		{"go", JobStopped, `"go" is nothing to want of a job`},
	} {
		j, err := s.WantJob(ctx, "all", c.want, "for\x00 now", jobTime)
		if now, _ := s.Job(ctx, "all"); fmt.Sprint(err) != cmpOr(c.wrong) || now.State != c.state || c.wrong == "" && (j.State != c.state || j.Why != "for\ufffd now") {
			t.Errorf("%s: %+v, %v; now %s", c.want, j, err, now.State)
		}
	}
	// The name is free, and means the later one.
	second := Job{Name: "all", Created: jobTime.Add(time.Hour), Vantages: []string{"fra"}}
	must(s.AddJob(ctx, &second))
	if j, err := s.Job(ctx, "all"); err != nil || j.ID != second.ID || j.State != JobNew {
		t.Errorf("%+v, %v", j, err)
	}
	if p, err := s.Progress(ctx, second.ID, jobTime); err != nil || len(p) != 1 || p[0].Vantage != "fra" {
		t.Errorf("%+v, %v", p, err)
	}
	if all, err := s.Jobs(ctx); err != nil || len(all) != 2 || all[0].ID != second.ID || all[1].ID != first.ID {
		t.Errorf("%+v, %v", all, err)
	}
	must(s.StartJob(ctx, second.ID, record, nil, 0, 0, jobTime))
	if j, err := s.Job(ctx, "all"); err != nil || j.State != JobDone || j.Ended.IsZero() {
		t.Errorf("a job without targets: %+v, %v", j, err)
	}
	if f, err := s.Unhanded(ctx); err != nil || !slices.Equal(f, []Finished{{first.ID, "fra"}, {first.ID, "sgp"}, {second.ID, "fra"}}) {
		t.Errorf("%+v, %v", f, err)
	}
}

func cmpOr(wrong string) string {
	if wrong == "" {
		return "<nil>"
	}
	return wrong
}

// testUnits: a unit is done by one attempt, whatever happens to others.
func testUnits(t *testing.T, s *Store) {
	j := begun(t, s, 3, "fra", "sgp")
	j.make(j.unit("fra", 1), "a")
	// One is lost with a part, and goes on regardless.
	u := j.unit("fra", 2)
	lost := j.begin(u, "a", job.Run)
	j.part(lost, "a", 0, job.Run, unitHead, unitLine(99))
	a := j.begin(u, "b", job.Run)
	j.part(lost, "a", 1, job.Lost, unitEnd)
	j.done(lost, "a", 1, job.Lost)
	o, err := j.Heard(j.ctx, lost, "a", j.now)
	j.order(o, err, job.Lost)
	o, err = j.FailUnit(j.ctx, job.Fail{At: lost, Error: "x"}, "a", j.now)
	j.order(o, err, job.Lost)
	j.part(a, "c", 0, job.Lost, unitHead) // not its own
	j.part(a, "b", 0, job.Run, unitHead)
	j.part(a, "b", 0, job.Run, unitHead, "something else") // the first one counts
	j.part(a, "b", 1, job.Run, unitLine(2))
	j.done(a, "b", 2, job.Refuse) // without an end
	if list, err := s.Undone(j.ctx, j.job.ID, "fra", 0, 10); err != nil || len(list) != 2 || list[0].K != 2 || list[0].State != UnitWaiting ||
		!strings.Contains(list[0].Error, "no summary") || list[0].Attempts != 2 || list[1].K != 3 || list[1].Attempts != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	j.part(a, "b", 2, job.Lost, unitEnd) // it has failed
	a = j.begin(u, "b", job.Run)
	j.part(a, "b", 0, job.Run, unitHead, unitLine(2))
	j.done(a, "b", 2, job.Run) // a part is not there
	j.part(a, "b", 1, job.Run, unitEnd)
	if p := j.progress(); p[0].Units[UnitBegun] != 1 || p[0].Units[UnitWaiting] != 1 || p[0].Units[UnitDone] != 1 || p[1].Units[UnitWaiting] != 3 {
		t.Errorf("%+v", p)
	}
	for range 2 {
		j.done(a, "b", 2, job.Drop)
	}
	j.part(a, "b", 2, job.Drop, unitEnd)
	if j.begin(u, "c", job.Drop); j.count("part") != 4 {
		t.Errorf("%d parts of two units that are done", j.count("part"))
	}
	p := j.progress()
	sum := p[0].Summary
	if p[0].Units[UnitDone] != 2 || sum.Targets != 8 || sum.Outcomes[event.OutcomeIdentified] != 2 || sum.Outcomes[event.OutcomeSilent] != 6 || sum.Auth[event.AuthOpen] != 2 || sum.Complete ||
		len(sum.Notes) > 0 {
		t.Errorf("%+v", p[0])
	}
	// 4 of 8 silent ones were tried again, 2 answered: of 6 - 2 others as many.
	if m := sum.MissEstimate; m != (event.MissEstimate{Reprobed: 4, Found: 2, Missed: 2, MissedAtMost: 4}) {
		t.Errorf("%+v", m)
	}
	for _, v := range []string{"fra", "sgp"} {
		for k := range 3 {
			if u := j.unit(v, uint64(k+1)); v == "sgp" || k == 2 {
				j.make(u, "a")
			}
		}
	}
	for _, p := range j.progress() {
		if !p.Summary.Complete || p.Summary.Targets != 12 || p.Handed {
			t.Errorf("%+v", p)
		}
	}
	if got, err := s.Job(j.ctx, j.job.ID); err != nil || got.State != JobDone || !got.Ended.Equal(j.now) {
		t.Errorf("%+v, %v", got, err)
	}
	j.must(s.Handed(j.ctx, Finished{j.job.ID, "fra"}, true, j.now))
	if b, err := s.JobList(j.ctx, j.job.ID, 0); err != nil || len(b) == 0 {
		t.Errorf("sgp may need the list: %v", err)
	}
	for range 2 {
		j.must(s.Handed(j.ctx, Finished{j.job.ID, "sgp"}, true, j.now))
	}
	if j.count("part")+j.count("unit") != 0 || j.count("job_file") != 1 {
		t.Error("something is left")
	}
	if p := j.progress(); !p[0].Handed || p[0].Units[UnitDone] != 3 || p[0].Summary.Targets != 12 {
		t.Errorf("%+v", p)
	}
	j.done(a, "b", 2, job.Drop) // late
}

// testUnitFails: a unit is tried so often, and is then given up.
func testUnitFails(t *testing.T, s *Store) {
	j := begun(t, s, 2, "fra")
	u := j.unit("fra", 1)
	for i := range job.MaxAttempts {
		a := j.begin(u, "a", job.Run)
		j.part(a, "a", 0, job.Run, unitHead, unitLine(i))
		if i == 0 {
			o, err := j.FailUnit(j.ctx, job.Fail{At: a, Error: "no \x1b[2J way"}, "a", j.now)
			j.order(o, err, job.Refuse)
		}
	}
	j.begin(u, "b", job.Drop)
	u = j.unit("fra", 2)
	for range 2 * job.MaxAttempts { // a worker that is stopped gives its unit back
		o, err := j.FailUnit(j.ctx, job.Fail{At: j.begin(u, "a", job.Run), Error: "stopped", Back: true}, "a", j.now)
		j.order(o, err, job.Refuse)
	}
	for i := range job.MaxAttempts {
		a := j.begin(u, "a", job.Run)
		o, err := j.FailUnit(j.ctx, job.Fail{At: a, Error: fmt.Sprint("try ", i+1)}, "a", j.now)
		j.order(o, err, map[bool]job.Order{false: job.Refuse, true: job.Drop}[i == job.MaxAttempts-1])
	}
	failed, err := s.FailedUnits(j.ctx, j.job.ID, "fra", 10)
	if err != nil || len(failed) != 2 || failed[0].Error != "the worker a was not heard of any more" || failed[1].Error != "try 5" || failed[0].Ended.IsZero() {
		t.Errorf("%+v, %v", failed, err)
	}
	if other, err := s.FailedUnits(j.ctx, j.job.ID, "sgp", 10); err != nil || len(other) != 0 {
		t.Errorf("%+v, %v", other, err)
	}
	if p := j.progress(); p[0].Units[UnitFailed] != 2 || p[0].Units[UnitBegun] != 0 || p[0].Summary.Complete {
		t.Errorf("%+v", p)
	}
	if got, err := s.Job(j.ctx, "all"); err != nil || got.State != JobDone {
		t.Errorf("%+v, %v", got, err)
	}
	// What the attempts had is there.
	streams, err := s.UnitStreams(j.ctx, j.job.ID, "fra")
	if err != nil || len(streams) != job.MaxAttempts+1 || streams[0].Tried.After(streams[1].Tried) || streams[job.MaxAttempts].Events != nil {
		t.Fatalf("%+v, %v", streams, err)
	}
	for i, x := range streams[:job.MaxAttempts] {
		var ips []string
		if err := x.Events(func(e event.Event) error {
			if t, ok := e.(*event.Target); ok {
				ips = append(ips, t.Target.IP)
			}
			return nil
		}); err != nil || !slices.Equal(ips, []string{fmt.Sprintf("10.0.0.%d", i)}) {
			t.Errorf("%d: %s, %v", i, ips, err)
		}
	}
	j.must(s.Handed(j.ctx, Finished{j.job.ID, "fra"}, true, j.now))
	if failed, err := s.FailedUnits(j.ctx, j.job.ID, "fra", 1); err != nil || len(failed) != 1 {
		t.Errorf("%+v, %v", failed, err)
	}
	if list, err := s.JobList(j.ctx, j.job.ID, 0); err != nil || string(list) != "list" {
		t.Errorf("the addresses of what was given up cannot be named: %q, %v", list, err)
	}
}

// testJobPauses: what is sent in a pause is kept, and nothing begins; nor after a stop.
func testJobPauses(t *testing.T, s *Store) {
	j := begun(t, s, 3, "fra")
	a := j.begin(j.unit("fra", 1), "a", job.Run)
	want := func(w JobWant) {
		t.Helper()
		_, err := s.WantJob(j.ctx, "all", w, "", j.now)
		j.must(err)
	}
	want(WantPause)
	j.begin(j.unit("fra", 2), "b", job.Pause)
	j.part(a, "a", 0, job.Pause, unitHead, unitLine(1), unitEnd)
	o, err := j.Heard(j.ctx, a, "a", j.now.Add(time.Minute))
	j.order(o, err, job.Pause)
	j.done(a, "a", 1, job.Drop)
	want(WantResume)
	a = j.begin(j.unit("fra", 2), "b", job.Run)
	j.part(a, "b", 0, job.Run, unitHead, unitLine(2))
	for _, late := range []time.Duration{time.Second, heardEvery, heardEvery + time.Second} {
		o, err = j.Heard(j.ctx, a, "b", j.now.Add(late))
		j.order(o, err, job.Run)
	}
	if list, err := s.Undone(j.ctx, j.job.ID, "fra", 1, 1); err != nil || len(list) != 1 || list[0].K != 2 || !list[0].Heard.Equal(j.now.Add(heardEvery)) || list[0].Worker != "b" || !list[0].Begun.Equal(j.now) {
		t.Errorf("%+v, %v", list, err)
	}
	want(WantStop)
	j.part(a, "b", 1, job.Drop, unitEnd)
	j.begin(j.unit("fra", 3), "c", job.Drop)
	if f, err := s.Unhanded(j.ctx); err != nil || !slices.Equal(f, []Finished{{j.job.ID, "fra"}}) {
		t.Errorf("%+v, %v", f, err)
	}
	streams, err := s.UnitStreams(j.ctx, j.job.ID, "fra")
	if err != nil || len(streams) != 3 || streams[0].State != UnitDone || streams[1].State != UnitBegun || streams[1].Events == nil || streams[2].Events != nil {
		t.Errorf("%+v, %v", streams, err)
	}
	j.begin(job.Unit{Job: "other", Vantage: "fra", K: 1 << 63}, "c", job.Drop)
}

// testTogether: many at once lose nothing, and one that fails harms no other.
func testTogether(t *testing.T, s *Store) {
	j := begun(t, s, 40, "fra")
	var all sync.WaitGroup
	for k := range uint64(40) {
		all.Go(func() { // its own copy: each has its clock
			me := *j
			me.make(j.unit("fra", k+1), fmt.Sprint("w", k%7))
		})
	}
	bad := errors.New("bad")
	for range 10 {
		all.Go(func() {
			if err := s.together(j.ctx, func(context.Context, *sql.Tx) error { return bad }); !errors.Is(err, bad) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if p := j.progress(); p[0].Units[UnitDone] != 40 || p[0].Summary.Targets != 160 || !p[0].Summary.Complete {
		t.Errorf("%+v", p)
	}
}

func testWorkers(t *testing.T, s *Store) {
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w := Worker{Name: "a", Vantage: "fra", Key: "UA", Made: jobTime}
	must(s.AddWorker(ctx, w))
	for _, twice := range []Worker{{Name: "a", Key: "UB", Made: jobTime}, {Name: "b", Key: "UA", Made: jobTime}} {
		if err := s.AddWorker(ctx, twice); !errors.Is(err, ErrWorkerExists) {
			t.Errorf("%+v: %v", twice, err)
		}
	}
	must(s.SawWorker(ctx, "a", "0.2.0\x00", "JOB/7", jobTime.Add(time.Minute)))
	must(s.SawWorker(ctx, "a", "0.1.0", "", jobTime)) // written late
	w.Seen, w.Version, w.Doing = jobTime.Add(time.Minute), "0.2.0\ufffd", "JOB/7"
	if got, err := s.WorkerOf(ctx, "UA"); err != nil || got != w {
		t.Errorf("%+v, %v", got, err)
	}
	must(s.RefusedWorker(ctx, "a", "other\x00 data", jobTime.Add(time.Hour)))
	w.Refused, w.Why = jobTime.Add(time.Hour), "other\ufffd data"
	if got, err := s.WorkerOf(ctx, "UA"); err != nil || got != w {
		t.Errorf("%+v, %v", got, err)
	}
	must(s.RefusedWorker(ctx, "a", "", jobTime.Add(time.Hour)))
	w.Refused, w.Why = time.Time{}, ""
	if got, err := s.WorkerOf(ctx, "UA"); err != nil || got != w {
		t.Errorf("%+v, %v", got, err)
	}
	must(s.RevokeWorker(ctx, "a", jobTime.Add(time.Hour)))
	if err := s.RevokeWorker(ctx, "a", jobTime); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
	if _, err := s.WorkerOf(ctx, "UA"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a revoked worker: %v", err)
	}
	must(s.AddWorker(ctx, Worker{Name: "a", Vantage: "sgp", Key: "UC", Made: jobTime.Add(2 * time.Hour)}))
	if all, err := s.Workers(ctx); err != nil || len(all) != 2 || all[0].Key != "UC" || !all[1].Revoked.Equal(jobTime.Add(time.Hour)) {
		t.Errorf("%+v, %v", all, err)
	}
}
