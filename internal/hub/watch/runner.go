// Package watch makes the runs of the hub: at which times, in this process, each into a
// stream of its own, which is then taken into the history.
package watch

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/geo"
	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/hub/stream"
	"github.com/clawsonar/clawsonar/internal/pace"
	"github.com/clawsonar/clawsonar/internal/results"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/stored"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Store is what a run needs of the history; see store.Store.
type Store interface {
	Known(ctx context.Context, watch string) (map[store.ID]bool, error)
	// Apply may be given a stream again, which then changes nothing.
	Apply(ctx context.Context, x *stream.Stream, file string, checks []event.CheckInfo) (store.Applied, error)
}

// Runner makes runs.
type Runner struct {
	Dir    string // of the streams; a run's is in DIR/WATCH
	Store  Store
	Known  *data.Known
	Checks []event.CheckInfo
	Tool   event.Tool
	Geo    *geo.Files // what streams say of addresses; nil: nothing
	Now    func() time.Time
	// Say takes a line about a watch for the operator, safe to print.
	Say func(watch, line string)
	// Applied, unless nil, is told what each run gave.
	Applied func(store.Applied)

	release func()

	mu       sync.Mutex
	limiters map[rates]*pace.Limiter
}

// Open makes the directory of streams, unless it is there, and sees that no other
// process writes to it.
func (r *Runner) Open() error {
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return err
	}
	var err error
	if r.release, err = results.Hold(filepath.Join(r.Dir, "runs")); err != nil {
		return fmt.Errorf("directory of streams %s: another clawsonar-hub runs with it, or it cannot be written (%w)", r.Dir, err)
	}
	return nil
}

// Close lets others have the directory.
func (r *Runner) Close() { r.release() }

// Check makes the configuration of a watch and contacts nothing: what it refuses is the
// user's to fix.
func (r *Runner) Check(ctx context.Context, w *config.Watch) error {
	b := r.Builder(w)
	b.Offline, b.Say, b.Warn = true, nil, nil
	cfg, err := b.Build(ctx, w.Source())
	if err == nil {
		cfg.Space.Close()
	}
	return err
}

// Builder makes the configuration of a watch's runs, and of whatever else looks at its
// targets: all that it makes share the rate of the watch.
func (r *Runner) Builder(w *config.Watch) *audit.Builder {
	say := func(text string) { r.say(w.Name, text) }
	return &audit.Builder{Settings: &w.Settings, Naming: w.Naming(), Tool: r.Tool, Known: r.Known, Say: say, Warn: say, Limiter: r.limiter(w)}
}

// limiter is that of a watch with these rates.
func (r *Runner) limiter(w *config.Watch) *pace.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := rates{w.Name, w.Settings.Rate, w.Settings.HostRate}
	l, ok := r.limiters[key]
	if !ok {
		if r.limiters == nil {
			r.limiters = map[rates]*pace.Limiter{}
		}
		l = pace.New(key.all, key.host)
		r.limiters[key] = l
	}
	return l
}

// rates are what a limiter is for.
type rates struct {
	watch     string
	all, host int
}

// maxSaid is how long a line for the operator may be.
const maxSaid = 1000

// say says a line about a watch.
func (r *Runner) say(watch, text string) {
	if r.Say != nil {
		r.Say(watch, clean.N(text, maxSaid))
	}
}

// Run makes one run of a watch, and at once a second look at what it found newly open or
// claimable. What a run wrote before an error is kept and handed on later. When ctx ends,
// the run ends in a moment and counts as incomplete.
func (r *Runner) Run(ctx context.Context, w *config.Watch) error {
	if _, err := r.adopt(ctx, filepath.Join(r.Dir, w.Name), ""); err != nil {
		r.say(w.Name, err.Error()) // it does not keep this run from being made
	}
	cfg, err := r.Builder(w).Build(ctx, w.Source())
	if err != nil {
		return err
	}
	defer cfg.Space.Close()
	known, err := r.Store.Known(ctx, w.Name)
	if err != nil {
		return err
	}
	// A known gateway that is closed now has a line that says so.
	cfg.Listed = func(t target.Target) bool { return known[placeOf(t)] }
	open := map[store.ID][]event.Address{}
	applied, err := r.look(ctx, w, cfg, func(t *event.Target) {
		if stored.Recognised(t) && t.Auth != nil && store.Verdict(t.Auth.State).Alarming() {
			id := store.MakeID(stored.Place(t.Target))
			open[id] = append(open[id], t.Target)
		}
	})
	if err != nil || ctx.Err() != nil {
		return err
	}
	var due []event.Address
	for _, g := range applied.Alarming {
		due = append(due, open[g.ID]...)
	}
	if len(due) == 0 {
		return nil
	}
	if err := r.again(ctx, w, due); err != nil {
		return fmt.Errorf("second look: %w", err)
	}
	return nil
}

// placeOf is the identity that a target has in the history.
func placeOf(t target.Target) store.ID {
	return store.MakeID(stored.Place(event.Address{Name: t.Name, IP: t.Addr.Addr().String(), Port: int(t.Addr.Port()), URL: t.URL("")}))
}

// again looks a second time at some gateways, and at nothing else.
func (r *Runner) again(ctx context.Context, w *config.Watch, due []event.Address) error {
	b := r.Builder(w)
	cfg, err := b.Prepare(ctx)
	if err != nil {
		return err
	}
	defer cfg.Space.Close()
	into, err := b.Into(cfg)
	if err != nil {
		return err
	}
	for _, a := range due {
		spec, err := exactly(a, w.Source())
		if err == nil {
			err = into.Put(spec)
		}
		if err != nil {
			return err
		}
	}
	b.Finish(cfg)
	cfg.Helpers, cfg.AllHelpers, cfg.Head.Again = false, false, true
	_, err = r.look(ctx, w, cfg, func(*event.Target) {})
	return err
}

// exactly is the entry of a target that was looked at before: the same address, not what
// its name may stand for by now.
func exactly(a event.Address, source string) (target.Spec, error) {
	addr, err := netip.ParseAddr(a.IP)
	if err != nil {
		return target.Spec{}, err
	}
	scheme, rest, _ := strings.Cut(a.URL, "://")
	_, path, _ := strings.Cut(rest, "/")
	return target.Spec{
		First: addr, Last: addr, Name: a.Name, Ports: []uint16{uint16(a.Port)}, Scheme: scheme, Base: strings.TrimRight("/"+path, "/"),
		Input: a.Input, Source: source, Exact: true, Bound: a.Bound, Process: a.Process,
	}, nil
}

// look makes a run and hands it on. See takes each line.
func (r *Runner) look(ctx context.Context, w *config.Watch, cfg *scan.Config, see func(*event.Target)) (store.Applied, error) {
	p, err := r.create(w.Name)
	if err != nil {
		return store.Applied{}, err
	}
	cfg.Head.Started, cfg.Head.Watch, cfg.Head.Vantage = p.started, w.Name, w.Vantage
	cfg.Emit = func(e event.Event) error {
		if t, ok := e.(*event.Target); ok {
			see(t)
		}
		return p.Write(r.Geo.Add(e))
	}
	_, err = scan.Run(ctx, *cfg)
	if e := p.f.Close(); err == nil {
		err = e
	}
	if err == nil {
		// In the order in which they were made, also where the database was gone meanwhile.
		var done bool
		if done, err = r.adopt(ctx, filepath.Join(r.Dir, w.Name), p.f.Name()); done {
			err = nil // what is damaged was said before the run
		}
	}
	if err != nil {
		return store.Applied{}, fmt.Errorf("%w: what there is of the run is kept in %s, and is taken in with the next", err, p.f.Name())
	}
	return r.hand(ctx, p.f.Name())
}
