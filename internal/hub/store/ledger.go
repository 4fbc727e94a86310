package store

import (
	"context"
	"errors"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/stored"
)

var errNotYet = errors.New("not yet made")

// AddJob keeps a job that is JobNew, and gives it an ID. Of it, Name, Created, Exclude, Vantages and
// Rate count. A name has one job at a time that has not ended: ErrNameTaken.
func (s *Store) AddJob(ctx context.Context, j *Job) error { return errNotYet }

// StartJob makes a new job one that is JobRunning, with its signed record, its packed list,
// and its units 1 to n of each vantage, all or nothing. Targets are those of all units of a vantage.
func (s *Store) StartJob(ctx context.Context, id string, record, list []byte, n, targets uint64) error {
	return errNotYet
}

// Jobs returns all jobs, the latest first.
func (s *Store) Jobs(ctx context.Context) ([]Job, error) { return nil, errNotYet }

// Job returns a job by its ID, or the latest of a name, or ErrNotFound.
func (s *Store) Job(ctx context.Context, name string) (Job, error) { return Job{}, errNotYet }

// JobRecord returns bytes of a job's record, from an offset on, at most job.MaxPart of them; none at its end.
func (s *Store) JobRecord(ctx context.Context, id string, offset int64) ([]byte, error) {
	return nil, errNotYet
}

// JobList returns bytes of its list likewise.
func (s *Store) JobList(ctx context.Context, id string, offset int64) ([]byte, error) {
	return nil, errNotYet
}

// WantJob pauses, resumes or stops a job, by ID or name. An error says why it cannot be. The hub, which may be
// another process, is to look at the state of jobs now and then.
func (s *Store) WantJob(ctx context.Context, name string, want JobWant, why string, now time.Time) (Job, error) {
	return Job{}, errNotYet
}

// Undone returns units of a job's vantage that are UnitWaiting or UnitBegun, in order of K, from after on.
func (s *Store) Undone(ctx context.Context, id, vantage string, after uint64, limit int) ([]JobUnit, error) {
	return nil, errNotYet
}

// FailedUnits returns the first units of a job that were given up.
func (s *Store) FailedUnits(ctx context.Context, id string, limit int) ([]JobUnit, error) {
	return nil, errNotYet
}

// BeginUnit begins an attempt at a unit. If the order is not job.Run, none has begun.
func (s *Store) BeginUnit(ctx context.Context, u job.Unit, worker string, now time.Time) (job.Begun, error) {
	return job.Begun{}, errNotYet
}

// Heard notes that a worker is at work at a unit, and says whether it still is to be: run, pause, drop or lost.
func (s *Store) Heard(ctx context.Context, a job.At, worker string, now time.Time) (job.Ordered, error) {
	return job.Ordered{}, errNotYet
}

// AddPart keeps a part of an attempt; it may come again. With run and pause it is in the ledger for good.
func (s *Store) AddPart(ctx context.Context, p job.Part, worker string, now time.Time) (job.Ordered, error) {
	return job.Ordered{}, errNotYet
}

// DoneUnit ends a unit with an attempt of which all parts are there; it reads them first, and fails the attempt if they
// are no whole stream that adds up. The order is drop if the unit is done, also for one that comes again.
func (s *Store) DoneUnit(ctx context.Context, a job.At, worker string, parts int, now time.Time) (job.Ordered, error) {
	return job.Ordered{}, errNotYet
}

// FailUnit ends an attempt without a result: the unit waits again, or is given up. The order is drop or lost, or refuse
// if the worker is to give it back.
func (s *Store) FailUnit(ctx context.Context, a job.At, worker, why string, now time.Time) (job.Ordered, error) {
	return job.Ordered{}, errNotYet
}

// RateOver is the time that Progress.Rate is of.
const RateOver = 5 * time.Minute

// Progress returns how far the vantages of a job are, in the order of Job.Vantages.
func (s *Store) Progress(ctx context.Context, id string, now time.Time) ([]Progress, error) {
	return nil, errNotYet
}

// UnitStream is what there is of an attempt at a unit.
type UnitStream struct {
	JobUnit
	Attempt int64
	Begun   time.Time // the attempt
	// Events yields the events of its lines: if the unit is done a whole stream, else the begin of one. They were written by a worker and
	// are not to be believed.
	Events stored.Source
}

// UnitStreams returns what there is of a job's vantage, in order of K: of units that are done the one attempt, of others all.
func (s *Store) UnitStreams(ctx context.Context, id, vantage string) ([]UnitStream, error) {
	return nil, errNotYet
}

// Finished is a vantage of a job whose stream is to go into the history.
type Finished struct{ Job, Vantage string }

// Unhanded returns the vantages all of whose units are done or failed, or whose job was stopped, and that are not yet Handed.
func (s *Store) Unhanded(ctx context.Context) ([]Finished, error) { return nil, errNotYet }

// Handed notes that the stream of a vantage is in the history, and forgets the parts.
func (s *Store) Handed(ctx context.Context, f Finished, now time.Time) error { return errNotYet }

// AddWorker keeps a worker: Name, Vantage, Key and Made count. ErrNameTaken if one of that name is not revoked.
func (s *Store) AddWorker(ctx context.Context, w Worker) error { return errNotYet }

// Workers returns all workers, by name, those that are revoked included.
func (s *Store) Workers(ctx context.Context) ([]Worker, error) { return nil, errNotYet }

// WorkerOf returns the worker of a key, or ErrNotFound, also if it is revoked.
func (s *Store) WorkerOf(ctx context.Context, key string) (Worker, error) { return Worker{}, errNotYet }

// RevokeWorker makes the key of a worker good for nothing.
func (s *Store) RevokeWorker(ctx context.Context, name string, now time.Time) error { return errNotYet }

// SawWorker notes that a worker that is not revoked was heard of, and what it does.
func (s *Store) SawWorker(ctx context.Context, name, version, doing string, now time.Time) error {
	return errNotYet
}
