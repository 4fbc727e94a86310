package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/report"
)

// maxPage is how many members a list of an answer has at most, and maxOffset how far one
// can go.
const (
	maxPage   = 500
	maxOffset = 10_000_000
)

// badRequest is what is wrong with a request, in one line.
type badRequest string

func (e badRequest) Error() string { return string(e) }

// failure is the answer to a request that cannot be served.
type failure struct {
	Error string `json:"error"`
}

// api makes a handler of what gives an answer, or an error.
func (m *machine) api(answer func(*http.Request) (status int, v any, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, v, err := answer(r)
		var bad badRequest
		var large *http.MaxBytesError
		switch {
		case err == nil:
		case errors.As(err, &bad):
			status, v = http.StatusBadRequest, failure{clean.Text(string(bad))}
		case errors.As(err, &large):
			status, v = http.StatusRequestEntityTooLarge, failure{"the body is too large"}
		case errors.Is(err, store.ErrNotFound):
			status, v = http.StatusNotFound, failure{"there is nothing of that id"}
		default:
			m.Log.Error("a request could not be answered", "path", r.URL.Path, "error", err)
			status, v = http.StatusInternalServerError, failure{"the log of the hub says what went wrong"}
		}
		text, err := json.Marshal(v)
		if err != nil {
			m.Log.Error("an answer could not be written", "path", r.URL.Path, "error", err)
			http.Error(w, "the log of the hub says what went wrong", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(append(text, '\n'))
	})
}

// onlyParams refuses parameters that a path does not have: a filter with a misspelt name
// would choose everything.
func onlyParams(q url.Values, names ...string) error {
	for name, values := range q {
		if !slices.Contains(names, name) {
			return badRequest(fmt.Sprintf("unknown parameter %q: use %s", clean.N(name, 40), strings.Join(names, ", ")))
		}
		if len(values) > 1 {
			return badRequest(fmt.Sprintf("parameter %s is there twice", name))
		}
	}
	return nil
}

// page reads which part of a list is asked for.
func page(q url.Values) (p store.Page, err error) {
	for name, x := range map[string]struct {
		into       *int
		least, max int
	}{"offset": {&p.Offset, 0, maxOffset}, "limit": {&p.Limit, 1, maxPage}} {
		if text := q.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < x.least || n > x.max {
				return p, badRequest(fmt.Sprintf("%s: use a number from %d to %d", name, x.least, x.max))
			}
			*x.into = n
		}
	}
	if p.Limit == 0 {
		p.Limit = 50
	}
	return p, nil
}

func when(q url.Values, name string) (time.Time, error) {
	text := q.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, badRequest(name + ": use a time such as 2026-11-30T08:00:00Z")
	}
	return t, nil
}

func (m *machine) overview(r *http.Request) (int, any, error) {
	if err := onlyParams(r.URL.Query()); err != nil {
		return 0, nil, err
	}
	o, err := m.Data.Overview(r.Context(), m.Now())
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, overviewOf(report.Clean(o), m.Watches), nil
}

func (m *machine) gateways(r *http.Request) (int, any, error) {
	q := r.URL.Query()
	if err := onlyParams(q, "q", "offset", "limit"); err != nil {
		return 0, nil, err
	}
	p, err := page(q)
	if err != nil {
		return 0, nil, err
	}
	f, err := store.ParseFilter(q.Get("q"))
	if err != nil {
		return 0, nil, badRequest("q: " + err.Error())
	}
	list, total, err := m.Data.Gateways(r.Context(), f, p)
	if err != nil {
		return 0, nil, err
	}
	out := gatewayList{counted: counted{Total: total, Offset: p.Offset}, Gateways: []gatewayJSON{}}
	for _, g := range report.Clean(list) {
		out.Gateways = append(out.Gateways, gatewayOf(&g))
	}
	return http.StatusOK, out, nil
}

// of returns the gateway that the path names.
func (m *machine) of(r *http.Request) (*store.Gateway, error) {
	id, err := store.ParseID(r.PathValue("id"))
	if err != nil {
		return nil, store.ErrNotFound
	}
	return m.Data.Gateway(r.Context(), id)
}

func (m *machine) gateway(r *http.Request) (int, any, error) {
	if err := onlyParams(r.URL.Query()); err != nil {
		return 0, nil, err
	}
	g, err := m.of(r)
	if err != nil {
		return 0, nil, err
	}
	sights, err1 := m.Data.Sights(r.Context(), g.ID)
	episodes, err2 := m.Data.Episodes(r.Context(), g.ID)
	notes, err3 := m.Data.Notes(r.Context(), g.Place)
	unseen, err4 := m.Data.Unseen(r.Context(), g.ID)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return 0, nil, err
	}
	out := gatewayDetail{gatewayJSON: gatewayOf(report.Clean(g)), Sights: []sightJSON{}, Unseen: []unseenJSON{}, Episodes: []episodeJSON{}, Notes: notesOf(report.Clean(notes))}
	for _, s := range report.Clean(sights) {
		out.Sights = append(out.Sights, sightOf(&s))
	}
	for _, u := range report.Clean(unseen) {
		out.Unseen = append(out.Unseen, unseenJSON{Watch: u.Watch, Vantage: u.Vantage, Run: u.Run.String(), Level: u.Level, Looked: moment(u.Looked)})
	}
	for _, e := range report.Clean(episodes) {
		out.Episodes = append(out.Episodes, episodeOf(&e))
	}
	return http.StatusOK, out, nil
}

func (m *machine) addNote(r *http.Request) (int, any, error) {
	if err := onlyParams(r.URL.Query()); err != nil {
		return 0, nil, err
	}
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/json" {
		return 0, nil, badRequest("send the note as application/json")
	}
	var in struct {
		Text  string     `json:"text"`
		Until *time.Time `json:"until"`
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return 0, nil, err
		}
		return 0, nil, badRequest(`the body has to be {"text": "…"}, and may have "until": a time such as 2026-11-30T08:00:00Z`)
	}
	if _, err := dec.Token(); err != io.EOF {
		return 0, nil, badRequest("something follows the note")
	}
	g, err := m.of(r)
	if err != nil {
		return 0, nil, err
	}
	u, _ := access.UserOf(r.Context())
	n := store.Note{Place: g.Place, Author: u.Name, Written: m.Now(), Text: strings.TrimSpace(in.Text)}
	if n.Text == "" || len(n.Text) > store.MaxNote {
		return 0, nil, badRequest(fmt.Sprintf("text: a note has 1 to %d bytes", store.MaxNote))
	}
	if in.Until != nil {
		if n.Until = *in.Until; !n.Until.After(n.Written) {
			return 0, nil, badRequest("until: that is over")
		}
	}
	if err := m.Data.AddNote(r.Context(), n); err != nil {
		return 0, nil, err
	}
	notes, err := m.Data.Notes(r.Context(), g.Place)
	return http.StatusCreated, struct {
		Notes []noteJSON `json:"notes"`
	}{notesOf(report.Clean(notes))}, err
}

func (m *machine) changes(r *http.Request) (int, any, error) {
	q := r.URL.Query()
	if err := onlyParams(q, "since", "until", "kind", "gateway", "offset", "limit"); err != nil {
		return 0, nil, err
	}
	f := store.ChangeFilter{Episodes: true}
	p, err := page(q)
	if err == nil {
		f.Since, err = when(q, "since")
	}
	if err == nil {
		f.Until, err = when(q, "until")
	}
	if err != nil {
		return 0, nil, err
	}
	if text := q.Get("kind"); text != "" {
		for word := range strings.SplitSeq(text, ",") {
			if !slices.Contains(store.Kinds(), store.Kind(word)) {
				return 0, nil, badRequest("kind: use some of " + strings.Join(event.Words(store.Kinds()...), ","))
			}
			f.Kinds = append(f.Kinds, store.Kind(word))
		}
	}
	if text := q.Get("gateway"); text != "" {
		if f.Gateway, err = store.ParseID(text); err != nil {
			return 0, nil, badRequest("gateway: that is no id")
		}
	}
	list, total, err := m.Data.Changes(r.Context(), f, p)
	if err != nil {
		return 0, nil, err
	}
	out := changeList{counted: counted{Total: total, Offset: p.Offset}, Changes: []changeJSON{}}
	for _, c := range report.Clean(list) {
		out.Changes = append(out.Changes, changeOf(&c))
	}
	return http.StatusOK, out, nil
}

func (m *machine) runs(r *http.Request) (int, any, error) {
	q := r.URL.Query()
	if err := onlyParams(q, "watch", "offset", "limit"); err != nil {
		return 0, nil, err
	}
	p, err := page(q)
	if err != nil {
		return 0, nil, err
	}
	list, total, err := m.Data.Runs(r.Context(), store.RunFilter{Watch: q.Get("watch")}, p)
	if err != nil {
		return 0, nil, err
	}
	out := runList{counted: counted{Total: total, Offset: p.Offset}, Runs: []runJSON{}}
	for _, x := range report.Clean(list) {
		out.Runs = append(out.Runs, *runOf(&x))
	}
	return http.StatusOK, out, nil
}
