package store

import (
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
)

// JobState is how a job stands.
type JobState string

// The states. See Store.WantJob for what the operator may change.
const (
	JobNew     JobState = "new"     // not yet signed and handed out
	JobRunning JobState = "running" // units are handed out
	JobPaused  JobState = "paused"
	JobStopped JobState = "stopped" // by the operator, or by an exclusion list that changed
	JobDone    JobState = "done"    // every unit is done or given up
)

// JobWant is what an operator wants of a job.
type JobWant string

// What there is to want.
const (
	WantPause  JobWant = "pause"
	WantResume JobWant = "resume"
	WantStop   JobWant = "stop"
)

// Job is a scan that workers make.
type Job struct {
	ID      string    // as ID.String
	Name    string    // that of the watch of its results is Name@VANTAGE
	Created time.Time // to the millisecond
	Ended   time.Time // zero until it is stopped or done
	State   JobState
	Why     string // it was stopped, or paused
	// Exclude are files whose change stops it, with their SHA-256.
	Exclude  map[string]string
	Vantages []string
	Units    uint64 // of each vantage
	Targets  uint64 // of all units of a vantage
	Rate     int    // connections a second, of all workers together
}

// Watch is the name of the watch that a vantage's results are in the history as.
func (j *Job) Watch(vantage string) string { return job.Watch(j.Name, vantage) }

// UnitState is how a unit stands.
type UnitState string

// UnitStates returns the states.
func UnitStates() []UnitState { return []UnitState{UnitWaiting, UnitBegun, UnitDone, UnitFailed} }

// The states.
const (
	UnitWaiting UnitState = "waiting" // to be handed out, or handed out and not begun
	UnitBegun   UnitState = "begun"
	UnitDone    UnitState = "done"   // its stream is in the ledger
	UnitFailed  UnitState = "failed" // given up after several attempts
)

// JobUnit is a unit of a job.
type JobUnit struct {
	Job, Vantage string
	K            uint64
	State        UnitState
	Attempts     int       // that were begun, and not given back
	Attempt      int64     // the last one; 0 if there was none
	Worker       string    // that began it
	Begun        time.Time // the last time
	Heard        time.Time // of the last attempt, to some seconds
	Ended        time.Time // zero until it is done or failed
	Error        string    // of the last attempt that failed
}

// Progress is how far a vantage is with a job, from the units that are done.
type Progress struct {
	Vantage string
	Units   map[UnitState]uint64
	Summary event.Summary // added up; Complete means that all units are done and complete
	Rate    float64       // targets a second, of the units that were done within the last RateOver
	Handed  bool          // its stream is in the history
}

// Worker is somebody who may take units.
type Worker struct {
	Name, Vantage string
	Key           string // its public NKey
	Made          time.Time
	Revoked       time.Time // zero if it is not
	Seen          time.Time // zero if never
	Version       string
	Doing         string // the unit that it was at when last seen, JOB/K; "" for none

	// Refused is when the hub last refused a request, and Why: with another version or
	// other data it gets no units. Zero if there was none, or it has begun a unit since.
	Refused time.Time
	Why     string
}

// Silent reports whether a worker that is good was not heard of for so long that a unit
// would be taken from it.
func (w *Worker) Silent(now time.Time) bool { return now.Sub(w.Seen) > job.Lease }
