// Package web makes the pages of the watchboard: on the server, without a script, with
// nothing to load but their own style sheet, as the policy of package access has it. What
// targets said is clean and escaped on every page (see report.Clean) and in every export.
package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/report"
)

//go:embed html lang
var files embed.FS

// Data is what the pages need of the store.
type Data interface {
	Overview(ctx context.Context, now time.Time) (store.Overview, error)
	// Watches returns how each watch that there is a run of stands.
	Watches(ctx context.Context) ([]store.WatchState, error)
	Gateways(ctx context.Context, f store.Filter, p store.Page) (list []store.Gateway, total int, err error)
	// EachGateway yields the gateways in their order, each with the line of the stream
	// that it answered last. An error of yield ends it.
	EachGateway(ctx context.Context, f store.Filter, yield func(*store.Gateway, *event.Target) error) error
	ByOwner(ctx context.Context, f store.Filter, most int, yield func(g *store.Gateway, total int) error) error
	Gateway(ctx context.Context, id store.ID) (*store.Gateway, error)
	Sights(ctx context.Context, id store.ID) ([]store.Sight, error)
	Unseen(ctx context.Context, id store.ID) ([]store.Unseen, error)
	Episodes(ctx context.Context, id store.ID) ([]store.Episode, error)
	Notes(ctx context.Context, place string) ([]store.Note, error)
	AddNote(ctx context.Context, n store.Note) error
	EndNote(ctx context.Context, id int64, at time.Time) error
	Changes(ctx context.Context, f store.ChangeFilter, p store.Page) (list []store.Change, total int, err error)
	Runs(ctx context.Context, f store.RunFilter, p store.Page) (list []store.Run, total int, err error)
	Run(ctx context.Context, id store.ID) (*store.Run, error)
	// Failing returns the alerts of which a try failed and that have not been taken since.
	Failing(ctx context.Context, limit int) ([]store.Delivery, error)
	HaveJobs(ctx context.Context) (bool, error)
	Jobs(ctx context.Context) ([]store.Job, error)
	Job(ctx context.Context, name string) (store.Job, error)
	Progress(ctx context.Context, id string, now time.Time) ([]store.Progress, error)
	FailedUnits(ctx context.Context, id, vantage string, limit int) ([]store.JobUnit, error)
	Workers(ctx context.Context) ([]store.Worker, error)
}

// Config says what the pages show, and how.
type Config struct {
	Data    Data
	Tool    event.Tool        // that exports are of
	Checks  []event.CheckInfo // of which findings are
	Watches []Watch           // those that are configured
	Streams string            // the directory that store.Run.File is in
	// URL is the address that people use, such as https://board.example.org, without
	// anything behind it; feeds have it in their links. "" takes it from the request.
	URL string
	// Public: the page of numbers needs no login.
	Public bool
	// DataUpdate is the command that installs newer data where the hub reads it.
	DataUpdate string
	// Workers: the hub has workers. Without them there are pages of jobs, too, but the
	// navigation leads there only if there ever was one.
	Workers bool
	// UnitTargets names the first targets of units of a job, in the order of the units. Nil
	// names none.
	UnitTargets func(ctx context.Context, job string, units []uint64) ([][]string, error)
	Now         func() time.Time
	// Log takes what went wrong while a page was made; who asked learns no more than
	// that it did.
	Log *slog.Logger
}

// Watch is a watch as it is configured.
type Watch struct {
	Name  string
	Every time.Duration // 0 if something else starts its runs
}

// Board makes the pages. It is safe for concurrent use.
type Board struct {
	Config
	style     []byte
	languages map[string]*language
}

// language is one language of the pages.
type language struct {
	report.Texts
	code  string // as in a link
	tag   string // as in HTML
	pages *template.Template
}

// New returns the pages.
func New(c Config) (*Board, error) {
	b := &Board{Config: c, languages: map[string]*language{}}
	style, err := report.Style()
	if err != nil {
		return nil, err
	}
	own, err := files.ReadFile("html/board.css")
	if err != nil {
		return nil, fmt.Errorf("built-in page: %w", err)
	}
	b.style = append([]byte(style), own...)
	for _, code := range report.Languages() {
		t, err := report.NewTexts(code)
		if err != nil {
			return nil, err
		}
		if t, err = t.With(files); err != nil {
			return nil, err
		}
		l := &language{Texts: t, code: code, tag: code}
		if code == "zh" {
			l.tag = "zh-Hans"
		}
		if l.pages, err = template.New("").Funcs(b.functions(l)).ParseFS(files, "html/*.html"); err != nil {
			return nil, fmt.Errorf("built-in page: %w", err)
		}
		b.languages[code] = l
	}
	return b, nil
}

// Routes returns the pages with the role that each needs.
func (b *Board) Routes() []access.Route {
	public := access.View
	if b.Public {
		public = access.Public
	}
	return []access.Route{
		{Pattern: "GET /style.css", Needs: access.Public, Handler: http.HandlerFunc(b.styleSheet)},
		{Pattern: "GET /public", Needs: public, Handler: b.page(b.public)},
		{Pattern: "GET /{$}", Needs: access.View, Handler: b.page(b.overview)},
		{Pattern: "GET /gateways", Needs: access.View, Handler: b.page(b.gateways), Logged: true},
		{Pattern: "GET /gateways/{id}", Needs: access.View, Handler: b.page(b.gateway)},
		{Pattern: "POST /gateways/{id}/notes", Needs: access.Work, Handler: b.page(b.addNote)},
		{Pattern: "POST /gateways/{id}/notes/{note}/end", Needs: access.Work, Handler: b.page(b.endNote)},
		{Pattern: "GET /changes", Needs: access.View, Handler: b.page(b.changes), Logged: true},
		{Pattern: "GET /changes.atom", Needs: access.View, Handler: b.page(b.atom), Logged: true},
		{Pattern: "GET /changes.json", Needs: access.View, Handler: b.page(b.changesJSON), Logged: true},
		{Pattern: "GET /weekly", Needs: access.View, Handler: b.page(b.weekly), Logged: true},
		{Pattern: "GET /runs", Needs: access.View, Handler: b.page(b.runs)},
		{Pattern: "GET /runs/{id}", Needs: access.View, Handler: b.page(b.run)},
		{Pattern: "GET /runs/{id}/stream", Needs: access.View, Handler: b.page(b.stream)},
		{Pattern: "GET /jobs", Needs: access.View, Handler: b.page(b.jobs)},
		{Pattern: "GET /jobs/{id}", Needs: access.View, Handler: b.page(b.job)},
	}
}

func (b *Board) styleSheet(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(b.style)
}

// badRequest is what is wrong with a request, in the words of its language.
type badRequest string

func (e badRequest) Error() string { return string(e) }

// errAborted says that an answer was begun and cannot be finished.
var errAborted = errors.New("the answer was broken off")

// page makes a handler of what writes an answer or gives an error. What is not found,
// or was asked for in a wrong way, has a page that says so.
func (b *Board) page(answer func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := answer(w, r)
		if err == nil {
			return
		}
		l := b.language(w, r)
		var bad badRequest
		switch {
		case errors.Is(err, errAborted):
			if r.Context().Err() == nil { // somebody waits for it
				b.Log.Error("an answer was broken off", "path", r.URL.Path, "error", err)
			}
			panic(http.ErrAbortHandler) // what was cut off must not pass for whole
		case errors.As(err, &bad):
			b.message(w, r, http.StatusBadRequest, l.Say("That cannot be shown"), string(bad))
		case errors.Is(err, store.ErrNotFound):
			b.message(w, r, http.StatusNotFound, l.Say("There is no such page"), l.Say("What it showed may have been called otherwise, or is not known here."))
		case r.Context().Err() != nil:
		default:
			b.Log.Error("a page could not be made", "path", r.URL.Path, "error", err)
			b.message(w, r, http.StatusInternalServerError, l.Say("The page could not be made"), l.Say("The log of the program says why."))
		}
	})
}

// message is a page of one sentence.
func (b *Board) message(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	b.show(w, r, status, title, "message", struct{ Text string }{text})
}

// show renders a page from its template and data, all of which is cleaned first.
func (b *Board) show(w http.ResponseWriter, r *http.Request, status int, title, name string, data any) {
	l := b.language(w, r)
	var body bytes.Buffer
	if err := l.pages.ExecuteTemplate(&body, name, report.Clean(data)); err != nil {
		b.Log.Error("a page could not be made", "page", name, "error", err)
		http.Error(w, l.Say("The page could not be made"), http.StatusInternalServerError)
		return
	}
	b.Chrome(w, r, status, title, template.HTML(body.String())) // made by a template, above
}

// Chrome writes a page of the board around a body, which is made by a template: with its
// heading, and with the navigation for who may see that. The policy of package
// access lets it load the style sheet and send its forms to the board, and nothing else.
func (b *Board) Chrome(w http.ResponseWriter, r *http.Request, status int, title string, body template.HTML) {
	l := b.language(w, r)
	var out bytes.Buffer
	if err := l.pages.ExecuteTemplate(&out, "layout", b.layout(l, r, title, body)); err != nil {
		b.Log.Error("a page could not be made", "page", "layout", "error", err)
		http.Error(w, l.Say("The page could not be made"), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", l.tag)
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}
