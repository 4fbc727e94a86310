package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// indexed are the tables that Import makes again.
func indexed() []string {
	return []string{"run", "gateway", "sight", "line", "episode", "change", "daily", "whole"}
}

// Imported is what an import gave.
type Imported struct {
	Runs, Gateways int
	// Refused says, in a line each, what could not be read and is not in the index.
	Refused []error
}

// Import makes the index again from all streams below a directory: *.jsonl and *.jsonl.gz,
// in the order in which their runs ended. The index that there was is replaced when all is
// done, or stays. What else is in the database is left alone, and nothing waits for alerts.
// Done, unless nil, is told after each stream.
func (s *Store) Import(ctx context.Context, dir string, checks []event.CheckInfo, done func(n, of int)) (out Imported, err error) {
	list, refused, err := survey(dir)
	if err != nil {
		return out, err
	}
	out.Refused = refused
	s.turn.Lock()
	defer s.turn.Unlock()
	s.history = nil
	h := newHistory()
	if err := s.loadNetworks(ctx, h); err != nil {
		return out, err
	}
	runs := 0
	err = s.change(ctx, func(tx *sql.Tx) error {
		for _, table := range indexed() {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table); err != nil {
				return err
			}
		}
		last := map[ID]*stream.Stream{}
		for i, x := range list {
			p, err := s.pass(ctx, tx, h, x, name(dir, x), checks, false)
			if wrong := (*unreadable)(nil); errors.As(err, &wrong) {
				out.Refused = append(out.Refused, wrong.error)
				continue
			}
			if err != nil {
				return err
			}
			if err := s.writeRun(ctx, tx, p.run); err != nil {
				return err
			}
			if err := s.flush(ctx, tx, h, false); err != nil {
				return err
			}
			last[p.run.ID] = x
			runs++
			if done != nil {
				done(i+1, len(list))
			}
		}
		if len(last) == 0 {
			return errors.New("none of its streams can be read")
		}
		if err := s.lastLines(ctx, tx, h, last); err != nil {
			return err
		}
		return s.flush(ctx, tx, h, true)
	})
	if err != nil {
		return out, fmt.Errorf("import %s: %w", dir, err)
	}
	s.history = h
	out.Runs, out.Gateways = runs, len(h.gateways)
	return out, nil
}

// lastLines writes the line of the last answer of each gateway: they are in the last
// streams, of which only those are read again that have one.
func (s *Store) lastLines(ctx context.Context, tx *sql.Tx, h *history, runs map[ID]*stream.Stream) error {
	wanted := map[ID]bool{}
	for _, g := range h.gateways {
		for _, x := range g.sights {
			wanted[x.answer] = true
		}
	}
	rows := &bulk{tx: tx, before: `INSERT INTO line (gateway, watch, line) VALUES `}
	var encoder event.Encoder
	for _, run := range slices.Sorted(maps.Keys(wanted)) {
		x := runs[run]
		several := map[ID]*look{} // lines of names, of which the worst counts
		err := x.Each(func(e event.Event) error {
			t, ok := e.(*event.Target)
			if !ok || !stored.Recognised(t) {
				return nil
			}
			id := MakeID(stored.Place(t.Target))
			g := h.gateways[id]
			if g == nil {
				return nil
			}
			if seen := g.of(text(x.Head.Watch, 100)); seen == nil || seen.answer != run {
				return nil
			}
			v, _ := verdictOf(t)
			if o := several[id]; o != nil && !tells(v, t, o.verdict, o.addr) {
				return nil
			}
			several[id] = &look{verdict: v, addr: sortable(t.Target.IP), line: s.pack(&encoder, t)}
			return nil
		})
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(several)) {
			if o := several[id]; o.line != nil {
				if err := rows.add(ctx, id, text(x.Head.Watch, 100), o.line); err != nil {
					return err
				}
			}
		}
	}
	return rows.flush(ctx)
}

// survey opens the streams below a directory. A watch whose stream does not name it is
// called as its directory.
func survey(dir string) (list []*stream.Stream, refused []error, err error) {
	seen := map[string]string{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() || !strings.HasSuffix(path, ".jsonl") && !strings.HasSuffix(path, ".jsonl.gz") {
			return nil
		}
		x, err := stream.Open(path)
		if err == nil {
			if other := seen[x.SHA256]; other != "" {
				err = fmt.Errorf("%s: the same stream as %s: it counts once", path, other)
			}
		}
		if err != nil {
			refused = append(refused, err)
			return nil
		}
		seen[x.SHA256] = path
		if x.Head.Watch == "" {
			x.Head.Watch = filepath.Base(filepath.Dir(path))
		}
		list = append(list, x)
		return nil
	})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s: no stream in it: give a directory with the .jsonl or .jsonl.gz files of scans", dir)
	}
	slices.SortStableFunc(list, func(a, b *stream.Stream) int {
		return cmp.Or(ended(a).Compare(ended(b)), a.Head.Started.Compare(b.Head.Started), cmp.Compare(a.SHA256, b.SHA256))
	})
	return list, refused, err
}

// ended is when the run of a stream ended; of one that was cut off, when it began.
func ended(x *stream.Stream) time.Time {
	if x.Summary == nil {
		return x.Head.Started
	}
	return x.Summary.Finished
}

// name is what the index calls a stream.
func name(dir string, x *stream.Stream) string {
	rel, err := filepath.Rel(dir, x.Path)
	if err != nil {
		rel = x.Path
	}
	return filepath.ToSlash(rel)
}

// Dump writes the tables of the index as text, in an order of their own: two databases
// that say the same give the same text.
func (s *Store) Dump(ctx context.Context, w io.Writer) error {
	for _, table := range indexed() {
		columns := ""
		for _, key := range map[string][]string{
			"run": {"id"}, "gateway": {"id"}, "sight": {"gateway", "watch"}, "line": {"gateway", "watch"},
			"episode": {"gateway", "watch", "what", "key", "opened"}, "change": {"run", "gateway"}, "daily": {"day", "verdict"}, "whole": {"watch"},
		}[table] {
			columns += ", " + key
		}
		err := s.each(ctx, `SELECT * FROM `+table+` ORDER BY `+columns[2:], nil, func(r *sql.Rows) error {
			names, err := r.Columns()
			if err != nil {
				return err
			}
			values := make([]any, len(names))
			into := make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			if err := r.Scan(into...); err != nil {
				return err
			}
			fmt.Fprint(w, table)
			for i, v := range values {
				if b, ok := v.([]byte); ok {
					v = fmt.Sprintf("%x", b)
				}
				fmt.Fprintf(w, " %s=%q", names[i], fmt.Sprint(v))
			}
			_, err = fmt.Fprintln(w)
			return err
		})
		if err != nil {
			return errors.Join(fmt.Errorf("dump %s", table), err)
		}
	}
	return nil
}
