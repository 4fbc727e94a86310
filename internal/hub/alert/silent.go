package alert

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// silences tells of each watch that has not completed a run in time: once, and once more
// when it is back.
func (l *Loop) silences(ctx context.Context, now time.Time) (next time.Time, err error) {
	for i := range l.rules {
		r := &l.rules[i]
		if !r.wants(config.SilentWatch) {
			continue
		}
		told, err := l.db.Silent(ctx, r.Name)
		if err != nil {
			return next, err
		}
		for _, of := range l.config.Watches {
			if !r.about(of.Name) {
				continue
			}
			for _, name := range of.Runs() {
				due, err := l.silence(ctx, r, told, name, cmp.Or(r.After, 2*of.Every), now)
				if err != nil {
					return next, err
				}
				if !due.IsZero() && (next.IsZero() || due.Before(next)) {
					next = due
				}
			}
		}
	}
	return next, nil
}

// silence tells of one watch that has not completed a run in time, or is back; due is when
// it would be silent.
func (l *Loop) silence(ctx context.Context, r *rule, told map[string]time.Time, name string, after time.Duration, now time.Time) (due time.Time, err error) {
	last, err := l.db.LastComplete(ctx, name)
	if err != nil {
		return due, err
	}
	w := watch{Name: clean.Text(name), Since: l.past(name, last, now), Never: last.IsZero()}
	if w.Never {
		if w.Since, err = l.db.Watched(ctx, name, now.Truncate(time.Millisecond)); err != nil {
			return due, err
		}
	}
	since, was := told[name]
	silent := now.Sub(w.Since) > after
	switch {
	case silent && !was:
		err = l.beginSilence(ctx, r, store.Silence{Watch: name, Since: w.Since}, w, now, eventSilent, w.Since)
	case !silent && was:
		back := w
		back.Since, back.Back, back.Never = since, &last, false
		err = l.beginSilence(ctx, r, store.Silence{Watch: name}, back, now, eventBack, since)
	}
	if !silent {
		due = w.Since.Add(after + time.Millisecond)
	}
	return due, err
}

// past is when a run ended that the clock says is yet to end: when it was first seen. The
// clock was set back since, and how long ago it ended is not known.
func (l *Loop) past(name string, last, now time.Time) time.Time {
	if !last.After(now) {
		return last
	}
	if a := l.ahead[name]; !a.last.Equal(last) || a.seen.After(now) {
		l.ahead[name] = ahead{last, now}
	}
	return l.ahead[name].seen
}

func (l *Loop) beginSilence(ctx context.Context, r *rule, s store.Silence, w watch, now time.Time, event string, since time.Time) error {
	d := &document{Schema: version, Rule: clean.Text(r.Name), Event: event, At: now, URL: l.link("/runs"), Watch: &w}
	return l.begin(ctx, r, store.Digest{Silence: &s}, d, []string{event, s.Watch, strconv.FormatInt(since.UnixMilli(), 10)})
}
