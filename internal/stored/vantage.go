package stored

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// Differs makes the finding that vantages see different verdicts of a place.
type Differs func(place string, detail ...message.Text) *event.Finding

// vantages says where the verdicts of vantages differ.
type vantages struct {
	differs Differs
	whole   map[string][]whole // by vantage; nil if there are not two
}

// whole is a scan of which a vantage has everything: of what has no line, it saw that
// nothing answers.
type whole struct {
	config   string
	started  time.Time
	excluded int // targets without a line that it did not look at
}

// seen is the verdict of one vantage.
type seen struct {
	vantage, verdict string
	started          time.Time
}

func newVantages(m *merger, differs Differs) *vantages {
	v := &vantages{differs: differs}
	byName := map[string][]*stream{}
	for _, s := range m.streams {
		if s.head.Vantage != "" && !s.superseded {
			byName[s.head.Vantage] = append(byName[s.head.Vantage], s)
		}
	}
	if len(byName) < 2 {
		return v
	}
	v.whole = map[string][]whole{}
	for name, streams := range byName {
		v.whole[name] = nil
		done := map[string]bool{}
		for _, s := range streams {
			if done[s.head.Config] {
				continue
			}
			done[s.head.Config] = true
			if w, ok := wholeOf(s.head.Config, streams, heads(m.streams)); ok {
				v.whole[name] = append(v.whole[name], w)
			}
		}
	}
	return v
}

// wholeOf returns the scan of a configuration that streams of a vantage are all of; not ok
// if they are not.
func wholeOf(config string, streams []*stream, heads []*event.Scan) (w whole, ok bool) {
	if config == "" {
		return w, false
	}
	w.config = config
	shards, total := map[string]bool{}, ""
	for _, s := range streams {
		if s.head.Config != config {
			continue
		}
		if s.summary == nil || !s.summary.Complete || len(Missing(s.head, heads)) > 0 {
			return w, false
		}
		k, n, _ := strings.Cut(s.head.Shard, "/")
		if total != "" && n != total {
			return w, false
		}
		shards[k], total = true, n
		w.excluded += s.summary.Outcomes[event.OutcomeExcluded] - s.listed.Outcomes[event.OutcomeExcluded] + s.head.Unlisted[event.OutcomeExcluded]
		if w.started.IsZero() || s.head.Started.Before(w.started) {
			w.started = s.head.Started
		}
	}
	return w, total == strconv.Itoa(len(shards))
}

// alone returns the finding about a line that no other stream has, or nil: another
// vantage that was asked for the same found nothing there.
func (v *vantages) alone(t *event.Target, head *event.Scan) *event.Finding {
	if v.whole == nil || !Recognised(t) {
		return nil
	}
	return v.finding(t.Target, []*event.Target{t}, []*event.Scan{head})
}

// several returns the finding about lines of one place, or nil.
func (v *vantages) several(g *group) *event.Finding {
	if v.whole == nil || !slices.ContainsFunc(g.lines, Recognised) {
		return nil
	}
	return v.finding(g.lines[0].Target, g.lines, g.heads)
}

func (v *vantages) finding(at event.Address, lines []*event.Target, heads []*event.Scan) *event.Finding {
	if v.differs == nil {
		return nil
	}
	g := &group{lines: lines, heads: heads}
	var all []seen
	for i, t := range lines {
		name := heads[i].Vantage
		if name == "" || !looked(t) || slices.ContainsFunc(all, func(s seen) bool { return s.vantage == name }) {
			continue
		}
		if b := g.best(i); looked(lines[b]) {
			i = b
		}
		all = append(all, seen{name, verdictSeen(lines[i]), heads[i].Started})
	}
	for name := range v.whole {
		if slices.ContainsFunc(heads, func(h *event.Scan) bool { return h.Vantage == name }) {
			continue
		}
		if w, ok := v.same(name, at, heads); ok {
			all = append(all, seen{name, nothing, w.started})
		}
	}
	if !slices.ContainsFunc(all, func(s seen) bool { return s.verdict != all[0].verdict }) {
		return nil
	}
	slices.SortFunc(all, func(a, b seen) int { return strings.Compare(a.vantage, b.vantage) })
	var detail []message.Text
	for _, s := range all {
		detail = append(detail, message.Say("differs-by-vantage.saw", message.Of("vantage", s.vantage), message.Of("seen", s.verdict),
			message.Of("started", s.started.UTC().Format(time.RFC3339))))
	}
	return v.differs(at.Place(), detail...)
}

// nothing is the verdict of a place without a line in a whole scan.
const nothing = "closed or silent"

// same returns the whole scan of a vantage that looked at a place as well as the streams
// that have a line for it: both asked for the same range, and left out as much of it.
func (v *vantages) same(name string, at event.Address, heads []*event.Scan) (whole, bool) {
	if at.Name != "" || at.Member == event.OfNothing {
		return whole{}, false // what is named has a line, and a name may be another address there
	}
	for _, w := range v.whole[name] {
		for _, h := range heads {
			if slices.ContainsFunc(v.whole[h.Vantage], func(o whole) bool {
				return o.config == h.Config && o.config == w.config && o.excluded == w.excluded
			}) {
				return w, true
			}
		}
	}
	return whole{}, false
}

// looked reports whether the line says what there is at its place.
func looked(t *event.Target) bool {
	switch t.Outcome {
	case event.OutcomeExcluded, event.OutcomeLocalError, event.OutcomeInterrupted, event.OutcomeDNSError, event.OutcomeAbsent:
		return false
	}
	return true
}

// verdictSeen is the verdict of a line in the words of the catalogue.
func verdictSeen(t *event.Target) string {
	if Recognised(t) {
		return Verdict(t)
	}
	return string(t.Outcome)
}

// worse reports whether a's verdict is worse than b's. What is unknown may be open.
func worse(a, b *event.Target) bool {
	if Recognised(a) && Recognised(b) {
		return rank(a) < rank(b)
	}
	return better(a, b)
}

// rank orders lines of recognised products, the worst first.
func rank(t *event.Target) int {
	state := event.AuthUnknown
	if t.Auth != nil {
		state = cmp.Or(t.Auth.State, state)
	}
	at := slices.Index(event.AuthStates(), state)
	if at < 0 {
		at = slices.Index(event.AuthStates(), event.AuthUnknown)
	}
	return at
}

// with returns findings with one more, in place of an earlier one of its key.
func with(fs []event.Finding, f *event.Finding) []event.Finding {
	out := slices.DeleteFunc(slices.Clone(fs), func(o event.Finding) bool { return o.Key == f.Key })
	return append(out, *f)
}
