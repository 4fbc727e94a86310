package store

import (
	"context"
	"database/sql"
	"sync"
)

// group lets several changes share a commit: each commit waits for the disk, and many
// workers send at once.
type group struct {
	mu      sync.Mutex
	waiting []*member
	turn    chan struct{} // of one; held while some are written
}

// member is a change that is to be written.
type member struct {
	do   func(context.Context, *sql.Tx) error
	err  error
	done chan struct{}
}

func newGroup() *group { return &group{turn: make(chan struct{}, 1)} }

// take takes all that wait.
func (g *group) take() []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := g.waiting
	g.waiting = nil
	return out
}

// together runs do in a transaction, which others may share, and returns when it is
// written for good. Do may run twice: an error of it, or of another's, undoes all of them,
// and then each is run by itself. It reports what is only no error, such as a refusal,
// otherwise. If ctx ends first, it is not known whether it is written.
func (s *Store) together(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	g := s.group
	m := &member{do: do, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, m)
	g.mu.Unlock()
	select {
	case <-m.done:
		return m.err
	case <-ctx.Done():
		return ctx.Err()
	case g.turn <- struct{}{}:
	}
	// Others must not fail because this caller no longer waits.
	s.commit(context.WithoutCancel(ctx), g.take())
	<-g.turn
	<-m.done // by now, or by the one that had the turn before
	return m.err
}

// commit writes several changes.
func (s *Store) commit(ctx context.Context, all []*member) {
	if len(all) == 0 {
		return
	}
	err := s.change(ctx, func(tx *sql.Tx) error {
		for _, m := range all {
			if err := m.do(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	for _, m := range all {
		m.err = err
		if err != nil && len(all) > 1 {
			m.err = s.change(ctx, func(tx *sql.Tx) error { return m.do(ctx, tx) })
		}
		close(m.done)
	}
}
