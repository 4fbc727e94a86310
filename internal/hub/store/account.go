package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Token is an account of a program or a person. The secret itself is not kept.
type Token struct {
	ID      int64
	Name    string // of no other that is not revoked
	Role    string
	Made    time.Time
	Used    time.Time // to the minute; zero for never
	Revoked time.Time // zero while it is good
}

// ErrNameTaken says that a token of that name is good already.
var ErrNameTaken = errors.New("a token of that name exists")

// AddToken keeps a token by the hash of its secret. Its ID is made here.
func (s *Store) AddToken(ctx context.Context, t Token, hash string) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `INSERT INTO token (id, name, role, hash, made, used, revoked)
			VALUES ($1, $2, $3, $4, $5, 0, 0) ON CONFLICT DO NOTHING`, unique(t.Made), t.Name, t.Role, hash, ms(t.Made))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNameTaken, err)
		}
		return nil
	})
}

// unique is a number for something of that time, which no other has: it sorts by time.
func unique(t time.Time) int64 { return t.UnixMilli()<<22 | rand.Int64N(1<<22) }

const tokenColumns = `id, name, role, made, used, revoked`

func scanToken(r *sql.Rows) (t Token, hash string, err error) {
	var made, used, revoked int64
	err = r.Scan(&t.ID, &t.Name, &t.Role, &made, &used, &revoked, &hash)
	t.Made, t.Used, t.Revoked = at(made), at(used), at(revoked)
	return t, hash, err
}

// Tokens returns all tokens, the latest first, those that are revoked included.
func (s *Store) Tokens(ctx context.Context) (out []Token, err error) {
	err = s.each(ctx, `SELECT `+tokenColumns+`, hash FROM token ORDER BY id DESC`, nil, func(r *sql.Rows) error {
		t, _, err := scanToken(r)
		out = append(out, t)
		return err
	})
	return out, err
}

// HaveTokens reports whether a token was ever made.
func (s *Store) HaveTokens(ctx context.Context) (have bool, err error) {
	err = s.each(ctx, `SELECT 1 FROM token LIMIT 1`, nil, func(*sql.Rows) error { have = true; return nil })
	return have, err
}

// TokenOf returns the token whose secret has a hash, and the hash as it is kept; or
// ErrNotFound, also for one that is revoked.
func (s *Store) TokenOf(ctx context.Context, hash string) (t Token, kept string, err error) {
	found := false
	err = s.each(ctx, `SELECT `+tokenColumns+`, hash FROM token WHERE hash = $1 AND revoked = 0`, []any{hash}, func(r *sql.Rows) (err error) {
		found = true
		t, kept, err = scanToken(r)
		return err
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return t, kept, err
}

// UsedToken notes when a token was used.
func (s *Store) UsedToken(ctx context.Context, id int64, t time.Time) error {
	return s.exec(ctx, `UPDATE token SET used = $1 WHERE id = $2 AND used < $1`, ms(t), id)
}

// RevokeToken makes the token of a name good for nothing, and ends its sessions.
func (s *Store) RevokeToken(ctx context.Context, name string, t time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM session WHERE token IN (SELECT id FROM token WHERE name = $1 AND revoked = 0)`, name); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, `UPDATE token SET revoked = $1 WHERE name = $2 AND revoked = 0`, ms(t), name)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		return nil
	})
}

// Session is a login of a browser.
type Session struct {
	Token      int64 // by which it logged in; 0 if an identity provider answers for it
	Name, Role string
	Made, Used time.Time // Used to the minute
}

// AddSession keeps a session by the hash of its secret.
func (s *Store) AddSession(ctx context.Context, v Session, hash string) error {
	return s.exec(ctx, `INSERT INTO session (hash, token, name, role, made, used) VALUES ($1, $2, $3, $4, $5, $5)`,
		hash, v.Token, text(v.Name, maxName), v.Role, ms(v.Made))
}

// maxName is how long the name of somebody may be, in bytes.
const maxName = 200

// SessionOf returns the session whose secret has a hash, or ErrNotFound, also if its
// token is revoked. How old it may be is for the caller to say.
func (s *Store) SessionOf(ctx context.Context, hash string) (v Session, err error) {
	found := false
	err = s.each(ctx, `SELECT token, name, role, made, used FROM session WHERE hash = $1 AND
		(token = 0 OR EXISTS (SELECT 1 FROM token WHERE token.id = session.token AND token.revoked = 0))`, []any{hash}, func(r *sql.Rows) error {
		found = true
		var made, used int64
		err := r.Scan(&v.Token, &v.Name, &v.Role, &made, &used)
		v.Made, v.Used = at(made), at(used)
		return err
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return v, err
}

// UsedSession notes when a session was used.
func (s *Store) UsedSession(ctx context.Context, hash string, t time.Time) error {
	return s.exec(ctx, `UPDATE session SET used = $1 WHERE hash = $2 AND used < $1`, ms(t), hash)
}

// EndSession forgets a session.
func (s *Store) EndSession(ctx context.Context, hash string) error {
	return s.exec(ctx, `DELETE FROM session WHERE hash = $1`, hash)
}

// EndProviderSessions forgets the sessions that an identity provider answers for.
func (s *Store) EndProviderSessions(ctx context.Context) error {
	return s.exec(ctx, `DELETE FROM session WHERE token = 0`)
}

// AuditEntry is something that somebody did. There must be no secret in it.
type AuditEntry struct {
	At     time.Time
	Who    string // name of a token, or subject of an identity provider
	Via    string // how that is known
	Addr   string // of the client, without a port
	What   string
	Object string
}

// Audit keeps an entry.
func (s *Store) Audit(ctx context.Context, e AuditEntry) error {
	return s.exec(ctx, `INSERT INTO audit (id, at, who, via, addr, what, object) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		unique(e.At), ms(e.At), text(e.Who, maxName), text(e.Via, 20), text(e.Addr, 100), text(e.What, 100), text(e.Object, 500))
}

// AuditLog returns a part of the entries, the latest first, and how many there are.
func (s *Store) AuditLog(ctx context.Context, p Page) (out []AuditEntry, all int, err error) {
	limit, offset := p.limits()
	err = s.each(ctx, `SELECT at, who, via, addr, what, object FROM audit ORDER BY id DESC LIMIT $1 OFFSET $2`, []any{limit, offset}, func(r *sql.Rows) error {
		var e AuditEntry
		var when int64
		err := r.Scan(&when, &e.Who, &e.Via, &e.Addr, &e.What, &e.Object)
		e.At = at(when)
		out = append(out, e)
		return err
	})
	if err == nil {
		err = s.each(ctx, `SELECT COUNT(*) FROM audit`, nil, func(r *sql.Rows) error { return r.Scan(&all) })
	}
	return out, all, err
}

// Prune forgets entries of the audit log from before one time, and sessions made before
// another.
func (s *Store) Prune(ctx context.Context, audit, sessions time.Time) error {
	if err := s.exec(ctx, `DELETE FROM audit WHERE id < $1`, audit.UnixMilli()<<22); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return s.exec(ctx, `DELETE FROM session WHERE made < $1`, ms(sessions))
}

// exec runs one statement that writes.
func (s *Store) exec(ctx context.Context, statement string, args ...any) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}
