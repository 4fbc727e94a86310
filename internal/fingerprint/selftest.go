package fingerprint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
)

// Replay walks the plan over a capture as a probe would over the target it was
// recorded from, and returns the case as the probe would have it.
func (s *Set) Replay(capture *evidence.Capture, level event.Level) *Case {
	whole := capture.Observation()
	o := whole
	o.Exchanges, o.Requests = nil, 0
	c := s.Open(&o, level)
	for {
		req, ok := c.Next()
		if !ok {
			return c
		}
		o.Requests++
		x := whole.Exchange(req.ID)
		if x == nil && req.Fresh {
			// A capture is of one program: asked again, it says the same.
			x = sameRequest(&whole, req)
		}
		if x == nil && req.Method != evidence.RFB && !req.WebSocket {
			// As the program answers what it does not have, if that was recorded.
			x = whole.Exchange("nothing-there")
		}
		if x == nil {
			// Not recorded: as if the request had failed.
			x = &evidence.Exchange{ID: req.ID, Method: req.Method, Path: req.Path, Err: "not in the capture"}
		}
		answer := *x
		answer.ID, answer.Method, answer.Path = req.ID, req.Method, req.Path
		o.Exchanges = append(o.Exchanges, answer)
		c.Take()
	}
}

// sameRequest returns the recorded exchange of the same method and path, or nil.
func sameRequest(o *evidence.Observation, req evidence.Request) *evidence.Exchange {
	for i := range o.Exchanges {
		if x := &o.Exchanges[i]; x.Method == req.Method && x.Path == req.Path {
			return x
		}
	}
	return nil
}

// Test judges every capture and returns what is wrong, one line each: verdicts
// that are not the expected ones, markers without a capture that they match or
// without one whose answer to the same request does not, and rules that say open,
// claimable or certain and decide in no capture. The other rules that decide in
// none are idle.
func (s *Set) Test(captures map[string]evidence.Capture) (problems, idle []string) {
	for _, name := range slices.Sorted(maps.Keys(captures)) {
		c := captures[name]
		v := s.Replay(&c, levelOf(&c)).Verdict()
		for _, difference := range v.differs(c.Expect) {
			problems = append(problems, name+": "+difference)
		}
	}
	for _, p := range s.products {
		for _, marker := range p.markers() {
			positive, negative := s.coverage(p, marker, captures)
			if !positive {
				problems = append(problems, fmt.Sprintf("%s: marker %q: it matches in no capture", p.file, marker))
			}
			if !negative {
				problems = append(problems, fmt.Sprintf("%s: marker %q: no capture has another answer to its request", p.file, marker))
			}
		}
	}
	alarms, idle := s.undecided(captures)
	for _, rule := range alarms {
		problems = append(problems, rule+": it decides in no capture")
	}
	return problems, idle
}

// levelOf is the level that a capture was recorded at.
func levelOf(c *evidence.Capture) event.Level {
	if c.Deep() {
		return event.LevelDeep
	}
	return event.LevelStandard
}

// differs says how a verdict departs from what was expected.
func (v *Verdict) differs(want evidence.Expectation) []string {
	recognised := v.Product.Confidence.Rank() >= event.Firm.Rank()
	if want.Product == "" && recognised {
		return []string{fmt.Sprintf("is nothing known, but was taken for %s (%s, because of %s)", v.Product.ID, v.Product.Confidence, strings.Join(v.Product.Because, ", "))}
	}
	if want.Product != "" && (v.Product.ID != want.Product || !recognised) {
		return []string{fmt.Sprintf("is %s, but was judged %q (%s)", want.Product, v.Product.ID, v.Product.Confidence)}
	}
	var out []string
	for _, part := range []struct{ what, got, want string }{
		{"brand", v.Product.Brand, want.Brand},
		{"release", strings.Join(v.Version.Candidates, " or "), strings.Join(want.Candidates, " or ")},
		{"auth", string(v.Auth.State), string(want.Auth)},
		{"front", v.Front.Kind, want.Front},
	} {
		if part.got != part.want {
			out = append(out, fmt.Sprintf("%s is %q, but was judged %q", part.what, part.want, part.got))
		}
	}
	if want.Gate != "" && v.Auth.Mode != want.Gate {
		out = append(out, fmt.Sprintf("gate is %q, but was judged %q", want.Gate, v.Auth.Mode))
	}
	if exact := len(want.Candidates) == 1; exact != (v.Version.Exact != "") {
		out = append(out, fmt.Sprintf("exact release is %q with %d candidates", v.Version.Exact, len(want.Candidates)))
	}
	return out
}

// coverage looks for captures that a signal matches, and for ones that answer its
// request otherwise.
func (s *Set) coverage(p *product, name string, captures map[string]evidence.Capture) (positive, negative bool) {
	for _, c := range captures {
		o := c.Observation()
		v := s.Open(&o, event.LevelDeep).view(p)
		switch {
		case v.signalMatches(name):
			positive = true
		case slices.ContainsFunc(p.signals[name].On, func(id string) bool { return o.Exchange(id) != nil }):
			negative = true
		}
	}
	return positive, negative
}
