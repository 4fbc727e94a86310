package web

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func at(daysAgo float64) time.Time { return now.Add(-time.Duration(daysAgo * 24 * float64(time.Hour))) }

// fake is a small fleet in memory. Of filters it knows those of the pages themselves.
type fake struct {
	overview store.Overview
	gateways []store.Gateway
	lines    map[store.ID]*event.Target
	sights   map[store.ID][]store.Sight
	unseen   map[store.ID][]store.Unseen
	episodes map[store.ID][]store.Episode
	notes    []store.Note
	changes  []store.Change
	runs     []store.Run
	failing  []store.Delivery
	jobs     []store.Job
	progress map[string][]store.Progress
	given    []store.JobUnit
	workers  []store.Worker
	err      error // of everything, once after so many calls
	after    int
}

func (f *fake) fail() error {
	if f.after--; f.after < 0 {
		return f.err
	}
	return nil
}

func (f *fake) Overview(context.Context, time.Time) (store.Overview, error) {
	return f.overview, f.fail()
}

func (f *fake) Watches(context.Context) ([]store.WatchState, error) {
	return f.overview.Watches, f.fail()
}

func (f *fake) chosen(filter store.Filter) []store.Gateway {
	for text, keep := range map[string]func(*store.Gateway) bool{
		"verdict:open,claimable": (*store.Gateway).Alarming, "is:unresolved": (*store.Gateway).Unresolved,
		severeQuery: func(g *store.Gateway) bool {
			return g.Severity.Rank() >= event.High.Rank() && !g.Alarming() && !g.Unresolved() && g.Verdict != store.Gone
		},
		unclearQuery: func(g *store.Gateway) bool {
			return tone(g.Verdict) == "doubt" && !g.Unresolved()
		},
		"owner:nobody": func(*store.Gateway) bool { return false },
	} {
		if x, err := store.ParseFilter(text); err == nil && reflect.DeepEqual(x, filter) {
			return slices.DeleteFunc(slices.Clone(f.gateways), func(g store.Gateway) bool { return !keep(&g) })
		}
	}
	return f.gateways
}

func part[T any](list []T, p store.Page) ([]T, int, error) {
	limit := cmp.Or(p.Limit, 50)
	return list[min(p.Offset, len(list)):min(p.Offset+limit, len(list))], len(list), nil
}

func (f *fake) Gateways(_ context.Context, filter store.Filter, p store.Page) ([]store.Gateway, int, error) {
	if err := f.fail(); err != nil {
		return nil, 0, err
	}
	return part(f.chosen(filter), p)
}

func (f *fake) Failing(context.Context, int) ([]store.Delivery, error) {
	return f.failing, f.fail()
}

func (f *fake) ByOwner(_ context.Context, filter store.Filter, most int, yield func(*store.Gateway, int) error) error {
	of := map[string][]store.Gateway{}
	for _, g := range f.chosen(filter) {
		of[g.Owner] = append(of[g.Owner], g)
	}
	for _, owner := range slices.Sorted(maps.Keys(of)) {
		for _, g := range of[owner][:min(most, len(of[owner]))] {
			if err := cmp.Or(f.fail(), yield(&g, len(of[owner]))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fake) EachGateway(_ context.Context, filter store.Filter, yield func(*store.Gateway, *event.Target) error) error {
	for _, g := range f.chosen(filter) {
		if err := f.fail(); err != nil {
			return err
		}
		line := f.lines[g.ID]
		if line == nil {
			line = &event.Target{Type: event.TypeTarget}
		}
		if err := yield(&g, line); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Gateway(_ context.Context, id store.ID) (*store.Gateway, error) {
	for i := range f.gateways {
		if f.gateways[i].ID == id {
			g := f.gateways[i]
			return &g, f.fail()
		}
	}
	return nil, store.ErrNotFound
}

func (f *fake) Sights(_ context.Context, id store.ID) ([]store.Sight, error) {
	return slices.Clone(f.sights[id]), f.fail()
}

func (f *fake) Unseen(_ context.Context, id store.ID) ([]store.Unseen, error) {
	return f.unseen[id], f.fail()
}

func (f *fake) Episodes(_ context.Context, id store.ID) ([]store.Episode, error) {
	return f.episodes[id], f.fail()
}

func (f *fake) Notes(_ context.Context, place string) ([]store.Note, error) {
	return slices.DeleteFunc(slices.Clone(f.notes), func(n store.Note) bool { return n.Place != place }), f.fail()
}

func (f *fake) AddNote(_ context.Context, n store.Note) error {
	n.ID = int64(len(f.notes) + 1)
	f.notes = append(f.notes, n)
	return f.fail()
}

func (f *fake) EndNote(_ context.Context, id int64, at time.Time) error {
	for i := range f.notes {
		if f.notes[i].ID == id {
			f.notes[i].Until = at
			return f.fail()
		}
	}
	return store.ErrNotFound
}

func (f *fake) Changes(_ context.Context, c store.ChangeFilter, p store.Page) ([]store.Change, int, error) {
	if err := f.fail(); err != nil {
		return nil, 0, err
	}
	return part(slices.DeleteFunc(slices.Clone(f.changes), func(x store.Change) bool {
		return x.At.Before(c.Since) || !c.Until.IsZero() && !x.At.Before(c.Until) || c.Run != 0 && x.Run != c.Run || c.Owner != "" && c.Owner != x.Owner ||
			c.Network != "" && c.Network != x.Network || len(c.Kinds) > 0 && !slices.ContainsFunc(c.Kinds, x.Has)
	}), p)
}

func (f *fake) Runs(_ context.Context, c store.RunFilter, p store.Page) ([]store.Run, int, error) {
	if err := f.fail(); err != nil {
		return nil, 0, err
	}
	return part(slices.DeleteFunc(slices.Clone(f.runs), func(x store.Run) bool { return c.Watch != "" && c.Watch != x.Watch }), p)
}

func (f *fake) Run(_ context.Context, id store.ID) (*store.Run, error) {
	for i := range f.runs {
		if f.runs[i].ID == id {
			return &f.runs[i], f.fail()
		}
	}
	return nil, store.ErrNotFound
}

func (f *fake) HaveJobs(context.Context) (bool, error) { return len(f.jobs) > 0, nil }

func (f *fake) Jobs(context.Context) ([]store.Job, error) { return f.jobs, f.fail() }

func (f *fake) Job(_ context.Context, name string) (store.Job, error) {
	for _, j := range f.jobs {
		if j.ID == name {
			return j, f.fail()
		}
	}
	return store.Job{}, store.ErrNotFound
}

func (f *fake) Progress(_ context.Context, id string, _ time.Time) ([]store.Progress, error) {
	return f.progress[id], f.fail()
}

func (f *fake) FailedUnits(_ context.Context, id, vantage string, limit int) ([]store.JobUnit, error) {
	list := slices.DeleteFunc(slices.Clone(f.given), func(u store.JobUnit) bool { return u.Job != id || u.Vantage != vantage })
	return list[:min(limit, len(list))], f.fail()
}

func (f *fake) Workers(context.Context) ([]store.Worker, error) { return f.workers, f.fail() }

// addJobs adds one job of each state: one that runs, and has a vantage that has looked at
// nothing yet; one with a unit that was given up; one that is new, one that is whole, one
// that was stopped.
func (f *fake) addJobs(say func(string) string) {
	f.progress = map[string][]store.Progress{}
	sum := func(silent, required, open int) event.Summary {
		s := *event.NewSummary()
		s.AddOutcome(event.OutcomeSilent, silent)
		s.AddOutcome(event.OutcomeIdentified, required+open)
		s.Auth[event.AuthRequired], s.Auth[event.AuthOpen] = required, open
		s.MissEstimate = event.MissEstimate{Reprobed: silent / 4, Found: silent / 400}
		s.MissEstimate.Estimate(silent)
		return s
	}
	add := func(id string, state store.JobState, age float64, why string, parts ...store.Progress) {
		j := store.Job{ID: id, Name: say("office"), Created: at(age), State: state, Why: say(why), Units: 30, Targets: 4000, Rate: 500}
		if why == "" {
			j.Why = ""
		}
		if state == store.JobDone || state == store.JobStopped {
			j.Ended = at(age - 0.1)
		}
		if state == store.JobNew {
			j.Units, j.Targets = 0, 0
		}
		for i := range parts {
			parts[i].Vantage = say(parts[i].Vantage)
			j.Vantages = append(j.Vantages, parts[i].Vantage)
		}
		f.jobs, f.progress[id] = append(f.jobs, j), parts
	}
	units := func(waiting, begun, done, failed uint64) map[store.UnitState]uint64 {
		return map[store.UnitState]uint64{store.UnitWaiting: waiting, store.UnitBegun: begun, store.UnitDone: done, store.UnitFailed: failed}
	}
	whole := sum(3990, 9, 1)
	whole.Complete = true
	add("0000000000new", store.JobNew, 0.01, "", store.Progress{Vantage: "fra", Summary: *event.NewSummary()})
	add("0000000000run", store.JobRunning, 0.1, "", store.Progress{Vantage: "fra", Units: units(15, 2, 12, 1), Summary: sum(1597, 2, 1), Rate: 41.25},
		store.Progress{Vantage: "sgp", Units: units(29, 1, 0, 0), Summary: *event.NewSummary()})
	add("000000000gave", store.JobDone, 2, "", store.Progress{Vantage: "fra", Units: units(0, 0, 29, 1), Summary: sum(3850, 9, 1), Handed: true},
		store.Progress{Vantage: "sgp", Units: units(0, 0, 30, 0), Summary: whole, Handed: true})
	add("00000000whole", store.JobDone, 3, "", store.Progress{Vantage: "fra", Units: units(0, 0, 30, 0), Summary: whole, Handed: true})
	add("000000000stop", store.JobStopped, 4, "the exclusion list changed", store.Progress{Vantage: "fra", Units: units(30, 0, 0, 0), Summary: *event.NewSummary(), Handed: true})
	for _, x := range [][2]string{{"0000000000run", "fra"}, {"000000000gave", "fra"}} {
		f.given = append(f.given, store.JobUnit{Job: x[0], Vantage: say(x[1]), K: 7, State: store.UnitFailed, Attempts: 5, Worker: say("w1"), Begun: at(0.05), Error: say("the worker w1 was not heard of any more")})
	}
	f.workers = []store.Worker{
		{Name: say("w1"), Vantage: say("fra"), Made: at(20), Seen: at(0.0001), Version: say("0.4.0"), Doing: say("0000000000run/12")},
		{Name: say("w2"), Vantage: say("sgp"), Made: at(20), Seen: at(3), Version: say("0.4.0"), Refused: at(3), Why: say("it is clawsonar-hub 0.3.0, the hub is 0.4.0: install the same")},
		{Name: say("w3"), Vantage: say("sgp"), Made: at(20)},
		{Name: "retired", Vantage: say("fra"), Made: at(90), Revoked: at(10), Seen: at(11)},
	}
}

// targets are gateways of a stored scan of replicas, by the state of their
// authentication; the open one has the advisories of another.
func targets(t testing.TB) map[event.AuthState]*event.Target {
	t.Helper()
	f, err := os.Open("../../../testdata/streams/replicas.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[event.AuthState]*event.Target{}
	var advisories []event.Advisory
	err = event.Read(f, "replicas.jsonl", func(e event.Event) error {
		if x, ok := e.(*event.Target); ok && x.Outcome == event.OutcomeIdentified {
			out[x.Auth.State] = x
			advisories = append(advisories, x.Advisories...)
		}
		return nil
	})
	if err != nil || out[event.AuthOpen] == nil || out[event.AuthRequired] == nil || out[event.AuthBlocked] == nil || len(advisories) == 0 {
		t.Fatal(err, out)
	}
	out[event.AuthOpen].Advisories = advisories
	unknown := *out[event.AuthBlocked]
	unknown.Auth = &event.Auth{State: event.AuthUnknown, Because: []string{}}
	out[event.AuthUnknown] = &unknown
	return out
}

// fleet is a small fleet with one of everything. Each text that comes from a target, a
// list or a file is what say makes of it.
func fleet(t testing.TB, say func(string) string) *fake {
	t.Helper()
	lines := targets(t)
	f := &fake{lines: map[store.ID]*event.Target{}, sights: map[store.ID][]store.Sight{}, episodes: map[store.ID][]store.Episode{}}
	data := event.Data{Releases: 134, NewestRelease: say("2026.11.2"), ReleasesAsOf: "2026-11-20", Advisories: 723, AdvisoriesAsOf: say("2026-11-20")}
	run := func(watch, vantage string, age float64, complete bool, miss event.MissEstimate) *store.Run {
		r := store.Run{
			ID: store.MakeID("run", watch, fmt.Sprint(age)), Watch: say(watch), Vantage: say(vantage), Started: at(age), Finished: at(age).Add(9 * time.Minute), Complete: complete,
			Level: event.LevelStandard, File: say("office/2026-11-30.jsonl"), SHA256: strings.Repeat("ab", 32), Bytes: 81234, Targets: 2048, Gateways: 7, Unjudged: 1,
			Auth: map[event.AuthState]int{event.AuthOpen: 1, event.AuthRequired: 5, event.AuthUnknown: 1}, Miss: miss, Data: data, Changes: 2,
		}
		if !complete {
			r.Finished = r.Started
		}
		f.runs = append(f.runs, r)
		return &f.runs[len(f.runs)-1]
	}
	f.runs = make([]store.Run, 0, 8)
	last := run("office", "inside", 0.1, true, event.MissEstimate{Reprobed: 48})
	dmz := run("dmz", "outside", 0.4, false, event.MissEstimate{Reprobed: 120, Found: 3, Missed: 4, MissedAtMost: 9})
	again := run("office", "inside", 0.2, true, event.MissEstimate{})
	again.Again = true
	whole := run("dmz", "outside", 9, true, event.MissEstimate{})
	lab := run("lab", "", 5, true, event.MissEstimate{})

	add := func(place string, verdict event.AuthState, edit func(*store.Gateway)) *store.Gateway {
		addr, _, _ := strings.Cut(place, ":")
		ip, _ := netip.ParseAddr(addr)
		g := store.Gateway{
			ID: store.MakeID("gateway", place), Place: say(place), Addr: ip, Port: 18789, URL: say("http://" + place + "/"), Network: say("10.1.0.0/16"), Owner: say("mail"), Contact: say("mail-team@example.org"),
			Product: say("OpenClaw"), Verdict: store.Verdict(verdict), Since: at(12), Proven: verdict, Release: say("2026.9.6"), First: at(80), Last: at(0.1),
		}
		edit(&g)
		f.gateways = append(f.gateways, g)
		if x := lines[verdict]; x != nil {
			f.lines[g.ID] = x
		}
		return &f.gateways[len(f.gateways)-1]
	}
	f.gateways = make([]store.Gateway, 0, 16)
	lines[event.AuthOpen].Geo = &event.Geo{AS: 64500, ASName: "Example Net", Country: "AU"}
	open := add("10.1.4.20:18789", event.AuthOpen, func(g *store.Gateway) {
		g.Since, g.Severity, g.Findings, g.Advisories, g.Release = at(0.1), event.Critical, 6, 14, say("2026.3.1")
		g.Name = say("assistant.example.org")
		g.Geo = event.Geo{AS: 64500, ASName: say("Example Net"), Country: say("AU")}
	})
	add("10.1.4.21:18789", event.AuthClaimable, func(g *store.Gateway) {
		g.Severity, g.Findings, g.Owner = event.High, 2, say("web team")
		g.Differs = true
	})
	was := add("10.1.4.22:18789", event.AuthUnknown, func(g *store.Gateway) {
		g.Proven, g.Since, g.Severity, g.Findings = event.AuthOpen, at(1), event.Medium, 1
	})
	gone := add("10.1.4.23:18789", event.AuthOpen, func(g *store.Gateway) {
		g.Verdict, g.Since, g.Last, g.Owner, g.Contact, g.Release = store.Gone, at(2), at(2.1), "", "", ""
	})
	for i := range 6 {
		add(fmt.Sprintf("10.1.5.%d:18789", i+1), event.AuthRequired, func(g *store.Gateway) { g.Severity, g.Findings = event.Low, 1 })
	}
	add("10.2.0.9:18789", event.AuthGated, func(g *store.Gateway) {
		g.Severity, g.Findings = event.High, 1
		g.Network, g.Owner = say("10.2.0.0/16"), say("lab")
		g.Geo = event.Geo{AS: 64501}
	})

	sight := func(g *store.Gateway, r *store.Run, verdict store.Verdict, looked, last float64) store.Sight {
		return store.Sight{Watch: r.Watch, Vantage: r.Vantage, Run: r.ID, Level: r.Level, Verdict: verdict, Since: g.Since, Release: g.Release, First: g.First, Last: at(last), Looked: at(looked), Line: f.lines[g.ID]}
	}
	f.sights[open.ID] = []store.Sight{sight(open, dmz, store.Verdict(event.AuthRequired), 0.4, 0.4), sight(open, last, open.Verdict, 0.1, 0.1)}
	f.unseen = map[store.ID][]store.Unseen{open.ID: {{Watch: say("office@sgp"), Vantage: say("sgp"), Run: lab.ID, Level: lab.Level, Looked: at(5)}}}
	f.sights[was.ID] = []store.Sight{sight(was, last, was.Verdict, 0.1, 0.1)}
	f.sights[gone.ID] = []store.Sight{sight(gone, last, gone.Verdict, 0.1, 2.1)}
	f.episodes[open.ID] = []store.Episode{
		{Gateway: open.ID, Watch: last.Watch, What: store.OfVerdict, Value: string(event.AuthOpen), Opened: at(0.1), Run: last.ID},
		{Gateway: open.ID, Watch: last.Watch, What: store.OfFinding, Value: say("auth-missing"), Severity: event.Critical, Opened: at(0.1), Run: last.ID},
		{Gateway: open.ID, Watch: last.Watch, What: store.OfFinding, Value: say("plain-http"), Severity: event.Medium, Opened: at(60), Closed: at(20), Why: store.WhyClosed, Run: again.ID, ClosedRun: last.ID},
		{Gateway: open.ID, Watch: last.Watch, What: store.OfRelease, Value: say("2026.3.1"), Opened: at(60), Run: again.ID},
		{Gateway: open.ID, Watch: last.Watch, What: store.OfVerdict, Value: string(event.AuthRequired), Opened: at(80), Closed: at(0.1), Why: store.WhyChanged, Run: again.ID, ClosedRun: last.ID},
	}
	f.notes = []store.Note{
		{ID: 1, Place: open.Place, Author: say("ana"), Written: at(10), Text: say("Known: moves behind the proxy.\nTicket 81."), Until: at(-20)},
		{ID: 2, Place: open.Place, Author: say("ben"), Written: at(40), Text: say("Maintenance"), Until: at(30)},
	}
	change := func(g *store.Gateway, r *store.Run, age float64, old store.Verdict, kinds ...store.Kind) {
		c := store.Change{
			At: at(age), Run: r.ID, Gateway: g.ID, Watch: r.Watch, Vantage: r.Vantage, Place: g.Place, Owner: g.Owner, Contact: g.Contact, Network: g.Network, Product: g.Product,
			Kinds: kinds, OldVerdict: old, Verdict: g.Verdict, Release: g.Release, OldRelease: g.Release, Severity: g.Severity,
		}
		if c.Has(store.KindOpened) {
			c.Opened, c.Closed, c.Advisories, c.OldRelease, c.OldVerdictSince = 2, 1, 3, say("2026.2.9"), at(80)
		}
		for _, e := range f.episodes[g.ID] {
			if e.Run == r.ID || e.ClosedRun == r.ID {
				c.Episodes = append(c.Episodes, e)
			}
		}
		f.changes = append(f.changes, c)
	}
	change(open, last, 0.1, store.Verdict(event.AuthRequired), store.KindOpened, store.KindFinding, store.KindAdvisory, store.KindFixed, store.KindRelease)
	change(was, last, 1, store.Verdict(event.AuthOpen), store.KindVerdict)
	change(gone, last, 2, store.Verdict(event.AuthOpen), store.KindGone)
	change(&f.gateways[4], last, 3, store.Verdict(event.AuthOpen), store.KindClosed)
	change(&f.gateways[5], last, 4, "", store.KindNew)

	f.overview = store.Overview{
		Now: map[store.Verdict]int{}, WeekAgo: map[store.Verdict]int{"open": 2, "required": 5, "gated": 1}, Severities: map[event.Severity]int{},
		Releases:  []store.Counted{{Name: say("2026.9.6"), N: 8, Alarming: 1}, {Name: say("2026.3.1"), N: 1, Alarming: 1}, {N: 1}},
		Networks:  []store.Counted{{Name: say("10.1.0.0/16"), N: 9, Alarming: 2}, {Name: say("10.2.0.0/16"), N: 1}},
		Owners:    []store.Counted{{Name: say("mail"), N: 8, Alarming: 1}, {Name: say("web team"), N: 1, Alarming: 1}, {N: 1}},
		Systems:   []store.System{{Counted: store.Counted{N: 8, Alarming: 1}}, {AS: 64500, Counted: store.Counted{Name: say("Example Net"), N: 1, Alarming: 1}}, {AS: 64501, Counted: store.Counted{N: 1}}},
		Countries: []store.Counted{{N: 9, Alarming: 1}, {Name: say("AU"), N: 1, Alarming: 1}},
		Watches:   []store.WatchState{{Name: dmz.Watch, Vantage: dmz.Vantage, Last: dmz, LastComplete: whole}, {Name: lab.Watch, Last: lab, LastComplete: lab}, {Name: last.Watch, Vantage: last.Vantage, Last: last, LastComplete: last}},
	}
	for _, g := range f.gateways {
		f.overview.Now[g.Verdict]++
		if g.Verdict != store.Gone {
			f.overview.Severities[g.Severity]++
		}
		if g.Alarming() {
			f.overview.Alarming = append(f.overview.Alarming, g)
			f.overview.AlarmingN++
		}
		if g.Unresolved() {
			f.overview.Unresolved = append(f.overview.Unresolved, g)
			f.overview.UnresolvedN++
		}
	}
	for i := range 60 {
		d := store.Day{Date: at(float64(59 - i)).Truncate(24 * time.Hour), N: map[store.Verdict]int{"required": 4 + i/20, "open": 1 + i%17/12, "gated": i / 30, store.Gone: i}}
		if i > 40 {
			d.N["unknown"] = 1 + i%3
			d.N["claimable"] = 1
		}
		f.overview.Days = append(f.overview.Days, d)
	}
	f.addJobs(say)
	return f
}

func same(s string) string { return s }

// board is the board over some data.
func board(t testing.TB, f *fake) *Board {
	t.Helper()
	b, err := New(Config{
		UnitTargets: func(_ context.Context, id string, units []uint64) (out [][]string, err error) {
			for range units {
				out = append(out, []string{f.gateways[0].Place, f.gateways[1].Place})
			}
			return out, f.fail()
		},
		Data: f, Tool: event.Tool{Name: "clawsonar-hub", Version: "0.4.0"}, Watches: []Watch{{"office", 6 * time.Hour}, {"dmz", 24 * time.Hour}, {"branch", time.Hour}},
		Streams: "../../../testdata/streams", Public: true, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		Checks: []event.CheckInfo{{ID: "auth-missing", Title: "Anyone who reaches this gateway controls the agent", Severity: event.Critical, Why: "Anyone who can connect can give the agent instructions.", Fix: "Ask for a credential."}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// handler serves the routes as a user with a role; none without one.
func handler(b *Board, role access.Role) http.Handler {
	mux := http.NewServeMux()
	for _, r := range b.Routes() {
		mux.Handle(r.Pattern, r.Handler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if role > access.Public {
			r = r.WithContext(access.WithUser(r.Context(), access.User{Name: "ana", Role: role, Session: true}))
		}
		mux.ServeHTTP(w, r)
	})
}

// get asks for a path and gives the answer.
func get(t testing.TB, h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
