package fingerprint

import (
	"maps"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// Facts names what can be read in an answer, for people who want to check a
// verdict: a page's title, the names of a JSON object's keys, where a redirect
// points. Values are left out, apart from error types and messages, since they
// may be secrets.
func Facts(x *evidence.Exchange) map[string]string {
	facts := map[string]string{}
	a := read(x)
	if a.sealed {
		return map[string]string{"body": "not kept: it may hold a secret"}
	}
	switch {
	case x.MediaType() == "text/html":
		if title := a.page().Title; title != "" {
			facts["title"] = title
		}
	case x.MediaType() == "application/json" || x.Status == 101:
		doc, _ := a.json()
		if object, ok := doc.(map[string]any); ok {
			keys := slices.Sorted(maps.Keys(object))
			facts["keys"] = capped(strings.Join(keys[:min(len(keys), maxThings)], ","))
		}
		for _, path := range []string{"error.type", "error.message", "event"} {
			if value, _ := lookup(doc, path); value != nil {
				if s, ok := value.(string); ok {
					facts[path] = capped(s)
				}
			}
		}
	}
	for _, name := range []string{"Location", "Server", "WWW-Authenticate"} {
		if v := x.Header.Get(name); v != "" {
			facts[strings.ToLower(name)] = capped(v)
		}
	}
	if len(facts) == 0 {
		return nil
	}
	return facts
}

// Exchanges returns the ids of the exchanges in which something was seen: the
// names are those of signals, version sources, or exchanges. Each id is there
// once; what no exchange showed (a port, a certificate) has none.
func (s *Set) Exchanges(product string, names []string, o *evidence.Observation) []string {
	out := []string{}
	add := func(id string) {
		if o.Exchange(id) != nil && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	for _, p := range s.products {
		if p.ID != product {
			continue
		}
		v := view{p: p, o: o, set: s, answers: s.collect(o)}
		var trace func(name string)
		trace = func(name string) {
			sig, ok := p.signals[name]
			switch {
			case !ok:
				add(name)
				for _, src := range p.Version {
					if slices.Contains(strings.Split(name, "+"), src.Source) {
						add(src.On)
					}
				}
			case !sig.cond.empty():
				for _, next := range slices.Concat(sig.cond.All, sig.cond.Any) {
					if v.sees(next) {
						trace(next)
					}
				}
			default:
				for _, id := range sig.Login {
					if a, ok := v.answers[id]; ok && s.asksLogin(o, a) {
						add(id)
					}
				}
				for _, id := range sig.On {
					if a, ok := v.answers[id]; ok && a.shows(sig) {
						add(id)
					}
				}
			}
		}
		for _, name := range names {
			trace(name)
		}
	}
	return out
}
