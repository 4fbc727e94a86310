package fingerprint

import (
	"iter"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// view is one product's view of a case.
type view struct {
	p       *product
	c       *Case
	place   int            // in the set
	reason  int            // see Case.consider
	memo    []int8         // by a signal's index: 0 not evaluated, 1 matches, -1 does not
	release event.Version  // once it has been asked for
	said    []message.Text // with the release: what there is to say of its sources
	asked   bool
	is      *identityRule // once it has been looked for, see identity
	looked  bool
}

// forget has every signal evaluated anew that the answer to a request may change.
func (v *view) forget(id string) {
	v.asked, v.looked = false, false
	for i, known := range v.memo {
		if on := v.p.ordered[i].On; known != 0 && (len(on) == 0 || slices.Contains(on, id)) {
			v.memo[i] = 0
		}
	}
}

// signalMatches is seen for a signal's name.
func (v *view) signalMatches(name string) bool { return v.seen(v.p.signals[name]) }

// seen reports whether a signal matches.
func (v *view) seen(s *signal) bool {
	if v.memo == nil {
		v.memo = make([]int8, len(v.p.ordered))
	}
	if known := v.memo[s.index]; known != 0 {
		return known > 0
	}
	var seen bool
	switch {
	case !s.cond.empty():
		seen = v.matches(&s.cond)
	case s.DefaultPort:
		seen = v.c.set.everywhere && v.p.Relative || slices.Contains(v.p.Ports, v.c.Addr.Port())
	case s.Based:
		seen = v.c.Base != ""
	case s.Loopback:
		seen = v.c.Addr.Addr().Unmap().IsLoopback()
	case s.Subject != nil || s.Host != nil:
		seen = s.matchesTarget(v.c.Observation)
	case s.Version != nil:
		version, _ := v.version()
		seen = version.Exact != "" && s.Version.contains(version.Exact)
	case s.Release != nil:
		version, _ := v.version()
		seen = s.Release.all(version.Candidates, true)
	default:
		seen = len(v.matchedIn(s)) > 0
	}
	v.memo[s.index] = -1
	if seen {
		v.memo[s.index] = 1
	}
	return seen
}

// matchedIn returns the requests whose answers a signal matches.
func (v *view) matchedIn(s *signal) []string {
	var out []string
	for _, id := range s.Login {
		if a := v.c.answer(id); a != nil && v.c.requiresLogin(a) {
			out = append(out, id)
		}
	}
	for _, id := range s.On {
		if a := v.c.answer(id); a != nil && a.matches(s) {
			out = append(out, id)
		}
	}
	return out
}

// next returns the next request that the product wants made.
func (v *view) next() (evidence.Request, bool) {
	for i := range v.p.Requests {
		r := &v.p.Requests[i]
		if !v.c.level.Includes(r.Level) || r.SpeaksFirst || v.c.answer(r.ID) != nil || !v.matches(&r.When.cond) || !v.wanted(r) || v.c.neverAsked(r.ID) {
			continue
		}
		if req, ok := r.request(v.c, v.mount()); ok {
			return req, true
		}
	}
	return evidence.Request{}, false
}

// neverAsked reports whether a product that this may be must not be asked that.
func (c *Case) neverAsked(id string) bool {
	return slices.ContainsFunc(c.views, func(v *view) bool {
		return slices.ContainsFunc(v.p.NeverAsk, func(r neverAskRule) bool { return r.Request == id && v.matches(&r.cond) })
	})
}

// judge fills in the verdict on a product of which a rule on its identity matches.
func (v *view) judge(out *Verdict) {
	p, rule := v.p, v.identity()
	out.Product = event.Product{ID: p.ID, Name: p.Name, Confidence: rule.Confidence, Because: v.because(&rule.cond)}
	if r := first(v, p.Brand); r != nil {
		out.Product.Brand = r.Brand
	}
	out.Helper, out.Relative = p.Helper, p.Relative
	out.Version, out.Notes = v.version()
	out.Notes = slices.Clip(out.Notes)
	for r := range matching(v, p.Surfaces) {
		out.Surfaces = append(out.Surfaces, event.Surface{ID: r.ID, State: r.State, Path: place(r.Path, v.c.Base, v.mount())})
	}
	// Of something that may be another product, nothing is claimed.
	out.Auth = event.Auth{State: event.AuthUnknown}
	if out.Product.Confidence.Rank() >= event.Firm.Rank() {
		if r := first(v, p.Auth); r != nil {
			out.Auth = event.Auth{State: r.State, Mode: r.Mode, Because: v.because(&r.cond)}
		}
		for r := range matching(v, p.Traits) {
			out.Traits = append(out.Traits, Trait{ID: r.ID, Because: v.because(&r.cond)})
		}
		out.Advice = p.Advice[out.Auth.State]
	}
	for r := range matching(v, p.Notes) {
		out.Notes = append(out.Notes, message.Fixed(p.noteID(r), r.Text))
	}
	if out.Unfinished = out.Product.Confidence == event.Tentative && !p.Helper && !p.Relative && v.unfinished(); out.Unfinished {
		out.Notes = append(out.Notes, message.Say("product.unfinished", message.Of("product", p.Name)))
	}
}

// noteID is the id of a note's message.
func (p *product) noteID(n *noteRule) string { return "note." + p.ID + "." + n.ID }

// mount returns the base path where a proxy has the whole product below it, else
// "".
func (v *view) mount() string {
	if v.p.Mount != "" && v.c.Base != "" && v.signalMatches(v.p.Mount) {
		return v.c.Base
	}
	return ""
}

func (v *view) matches(c *cond) bool {
	all, rest := c.signals[:len(c.All)], c.signals[len(c.All):]
	for _, s := range all {
		if !v.seen(s) {
			return false
		}
	}
	// What must not match is often a release, to find which costs more.
	any, not := rest[:len(c.Any)], rest[len(c.Any):]
	return (len(any) == 0 || slices.ContainsFunc(any, v.seen)) && !slices.ContainsFunc(not, v.seen)
}

// condition is what every rule has.
func (c *cond) condition() *cond { return c }

// matching yields the rules of a list that match.
func matching[R any, P interface {
	*R
	condition() *cond
}](v *view, rules []R) iter.Seq[P] {
	return func(yield func(P) bool) {
		for i := range rules {
			if r := P(&rules[i]); v.matches(r.condition()) && !yield(r) {
				return
			}
		}
	}
}

// first returns the first rule of a list that matches, or nil.
func first[R any, P interface {
	*R
	condition() *cond
}](v *view, rules []R) P {
	for r := range matching[R, P](v, rules) {
		return r
	}
	return nil
}

// because names the signals that made a condition match.
func (v *view) because(c *cond) []string {
	seen := slices.DeleteFunc(slices.Clone(c.Any), func(name string) bool { return !v.signalMatches(name) })
	return slices.Concat(c.All, seen)
}

// wanted reports whether a question that the request can answer is open.
func (v *view) wanted(r *requestSpec) bool {
	return len(r.For) == 0 || slices.ContainsFunc(r.For, func(question string) bool {
		switch question {
		case "identity":
			return v.confidence() != event.Certain
		case "auth":
			r := first(v, v.p.Auth)
			return r == nil || r.State == event.AuthUnknown
		case "surfaces":
			return v.confidence().Rank() >= event.Firm.Rank()
		case "passive":
			return !v.c.level.Includes(event.LevelStandard)
		case "deep":
			return v.c.level == event.LevelDeep
		default:
			version, _ := v.version()
			return version.Exact == ""
		}
	})
}

// identity returns the first rule on what it is that matches, or nil.
func (v *view) identity() *identityRule {
	if !v.looked {
		v.looked, v.is = true, first(v, v.p.Identity)
	}
	return v.is
}

func (v *view) confidence() event.Confidence {
	if r := v.identity(); r != nil {
		return r.Confidence
	}
	return ""
}

// unfinished reports whether a request that the product makes went without an
// answer, or its time was up before. A WebSocket that was accepted and then says
// nothing of the product has answered otherwise.
func (v *view) unfinished() bool {
	return v.c.Unfinished || slices.ContainsFunc(v.p.Requests, func(r requestSpec) bool {
		a := v.c.answer(r.ID)
		return a != nil && a.Err != "" && a.Status != 101
	})
}

// version asks the sources in order of trust. Those that agree narrow each
// other down; one that contradicts what was found before it lowers the
// confidence, and a note says so.
func (v *view) version() (event.Version, []message.Text) {
	if !v.asked {
		v.release, v.said = v.askAll()
		v.asked = true
	}
	return v.release, v.said
}

func (v *view) askAll() (event.Version, []message.Text) {
	var out event.Version
	var notes []message.Text
	for i := range v.p.Version {
		src := &v.p.Version[i]
		a := v.c.answer(src.On)
		if a == nil || !v.matches(&src.cond) {
			continue
		}
		got, note := v.ask(src, a)
		if note.ID != "" {
			notes = append(notes, note)
		}
		both := slices.DeleteFunc(slices.Clone(out.Candidates), func(c string) bool { return !slices.Contains(got.Candidates, c) })
		switch {
		case len(got.Candidates) == 0:
		case len(out.Candidates) == 0:
			out = got
		case got.Confidence == event.Tentative: // a hint adds nothing
		case len(both) == 0:
			notes = append(notes, message.Say("release.contradicted", message.Of("source", out.Source), message.Of("have", out.Candidates...),
				message.Of("against", got.Source), message.Of("other", got.Candidates...)))
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
		notes = append(notes, message.Say("release.unknown-assets"))
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
		notes = append(notes, message.Say("release.newer", message.Of("release", exact.String()), message.Of("newest", newest.String())))
	default:
		// No such release was ever published.
		notes = append(notes, message.Say("release.unpublished", message.Of("release", exact.String())))
		out.Exact, out.Confidence = "", event.Tentative
	}
	return out, notes
}

// strangeAssets reports whether there is a page that refers to assets of which
// none is known.
func (v *view) strangeAssets() bool {
	return slices.ContainsFunc(v.p.Version, func(src versionSource) bool {
		a := v.c.answer(src.On)
		return src.Assets && a != nil && len(a.assets()) > 0 && v.p.table.ByAssets(a.assets()).Fit == release.FitNone
	})
}

// ask reads one source. What it returns has no candidates when the source
// names no release.
func (v *view) ask(src *versionSource, a *answer) (event.Version, message.Text) {
	out := event.Version{Source: src.Source, Confidence: src.Confidence}
	var text string
	switch {
	case src.Assets:
		return v.askAssets(out, a)
	case src.Attribute != "":
		text, _ = a.attribute(src.Attribute)
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
		return out, message.Text{}
	}
	switch {
	case src.Stamp:
		build, err := release.ParseBuild(text)
		if err != nil {
			return out, message.Text{}
		}
		out.Exact, out.Build = build.Version.String(), build.Commit
	case v.p.table != nil:
		parsed, err := release.Parse(text)
		if err != nil {
			return out, message.Text{}
		}
		out.Exact = parsed.String()
	default:
		// Any other text is not repeated.
		if out.Exact = v.p.known.version(src.JSON, text); out.Exact == "" {
			return out, message.Say("release.no-version", message.Of("source", src.Source))
		}
	}
	out.Candidates = []string{out.Exact}
	return out, message.Text{}
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

func (v *view) askAssets(out event.Version, a *answer) (event.Version, message.Text) {
	m := v.p.table.ByAssets(a.assets())
	switch m.Fit {
	case release.FitContradictory:
		return out, message.Say("release.mixed-assets")
	case release.FitPartial:
		out.Confidence = event.Tentative
	case release.FitNone:
		return out, message.Text{}
	}
	for _, c := range m.Candidates {
		out.Candidates = append(out.Candidates, c.String())
	}
	if len(out.Candidates) == 1 && m.Fit == release.FitExact {
		out.Exact = out.Candidates[0]
	}
	return out, message.Text{}
}
