package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// whole is the last run of a watch that came to all of its targets. A stream has no line
// for a member of a range where nothing answers: of a gateway that other vantages know it
// says by that, that there was none. It changes no verdict: a vantage that never saw a
// gateway cannot say that it was closed.
type whole struct {
	run            ID
	watch, vantage string
	config         string
	excluded       int64 // targets without a line that it did not look at
	// Spots of its lines, in order, each once. At doubts there may be a gateway, or is one; at
	// clear is none, and a target was named there by itself.
	doubts, clear []ID
}

// maxSpots is how many lines a run may have that a whole one is to remember, of 8 bytes
// each. One that has more says nothing of what it has no line for.
const maxSpots = 1 << 18

// spot is where a line or a gateway is, without its base path, which each look finds out
// anew.
func spot(name string, addr [16]byte, port int) ID {
	if name == "" {
		name = addrOf(addr[:]).String()
	}
	return MakeID(strings.ToLower(name), strconv.Itoa(port))
}

// note takes a line.
func (w *whole) note(t *event.Target) {
	if t.Outcome == event.OutcomeExcluded {
		w.excluded-- // the summary counts those with a line, too
	}
	where := &w.doubts
	switch {
	case t.Outcome == event.OutcomeClosed, t.Outcome == event.OutcomeSilent, t.Outcome == event.OutcomeOther && t.Judged():
		if swept(t) {
			return // as if it had no line
		}
		where = &w.clear
	}
	if len(w.doubts)+len(w.clear) <= maxSpots {
		*where = append(*where, spot(text(t.Target.Name, maxHost), sortable(t.Target.IP), t.Target.Port))
	}
}

// swept reports whether the line is of an address that no target names, so that a scan need
// not have one for it. A name may be another address elsewhere; a helper of a gateway is
// looked for only beside one.
func swept(t *event.Target) bool {
	return t.Target.Name == "" && t.Target.Member != event.OfNothing
}

// end sorts the lines, and reports whether the run says anything of what has none.
func (w *whole) end() bool {
	if len(w.doubts)+len(w.clear) > maxSpots {
		return false
	}
	for _, list := range []*[]ID{&w.doubts, &w.clear} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return true
}

// none reports whether the run looked where a sight of another watch has a gateway, and
// saw none.
func (w *whole) none(s *sight) bool {
	at := spot(s.name, s.addr, s.port)
	if _, doubt := slices.BinarySearch(w.doubts, at); doubt {
		return false
	}
	_, named := slices.BinarySearch(w.clear, at)
	return named || s.swept
}

// unseen returns the whole runs of vantages that no sight of a gateway is from, that looked
// at the gateway's place and saw none, in any order. As for "report", the other vantage has
// to have a whole run of the same targets, with as many of them left out.
func unseen(sights []*sight, wholes map[string]*whole) (out []*whole) {
	for _, w := range wholes {
		same := func(s *sight) bool {
			own := wholes[s.watch]
			return s.vantage != "" && s.config == w.config && own != nil && own.config == w.config && own.excluded == w.excluded
		}
		if w.vantage == "" || slices.ContainsFunc(sights, func(s *sight) bool { return s.vantage == w.vantage }) {
			continue
		}
		if slices.ContainsFunc(sights, func(s *sight) bool { return same(s) && w.none(s) }) {
			out = append(out, w)
		}
	}
	return out
}

// wholeOf begins what the run says of what it has no line for; nil if that is nothing.
func (p *pass) wholeOf(sum *event.Summary, head *event.Scan) *whole {
	if !p.run.Complete || p.run.Again || p.config == "" {
		return nil
	}
	return &whole{
		run: p.run.ID, watch: p.run.Watch, vantage: p.run.Vantage, config: p.config,
		excluded: int64(sum.Outcomes[event.OutcomeExcluded]) + int64(head.Unlisted[event.OutcomeExcluded]),
	}
}

// unseen finds which gateways there are that a vantage looked for and did not see, after a
// run. One that is not complete changes that only of the gateways that it looked at.
func (p *pass) unseen(ids []ID) {
	renew := func(g *gateway) {
		if now := len(unseen(g.sights, p.h.wholes)) > 0; now != g.unseen {
			g.unseen, g.dirty = now, true
		}
	}
	if p.run.Complete && !p.run.Again {
		delete(p.h.wholes, p.run.Watch) // an earlier one is not of now
		if p.whole != nil && p.whole.end() {
			p.h.wholes[p.run.Watch] = p.whole
		}
		p.h.renewed[p.run.Watch] = true
		for _, g := range p.h.gateways {
			renew(g)
		}
		return
	}
	for _, id := range ids {
		if g := p.h.gateways[id]; g != nil {
			renew(g)
		}
	}
}

// writeWholes writes those that are new.
func writeWholes(ctx context.Context, tx *sql.Tx, h *history) error {
	for watch := range h.renewed {
		if _, err := tx.ExecContext(ctx, `DELETE FROM whole WHERE watch = $1`, watch); err != nil {
			return err
		}
		w := h.wholes[watch]
		if w == nil {
			continue
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO whole (watch, run, vantage, config, excluded, doubts, clear) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			watch, w.run, w.vantage, w.config, w.excluded, packIDs(w.doubts), packIDs(w.clear)); err != nil {
			return err
		}
	}
	clear(h.renewed)
	return nil
}

const wholeColumns = `w.watch, w.run, w.vantage, w.config, w.excluded, w.doubts, w.clear`

func scanWhole(r *sql.Rows, more ...any) (*whole, error) {
	w := &whole{}
	var doubts, none []byte
	err := r.Scan(append([]any{&w.watch, &w.run, &w.vantage, &w.config, &w.excluded, &doubts, &none}, more...)...)
	w.doubts, w.clear = unpackIDs(doubts), unpackIDs(none)
	return w, err
}

// Unseen returns the watches that looked at the place of a gateway, from vantages that have
// never seen it, and saw no gateway, by name.
func (s *Store) Unseen(ctx context.Context, id ID) (out []Unseen, err error) {
	var sights []*sight
	err = s.each(ctx, `SELECT watch, vantage, config, addr, port, name, swept FROM sight WHERE gateway = $1`, []any{id}, func(r *sql.Rows) error {
		x := &sight{}
		var addr []byte
		err := r.Scan(&x.watch, &x.vantage, &x.config, &addr, &x.port, &x.name, &x.swept)
		copy(x.addr[:], addr)
		sights = append(sights, x)
		return err
	})
	if err != nil {
		return nil, err
	}
	wholes, runs := map[string]*whole{}, map[ID]Unseen{}
	err = s.each(ctx, `SELECT `+wholeColumns+`, r.level, r.finished FROM whole w JOIN run r ON r.id = w.run
		WHERE w.config IN (SELECT config FROM sight WHERE gateway = $1)`, []any{id}, func(r *sql.Rows) error {
		var u Unseen
		var finished int64
		w, err := scanWhole(r, &u.Level, &finished)
		if err != nil {
			return err
		}
		u.Watch, u.Vantage, u.Run, u.Looked = w.watch, w.vantage, w.run, at(finished)
		wholes[w.watch], runs[w.run] = w, u
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("whole runs: %w", err)
	}
	for _, w := range unseen(sights, wholes) {
		out = append(out, runs[w.run])
	}
	slices.SortFunc(out, func(a, b Unseen) int { return strings.Compare(a.Watch, b.Watch) })
	return out, nil
}

// packIDs makes ids the bytes of a column.
func packIDs(ids []ID) []byte {
	out := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		out = binary.BigEndian.AppendUint64(out, uint64(id))
	}
	return out
}

func unpackIDs(b []byte) (out []ID) {
	for ; len(b) >= 8; b = b[8:] {
		out = append(out, ID(binary.BigEndian.Uint64(b)))
	}
	return out
}
