package report

import (
	"slices"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// Of a scan of the machine it runs on, several lines may be of one gateway: its
// own, and those of other ways in to it. Reports show them after each other, and
// count them as one.

// gatewayURL is the line of the gateway itself that a line is of.
func gatewayURL(t *event.Target) string {
	if t.SameAs != nil {
		return clean.N(t.SameAs.URL, textLimit)
	}
	return where(t.Target)
}

// together puts what is of one gateway after each other, each at the place of the
// first. of says which gateway an entry is of.
func together[T any](list []T, of func(*T) string) []T {
	groups := map[string][]T{}
	for i := range list {
		url := of(&list[i])
		groups[url] = append(groups[url], list[i])
	}
	out := make([]T, 0, len(list))
	for i := range list {
		url := of(&list[i])
		out = append(out, groups[url]...)
		delete(groups, url)
	}
	return out
}

// maxWays is how many lines of this machine are looked at for ways to the same
// gateway, so that a stream cannot make memory grow.
const maxWays = 1 << 12

// waysIn counts gateways of this machine that have several ways in.
type waysIn struct {
	states map[string][]event.AuthState // by gateway: the auth states of its lines
	linked map[string]bool              // those with a line that is another way in
	lines  int
}

func (w *waysIn) add(t *event.Target) {
	if t.Target.Source != "local" || t.Outcome != event.OutcomeIdentified || w.lines == maxWays {
		return
	}
	if w.states == nil {
		w.states, w.linked = map[string][]event.AuthState{}, map[string]bool{}
	}
	w.lines++
	url := gatewayURL(t)
	w.states[url] = append(w.states[url], authState(t))
	w.linked[url] = w.linked[url] || t.SameAs != nil
}

// more returns by state how many lines are not to be counted, since a worse one of
// the same gateway is, and how many ways in such gateways have.
func (w *waysIn) more() (by map[event.AuthState]int, ways int) {
	by = map[event.AuthState]int{}
	rank := func(state event.AuthState) int { return slices.Index(event.AuthStates(), state) }
	for url, states := range w.states {
		if !w.linked[url] || len(states) < 2 {
			continue
		}
		ways += len(states)
		slices.SortFunc(states, func(a, b event.AuthState) int { return rank(a) - rank(b) })
		for _, s := range states[1:] {
			by[s]++
		}
	}
	return by, ways
}
