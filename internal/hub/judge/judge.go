// Package judge makes one result of what workers have sent of a job: it believes of it
// what they can have seen, says what is missing, and hands it to the history.
package judge

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/stored"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Ledger is what a judge needs of store.Store.
type Ledger interface {
	Job(ctx context.Context, name string) (store.Job, error)
	JobRecord(ctx context.Context, id string, offset int64) ([]byte, error)
	JobList(ctx context.Context, id string, offset int64) ([]byte, error)
	UnitStreams(ctx context.Context, id, vantage string) ([]store.UnitStream, error)
	Handed(ctx context.Context, f store.Finished, complete bool, now time.Time) error
}

// Judge makes the results of jobs.
type Judge struct {
	Ledger Ledger
	// Take makes a stream of a watch and has it taken into the history; see watch.Runner.Take.
	Take func(ctx context.Context, watch string, began time.Time, write func(emit func(event.Event) error) error) (store.Applied, error)
	Key  ed25519.PublicKey // that signs records
	Tool event.Tool
	Data event.Data // how fresh the knowledge of the hub and of its workers is
	Now  func() time.Time
}

// Finish takes what there is of a job's vantage into the history, and forgets the parts.
// It is for one of which all units are done or given up, or whose job was stopped. After
// an error, or when the process has ended meanwhile, it is to be called again: nothing is
// in the history twice.
func (j *Judge) Finish(ctx context.Context, id, vantage string) error {
	m, err := j.open(ctx, id, vantage)
	if err != nil {
		return err
	}
	taken, err := j.Take(ctx, job.Watch(m.job.Name, vantage), m.job.Created, func(emit func(event.Event) error) error {
		return m.write(ctx, emit)
	})
	if err != nil {
		return fmt.Errorf("job %s at %s: %w", m.job.Name, vantage, err)
	}
	return j.Ledger.Handed(ctx, store.Finished{Job: m.job.ID, Vantage: vantage}, taken.Run.Complete, j.Now())
}

// Results writes what there is so far of a job's vantage: what is missing makes it
// incomplete. The job is named by its ID or its name. When the vantage is handed to the
// history, its stream is there and no longer here: store.ErrNotFound.
func (j *Judge) Results(ctx context.Context, name, vantage string, emit func(event.Event) error) error {
	m, err := j.open(ctx, name, vantage)
	if err != nil {
		return err
	}
	return m.write(ctx, emit)
}

// matter is a vantage of a job that is being judged.
type matter struct {
	*Judge
	job     store.Job
	record  *job.Record
	vantage string
	units   []store.UnitStream // in the order of K
	head    event.Scan         // of each unit, but for its shard and its begin
	claims  *claims
	seen    map[int]said // by number of the attempt
}

// open reads what the ledger has of a job.
func (j *Judge) open(ctx context.Context, name, vantage string) (*matter, error) {
	m := &matter{Judge: j, vantage: vantage, seen: map[int]said{}}
	var err error
	if m.job, err = j.Ledger.Job(ctx, name); err != nil {
		return nil, err
	}
	if m.record, err = j.Record(ctx, m.job.ID); err != nil {
		return nil, fmt.Errorf("job %s: %w", m.job.Name, err)
	}
	if m.units, err = j.Ledger.UnitStreams(ctx, m.job.ID, vantage); err != nil {
		return nil, err
	}
	if len(m.byUnit()) != int(m.record.Units) { // of a vantage that was handed, only units that failed are kept
		return nil, fmt.Errorf("job %s at %s: its results are in the history, or there are none: %w", m.job.Name, vantage, store.ErrNotFound)
	}
	p := m.record.Plan
	m.head = event.Scan{
		Type: event.TypeScan, Schema: event.Schema, Tool: j.Tool, Level: event.Level(p.Level), Seed: uint64(p.Seed), Data: j.Data,
		Authorization: event.Authorization{Authorized: p.Authorized, Contact: p.Contact}, Ports: p.Tried, Config: p.Config,
		Watch: job.Watch(m.job.Name, vantage), Vantage: vantage,
	}
	if len(p.Headers) > 0 {
		m.head.Network = &event.Network{Headers: p.Headers}
	}
	return m, nil
}

// Record reads the record of a job.
func (j *Judge) Record(ctx context.Context, id string) (*job.Record, error) {
	packed, err := io.ReadAll(&pieces{ctx: ctx, id: id, next: j.Ledger.JobRecord})
	if err != nil {
		return nil, err
	}
	return job.Open(j.Key, packed)
}

// Targets names the first targets of units of a job, at most so many of each, in the order
// of the units.
func (j *Judge) Targets(ctx context.Context, id string, units []uint64, most int) ([][]string, error) {
	r, err := j.Record(ctx, id)
	if err != nil {
		return nil, err
	}
	space, err := r.Unpack(&pieces{ctx: ctx, id: id, next: j.Ledger.JobList})
	if err != nil {
		return nil, err
	}
	defer space.Close()
	out := make([][]string, len(units))
	for i, k := range units {
		if out[i], err = r.Named(space, k, most); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// pieces reads a file of a job from the ledger.
type pieces struct {
	ctx  context.Context
	id   string
	next func(ctx context.Context, id string, offset int64) ([]byte, error)
	at   int64
	have bytes.Reader
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.have.Len() == 0 {
		data, err := p.next(p.ctx, p.id, p.at)
		if err != nil {
			return 0, err
		}
		if len(data) == 0 {
			return 0, io.EOF
		}
		p.at += int64(len(data))
		p.have.Reset(data)
	}
	return p.have.Read(b)
}

// maxNamed is how many units, and how many workers, a note names.
const maxNamed = 20

// write merges the streams of the units.
func (m *matter) write(ctx context.Context, emit func(event.Event) error) error {
	space, err := m.record.Unpack(&pieces{ctx: ctx, id: m.job.ID, next: m.Ledger.JobList})
	if err != nil {
		return fmt.Errorf("job %s: %w", m.job.Name, err)
	}
	defer space.Close()
	if m.claims, err = m.survey(space); err != nil {
		return err
	}
	var sources []stored.Source
	for _, attempts := range m.byUnit() {
		sources = append(sources, m.unit(attempts))
	}
	missing, err := m.missing(space)
	if err != nil {
		return err
	}
	return stored.Merge(sources, func(e event.Event) error {
		switch e := e.(type) {
		case *event.Scan:
			head := *e
			head.Started = m.began()
			return emit(&head)
		case *event.Summary:
			return emit(m.summary(e, missing))
		}
		return emit(e)
	})
}

// attempt is one at a unit, and its number among all.
type attempt struct {
	store.UnitStream
	n int
}

// byUnit returns the attempts at each unit.
func (m *matter) byUnit() (out [][]attempt) {
	for i, x := range m.units {
		if n := len(out); n > 0 && out[n-1][0].K == x.K {
			out[n-1] = append(out[n-1], attempt{x, i})
		} else {
			out = append(out, []attempt{{x, i}})
		}
	}
	return out
}

// began is when the first attempt of which there is something began; the job, if there is
// none.
func (m *matter) began() time.Time {
	first := m.job.Created
	for i, x := range m.units {
		if !x.Tried.IsZero() && (first.Equal(m.job.Created) || x.Tried.Before(first)) {
			first = m.units[i].Tried
		}
	}
	return first
}

// unit is the stream of a unit: that of the attempt by which it is done; of one that is
// not, what all attempts have.
func (m *matter) unit(attempts []attempt) stored.Source {
	if len(attempts) == 1 {
		return m.attempt(attempts[0])
	}
	var runs []stored.Source
	for _, a := range attempts {
		runs = append(runs, m.attempt(a))
	}
	return func(yield func(event.Event) error) error { return stored.MergeRuns(runs, yield) }
}

// attempt is the stream of one: with a head of the record, the lines that it can have, and
// a summary of these.
func (m *matter) attempt(a attempt) stored.Source {
	return func(yield func(event.Event) error) error {
		head := m.head
		head.Shard, head.Started = fmt.Sprintf("%d/%d", a.K, m.record.Units), a.Tried
		if head.Started.IsZero() {
			head.Started = m.job.Created
		}
		if err := yield(&head); err != nil {
			return err
		}
		all, sum := event.NewSummary(), event.NewSummary() // of all lines; of those that are passed on
		var last *event.Summary
		if a.Events != nil {
			if err := a.Events(func(e event.Event) error {
				switch e := e.(type) {
				case *event.Target:
					all.Add(e)
					if last == nil && m.claims.can(e, a.K) {
						sum.Add(e)
						return yield(e)
					}
				case *event.Summary:
					last = e
				}
				return nil
			}); err != nil {
				return err
			}
		}
		sum.Finished = a.Ended
		dropped := all.Targets - sum.Targets
		m.seen[a.n] = said{a.Worker, dropped, 0}
		if a.State == store.UnitDone && last != nil {
			// The ledger has seen to it that it says what the lines say, and more only of
			// what needs none.
			sum.Complete = dropped == 0
			for _, o := range []event.Outcome{event.OutcomeClosed, event.OutcomeSilent, event.OutcomeExcluded} {
				sum.AddOutcome(o, last.Outcomes[o]-all.Outcomes[o])
			}
			sum.MissEstimate = event.MissEstimate{Reprobed: last.MissEstimate.Reprobed, Found: last.MissEstimate.Found}
			sum.MissEstimate.Estimate(sum.Outcomes[event.OutcomeSilent])
			sum.AddUnlisted(store.UnlistedOf(last))
			m.seen[a.n] = said{a.Worker, dropped, chosen(last)}
		}
		return yield(sum)
	}
}

// said is what a stream has besides its lines.
type said struct {
	worker  string
	dropped int64 // lines
	chosen  int   // so many addresses of a name were tried, if it had more; 0 if none had
}

// chosenNote is the note of a scan that tried only so many addresses of a name. Of what
// else a worker says in words nothing is passed on.
const chosenNote = "names.chosen"

func chosen(sum *event.Summary) (n int) {
	for _, note := range sum.AllNotes() {
		if note.ID == chosenNote {
			count, _ := strconv.Atoi(strings.Join(note.Args["count"], ""))
			n = max(n, count, 1)
		}
	}
	return n
}

// summary is the merged one, and what else is to be said.
func (m *matter) summary(merged *event.Summary, missing *event.Unlisted) *event.Summary {
	sum := *merged
	sum.Noted = event.Noted{}
	sum.Finished = m.job.Ended
	if sum.Finished.IsZero() {
		sum.Finished = m.Now().UTC().Truncate(time.Millisecond)
	}
	if m.job.State == store.JobStopped {
		sum.AddNotes(message.Say("job.stopped", message.Of("reason", m.job.Why)))
	}
	all := strconv.FormatUint(m.record.Units, 10)
	var failed []string
	left, chose := 0, 0
	var workers []string
	var dropped int64
	for _, attempts := range m.byUnit() {
		x := attempts[0]
		switch x.State {
		case store.UnitFailed:
			failed = append(failed, fmt.Sprintf("%d/%s (%s)", x.K, all, x.Error))
		case store.UnitWaiting, store.UnitBegun:
			left++
		}
		for _, a := range attempts {
			s := m.seen[a.n]
			chose = max(chose, s.chosen)
			dropped += s.dropped
			if s.dropped > 0 && !slices.Contains(workers, s.worker) {
				workers = append(workers, s.worker)
			}
		}
	}
	if n := len(failed); n > 0 {
		if n > maxNamed {
			failed = append(failed[:maxNamed], "…")
		}
		sum.AddNotes(message.Say("job.units-failed", message.Number("count", n), message.Of("possible", all), message.Of("reason", failed...)))
	}
	if left > 0 {
		sum.AddNotes(message.Say("job.units-left", message.Number("count", left), message.Of("possible", all)))
	}
	if dropped > 0 {
		if len(workers) > maxNamed {
			workers = append(workers[:maxNamed], "…")
		}
		sum.AddNotes(message.Say("job.lines-dropped", message.Number("count", int(dropped)), message.Of("place", workers...)))
	}
	if chose > 0 {
		sum.AddNotes(message.Say(chosenNote, message.Number("count", chose)))
	}
	sum.AddUnlisted(missing)
	return &sum
}

// missing are the targets of units that are not done, but for those of which a line tells:
// how many, and the first of them.
func (m *matter) missing(space *target.Space) (*event.Unlisted, error) {
	out := &event.Unlisted{Targets: []event.Place{}}
	order := target.NewOrder(space.Len(), m.head.Seed)
	for _, attempts := range m.byUnit() {
		k := attempts[0].K
		if attempts[0].State == store.UnitDone {
			continue
		}
		shard := target.Shard{K: k, N: m.record.Units}
		n := shard.Len(space.Len())
		told := m.claims.told[k]
		out.Count += int64(n) - int64(len(told))
		for i := uint64(0); i < n && len(out.Targets) < event.MaxUnlisted; i++ {
			at := order.At(shard.At(i))
			if told[at] {
				continue
			}
			t, err := space.At(at)
			if err != nil {
				return nil, err
			}
			out.Targets = append(out.Targets, event.Place{Place: t.HostPort() + t.Base, Outcome: string(event.OutcomeInterrupted)})
		}
	}
	if out.Count == 0 {
		return nil, nil
	}
	return out, nil
}
