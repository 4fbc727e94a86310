package stored

import (
	"errors"
	"maps"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
)

// before is what is kept of a gateway in the older scan.
type before struct {
	Known
	line *event.Target // without what is not needed
}

// Diff emits the stream of what is different in the newer scan: its targets of
// which something changed, with the findings that were opened or are gone, marked
// so (see event.Finding), and the new advisories. Memory depends on the number of
// gateways in the older scan.
//
// Of two streams whose vantages differ, opened is what the second one has alone, and
// closed what the first one has alone: see event.Scan.Vantages.
//
// A finding counts as gone only if the newer scan could have shown it. What the
// newer scan could not judge has a line even if that is as it was: it is no sign
// that all is well.
func Diff(older, newer Source, checks []event.CheckInfo, emit func(event.Event) error) error {
	d := &differ{look: NewLook("", checks), old: map[string]*before{}, sum: newSummary(), emit: emit}
	d.sum.Diff = &event.Diff{}
	whole, first := false, newSummary()
	err := older.once(func(e event.Event) error {
		switch e := e.(type) {
		case *event.Scan:
			d.compared = &event.Compared{Tool: e.Tool, Started: e.Started, Vantage: e.Vantage}
		case *event.Target:
			d.remember(e)
			if !e.Judged() {
				first.AddUnlisted(&event.Unlisted{Count: 1, Targets: []event.Place{{Place: e.Target.Place(), Outcome: e.Why()}}})
			}
		case *event.Summary:
			whole = e.Complete
			first.AddUnlisted(e.Unlisted)
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.sum.Complete = false
	across := false
	err = newer.once(func(e event.Event) error {
		switch e := e.(type) {
		case *event.Scan:
			scan := *e
			scan.Compared = d.compared
			if scan.Compared == nil {
				scan.Compared = &event.Compared{}
			}
			d.look.Level, d.begun = scan.Level, true
			_, _, across = scan.Vantages()
			return emit(&scan)
		case *event.Target:
			return d.compare(e)
		case *event.Summary:
			d.sum.Finished, d.sum.Complete, d.sum.Unlisted = e.Finished, whole && e.Complete, e.Unlisted
			if across { // what the first one could not judge is as unknown as what the second one could not
				d.sum.AddUnlisted(first.Unlisted)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !d.begun {
		return errors.New("the newer stream does not begin with a scan: give a stream that scan wrote with -o jsonl=FILE")
	}
	left := slices.Collect(maps.Values(d.old))
	slices.SortFunc(left, func(a, b *before) int { return byAddress(a.line.Target, b.line.Target) })
	for _, b := range left {
		if b.Seen() {
			continue
		}
		// The newer scan may have found it closed or silent within a range, or not
		// have asked.
		if err := d.compare(&event.Target{Type: event.TypeTarget, Target: b.line.Target, Outcome: event.OutcomeAbsent, Product: b.line.Product, Version: b.line.Version, Files: b.line.Files}); err != nil {
			return err
		}
	}
	return emit(d.sum)
}

type differ struct {
	look     *Look
	old      map[string]*before
	compared *event.Compared
	begun    bool
	sum      *event.Summary
	emit     func(event.Event) error
}

// remember keeps a gateway of the older scan.
func (d *differ) remember(t *event.Target) {
	if !Recognised(t) {
		return
	}
	id := Place(t.Target)
	b := d.old[id]
	if b == nil {
		b = &before{}
		d.old[id] = b
	}
	if b.Add(t) {
		b.line = &event.Target{Target: t.Target, Files: t.Files, Outcome: t.Outcome, Product: t.Product, Version: t.Version, Auth: t.Auth}
	}
}

// compare emits a line of the newer scan, if something is different, or if it is not
// judged.
func (d *differ) compare(t *event.Target) error {
	b := d.old[Place(t.Target)]
	var news News
	switch {
	case b != nil:
		news = d.look.Compare(&b.Known, t)
	case Recognised(t):
		news = d.look.Compare(&Known{}, t)
	}
	if news.None() && t.Judged() {
		return nil
	}
	out := *t
	out.Findings, out.Advisories, out.Changes = news.Findings, news.Advisories, news.Changes
	return d.put(&out)
}

func (d *differ) put(t *event.Target) error {
	if len(t.Changes) > 0 {
		d.sum.Diff.Changed++
	}
	for i := range t.Findings {
		switch t.Findings[i].Change {
		case event.Opened:
			d.sum.Diff.Opened++
		case event.Closed:
			d.sum.Diff.Closed++
		case event.Unseen:
			d.sum.Diff.Unseen++
		}
	}
	d.sum.Diff.Advisories += len(t.Advisories)
	d.sum.Add(t)
	return d.emit(t)
}
