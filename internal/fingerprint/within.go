package fingerprint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Within refuses a set that could make anything be contacted or asked that a reviewed set
// does not: a request, a port, a base path. The error names the first. Under which
// conditions a request is made is not compared, but that what is spared stays so.
func (s *Set) Within(reviewed *Set) error {
	may := reviewed.reach()
	for _, p := range s.products {
		for _, what := range p.reach() {
			if !may[what] {
				return fmt.Errorf("%s: %s is not among the reviewed ones", p.file, what)
			}
		}
	}
	spared := map[string]bool{}
	for _, p := range s.products {
		for _, what := range p.spared() {
			spared[what] = true
		}
	}
	for _, p := range reviewed.products {
		for _, what := range p.spared() {
			if !spared[what] {
				return fmt.Errorf("%s: %s is missing", p.file, what)
			}
		}
	}
	return nil
}

// reach is all that the products of a set may have contacted and asked.
func (s *Set) reach() map[string]bool {
	out := map[string]bool{}
	for _, p := range s.products {
		for _, what := range p.reach() {
			out[what] = true
		}
	}
	return out
}

// reach names what a product may have contacted and asked.
func (p *product) reach() []string {
	kind := "port"
	switch {
	case p.Helper:
		kind = "helper's port"
	case p.Relative:
		kind = "relative's port"
	}
	var out []string
	for i := range p.Requests {
		out = append(out, fmt.Sprintf("request %q", p.Requests[i].line()))
	}
	for _, port := range p.Ports {
		out = append(out, fmt.Sprintf("%s %d", kind, port))
	}
	for _, n := range p.PortOffsets {
		out = append(out, fmt.Sprintf("port offset %d", n))
	}
	for _, base := range p.Bases {
		out = append(out, fmt.Sprintf("base path %q", base))
	}
	return out
}

// spared names the requests that the product is not to be sent.
func (p *product) spared() []string {
	var out []string
	for _, r := range p.NeverAsk {
		out = append(out, fmt.Sprintf("never_ask %q of %s", r.Request, p.ID))
	}
	return out
}

// line is all that a request sends, and when.
func (r *requestSpec) line() string {
	out := fmt.Sprintf("%s %s %s (%s)", cmp.Or(r.Level, event.LevelPassive), r.method(), r.Path, r.ID)
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		out += fmt.Sprintf(" %s: %s", name, r.Headers[name])
	}
	for _, part := range []struct {
		is   bool
		text string
	}{
		{r.Body != "", " body " + r.Body}, {r.WebSocket, " websocket"}, {r.Reply != "", " say " + r.Reply},
		{r.Fresh, " fresh"}, {r.SpeaksFirst, " first"}, {r.Secret, " secret"},
	} {
		if part.is {
			out += part.text
		}
	}
	return out
}
