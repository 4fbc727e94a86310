package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RowID names a change in the outbox: the run that found it, and the gateway.
type RowID struct{ Run, Gateway ID }

// Waiting is a change that some rule may still have to tell.
type Waiting struct {
	Change
	Looks   int      // that showed it, the first included
	Alerted []string // rules that have told it
}

// Hold says since when a rule has something to tell, and something urgent. A zero time
// stands for nothing.
type Hold struct{ Since, Urgent time.Time }

// Delivery is one digest on its way to one place.
type Delivery struct {
	ID         string
	Rule, Sink string // names, without secrets
	Body       []byte // the document that is sent, UTF-8; only of one that begins
	Begun      time.Time
	Tries      int       // that failed
	Tried      time.Time // last; zero if it was not yet
	Retry      time.Time // not before; zero of one that was not tried, or was given up
	Error      string    // of the last try, clean and without secrets
}

// Digest is what a rule tells at one time.
type Digest struct {
	Rule       string
	Rows       []RowID
	Silence    *Silence // of a digest about a watch
	Deliveries []Delivery
}

// Silence says that a rule has called a watch silent.
type Silence struct {
	Watch string
	Since time.Time // the last complete run, or the first start of the hub; zero when it is back
}

// The states of a row and of a delivery.
const (
	rowWaiting = "waiting"
	rowDropped = "dropped" // did not stand a later look
	rowDone    = "done"

	deliveryOpen  = "begun"
	deliverySent  = "sent"
	deliveryGiven = "given up"
)

const (
	maxRowEpisodes = 20
	maxDelivery    = 1 << 20 // bytes
	maxError       = 300     // bytes
)

// enqueue puts a change that a run of the hub found into the outbox, within the
// transaction that writes the run. A change that is there already stays as it is.
func enqueue(ctx context.Context, tx *sql.Tx, c Change) error {
	c.Episodes = c.Episodes[:min(len(c.Episodes), maxRowEpisodes)]
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO outbox (run, gateway, watch, at, looks, state, change) VALUES ($1, $2, $3, $4, 1, $5, $6)
		ON CONFLICT (run, gateway) DO NOTHING`,
		int64(c.Run), int64(c.Gateway), c.Watch, ms(c.At), rowWaiting, string(data))
	return err
}

// settle compares what waits of a watch from earlier runs with what a run saw, within
// the transaction that writes the run: what stands has been seen once more; what does
// not is history and is dropped; what was not looked at waits on.
func settle(ctx context.Context, tx *sql.Tx, watch string, run ID, stands func(Change) (looked, stands bool)) error {
	rows, err := tx.QueryContext(ctx, `SELECT change FROM outbox WHERE state = $1 AND watch = $2 AND run <> $3 ORDER BY at, run, gateway`, rowWaiting, watch, int64(run))
	if err != nil {
		return err
	}
	// All are read first: a connection answers one query at a time.
	var seen, dropped []RowID
	err = drain(rows, func(r *sql.Rows) error {
		var data string
		if err := r.Scan(&data); err != nil {
			return err
		}
		c, err := readChange(data)
		if err != nil {
			return err
		}
		switch looked, stands := stands(c); {
		case !looked:
		case stands:
			seen = append(seen, RowID{c.Run, c.Gateway})
		default:
			dropped = append(dropped, RowID{c.Run, c.Gateway})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := setRows(ctx, tx, `looks = looks + 1`, seen); err != nil {
		return err
	}
	return setRows(ctx, tx, `state = '`+rowDropped+`'`, dropped)
}

func readChange(data string) (c Change, err error) {
	if err := json.Unmarshal([]byte(data), &c); err != nil {
		return c, fmt.Errorf("outbox: %w", err)
	}
	return c, nil
}

// setRows changes rows of the outbox.
func setRows(ctx context.Context, tx *sql.Tx, set string, rows []RowID) error {
	byRun := map[ID][]any{}
	for _, r := range rows {
		byRun[r.Run] = append(byRun[r.Run], int64(r.Gateway))
	}
	for run, gateways := range byRun {
		for part := range slices.Chunk(gateways, maxArgs-1) {
			var q strings.Builder
			q.WriteString(`UPDATE outbox SET ` + set + ` WHERE run = $1 AND gateway IN (`)
			for i := range part {
				if i > 0 {
					q.WriteByte(',')
				}
				q.WriteString("$" + strconv.Itoa(i+2))
			}
			q.WriteByte(')')
			if _, err := tx.ExecContext(ctx, q.String(), append([]any{int64(run)}, part...)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// Waiting calls f for every change that waits, the oldest first. f must not use the
// store.
func (s *Store) Waiting(ctx context.Context, f func(Waiting) error) error {
	// A row comes once for each rule that has told it, one after the other.
	var w Waiting
	var have bool
	err := s.each(ctx, `SELECT o.change, o.looks, COALESCE(a.rule, '') FROM outbox o
		LEFT JOIN alerted a ON a.run = o.run AND a.gateway = o.gateway
		WHERE o.state = $1 ORDER BY o.at, o.run, o.gateway`, []any{rowWaiting}, func(r *sql.Rows) error {
		var data, rule string
		var looks int
		if err := r.Scan(&data, &looks, &rule); err != nil {
			return err
		}
		c, err := readChange(data)
		if err != nil {
			return err
		}
		if have && (c.Run != w.Run || c.Gateway != w.Gateway) {
			if err := f(w); err != nil {
				return err
			}
			have = false
		}
		if !have {
			w, have = Waiting{Change: c, Looks: looks}, true
		}
		if rule != "" {
			w.Alerted = append(w.Alerted, rule)
		}
		return nil
	})
	if err == nil && have {
		err = f(w)
	}
	return err
}

// Done ends the waiting of changes that no rule has anything to tell of any more.
func (s *Store) Done(ctx context.Context, rows []RowID) error {
	if len(rows) == 0 {
		return nil
	}
	return s.change(ctx, func(tx *sql.Tx) error {
		return setRows(ctx, tx, `state = '`+rowDone+`'`, rows)
	})
}

// Holds returns the rules that have something to tell.
func (s *Store) Holds(ctx context.Context) (map[string]Hold, error) {
	out := map[string]Hold{}
	err := s.each(ctx, `SELECT rule, since, urgent FROM digest`, nil, func(r *sql.Rows) error {
		var rule string
		var since, urgent int64
		err := r.Scan(&rule, &since, &urgent)
		out[rule] = Hold{at(since), at(urgent)}
		return err
	})
	return out, err
}

// Hold keeps since when a rule has something to tell; a zero Hold removes it.
func (s *Store) Hold(ctx context.Context, rule string, h Hold) error {
	return s.change(ctx, func(tx *sql.Tx) error { return hold(ctx, tx, rule, h) })
}

func hold(ctx context.Context, tx *sql.Tx, rule string, h Hold) (err error) {
	if h == (Hold{}) {
		_, err = tx.ExecContext(ctx, `DELETE FROM digest WHERE rule = $1`, rule)
	} else {
		_, err = tx.ExecContext(ctx, `INSERT INTO digest (rule, since, urgent) VALUES ($1, $2, $3)
			ON CONFLICT (rule) DO UPDATE SET since = excluded.since, urgent = excluded.urgent`, rule, ms(h.Since), ms(h.Urgent))
	}
	return err
}

// Begin records what a rule is about to tell, in one transaction: each of its deliveries
// is Unfinished from now on, and the rule has told the rows. Deliveries that are there
// already stay as they are.
func (s *Store) Begin(ctx context.Context, d Digest) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, v := range d.Deliveries {
			if len(v.Body) > maxDelivery {
				return fmt.Errorf("an alert of %d bytes: the most is %d", len(v.Body), maxDelivery)
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO delivery (id, rule, sink, body, begun, state, tries, tried, retry, error)
				VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, '') ON CONFLICT (id) DO NOTHING`,
				v.ID, d.Rule, v.Sink, string(v.Body), ms(v.Begun), deliveryOpen); err != nil {
				return err
			}
		}
		b := bulk{tx: tx, before: `INSERT INTO alerted (run, gateway, rule) VALUES `, after: ` ON CONFLICT (run, gateway, rule) DO NOTHING`}
		for _, r := range d.Rows {
			if err := b.add(ctx, int64(r.Run), int64(r.Gateway), d.Rule); err != nil {
				return err
			}
		}
		if err := b.flush(ctx); err != nil {
			return err
		}
		var err error
		switch q := d.Silence; {
		case q == nil:
			err = hold(ctx, tx, d.Rule, Hold{})
		case q.Since.IsZero():
			_, err = tx.ExecContext(ctx, `DELETE FROM silence WHERE rule = $1 AND watch = $2`, d.Rule, q.Watch)
		default:
			_, err = tx.ExecContext(ctx, `INSERT INTO silence (rule, watch, since) VALUES ($1, $2, $3) ON CONFLICT (rule, watch) DO NOTHING`, d.Rule, q.Watch, ms(q.Since))
		}
		return err
	})
}

// Delivered ends a delivery that was taken.
func (s *Store) Delivered(ctx context.Context, id string) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE delivery SET state = $1, error = '' WHERE id = $2`, deliverySent, id)
		return found(r, err)
	})
}

// Failed records a try at a time that failed, and when the next is due; a zero retry
// gives the delivery up. The reason must hold no secret.
func (s *Store) Failed(ctx context.Context, id string, tried time.Time, reason error, retry time.Time) error {
	state := deliveryOpen
	if retry.IsZero() {
		state = deliveryGiven
	}
	return s.change(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE delivery SET state = $1, tries = tries + 1, tried = $2, retry = $3, error = $4 WHERE id = $5`,
			state, ms(tried), ms(retry), text(reason.Error(), maxError), id)
		return found(r, err)
	})
}

// found is an error if an update found nothing.
func found(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err == nil && n == 0 {
		return ErrNotFound
	}
	return nil
}

// Unfinished returns the deliveries that were begun and have neither been taken nor given
// up, the oldest first, at most so many of each place. Their bodies are not read, see Body.
func (s *Store) Unfinished(ctx context.Context, limit int) ([]Delivery, error) {
	return s.deliveries(ctx, `state = $1 AND id IN (SELECT t.id FROM
		(SELECT id, ROW_NUMBER() OVER (PARTITION BY rule, sink ORDER BY begun, id) AS turn FROM delivery WHERE state = $1) AS t
		WHERE t.turn <= $2) ORDER BY begun, id`, deliveryOpen, limit)
}

// Failing returns the deliveries of which a try failed and that have not been taken since,
// those that were given up included, the latest first, at most so many.
func (s *Store) Failing(ctx context.Context, limit int) ([]Delivery, error) {
	return s.deliveries(ctx, `state <> $1 AND tries > 0 ORDER BY tried DESC, id LIMIT $2`, deliverySent, limit)
}

// Body returns the body of a delivery.
func (s *Store) Body(ctx context.Context, delivery string) ([]byte, error) {
	var body string
	err := s.read.QueryRowContext(ctx, `SELECT body FROM delivery WHERE id = $1`, delivery).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return []byte(body), err
}

func (s *Store) deliveries(ctx context.Context, where string, args ...any) (out []Delivery, err error) {
	err = s.each(ctx, `SELECT id, rule, sink, begun, tries, tried, retry, error FROM delivery WHERE `+where, args, func(r *sql.Rows) error {
		var d Delivery
		var begun, tried, retry int64
		if err := r.Scan(&d.ID, &d.Rule, &d.Sink, &begun, &d.Tries, &tried, &retry, &d.Error); err != nil {
			return err
		}
		d.Begun, d.Tried, d.Retry = at(begun), at(tried), at(retry)
		out = append(out, d)
		return nil
	})
	return out, err
}

// Watched returns when the hub first knew a watch, which is now if it did not yet.
func (s *Store) Watched(ctx context.Context, watch string, now time.Time) (time.Time, error) {
	var first int64
	err := s.read.QueryRowContext(ctx, `SELECT first FROM watched WHERE watch = $1`, watch).Scan(&first)
	if !errors.Is(err, sql.ErrNoRows) {
		return at(first), err
	}
	return now, s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO watched (watch, first) VALUES ($1, $2) ON CONFLICT (watch) DO NOTHING`, watch, ms(now))
		return err
	})
}

// Silent returns the watches that a rule has called silent and not yet back.
func (s *Store) Silent(ctx context.Context, rule string) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	err := s.each(ctx, `SELECT watch, since FROM silence WHERE rule = $1`, []any{rule}, func(r *sql.Rows) error {
		var watch string
		var since int64
		err := r.Scan(&watch, &since)
		out[watch] = at(since)
		return err
	})
	return out, err
}

// PruneOutbox removes what is older than a time: changes, those that still wait included,
// and deliveries that have ended.
func (s *Store) PruneOutbox(ctx context.Context, before time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, statement := range []string{
			`DELETE FROM alerted WHERE EXISTS (SELECT 1 FROM outbox o WHERE o.run = alerted.run AND o.gateway = alerted.gateway AND o.at < $1)`,
			`DELETE FROM outbox WHERE at < $1`,
			`DELETE FROM delivery WHERE begun < $1 AND state <> '` + deliveryOpen + `'`,
		} {
			if _, err := tx.ExecContext(ctx, statement, ms(before)); err != nil {
				return err
			}
		}
		return nil
	})
}
