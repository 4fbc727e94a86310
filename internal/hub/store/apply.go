package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// Applied is what taking in a run gave.
type Applied struct {
	Run Run
	// Alarming are the gateways that it found newly open or claimable: a second look at
	// them is due.
	Alarming []Gateway
}

// Apply takes the stream of a run that has just ended into the history, all of it or
// nothing, and has its changes wait for alerts. File is what the index calls it. A
// stream that is there already changes nothing: Run is the one that it gave.
func (s *Store) Apply(ctx context.Context, x *stream.Stream, file string, checks []event.CheckInfo) (out Applied, err error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.history == nil {
		if s.history, err = s.load(ctx); err != nil {
			return out, fmt.Errorf("read the history: %w", err)
		}
	}
	h := s.history
	s.history = nil // whatever goes wrong, it is read again
	known := 0
	err = s.change(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM run WHERE sha256 = $1`, x.SHA256).Scan(&known); err != nil || known > 0 {
			return err
		}
		p, err := s.pass(ctx, tx, h, x, file, checks, true)
		if err != nil {
			return err
		}
		out.Run = *p.run
		for _, c := range h.changes {
			if err := enqueue(ctx, tx, c); err != nil {
				return err
			}
			if c.Has(KindOpened) {
				out.Alarming = append(out.Alarming, h.gateways[c.Gateway].row())
			}
		}
		if err := settle(ctx, tx, p.run.Watch, p.run.ID, p.stands); err != nil {
			return err
		}
		if err := s.flush(ctx, tx, h, true); err != nil {
			return err
		}
		return s.writeRun(ctx, tx, p.run)
	})
	if err == nil && known > 0 {
		var runs []Run
		if runs, err = s.runs(ctx, ` WHERE sha256 = $1 LIMIT 1`, []any{x.SHA256}); len(runs) > 0 {
			out.Run = runs[0]
		}
	}
	if err != nil {
		return Applied{}, fmt.Errorf("%s: take into the history: %w", x.Path, err)
	}
	s.history = h
	return out, nil
}

// unreadable says that a stream cannot be read. A history that was to take it is as before.
type unreadable struct{ error }

func (e *unreadable) Unwrap() error { return e.error }

// maxData is how much is kept of what a stream says of its data, in bytes.
const maxData = 10_000

// pass takes one stream into a history, and writes nothing.
func (s *Store) pass(ctx context.Context, tx *sql.Tx, h *history, x *stream.Stream, file string, checks []event.CheckInfo, live bool) (*pass, error) {
	run := &Run{
		ID: MakeID(file, x.SHA256), Watch: text(x.Head.Watch, 100), Vantage: text(x.Head.Vantage, 100),
		Started: x.Head.Started, Finished: x.Head.Started, Again: x.Head.Again, Level: x.Head.Level, Data: x.Head.Data,
		File: text(file, 1000), SHA256: x.SHA256, Bytes: x.Bytes, Auth: map[event.AuthState]int{},
	}
	p := &pass{h: h, run: run, judge: stored.NewLook(x.Head.Level, checks), looks: map[ID]*look{}, live: live}
	if x.Head.Config != "" {
		p.config = text(x.Head.Config+" "+x.Head.Shard, 200)
	}
	if sum := x.Summary; sum != nil {
		run.Finished, run.Targets, run.Miss = sum.Finished, sum.Targets, sum.MissEstimate
		run.Complete = sum.Complete && len(stored.Missing(x.Head, nil)) == 0
	}
	p.whole = p.wholeOf(x.Summary, x.Head)
	p.old = func(id ID, watch string) (*event.Target, error) { return s.oldLine(ctx, tx, id, watch) }
	var unjudged event.Unjudged
	var encoder event.Encoder
	var failed error // of ours, not of the stream
	err := x.Each(func(e event.Event) error {
		t, ok := e.(*event.Target)
		if !ok {
			return nil
		}
		unjudged.Target(t)
		if stored.Recognised(t) {
			run.Gateways++
		}
		if v, looked := verdictOf(t); looked && t.Outcome == event.OutcomeIdentified {
			run.Auth[event.AuthState(v)]++
		}
		failed = p.line(t, func() []byte {
			if !live {
				return nil // an import reads the last ones again
			}
			return s.pack(&encoder, t)
		})
		return failed
	})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, &unreadable{err}
	}
	if x.Summary != nil {
		unjudged.Summary(x.Summary)
	}
	run.Unjudged = unjudged.Count
	p.end()
	return p, nil
}

// pack makes a line as it is kept.
func (s *Store) pack(encoder *event.Encoder, t *event.Target) []byte {
	line, err := encoder.Encode(t)
	if err != nil || len(line) > maxStoredLine {
		return nil
	}
	return s.enc.EncodeAll(line, nil)
}

// oldLine is the line that is kept of a gateway.
func (s *Store) oldLine(ctx context.Context, tx *sql.Tx, id ID, watch string) (*event.Target, error) {
	var packed []byte
	err := tx.QueryRowContext(ctx, `SELECT line FROM line WHERE gateway = $1 AND watch = $2`, id, watch).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return &event.Target{}, nil
	}
	if err != nil {
		return nil, err
	}
	return s.unpack(packed)
}

func (s *Store) unpack(packed []byte) (*event.Target, error) {
	line, err := s.dec.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("stored line: %w", err)
	}
	e, err := event.Decode(line)
	if err != nil {
		return nil, fmt.Errorf("stored line: %w", err)
	}
	t, ok := e.(*event.Target)
	if !ok {
		return nil, errors.New("stored line: it is of no target")
	}
	return t, nil
}

// load reads the history as the index has it.
func (s *Store) load(ctx context.Context) (*history, error) {
	h := newHistory()
	if err := s.loadNetworks(ctx, h); err != nil {
		return nil, err
	}
	err := s.each(ctx, `SELECT id, place, verdict, since, addr, asn, as_name, country FROM gateway`, nil, func(r *sql.Rows) error {
		g := &gateway{}
		var addr []byte
		if err := r.Scan(&g.id, &g.place, &g.verdict, &g.since, &addr, &g.geo.AS, &g.geo.ASName, &g.geo.Country); err != nil {
			return err
		}
		copy(g.addr[:], addr)
		g.geo = h.geoOf(&g.geo)
		g.label = h.networks.of(addrOf(addr))
		h.gateways[g.id] = g
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, `SELECT gateway, watch, vantage, run, level, config, place, addr, addresses, port, name, url, product,
		verdict, since, proven, missed, release, low, high, released, advisories, advisory_set, first, last, looked, swept, asn, as_name, country FROM sight ORDER BY gateway, watch`, nil, func(r *sql.Rows) error {
		x := &sight{}
		var id ID
		var addr []byte
		if err := r.Scan(&id, &x.watch, &x.vantage, &x.run, &x.level, &x.config, &x.place, &addr, &x.addresses, &x.port, &x.name, &x.url, &x.product,
			&x.verdict, &x.since, &x.proven, &x.missed, &x.release.text, &x.release.low, &x.release.high, &x.released, &x.advisories, &x.set, &x.first, &x.last, &x.looked, &x.swept, &x.geo.AS, &x.geo.ASName, &x.geo.Country); err != nil {
			return err
		}
		copy(x.addr[:], addr)
		x.geo = h.geoOf(&x.geo)
		h.clock[x.watch] = max(h.clock[x.watch], x.looked)
		if g := h.gateways[id]; g != nil {
			g.sights = append(g.sights, x)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.each(ctx, `SELECT `+wholeColumns+` FROM whole w`, nil, func(r *sql.Rows) error {
		w, err := scanWhole(r)
		h.wholes[w.watch] = w
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, g := range h.gateways {
		g.unseen = len(unseen(g.sights, h.wholes)) > 0
	}
	return h, s.each(ctx, `SELECT gateway, watch, key, value, severity, opened FROM episode WHERE what = $1 AND closed = 0 ORDER BY gateway, watch, opened, key`, []any{OfFinding}, func(r *sql.Rows) error {
		var id ID
		var watch string
		var f standing
		if err := r.Scan(&id, &watch, &f.key, &f.id, &f.severity, &f.opened); err != nil {
			return err
		}
		if g := h.gateways[id]; g != nil {
			if x := g.of(watch); x != nil {
				x.findings = append(x.findings, f)
			}
		}
		return nil
	})
}

// flush writes what is new in a history; all of it, or only what grows with the runs.
func (s *Store) flush(ctx context.Context, tx *sql.Tx, h *history, all bool) error {
	if err := s.writeEpisodes(ctx, tx, h); err != nil {
		return err
	}
	changes := &bulk{tx: tx, before: `INSERT INTO change (run, gateway, at, watch, vantage, kinds, old_verdict, verdict, old_since, old_release, release, severity, opened, closed, advisories) VALUES `}
	for i := range h.changes {
		c := &h.changes[i]
		if err := changes.add(ctx, c.Run, c.Gateway, ms(c.At), c.Watch, c.Vantage, bits(c.Kinds), c.OldVerdict, c.Verdict, ms(c.OldVerdictSince),
			c.OldRelease, c.Release, c.Severity.Rank(), c.Opened, c.Closed, c.Advisories); err != nil {
			return err
		}
	}
	if err := changes.flush(ctx); err != nil {
		return err
	}
	h.changes = nil
	if !all {
		return nil
	}
	days := slices.SortedFunc(maps.Keys(h.daily), func(a, b day) int { return int(a.at/1000 - b.at/1000) })
	daily := &bulk{tx: tx, before: `INSERT INTO daily (day, verdict, n) VALUES `, after: ` ON CONFLICT (day, verdict) DO UPDATE SET n = daily.n + excluded.n`}
	for _, d := range days {
		if n := h.daily[d]; n != 0 {
			if err := daily.add(ctx, d.at, d.verdict, n); err != nil {
				return err
			}
		}
	}
	if err := daily.flush(ctx); err != nil {
		return err
	}
	clear(h.daily)
	if _, err := tx.ExecContext(ctx, `DELETE FROM daily WHERE n = 0`); err != nil {
		return err
	}
	if err := writeWholes(ctx, tx, h); err != nil {
		return err
	}
	return s.writeGateways(ctx, tx, h)
}

func (s *Store) writeEpisodes(ctx context.Context, tx *sql.Tx, h *history) error {
	opened := &bulk{tx: tx, before: `INSERT INTO episode (gateway, watch, what, key, opened, value, severity, run, closed, closed_run, why) VALUES `}
	for i := range h.opened {
		e := &h.opened[i]
		if err := opened.add(ctx, e.Gateway, e.Watch, e.What, e.Key, ms(e.Opened), e.Value, e.Severity.Rank(), e.Run, 0, 0, ""); err != nil {
			return err
		}
	}
	if err := opened.flush(ctx); err != nil {
		return err
	}
	h.opened = nil
	if len(h.closed) == 0 {
		return nil
	}
	closed, err := tx.PrepareContext(ctx, `UPDATE episode SET closed = $1, closed_run = $2, why = $3 WHERE gateway = $4 AND watch = $5 AND what = $6 AND key = $7 AND opened = $8`)
	if err != nil {
		return err
	}
	defer closed.Close()
	for i := range h.closed {
		e := &h.closed[i]
		if _, err := closed.ExecContext(ctx, ms(e.Closed), e.ClosedRun, e.Why, e.Gateway, e.Watch, e.What, e.Key, ms(e.Opened)); err != nil {
			return err
		}
	}
	h.closed = nil
	return nil
}

// writeGateways writes the rows of the gateways of which something is to be written.
func (s *Store) writeGateways(ctx context.Context, tx *sql.Tx, h *history) error {
	rows := &bulk{tx: tx, before: `INSERT INTO gateway (id, place, addr, port, name, url, product, network, owner, contact, verdict, rank, since, proven,
		severity, release, low, high, findings, advisories, first, differs, asn, as_name, country) VALUES `,
		after: ` ON CONFLICT (id) DO UPDATE SET place = excluded.place, addr = excluded.addr, port = excluded.port, name = excluded.name, url = excluded.url,
		product = excluded.product, network = excluded.network, owner = excluded.owner, contact = excluded.contact, verdict = excluded.verdict, rank = excluded.rank,
		since = excluded.since, proven = excluded.proven, severity = excluded.severity, release = excluded.release, low = excluded.low, high = excluded.high,
		findings = excluded.findings, advisories = excluded.advisories, first = excluded.first, differs = excluded.differs,
		asn = excluded.asn, as_name = excluded.as_name, country = excluded.country`}
	sights := &bulk{tx: tx, before: `INSERT INTO sight (gateway, watch, vantage, run, level, config, place, addr, addresses, port, name, url, product,
		verdict, since, proven, missed, release, low, high, released, advisories, advisory_set, first, last, looked, swept, asn, as_name, country) VALUES `,
		after: ` ON CONFLICT (gateway, watch) DO UPDATE SET vantage = excluded.vantage, run = excluded.run, level = excluded.level, config = excluded.config,
		place = excluded.place, addr = excluded.addr, addresses = excluded.addresses, port = excluded.port, name = excluded.name, url = excluded.url, product = excluded.product,
		verdict = excluded.verdict, since = excluded.since, proven = excluded.proven, missed = excluded.missed, release = excluded.release, low = excluded.low, high = excluded.high,
		released = excluded.released, advisories = excluded.advisories, advisory_set = excluded.advisory_set, last = excluded.last, looked = excluded.looked, swept = excluded.swept,
		asn = excluded.asn, as_name = excluded.as_name, country = excluded.country`}
	lines := &bulk{tx: tx, before: `INSERT INTO line (gateway, watch, line) VALUES `, after: ` ON CONFLICT (gateway, watch) DO UPDATE SET line = excluded.line`}
	for _, id := range slices.Sorted(maps.Keys(h.gateways)) {
		g := h.gateways[id]
		for _, x := range g.sights {
			if !x.dirty {
				continue
			}
			if err := sights.add(ctx, id, x.watch, x.vantage, x.run, x.level, x.config, x.place, x.addr[:], x.addresses, x.port, x.name, x.url, x.product,
				x.verdict, x.since, x.proven, x.missed, x.release.text, x.release.low, x.release.high, x.released, x.advisories, x.set, x.first, x.last, x.looked, number(x.swept), x.geo.AS, x.geo.ASName, x.geo.Country); err != nil {
				return err
			}
			if x.line != nil {
				if err := lines.add(ctx, id, x.watch, x.line); err != nil {
					return err
				}
			}
			x.dirty, x.line = false, nil
		}
		if !g.dirty {
			continue
		}
		r := g.row()
		w := slices.MinFunc(g.sights, worst)
		if err := rows.add(ctx, id, r.Place, g.addr[:], r.Port, r.Name, r.URL, r.Product, r.Network, r.Owner, r.Contact, r.Verdict, r.Verdict.rank(), ms(r.Since), r.Proven,
			r.Severity.Rank(), r.Release, w.release.low, w.release.high, r.Findings, r.Advisories, ms(r.First), number(r.Differs), r.Geo.AS, r.Geo.ASName, r.Geo.Country); err != nil {
			return err
		}
		g.dirty = false
	}
	return errors.Join(sights.flush(ctx), lines.flush(ctx), rows.flush(ctx))
}

func (s *Store) writeRun(ctx context.Context, tx *sql.Tx, r *Run) error {
	auth, err := json.Marshal(r.Auth)
	if err != nil {
		return err
	}
	miss, err := json.Marshal(r.Miss)
	if err != nil {
		return err
	}
	data, err := json.Marshal(r.Data)
	if err != nil {
		return err
	}
	if len(data) > maxData { // none of ours
		data = []byte("{}")
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO run (id, watch, vantage, started, finished, complete, again, level, file, sha256, bytes, targets, gateways, unjudged, auth, miss, data, changes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		r.ID, r.Watch, r.Vantage, ms(r.Started), ms(r.Finished), number(r.Complete), number(r.Again), r.Level, r.File, r.SHA256, r.Bytes,
		r.Targets, r.Gateways, r.Unjudged, string(auth), string(miss), text(string(data), maxData), r.Changes)
	return err
}

// number is a truth as the tables have it.
func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// bits are kinds as the tables have them: one bit each.
func bits(kinds []Kind) (out int64) {
	for i, k := range Kinds() {
		if slices.Contains(kinds, k) {
			out |= 1 << i
		}
	}
	return out
}

func kindsOf(bits int64) (out []Kind) {
	for i, k := range Kinds() {
		if bits&(1<<i) != 0 {
			out = append(out, k)
		}
	}
	return out
}

// loadNetworks reads what networks.csv said.
func (s *Store) loadNetworks(ctx context.Context, h *history) error {
	h.networks = networks{}
	return s.each(ctx, `SELECT prefix, owner, contact FROM network`, nil, func(r *sql.Rows) error {
		var prefix string
		var n Network
		if err := r.Scan(&prefix, &n.Owner, &n.Contact); err != nil {
			return err
		}
		var err error
		if n.Prefix, err = netip.ParsePrefix(prefix); err == nil {
			h.networks[n.Prefix] = n
		}
		return err
	})
}

// Label says which network is whose. Gateways that are known get their owners anew.
func (s *Store) Label(ctx context.Context, list []Network) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	h := s.history
	s.history = nil
	if h == nil {
		var err error
		if h, err = s.load(ctx); err != nil {
			return err
		}
	}
	now := networks{}
	for _, n := range list {
		n.Prefix, n.Owner, n.Contact = n.Prefix.Masked(), text(n.Owner, 200), text(n.Contact, 200)
		now[n.Prefix] = n
	}
	if !maps.Equal(h.networks, now) {
		h.networks = now
		err := s.change(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `DELETE FROM network`); err != nil {
				return err
			}
			rows := &bulk{tx: tx, before: `INSERT INTO network (prefix, owner, contact) VALUES `}
			for _, n := range now {
				if err := rows.add(ctx, n.Prefix.String(), n.Owner, n.Contact); err != nil {
					return err
				}
			}
			if err := rows.flush(ctx); err != nil {
				return err
			}
			for _, g := range h.gateways {
				if l := h.networks.of(addrOf(g.addr[:])); l != g.label {
					g.label, g.dirty = l, true
				}
			}
			return s.writeGateways(ctx, tx, h)
		})
		if err != nil {
			return err
		}
	}
	s.history = h
	return nil
}
