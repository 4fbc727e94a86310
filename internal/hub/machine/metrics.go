package machine

import (
	"cmp"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// maxWatches is how many watches the metrics are of. A hub has a few; streams that were
// imported can name any number.
const maxWatches = 200

// Labels of what has no name, and of what is beyond a limit.
const (
	nameless = string(event.AuthUnknown)
	others   = string(store.Other)
)

// watchGauges is how one watch stands.
type watchGauges struct {
	configured bool
	every      time.Duration
	whole      time.Time // end of the last complete run
	complete   bool      // the last run
	unjudged   float64   // targets of the last run; not a number without one
	advisories string    // date
	verdicts   map[store.Verdict]int
	findings   map[event.Severity]int
}

// metrics answers Prometheus. Each watch that is configured or of which there is a run
// has every sample, so that no rule is silent because one is missing.
func (m *machine) metrics(w http.ResponseWriter, r *http.Request) {
	g, err := m.Data.Gauges(r.Context())
	if err != nil {
		m.Log.Error("the metrics could not be made", "error", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	watches, names := m.watches(g)
	var e exposition
	e.gauge("clawsonar_build_info", "What is running; always 1.").set(1, "version", m.Tool.Version)
	x := e.gauge("clawsonar_gateways", "Gateways by the verdict of the last look of a watch.")
	for _, name := range names {
		for _, v := range store.Verdicts() {
			x.set(float64(watches[name].verdicts[v]), "watch", name, "verdict", string(v))
		}
	}
	e.gauge("clawsonar_gateways_unresolved", "Gateways that were open or claimable by proof, and of which the last look proved nothing.").set(float64(g.Unresolved))
	x = e.gauge("clawsonar_findings", "Findings that stand.")
	for _, name := range names {
		for _, s := range event.Severities() {
			x.set(float64(watches[name].findings[s]), "watch", name, "severity", string(s))
		}
	}
	x = e.gauge("clawsonar_releases", "Gateways that are not gone by release, as far as it is known; those beyond the 50 most frequent are in other.")
	releases := sums{nameless: 0, others: float64(g.Others)}
	for _, c := range g.Releases {
		releases.add(cmp.Or(c.Name, nameless), float64(c.N))
	}
	for _, name := range releases.names() {
		x.set(releases[name], "release", name)
	}
	x = e.gauge("clawsonar_run_timestamp_seconds", "When the last complete run of a watch ended, second looks left out; 0 if there is none.")
	for _, name := range names {
		x.set(seconds(watches[name].whole), "watch", name)
	}
	x = e.gauge("clawsonar_run_complete", "Whether the last run of a watch looked at every target; 0 if there is none.")
	for _, name := range names {
		x.set(number(watches[name].complete), "watch", name)
	}
	x = e.gauge("clawsonar_run_unjudged", "Targets that a watch names and that its last run could not judge; NaN if there is none.")
	for _, name := range names {
		x.set(watches[name].unjudged, "watch", name)
	}
	x = e.gauge("clawsonar_watch_interval_seconds", "How often a configured watch is to run; 0 if something else starts it.")
	for _, name := range names {
		if watches[name].configured {
			x.set(watches[name].every.Seconds(), "watch", name)
		}
	}
	x = e.gauge("clawsonar_advisories_age_seconds", "Age of the oldest advisories that the last run of a configured watch matched releases against.")
	if age, ok := m.advisoriesAge(watches); ok {
		x.set(age.Seconds())
	}
	if err := m.fleet(r.Context(), &e); err != nil {
		m.Log.Error("the metrics could not be made", "error", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	e.send(w)
}

// watches returns what there is of each watch, and their names in order.
func (m *machine) watches(g store.Gauges) (map[string]*watchGauges, []string) {
	out := map[string]*watchGauges{}
	of := func(name string) *watchGauges {
		name = labelText(name)
		if out[name] == nil && len(out) >= maxWatches {
			name = others
		}
		if out[name] == nil {
			out[name] = &watchGauges{unjudged: math.NaN(), verdicts: map[store.Verdict]int{}, findings: map[event.Severity]int{}}
		}
		return out[name]
	}
	for _, w := range m.Watches {
		x := of(w.Name)
		x.configured, x.every = true, w.Every
	}
	for _, w := range g.Watches {
		x := of(w.Name)
		if w.Last != nil {
			x.complete, x.advisories, x.unjudged = w.Last.Complete, w.Last.Data.AdvisoriesAsOf, float64(w.Last.Unjudged)
		}
		if w.LastComplete != nil {
			x.whole = w.LastComplete.Finished
		}
	}
	for name, counts := range g.Gateways {
		for v, n := range counts {
			if !slices.Contains(store.Verdicts(), v) {
				v = store.Verdict(event.AuthUnknown) // of a later version
			}
			of(name).verdicts[v] += n
		}
	}
	for name, counts := range g.Findings {
		for s, n := range counts {
			if !s.Known() {
				s = event.Critical // as Rank has it
			}
			of(name).findings[s] += n
		}
	}
	return out, slices.Sorted(maps.Keys(out))
}

// advisoriesAge is how old the advisories are that runs use; ok is false if no date is
// known.
func (m *machine) advisoriesAge(watches map[string]*watchGauges) (age time.Duration, ok bool) {
	for _, x := range watches {
		if !x.configured {
			continue
		}
		as, err := time.Parse(time.DateOnly, cmp.Or(x.advisories, m.AdvisoriesAsOf))
		if err == nil {
			age, ok = max(age, m.Now().Sub(as)), true
		}
	}
	return age, ok
}
