package posture

import (
	"maps"
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Judge compares the targets of a scan with a posture. Its memory depends on the
// posture alone.
type Judge struct {
	Posture *Posture
	Files   []*event.Target // what files of the deployment say; none if none were read
	Now     time.Time       // decides which acceptances have ended
	// Finding makes the finding about a target that is not as declared.
	Finding func(place string, detail ...message.Text) *event.Finding

	results map[*string][]line     // by what was declared, see key
	taken   map[event.Severity]int // accepted findings
	added   map[event.Severity]int // made by Finding
}

// line is what is kept of a target.
type line struct {
	result event.PostureResult
	absent bool // an address of a name at which nothing answers
}

// Target compares one target, marks the findings that are accepted and says in
// Target.Posture how it is. It returns nil for a target that has nothing to tell: a
// port of a host that is closed, as it must be. The one given is not changed.
func (j *Judge) Target(in *event.Target) *event.Target {
	t := *in
	t.Findings = slices.Clone(in.Findings)
	p := &event.Posture{Vantage: j.Posture.Vantage, Declared: []string{}}
	c := comparison{t: &t, p: p, now: j.Now}
	e, h := j.Posture.endpoint(t.Target), j.Posture.host(t.Target)
	var key *string
	switch {
	case e != nil:
		p.At, key = e.spec.Source, &e.Target
		c.endpoint(e)
		j.configured(&c, e)
	case h != nil:
		p.At, key = h.spec.Source, &h.Host
		c.unlisted()
	default:
		return &t
	}
	p.AddNotes(c.notes...)
	p.Result = c.result()
	if j.results == nil {
		j.results, j.taken, j.added = map[*string][]line{}, map[event.Severity]int{}, map[event.Severity]int{}
	}
	j.results[key] = append(j.results[key], line{p.Result, t.Target.Member == event.OfName && c.absent})
	for i := range t.Findings {
		if t.Findings[i].Suppressed != "" && in.Findings[i].Active() {
			j.taken[t.Findings[i].Severity]++
		}
	}
	if e == nil && p.Result == event.PostureOK {
		return nil
	}
	t.Posture = p
	if p.Result == event.PostureBreach {
		f := j.Finding(t.Target.Place(), p.AllNotes()...)
		t.Findings = append([]event.Finding{*f}, t.Findings...)
		j.added[f.Severity]++
	}
	return &t
}

// Summary adds to the end of a stream what the comparison came to.
func (j *Judge) Summary(in *event.Summary) *event.Summary {
	s := *in
	s.Findings = maps.Clone(in.Findings)
	s.Suppress(j.taken)
	for severity, n := range j.added {
		s.Findings[severity] += n
	}
	s.Posture = j.Totals()
	s.Unlisted = nil // hosts of which no port answers are as they must be
	if missing := j.missing(); len(missing) > 0 {
		s.AddNotes(message.Say("posture.missing", message.Of("names", missing...)))
	}
	return &s
}

// Totals count endpoints and hosts by result; those of which the scan has nothing are
// not judged. Of several addresses of a name the worst counts; one at which nothing
// answers does not, if another is as declared.
func (j *Judge) Totals() map[event.PostureResult]int {
	out := map[event.PostureResult]int{}
	for _, key := range j.Posture.keys() {
		out[worst(j.results[key])]++
	}
	return out
}

// Named are the endpoints and hosts of a result, in the order of the file.
func (j *Judge) Named(result event.PostureResult) []string {
	var out []string
	for _, key := range j.Posture.keys() {
		if worst(j.results[key]) == result {
			out = append(out, *key)
		}
	}
	return out
}

// missing names what is declared and has no result, in the order of the file.
func (j *Judge) missing() []string {
	var out []string
	for _, key := range j.Posture.keys() {
		if len(j.results[key]) == 0 {
			out = append(out, *key)
		}
	}
	return out
}

// keys are the targets and hosts that are declared.
func (p *Posture) keys() []*string {
	var out []*string
	for _, e := range p.Endpoints {
		out = append(out, &e.Target)
	}
	for _, h := range p.Hosts {
		out = append(out, &h.Host)
	}
	return out
}

func worst(lines []line) event.PostureResult {
	present := slices.DeleteFunc(slices.Clone(lines), func(l line) bool { return l.absent })
	if len(present) == 0 {
		present = lines
	}
	for _, r := range event.PostureResults() {
		if slices.ContainsFunc(present, func(l line) bool { return l.result == r }) {
			return r
		}
	}
	return event.PostureNotJudged
}

// comparison is the comparison of one target.
type comparison struct {
	t   *event.Target
	p   *event.Posture
	now time.Time

	breach, unclear bool
	absent          bool // nothing answers, although something should
	notes           []message.Text
}

func (c *comparison) result() event.PostureResult {
	switch {
	case c.breach:
		return event.PostureBreach
	case c.unclear:
		return event.PostureNotJudged
	}
	return event.PostureOK
}

func (c *comparison) breaks(id string, args ...message.Arg) {
	c.breach = true
	c.notes = append(c.notes, message.Say(id, args...))
}

func (c *comparison) doubts(id string, args ...message.Arg) {
	c.unclear = true
	c.notes = append(c.notes, message.Say(id, args...))
}

// reachability is what a target shows of whether it can be reached.
type reachability int

const (
	notSeen reachability = iota // the run itself failed
	closed                      // nothing takes connections
	reached
)

// reach sorts outcomes. No way there is what a firewall that refuses gives as well.
func reach(o event.Outcome) reachability {
	switch o {
	case event.OutcomeClosed, event.OutcomeSilent, event.OutcomeUnreachable:
		return closed
	case event.OutcomeIdentified, event.OutcomeHelper, event.OutcomeOther, event.OutcomeReset, event.OutcomeTLSError, event.OutcomeProtocolError:
		return reached
	}
	return notSeen
}

// seen is the verdict in a word of Verdicts; "" if it could not be told.
func seen(t *event.Target) string {
	switch reach(t.Outcome) {
	case closed:
		return string(event.OutcomeClosed)
	case notSeen:
		return ""
	}
	if t.Auth != nil && slices.Contains(Verdicts(), string(t.Auth.State)) {
		return string(t.Auth.State)
	}
	if t.Outcome == event.OutcomeProtocolError || t.Outcome == event.OutcomeOther && t.Judged() {
		return string(event.OutcomeOther)
	}
	return ""
}

// shown is what was seen, for a note: the verdict, else why there is none.
func shown(t *event.Target) message.Arg {
	if s := seen(t); s != "" && s != string(event.OutcomeClosed) {
		return message.Of("seen", s)
	}
	return message.Of("seen", t.Why())
}

// endpoint compares a target with what is declared of it.
func (c *comparison) endpoint(e *Endpoint) {
	meant := e.From[c.p.Vantage]
	c.p.Declared = slices.Clone(meant)
	c.accept(e)
	declared := message.Of("declared", meant...)
	is := seen(c.t)
	mayBeReached := slices.ContainsFunc(meant, func(w string) bool { return w != string(event.OutcomeClosed) })
	switch how := reach(c.t.Outcome); {
	case is != "" && slices.Contains(meant, is):
	case how == notSeen:
		c.doubts("posture.failed", shown(c.t))
	case how == closed:
		c.absent = true
		c.doubts("posture.down", declared, shown(c.t))
	case is == "" && mayBeReached:
		c.doubts("posture.unclear", declared, shown(c.t))
	default:
		c.breaks("posture.verdict", declared, shown(c.t))
	}
	if reach(c.t.Outcome) != reached {
		return
	}
	if e.TLS && (c.t.TLS == nil || !c.t.TLS.Enabled) {
		c.breaks("posture.no-tls")
	}
	c.release(e)
	var on []string
	for _, s := range c.t.Surfaces {
		if !slices.Contains(e.Surfaces, s.ID) && !slices.Contains(on, s.ID) {
			on = append(on, s.ID)
		}
	}
	if len(on) > 0 {
		c.breaks("posture.surfaces", message.Of("surfaces", on...))
	}
	c.findings(e)
}

// unlisted judges a port of a host that is no endpoint: it must be closed.
func (c *comparison) unlisted() {
	switch reach(c.t.Outcome) {
	case closed:
	case notSeen:
		c.doubts("posture.failed", shown(c.t))
	default:
		c.breaks("posture.unlisted", shown(c.t))
	}
}

// release compares the release, or those that fit.
func (c *comparison) release(e *Endpoint) {
	if e.Oldest == "" || c.t.Outcome != event.OutcomeIdentified {
		return
	}
	wanted := message.Of("release", e.Oldest)
	v := c.t.Version
	var fit []string
	switch {
	case v == nil:
	case v.Exact != "":
		fit = []string{v.Exact}
	default:
		fit = v.Candidates
	}
	older, newer := 0, 0
	for _, s := range fit {
		r, err := release.Parse(s)
		switch {
		case err != nil:
		case r.Compare(e.oldest) < 0:
			older++
		default:
			newer++
		}
	}
	switch {
	case older+newer == 0 || older+newer < len(fit):
		c.doubts("posture.release-unknown", wanted)
	case newer == 0:
		c.breaks("posture.release-older", message.Of("have", v.Said().English), wanted)
	case older > 0:
		c.doubts("posture.release-span", message.Of("first", fit[0]), message.Of("last", fit[len(fit)-1]), wanted)
	}
}

// accept marks the findings that are accepted.
func (c *comparison) accept(e *Endpoint) {
	for i := range c.t.Findings {
		f := &c.t.Findings[i]
		if a := e.accepts(f.ID); a != nil && f.Active() && !a.ended(c.now) {
			because := []message.Arg{message.Of("reason", a.Reason)}
			if a.Until != "" {
				because = append(because, message.Of("until", a.Until))
			}
			f.Suppress(message.Say("suppressed.posture", because...))
		}
	}
}

// findings are those above info that are not accepted.
func (c *comparison) findings(e *Endpoint) {
	var ids []string
	for i := range c.t.Findings {
		f := &c.t.Findings[i]
		if !f.Active() || f.Severity == event.Info || slices.Contains(ids, f.ID) {
			continue
		}
		if a := e.accepts(f.ID); a != nil {
			c.breaks("posture.acceptance-ended", message.Of("check", f.ID), message.Of("until", a.Until))
			continue
		}
		ids = append(ids, f.ID)
	}
	if len(ids) > 0 {
		c.breaks("posture.findings", message.Of("checks", ids...))
	}
}

func (e *Endpoint) accepts(id string) *Accepted {
	i := slices.IndexFunc(e.Accept, func(a *Accepted) bool { return a.Finding == id })
	if i < 0 {
		return nil
	}
	return e.Accept[i]
}

func (a *Accepted) ended(now time.Time) bool { return !a.until.IsZero() && !now.Before(a.until) }
