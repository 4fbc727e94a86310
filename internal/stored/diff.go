package stored

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// before is what is kept of a gateway in the older scan.
type before struct {
	line     *event.Target // without what is not needed
	found    bool          // the newer scan has a line for it
	ips      []string      // a name may stand for several
	verdict  string
	release  message.Text
	findings []event.Finding // those that stand
	known    map[string]bool // ids of advisories
}

// Diff emits the stream of what is different in the newer scan: its targets of
// which something changed, with the findings that were opened or are gone, marked
// so (see event.Finding), and the new advisories. Memory depends on the number of
// gateways in the older scan.
//
// A finding counts as gone only if the newer scan could have shown it. What the
// newer scan could not judge has a line even if that is as it was: it is no sign
// that all is well.
func Diff(older, newer Source, checks []event.CheckInfo, emit func(event.Event) error) error {
	d := &differ{checks: map[string]event.CheckInfo{}, old: map[string]*before{}, sum: newSummary(), emit: emit}
	for _, r := range checks {
		d.checks[r.ID] = r
	}
	d.sum.Diff = &event.Diff{}
	whole := false
	err := older.once(func(e event.Event) error {
		switch e := e.(type) {
		case *event.Scan:
			d.compared = &event.Compared{Tool: e.Tool, Started: e.Started}
		case *event.Target:
			d.remember(e)
		case *event.Summary:
			whole = e.Complete
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.sum.Complete = false
	err = newer.once(func(e event.Event) error {
		switch e := e.(type) {
		case *event.Scan:
			scan := *e
			scan.Compared = d.compared
			if scan.Compared == nil {
				scan.Compared = &event.Compared{}
			}
			d.level, d.begun = scan.Level, true
			return emit(&scan)
		case *event.Target:
			return d.compare(e)
		case *event.Summary:
			d.sum.Finished, d.sum.Complete, d.sum.Unlisted = e.Finished, whole && e.Complete, e.Unlisted
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
		if b.found {
			continue
		}
		// The newer scan may have found it closed or silent within a range, or not
		// have asked.
		if err := d.gone(b, &event.Target{Type: event.TypeTarget, Target: b.line.Target, Outcome: event.OutcomeAbsent, Product: b.line.Product, Version: b.line.Version, Files: b.line.Files}); err != nil {
			return err
		}
	}
	return emit(d.sum)
}

type differ struct {
	checks   map[string]event.CheckInfo
	old      map[string]*before
	compared *event.Compared
	level    event.Level
	begun    bool
	sum      *event.Summary
	emit     func(event.Event) error
}

// remember keeps a gateway of the older scan. Of several lines for one place it
// keeps the findings of all.
func (d *differ) remember(t *event.Target) {
	if !recognised(t) {
		return
	}
	id := place(t.Target)
	b := d.old[id]
	if b == nil {
		b = &before{known: map[string]bool{}}
		d.old[id] = b
	}
	if !slices.Contains(b.ips, t.Target.IP) {
		b.ips = append(b.ips, t.Target.IP)
	}
	if b.line == nil || better(t, b.line) {
		b.line = &event.Target{Target: t.Target, Files: t.Files, Outcome: t.Outcome, Product: t.Product, Version: t.Version, Auth: t.Auth}
		b.verdict, b.release = verdict(t), release(t)
	}
	for i := range t.Findings {
		if f := &t.Findings[i]; f.Active() && !has(b.findings, f.Key) {
			b.findings = append(b.findings, *f)
		}
	}
	for i := range t.Advisories {
		b.known[t.Advisories[i].ID] = true
	}
}

// compare emits a line of the newer scan, if something is different.
func (d *differ) compare(t *event.Target) error {
	b := d.old[place(t.Target)]
	if b == nil {
		if !recognised(t) {
			return d.unjudged(t)
		}
		b = &before{known: map[string]bool{}}
		out := d.changed(b, t)
		out.Changes = []event.Change{{What: event.ChangedTarget, New: verdict(t)}}
		return d.put(out)
	}
	again := b.found
	b.found = true
	if !recognised(t) {
		if again {
			return d.unjudged(t)
		}
		out := *t
		return d.gone(b, &out)
	}
	out := d.changed(b, t)
	if again {
		// The findings that are missing have been said with the first line.
		out.Findings = slices.DeleteFunc(out.Findings, func(f event.Finding) bool { return !f.Active() })
	}
	if now := verdict(t); now != b.verdict {
		out.Changes = append(out.Changes, event.Change{What: event.ChangedVerdict, Old: b.verdict, New: now})
	}
	if now := release(t); now.English != b.release.English {
		out.Changes = append(out.Changes, event.Change{What: event.ChangedRelease, Old: b.release.English, New: now.English,
			OldMessage: made(b.release), NewMessage: made(now)})
	}
	if len(out.Changes)+len(out.Findings)+len(out.Advisories) == 0 {
		return d.unjudged(out)
	}
	return d.put(out)
}

// unjudged emits a line of which nothing is different, if it is not judged.
func (d *differ) unjudged(t *event.Target) error {
	if t.Judged() {
		return nil
	}
	out := *t
	out.Findings, out.Advisories, out.Changes = nil, nil, nil
	return d.put(&out)
}

// changed returns the line with what is different in findings and advisories.
func (d *differ) changed(b *before, t *event.Target) *event.Target {
	out := *t
	out.Findings, out.Advisories, out.Changes = nil, nil, nil
	for _, f := range t.Findings {
		if f.Active() && !has(b.findings, f.Key) {
			f.Change = event.Opened
			out.Findings = append(out.Findings, f)
		}
	}
	for _, f := range b.findings {
		if !has(t.Findings, f.Key) {
			out.Findings = append(out.Findings, d.past(f, b, t))
		}
	}
	for _, a := range t.Advisories {
		if a.Suppressed == "" && !b.known[a.ID] {
			out.Advisories = append(out.Advisories, a)
		}
	}
	return &out
}

// past marks a finding of the older scan that a line of the newer one does not
// have. Where a name stood for several addresses, another of them may have it.
func (d *differ) past(f event.Finding, b *before, t *event.Target) event.Finding {
	r := d.checks[f.ID]
	f.Evidence = []string{} // it is not in the newer scan
	if ok, _ := r.Judged(d.level, t); ok && len(b.ips) == 1 {
		f.Change = event.Closed
	} else {
		f.Change = event.Unseen
	}
	return f
}

// gone emits the line of what was a gateway and is none now.
func (d *differ) gone(b *before, t *event.Target) error {
	t.Changes = []event.Change{{What: event.ChangedTarget, Old: b.verdict}}
	t.Findings, t.Advisories = nil, nil
	for _, f := range b.findings {
		t.Findings = append(t.Findings, d.past(f, b, t))
	}
	return d.put(t)
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

// verdict is the auth state of a gateway, in the words of the summary.
func verdict(t *event.Target) string {
	if t.Auth == nil {
		return "auth unclear"
	}
	if t.Refuses() && t.Auth.State != event.AuthOpen {
		return "does not start"
	}
	words := map[event.AuthState]string{
		event.AuthRequired: "auth required", event.AuthGated: "gated in front", event.AuthBlocked: "refusing the proxy", event.AuthUnknown: "auth unclear",
	}
	return cmp.Or(words[t.Auth.State], string(t.Auth.State))
}

func release(t *event.Target) message.Text {
	said := t.Version.Said()
	said.English = cmp.Or(said.English, "release unknown")
	return said
}

// made is what a text was made of, if it has arguments.
func made(t message.Text) *message.Message {
	if t.ID == "" {
		return nil
	}
	return &t.Message
}
