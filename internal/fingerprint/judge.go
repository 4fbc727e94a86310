package fingerprint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/release"
)

// maxRequests bounds the requests to one target.
func maxRequests(l event.Level) int {
	if l == event.LevelDeep {
		return 24
	}
	return 12
}

// Next returns the request to make now, given what has been seen so far, or
// false when nothing that may be asked would add to the verdict.
func (s *Set) Next(o *evidence.Observation, level event.Level) (evidence.Request, bool) {
	// What was asked elsewhere, of other base paths, does not count.
	elsewhere := 0
	for i := range o.Exchanges {
		if strings.Contains(o.Exchanges[i].ID, "@") {
			elsewhere++
		}
	}
	limit := maxRequests(level)
	if s.everywhere {
		limit = maxRequests(event.LevelDeep)
	}
	if o.Requests-elsewhere >= limit {
		return evidence.Request{}, false
	}
	if o.Exchange(rootID) == nil {
		return s.opening(o, level)
	}
	answers := s.collect(o)
	views := s.views(o, answers)
	// Once it is certain what a target is, the others ask no more.
	if at := slices.IndexFunc(views, func(v *view) bool { c, _ := v.identity(); return c == event.Certain }); at >= 0 {
		return views[at].next(level, views)
	}
	for _, v := range views {
		if req, ok := v.next(level, views); ok {
			return req, true
		}
	}
	return evidence.Request{}, false
}

// views returns what each product of which anything shows sees.
func (s *Set) views(o *evidence.Observation, answers map[string]*answer) []*view {
	var out []*view
	for _, p := range s.shown(o, answers) {
		out = append(out, &view{p: p, o: o, set: s, answers: answers, everywhere: s.everywhere && p.Relative})
	}
	return out
}

// next returns the next request that a product wants made.
func (v *view) next(level event.Level, all []*view) (evidence.Request, bool) {
	for i := range v.p.Requests {
		r := &v.p.Requests[i]
		if !level.Includes(r.Level) || r.First || v.o.Exchange(r.ID) != nil || !v.holds(r.When) || !v.wanted(r, level) || spared(r.ID, all) {
			continue
		}
		if req, ok := r.request(v.o, v.mount(), v.answers); ok {
			return req, true
		}
	}
	return evidence.Request{}, false
}

// spared reports whether a product that this may be must not be asked that.
func spared(id string, all []*view) bool {
	return slices.ContainsFunc(all, func(v *view) bool {
		return slices.ContainsFunc(v.p.Spare, func(r spareRule) bool { return r.Request == id && v.holds(r.cond) })
	})
}

// opening returns the first thing to ask: on the ports of a product that speaks
// first, what it says; else, and if that did not come, the page, which every
// product asks for first. Most targets of a sweep do not get further.
func (s *Set) opening(o *evidence.Observation, level event.Level) (evidence.Request, bool) {
	for _, r := range s.index.first {
		if !level.Includes(r.Level) || !slices.Contains(r.ports, o.Addr.Port()) {
			continue
		}
		x := o.Exchange(r.ID)
		if x == nil {
			return r.request(o, "", nil)
		}
		if x.Answered() {
			return evidence.Request{}, false
		}
	}
	return s.products[0].Requests[0].request(o, "", nil)
}

// Recognises reports whether a product is recognised, more than as a guess.
func (s *Set) Recognises(o *evidence.Observation) bool {
	return slices.ContainsFunc(s.views(o, s.collect(o)), func(v *view) bool {
		confidence, _ := v.identity()
		return confidence.Rank() >= event.Firm.Rank()
	})
}

// Judge derives the verdict from what was seen. Of several products that fit
// it takes the one that is most sure, and of equals the first.
func (s *Set) Judge(o *evidence.Observation) Verdict {
	answers := s.collect(o)
	var best Verdict
	views := s.views(o, answers)
	for _, v := range views {
		if confidence, because := v.identity(); confidence.Rank() > best.Product.Confidence.Rank() {
			p := v.p
			best = Verdict{Product: event.Product{ID: p.ID, Name: p.Name, Confidence: confidence, Because: because}, Helper: p.Helper, Relative: p.Relative}
			best.Product.Brand = v.brand()
			best.Version, best.Notes = v.version()
			best.Notes = slices.Clip(best.Notes)
			best.Surfaces = v.surfaces()
			// Of something that may be another product, nothing is claimed.
			best.Auth = event.Auth{State: event.AuthUnknown}
			if confidence.Rank() >= event.Firm.Rank() {
				best.Auth = v.auth()
				best.Traits = v.traits()
				best.Advice = p.advice(best.Auth.State)
			}
			best.Notes = append(best.Notes, v.notes()...)
			if best.Unfinished = confidence == event.Tentative && !p.Helper && !p.Relative && v.unfinished(); best.Unfinished {
				best.Notes = append(best.Notes, "It looks like "+p.Name+", but what would tell went without an answer: it counts as one that could not be judged.")
			}
		}
	}
	fields := fieldNames(o)
	best.Front.Kind, best.Front.Because = first(s.fronts, "front.", o, answers, fields)
	if best.Auth.State == "" || best.Auth.State == event.AuthUnknown {
		if gate, because := s.gated(o, &best, views, answers, fields); gate != "" {
			best.Auth = event.Auth{State: event.AuthGated, Mode: event.AuthMode(gate), Because: because}
		}
	}
	return best
}

// fieldNames returns the names of all header fields, in lower case.
func fieldNames(o *evidence.Observation) map[string]bool {
	fields := map[string]bool{}
	for i := range o.Exchanges {
		for _, f := range o.Exchanges[i].Header {
			fields[strings.ToLower(f.Name)] = true
		}
	}
	return fields
}

// first returns the first front that shows.
func first(rules []frontRule, prefix string, o *evidence.Observation, answers map[string]*answer, fields map[string]bool) (string, []string) {
	for i := range rules {
		if rules[i].mayShow(fields) && rules[i].shows(o, answers) {
			return rules[i].ID, []string{prefix + rules[i].ID}
		}
	}
	return "", nil
}

// mayShow reports whether all header fields that a rule looks at are there: most
// rules need no more than that to be passed over.
func (r *frontRule) mayShow(fields map[string]bool) bool {
	return !slices.ContainsFunc(r.fields, func(name string) bool { return !fields[name] })
}

func (r *frontRule) shows(o *evidence.Observation, answers map[string]*answer) bool {
	if len(answers) == 0 || r.Host != nil && !r.Host.MatchString(o.Name) ||
		r.Subject != nil && (o.TLS == nil || !r.Subject.MatchString(o.TLS.Subject)) {
		return false
	}
	if !r.match.set() {
		return true
	}
	for _, a := range answers {
		if r.match.holds(a) {
			return true
		}
	}
	return false
}

// read returns an exchange with what has been read out of it before.
func read(x *evidence.Exchange) *answer {
	a, ok := x.Read.(*answer)
	if !ok {
		a = new(answer)
		x.Read = a
	}
	a.Exchange = x // it may have moved since
	return a
}

// view is one product's look at an observation.
type view struct {
	p       *product
	o       *evidence.Observation
	set     *Set
	answers map[string]*answer
	memo    []int8        // by a signal's index: 0 not looked at, 1 shows, -1 does not
	release event.Version // once it has been asked for
	said    []string      // with the release: what there is to say of its sources
	asked   bool

	everywhere bool // every port counts as the product's own
}

// sees reports whether a signal shows.
func (v *view) sees(name string) bool {
	if v.memo == nil {
		v.memo = make([]int8, len(v.p.signals))
	}
	s := v.p.signals[name]
	if known := v.memo[s.index]; known != 0 {
		return known > 0
	}
	var seen bool
	switch {
	case !s.cond.empty():
		seen = v.holds(s.cond)
	case s.DefaultPort:
		seen = v.everywhere || slices.Contains(v.p.Ports, v.o.Addr.Port())
	case s.Based:
		seen = v.o.Base != ""
	case len(s.Login) > 0:
		seen = s.login(v.set, v.o, v.answers)
	case s.Loopback:
		seen = v.o.Addr.Addr().Unmap().IsLoopback()
	case s.Subject != nil || s.Host != nil:
		seen = s.named(v.o)
	case s.Version != nil:
		version, _ := v.version()
		seen = version.Exact != "" && s.Version.contains(version.Exact)
	case s.Release != nil:
		seen = v.within(s.Release)
	default:
		seen = slices.ContainsFunc(s.On, func(id string) bool {
			a, ok := v.answers[id]
			return ok && a.shows(s)
		})
	}
	v.memo[s.index] = -1
	if seen {
		v.memo[s.index] = 1
	}
	return seen
}

// mount returns the base path where a proxy has the whole product below it, else
// "".
func (v *view) mount() string {
	if v.p.Mount != "" && v.o.Base != "" && v.sees(v.p.Mount) {
		return v.o.Base
	}
	return ""
}

// within reports whether every release that fits lies in the range, and one
// does.
func (v *view) within(r *releaseRange) bool {
	version, _ := v.version()
	return len(version.Candidates) > 0 && !slices.ContainsFunc(version.Candidates, func(c string) bool {
		parsed, err := release.Parse(c)
		return err != nil || !r.contains(parsed)
	})
}

func (v *view) holds(c cond) bool {
	for _, name := range c.All {
		if !v.sees(name) {
			return false
		}
	}
	for _, name := range c.None {
		if v.sees(name) {
			return false
		}
	}
	return len(c.Any) == 0 || slices.ContainsFunc(c.Any, v.sees)
}

// because names the signals that made a condition hold.
func (v *view) because(c cond) []string {
	out := slices.Clone(c.All)
	for _, name := range c.Any {
		if v.sees(name) {
			out = append(out, name)
		}
	}
	return out
}

// wanted reports whether a question that the request can answer is open.
func (v *view) wanted(r *requestSpec, level event.Level) bool {
	return len(r.For) == 0 || slices.ContainsFunc(r.For, func(question string) bool {
		switch question {
		case "identity":
			confidence, _ := v.identity()
			return confidence != event.Certain
		case "auth":
			return v.auth().State == event.AuthUnknown
		case "surfaces":
			confidence, _ := v.identity()
			return confidence.Rank() >= event.Firm.Rank()
		case "passive":
			return !level.Includes(event.LevelStandard)
		case "deep":
			return level == event.LevelDeep
		default:
			version, _ := v.version()
			return version.Exact == ""
		}
	})
}

func (v *view) identity() (event.Confidence, []string) {
	for _, r := range v.p.Identity {
		if v.holds(r.cond) {
			return r.Confidence, v.because(r.cond)
		}
	}
	return "", nil
}

// unfinished reports whether a request that the product makes went without an
// answer, or its time was up before. A WebSocket that was accepted and then says
// nothing of the product has answered otherwise.
func (v *view) unfinished() bool {
	return v.o.Unfinished || slices.ContainsFunc(v.p.Requests, func(r requestSpec) bool {
		a, ok := v.answers[r.ID]
		return ok && a.Err != "" && a.Status != 101
	})
}

func (v *view) brand() string {
	for _, r := range v.p.Brand {
		if v.holds(r.cond) {
			return r.Brand
		}
	}
	return ""
}

func (v *view) auth() event.Auth {
	for _, r := range v.p.Auth {
		if v.holds(r.cond) {
			return event.Auth{State: r.State, Mode: r.Mode, Because: v.because(r.cond)}
		}
	}
	return event.Auth{State: event.AuthUnknown}
}

func (v *view) surfaces() []event.Surface {
	var out []event.Surface
	for _, r := range v.p.Surfaces {
		if v.holds(r.cond) {
			out = append(out, event.Surface{ID: r.ID, State: r.State, Path: place(r.Path, v.o.Base, v.mount())})
		}
	}
	return out
}

func (v *view) traits() []Trait {
	var out []Trait
	for _, r := range v.p.Traits {
		if v.holds(r.cond) {
			out = append(out, Trait{ID: r.ID, Because: v.because(r.cond)})
		}
	}
	return out
}

func (v *view) notes() []string {
	var out []string
	for _, r := range v.p.Notes {
		if v.holds(r.cond) {
			out = append(out, r.Text)
		}
	}
	return out
}

// version asks the sources in order of trust. Those that agree narrow each
// other down; one that contradicts what was found before it lowers the
// confidence, and is said.
func (v *view) version() (event.Version, []string) {
	if !v.asked {
		v.release, v.said = v.askAll()
		v.asked = true
	}
	return v.release, v.said
}

func (v *view) askAll() (event.Version, []string) {
	var out event.Version
	var notes []string
	for i := range v.p.Version {
		src := &v.p.Version[i]
		a, ok := v.answers[src.On]
		if !ok || !v.holds(src.cond) {
			continue
		}
		got, note := v.ask(src, a)
		if note != "" {
			notes = append(notes, note)
		}
		both := slices.DeleteFunc(slices.Clone(out.Candidates), func(c string) bool { return !slices.Contains(got.Candidates, c) })
		switch {
		case len(got.Candidates) == 0:
		case len(out.Candidates) == 0:
			out = got
		case got.Confidence == event.Tentative: // a hint adds nothing
		case len(both) == 0:
			notes = append(notes, fmt.Sprintf("release: %s says %s, but %s says %s",
				out.Source, strings.Join(out.Candidates, " or "), got.Source, strings.Join(got.Candidates, " or ")))
			out.Confidence = event.Tentative
		case len(both) < len(out.Candidates):
			out.Candidates, out.Source = both, out.Source+"+"+got.Source
			if len(both) == 1 {
				out.Exact = both[0]
			}
		}
	}
	if v.p.table == nil {
		return out, notes
	}
	if len(out.Candidates) == 0 && v.strangeAssets() {
		notes = append(notes, "release: the page's assets are those of no known release: a newer one, a build of its own, or a fork")
	}
	if out.Exact == "" {
		return out, notes
	}
	exact, err := release.Parse(out.Exact)
	if err != nil {
		return out, notes
	}
	known, ok := v.p.table.Find(exact)
	newest := v.p.table.Newest().Version
	switch {
	case ok && out.Build == "":
		out.Build = known.Commit
	case ok:
	case newest.Compare(exact) < 0:
		notes = append(notes, fmt.Sprintf("release %s is newer than this database, which ends at %s", exact, newest))
	default:
		// It may say what it likes: no such release was ever published.
		notes = append(notes, fmt.Sprintf("release: it says %s, which was never published: a fork, or a build of its own", exact))
		out.Exact, out.Confidence = "", event.Tentative
	}
	return out, notes
}

// strangeAssets reports whether there is a page that refers to assets of which
// none is known.
func (v *view) strangeAssets() bool {
	return slices.ContainsFunc(v.p.Version, func(src versionSource) bool {
		a, ok := v.answers[src.On]
		return src.Assets && ok && len(a.page().Assets) > 0 && v.p.table.ByAssets(a.page().Assets).Fit == release.FitNone
	})
}

// ask reads one source. What it returns has no candidates when the source
// names no release.
func (v *view) ask(src *versionSource, a *answer) (event.Version, string) {
	out := event.Version{Source: src.Source, Confidence: src.Confidence}
	var text string
	switch {
	case src.Assets:
		return v.askAssets(out, a)
	case src.Attribute != "":
		text = a.page().Attributes[src.Attribute]
	case len(src.Header) > 0:
		text = src.header(a)
	case src.Body != nil:
		if m := src.Body.FindSubmatch(a.Body); m != nil {
			text = string(m[1])
		}
	default:
		if doc, ok := a.json(); ok {
			value, _ := lookup(doc, src.JSON)
			text, _ = value.(string)
		}
	}
	if text == "" || len(text) > maxText {
		return out, ""
	}
	switch {
	case src.Stamp:
		build, err := release.ParseBuild(text)
		if err != nil {
			return out, ""
		}
		out.Exact, out.Build = build.Version.String(), build.Commit
	case v.p.table != nil:
		parsed, err := release.Parse(text)
		if err != nil {
			return out, ""
		}
		out.Exact = parsed.String()
	default:
		// Whatever else it says there is not repeated.
		if out.Exact = v.p.known.version(src.JSON, text); out.Exact == "" {
			return out, "release: what " + src.Source + " says is no version, and is left out"
		}
	}
	out.Candidates = []string{out.Exact}
	return out, ""
}

// header returns what a header field says of the version.
func (src *versionSource) header(a *answer) string {
	for name, p := range src.Header {
		for _, f := range a.Header {
			if !strings.EqualFold(f.Name, name) {
				continue
			}
			if m := p.FindStringSubmatch(f.Value); m != nil {
				return m[1]
			}
		}
	}
	return ""
}

func (v *view) askAssets(out event.Version, a *answer) (event.Version, string) {
	m := v.p.table.ByAssets(a.page().Assets)
	switch m.Fit {
	case release.FitContradictory:
		return out, "release: the page's assets belong to different releases: a page of the operator's own, a cache in front, or a fork"
	case release.FitPartial:
		out.Confidence = event.Tentative
	case release.FitNone:
		return out, ""
	}
	for _, c := range m.Candidates {
		out.Candidates = append(out.Candidates, c.String())
	}
	if len(out.Candidates) == 1 && m.Fit == release.FitExact {
		out.Exact = out.Candidates[0]
	}
	return out, ""
}

// Plan returns every request of a product up to level standard, whatever its
// condition: what a recorder makes. Those that need what has not been seen in o,
// another name for the target, or a base path, are left out, and so are those
// that only ask again.
func (s *Set) Plan(product string, o *evidence.Observation) []evidence.Request {
	var out []evidence.Request
	answers := s.collect(o)
	for _, p := range s.products {
		mount := (&view{p: p, o: o, set: s, answers: answers}).mount()
		for i := range p.Requests {
			r := &p.Requests[i]
			if p.ID != product || !event.LevelStandard.Includes(r.Level) || r.Fresh || !p.mayBeAsked(r, o) {
				continue
			}
			if req, ok := r.request(o, mount, answers); ok {
				out = append(out, req)
			}
		}
	}
	return out
}

// mayBeAsked reports whether the target has the name, or the base path, that a
// request is for.
func (p *product) mayBeAsked(r *requestSpec, o *evidence.Observation) bool {
	return !slices.ContainsFunc(r.When.All, func(name string) bool {
		s := p.signals[name]
		return s.Host != nil && !s.named(o) || s.Based && o.Base == ""
	})
}
