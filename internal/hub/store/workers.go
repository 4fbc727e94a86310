package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// ErrWorkerExists says that a worker of that name, or of that key, is good already.
var ErrWorkerExists = errors.New("a worker of that name exists")

// AddWorker keeps a worker: Name, Vantage, Key and Made count. ErrWorkerExists if one of
// that name is not revoked.
func (s *Store) AddWorker(ctx context.Context, w Worker) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `INSERT INTO worker (key, name, vantage, made, revoked, seen, version, doing, refused, why)
			VALUES ($1, $2, $3, $4, 0, 0, '', '', 0, '') ON CONFLICT DO NOTHING`, w.Key, w.Name, w.Vantage, ms(w.Made))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrWorkerExists, err)
		}
		return nil
	})
}

// Workers returns all workers, by name and the latest first, those that are revoked
// included.
func (s *Store) Workers(ctx context.Context) ([]Worker, error) {
	return s.workers(ctx, `ORDER BY name, made DESC, key`)
}

// WorkerOf returns the worker of a key, or ErrNotFound, also if it is revoked.
func (s *Store) WorkerOf(ctx context.Context, key string) (Worker, error) {
	list, err := s.workers(ctx, `WHERE key = $1 AND revoked = 0`, key)
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	return append(list, Worker{})[0], err
}

func (s *Store) workers(ctx context.Context, where string, args ...any) (out []Worker, err error) {
	err = s.each(ctx, `SELECT key, name, vantage, made, revoked, seen, version, doing, refused, why FROM worker `+where, args, func(r *sql.Rows) error {
		var w Worker
		var made, revoked, seen, refused int64
		err := r.Scan(&w.Key, &w.Name, &w.Vantage, &made, &revoked, &seen, &w.Version, &w.Doing, &refused, &w.Why)
		w.Made, w.Revoked, w.Seen, w.Refused = at(made), at(revoked), at(seen), at(refused)
		out = append(out, w)
		return err
	})
	return out, err
}

// RevokeWorker makes the key of a worker good for nothing.
func (s *Store) RevokeWorker(ctx context.Context, name string, now time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		return found(tx.ExecContext(ctx, `UPDATE worker SET revoked = $1 WHERE name = $2 AND revoked = 0`, ms(now), name))
	})
}

// SawWorker notes that a worker that is not revoked was heard of, and what it says that it
// is and does.
func (s *Store) SawWorker(ctx context.Context, name, version, doing string, now time.Time) error {
	return s.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE worker SET seen = $1, version = $2, doing = $3 WHERE name = $4 AND revoked = 0 AND seen <= $1`,
			ms(now), text(version, maxName), text(doing, maxName), name)
		return err
	})
}

// RefusedWorker notes why the hub refused a request of a worker that is not revoked; with ""
// that it refuses it no more.
func (s *Store) RefusedWorker(ctx context.Context, name, why string, now time.Time) error {
	if why == "" {
		now = time.Time{}
	}
	return s.together(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE worker SET refused = $1, why = $2 WHERE name = $3 AND revoked = 0`, ms(now), text(why, maxError), name)
		return err
	})
}
