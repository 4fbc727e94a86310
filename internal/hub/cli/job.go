package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/exit"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/judge"
	"github.com/clawsonar/clawsonar/internal/hub/machine"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
	"github.com/clawsonar/clawsonar/internal/hub/watch"
	"github.com/clawsonar/clawsonar/internal/policy"
	"github.com/clawsonar/clawsonar/internal/stored"
	"github.com/clawsonar/clawsonar/internal/version"
)

const jobUse = "job add FILE | job list | job show|pause|resume|stop|results NAME"

func newJob(s streams) *cobra.Command {
	var file string
	var wait, asJSON bool
	return command(&cobra.Command{
		Use:       jobUse,
		ValidArgs: []string{"add", "list", "show", "pause", "resume", "stop", "results"},
		Short:     "Have workers make a scan, follow it, pause or stop it",
		Long: `Have the workers of several vantages make a scan, through the database of the hub,
which need not run yet. FILE has the keys of one watch of a watch.yaml, without every,
confirm and vantage, and the vantages that make it:

  name: office
  targets: [10.1.0.0/16]
  ports: [18789]
  vantages: [fra, sgp]
  rate-limit: 500

A name, or an ID, is that of a job; of a name, the latest. Paused workers keep what they
have begun and open no connection. What a stopped job has found is kept, as a run that is
not complete. The results of one that still runs are what was found so far.

Exit codes: 0 done · 1 failed · 2 usage or input error · with -wait also 4, not every
target was looked at, or not all that was named could be judged, and 130, interrupted: the
job goes on.`,
	}, 2, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", "", "read this `FILE` instead of watch.yaml")
		f.BoolVar(&wait, "wait", false, "with add and show: wait until the job has ended")
		f.BoolVar(&asJSON, "json", false, "with list and show: print JSON")
	}, func(ctx context.Context, args []string) error {
		if len(args) == 0 || (args[0] == "list") != (len(args) == 1) {
			return usage(errors.New("use " + jobUse))
		}
		j := &jobs{s: s, json: asJSON}
		var err error
		if j.c, err = loadNamed(file); err != nil {
			return err
		}
		if j.c.Workers == nil {
			return usage(fmt.Errorf("%s: there is no workers: say there how workers reach the hub", j.c.File))
		}
		if j.db, err = store.Open(ctx, j.c.Store); err != nil {
			return err
		}
		defer j.db.Close()
		switch args[0] {
		case "add":
			w, err := config.LoadJob(args[1])
			if err != nil {
				return usage(err)
			}
			id, err := addJob(ctx, j.db, j.c, w, s.say)
			if err != nil {
				return usage(err)
			}
			s.say("job %s %s is added", w.Name, id)
			if !wait {
				_, err = fmt.Fprintln(s.out, id)
				return err
			}
			return j.show(ctx, id, true)
		case "list":
			return j.list(ctx)
		case "show":
			return j.show(ctx, args[1], wait)
		case "results":
			return j.results(ctx, args[1])
		}
		for _, want := range []store.JobWant{store.WantPause, store.WantResume, store.WantStop} {
			if args[0] == string(want) {
				x, err := j.db.WantJob(ctx, args[1], want, "by the operator", time.Now())
				if err != nil {
					return usage(err)
				}
				s.say("job %s %s is %s", x.Name, x.ID, x.State)
				return nil
			}
		}
		return usage(fmt.Errorf("%.40q is not known: use %s", args[0], jobUse))
	})
}

// jobs is what the command works with.
type jobs struct {
	s    streams
	c    *config.Config
	db   *store.Store
	json bool
}

func (j *jobs) list(ctx context.Context) error {
	all, err := j.db.Jobs(ctx)
	if err != nil {
		return err
	}
	out := []machine.Job{}
	for _, x := range all {
		shown, err := machine.ListJob(ctx, j.db, &x, time.Now())
		if err != nil {
			return err
		}
		out = append(out, shown)
	}
	if j.json {
		return j.print(out)
	}
	w := tabwriter.NewWriter(j.s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tSTATE\tCOMPLETE\tTARGETS\tVANTAGES\tADDED")
	for i, x := range out {
		var unjudged int64
		for _, v := range x.Vantages {
			unjudged += unlisted(v)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", x.ID, x.Name, x.State, complete(x.Complete, x.Ended == nil, unjudged), x.Targets,
			strings.Join(all[i].Vantages, " "), all[i].Created.Format(time.DateTime))
	}
	return w.Flush()
}

// complete says whether every target was looked at; with more to come not yet.
func complete(all, more bool, unjudged int64) string {
	out := "no"
	switch {
	case all:
		out = "yes"
	case more:
		out = "not yet"
	}
	if unjudged > 0 {
		out += fmt.Sprintf(", %d not judged", unjudged)
	}
	return out
}

// unlisted is how many targets a vantage could not judge, of those without a line.
func unlisted(v machine.JobVantage) int64 {
	if v.Summary.Unlisted == nil {
		return 0
	}
	return v.Summary.Unlisted.Count
}

func (j *jobs) print(v any) error {
	e := json.NewEncoder(j.s.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// poll is how often a job is looked at that is waited for.
const poll = time.Second

// show prints how far a job is, with wait once it has ended.
func (j *jobs) show(ctx context.Context, name string, wait bool) error {
	x, err := follow(ctx, j.db, name, wait)
	switch {
	case ctx.Err() != nil:
		return &exit.Error{Code: exit.Interrupted}
	case err != nil:
		return j.unknown(name, err)
	}
	out, err := machine.ShowJob(ctx, j.db, &x, time.Now(), func(ctx context.Context, id string, units []uint64) ([][]string, error) {
		made, err := j.judge()
		if err != nil {
			return nil, err
		}
		return made.Targets(ctx, id, units, maxNamed)
	})
	if err != nil {
		return err
	}
	if j.json {
		err = j.print(out)
	} else {
		err = j.text(out)
	}
	if err != nil || !wait {
		return err
	}
	if ok, err := whole(ctx, j.db, x); err != nil || ok {
		return err
	}
	return &exit.Error{Code: policy.Incomplete}
}

// maxNamed is how many targets of a unit that was given up are named.
const maxNamed = 20

// whole reports whether all vantages of a job that has ended have looked at every target and
// could judge what was named, by the runs that it gave: those of another job of its name say
// nothing of it.
func whole(ctx context.Context, db *store.Store, x store.Job) (bool, error) {
	for _, v := range x.Vantages {
		name := x.Watch(v)
		runs, _, err := db.Runs(ctx, store.RunFilter{Watch: name, File: watch.File(name, x.Created)}, store.Page{Limit: 1})
		if err != nil {
			return false, err
		}
		if len(runs) == 0 || !runs[0].Complete || runs[0].Unjudged > 0 {
			return false, nil
		}
	}
	return true, nil
}

// follow returns a job, with wait once it has ended and what it has found is in the history.
// One that has not begun has found nothing.
func follow(ctx context.Context, db *store.Store, name string, wait bool) (store.Job, error) {
	return await(ctx, db, name, func(x store.Job) (bool, error) {
		if !wait {
			return true, nil
		}
		all, err := db.Progress(ctx, x.ID, time.Now())
		return !x.Ended.IsZero() && (x.Units == 0 || !slices.ContainsFunc(all, func(p store.Progress) bool { return !p.Handed })), err
	})
}

// await looks at a job until something holds of it.
func await(ctx context.Context, db *store.Store, name string, holds func(store.Job) (bool, error)) (store.Job, error) {
	for {
		x, err := db.Job(ctx, name)
		if err != nil {
			return x, err
		}
		name = x.ID // of a name there may be a later one by then
		if now, err := holds(x); err != nil || now {
			return x, err
		}
		t := time.NewTimer(poll)
		select {
		case <-ctx.Done():
			t.Stop()
			return x, ctx.Err()
		case <-t.C:
		}
	}
}

func (j *jobs) text(x machine.Job) error {
	out := j.s.out
	fmt.Fprintf(out, "job %s %s: %s", x.Name, x.ID, x.State)
	if x.Why != "" {
		fmt.Fprintf(out, " (%s)", x.Why)
	}
	fmt.Fprintf(out, "\n%d targets at each vantage, in %d units; at most %d connections a second\n\n", x.Targets, x.Units, x.Rate)
	if slices.ContainsFunc(x.Vantages, func(v machine.JobVantage) bool { return v.Units[store.UnitDone] < x.Units }) {
		// Else "0 open" reads like a verdict.
		fmt.Fprint(out, "Found so far, in the units that are done. What is in the others is not known.\n\n")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VANTAGE\tUNITS DONE\tFAILED\tTARGETS LOOKED AT\tGATEWAYS\tOPEN\tCLAIMABLE\tUNKNOWN\tCOMPLETE\tMISSED")
	for _, v := range x.Vantages {
		sum := v.Summary
		more := x.Ended == nil && v.Units[store.UnitFailed] == 0 && v.Units[store.UnitDone] < x.Units
		found := fmt.Sprintf("%d\t%d\t%d\t%d", sum.Outcomes[event.OutcomeIdentified],
			sum.Auth[event.AuthOpen], sum.Auth[event.AuthClaimable], sum.Auth[event.AuthUnknown]+sum.Auth[event.AuthBlocked])
		if v.Units[store.UnitDone] == 0 {
			found = "-\t-\t-\t-" // nobody has looked
		}
		missed := "not estimated"
		if m := sum.MissEstimate; m.Reprobed > 0 {
			missed = fmt.Sprintf("%d, at most %d", m.Missed, m.MissedAtMost)
		}
		fmt.Fprintf(w, "%s\t%d of %d\t%d\t%d of %d\t%s\t%s\t%s\n", v.Vantage, v.Units[store.UnitDone], x.Units, v.Units[store.UnitFailed],
			sum.Targets, x.Targets, found, complete(sum.Complete, more, unlisted(v)), missed)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, v := range x.Vantages {
		for _, f := range v.Failed {
			fmt.Fprintf(out, "\nunit %d of %s was given up: %s\nnot looked at (at most %d are named): %s\n", f.Unit, v.Vantage, f.Error, maxNamed, strings.Join(f.Targets, " "))
		}
	}
	return nil
}

// addJob gives a job to the workers.
func addJob(ctx context.Context, db *store.Store, c *config.Config, w *config.Watch, say func(format string, args ...any)) (id string, err error) {
	known, err := openData()
	if err != nil {
		return "", err
	}
	digest, err := known.Digest()
	if err != nil {
		return "", err
	}
	rate := cmp.Or(w.Settings.Rate, c.Workers.Rate)
	if rate == 0 {
		return "", fmt.Errorf("%s: rate-limit is missing, here and in workers of %s: how many connections a second may all workers make together?", w.Source(), c.File)
	}
	x := store.Job{Name: w.Name, Created: time.Now(), Vantages: w.Vantages, Rate: rate, Exclude: map[string]string{}}
	// Before they are read: if one changes meanwhile, the hub stops the job.
	for _, file := range []string{w.Settings.ExcludeFile, w.Settings.ASFile} { // what is excluded may be AS numbers
		if file == "" {
			continue
		}
		if file, err = filepath.Abs(file); err != nil {
			return "", err
		}
		now, err := job.File{}.Look(file, x.Created)
		if err != nil {
			return "", err
		}
		x.Exclude[file] = now.SHA256
	}
	tell := func(text string) { say("job %s: %s", w.Name, text) }
	b := &audit.Builder{
		Settings: &w.Settings, Naming: w.Naming(), Tool: event.Tool{Name: hubName, Version: version.String()}, Known: known, Say: tell, Warn: tell,
	}
	plan, cfg, err := b.Plan(ctx, w.Source())
	if err != nil {
		return "", err
	}
	defer cfg.Space.Close()
	if err := os.MkdirAll(c.Workers.Dir, 0o700); err != nil {
		return "", err
	}
	key, err := job.Key(c.Workers.Dir)
	if err != nil {
		return "", err
	}
	if err := db.AddJob(ctx, &x); errors.Is(err, store.ErrJobRuns) {
		return "", fmt.Errorf("job %s: %w: use another name, or first run: clawsonar-hub job stop %s", w.Name, err, w.Name)
	} else if err != nil {
		return "", fmt.Errorf("job %s: %w", w.Name, err)
	}
	defer func() {
		if err != nil {
			_, _ = db.WantJob(context.WithoutCancel(ctx), x.ID, store.WantStop, "it could not be started", time.Now())
		}
	}()
	record, list, err := job.New(x.ID, x.Name, x.Created, x.Vantages, rate, w.Units, digest, plan, cfg)
	if err != nil {
		return "", err
	}
	signed, err := job.Sign(key, record)
	if err != nil {
		return "", err
	}
	return x.ID, db.StartJob(ctx, x.ID, signed, list, record.Units, record.Targets, time.Now())
}

// results prints the streams of what the vantages of a job have found so far, merged into
// one.
func (j *jobs) results(ctx context.Context, name string) error {
	made, err := j.judge()
	if err != nil {
		return err
	}
	x, err := j.db.Job(ctx, name)
	if err != nil {
		return j.unknown(name, err)
	}
	if x.Units == 0 {
		return usage(fmt.Errorf("job %s is %s, and nothing of it was handed out: there are no results", x.Name, x.State))
	}
	progress, err := j.db.Progress(ctx, x.ID, time.Now())
	if err != nil {
		return err
	}
	var sources []stored.Source
	for _, p := range progress {
		if !p.Handed {
			sources = append(sources, func(yield func(event.Event) error) error { return made.Results(ctx, x.ID, p.Vantage, yield) })
			continue
		}
		// What it saw is kept as a stream alone.
		taken, err := stream.Open(filepath.Join(j.c.Streams, filepath.FromSlash(watch.File(x.Watch(p.Vantage), x.Created))))
		if err != nil {
			return fmt.Errorf("job %s at %s: %w", x.Name, p.Vantage, err)
		}
		sources = append(sources, taken.Each)
	}
	w := event.NewWriter(j.s.out)
	return stored.Merge(sources, w.Write)
}

// judge makes the results of jobs.
func (j *jobs) judge() (*judge.Judge, error) {
	known, err := openData()
	if err != nil {
		return nil, err
	}
	return judgeOf(j.db, j.c, known)
}

// unknown says that there is no job of a name.
func (j *jobs) unknown(name string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return usage(fmt.Errorf("no job %q: see \"clawsonar-hub job list\"", clean.N(name, 40)))
	}
	return err
}
