package web

import (
	"net/http"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// The pages of jobs as their templates see them.
type (
	jobsPage struct {
		Jobs    []jobRow
		Pager   pager
		Workers []workerRow
	}
	// jobRow is a job and how far all its vantages are together.
	jobRow struct {
		store.Job
		Standing, Tone string
		Done, Failed   uint64 // units
		All            uint64
		Looked         int64 // targets
		Unjudged       int64
		Rate           float64 // targets a second; 0 if there is none
		Miss           event.MissEstimate
	}
	jobPage struct {
		Whole      jobRow
		Vantages   []vantagePart
		Failed     []failedUnit
		MoreFailed uint64
		NotNamed   bool // what the failed units have cannot be told
		Workers    []workerRow
	}
	vantagePart struct {
		store.Progress
		Of, Done, Failed, Begun, Waiting uint64 // units
		Standing, Tone                   string
		Nothing                          string // is said if no target was looked at
		Looked, Unjudged                 int64
		Targets                          uint64
		Gateways                         int
		Auth                             []tile
		Outcomes                         []outcomeCount
		Watch                            string // of its run; "" if there is none yet
	}
	outcomeCount struct {
		Name string
		N    int
	}
	failedUnit struct {
		store.JobUnit
		Targets []string // the first of them
	}
	workerRow struct {
		store.Worker
		Silent bool
	}
)

const (
	// maxFailed is how many units of a vantage that were given up a page has.
	maxFailed = 20
	// maxWorkers is how many workers it has.
	maxWorkers = 500
)

// jobs is the list of jobs, and of all workers.
func (b *Board) jobs(w http.ResponseWriter, r *http.Request) error {
	l, ctx := b.language(w, r), r.Context()
	all, err := b.Data.Jobs(ctx)
	if err != nil {
		return err
	}
	page := pageOf(r)
	list := all[min(page.Offset, len(all)):min(page.Offset+page.Limit, len(all))]
	if beyond(list, len(all)) {
		return store.ErrNotFound
	}
	p := jobsPage{Pager: pagerOf(r, page, len(list), len(all))}
	for _, j := range list {
		progress, err := b.Data.Progress(ctx, j.ID, b.Now())
		if err != nil {
			return err
		}
		p.Jobs = append(p.Jobs, l.jobRow(j, progress))
	}
	if p.Workers, err = b.workers(r, nil); err != nil {
		return err
	}
	b.show(w, r, http.StatusOK, l.Say("Jobs"), "jobs", p)
	return nil
}

// workers are those that are not revoked, at some vantages; of nil at all.
func (b *Board) workers(r *http.Request, vantages []string) (out []workerRow, err error) {
	all, err := b.Data.Workers(r.Context())
	for _, x := range all {
		if x.Revoked.IsZero() && (vantages == nil || slices.Contains(vantages, x.Vantage)) && len(out) < maxWorkers {
			out = append(out, workerRow{x, x.Silent(b.Now())})
		}
	}
	return out, err
}

// job is the page of one, by its ID, or the latest of a name.
func (b *Board) job(w http.ResponseWriter, r *http.Request) error {
	l, ctx := b.language(w, r), r.Context()
	j, err := b.Data.Job(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	progress, err := b.Data.Progress(ctx, j.ID, b.Now())
	if err != nil {
		return err
	}
	p := jobPage{Whole: l.jobRow(j, progress)}
	for _, x := range progress {
		p.Vantages = append(p.Vantages, l.vantage(&j, x))
	}
	if err := b.givenUp(r, &p); err != nil {
		return err
	}
	if p.Workers, err = b.workers(r, j.Vantages); err != nil {
		return err
	}
	b.show(w, r, http.StatusOK, l.Say("Job %s", j.Name), "job", p)
	return nil
}

// givenUp adds the units that were given up, and what is in them.
func (b *Board) givenUp(r *http.Request, p *jobPage) error {
	var list []store.JobUnit
	var units []uint64
	for _, v := range p.Whole.Vantages {
		of, err := b.Data.FailedUnits(r.Context(), p.Whole.ID, v, maxFailed)
		if err != nil {
			return err
		}
		for _, u := range of {
			list, units = append(list, u), append(units, u.K)
		}
	}
	if len(list) == 0 {
		return nil
	}
	p.MoreFailed = p.Whole.Failed - min(p.Whole.Failed, uint64(len(list)))
	var targets [][]string
	if b.UnitTargets != nil {
		// Without them the page still says what was given up.
		var err error
		if targets, err = b.UnitTargets(r.Context(), p.Whole.ID, units); err != nil {
			b.Log.Error("the targets of units that were given up cannot be named", "job", p.Whole.ID, "error", err)
		}
	}
	p.NotNamed = len(targets) != len(list)
	for i, u := range list {
		x := failedUnit{JobUnit: u}
		if !p.NotNamed {
			x.Targets = targets[i]
		}
		p.Failed = append(p.Failed, x)
	}
	return nil
}

// jobRow adds up what the vantages of a job have.
func (l *language) jobRow(j store.Job, progress []store.Progress) jobRow {
	out := jobRow{Job: j, All: j.Units * uint64(len(j.Vantages))}
	complete, silent := len(progress) > 0, 0
	for i := range progress {
		p := &progress[i]
		out.Done += p.Units[store.UnitDone]
		out.Failed += p.Units[store.UnitFailed]
		out.Looked += p.Summary.Targets
		out.Rate += p.Rate
		out.Unjudged += unlisted(p)
		out.Miss.Reprobed += p.Summary.MissEstimate.Reprobed
		out.Miss.Found += p.Summary.MissEstimate.Found
		silent += p.Summary.Outcomes[event.OutcomeSilent]
		complete = complete && p.Summary.Complete
	}
	out.Miss.Estimate(silent)
	out.Standing, out.Tone = l.standing(j.State, complete, out.Unjudged, out.Looked)
	return out
}

// unlisted is how many targets a vantage could not judge, of those without a line.
func unlisted(p *store.Progress) int64 {
	if p.Summary.Unlisted == nil {
		return 0
	}
	return p.Summary.Unlisted.Count
}

// standing says how a job, or a vantage of it, stands. Only what has ended and has looked
// at everything is no doubt.
func (l *language) standing(state store.JobState, complete bool, unjudged, looked int64) (text, tone string) {
	switch {
	case complete && unjudged > 0:
		return l.Count(int(unjudged), "Complete, but %d target that it names could not be judged.", "Complete, but %d targets that it names could not be judged."), "doubt"
	case complete:
		return l.Say("Complete: every target was looked at."), "plain"
	case state == store.JobDone:
		return l.Say("Incomplete: what it did not see is not closed."), "doubt"
	case state == store.JobStopped:
		return l.Say("Stopped, incomplete: what it did not see is not closed."), "doubt"
	case state == store.JobPaused:
		return l.Say("Paused: not every target has been looked at."), "doubt"
	case looked == 0:
		return l.Say("Nothing has been looked at yet."), "doubt"
	}
	return l.Say("Running: not every target has been looked at yet."), "doubt"
}

// vantage is how far one is.
func (l *language) vantage(j *store.Job, p store.Progress) vantagePart {
	out := vantagePart{
		Progress: p, Of: j.Units, Done: p.Units[store.UnitDone], Failed: p.Units[store.UnitFailed], Begun: p.Units[store.UnitBegun],
		Looked: p.Summary.Targets, Unjudged: unlisted(&p), Targets: j.Targets, Gateways: p.Summary.Outcomes[event.OutcomeIdentified],
	}
	out.Waiting = out.Of - min(out.Of, out.Done+out.Failed+out.Begun)
	state := j.State
	if j.Ended.IsZero() && out.Of > 0 && out.Waiting+out.Begun == 0 {
		state = store.JobDone // before the others are
	}
	out.Standing, out.Tone = l.standing(state, p.Summary.Complete, out.Unjudged, out.Looked)
	if out.Nothing = l.Say("Nothing has been looked at yet."); !j.Ended.IsZero() {
		out.Nothing = l.Say("Nothing was looked at.")
	}
	if p.Handed {
		out.Watch = j.Watch(p.Vantage)
	}
	for _, s := range event.AuthStates() {
		t := tile{Name: l.State(s), Class: verdictClass(store.Verdict(s)), N: p.Summary.Auth[s]}
		if t.N == 0 {
			t.Class = "zero"
		}
		out.Auth = append(out.Auth, t)
	}
	for _, o := range append(event.Outcomes(), event.OutcomeUnknown) {
		if n := p.Summary.Outcomes[o]; n > 0 {
			out.Outcomes = append(out.Outcomes, outcomeCount{l.outcome(o), n})
		}
	}
	return out
}

// outcome names what became of a target.
func (l *language) outcome(o event.Outcome) string {
	switch o {
	case event.OutcomeIdentified:
		return l.Say("a known product answered")
	case event.OutcomeHelper:
		return l.Say("a helper of a gateway answered")
	}
	return l.Word(string(o))
}

// state names how a job stands, in one word.
func (l *language) state(s store.JobState) string {
	switch s {
	case store.JobNew:
		return l.Say("not yet handed out")
	case store.JobRunning:
		return l.Say("running")
	case store.JobPaused:
		return l.Say("paused")
	case store.JobStopped:
		return l.Say("stopped")
	case store.JobDone:
		return l.Say("ended")
	}
	return string(s)
}

// hasJobs reports whether pages of jobs are of use.
func (b *Board) hasJobs(r *http.Request) bool {
	if b.Workers {
		return true
	}
	have, err := b.Data.HaveJobs(r.Context())
	if err != nil && r.Context().Err() == nil {
		b.Log.Error("whether there are jobs is not known", "error", err)
	}
	return have
}
