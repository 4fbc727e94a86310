package machine

import (
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// The answers of the API, as openapi.json describes them. Every member is always there;
// a time that is none is null, a list without members is [].
type (
	// counted is what every list says of itself.
	counted struct {
		Total  int `json:"total"` // members there are
		Offset int `json:"offset"`
	}
	gatewayList struct {
		counted
		Gateways []gatewayJSON `json:"gateways"`
	}
	changeList struct {
		counted
		Changes []changeJSON `json:"changes"`
	}
	runList struct {
		counted
		Runs []runJSON `json:"runs"`
	}

	gatewayJSON struct {
		ID         string          `json:"id"`
		Place      string          `json:"place"`
		IP         string          `json:"ip"`
		Port       int             `json:"port"`
		Name       string          `json:"name"`
		URL        string          `json:"url"`
		Network    string          `json:"network"`
		AS         uint32          `json:"as"` // 0 if it is not known
		ASName     string          `json:"as_name"`
		Country    string          `json:"country"`
		Owner      string          `json:"owner"`
		Contact    string          `json:"contact"`
		Product    string          `json:"product"`
		Verdict    store.Verdict   `json:"verdict"`
		Since      *time.Time      `json:"since"`
		Proven     event.AuthState `json:"proven"`
		Unresolved bool            `json:"unresolved"`
		Severity   event.Severity  `json:"severity"`
		Release    string          `json:"release"`
		Findings   int             `json:"findings"`
		Advisories int             `json:"advisories"`
		First      *time.Time      `json:"first"`
		Last       *time.Time      `json:"last"`
		Differs    bool            `json:"differs"`
	}
	gatewayDetail struct {
		gatewayJSON
		Sights   []sightJSON   `json:"sights"`
		Unseen   []unseenJSON  `json:"unseen"`
		Episodes []episodeJSON `json:"episodes"`
		Notes    []noteJSON    `json:"notes"`
	}
	sightJSON struct {
		Watch   string        `json:"watch"`
		Vantage string        `json:"vantage"`
		Run     string        `json:"run"`
		Level   event.Level   `json:"level"`
		Verdict store.Verdict `json:"verdict"`
		Since   *time.Time    `json:"since"`
		Release string        `json:"release"`
		First   *time.Time    `json:"first"`
		Last    *time.Time    `json:"last"`
		Looked  *time.Time    `json:"looked"`
		Line    *event.Target `json:"line"`
	}
	unseenJSON struct {
		Watch   string      `json:"watch"`
		Vantage string      `json:"vantage"`
		Run     string      `json:"run"`
		Level   event.Level `json:"level"`
		Looked  *time.Time  `json:"looked"`
	}
	episodeJSON struct {
		Watch    string         `json:"watch"`
		What     store.What     `json:"what"`
		Value    string         `json:"value"`
		Severity event.Severity `json:"severity"`
		Key      string         `json:"key"`
		Opened   *time.Time     `json:"opened"`
		Run      string         `json:"run"`
		Closed   *time.Time     `json:"closed"`
		Why      store.Why      `json:"why"`
	}
	noteJSON struct {
		ID      int64      `json:"id"`
		Author  string     `json:"author"`
		Written *time.Time `json:"written"`
		Text    string     `json:"text"`
		Until   *time.Time `json:"until"`
	}
	changeJSON struct {
		At         *time.Time     `json:"at"`
		Run        string         `json:"run"`
		Gateway    string         `json:"gateway"`
		Watch      string         `json:"watch"`
		Vantage    string         `json:"vantage"`
		Place      string         `json:"place"`
		Network    string         `json:"network"`
		Owner      string         `json:"owner"`
		Contact    string         `json:"contact"`
		Product    string         `json:"product"`
		Kinds      []store.Kind   `json:"kinds"`
		OldVerdict store.Verdict  `json:"old_verdict"`
		Verdict    store.Verdict  `json:"verdict"`
		OldRelease string         `json:"old_release"`
		Release    string         `json:"release"`
		Severity   event.Severity `json:"severity"`
		Opened     int            `json:"opened"`
		Closed     int            `json:"closed"`
		Advisories int            `json:"advisories"`
		Episodes   []episodeJSON  `json:"episodes"`
	}
	runJSON struct {
		ID       string                  `json:"id"`
		Watch    string                  `json:"watch"`
		Vantage  string                  `json:"vantage"`
		Started  *time.Time              `json:"started"`
		Finished *time.Time              `json:"finished"`
		Complete bool                    `json:"complete"`
		Again    bool                    `json:"again"`
		Level    event.Level             `json:"level"`
		File     string                  `json:"file"`
		SHA256   string                  `json:"sha256"`
		Bytes    int64                   `json:"bytes"`
		Targets  int64                   `json:"targets"`
		Gateways int                     `json:"gateways"`
		Unjudged int64                   `json:"unjudged"`
		Auth     map[event.AuthState]int `json:"auth"`
		Miss     event.MissEstimate      `json:"miss_estimate"`
		Data     event.Data              `json:"data"`
		Changes  int                     `json:"changes"`
	}

	overviewJSON struct {
		Now         map[store.Verdict]int `json:"now"`
		WeekAgo     map[store.Verdict]int `json:"week_ago"` // null if nothing is known of that day
		Severities  map[string]int        `json:"severities"`
		Days        []dayJSON             `json:"days"`
		Releases    []countJSON           `json:"releases"`
		Networks    []countJSON           `json:"networks"`
		Owners      []countJSON           `json:"owners"`
		Systems     []systemJSON          `json:"systems"`
		Countries   []countJSON           `json:"countries"`
		Watches     []watchJSON           `json:"watches"`
		Alarming    []gatewayJSON         `json:"alarming"`
		AlarmingN   int                   `json:"alarming_total"`
		Unresolved  []gatewayJSON         `json:"unresolved"`
		UnresolvedN int                   `json:"unresolved_total"`
		Unclear     []gatewayJSON         `json:"unclear"`
		UnclearN    int                   `json:"unclear_total"`
	}
	dayJSON struct {
		Date     string                `json:"date"`
		Gateways map[store.Verdict]int `json:"gateways"`
	}
	countJSON struct {
		Name     string `json:"name"`
		Gateways int    `json:"gateways"`
		Alarming int    `json:"alarming"`
	}
	systemJSON struct {
		AS uint32 `json:"as"` // 0 for what is not known
		countJSON
	}
	watchJSON struct {
		Name         string   `json:"name"`
		Vantage      string   `json:"vantage"`
		Last         *runJSON `json:"last"`
		LastComplete *runJSON `json:"last_complete"`
	}
)

// moment is a time as an answer has it.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func gatewayOf(g *store.Gateway) gatewayJSON {
	ip := ""
	if g.Addr.IsValid() {
		ip = g.Addr.String()
	}
	return gatewayJSON{
		ID: g.ID.String(), Place: g.Place, IP: ip, Port: g.Port, Name: g.Name, URL: g.URL, Network: g.Network, AS: g.Geo.AS, ASName: g.Geo.ASName, Country: g.Geo.Country, Owner: g.Owner, Contact: g.Contact,
		Product: g.Product, Verdict: g.Verdict, Since: moment(g.Since), Proven: g.Proven, Unresolved: g.Unresolved(), Severity: g.Severity,
		Release: g.Release, Findings: g.Findings, Advisories: g.Advisories, First: moment(g.First), Last: moment(g.Last), Differs: g.Differs,
	}
}

func sightOf(s *store.Sight) sightJSON {
	return sightJSON{
		Watch: s.Watch, Vantage: s.Vantage, Run: s.Run.String(), Level: s.Level, Verdict: s.Verdict, Since: moment(s.Since), Release: s.Release,
		First: moment(s.First), Last: moment(s.Last), Looked: moment(s.Looked), Line: s.Line,
	}
}

func episodeOf(e *store.Episode) episodeJSON {
	return episodeJSON{
		Watch: e.Watch, What: e.What, Value: e.Value, Severity: e.Severity, Key: e.Key, Opened: moment(e.Opened), Run: e.Run.String(),
		Closed: moment(e.Closed), Why: e.Why,
	}
}

func notesOf(notes []store.Note) []noteJSON {
	out := []noteJSON{}
	for _, n := range notes {
		out = append(out, noteJSON{ID: n.ID, Author: n.Author, Written: moment(n.Written), Text: n.Text, Until: moment(n.Until)})
	}
	return out
}

func changeOf(c *store.Change) changeJSON {
	out := changeJSON{
		At: moment(c.At), Run: c.Run.String(), Gateway: c.Gateway.String(), Watch: c.Watch, Vantage: c.Vantage, Place: c.Place,
		Network: c.Network, Owner: c.Owner, Contact: c.Contact, Product: c.Product, Kinds: append([]store.Kind{}, c.Kinds...),
		OldVerdict: c.OldVerdict, Verdict: c.Verdict, OldRelease: c.OldRelease, Release: c.Release, Severity: c.Severity,
		Opened: c.Opened, Closed: c.Closed, Advisories: c.Advisories, Episodes: []episodeJSON{},
	}
	for _, e := range c.Episodes {
		out.Episodes = append(out.Episodes, episodeOf(&e))
	}
	return out
}

// runOf is nil for none.
func runOf(r *store.Run) *runJSON {
	if r == nil {
		return nil
	}
	auth := map[event.AuthState]int{}
	for s, n := range r.Auth {
		auth[s] = n
	}
	return &runJSON{
		ID: r.ID.String(), Watch: r.Watch, Vantage: r.Vantage, Started: moment(r.Started), Finished: moment(r.Finished), Complete: r.Complete,
		Again: r.Again, Level: r.Level, File: r.File, SHA256: r.SHA256, Bytes: r.Bytes, Targets: r.Targets, Gateways: r.Gateways,
		Unjudged: r.Unjudged, Auth: auth, Miss: r.Miss, Data: r.Data, Changes: r.Changes,
	}
}

// verdictsOf has every verdict.
func verdictsOf(n map[store.Verdict]int) map[store.Verdict]int {
	out := map[store.Verdict]int{}
	for _, v := range store.Verdicts() {
		out[v] = n[v]
	}
	return out
}

// overviewOf has those of the watches, too, of which there is no run.
func overviewOf(o store.Overview, configured []Watch) overviewJSON {
	out := overviewJSON{
		Now: verdictsOf(o.Now), Severities: map[string]int{}, Days: []dayJSON{},
		Releases: countsOf(o.Releases), Networks: countsOf(o.Networks), Owners: countsOf(o.Owners), Systems: []systemJSON{}, Countries: countsOf(o.Countries), Watches: []watchJSON{},
		Alarming: []gatewayJSON{}, AlarmingN: o.AlarmingN, Unresolved: []gatewayJSON{}, UnresolvedN: o.UnresolvedN,
		Unclear: []gatewayJSON{}, UnclearN: o.UnclearN,
	}
	if len(o.WeekAgo) > 0 {
		out.WeekAgo = verdictsOf(o.WeekAgo)
	}
	for _, s := range append([]event.Severity{""}, event.Severities()...) {
		name := string(s)
		if s == "" {
			name = noFinding
		}
		out.Severities[name] = o.Severities[s]
	}
	for _, d := range o.Days {
		out.Days = append(out.Days, dayJSON{d.Date.UTC().Format(time.DateOnly), verdictsOf(d.N)})
	}
	for _, x := range o.Systems {
		out.Systems = append(out.Systems, systemJSON{x.AS, countJSON{x.Name, x.N, x.Alarming}})
	}
	for _, w := range o.Watches {
		out.Watches = append(out.Watches, watchJSON{w.Name, w.Vantage, runOf(w.Last), runOf(w.LastComplete)})
	}
	for _, w := range configured {
		if !slices.ContainsFunc(o.Watches, func(s store.WatchState) bool { return s.Name == w.Name }) {
			out.Watches = append(out.Watches, watchJSON{Name: w.Name})
		}
	}
	for i := range o.Alarming {
		out.Alarming = append(out.Alarming, gatewayOf(&o.Alarming[i]))
	}
	for i := range o.Unresolved {
		out.Unresolved = append(out.Unresolved, gatewayOf(&o.Unresolved[i]))
	}
	for i := range o.Unclear {
		out.Unclear = append(out.Unclear, gatewayOf(&o.Unclear[i]))
	}
	return out
}

// noFinding is the name of those without a finding among severities.
const noFinding = "no_finding"

func countsOf(list []store.Counted) []countJSON {
	out := []countJSON{}
	for _, c := range list {
		out = append(out, countJSON{c.Name, c.N, c.Alarming})
	}
	return out
}
