package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Gateways returns a page of the gateways that the filter chooses, in the page's
// order, and how many there are.
func (s *Store) Gateways(ctx context.Context, f Filter, p Page) (out []Gateway, total int, err error) {
	where, args := f.where(time.Now(), nil)
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM gateway g`+where, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	limit, offset := p.limits()
	order := ` ORDER BY ` + p.Order.sql()
	// The page first: what its columns look up is then not looked up of all before it.
	page := `(SELECT * FROM gateway g` + where + order + ` LIMIT ` + strconv.Itoa(limit) + ` OFFSET ` + strconv.Itoa(offset) + `) g`
	out, err = s.gateways(ctx, page+order, args)
	return out, total, err
}

const gatewayColumns = `g.id, g.place, g.addr, g.port, g.name, g.url, g.product, g.network, g.owner, g.contact,
	g.verdict, g.since, g.proven, g.severity, g.release, g.findings, g.advisories, g.first, g.differs, g.asn, g.as_name, g.country,
	(SELECT MAX(s.last) FROM sight s WHERE s.gateway = g.id)`

// gateways returns the rows that a query chooses after its FROM, as g.
func (s *Store) gateways(ctx context.Context, from string, args []any) (out []Gateway, err error) {
	err = s.each(ctx, `SELECT `+gatewayColumns+` FROM `+from, args, func(r *sql.Rows) error {
		g, err := scanGateway(r)
		out = append(out, g)
		return err
	})
	return out, err
}

func scanGateway(r *sql.Rows, more ...any) (g Gateway, err error) {
	var addr []byte
	var since, first, last int64
	var rank, differs int
	err = r.Scan(append([]any{&g.ID, &g.Place, &addr, &g.Port, &g.Name, &g.URL, &g.Product, &g.Network, &g.Owner, &g.Contact,
		&g.Verdict, &since, &g.Proven, &rank, &g.Release, &g.Findings, &g.Advisories, &first, &differs,
		&g.Geo.AS, &g.Geo.ASName, &g.Geo.Country, &last}, more...)...)
	g.Addr, g.Since, g.First, g.Last = addrOf(addr), at(since), at(first), at(last)
	g.Severity, g.Differs = severity(rank), differs != 0
	return g, err
}

// EachGateway yields the gateways that the filter chooses, worst first, with the line of
// the last time that each answered: of several watches, that of the one with the worst
// verdict. Memory does not depend on their number.
func (s *Store) EachGateway(ctx context.Context, f Filter, yield func(*Gateway, *event.Target) error) error {
	where, args := f.where(time.Now(), nil)
	// The sights of a gateway in the order of worst.
	const line = `(SELECT l.line FROM sight s JOIN line l ON l.gateway = s.gateway AND l.watch = s.watch
		WHERE s.gateway = g.id ORDER BY CASE WHEN s.verdict = g.verdict THEN 0 ELSE 1 END, s.last DESC, s.watch LIMIT 1)`
	return s.each(ctx, `SELECT `+gatewayColumns+`, `+line+` FROM gateway g`+where+` ORDER BY g.rank, g.severity DESC, g.addr, g.port, g.id`, args, func(r *sql.Rows) error {
		var packed []byte
		g, err := scanGateway(r, &packed)
		if err != nil {
			return err
		}
		t := &event.Target{Type: event.TypeTarget}
		if packed != nil {
			if t, err = s.unpack(packed); err != nil {
				return err
			}
		}
		return yield(&g, t)
	})
}

// ByOwner yields of each owner the first gateways that the filter chooses, worst first, at
// most so many, each with how many there are of the owner.
func (s *Store) ByOwner(ctx context.Context, f Filter, most int, yield func(g *Gateway, total int) error) error {
	where, args := f.where(time.Now(), nil)
	return s.each(ctx, `SELECT `+gatewayColumns+`, g.total FROM (
		SELECT g.*, COUNT(*) OVER (PARTITION BY g.owner) AS total,
			ROW_NUMBER() OVER (PARTITION BY g.owner ORDER BY g.rank, g.severity DESC, g.addr, g.port, g.id) AS nth
		FROM gateway g`+where+`) g WHERE g.nth <= `+strconv.Itoa(most)+` ORDER BY g.owner, g.nth`, args, func(r *sql.Rows) error {
		var total int
		g, err := scanGateway(r, &total)
		if err != nil {
			return err
		}
		return yield(&g, total)
	})
}

// Gateway returns one gateway, or ErrNotFound.
func (s *Store) Gateway(ctx context.Context, id ID) (*Gateway, error) {
	out, err := s.gateways(ctx, `gateway g WHERE g.id = $1`, []any{id})
	switch {
	case err != nil:
		return nil, err
	case len(out) == 0:
		return nil, ErrNotFound
	}
	return &out[0], nil
}

// Sights returns what each watch sees of a gateway, by name of the watch.
func (s *Store) Sights(ctx context.Context, id ID) (out []Sight, err error) {
	err = s.each(ctx, `SELECT s.watch, s.vantage, s.run, s.level, s.verdict, s.since, s.release, s.first, s.last, s.looked, l.line
		FROM sight s LEFT JOIN line l ON l.gateway = s.gateway AND l.watch = s.watch WHERE s.gateway = $1 ORDER BY s.watch`, []any{id}, func(r *sql.Rows) error {
		var x Sight
		var since, first, last, looked int64
		var packed []byte
		if err := r.Scan(&x.Watch, &x.Vantage, &x.Run, &x.Level, &x.Verdict, &since, &x.Release, &first, &last, &looked, &packed); err != nil {
			return err
		}
		x.Since, x.First, x.Last, x.Looked = at(since), at(first), at(last), at(looked)
		if packed != nil {
			var err error
			if x.Line, err = s.unpack(packed); err != nil {
				return err
			}
		}
		out = append(out, x)
		return nil
	})
	return out, err
}

const episodeColumns = `gateway, watch, what, key, opened, value, severity, run, closed, closed_run, why`

func scanEpisode(r *sql.Rows) (e Episode, err error) {
	var opened, closed int64
	var rank int
	err = r.Scan(&e.Gateway, &e.Watch, &e.What, &e.Key, &opened, &e.Value, &rank, &e.Run, &closed, &e.ClosedRun, &e.Why)
	e.Opened, e.Closed, e.Severity = at(opened), at(closed), severity(rank)
	return e, err
}

// maxEpisodes is how many episodes of one gateway are given, the latest first.
const maxEpisodes = 2000

// Episodes returns what was so of a gateway and what is, the latest first.
func (s *Store) Episodes(ctx context.Context, id ID) (out []Episode, err error) {
	err = s.each(ctx, `SELECT `+episodeColumns+` FROM episode WHERE gateway = $1 ORDER BY opened DESC, what, severity DESC, value, watch LIMIT `+strconv.Itoa(maxEpisodes), []any{id}, func(r *sql.Rows) error {
		e, err := scanEpisode(r)
		out = append(out, e)
		return err
	})
	return out, err
}

// ChangeFilter chooses changes. What is zero chooses all.
type ChangeFilter struct {
	Since, Until time.Time // from Since on, before Until
	Kinds        []Kind    // any of them
	Gateway, Run ID
	Network      string // a prefix of networks.csv
	Owner        string
	Episodes     bool // with them
}

// Changes returns a page of the changes, the latest first, and how many there are.
func (s *Store) Changes(ctx context.Context, f ChangeFilter, p Page) (out []Change, total int, err error) {
	var parts []string
	var args []any
	add := func(sql string, value any) {
		args = append(args, value)
		parts = append(parts, strings.Replace(sql, "?", "$"+strconv.Itoa(len(args)), 1))
	}
	if !f.Since.IsZero() {
		add("c.at >= ?", ms(f.Since))
	}
	if !f.Until.IsZero() {
		add("c.at < ?", ms(f.Until))
	}
	if len(f.Kinds) > 0 {
		add("(c.kinds & ?) <> 0", bits(f.Kinds))
	}
	if f.Gateway != 0 {
		add("c.gateway = ?", f.Gateway)
	}
	if f.Run != 0 {
		add("c.run = ?", f.Run)
	}
	if f.Network != "" {
		add("g.network = ?", f.Network)
	}
	if f.Owner != "" {
		add("g.owner = ?", f.Owner)
	}
	where := ""
	if len(parts) > 0 {
		where = " WHERE " + strings.Join(parts, " AND ")
	}
	count := `SELECT COUNT(*) FROM change c`
	if f.Network != "" || f.Owner != "" {
		count += ` JOIN gateway g ON g.id = c.gateway`
	}
	if err := s.read.QueryRowContext(ctx, count+where, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	limit, offset := p.limits()
	err = s.each(ctx, `SELECT c.run, c.gateway, c.at, c.watch, c.vantage, c.kinds, c.old_verdict, c.verdict, c.old_since, c.old_release, c.release,
		c.severity, c.opened, c.closed, c.advisories, g.place, g.owner, g.contact, g.network, g.product
		FROM change c JOIN gateway g ON g.id = c.gateway`+where+` ORDER BY c.at DESC, c.gateway DESC LIMIT `+strconv.Itoa(limit)+` OFFSET `+strconv.Itoa(offset), args, func(r *sql.Rows) error {
		var c Change
		var when, since, kinds int64
		var rank int
		if err := r.Scan(&c.Run, &c.Gateway, &when, &c.Watch, &c.Vantage, &kinds, &c.OldVerdict, &c.Verdict, &since, &c.OldRelease, &c.Release,
			&rank, &c.Opened, &c.Closed, &c.Advisories, &c.Place, &c.Owner, &c.Contact, &c.Network, &c.Product); err != nil {
			return err
		}
		c.At, c.OldVerdictSince, c.Kinds, c.Severity = at(when), at(since), kindsOf(kinds), severity(rank)
		out = append(out, c)
		return nil
	})
	if err != nil || !f.Episodes {
		return out, total, err
	}
	for i := range out {
		c := &out[i]
		err := s.each(ctx, `SELECT `+episodeColumns+` FROM episode WHERE gateway = $1 AND watch = $2 AND (run = $3 OR closed_run = $3) ORDER BY what, severity DESC, value, opened`, []any{c.Gateway, c.Watch, c.Run}, func(r *sql.Rows) error {
			e, err := scanEpisode(r)
			c.Episodes = append(c.Episodes, e)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return out, total, nil
}

// RunFilter chooses runs. What is zero chooses all.
type RunFilter struct {
	Watch string
	File  string // with Watch: the run of this stream, see Run.File
}

const runColumns = `id, watch, vantage, started, finished, complete, again, level, file, sha256, bytes, targets, gateways, unjudged, auth, miss, data, changes`

// Runs returns a page of the runs, the latest first, and how many there are.
func (s *Store) Runs(ctx context.Context, f RunFilter, p Page) (out []Run, total int, err error) {
	where, args := "", []any(nil)
	if f.Watch != "" {
		where, args = " WHERE watch = $1", []any{f.Watch}
		if f.File != "" {
			where, args = where+" AND file = $2", append(args, f.File)
		}
	}
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM run`+where, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	limit, offset := p.limits()
	out, err = s.runs(ctx, where+` ORDER BY finished DESC, id LIMIT `+strconv.Itoa(limit)+` OFFSET `+strconv.Itoa(offset), args)
	return out, total, err
}

// Run returns one run, or ErrNotFound.
func (s *Store) Run(ctx context.Context, id ID) (*Run, error) {
	out, err := s.runs(ctx, ` WHERE id = $1`, []any{id})
	switch {
	case err != nil:
		return nil, err
	case len(out) == 0:
		return nil, ErrNotFound
	}
	return &out[0], nil
}

func (s *Store) runs(ctx context.Context, rest string, args []any) (out []Run, err error) {
	err = s.each(ctx, `SELECT `+runColumns+` FROM run`+rest, args, func(r *sql.Rows) error {
		var x Run
		var started, finished int64
		var complete, again int
		var auth, miss, data string
		if err := r.Scan(&x.ID, &x.Watch, &x.Vantage, &started, &finished, &complete, &again, &x.Level, &x.File, &x.SHA256, &x.Bytes,
			&x.Targets, &x.Gateways, &x.Unjudged, &auth, &miss, &data, &x.Changes); err != nil {
			return err
		}
		x.Started, x.Finished, x.Complete, x.Again = at(started), at(finished), complete != 0, again != 0
		out = append(out, x)
		last := &out[len(out)-1]
		return errors.Join(json.Unmarshal([]byte(auth), &last.Auth), json.Unmarshal([]byte(miss), &last.Miss), json.Unmarshal([]byte(data), &last.Data))
	})
	return out, err
}

// LastComplete is when the last complete run of a watch ended, second looks left out;
// zero if there is none.
func (s *Store) LastComplete(ctx context.Context, watch string) (time.Time, error) {
	var last sql.NullInt64
	err := s.read.QueryRowContext(ctx, `SELECT MAX(finished) FROM run WHERE watch = $1 AND complete = 1 AND again = 0`, watch).Scan(&last)
	return at(last.Int64), err
}

// Known returns the gateways that a watch knows.
func (s *Store) Known(ctx context.Context, watch string) (map[ID]bool, error) {
	out := map[ID]bool{}
	err := s.each(ctx, `SELECT gateway FROM sight WHERE watch = $1`, []any{watch}, func(r *sql.Rows) error {
		var id ID
		err := r.Scan(&id)
		out[id] = true
		return err
	})
	return out, err
}

// Overview is what the first page shows.
type Overview struct {
	// Now counts gateways by verdict, WeekAgo those of seven days before, at the end of
	// that day (UTC). Gone ones are counted, too.
	Now, WeekAgo map[Verdict]int
	// Severities counts gateways by the worst finding that stands; "" for none.
	Severities map[event.Severity]int
	Days       []Day
	Releases   []Counted
	Networks   []Counted
	Owners     []Counted
	// By AS and country, each with what is not known first, and empty if it is not known of any.
	Systems   []System
	Countries []Counted
	Watches   []WatchState
	// The first 20 gateways of each, and how many there are. Unclear are those of which
	// nothing was ever proven to be open, and is not proven now: unknown or blocked.
	Alarming, Unresolved, Unclear    []Gateway
	AlarmingN, UnresolvedN, UnclearN int
}

// Day counts gateways by verdict at the end of a day (UTC).
type Day struct {
	Date time.Time
	N    map[Verdict]int
}

// Counted is a group of gateways, those that are gone left out.
type Counted struct {
	Name     string
	N        int
	Alarming int // of them, open or claimable
}

// System is a group of gateways in an AS; of 0, those of which it is not known. Its name is
// that of the AS.
type System struct {
	AS uint32
	Counted
}

// WatchState is how a watch stands.
type WatchState struct {
	Name, Vantage      string
	Last, LastComplete *Run // second looks left out; nil if there is none
}

// listed is verdicts as a list of SQL.
func listed(verdicts ...Verdict) string {
	return "('" + strings.Join(event.Words(verdicts...), "', '") + "')"
}

// alarming is what Verdict.Alarming holds for, as a list of SQL.
func alarming() string {
	return listed(slices.DeleteFunc(Verdicts(), func(v Verdict) bool { return !v.Alarming() })...)
}

// unresolved is the condition of Gateway.Unresolved, of columns that one index has.
func unresolved() string { return "g.proven IN " + alarming() + " AND g.verdict NOT IN " + alarming() }

// maxGroups is how many groups an overview has at most, the largest first.
const maxGroups = 50

// Overview sums up the index.
func (s *Store) Overview(ctx context.Context, now time.Time) (o Overview, err error) {
	o = Overview{Now: map[Verdict]int{}, WeekAgo: map[Verdict]int{}, Severities: map[event.Severity]int{}}
	var errs []error
	// One pass over an index has all three, in its order.
	releases := map[string]*Counted{}
	errs = append(errs, s.each(ctx, `SELECT verdict, severity, release, COUNT(*) FROM gateway GROUP BY verdict, severity, release`, nil, func(r *sql.Rows) error {
		var v Verdict
		var release string
		var rank, n int
		err := r.Scan(&v, &rank, &release, &n)
		o.Now[v] += n
		if v == Gone {
			return err
		}
		o.Severities[severity(rank)] += n
		c := releases[release]
		if c == nil {
			c = &Counted{Name: release}
			releases[release] = c
		}
		c.N += n
		if v.Alarming() {
			c.Alarming += n
		}
		return err
	}))
	for _, c := range releases {
		o.Releases = append(o.Releases, *c)
	}
	slices.SortFunc(o.Releases, func(a, b Counted) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name))
	})
	o.Releases = o.Releases[:min(len(o.Releases), maxGroups)]
	errs = append(errs, s.days(ctx, now, &o))
	// The ranks before it are the alarming ones.
	quiet := strconv.Itoa(slices.IndexFunc(Verdicts(), func(v Verdict) bool { return !v.Alarming() }))
	count := func(column, first, name string, scan func(*sql.Rows) error) {
		errs = append(errs, s.each(ctx, `SELECT `+column+`, COUNT(*), SUM(CASE WHEN rank < `+quiet+` THEN 1 ELSE 0 END), `+name+` FROM gateway WHERE rank <> $1
			GROUP BY `+column+` ORDER BY `+first+`COUNT(*) DESC, `+column+` LIMIT `+strconv.Itoa(maxGroups), []any{Gone.rank()}, scan))
	}
	for _, x := range []struct {
		column, first string
		into          *[]Counted
	}{{"network", "", &o.Networks}, {"owner", "", &o.Owners}, {"country", "country <> '', ", &o.Countries}} {
		count(x.column, x.first, x.column, func(r *sql.Rows) error {
			var c Counted
			err := r.Scan(&c.Name, &c.N, &c.Alarming, &c.Name)
			*x.into = append(*x.into, c)
			return err
		})
	}
	count("asn", "asn <> 0, ", "MAX(as_name)", func(r *sql.Rows) error {
		var x System
		err := r.Scan(&x.AS, &x.N, &x.Alarming, &x.Name)
		o.Systems = append(o.Systems, x)
		return err
	})
	if len(o.Countries) == 1 && o.Countries[0].Name == "" {
		o.Countries = nil
	}
	if len(o.Systems) == 1 && o.Systems[0].AS == 0 {
		o.Systems = nil
	}
	for _, x := range []struct {
		where string
		into  *[]Gateway
		n     *int
	}{
		{` WHERE g.rank < ` + quiet, &o.Alarming, &o.AlarmingN},
		// As unresolved, by the index that has the order.
		{` WHERE g.rank >= ` + quiet + ` AND g.proven IN ` + alarming(), &o.Unresolved, nil},
		{` WHERE g.proven NOT IN ` + alarming() + ` AND g.verdict IN ` + listed(Verdict(event.AuthUnknown), Verdict(event.AuthBlocked)), &o.Unclear, &o.UnclearN},
	} {
		list, err := s.gateways(ctx, `gateway g`+x.where+` ORDER BY g.rank, g.severity DESC, g.addr, g.port, g.id LIMIT 20`, nil)
		*x.into = list
		errs = append(errs, err)
		if x.n != nil {
			errs = append(errs, s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM gateway g`+x.where).Scan(x.n))
		}
	}
	errs = append(errs, s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM gateway g WHERE `+unresolved()).Scan(&o.UnresolvedN))
	watches, err := s.Watches(ctx)
	o.Watches = watches
	errs = append(errs, err)
	return o, errors.Join(errs...)
}

// Watches says how each watch that there is a run of stands.
func (s *Store) Watches(ctx context.Context) (out []WatchState, err error) {
	var names []string
	errs := []error{s.each(ctx, `SELECT DISTINCT watch FROM run ORDER BY watch`, nil, func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		names = append(names, name)
		return err
	})}
	for _, name := range names {
		w := WatchState{Name: name}
		last, err := s.runs(ctx, ` WHERE watch = $1 AND again = 0 ORDER BY finished DESC LIMIT 1`, []any{name})
		whole, err2 := s.runs(ctx, ` WHERE watch = $1 AND again = 0 AND complete = 1 ORDER BY finished DESC LIMIT 1`, []any{name})
		errs = append(errs, err, err2)
		if len(last) > 0 {
			w.Last, w.Vantage = &last[0], last[0].Vantage
		}
		if len(whole) > 0 {
			w.LastComplete = &whole[0]
		}
		out = append(out, w)
	}
	return out, errors.Join(errs...)
}

// maxDays is how many days an overview goes back.
const maxDays = 365

// days adds up what the days changed.
func (s *Store) days(ctx context.Context, now time.Time, o *Overview) error {
	sum := map[Verdict]int{}
	today := now.UTC().Truncate(24 * time.Hour)
	first := today.AddDate(0, 0, 1-maxDays)
	var all []Day
	copyOf := func() map[Verdict]int {
		out := map[Verdict]int{}
		for v, n := range sum {
			if n != 0 {
				out[v] = n
			}
		}
		return out
	}
	begun := false
	next := first
	until := func(day time.Time) { // days before it are as the sum says
		for ; begun && next.Before(day); next = next.AddDate(0, 0, 1) {
			all = append(all, Day{next, copyOf()})
		}
		if !begun && day.After(next) {
			next = day
		}
	}
	err := s.each(ctx, `SELECT day, verdict, n FROM daily ORDER BY day`, nil, func(r *sql.Rows) error {
		var day int64
		var v Verdict
		var n int
		if err := r.Scan(&day, &v, &n); err != nil {
			return err
		}
		until(at(day))
		sum[v] += n
		begun = true
		return nil
	})
	until(today.AddDate(0, 0, 1))
	o.Days = all
	week := today.AddDate(0, 0, -7)
	if i := slices.IndexFunc(all, func(d Day) bool { return d.Date.Equal(week) }); i >= 0 {
		o.WeekAgo = all[i].N
	}
	return err
}
