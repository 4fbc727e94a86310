package web

import (
	"net/http"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/report"
)

type (
	runsPage struct {
		Watch   string
		Runs    []store.Run
		Pager   pager
		Exports []link
	}
	runPage struct {
		*store.Run
		Short   bool // its stream was cut off
		Auth    []tile
		Changes []store.Change
		More    int
		Formats []string
	}
)

func (b *Board) runs(w http.ResponseWriter, r *http.Request) error {
	l := b.language(w, r)
	f := store.RunFilter{Watch: r.URL.Query().Get("watch")}
	if len(f.Watch) > maxQuery {
		return badRequest(l.Say("A query has at most %d bytes.", maxQuery))
	}
	if format := r.URL.Query().Get("format"); format != "" {
		return b.exportRuns(w, r, l, format, f)
	}
	page := pageOf(r)
	list, total, err := b.Data.Runs(r.Context(), f, page)
	if err != nil {
		return err
	}
	if beyond(list, total) {
		return store.ErrNotFound
	}
	p := runsPage{Watch: f.Watch, Runs: list, Pager: pagerOf(r, page, len(list), total), Exports: exportLinks(r, runFormats())}
	b.show(w, r, http.StatusOK, l.Say("Runs"), "runs", p)
	return nil
}

func (b *Board) runOf(r *http.Request) (*store.Run, error) {
	id, err := store.ParseID(r.PathValue("id"))
	if err != nil {
		return nil, store.ErrNotFound
	}
	return b.Data.Run(r.Context(), id)
}

func (b *Board) run(w http.ResponseWriter, r *http.Request) error {
	l := b.language(w, r)
	run, err := b.runOf(r)
	if err != nil {
		return err
	}
	p := runPage{Run: run, Short: run.Finished.Equal(run.Started), Formats: slices.DeleteFunc(report.Formats(), func(f string) bool { return f == "table" })}
	for _, s := range event.AuthStates() {
		t := tile{Name: l.State(s), Class: verdictClass(store.Verdict(s)), N: run.Auth[s]}
		if t.N == 0 {
			t.Class = "zero"
		}
		p.Auth = append(p.Auth, t)
	}
	list, total, err := b.Data.Changes(r.Context(), store.ChangeFilter{Run: run.ID}, store.Page{Limit: pageSize})
	if err != nil {
		return err
	}
	p.Changes, p.More = list, total-len(list)
	b.show(w, r, http.StatusOK, l.Say("Run of %s, %s", run.Watch, minute(run.Started)+" UTC"), "run", p)
	return nil
}
