package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// postures are the targets that were compared with what was declared, the first of
// each result.
type postures struct {
	of   map[event.PostureResult][]*event.Target
	more int
}

func (p *postures) add(e event.Event) {
	t, ok := e.(*event.Target)
	if !ok || t.Posture == nil {
		return
	}
	if p.of == nil {
		p.of = map[event.PostureResult][]*event.Target{}
	}
	result := t.Posture.Result
	if !slices.Contains(event.PostureResults(), result) {
		result = event.PostureNotJudged
	}
	if len(p.of[result]) == maxRows {
		p.more++
		return
	}
	p.of[result] = append(p.of[result], t)
}

// sorted are the targets, worst first.
func (p *postures) sorted() []*event.Target {
	var out []*event.Target
	for _, r := range event.PostureResults() {
		slices.SortStableFunc(p.of[r], func(a, b *event.Target) int {
			return cmp.Or(cmp.Compare(alarm(a), alarm(b)), address(a.Target).Compare(address(b.Target)), cmp.Compare(where(a.Target), where(b.Target)))
		})
		out = append(out, p.of[r]...)
	}
	return out
}

// declared writes what was declared beside what is seen, one row a target, and below
// it what differs.
func (t *table) declared(all []*event.Target) {
	c := t.c
	configured := slices.ContainsFunc(all, func(x *event.Target) bool { return x.Posture.Configured != nil })
	head := []cell{{c.say("RESULT"), plain}, {c.say("TARGET"), plain}, {c.say("DECLARED"), plain}}
	if configured {
		head = append(head, cell{c.say("CONFIGURED"), plain})
	}
	rows := [][]cell{append(head, cell{c.say("SEEN"), plain})}
	for _, x := range all {
		seen, mood := c.verdict(x)
		row := []cell{t.compared(x), {t.ascii(x.Target.Place(), 120), plain}, {t.ascii(c.meant(x.Posture), 80), plain}}
		if configured {
			row = append(row, cell{t.ascii(c.set(x.Posture.Configured), 80), plain})
		}
		rows = append(rows, append(row, cell{t.ascii(seen, 60), mood}))
	}
	if len(all) > 0 {
		t.grid(rows, t.width)
	}
	if t.postures.more > 0 {
		t.prose(0, c.join(c.say("... and %d more.", t.postures.more), c.elsewhere()), plain)
	}
	if len(all) > 0 {
		t.line("")
	}
	for _, x := range all {
		notes := x.Posture.AllNotes()
		if len(notes) == 0 {
			continue
		}
		t.prose(0, c.say("%s (%s)", t.ascii(x.Target.Place(), 120), t.ascii(x.Posture.At, 120)), strong)
		for _, n := range notes[:min(len(notes), maxFindings)] {
			t.prose(2, t.ascii(c.messages(n.English, n.Message), clean.Limit), plain)
		}
		t.line("")
	}
	s := t.totals()
	for _, n := range s.AllNotes() {
		t.prose(0, c.say("Note: %s", t.ascii(c.messages(n.English, n.Message), clean.Limit)), doubt)
	}
	mood := good
	switch {
	case s.Posture[event.PostureBreach] > 0:
		mood = worst
	case s.Posture[event.PostureNotJudged] > 0 || t.summary == nil || !s.Complete:
		mood = doubt
	}
	total := c.say("%d not as declared, %d not judged, %d as declared.", s.Posture[event.PostureBreach], s.Posture[event.PostureNotJudged], s.Posture[event.PostureOK])
	if len(all) > 0 {
		total = c.join(total, c.say("Vantage: %s.", t.ascii(all[0].Posture.Vantage, 40)))
	}
	t.prose(0, total, mood)
	if t.o.Verbose {
		t.line("")
	}
}

// compared is the result as a cell.
func (t *table) compared(x *event.Target) cell {
	switch x.Posture.Result {
	case event.PostureOK:
		return cell{t.c.say("as declared"), good}
	case event.PostureBreach:
		return cell{t.c.say("BREACH"), worst}
	}
	return cell{t.c.say("not judged"), doubt}
}

// meant names what was declared.
func (c *catalogue) meant(p *event.Posture) string {
	if len(p.Declared) == 0 {
		return c.say("not listed")
	}
	var words []string
	for _, w := range p.Declared {
		words = append(words, cmp.Or(c.state(event.AuthState(w)), c.outcome(w)))
	}
	return c.enumerate(words)
}

// set names what the files say of the way to a target.
func (c *catalogue) set(f *event.Configured) string {
	if f == nil {
		return "-"
	}
	words := slices.DeleteFunc([]string{string(f.Mode), f.Bind}, func(s string) bool { return s == "" })
	text := cmp.Or(c.state(f.Way.Auth), string(f.Way.Auth))
	if f.Way.Through != "" {
		text = c.say("%s through %s", text, f.Way.Through)
	}
	if len(words) > 0 {
		text = c.say("%s (%s)", text, strings.Join(words, c.say(", ")))
	}
	return text
}
