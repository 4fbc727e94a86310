package machine

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/access"
)

// Prober looks at one target of a watch.
type Prober interface {
	// Probe returns the lines of a target, which is host:port: of a name with several
	// addresses one each. It contacts nothing but what a run of the watch would, and
	// returns a Refusal for anything else, ErrBusy if too many are asked for.
	Probe(ctx context.Context, watch, target string) ([]*event.Target, error)
}

// Refusal says why a target is not probed, in one line that is safe to show.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// ErrBusy says that no more can be probed now.
var ErrBusy = errors.New("too many targets are being probed: ask again later")

// maxProbe is how long a probe may take.
const maxProbe = 60 * time.Second

// probe looks at one target for Prometheus. It makes connections to others, so that it
// needs a token even where all else is open to this machine: a cookie does not do, since
// a browser may send it without anybody's will.
func (m *machine) probe(w http.ResponseWriter, r *http.Request) {
	if u, ok := access.UserOf(r.Context()); !ok || u.Via != access.ViaToken || u.Session {
		w.Header().Set("WWW-Authenticate", `Bearer realm="clawsonar-hub"`)
		http.Error(w, "a probe needs a token in the header Authorization: Bearer", http.StatusUnauthorized)
		return
	}
	q := r.URL.Query()
	if len(q["target"]) != 1 || len(q["watch"]) != 1 {
		http.Error(w, "a probe needs one target=HOST:PORT and one watch=NAME", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), probeTime(r))
	defer cancel()
	begun := m.Now()
	lines, err := m.Prober.Probe(ctx, q.Get("watch"), q.Get("target"))
	var refused Refusal
	switch {
	case errors.As(err, &refused):
		http.Error(w, clean.Text(string(refused)), http.StatusForbidden)
		return
	case errors.Is(err, ErrBusy):
		w.Header().Set("Retry-After", "10")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case err != nil:
		m.Log.Error("a probe failed", "watch", clean.Text(q.Get("watch")), "error", clean.Text(err.Error()))
		http.Error(w, "the probe failed: the log of the hub says why", http.StatusInternalServerError)
		return
	}
	worst := worstOf(lines)
	var e exposition
	e.gauge("clawsonar_probe_success", "Whether a gateway was recognised and the state of its authentication is known.").set(number(known(worst)))
	x := e.gauge("clawsonar_auth_state", "Which state the authentication of the gateway is in: one of them is 1, and that is unknown unless another was shown.")
	for _, s := range event.AuthStates() {
		x.set(number(s == stateOf(worst)), "state", string(s))
	}
	x = e.gauge("clawsonar_probe_outcome", "What became of the probe: one of the outcomes of a scan is 1.")
	for _, o := range event.Outcomes() {
		x.set(number(worst != nil && worst.Outcome == o), "outcome", string(o))
	}
	x = e.gauge("clawsonar_gateway_info", "What was recognised; no sample if nothing was.")
	if worst != nil && worst.Product != nil {
		release := ""
		if worst.Version != nil {
			release = worst.Version.Exact
		}
		x.set(1, "product", worst.Product.Name, "release", release)
	}
	e.gauge("clawsonar_probe_duration_seconds", "How long the probe took.").set(m.Now().Sub(begun).Seconds())
	e.send(w)
}

// probeTime is how long Prometheus waits, as it says, less what the answer takes.
func probeTime(r *http.Request) time.Duration {
	s, err := strconv.ParseFloat(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if err != nil || !(s > 0 && s < maxProbe.Seconds()) {
		return maxProbe
	}
	return max(time.Duration(s*float64(time.Second))-500*time.Millisecond, 500*time.Millisecond)
}

// stateOf is the state of the authentication of a gateway that was recognised; unknown
// of anything else.
func stateOf(t *event.Target) event.AuthState {
	if t == nil || t.Outcome != event.OutcomeIdentified || t.Auth == nil || !slices.Contains(event.AuthStates(), t.Auth.State) {
		return event.AuthUnknown
	}
	return t.Auth.State
}

func known(t *event.Target) bool { return stateOf(t) != event.AuthUnknown }

// worstOf is the line with the worst state; nil if there is none.
func worstOf(lines []*event.Target) *event.Target {
	if len(lines) == 0 {
		return nil
	}
	rank := func(t *event.Target) int { return slices.Index(event.AuthStates(), stateOf(t)) }
	return slices.MinFunc(lines, func(a, b *event.Target) int { return rank(a) - rank(b) })
}
