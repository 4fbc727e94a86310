package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// deliver starts the tries that are due: for each place one after the other, so that one
// which fails or is slow holds up no other.
func (l *Loop) deliver(ctx context.Context, now time.Time) (next time.Time, err error) {
	// What is busy is noted before the store is asked: a try that ends in between must
	// not be begun again.
	l.mu.Lock()
	busy := maps.Clone(l.busy)
	l.mu.Unlock()
	open, err := l.db.Unfinished(ctx, maxOpen)
	if err != nil {
		return next, err
	}
	places := map[target]*place{}
	for i := range l.rules {
		for j := range l.rules[i].places {
			p := &l.rules[i].places[j]
			places[target{l.rules[i].Name, p.name}] = p
		}
	}
	due := map[target][]store.Delivery{}
	for _, d := range open {
		at := target{d.Rule, d.Sink}
		if places[at] == nil {
			l.warn("alert %q: a delivery to %s is given up: it is not in the configuration any more", clean.Text(d.Rule), clean.Text(d.Sink))
			if err := l.db.Failed(ctx, d.ID, now, errors.New("not in the configuration any more"), time.Time{}); err != nil {
				return next, err
			}
			continue
		}
		if busy[at] {
			continue // it wakes us
		}
		retry := d.Retry
		l.mu.Lock()
		if e, ok := l.ends[d.ID]; ok {
			retry = e.retry
		}
		l.mu.Unlock()
		// A clock that was set back must not make it wait for longer than ever.
		if retry.After(now) && !retry.After(now.Add(maxPause)) {
			if next.IsZero() || retry.Before(next) {
				next = retry
			}
			continue
		}
		due[at] = append(due[at], d)
	}
	for at, list := range due {
		l.mu.Lock()
		l.busy[at] = true
		l.mu.Unlock()
		l.workers.Go(func() {
			defer l.Wake()
			defer func() {
				l.mu.Lock()
				delete(l.busy, at)
				l.mu.Unlock()
			}()
			for _, d := range list {
				if ctx.Err() != nil {
					return
				}
				l.try(ctx, places[at], d)
			}
		})
	}
	return next, nil
}

// try sends one delivery once and records how that ended.
func (l *Loop) try(ctx context.Context, p *place, d store.Delivery) {
	l.mu.Lock()
	e := l.ends[d.ID]
	l.mu.Unlock()
	var reason error
	if !e.taken { // else it only was not recorded
		if reason = l.send(ctx, p, d); reason != nil && ctx.Err() != nil {
			return // it is sent again after the next start
		}
		e = end{taken: reason == nil}
	}
	now := l.now()
	var err error
	// What has ended is recorded though we are to end.
	record := context.WithoutCancel(ctx)
	if e.taken {
		e.retry = now.Add(firstPause) // of recording it
		l.note(d.ID, e)
		err = l.db.Delivered(record, d.ID)
	} else {
		text := scrub(reason.Error(), p.secrets)
		e.retry = now.Add(pause(d.Tries))
		shown := fmt.Sprintf("the next try is at %s", e.retry.UTC().Format(time.RFC3339))
		kept := e.retry
		if now.Sub(d.Begun) > maxAge {
			shown, kept = "it is given up", time.Time{}
		}
		l.note(d.ID, e)
		l.warn("alert %q to %s: %s; %s", clean.Text(d.Rule), clean.Text(d.Sink), text, shown)
		err = l.db.Failed(record, d.ID, now, errors.New(text), kept)
	}
	if err != nil {
		l.warn("alerts: a delivery is not recorded: %s", clean.Text(err.Error()))
		return
	}
	l.mu.Lock()
	delete(l.ends, d.ID)
	l.mu.Unlock()
}

func (l *Loop) note(id string, e end) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends[id] = e
}

// pause is how long is waited after so many earlier tries.
func pause(tries int) time.Duration {
	return min(firstPause<<min(tries, 20), maxPause)
}

func (l *Loop) send(ctx context.Context, p *place, d store.Delivery) error {
	body, err := l.db.Body(ctx, d.ID)
	if err != nil {
		return err
	}
	m := &message{document: &document{}, body: body, now: l.now(), texts: l.texts}
	if err := json.Unmarshal(body, m.document); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	return p.sink.send(ctx, m)
}
