package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/report"
)

type gatewaysPage struct {
	Query, Wrong string
	Help         []report.Term
	Order        string
	Orders       []link
	Gateways     []store.Gateway
	Pager        pager
	Exports      []link
}

// gateways is the list, or an export of it. What is wrong with the query is said beside
// its field; nothing is listed then, since it would not be what was asked for.
func (b *Board) gateways(w http.ResponseWriter, r *http.Request) error {
	l := b.language(w, r)
	query := r.URL.Query().Get("q")
	if len(query) > maxQuery {
		return badRequest(l.Say("A query has at most %d bytes.", maxQuery))
	}
	filter, wrong := store.ParseFilter(query)
	if format := r.URL.Query().Get("format"); format != "" {
		if wrong != nil {
			return badRequest(wrong.Error())
		}
		return b.exportGateways(w, r, l, format, query, filter)
	}
	p := gatewaysPage{Query: query, Help: l.queryHelp(), Exports: exportLinks(r, gatewayFormats())}
	status := http.StatusOK
	if wrong != nil {
		p.Wrong, p.Exports, status = wrong.Error(), nil, http.StatusBadRequest
	} else {
		page := pageOf(r)
		if o := store.Order(r.URL.Query().Get("sort")); slices.Contains(store.Orders(), o) {
			page.Order, p.Order = o, string(o)
		}
		p.Orders = l.orders(r, page.Order)
		list, total, err := b.Data.Gateways(r.Context(), filter, page)
		if err != nil {
			return err
		}
		if beyond(list, total) {
			return store.ErrNotFound
		}
		p.Gateways, p.Pager = list, pagerOf(r, page, len(list), total)
	}
	b.show(w, r, status, l.Say("Gateways"), "gateways", p)
	return nil
}

// The page of one gateway as its template sees it.
type (
	gatewayPage struct {
		*store.Gateway
		Alarming, Unresolved bool
		Sights               []store.Sight
		Unseen               []store.Unseen
		Of                   *store.Sight // whose line is shown; nil if there is none
		Stale                bool         // the line is not of the last look
		Card                 template.HTML
		Timeline             []moment
		MoreMoments          int
		Notes                []note
		MayWork              bool
		Today                string
	}
	// moment is one entry of the timeline: something that began or ended.
	moment struct {
		At      time.Time
		Ended   bool
		Verdict store.Verdict // of an episode of one
		store.Episode
	}
	note struct {
		store.Note
		Lines []string
		Over  bool
	}
)

// maxMoments is how many entries a timeline has.
const maxMoments = 200

func (b *Board) gateway(w http.ResponseWriter, r *http.Request) error {
	l, ctx := b.language(w, r), r.Context()
	g, err := b.gatewayOf(r)
	if err != nil {
		return err
	}
	p := gatewayPage{Gateway: g, Alarming: g.Alarming(), Unresolved: g.Unresolved(), MayWork: may(r, access.Work), Today: day(b.Now())}
	if p.Sights, err = b.Data.Sights(ctx, g.ID); err != nil {
		return err
	}
	if p.Unseen, err = b.Data.Unseen(ctx, g.ID); err != nil {
		return err
	}
	if p.Of = choose(p.Sights, r.URL.Query().Get("watch"), g.Verdict); p.Of != nil {
		p.Stale = p.Of.Looked.After(p.Of.Last)
		if p.Card, err = report.Card(p.Of.Line, report.Options{Checks: b.Checks, Lang: l.code}); err != nil {
			return err
		}
	}
	episodes, err := b.Data.Episodes(ctx, g.ID)
	if err != nil {
		return err
	}
	p.Timeline = timeline(episodes)
	if n := len(p.Timeline) - maxMoments; n > 0 {
		p.Timeline, p.MoreMoments = p.Timeline[:maxMoments], n
	}
	notes, err := b.Data.Notes(ctx, g.Place)
	if err != nil {
		return err
	}
	for _, n := range notes {
		p.Notes = append(p.Notes, note{Note: n, Lines: strings.Split(n.Text, "\n"), Over: !n.Until.IsZero() && !n.Until.After(b.Now())})
	}
	for i := range p.Sights {
		p.Sights[i].Line = nil // shown in the card alone
	}
	b.show(w, r, http.StatusOK, g.Place, "gateway", p)
	return nil
}

func (b *Board) gatewayOf(r *http.Request) (*store.Gateway, error) {
	id, err := store.ParseID(r.PathValue("id"))
	if err != nil {
		return nil, store.ErrNotFound
	}
	return b.Data.Gateway(r.Context(), id)
}

// choose returns the sight whose line is shown: that of a watch that was asked for, else
// the latest of those that see the gateway's verdict, else the latest.
func choose(sights []store.Sight, watch string, verdict store.Verdict) *store.Sight {
	var best *store.Sight
	score := func(s *store.Sight) int {
		switch {
		case watch != "" && s.Watch == watch:
			return 2
		case s.Verdict == verdict:
			return 1
		}
		return 0
	}
	for i := range sights {
		s := &sights[i]
		if s.Line == nil {
			continue
		}
		if best == nil || score(s) > score(best) || score(s) == score(best) && s.Last.After(best.Last) {
			best = s
		}
	}
	if best == nil {
		return nil
	}
	chosen := *best
	return &chosen
}

// timeline is what began and ended, the latest first.
func timeline(episodes []store.Episode) []moment {
	var out []moment
	for _, e := range episodes {
		m := moment{At: e.Opened, Episode: e}
		if e.What == store.OfVerdict {
			m.Verdict = store.Verdict(e.Value)
		}
		out = append(out, m)
		// Of a verdict or release that is another now, the next one says enough.
		if !e.Closed.IsZero() && e.Why != store.WhyChanged {
			m.At, m.Ended, m.Run = e.Closed, true, e.ClosedRun
			out = append(out, m)
		}
	}
	sortMoments(out)
	return out
}

func sortMoments(list []moment) {
	order := []store.What{store.OfVerdict, store.OfRelease, store.OfFinding}
	rank := func(m moment) int {
		for i, x := range order {
			if m.What == x {
				return i
			}
		}
		return len(order)
	}
	slices.SortStableFunc(list, func(a, b moment) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		if c := rank(a) - rank(b); c != 0 {
			return c
		}
		if c := b.Severity.Rank() - a.Severity.Rank(); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
}

const maxForm = 64 << 10

// addNote keeps a note and shows the gateway again.
func (b *Board) addNote(w http.ResponseWriter, r *http.Request) error {
	l := b.language(w, r)
	g, err := b.gatewayOf(r)
	if err != nil {
		return err
	}
	if err := b.form(w, r, l); err != nil {
		return err
	}
	// Browsers send line breaks as CR LF.
	text := strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("text"), "\r\n", "\n"))
	if text == "" || len(text) > store.MaxNote {
		return badRequest(l.Say("A note has 1 to %d bytes.", store.MaxNote))
	}
	n := store.Note{Place: g.Place, Author: userName(r), Written: b.Now().UTC(), Text: text}
	if until := r.PostForm.Get("until"); until != "" {
		d, err := time.Parse(time.DateOnly, until)
		if err != nil {
			return badRequest(l.Say("The end of a note is a day such as %s.", day(b.Now())))
		}
		n.Until = d.AddDate(0, 0, 1) // it counts on that day
		if !n.Until.After(b.Now()) {
			return badRequest(l.Say("The end of a note is today or later."))
		}
	}
	if err := b.Data.AddNote(r.Context(), n); err != nil {
		return err
	}
	return seeNotes(w, r, g)
}

// endNote makes a note of the gateway end now.
func (b *Board) endNote(w http.ResponseWriter, r *http.Request) error {
	g, err := b.gatewayOf(r)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(r.PathValue("note"), 10, 64)
	if err != nil {
		return store.ErrNotFound
	}
	notes, err := b.Data.Notes(r.Context(), g.Place)
	if err != nil {
		return err
	}
	for _, n := range notes {
		if n.ID != id {
			continue
		}
		// Somebody else may have ended it in the meantime: that is what was wanted.
		if err := b.Data.EndNote(r.Context(), id, b.Now().UTC()); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return seeNotes(w, r, g)
	}
	return store.ErrNotFound
}

// form reads the form of a request.
func (b *Board) form(w http.ResponseWriter, r *http.Request, l *language) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return badRequest(l.Say("The form could not be read."))
	}
	return nil
}

func seeNotes(w http.ResponseWriter, r *http.Request, g *store.Gateway) error {
	http.Redirect(w, r, "/gateways/"+url.PathEscape(g.ID.String())+"#notes", http.StatusSeeOther)
	return nil
}

// queryHelp says what a query can hold: an example of each key of store.Keys.
func (l *language) queryHelp() []report.Term {
	means := map[string]string{
		"verdict":  l.Say("one of several verdicts, with commas between them: %s", strings.Join(event.Words(store.Verdicts()...), ", ")),
		"severity": l.Say("a finding of that severity or worse stands"),
		"net":      l.Say("an address, a prefix or a range"),
		"release":  l.Say("a release or its beginning, also with <, <=, > or >= before it; release:unknown"),
		"owner":    l.Say("part of the owner's name; owner:none"),
		"network":  l.Say("a prefix of networks.csv"),
		"as":       l.Say("numbers of autonomous systems, with commas between them; as:unknown"),
		"country":  l.Say("countries by their two letters, with commas between them; country:unknown"),
		"finding":  l.Say("a finding of that id stands"),
		"product":  l.Say("part of the product's name"),
		"port":     l.Say("a port"),
		"watch":    l.Say("seen by that watch"),
		"vantage":  l.Say("seen from that vantage"),
		"since":    l.Say("the verdict is no older than so many hours, days or weeks"),
		"is":       l.Say("unresolved: was open, and nothing proves that it was closed; differing: vantages see different verdicts"),
	}
	var out []report.Term
	for _, k := range store.Keys() {
		out = append(out, report.Term{Name: k[0] + ":" + k[1], Means: means[k[0]]})
	}
	return append(out,
		report.Term{Name: "-owner:lab", Means: l.Say("a minus excludes what it is before")},
		report.Term{Name: "mail", Means: l.Say("a word without a key is looked for in place, name and owner")})
}
