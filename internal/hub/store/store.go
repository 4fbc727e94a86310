package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	"github.com/klauspost/compress/zstd"
	_ "github.com/ncruces/go-sqlite3/driver" // driver "sqlite3"

	"github.com/clawsonar/clawsonar/internal/results"
)

//go:embed schema/*.sql
var schemas embed.FS

// schema is the version of the tables. A database of an earlier one is changed into it, one
// of a later one is refused.
const schema = 3

// upgrades change the tables of each version into those of the next, from 1 on. What the
// index then does not know of earlier runs, import finds in their streams.
func upgrades() [][]string {
	var located []string
	for _, table := range []string{"gateway", "sight"} {
		for _, column := range []string{"asn BIGINT NOT NULL DEFAULT 0", "as_name TEXT NOT NULL DEFAULT ''", "country TEXT NOT NULL DEFAULT ''"} {
			located = append(located, `ALTER TABLE `+table+` ADD COLUMN `+column)
		}
	}
	swept := []string{`ALTER TABLE sight ADD COLUMN swept INTEGER NOT NULL DEFAULT 0`}
	return [][]string{located, swept}
}

// ErrNotFound says that there is nothing of that id.
var ErrNotFound = errors.New("not found")

// Store is the database. It is safe for concurrent use; what writes takes turns.
type Store struct {
	where       string
	read, write *sql.DB // one and the same, of PostgreSQL
	postgres    bool
	disown      func()

	turn    sync.Mutex // held while the index is written
	history *history   // what the index says now; nil if it is to be read first

	group *group // of changes to the ledger of jobs

	enc *zstd.Encoder
	dec *zstd.Decoder
}

// Open opens a database, and makes its tables if it has none: a file of SQLite, or
// postgres://USER@HOST/NAME. What such a URL leaves out is taken from the usual
// variables of PostgreSQL, such as PGPASSWORD.
func Open(ctx context.Context, where string) (*Store, error) {
	s := &Store{where: where, disown: func() {}, group: newGroup()}
	var err error
	// A line is a few kilobytes: more than one goroutine would not help.
	if s.enc, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest)); err != nil {
		return nil, err
	}
	if s.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxStoredLine)); err != nil {
		return nil, err
	}
	if strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://") {
		err = s.openPostgres(where)
	} else {
		err = s.openSQLite(where)
	}
	if err == nil {
		err = s.migrate(ctx)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("store %s: %w", shown(where), err)
	}
	return s, nil
}

// maxStoredLine is the longest line of a stream that is kept, in bytes.
const maxStoredLine = 4 << 20

// shown is a place of a database as errors may show it: without a password.
func shown(where string) string {
	if u, err := url.Parse(where); err == nil && u.Host != "" {
		return u.Redacted()
	}
	return where
}

// openSQLite opens a file with one connection that writes and a few that read.
func (s *Store) openSQLite(file string) (err error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	// The file has accounts in it.
	f, err := os.OpenFile(abs, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)", "foreign_keys(on)", "cache_size(-16384)"}}
	name := "file:" + (&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath() + "?" + q.Encode()
	if s.write, err = sql.Open("sqlite3", name); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	q.Add("_pragma", "query_only(on)")
	q.Set("_txlock", "deferred")
	if s.read, err = sql.Open("sqlite3", "file:"+(&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath()+"?"+q.Encode()); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(4)
	return nil
}

func (s *Store) openPostgres(where string) (err error) {
	s.postgres = true
	if s.write, err = sql.Open("pgx", where); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(8)
	s.read = s.write
	return nil
}

// ownerLock is the key of PostgreSQL's lock: that of one hub within a database.
const ownerLock = 0x636c6177

// Own makes this the only process that takes runs in, imports and alerts, until Close: the
// history is kept in memory, and two of them would not know of each other. Accounts, notes
// and what is read need no owner.
func (s *Store) Own(ctx context.Context) error {
	held := func(err error) error {
		return fmt.Errorf("store %s: another clawsonar-hub runs with it, or it cannot be locked: stop that one first (%w)", shown(s.where), err)
	}
	if !s.postgres {
		release, err := results.Hold(s.where)
		if err != nil {
			return held(err)
		}
		s.disown = release
		return nil
	}
	c, err := s.write.Conn(ctx) // the lock is that of a connection
	if err != nil {
		return err
	}
	var got bool
	if err = c.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, ownerLock).Scan(&got); err == nil && !got {
		err = errors.New("its lock is taken")
	}
	if err != nil {
		c.Close()
		return held(err)
	}
	s.disown = func() {
		// The server would notice a moment later that the connection has ended.
		ctx, end := context.WithTimeout(context.Background(), 5*time.Second)
		defer end()
		_, _ = c.ExecContext(ctx, `SELECT pg_advisory_unlock($1)`, ownerLock)
		c.Close()
	}
	return nil
}

// Close closes the database.
func (s *Store) Close() error {
	s.disown()
	s.disown = func() {}
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.dec != nil {
		s.dec.Close()
	}
	return errors.Join(errs...)
}

// migrate makes the tables, or makes those of this version of earlier ones.
func (s *Store) migrate(ctx context.Context) error {
	files, err := schemas.ReadDir("schema")
	if err != nil {
		return err
	}
	return s.change(ctx, func(tx *sql.Tx) error {
		for i, f := range files {
			text, err := schemas.ReadFile("schema/" + f.Name())
			if err != nil {
				return err
			}
			for _, statement := range statements(string(text)) {
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return fmt.Errorf("%s: %w", f.Name(), err)
				}
			}
			if i > 0 {
				continue
			}
			if err := upgrade(ctx, tx); err != nil { // before an index is made of what earlier tables lack
				return err
			}
		}
		return nil
	})
}

// upgrade changes the tables of an earlier version, if there are any.
func upgrade(ctx context.Context, tx *sql.Tx) error {
	now := strconv.Itoa(schema)
	var text string
	err := tx.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'schema'`).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('schema', $1)`, now)
		return err
	}
	if err != nil || text == now {
		return err
	}
	version, err := strconv.Atoi(text)
	if err != nil || version < 1 || version > schema {
		return fmt.Errorf("its tables are of version %.20q, this program knows version %d: use the clawsonar-hub that wrote it, or another database and clawsonar-hub import", text, schema)
	}
	// Another process may do it at the same time: one of them does.
	done, err := tx.ExecContext(ctx, `UPDATE meta SET value = $1 WHERE name = 'schema' AND value = $2`, now, text)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err
	}
	for _, statements := range upgrades()[version-1:] {
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("change its tables, which are of version %d: %w", version, err)
			}
		}
	}
	return nil
}

// statements splits a file of SQL; none of ours has a semicolon within a statement or
// a comment.
func statements(text string) (out []string) {
	for part := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(part) != "" {
			out = append(out, part)
		}
	}
	return out
}

// change runs f in a transaction that writes.
func (s *Store) change(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// each runs a query and calls scan for every row.
func (s *Store) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return drain(rows, scan)
}

func drain(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// bulk writes rows, several with each statement: "INSERT INTO … VALUES" is before them,
// an "ON CONFLICT" after them.
type bulk struct {
	tx            *sql.Tx
	before, after string
	columns       int
	args          []any
	many          *sql.Stmt // of as many rows as maxArgs allows
}

// maxArgs is how many arguments a statement has at most. SQLite takes $1 for a name and
// looks it up among all before it, so that more are slower.
const maxArgs = 300

func (b *bulk) add(ctx context.Context, row ...any) (err error) {
	b.columns = len(row)
	b.args = append(b.args, row...)
	if len(b.args)+len(row) <= maxArgs {
		return nil
	}
	if b.many == nil {
		if b.many, err = b.tx.PrepareContext(ctx, b.statement()); err != nil {
			return err
		}
	}
	_, err = b.many.ExecContext(ctx, b.args...)
	b.args = b.args[:0]
	return err
}

// statement is one for the rows that there are.
func (b *bulk) statement() string {
	var q strings.Builder
	q.WriteString(b.before)
	for i := range b.args {
		switch {
		case i%b.columns != 0:
			q.WriteByte(',')
		case i > 0:
			q.WriteString("),(")
		default:
			q.WriteByte('(')
		}
		q.WriteByte('$')
		q.WriteString(strconv.Itoa(i + 1))
	}
	return q.String() + ")" + b.after
}

// flush writes the rows that are left, and ends the statement.
func (b *bulk) flush(ctx context.Context) error {
	if b.many != nil {
		defer b.many.Close()
	}
	if len(b.args) == 0 {
		return nil
	}
	_, err := b.tx.ExecContext(ctx, b.statement(), b.args...)
	return err
}

// ms is a time as the tables have it.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// at is the time that the tables have as ms.
func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// text makes hostile text fit for a table, with at most so many bytes: PostgreSQL takes
// neither NUL nor what is no UTF-8.
func text(s string, most int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

func (p Page) limits() (limit, offset int) { return cmp.Or(p.Limit, 50), max(p.Offset, 0) }
