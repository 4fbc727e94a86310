package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// UnitStream is what there is of an attempt at a unit.
type UnitStream struct {
	JobUnit
	Tried time.Time // when the attempt began; zero if there is nothing of any
	// Events yields what it has sent: a whole stream if the unit is done, else the begin
	// of one, which ends where it cannot be read. A worker wrote it: it is not to be
	// believed. Nil if there is nothing.
	Events stored.Source
}

// UnitStreams returns all units of a job's vantage in the order of K: of one that is done
// the attempt by which it is, of others each attempt of which there is something, or one
// without Events.
func (s *Store) UnitStreams(ctx context.Context, id, vantage string) (out []UnitStream, err error) {
	// Not one query: PostgreSQL may not know how many there are, and take minutes.
	tried := map[uint64][]int64{}
	if err := s.each(ctx, `SELECT k, attempt FROM part WHERE job = $1 AND vantage = $2 GROUP BY k, attempt ORDER BY k, attempt`, []any{id, vantage}, func(r *sql.Rows) error {
		var k, attempt int64
		err := r.Scan(&k, &attempt)
		tried[uint64(k)] = append(tried[uint64(k)], attempt)
		return err
	}); err != nil {
		return nil, err
	}
	units, err := s.units(ctx, `job = $1 AND vantage = $2 ORDER BY k`, id, vantage)
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		if tried[u.K] == nil {
			out = append(out, UnitStream{JobUnit: u})
		}
		for _, attempt := range tried[u.K] {
			x := UnitStream{JobUnit: u, Tried: time.UnixMilli(attempt >> 22).UTC(), Events: s.events(ctx, u, attempt)} // see unique
			if u.State != UnitDone {
				x.Events = readable(x.Events)
			}
			out = append(out, x)
		}
	}
	return out, nil
}

// readable is a source that ends where it cannot be read.
func readable(s stored.Source) stored.Source {
	return func(yield func(event.Event) error) error {
		err := s(yield)
		if wrong := (*unreadable)(nil); errors.As(err, &wrong) {
			return nil
		}
		return err
	}
}

// events yields what an attempt has sent. What cannot be read is an unreadable error.
func (s *Store) events(ctx context.Context, u JobUnit, attempt int64) stored.Source {
	return func(yield func(event.Event) error) error {
		in := &parts{next: func(seq int) (data []byte, err error) {
			err = s.read.QueryRowContext(ctx, `SELECT data FROM part WHERE job = $1 AND vantage = $2 AND k = $3 AND attempt = $4 AND seq = $5`,
				u.Job, u.Vantage, int64(u.K), attempt, seq).Scan(&data)
			return data, err
		}}
		defer in.close()
		var failed error // of yield
		err := event.Read(in, fmt.Sprintf("unit %d of %s", u.K, u.Vantage), func(e event.Event) error {
			failed = yield(e)
			return failed
		})
		switch {
		case failed != nil, err == nil:
			return failed
		case in.failed != nil: // the database
			return in.failed
		}
		return &unreadable{err}
	}
}

// parts reads the lines of an attempt, part by part.
type parts struct {
	next   func(seq int) ([]byte, error)
	failed error // of next
	seq    int
	z      *zstd.Decoder
	in     io.Reader // the part that is being read
	left   int64     // that it may still unpack to
}

func (p *parts) Read(b []byte) (int, error) {
	for {
		if p.in == nil {
			data, err := p.next(p.seq)
			if errors.Is(err, sql.ErrNoRows) {
				return 0, io.EOF
			}
			if err != nil {
				p.failed = err
				return 0, err
			}
			if err := p.open(data); err != nil {
				return 0, err
			}
		}
		n, err := p.in.Read(b[:min(int64(len(b)), p.left+1)])
		if p.left -= int64(n); p.left < 0 {
			return 0, fmt.Errorf("part %d unpacks to more than %d bytes", p.seq-1, job.MaxUnpacked)
		}
		if errors.Is(err, io.EOF) {
			p.in, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (p *parts) open(data []byte) (err error) {
	p.seq, p.left = p.seq+1, job.MaxUnpacked
	if p.z == nil {
		// Nothing is read ahead: most units have a part or two.
		p.z, err = zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
	} else {
		err = p.z.Reset(bytes.NewReader(data))
	}
	p.in = p.z
	return err
}

func (p *parts) close() {
	if p.z != nil {
		p.z.Close()
	}
}

// recount reads a unit's stream and returns its summary with the numbers that its lines
// give. It is an unreadable error if it is no whole stream of at least so many targets, or
// if the numbers that it states are not those of its lines and what needs none.
func recount(events stored.Source, least int64) (*event.Summary, error) {
	listed := event.NewSummary()
	var sum *event.Summary
	n := 0
	err := events(func(e event.Event) error {
		n++
		_, scan := e.(*event.Scan)
		if scan != (n == 1) || sum != nil {
			return &unreadable{errors.New("they are not a scan, lines and a summary")}
		}
		switch e := e.(type) {
		case *event.Target:
			listed.Add(e)
		case *event.Summary:
			sum = e
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	wrong := func(format string, args ...any) (*event.Summary, error) {
		return nil, &unreadable{fmt.Errorf(format, args...)}
	}
	switch {
	case sum == nil:
		return wrong("they have no summary")
	case !sum.Complete:
		return wrong("their summary says that they are not complete")
	case !maps.Equal(sum.Auth, listed.Auth), !maps.Equal(sum.Findings, listed.Findings), sum.Suppressed != listed.Suppressed:
		return wrong("their summary does not say what their lines say")
	}
	most := int(min(64*least+1<<16, 1<<40)) // a name may have many addresses
	for _, o := range unionKeys(sum.Outcomes, listed.Outcomes) {
		more := sum.Outcomes[o] - listed.Outcomes[o]
		unlisted := o == event.OutcomeClosed || o == event.OutcomeSilent || o == event.OutcomeExcluded
		if more < 0 || more > 0 && !unlisted || more > most || !slices.Contains(event.Outcomes(), o) {
			return wrong("their summary has %d of %.20q, and lines of %d", sum.Outcomes[o], o, listed.Outcomes[o])
		}
		listed.AddOutcome(o, more)
	}
	m := sum.MissEstimate
	switch {
	case listed.Targets != sum.Targets, listed.Targets < least:
		return wrong("their summary says %d targets: %d are counted, and the unit has at least %d", sum.Targets, listed.Targets, least)
	case m.Found < 0 || m.Found > m.Reprobed || m.Reprobed-m.Found > listed.Outcomes[event.OutcomeSilent]:
		return wrong("their summary says that of %d silent targets %d were tried again and %d answered", listed.Outcomes[event.OutcomeSilent], m.Reprobed, m.Found)
	case !known(listed.Auth, append(event.AuthStates(), "")), !known(listed.Findings, event.Severities()):
		return wrong("their lines have a verdict or a severity that there is not")
	case sum.Unlisted != nil && (sum.Unlisted.Count < int64(len(sum.Unlisted.Targets)) || sum.Unlisted.Count > listed.Targets):
		return wrong("their summary says that %d targets could not be judged and have no line", sum.Unlisted.Count)
	}
	listed.Complete, listed.Finished, listed.Unlisted, listed.Noted = true, sum.Finished, UnlistedOf(sum), sum.Noted
	listed.MissEstimate = event.MissEstimate{Reprobed: m.Reprobed, Found: m.Found}
	return listed, nil
}

// known reports whether a sum counts only what there is: it is kept with those of all units.
func known[K comparable](sum map[K]int, words []K) bool {
	for k := range sum {
		if !slices.Contains(words, k) {
			return false
		}
	}
	return true
}

func unionKeys(a, b map[event.Outcome]int) []event.Outcome {
	return slices.Compact(slices.Sorted(func(yield func(event.Outcome) bool) {
		for _, m := range []map[event.Outcome]int{a, b} {
			for o := range m {
				if !yield(o) {
					return
				}
			}
		}
	}))
}

// UnlistedOf is what the summary of a worker says that it could not judge and has no line
// for, in words that are safe; nil for nothing.
func UnlistedOf(sum *event.Summary) *event.Unlisted {
	u := sum.Unlisted
	if u == nil {
		return nil
	}
	out := &event.Unlisted{Count: u.Count, Targets: []event.Place{}}
	for _, p := range u.Targets[:min(len(u.Targets), event.MaxUnlisted)] {
		if !slices.Contains(event.Outcomes(), event.Outcome(p.Outcome)) {
			p.Outcome = string(event.OutcomeUnknown)
		}
		out.Targets = append(out.Targets, event.Place{Place: clean.N(p.Place, maxUnlistedPlace), Outcome: p.Outcome})
	}
	return out
}

// maxUnlistedPlace is how long the name of such a target is at most, in bytes.
const maxUnlistedPlace = 300

// newTotal is the sum of no units.
func newTotal() *event.Summary {
	sum := event.NewSummary()
	sum.Complete = true
	return sum
}

// addTotal adds what a unit found to the sum of others, but for what its worker says in words.
func addTotal(total, sum *event.Summary) {
	add := *sum
	add.Noted = event.Noted{}
	total.AddSummary(&add)
	total.AddUnlisted(sum.Unlisted)
}

// changeTotal changes the sum of the units of a vantage that are done.
func changeTotal(ctx context.Context, tx *sql.Tx, id, vantage string, change func(*event.Summary)) error {
	var data string
	if err := tx.QueryRowContext(ctx, `SELECT summary FROM job_vantage WHERE job = $1 AND vantage = $2`, id, vantage).Scan(&data); err != nil {
		return err
	}
	total := newTotal()
	if err := json.Unmarshal([]byte(data), total); err != nil {
		return err
	}
	change(total)
	packed, err := json.Marshal(total)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE job_vantage SET summary = $1 WHERE job = $2 AND vantage = $3`, string(packed), id, vantage)
	return err
}
