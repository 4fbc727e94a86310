package machine

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/report"
)

// Job is a job as programs read it, from the API and from the command line.
type Job struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	State    store.JobState `json:"state"`
	Why      string         `json:"why"` // it was stopped, or paused
	Created  *time.Time     `json:"created"`
	Ended    *time.Time     `json:"ended"`
	Complete bool           `json:"complete"` // every target was looked at from every vantage
	Rate     int            `json:"rate"`     // connections a second that all workers may make together
	Targets  uint64         `json:"targets"`  // of each vantage
	Units    uint64         `json:"units"`    // of each vantage
	Vantages []JobVantage   `json:"vantages"`
}

// JobVantage is how far a vantage is. Summary is of the units that are done.
type JobVantage struct {
	Vantage string                     `json:"vantage"`
	Units   map[store.UnitState]uint64 `json:"units"`
	Rate    float64                    `json:"rate"`   // targets a second
	Handed  bool                       `json:"handed"` // what it saw is a run
	Summary event.Summary              `json:"summary"`
	Failed  []JobFailed                `json:"failed"` // the first that were given up; nil in a list of jobs
}

// JobFailed is a unit that was given up.
type JobFailed struct {
	Unit    uint64   `json:"unit"`
	Worker  string   `json:"worker"`
	Error   string   `json:"error"`
	Targets []string `json:"targets"` // the first of them; nil if they cannot be named
}

// Ledger is what ShowJob needs of the store.
type Ledger interface {
	Progress(ctx context.Context, id string, now time.Time) ([]store.Progress, error)
	FailedUnits(ctx context.Context, id, vantage string, limit int) ([]store.JobUnit, error)
}

// UnitTargets names the first targets of units of a job, in the order of the units.
type UnitTargets func(ctx context.Context, job string, units []uint64) ([][]string, error)

// maxFailed is how many units that were given up a vantage has.
const maxFailed = 20

// ListJob is a job as lists have it.
func ListJob(ctx context.Context, l Ledger, x *store.Job, now time.Time) (Job, error) {
	progress, err := l.Progress(ctx, x.ID, now)
	out := Job{
		ID: x.ID, Name: x.Name, State: x.State, Why: x.Why, Created: moment(x.Created), Ended: moment(x.Ended),
		Complete: len(progress) > 0, Rate: x.Rate, Targets: x.Targets, Units: x.Units, Vantages: []JobVantage{},
	}
	for _, p := range progress {
		v := JobVantage{Vantage: p.Vantage, Units: map[store.UnitState]uint64{}, Rate: p.Rate, Handed: p.Handed, Summary: p.Summary}
		for _, s := range store.UnitStates() {
			v.Units[s] = p.Units[s]
		}
		out.Complete = out.Complete && p.Summary.Complete
		out.Vantages = append(out.Vantages, v)
	}
	return report.Clean(out), err
}

// ShowJob is one with what of it was given up.
func ShowJob(ctx context.Context, l Ledger, x *store.Job, now time.Time, named UnitTargets) (Job, error) {
	out, err := ListJob(ctx, l, x, now)
	if err != nil {
		return out, err
	}
	var units []uint64
	for i := range out.Vantages {
		failed, err := l.FailedUnits(ctx, x.ID, x.Vantages[i], maxFailed)
		if err != nil {
			return out, err
		}
		out.Vantages[i].Failed = []JobFailed{}
		for _, u := range failed {
			out.Vantages[i].Failed = append(out.Vantages[i].Failed, JobFailed{Unit: u.K, Worker: u.Worker, Error: u.Error})
			units = append(units, u.K)
		}
	}
	if len(units) == 0 {
		return out, nil
	}
	targets, err := named(ctx, x.ID, units)
	if err != nil {
		return out, err
	}
	for _, v := range out.Vantages {
		for k := range v.Failed {
			v.Failed[k].Targets, targets = targets[0], targets[1:]
			v.Failed[k] = report.Clean(v.Failed[k])
		}
	}
	return out, nil
}

type jobList struct {
	counted
	Jobs []Job `json:"jobs"`
}

func (m *machine) jobs(r *http.Request) (int, any, error) {
	q := r.URL.Query()
	if err := onlyParams(q, "offset", "limit"); err != nil {
		return 0, nil, err
	}
	p, err := page(q)
	if err != nil {
		return 0, nil, err
	}
	all, err := m.Data.Jobs(r.Context())
	if err != nil {
		return 0, nil, err
	}
	out := jobList{counted: counted{Total: len(all), Offset: p.Offset}, Jobs: []Job{}}
	for _, x := range all[min(p.Offset, len(all)):min(p.Offset+p.Limit, len(all))] {
		j, err := ListJob(r.Context(), m.Data, &x, m.Now())
		if err != nil {
			return 0, nil, err
		}
		out.Jobs = append(out.Jobs, j)
	}
	return http.StatusOK, out, nil
}

func (m *machine) job(r *http.Request) (int, any, error) {
	if err := onlyParams(r.URL.Query()); err != nil {
		return 0, nil, err
	}
	x, err := m.Data.Job(r.Context(), r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	out, err := ShowJob(r.Context(), m.Data, &x, m.Now(), m.named)
	return http.StatusOK, out, err
}

// named names the targets of units. What was given up is to be told also if they cannot be.
func (m *machine) named(ctx context.Context, job string, units []uint64) ([][]string, error) {
	out := make([][]string, len(units))
	if m.UnitTargets == nil {
		return out, nil
	}
	named, err := m.UnitTargets(ctx, job, units)
	if err != nil {
		m.Log.Error("the targets of units that were given up cannot be named", "job", job, "error", err)
		return out, nil
	}
	return named, nil
}

// fleet tells how far jobs are that have not ended, and which workers are heard of.
func (m *machine) fleet(ctx context.Context, e *exposition) error {
	type part struct{ job, vantage string }
	var order []part
	units := map[part]map[store.UnitState]float64{}
	jobs, err := m.Data.OpenJobs(ctx, m.Now())
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if j.State == store.JobNew {
			continue
		}
		progress, err := m.Data.Progress(ctx, j.ID, m.Now())
		if err != nil {
			return err
		}
		for _, p := range progress {
			key := part{labelText(j.Name), labelText(p.Vantage)}
			if units[key] == nil && len(units) >= maxWatches {
				key = part{others, others}
			}
			if units[key] == nil {
				units[key] = map[store.UnitState]float64{}
				order = append(order, key)
			}
			for s, n := range p.Units {
				units[key][s] += float64(n)
			}
		}
	}
	x := e.gauge("clawsonar_job_units", "Units of jobs that have not ended.")
	for _, key := range order {
		for _, s := range store.UnitStates() {
			x.set(units[key][s], "job", key.job, "vantage", key.vantage, "state", string(s))
		}
	}
	workers, err := m.Data.Workers(ctx)
	if err != nil {
		return err
	}
	const seen, unheard, refused = "seen", "unheard", "refused"
	at := map[string]sums{seen: {}, unheard: {}, refused: {}}
	for _, w := range workers {
		if !w.Revoked.IsZero() {
			continue
		}
		vantage := labelText(w.Vantage)
		if _, ok := at[seen][vantage]; !ok && len(at[seen]) >= maxWatches {
			vantage = others
		}
		is := seen
		switch {
		case w.Silent(m.Now()):
			is = unheard
		case w.Why != "":
			is = refused
		}
		for state := range at {
			at[state].add(vantage, number(state == is))
		}
	}
	x = e.gauge("clawsonar_workers", fmt.Sprintf("Workers that were heard of within %v, those that were not, and those that the hub refuses.", job.Lease))
	for _, vantage := range at[seen].names() {
		for _, state := range []string{seen, unheard, refused} {
			x.set(at[state][vantage], "vantage", vantage, "state", state)
		}
	}
	return nil
}
