package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
)

const unitColumns = `job, vantage, k, state, attempts, attempt, worker, begun, heard, ended, error`

func scanUnit(r interface{ Scan(...any) error }, more ...any) (u JobUnit, err error) {
	var k, begun, heard, ended int64
	err = r.Scan(append([]any{&u.Job, &u.Vantage, &k, &u.State, &u.Attempts, &u.Attempt, &u.Worker, &begun, &heard, &ended, &u.Error}, more...)...)
	u.K, u.Begun, u.Heard, u.Ended = uint64(k), at(begun), at(heard), at(ended)
	return u, err
}

func (s *Store) units(ctx context.Context, where string, args ...any) (out []JobUnit, err error) {
	err = s.each(ctx, `SELECT `+unitColumns+` FROM unit WHERE `+where, args, func(r *sql.Rows) error {
		u, err := scanUnit(r)
		out = append(out, u)
		return err
	})
	return out, err
}

// Undone returns units of a job's vantage that are UnitWaiting or UnitBegun, in the order
// of K, those beyond after, at most so many.
func (s *Store) Undone(ctx context.Context, id, vantage string, after uint64, limit int) ([]JobUnit, error) {
	return s.units(ctx, `job = $1 AND vantage = $2 AND k > $3 AND ended = 0 ORDER BY k LIMIT $4`, id, vantage, bigint(after), limit)
}

// FailedUnits returns the first units of a job's vantage that were given up.
func (s *Store) FailedUnits(ctx context.Context, id, vantage string, limit int) ([]JobUnit, error) {
	return s.units(ctx, `job = $1 AND vantage = $2 AND state = '`+string(UnitFailed)+`' ORDER BY k LIMIT $3`, id, vantage, limit)
}

// bigint is a number as the tables have it; what a message says may be more than they can.
func bigint(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// held is a unit, and what is to be done with it.
type held struct {
	JobUnit
	targets, units uint64 // of the job
	say            job.Ordered
}

// querier is a transaction or a database.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// stands reads how a unit and its job stand. The order is that for one who is to begin it.
func stands(ctx context.Context, q querier, u job.Unit) (h held, err error) {
	var state JobState
	var why string
	var units, targets int64
	h.JobUnit, err = scanUnit(q.QueryRowContext(ctx, `SELECT u.job, u.vantage, u.k, u.state, u.attempts, u.attempt, u.worker, u.begun, u.heard, u.ended, u.error,
		j.state, j.why, j.units, j.targets FROM unit u JOIN job j ON j.id = u.job WHERE u.job = $1 AND u.vantage = $2 AND u.k = $3`,
		text(u.Job, maxName), text(u.Vantage, maxName), bigint(u.K)), &state, &why, &units, &targets)
	h.units, h.targets = uint64(units), uint64(targets)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		h.say, err = job.Ordered{Order: job.Drop, Why: "the ledger has no such unit any more"}, nil
	case err != nil:
	case state == JobStopped:
		h.say = job.Ordered{Order: job.Drop, Why: "the job was stopped: " + why}
	case !h.Ended.IsZero():
		h.say = job.Ordered{Order: job.Drop, Why: "the unit is " + string(h.State)}
	case state == JobPaused:
		h.say = job.Ordered{Order: job.Pause, Why: "the job is paused: " + why}
	default:
		h.say = job.Ordered{Order: job.Run}
	}
	return h, err
}

// attempt is stands for one who has begun it: not run or pause if another has since.
func attempt(ctx context.Context, q querier, a job.At, worker string) (held, error) {
	h, err := stands(ctx, q, a.Unit)
	if err == nil && h.say.Order != job.Drop && (h.State != UnitBegun || h.Attempt != a.Attempt || h.Worker != worker) {
		h.say = job.Ordered{Order: job.Lost, Why: "another attempt at the unit has begun, or is to"}
	}
	return h, err
}

// works reports whether an attempt goes on.
func (h *held) works() bool { return h.say.Order == job.Run || h.say.Order == job.Pause }

// BeginUnit begins an attempt at a unit; one that was going on is lost. If the order is
// not run, none has begun. A unit that was begun job.MaxAttempts times, and each time neither
// ended nor was given back, is given up. Of so many attempts, the latest, there is what they
// have sent.
func (s *Store) BeginUnit(ctx context.Context, u job.Unit, worker string, now time.Time) (out job.Begun, err error) {
	err = s.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		h, err := stands(ctx, tx, u)
		out = job.Begun{Ordered: h.say}
		if err != nil || h.say.Order != job.Run {
			return err
		}
		if h.Attempts >= job.MaxAttempts {
			why := fmt.Sprintf("the worker %s was not heard of any more", h.Worker)
			if h.State == UnitWaiting {
				why = h.Error
			}
			out.Ordered = job.Ordered{Order: job.Drop, Why: "the unit is " + string(UnitFailed)}
			return h.giveUp(ctx, tx, why, now)
		}
		// It sorts by time, and nobody guesses it.
		out.Attempt = max(unique(now), h.Attempt+1)
		if _, err := tx.ExecContext(ctx, `UPDATE unit SET state = $1, attempts = attempts + 1, attempt = $2, worker = $3, begun = $4, heard = $4 WHERE job = $5 AND vantage = $6 AND k = $7`,
			UnitBegun, out.Attempt, worker, ms(now), h.Job, h.Vantage, int64(h.K)); err != nil {
			return err
		}
		// Those that were given back count as none, and may be many.
		if _, err := tx.ExecContext(ctx, `DELETE FROM part WHERE job = $1 AND vantage = $2 AND k = $3 AND attempt <=
			(SELECT DISTINCT attempt FROM part WHERE job = $1 AND vantage = $2 AND k = $3 ORDER BY attempt DESC LIMIT 1 OFFSET $4)`,
			h.Job, h.Vantage, int64(h.K), job.MaxAttempts-1); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE job_vantage SET begun = begun + $1, first = CASE WHEN first = 0 THEN $2 ELSE first END WHERE job = $3 AND vantage = $4`,
			1-h.begun(), ms(now), h.Job, h.Vantage)
		return err
	})
	return out, err
}

// begun is 1 of a unit that counts as begun.
func (h *held) begun() int {
	if h.State == UnitBegun {
		return 1
	}
	return 0
}

// giveUp makes a unit one that has failed.
func (h *held) giveUp(ctx context.Context, tx *sql.Tx, why string, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE unit SET state = $1, ended = $2, error = $3 WHERE job = $4 AND vantage = $5 AND k = $6`,
		UnitFailed, ms(now), clean.N(text(why, maxError), maxError), h.Job, h.Vantage, int64(h.K)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE job_vantage SET failed = failed + 1, begun = begun - $1 WHERE job = $2 AND vantage = $3`, h.begun(), h.Job, h.Vantage); err != nil {
		return err
	}
	return endJob(ctx, tx, h.Job, now)
}

// heardEvery is how exactly it is kept when a worker was heard of: a message each second
// would otherwise be a write each second.
const heardEvery = job.Beat / 3

// Heard notes that a worker is at work at a unit, and says whether it still is to be: run,
// pause, drop or lost. It mostly reads.
func (s *Store) Heard(ctx context.Context, a job.At, worker string, now time.Time) (job.Ordered, error) {
	h, err := attempt(ctx, s.read, a, worker)
	if err == nil && h.works() && now.Sub(h.Heard) >= heardEvery {
		err = s.together(ctx, func(ctx context.Context, tx *sql.Tx) error { return heard(ctx, tx, &h, now) })
	}
	return h.say, err
}

func heard(ctx context.Context, tx *sql.Tx, h *held, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE unit SET heard = $1 WHERE job = $2 AND vantage = $3 AND k = $4 AND attempt = $5 AND heard < $1`,
		ms(now), h.Job, h.Vantage, int64(h.K), h.Attempt)
	return err
}

// MaxParts is how many parts an attempt may have.
const MaxParts = 256

// AddPart keeps a part of an attempt; it may come again. With run and pause it is in the
// ledger for good.
func (s *Store) AddPart(ctx context.Context, p job.Part, worker string, now time.Time) (out job.Ordered, err error) {
	if p.Seq < 0 || p.Seq >= MaxParts || len(p.Data) > job.MaxPart {
		return s.FailUnit(ctx, job.Fail{At: p.At, Error: fmt.Sprintf("part %d of %d bytes: a unit has at most %d of %d", p.Seq, len(p.Data), MaxParts, job.MaxPart)}, worker, now)
	}
	err = s.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		h, err := attempt(ctx, tx, p.At, worker)
		out = h.say
		if err != nil || !h.works() {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO part (job, vantage, k, attempt, seq, data) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			h.Job, h.Vantage, int64(h.K), h.Attempt, p.Seq, p.Data); err != nil {
			return err
		}
		return heard(ctx, tx, &h, now)
	})
	return out, err
}

// DoneUnit ends a unit with an attempt of so many parts. It reads them first, and fails
// the attempt as FailUnit does if they are no whole stream that adds up. The order is drop
// if the unit is done, also if it is said again; run or pause if a part is not there: then
// all are to be sent again.
func (s *Store) DoneUnit(ctx context.Context, a job.At, worker string, parts int, now time.Time) (job.Ordered, error) {
	h, err := attempt(ctx, s.read, a, worker)
	if err != nil || !h.works() {
		return h.say, err
	}
	var have, last int
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MAX(seq), -1) FROM part WHERE job = $1 AND vantage = $2 AND k = $3 AND attempt = $4`,
		h.Job, h.Vantage, int64(h.K), h.Attempt).Scan(&have, &last); err != nil {
		return job.Ordered{}, err
	}
	if parts < 1 || have != parts || last != parts-1 {
		h.say.Why = fmt.Sprintf("%d parts are here, up to that of number %d, and not %d", have, last, parts)
		return h.say, nil
	}
	sum, err := recount(s.events(ctx, h.JobUnit, h.Attempt), h.least())
	if wrong := (*unreadable)(nil); errors.As(err, &wrong) {
		return s.FailUnit(ctx, job.Fail{At: a, Error: "its results: " + wrong.Error()}, worker, now)
	}
	if err != nil {
		return job.Ordered{}, err
	}
	var out job.Ordered
	err = s.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		h, err := attempt(ctx, tx, a, worker)
		out = h.say
		if err != nil || !h.works() {
			return err
		}
		out = job.Ordered{Order: job.Drop, Why: "the unit is " + string(UnitDone)}
		return h.done(ctx, tx, sum, parts, now)
	})
	return out, err
}

// least is how many targets a unit has at least: those of a name may be more.
func (h *held) least() int64 {
	n := h.targets / max(h.units, 1)
	if h.K <= h.targets%max(h.units, 1) {
		n++
	}
	return int64(n)
}

// done makes a unit one that is done, with its latest attempt.
func (h *held) done(ctx context.Context, tx *sql.Tx, sum *event.Summary, parts int, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE unit SET state = $1, ended = $2, heard = $2, targets = $3, error = '' WHERE job = $4 AND vantage = $5 AND k = $6`,
		UnitDone, ms(now), sum.Targets, h.Job, h.Vantage, int64(h.K)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM part WHERE job = $1 AND vantage = $2 AND k = $3 AND (attempt <> $4 OR seq >= $5)`,
		h.Job, h.Vantage, int64(h.K), h.Attempt, parts); err != nil {
		return err
	}
	if err := changeTotal(ctx, tx, h.Job, h.Vantage, func(total *event.Summary) { addTotal(total, sum) }); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE job_vantage SET done = done + 1, begun = begun - $1 WHERE job = $2 AND vantage = $3`,
		h.begun(), h.Job, h.Vantage); err != nil {
		return err
	}
	return endJob(ctx, tx, h.Job, now)
}

// FailUnit ends an attempt without a result: the unit waits again, and the order is
// refuse; or it is given up, and the order is drop. It is lost for an attempt that has
// ended before. One that was given back does not count.
func (s *Store) FailUnit(ctx context.Context, f job.Fail, worker string, now time.Time) (out job.Ordered, err error) {
	err = s.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		h, err := attempt(ctx, tx, f.At, worker)
		out = h.say
		if err != nil || !h.works() {
			return err
		}
		why, counts := clean.N(text(f.Error, maxError), maxError), 1
		if f.Back {
			counts = 0
		}
		if h.Attempts >= job.MaxAttempts && !f.Back {
			out = job.Ordered{Order: job.Drop, Why: why}
			return h.giveUp(ctx, tx, why, now)
		}
		out = job.Ordered{Order: job.Refuse, Why: why}
		if _, err := tx.ExecContext(ctx, `UPDATE unit SET state = $1, error = $2, attempts = attempts - 1 + $3 WHERE job = $4 AND vantage = $5 AND k = $6`,
			UnitWaiting, why, counts, h.Job, h.Vantage, int64(h.K)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE job_vantage SET begun = begun - 1 WHERE job = $1 AND vantage = $2`, h.Job, h.Vantage)
		return err
	})
	return out, err
}
