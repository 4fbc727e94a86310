package stored

import (
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Merge makes one stream of several: the scans of parts, or of the same targets
// from several places. Lines of one target become one: findings with the same
// key are one finding, the rest is that of the line that tells most, of the later
// scan if two tell the same. One source is passed on as it is.
//
// Each of several sources is read twice. Memory depends on the number of targets
// listed (some 100 bytes each), and on the lines that come more than once.
func Merge(sources []Source, emit func(event.Event) error) error {
	if len(sources) == 1 {
		return sources[0].once(emit)
	}
	m := &merger{times: map[string]int{}, held: map[string]*group{}, sum: newSummary()}
	for _, s := range sources {
		if err := m.survey(s); err != nil {
			return err
		}
	}
	if m.scan != nil {
		m.scan.Shard = strings.Join(m.shards, "+")
		if m.whole() {
			m.scan.Shard = "1/1"
		}
		if err := emit(event.Event{Scan: m.scan}); err != nil {
			return err
		}
	}
	for i, s := range sources {
		if err := m.pass(s, m.started[i], emit); err != nil {
			return err
		}
	}
	return emit(event.Event{Summary: m.sum})
}

type merger struct {
	times   map[string]int    // how often a target's line comes
	held    map[string]*group // lines that come again
	scan    *event.Scan
	sum     *event.Summary
	started []time.Time // of each source
	shards  []string
	seeds   []uint64
}

// group is the lines of one target.
type group struct {
	lines   []*event.Target
	started []time.Time
}

// survey counts the lines of a source and adds up its numbers.
func (m *merger) survey(s Source) error {
	var started time.Time
	var summary *event.Summary
	listed := newSummary()
	err := s.once(func(e event.Event) error {
		switch {
		case e.Scan != nil:
			started = e.Scan.Started
			m.head(e.Scan)
		case e.Target != nil:
			m.times[spot(e.Target.Target)]++
			tally(listed, e.Target, 1)
		case e.Summary != nil:
			summary = e.Summary
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.started = append(m.started, started)
	if summary == nil { // cut off: what is listed is all that is known
		m.sum.Complete = false
		summary = listed
	}
	m.add(summary)
	return nil
}

// head takes the scan of a source into the merged one.
func (m *merger) head(s *event.Scan) {
	m.seeds = append(m.seeds, s.Seed)
	if !slices.Contains(m.shards, s.Shard) {
		m.shards = append(m.shards, s.Shard)
	}
	if m.scan == nil {
		first := *s
		m.scan = &first
		return
	}
	if s.Started.Before(m.scan.Started) {
		m.scan.Started = s.Started
	}
	if levels := strings.Split(m.scan.Level, "+"); !slices.Contains(levels, s.Level) {
		m.scan.Level += "+" + s.Level
	}
}

// whole reports whether the shards are all parts of one order.
func (m *merger) whole() bool {
	if len(m.shards) == 0 {
		return false
	}
	_, total, _ := strings.Cut(m.shards[0], "/")
	for _, s := range m.shards {
		if _, n, _ := strings.Cut(s, "/"); n != total {
			return false
		}
	}
	for _, seed := range m.seeds {
		if seed != m.seeds[0] {
			return false
		}
	}
	return total == itoa(len(m.shards))
}

func (m *merger) add(s *event.Summary) {
	m.sum.Targets += s.Targets
	for from, to := range map[*map[string]int]map[string]int{&s.Outcomes: m.sum.Outcomes, &s.Auth: m.sum.Auth, &s.Findings: m.sum.Findings} {
		for k, n := range *from {
			count(to, k, n)
		}
	}
	m.sum.Suppressed += s.Suppressed
	m.sum.Complete = m.sum.Complete && s.Complete
	m.sum.MissEstimate.Reprobed += s.MissEstimate.Reprobed
	m.sum.MissEstimate.Found += s.MissEstimate.Found
	m.sum.MissEstimate.Missed += s.MissEstimate.Missed
	m.sum.MissEstimate.MissedAtMost += s.MissEstimate.MissedAtMost
	m.sum.Notes = append(m.sum.Notes, s.Notes...)
	if s.Finished.After(m.sum.Finished) {
		m.sum.Finished = s.Finished
	}
}

// pass emits the lines of a source; those of a target that comes again wait for
// the last of them.
func (m *merger) pass(s Source, started time.Time, emit func(event.Event) error) error {
	return s.once(func(e event.Event) error {
		if e.Target == nil {
			return nil
		}
		id := spot(e.Target.Target)
		if m.times[id] == 1 {
			return emit(e)
		}
		g := m.held[id]
		if g == nil {
			g = &group{}
			m.held[id] = g
		}
		g.lines, g.started = append(g.lines, e.Target), append(g.started, started)
		if len(g.lines) < m.times[id] {
			return nil
		}
		delete(m.held, id)
		for _, t := range g.lines {
			tally(m.sum, t, -1)
		}
		merged := g.merge()
		tally(m.sum, merged, 1)
		return emit(event.Event{Target: merged})
	})
}

// merge makes one line of a group.
func (g *group) merge() *event.Target {
	best := 0
	for i, t := range g.lines {
		b := g.lines[best]
		if better(t, b) || !better(b, t) && !g.started[i].Before(g.started[best]) {
			best = i
		}
	}
	out := *g.lines[best]
	out.Findings = slices.Clone(out.Findings)
	out.Advisories = slices.Clone(out.Advisories)
	out.Notes = slices.Clone(out.Notes)
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
		for _, n := range t.Notes {
			if !slices.Contains(out.Notes, n) {
				out.Notes = append(out.Notes, n)
			}
		}
		out.Requests += t.Requests
		out.Connections += t.Connections
	}
	return &out
}
