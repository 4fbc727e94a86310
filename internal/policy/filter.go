package policy

import (
	"maps"
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// Baseline is what was known before: the keys of findings. Its memory depends on
// the number of findings. The zero value holds none.
type Baseline struct {
	keys map[string]bool
}

// Event takes one event of the stored stream.
func (b *Baseline) Event(e event.Event) {
	t, ok := e.(*event.Target)
	if !ok {
		return
	}
	if b.keys == nil {
		b.keys = map[string]bool{}
	}
	for i := range t.Findings {
		// In a comparison, what is gone is no longer known.
		if f := &t.Findings[i]; f.Key != "" && (f.Active() || f.Suppressed != "") {
			b.keys[f.Key] = true
		}
	}
}

// Filter marks the findings that an ignore file or a baseline suppresses. They
// stay in the stream. It goes before the gate and the reports.
type Filter struct {
	Ignore   *Ignore   // nil: none
	Baseline *Baseline // nil: none
	Now      time.Time // decides which entries have ended

	taken map[event.Severity]int // suppressed here
}

// Event returns the event as it is passed on; the one given is not changed.
func (f *Filter) Event(e event.Event) event.Event {
	switch e := e.(type) {
	case *event.Target:
		if f.Ignore == nil && f.Baseline == nil {
			return e
		}
		t := *e
		t.Findings = slices.Clone(t.Findings)
		for i := range t.Findings {
			f.finding(t.Target, &t.Findings[i])
		}
		return &t
	case *event.Summary:
		s := *e
		s.Findings = maps.Clone(s.Findings)
		s.Suppress(f.taken)
		s.AddNotes(f.Notes()...)
		return &s
	}
	return e
}

func (f *Filter) finding(a event.Address, x *event.Finding) {
	var why message.Text
	if f.Ignore != nil {
		why = f.Ignore.find(a, x.ID, f.Now) // also of those that are no reason, so that no entry seems unused
	}
	if !x.Active() {
		return
	}
	if why.English == "" && f.Baseline != nil && f.Baseline.keys[x.Key] {
		why.English = "baseline"
	}
	if why.English == "" {
		return
	}
	x.Suppress(why)
	if f.taken == nil {
		f.taken = map[event.Severity]int{}
	}
	f.taken[x.Severity]++
}

// Notes say which entries of the ignore file have ended or match nothing; call it
// after the last target.
func (f *Filter) Notes() []message.Text {
	if f.Ignore == nil {
		return nil
	}
	return f.Ignore.notes(f.Now)
}
