package stored

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// Merge makes one stream of several: the scans of parts, or of the same targets
// from several places. Lines of one target become one: findings with the same
// key are one finding, the rest is that of the line that tells most, of the later
// scan if two tell the same. One source is passed on as it is, but for what it
// lacks.
//
// Streams of one scan (see event.Scan) are known as its shards and its runs: what
// several of its runs have counted counts once, and the whole is complete only if
// no shard and no run is missing.
//
// Of streams from several vantages the line with the worst verdict counts.
//
// Each of several sources is read twice. Memory depends on the number of targets
// listed (some 100 bytes each), and on the lines that come more than once.
func Merge(sources []Source, emit func(event.Event) error) error {
	return join(sources, true, nil, emit)
}

// MergeVantages is Merge with a finding about each place of which vantages see different
// verdicts.
func MergeVantages(sources []Source, differs Differs, emit func(event.Event) error) error {
	return join(sources, true, differs, emit)
}

// MergeRuns is Merge for the runs of a scan, or of one shard of it: that is complete
// without the other shards.
func MergeRuns(sources []Source, emit func(event.Event) error) error {
	return join(sources, false, nil, emit)
}

// join is Merge; all says that no shard may be missing.
func join(sources []Source, all bool, differs Differs, emit func(event.Event) error) error {
	if len(sources) == 1 {
		a := &Alone{all: all}
		return sources[0].once(func(e event.Event) error { return emit(a.Event(e)) })
	}
	m := &merger{all: all, times: map[string]int{}, held: map[string]*group{}, sum: newSummary(), shards: map[string]bool{}, of: map[shard][]*stream{}, noted: map[string]bool{}}
	for _, s := range sources {
		if err := m.survey(s); err != nil {
			return err
		}
	}
	m.total()
	m.vantages = newVantages(m, differs)
	if m.scan != nil {
		m.scan.Shard = strings.Join(m.order, "+")
		if m.whole() {
			m.scan.Shard = "1/1"
		}
		if err := emit(m.scan); err != nil {
			return err
		}
	}
	for i, s := range sources {
		if err := m.pass(s, m.streams[i], emit); err != nil {
			return err
		}
	}
	return emit(m.sum)
}

type merger struct {
	all     bool              // no shard may be missing
	times   map[string]int    // how often a target's line comes
	held    map[string]*group // lines that come again
	scan    *event.Scan
	sum     *event.Summary
	streams []*stream // of each source
	of      map[shard][]*stream
	shards  map[string]bool
	order   []string // of the shards: in which they came
	notes   []message.Text
	noted   map[string]bool

	vantages *vantages
}

// shard is a part of a scan from a vantage.
type shard struct{ vantage, config, shard string }

// stream is what is kept of a source.
type stream struct {
	head    *event.Scan // of no configuration if it has none
	summary *event.Summary
	listed  *event.Summary  // what its lines add up to
	stopped []*event.Target // lines of targets that an interrupt stopped
	// Another stream continues this one, or is a copy of it.
	superseded bool
}

// group is the lines of one target.
type group struct {
	lines []*event.Target
	heads []*event.Scan // of their streams
}

// survey counts the lines of a source and keeps its numbers.
func (m *merger) survey(s Source) error {
	x := &stream{head: &event.Scan{}, listed: newSummary()}
	err := s.once(func(e event.Event) error {
		switch e := e.(type) {
		case *event.Scan:
			x.head = e
			m.head(e)
		case *event.Target:
			m.times[spot(e.Target)]++
			x.listed.Add(e)
			if e.Outcome == event.OutcomeInterrupted {
				x.stopped = append(x.stopped, &event.Target{Target: e.Target, Outcome: event.OutcomeInterrupted})
			}
		case *event.Summary:
			x.summary = e
		}
		return nil
	})
	m.streams = append(m.streams, x)
	if x.head.Config != "" {
		key := shard{x.head.Vantage, x.head.Config, x.head.Shard}
		m.of[key] = append(m.of[key], x)
	}
	return err
}

// total adds up the numbers of all streams. Of the runs of one scan, the last
// knows what is to be added to the lines of those before it.
func (m *merger) total() {
	for _, runs := range m.of {
		supersede(runs)
	}
	for _, s := range m.streams {
		switch {
		case s.superseded:
			// The run that went on has asked them, and may only have counted them.
			for _, t := range s.stopped {
				m.times[spot(t.Target)]--
				s.listed.Remove(t)
			}
			m.sum.AddSummary(s.listed) // not its summary: some of that was done again
			continue
		case s.summary == nil: // cut off: what is listed is all that is known
			m.sum.Complete = false
			m.sum.AddSummary(s.listed)
		default:
			sum := *s.summary
			m.note(sum.AllNotes()...)
			sum.Noted = event.Noted{}
			m.sum.AddSummary(&sum)
			m.sum.AddUnlisted(sum.Unlisted)
		}
		for outcome, n := range s.head.Unlisted {
			m.sum.AddOutcome(outcome, n)
		}
		for _, r := range Missing(s.head, heads(m.of[shard{s.head.Vantage, s.head.Config, s.head.Shard}])) {
			m.lacks(missingRun(s.head, r))
		}
	}
	m.pool()
	if m.all {
		for _, missing := range missingShards(heads(m.streams)...) {
			m.lacks(missing)
		}
	}
	m.sum.AddNotes(m.notes...)
	if m.scan != nil {
		m.scan.From, m.scan.Earlier, m.scan.Unlisted = 0, nil, nil
	}
}

// supersede marks the streams of a shard that others continue, or are copies of.
func supersede(runs []*stream) {
	for i, s := range runs {
		for j, o := range runs {
			copied := o.head.Started.Equal(s.head.Started)
			if j != i && (Continues(o.head, s.head) ||
				copied && (o.summary != nil && s.summary == nil || j < i && (o.summary != nil) == (s.summary != nil))) {
				s.superseded = true
			}
		}
	}
}

// pool makes one estimate of those of the shards of a scan: how many silent targets of a
// shard were tried again says little of it, and the upper ends of many intervals do not
// add up to the upper end of one.
func (m *merger) pool() {
	type scan struct {
		vantage, config string
		seed            uint64
	}
	last := map[scan]map[string]*stream{} // the runs that nothing continues, by shard
	twice := map[scan]bool{}              // the same shard was scanned more than once
	silent := map[scan]int{}
	for _, s := range m.streams {
		of := scan{s.head.Vantage, s.head.Config, s.head.Seed}
		sum := s.summary
		if s.superseded || sum == nil {
			sum = s.listed
		}
		silent[of] += sum.Outcomes[event.OutcomeSilent]
		if s.superseded || of.config == "" {
			continue
		}
		silent[of] += s.head.Unlisted[event.OutcomeSilent]
		if last[of] == nil {
			last[of] = map[string]*stream{}
		}
		twice[of] = twice[of] || last[of][s.head.Shard] != nil
		last[of][s.head.Shard] = s
	}
	for of, shards := range last {
		if twice[of] || len(shards) < 2 {
			continue
		}
		var all event.MissEstimate
		total := &m.sum.MissEstimate
		for _, s := range shards {
			if s.summary == nil {
				continue
			}
			e := s.summary.MissEstimate
			all.Reprobed, all.Found = all.Reprobed+e.Reprobed, all.Found+e.Found
			total.Missed, total.MissedAtMost = total.Missed-e.Missed, total.MissedAtMost-e.MissedAtMost
		}
		all.Estimate(silent[of])
		total.Missed, total.MissedAtMost = total.Missed+all.Missed, total.MissedAtMost+all.MissedAtMost
	}
}

func heads(streams []*stream) (out []*event.Scan) {
	for _, s := range streams {
		out = append(out, s.head)
	}
	return out
}

// note keeps notes, each once: the shards of a scan say the same.
func (m *merger) note(notes ...message.Text) {
	for _, n := range notes {
		if !m.noted[n.English] {
			m.noted[n.English] = true
			m.notes = append(m.notes, n)
		}
	}
}

// lacks notes what the whole lacks.
func (m *merger) lacks(what message.Text) {
	m.sum.Complete = false
	m.note(what)
}

func missingRun(s *event.Scan, r event.Run) message.Text {
	return message.Say("merge.run-missing", message.Of("started", r.Started.UTC().Format(time.RFC3339)),
		message.Of("shard", s.Shard), message.Of("from", strconv.FormatUint(r.From, 10)))
}

// missingShards says which shards of the scans of these heads are not among them.
func missingShards(heads ...*event.Scan) (out []message.Text) {
	type order struct{ vantage, config, total string }
	shards := map[order]map[string]bool{}
	for _, h := range heads {
		_, total, _ := strings.Cut(h.Shard, "/")
		if h.Config == "" {
			continue
		}
		w := order{h.Vantage, h.Config, total}
		if shards[w] == nil {
			shards[w] = map[string]bool{}
		}
		shards[w][h.Shard] = true
	}
	for w, there := range shards {
		n, _ := strconv.Atoi(w.total)
		var missing []string
		for k := 1; k <= n && len(missing) <= maxNamed; k++ {
			if shard := fmt.Sprintf("%d/%d", k, n); !there[shard] {
				missing = append(missing, shard)
			}
		}
		if len(missing) > maxNamed {
			missing[maxNamed] = "…"
		}
		if len(missing) > 0 {
			out = append(out, message.Say("merge.shards-missing", message.Of("shards", missing...)))
		}
	}
	slices.SortFunc(out, func(a, b message.Text) int { return strings.Compare(a.English, b.English) })
	return out
}

// maxNamed is how many missing shards are named.
const maxNamed = 64

// Alone makes of a run that continues a scan what it is without the runs
// before it: incomplete. It takes the events of one stream, and changes none of
// those that it is given. A nil one changes nothing.
type Alone struct {
	head *event.Scan
	all  bool // no shard may be missing either
}

// Event returns the event as it is to be shown.
func (a *Alone) Event(e event.Event) event.Event {
	if a == nil {
		return e
	}
	if head, ok := e.(*event.Scan); ok {
		a.head = head
	}
	sum, ok := e.(*event.Summary)
	if !ok || a.head == nil {
		return e
	}
	var lacks []message.Text
	for _, r := range Missing(a.head, nil) {
		lacks = append(lacks, missingRun(a.head, r))
	}
	if a.all {
		lacks = append(lacks, missingShards(a.head)...)
	}
	if len(lacks) == 0 {
		return e
	}
	s := *sum
	s.Complete = false
	s.AddNotes(lacks...)
	return &s
}

// head takes the scan of a source into the merged one.
func (m *merger) head(s *event.Scan) {
	if !m.shards[s.Shard] {
		m.shards[s.Shard] = true
		m.order = append(m.order, s.Shard)
	}
	if m.scan == nil {
		first := *s
		m.scan = &first
		return
	}
	if s.Started.Before(m.scan.Started) {
		m.scan.Started = s.Started
	}
	if m.scan.Config != s.Config {
		m.scan.Config = ""
	}
	if m.scan.Vantage == "" || s.Vantage == "" {
		m.scan.Vantage = ""
	} else if !slices.Contains(strings.Split(m.scan.Vantage, "+"), s.Vantage) {
		m.scan.Vantage += "+" + s.Vantage
	}
	if m.scan.Watch != s.Watch {
		m.scan.Watch = ""
	}
	if m.scan.Kind != s.Kind {
		m.scan.Kind = "" // some of it was contacted
	}
	if levels := strings.Split(string(m.scan.Level), "+"); !slices.Contains(levels, string(s.Level)) {
		m.scan.Level += "+" + s.Level
	}
}

// whole reports whether the shards are all parts of one order.
func (m *merger) whole() bool {
	first := m.streams[0].head
	if len(m.shards) == 0 {
		return false
	}
	_, total, _ := strings.Cut(first.Shard, "/")
	for _, x := range m.streams {
		if x.head.Seed != first.Seed || x.head.Config != first.Config {
			return false
		}
		if _, n, _ := strings.Cut(x.head.Shard, "/"); n != total {
			return false
		}
	}
	return total == strconv.Itoa(len(m.shards))
}

// pass emits the lines of a source; those of a target that comes again wait for
// the last of them.
func (m *merger) pass(s Source, x *stream, emit func(event.Event) error) error {
	return s.once(func(e event.Event) error {
		t, ok := e.(*event.Target)
		if !ok || x.superseded && t.Outcome == event.OutcomeInterrupted {
			return nil
		}
		id := spot(t.Target)
		if m.times[id] == 1 {
			if f := m.vantages.alone(t, x.head); f != nil {
				m.sum.Remove(t)
				more := *t
				more.Findings = with(t.Findings, f)
				m.sum.Add(&more)
				e = &more
			}
			return emit(e)
		}
		g := m.held[id]
		if g == nil {
			g = &group{}
			m.held[id] = g
		}
		g.lines, g.heads = append(g.lines, t), append(g.heads, x.head)
		if len(g.lines) < m.times[id] {
			return nil
		}
		delete(m.held, id)
		for _, t := range g.lines {
			m.sum.Remove(t)
		}
		merged := g.merge()
		for _, p := range g.unjudged(merged) {
			m.sum.AddUnlisted(&event.Unlisted{Count: 1, Targets: []event.Place{p}})
		}
		if f := m.vantages.several(g); f != nil {
			merged.Findings = with(merged.Findings, f)
		}
		m.sum.Add(merged)
		return emit(merged)
	})
}

// best is the index of the line that tells most, of those from the vantage of line i.
func (g *group) best(i int) int {
	best := i
	for k, t := range g.lines {
		b := g.lines[best]
		if g.heads[k].Vantage == g.heads[i].Vantage && (better(t, b) || !better(b, t) && !g.heads[k].Started.Before(g.heads[best].Started)) {
			best = k
		}
	}
	return best
}

// unjudged names the place once for each vantage that has a line for it and could not judge
// it, if the line of the group hides that: what is there from that vantage may be worse. Closed and
// silent are what that vantage sees.
func (g *group) unjudged(merged *event.Target) (out []event.Place) {
	if !merged.Judged() || Recognised(merged) && rank(merged) == 0 {
		return nil
	}
	done := map[string]bool{}
	for i, h := range g.heads {
		if done[h.Vantage] {
			continue
		}
		done[h.Vantage] = true
		t := g.lines[g.best(i)]
		if !t.Judged() && t.Outcome != event.OutcomeClosed && t.Outcome != event.OutcomeSilent {
			out = append(out, event.Place{Place: t.Target.Place(), Outcome: t.Why()})
		}
	}
	return out
}

// merge makes one line of a group.
func (g *group) merge() *event.Target {
	best := g.best(0)
	for i := range g.lines {
		// What is open from one vantage is open.
		if b := g.best(i); worse(g.lines[b], g.lines[best]) {
			best = b
		}
	}
	out := *g.lines[best]
	out.Findings = slices.Clone(out.Findings)
	out.Advisories = slices.Clone(out.Advisories)
	for i, t := range g.lines {
		if i == best {
			continue
		}
		for _, f := range t.Findings {
			if !has(out.Findings, f.Key) {
				// Its evidence is that of another line.
				f.Evidence = []string{}
				out.Findings = append(out.Findings, f)
			}
		}
		for _, a := range t.Advisories {
			if !slices.ContainsFunc(out.Advisories, func(b event.Advisory) bool { return a.ID == b.ID }) {
				out.Advisories = append(out.Advisories, a)
			}
		}
		for _, n := range t.AllNotes() {
			if !slices.Contains(out.Notes, n.English) {
				out.AddNotes(n)
			}
		}
		out.Requests += t.Requests
		out.Connections += t.Connections
	}
	return &out
}
