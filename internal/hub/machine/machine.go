// Package machine answers programs: whether the hub is alive, its numbers and single
// probes for Prometheus, and a JSON API that openapi.json describes.
package machine

import (
	"context"
	_ "embed"
	"log/slog"
	"net/http"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// Data is what is needed of the store.
type Data interface {
	Ping(ctx context.Context) error
	Gauges(ctx context.Context) (store.Gauges, error)
	Overview(ctx context.Context, now time.Time) (store.Overview, error)
	Gateways(ctx context.Context, f store.Filter, p store.Page) (list []store.Gateway, total int, err error)
	Gateway(ctx context.Context, id store.ID) (*store.Gateway, error)
	Sights(ctx context.Context, id store.ID) ([]store.Sight, error)
	Unseen(ctx context.Context, id store.ID) ([]store.Unseen, error)
	Episodes(ctx context.Context, id store.ID) ([]store.Episode, error)
	Notes(ctx context.Context, place string) ([]store.Note, error)
	AddNote(ctx context.Context, n store.Note) error
	Changes(ctx context.Context, f store.ChangeFilter, p store.Page) (list []store.Change, total int, err error)
	Runs(ctx context.Context, f store.RunFilter, p store.Page) (list []store.Run, total int, err error)
	Ledger
	Jobs(ctx context.Context) ([]store.Job, error)
	OpenJobs(ctx context.Context, by time.Time) ([]store.Job, error)
	Job(ctx context.Context, name string) (store.Job, error)
	Workers(ctx context.Context) ([]store.Worker, error)
}

// Options are the settings of the routes.
type Options struct {
	Data    Data
	Tool    event.Tool // this program
	Watches []Watch    // those that are configured
	// AdvisoriesAsOf is the date of the advisories that come with the program, as
	// YYYY-MM-DD: for watches of which there is no run.
	AdvisoriesAsOf string
	Prober         Prober
	UnitTargets    UnitTargets // nil if there are no workers
	Now            func() time.Time
	Log            *slog.Logger
}

// Watch is a watch as it is configured.
type Watch struct {
	Name  string
	Every time.Duration // 0 if something else starts its runs
}

// machine answers.
type machine struct{ Options }

//go:embed openapi.json
var openAPI []byte

// Routes returns what the hub answers programs, with the role that each needs.
func Routes(o Options) []access.Route {
	m := &machine{o}
	return []access.Route{
		{Pattern: "GET /healthz", Needs: access.Public, Handler: http.HandlerFunc(m.health)},
		{Pattern: "GET /metrics", Needs: access.View, Handler: http.HandlerFunc(m.metrics)},
		{Pattern: "GET /probe", Needs: access.View, Handler: http.HandlerFunc(m.probe)},
		{Pattern: "GET /api/v1/openapi.json", Needs: access.View, Handler: http.HandlerFunc(describe)},
		{Pattern: "GET /api/v1/overview", Needs: access.View, Handler: m.api(m.overview), Logged: true},
		{Pattern: "GET /api/v1/gateways", Needs: access.View, Handler: m.api(m.gateways), Logged: true},
		{Pattern: "GET /api/v1/gateways/{id}", Needs: access.View, Handler: m.api(m.gateway)},
		{Pattern: "POST /api/v1/gateways/{id}/notes", Needs: access.Work, Handler: m.api(m.addNote)},
		{Pattern: "GET /api/v1/changes", Needs: access.View, Handler: m.api(m.changes), Logged: true},
		{Pattern: "GET /api/v1/runs", Needs: access.View, Handler: m.api(m.runs)},
		{Pattern: "GET /api/v1/jobs", Needs: access.View, Handler: m.api(m.jobs)},
		{Pattern: "GET /api/v1/jobs/{id}", Needs: access.View, Handler: m.api(m.job)},
	}
}

// health says whether the hub works, and nothing else: anybody may ask.
func (m *machine) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := m.Data.Ping(ctx); err != nil {
		m.Log.Error("the database does not answer", "error", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI)
}
