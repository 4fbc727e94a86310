package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Notes returns the notes about a place, the latest first, those that are over
// included.
func (s *Store) Notes(ctx context.Context, place string) (out []Note, err error) {
	err = s.each(ctx, `SELECT id, place, author, written, text, until FROM note WHERE place = $1 ORDER BY written DESC, id DESC`, []any{place}, func(r *sql.Rows) error {
		var n Note
		var written, until int64
		if err := r.Scan(&n.ID, &n.Place, &n.Author, &written, &n.Text, &until); err != nil {
			return err
		}
		n.Written, n.Until = at(written), at(until)
		out = append(out, n)
		return nil
	})
	return out, err
}

// MaxNote is how long a note may be, in bytes.
const MaxNote = 4000

// AddNote keeps a note. Its ID is made here.
func (s *Store) AddNote(ctx context.Context, n Note) error {
	if n.Text == "" || len(n.Text) > MaxNote {
		return errors.New("a note has 1 to 4000 bytes")
	}
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO note (id, place, author, written, text, until)
			SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5 FROM note`,
			n.Place, text(n.Author, 200), ms(n.Written), text(n.Text, MaxNote), ms(n.Until))
		return err
	})
}

// EndNote makes a note end at a time.
func (s *Store) EndNote(ctx context.Context, id int64, t time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE note SET until = $1 WHERE id = $2 AND (until = 0 OR until > $1)`, ms(t), id)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err == nil && n == 0 {
			return ErrNotFound
		}
		return nil
	})
}
