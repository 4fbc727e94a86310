package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
)

// ErrJobRuns says that a job of that name has not ended.
var ErrJobRuns = errors.New("a job of that name has not ended")

// AddJob keeps a job that is JobNew, and gives it an ID. Of it, Name, Created, Exclude,
// Vantages and Rate count. A name has one job at a time that has not ended: ErrJobRuns.
func (s *Store) AddJob(ctx context.Context, j *Job) error {
	exclude, err := json.Marshal(j.Exclude)
	if err != nil {
		return err
	}
	vantages, err := json.Marshal(j.Vantages)
	if err != nil {
		return err
	}
	j.ID, j.State, j.Created = ID(unique(j.Created)).String(), JobNew, at(ms(j.Created))
	return s.change(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `INSERT INTO job (id, name, created, ended, state, why, exclude, vantages, units, targets, rate)
			VALUES ($1, $2, $3, 0, $4, '', $5, $6, 0, 0, $7) ON CONFLICT DO NOTHING`,
			j.ID, j.Name, ms(j.Created), j.State, string(exclude), string(vantages), j.Rate)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrJobRuns, err)
		}
		return nil
	})
}

// The files of a job.
const (
	fileRecord = "record"
	fileList   = "list"
)

// StartJob makes a new job one that is JobRunning, with its signed record, its packed list,
// and its units 1 to n of each vantage, all or nothing. Targets are those of all units of
// a vantage.
func (s *Store) StartJob(ctx context.Context, id string, record, list []byte, n, targets uint64, now time.Time) error {
	j, err := s.Job(ctx, id)
	if err != nil {
		return err
	}
	return s.change(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE job SET state = $1, units = $2, targets = $3 WHERE id = $4 AND state = $5`,
			JobRunning, int64(n), int64(targets), id, JobNew)
		if err := found(r, err); err != nil {
			if errors.Is(err, ErrNotFound) {
				err = fmt.Errorf("job %s is not new any more", j.Name)
			}
			return err
		}
		for what, data := range map[string][]byte{fileRecord: record, fileList: list} {
			seq := 0
			for piece := range slices.Chunk(data, job.MaxPart) {
				if _, err := tx.ExecContext(ctx, `INSERT INTO job_file (job, what, seq, data) VALUES ($1, $2, $3, $4)`, id, what, seq, piece); err != nil {
					return err
				}
				seq++
			}
		}
		summary, err := json.Marshal(newTotal())
		if err != nil {
			return err
		}
		rows := &bulk{tx: tx, before: `INSERT INTO unit (job, vantage, k, state, attempts, attempt, worker, begun, heard, ended, targets, error) VALUES `}
		for _, v := range j.Vantages {
			if _, err := tx.ExecContext(ctx, `INSERT INTO job_vantage (job, vantage, first, handed, units, begun, done, failed, summary)
				VALUES ($1, $2, 0, 0, $3, 0, 0, 0, $4)`, id, v, int64(n), string(summary)); err != nil {
				return err
			}
			for k := range n {
				if err := rows.add(ctx, id, v, int64(k+1), UnitWaiting, 0, 0, "", 0, 0, 0, 0, ""); err != nil {
					return err
				}
			}
		}
		if err := rows.flush(ctx); err != nil {
			return err
		}
		return endJob(ctx, tx, id, now) // there may be nothing to do
	})
}

// endJob ends a job of which every unit is done or given up.
func endJob(ctx context.Context, tx *sql.Tx, id string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE job SET state = $1, ended = $2, why = '' WHERE id = $3 AND ended = 0
		AND NOT EXISTS (SELECT 1 FROM job_vantage v WHERE v.job = job.id AND v.done + v.failed < v.units)`, JobDone, ms(now), id)
	return err
}

// Jobs returns all jobs, the latest first.
func (s *Store) Jobs(ctx context.Context) ([]Job, error) {
	return s.jobs(ctx, `ORDER BY created DESC, id DESC`)
}

// OpenJobs returns the jobs that have not ended by a time, the latest first.
func (s *Store) OpenJobs(ctx context.Context, by time.Time) ([]Job, error) {
	return s.jobs(ctx, `WHERE ended = 0 OR ended > $1 ORDER BY created DESC, id DESC`, ms(by))
}

// HaveJobs reports whether a job was ever added.
func (s *Store) HaveJobs(ctx context.Context) (have bool, err error) {
	err = s.each(ctx, `SELECT 1 FROM job LIMIT 1`, nil, func(*sql.Rows) error { have = true; return nil })
	return have, err
}

// Job returns a job by its ID, or the latest of a name, or ErrNotFound.
func (s *Store) Job(ctx context.Context, name string) (Job, error) {
	for _, where := range []string{`WHERE id = $1`, `WHERE name = $1 ORDER BY created DESC, id DESC LIMIT 1`} {
		list, err := s.jobs(ctx, where, name)
		if err != nil || len(list) > 0 {
			return append(list, Job{})[0], err
		}
	}
	return Job{}, ErrNotFound
}

func (s *Store) jobs(ctx context.Context, where string, args ...any) (out []Job, err error) {
	err = s.each(ctx, `SELECT id, name, created, ended, state, why, exclude, vantages, units, targets, rate FROM job `+where, args, func(r *sql.Rows) error {
		var j Job
		var created, ended, units, targets int64
		var exclude, vantages string
		if err := r.Scan(&j.ID, &j.Name, &created, &ended, &j.State, &j.Why, &exclude, &vantages, &units, &targets, &j.Rate); err != nil {
			return err
		}
		j.Created, j.Ended, j.Units, j.Targets = at(created), at(ended), uint64(units), uint64(targets)
		out = append(out, j)
		last := &out[len(out)-1]
		return errors.Join(json.Unmarshal([]byte(exclude), &last.Exclude), json.Unmarshal([]byte(vantages), &last.Vantages))
	})
	return out, err
}

// JobRecord returns bytes of a job's record, from an offset on, at most job.MaxPart of
// them; none at its end.
func (s *Store) JobRecord(ctx context.Context, id string, offset int64) ([]byte, error) {
	return s.piece(ctx, id, fileRecord, offset)
}

// JobList returns bytes of its list likewise.
func (s *Store) JobList(ctx context.Context, id string, offset int64) ([]byte, error) {
	return s.piece(ctx, id, fileList, offset)
}

func (s *Store) piece(ctx context.Context, id, what string, offset int64) ([]byte, error) {
	if offset < 0 {
		return nil, fmt.Errorf("%s of a job from byte %d on", what, offset)
	}
	var data []byte
	err := s.read.QueryRowContext(ctx, `SELECT data FROM job_file WHERE job = $1 AND what = $2 AND seq = $3`,
		id, what, min(offset/job.MaxPart, maxSeq)).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return data[min(offset%job.MaxPart, int64(len(data))):], err
}

// maxSeq is beyond any piece of a file: PostgreSQL takes no number that its column has not.
const maxSeq = 1 << 30

// wants is from which states a wish leads to which.
func wants() map[JobWant]struct {
	from []JobState
	to   JobState
} {
	return map[JobWant]struct {
		from []JobState
		to   JobState
	}{
		WantPause:  {[]JobState{JobRunning}, JobPaused},
		WantResume: {[]JobState{JobPaused}, JobRunning},
		WantStop:   {[]JobState{JobNew, JobRunning, JobPaused}, JobStopped},
	}
}

// WantJob pauses, resumes or stops a job, by ID or name. An error says why it cannot be.
// The hub, which may be another process, is to look at the state of jobs now and then.
func (s *Store) WantJob(ctx context.Context, name string, want JobWant, why string, now time.Time) (Job, error) {
	j, err := s.Job(ctx, name)
	if err != nil {
		return j, err
	}
	way, ok := wants()[want]
	if !ok {
		return j, fmt.Errorf("%q is nothing to want of a job", want)
	}
	err = s.change(ctx, func(tx *sql.Tx) error {
		ended := int64(0)
		if way.to == JobStopped {
			ended = ms(now)
		}
		for _, from := range way.from {
			r, err := tx.ExecContext(ctx, `UPDATE job SET state = $1, why = $2, ended = $3 WHERE id = $4 AND state = $5`, way.to, text(why, maxError), ended, j.ID, from)
			if err := found(r, err); err == nil || !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		return ErrNotFound
	})
	as, again := s.Job(ctx, j.ID)
	switch {
	case again != nil:
		return j, errors.Join(err, again)
	case errors.Is(err, ErrNotFound) && !as.Ended.IsZero():
		return as, fmt.Errorf("job %s cannot %s: it is %s since %s", as.Name, want, as.State, as.Ended.Format(time.RFC3339))
	case errors.Is(err, ErrNotFound):
		return as, fmt.Errorf("job %s cannot %s: it is %s", as.Name, want, as.State)
	}
	return as, err
}

// RateOver is the time that Progress.Rate is of.
const RateOver = 5 * time.Minute

// Progress returns how far the vantages of a job are, in the order of Job.Vantages.
func (s *Store) Progress(ctx context.Context, id string, now time.Time) (out []Progress, err error) {
	j, err := s.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	first := map[string]int64{}
	all := map[string]Progress{}
	err = s.each(ctx, `SELECT vantage, first, handed, units, begun, done, failed, summary FROM job_vantage WHERE job = $1`, []any{j.ID}, func(r *sql.Rows) error {
		var p Progress
		var began, handed, units, begun, done, failed int64
		var total string
		if err := r.Scan(&p.Vantage, &began, &handed, &units, &begun, &done, &failed, &total); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(total), &p.Summary); err != nil {
			return err
		}
		p.Summary.MissEstimate.Estimate(p.Summary.Outcomes[event.OutcomeSilent])
		p.Summary.Complete = p.Summary.Complete && done == units
		p.Units = map[UnitState]uint64{
			UnitWaiting: uint64(units - begun - done - failed), UnitBegun: uint64(begun), UnitDone: uint64(done), UnitFailed: uint64(failed),
		}
		p.Handed = handed > 0
		first[p.Vantage] = began
		all[p.Vantage] = p
		return nil
	})
	if err != nil {
		return nil, err
	}
	rate := map[string]float64{}
	if j.Ended.IsZero() {
		err = s.each(ctx, `SELECT vantage, SUM(targets) FROM unit WHERE job = $1 AND ended > 0 AND ended > $2 GROUP BY vantage`, []any{j.ID, ms(now.Add(-RateOver))}, func(r *sql.Rows) error {
			var v string
			var targets float64
			err := r.Scan(&v, &targets)
			over := min(RateOver, now.Sub(at(first[v])))
			rate[v] = targets / max(over, time.Second).Seconds()
			return err
		})
	}
	for _, v := range j.Vantages {
		p, ok := all[v]
		if !ok { // it has not started
			p = Progress{Vantage: v, Units: map[UnitState]uint64{}, Summary: *event.NewSummary()}
		}
		p.Rate = rate[v]
		out = append(out, p)
	}
	return out, err
}

// Finished is a vantage of a job whose stream is to go into the history.
type Finished struct{ Job, Vantage string }

// Unhanded returns the vantages all of whose units are done or failed, or whose job was
// stopped, and that are not yet Handed; those of older jobs first.
func (s *Store) Unhanded(ctx context.Context) (out []Finished, err error) {
	err = s.each(ctx, `SELECT v.job, v.vantage FROM job_vantage v JOIN job j ON j.id = v.job
		WHERE v.handed = 0 AND (v.done + v.failed = v.units OR j.state = $1) ORDER BY j.created, v.job, v.vantage`, []any{JobStopped}, func(r *sql.Rows) error {
		var f Finished
		err := r.Scan(&f.Job, &f.Vantage)
		out = append(out, f)
		return err
	})
	return out, err
}

// Handed notes that the stream of a vantage is in the history, as a run that is complete or
// not: lines that were not believed are missing in it. It forgets what led to it:
// the parts, the units but those that were given up, and the list when no vantage has use
// for it any more: those that were given up are named by it.
func (s *Store) Handed(ctx context.Context, f Finished, complete bool, now time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if !complete {
			if err := changeTotal(ctx, tx, f.Job, f.Vantage, func(total *event.Summary) { total.Complete = false }); err != nil {
				return err
			}
		}
		for _, x := range []struct {
			statement string
			args      []any
		}{
			{`UPDATE job_vantage SET handed = $1 WHERE job = $2 AND vantage = $3 AND handed = 0`, []any{ms(now), f.Job, f.Vantage}},
			{`DELETE FROM part WHERE job = $1 AND vantage = $2`, []any{f.Job, f.Vantage}},
			{`DELETE FROM unit WHERE job = $1 AND vantage = $2 AND state <> $3`, []any{f.Job, f.Vantage, UnitFailed}},
			{`DELETE FROM job_file WHERE job = $1 AND what = $2 AND NOT EXISTS (SELECT 1 FROM job_vantage v WHERE v.job = $1 AND v.handed = 0)
				AND NOT EXISTS (SELECT 1 FROM unit u WHERE u.job = $1 AND u.state = '` + string(UnitFailed) + `')`, []any{f.Job, fileList}},
		} {
			if _, err := tx.ExecContext(ctx, x.statement, x.args...); err != nil {
				return err
			}
		}
		return nil
	})
}
