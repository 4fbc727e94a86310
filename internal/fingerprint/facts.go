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
	a := &answer{Exchange: x}
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
