// Package scan is the engine: it takes targets out of their space, has a
// bounded number of them probed at a time, judges what was seen, and yields
// the result stream. Its memory depends on the targets in flight, not on the
// number of targets.
package scan

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/pace"
	"github.com/clawsonar/clawsonar/internal/probe"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Config says what to scan and how.
type Config struct {
	Space *target.Space
	// Stream, if set, yields what to scan instead of Space, as it comes: the
	// entries in their order, each in its seeded order. It has no shards and
	// nothing to continue from. An error of it ends the run as an interrupt does,
	// and is what Run returns.
	Stream      func(yield func(target.Spec) error) error
	Scope       *target.Scope
	Prober      *probe.Prober
	Checks      []check.Check
	Advisories  *check.Advisories // nil: none are matched
	Concurrency int               // targets in flight, at least 1
	InFlight    *pace.InFlight    // bounds the targets in flight; nil for one of Concurrency
	Retries     int               // further attempts after a reset or a fault of this machine
	ListAll     bool              // emit closed, silent and excluded members of ranges, too
	// Listed, if set, chooses those of them that are emitted in any case. It is called by
	// many goroutines at once.
	Listed     func(target.Target) bool
	Helpers    bool // where a gateway is found on a host that was named without a port, also try the ports of its helpers
	AllHelpers bool // with Helpers: also where the port was named
	// Machine is set when the machine that this runs on is scanned: the lines of
	// its gateways come last then, and say which of its listeners lead to the same.
	Machine Machine
	Head    event.Scan
	// Emit receives the stream, one event at a time. An error of it ends the
	// run: it is not called again, and targets in flight are given up.
	Emit func(event.Event) error
	// Grace is how long targets in flight may continue after an interrupt;
	// default 2 s.
	Grace time.Duration
	// Count, if set, is kept up to date while the scan runs.
	Count *Count

	Seed  uint64       // of the order in which targets are taken
	Shard target.Shard // the part of that order to scan; zero is all of it
	From  Mark         // what earlier runs have done already
	// Checkpoint, if set, is called about once a second and at the end of the
	// sweep with how far everything is done and written.
	Checkpoint func(Mark)
	// Wait is how long, from the start on, targets that were named are asked again
	// while they are closed, silent or starting; 0 asks once. Waiting, if set, is
	// told how many there are, one of them, and how long it may take yet.
	Wait    time.Duration
	Waiting func(n int, place string, outcome event.Outcome, left time.Duration)
	// Recheck is how many silent members of ranges are tried again at the end,
	// to estimate how many were missed.
	Recheck int
}

// Mark is a place in a run's order: all before it is done and written.
type Mark struct {
	Next     uint64                // positions before it are done
	Pending  []uint64              // but for these, in rising order
	Unlisted map[event.Outcome]int // by outcome: how many of those done have no line
	// Unjudged is what of those was named: it has no line, and is not judged.
	Unjudged *event.Unlisted
	// Which hosts that were named without a port, and which names of several
	// addresses, have been asked and have answered.
	Hosts, Names []byte
}

// Targets returns how many targets the run has: its shard of the space.
func (c *Config) Targets() uint64 { return c.shard().Len(c.Space.Len()) }

func (c *Config) shard() target.Shard {
	if c.Shard.N == 0 {
		return target.Shard{K: 1, N: 1}
	}
	return c.Shard
}

// Count is the progress of a scan; safe to read at any time. Total is 0 while it
// is not known.
type Count struct {
	Total, Done, Found atomic.Int64
}

// Run scans. When ctx is done it issues no further target, gives those in
// flight a moment, and still emits the summary. The error is a fault of the
// run itself, never of a target.
func Run(ctx context.Context, cfg Config) (event.Summary, error) {
	e := &engine{cfg: cfg, begun: time.Now(), summary: *event.NewSummary()}
	cryptorand.Read(e.key[:])
	if e.cfg.Grace == 0 {
		e.cfg.Grace = 2 * time.Second
	}
	if e.cfg.Count == nil {
		e.cfg.Count = new(Count)
	}
	if e.cfg.InFlight == nil {
		e.cfg.InFlight = pace.NewInFlight(cfg.Concurrency)
	}
	head := cfg.Head
	if err := cfg.Emit(&head); err != nil {
		return e.summary, fmt.Errorf("write results: %w", err)
	}

	// Probes outlive the interrupt by the grace period, so they have a context
	// of their own.
	probing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	e.stop = stop
	defer context.AfterFunc(ctx, func() { time.AfterFunc(e.cfg.Grace, stop) })()

	e.hosts.restore(cfg.From.Hosts)
	e.names.restore(cfg.From.Names)
	if u := cfg.From.Unjudged; u != nil {
		// What was named counts until the end, whichever run asked it.
		e.summary.Unlisted = &event.Unlisted{Count: u.Count, Targets: slices.Clone(u.Targets)}
	}
	sweep := e.sweep
	if cfg.Stream != nil {
		sweep = e.stream
	}
	complete, err := sweep(ctx, probing)
	var broken *StreamError
	if err != nil && !errors.As(err, &broken) {
		return e.summary, err
	}
	if err := e.recheck(ctx, probing); err != nil {
		return e.summary, err
	}
	e.summary.Complete = complete && ctx.Err() == nil
	e.unheard()
	if n := e.chosen.Load(); n > 0 {
		e.summary.AddNotes(message.Say("names.chosen", message.Number("count", int(n))))
	}
	e.summary.Finished = time.Now().UTC().Truncate(time.Millisecond)
	final := e.summary
	if err := cfg.Emit(&final); err != nil {
		return e.summary, fmt.Errorf("write results: %w", err)
	}
	if broken != nil {
		return e.summary, broken
	}
	return e.summary, nil
}

// sweep probes the run's targets in their order and reports whether all of
// them, those of an earlier run included, are done. The workers live as long as
// the sweep: a goroutine for each target would grow its stack anew each time.
func (e *engine) sweep(ctx, probing context.Context) (complete bool, err error) {
	n := e.cfg.Targets()
	from := e.cfg.From
	again := uint64(len(from.Pending))
	left := n - min(from.Next, n) + again
	e.cfg.Count.Total.Store(int64(left))
	order, shard := target.NewOrder(e.cfg.Space.Len(), e.cfg.Seed), e.cfg.shard()
	w := newWindow(from.Next)
	if e.cfg.Checkpoint != nil || again > 0 {
		w.keepBooks(from)
		e.window = w
	}
	defer context.AfterFunc(probing, w.end)()
	finishCheckpoints := e.checkpoints()
	defer finishCheckpoints()
	var next atomic.Uint64
	waiting := map[uint64]func(uint64){}
	err = e.work(ctx, left, func() (bool, error) {
		at := next.Add(1) - 1
		if at >= left {
			return false, nil
		}
		i, done := from.Next+at-again, w.finish
		if at < again {
			i, done = from.Pending[at], w.redone
		} else {
			w.wait(i)
		}
		if ctx.Err() != nil || e.failed.Load() {
			return false, nil
		}
		t, err := e.cfg.Space.At(order.At(shard.At(i)))
		if err != nil {
			return false, err
		}
		t.Position = i
		waits := new(bool)
		whole, err := e.target(probing, t, waits)
		switch {
		case err != nil:
			return false, err
		case !whole || probing.Err() != nil:
		case *waits:
			e.mu.Lock()
			waiting[i] = done
			e.mu.Unlock()
		default:
			done(i)
		}
		return true, nil
	})
	if err == nil {
		err = e.again(ctx, probing)
		for i, done := range waiting {
			if probing.Err() == nil && ctx.Err() == nil {
				done(i)
			}
		}
	}
	if err == nil {
		err = e.release()
	}
	if err != nil {
		return false, err
	}
	return w.mark() >= n && w.whole(), nil
}

// work has as many workers as targets may be in flight do one after the other,
// until do reports false.
func (e *engine) work(ctx context.Context, n uint64, do func() (bool, error)) error {
	inFlight := e.cfg.InFlight
	defer context.AfterFunc(ctx, inFlight.Close)()
	var group errgroup.Group
	for range min(uint64(max(e.cfg.Concurrency, 1)), n) {
		group.Go(func() error {
			for inFlight.Enter() {
				more, err := do()
				inFlight.Leave()
				if !more {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// few returns a group of a few targets at a time.
func (e *engine) few() *errgroup.Group {
	group := new(errgroup.Group)
	group.SetLimit(min(50, max(e.cfg.Concurrency, 1)))
	return group
}

// checkpoints has the low-water mark written while the sweep runs; the function
// it returns ends that and writes it a last time.
func (e *engine) checkpoints() (finish func()) {
	if e.cfg.Checkpoint == nil {
		return func() {}
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				e.cfg.Checkpoint(e.mark())
				return
			case <-tick.C:
				if e.cfg.Machine == nil { // what is held is not written yet
					e.cfg.Checkpoint(e.mark())
				}
			}
		}
	}()
	return func() { close(stop); <-ended }
}

// mark returns how far the sweep is. What is held back for the second look is
// not done: its line is not written.
func (e *engine) mark() Mark {
	e.mu.Lock()
	defer e.mu.Unlock()
	held := make(map[uint64][]int, len(e.silent))
	for _, s := range e.silent {
		held[s.Position] = nil
		if s.line == nil {
			held[s.Position] = quietKinds(s.Target, event.OutcomeSilent)
		}
	}
	m := e.window.state(held)
	m.Hosts, m.Names = e.hosts.bytes(), e.names.bytes()
	if m.Unjudged != nil && e.summary.Unlisted != nil {
		named := e.summary.Unlisted.Targets
		m.Unjudged.Targets = slices.Clone(named[:min(len(named), int(m.Unjudged.Count))])
	}
	return m
}

// quietKinds are the kinds by which a target without a line is counted.
func quietKinds(t target.Target, o event.Outcome) []int {
	kinds := []int{kindOf(o)}
	if t.Part == event.OfNothing {
		kinds = append(kinds, named)
	}
	return kinds
}

// recheck tries a sample of the silent targets again, a few at a time: what
// answers now was missed because too much was going on at once, or a packet was
// lost. After an interrupt none is tried any more, only listed.
func (e *engine) recheck(ctx, probing context.Context) error {
	group := e.few()
	for _, s := range e.silent {
		group.Go(func() error {
			if ctx.Err() != nil {
				return e.write(s.line)
			}
			c := e.cfg.Prober.Probe(probing, s.Target, e.cfg.Prober.Budget())
			e.mu.Lock()
			e.summary.MissEstimate.Reprobed++
			// What this machine failed at says nothing of the target.
			answered := c.Outcome != event.OutcomeSilent && c.Outcome != event.OutcomeInterrupted && c.Outcome != event.OutcomeLocalError
			if answered {
				// It is no longer one of the silent ones.
				e.summary.MissEstimate.Found++
				e.summary.AddOutcome(event.OutcomeSilent, -1)
				if s.line == nil && s.Part == event.OfNothing {
					e.summary.Unlisted.Remove(s.HostPort() + s.Base)
				}
			}
			e.mu.Unlock()
			if !answered {
				return e.write(s.line)
			}
			return e.done(s.Target, c)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	e.summary.MissEstimate.Estimate(e.summary.Outcomes[event.OutcomeSilent] + e.cfg.From.Unlisted[event.OutcomeSilent])
	return nil
}

// sample keeps a silent target, each with the same chance, up to cfg.Recheck of
// them (Vitter's algorithm R), and returns the line to write now: none for one
// that is kept, since a target has one line and this one may yet answer. The
// caller holds mu.
func (e *engine) sample(t target.Target, line *event.Target) *event.Target {
	if e.window != nil && t.Name != "" {
		// The addresses of a name share a position, which is done or not.
		return line
	}
	e.silences++
	if len(e.silent) < e.cfg.Recheck {
		e.silent = append(e.silent, silence{t, line})
		return nil
	}
	if i := rand.Uint64N(e.silences); i < uint64(len(e.silent)) {
		line, e.silent[i] = e.silent[i].line, silence{t, line}
	}
	return line
}

// silence is a silent target and its line, nil if it is to be counted only.
type silence struct {
	target.Target
	line *event.Target
}

type engine struct {
	cfg     Config
	begun   time.Time
	key     [32]byte     // of the digests that stand for what must not be shown
	macs    sync.Pool    // of *mac, with that key
	stop    func()       // gives up the targets in flight
	failed  atomic.Bool  // Emit has failed
	chosen  atomic.Int64 // how many addresses of a name are tried that has more
	mu      sync.Mutex   // guards what follows, and Emit
	summary event.Summary
	// A sample of the silent members of ranges, and how many there were.
	silent   []silence
	silences uint64
	held     []held // gateways of this machine

	pending []*pending // see Config.Wait

	settled map[uint64]bool // entries that nobody waits for any more

	hosts entries // named without a port
	names entries // of several addresses
	// Of those names, which have refused a connection; not kept over runs.
	refused entries
	tried   hosts   // helper ports
	window  *window // of a run with a journal
}

// target probes one target of the space: one address, or all addresses of a
// name. It reports whether that is the whole target: at the end of a run there
// may be addresses whose turn has not come. waits is set, with mu, if some of it waits
// for an answer, see Config.Wait.
func (e *engine) target(ctx context.Context, t target.Target, waits *bool) (whole bool, err error) {
	defer e.cfg.Count.Done.Add(1)
	// Dialling checks this again, on the address that is dialled.
	if err := e.cfg.Scope.CheckTarget(t); err != nil {
		return true, e.excluded(t, message.Text{English: err.Error()})
	}
	if t.Addr.Addr().IsValid() {
		return true, e.probe(ctx, t, waits)
	}
	answer, err := e.cfg.Prober.Wire.Resolve(ctx, t.Name)
	c := e.open(&evidence.Observation{Addr: t.Addr, Name: t.Name, Base: t.Base, Outcome: event.OutcomeDNSError})
	switch trouble := answer.Trouble(); {
	case err != nil:
		c.Outcome, c.Err = event.OutcomeInterrupted, "stopped"
		return true, e.done(t, c)
	case trouble.English != "":
		// What is missing has a line of its own: the others are not all there is.
		c.Err, c.Cause, t.Note = trouble.English, trouble.Message, &trouble
		if err := e.done(t, c); err != nil {
			return true, err
		}
	case len(answer.Addrs) == 0:
		c.Err = "the name does not resolve"
		if e.hold(t, c, waits) {
			return true, nil
		}
		return true, e.done(t, c)
	}
	if n := len(answer.Addrs); answer.Total > n {
		note := message.Say("name.tried", message.Number("count", answer.Total), message.Number("tried", n))
		t.Note = &note
		e.chosen.Store(int64(n))
		rest := t
		rest.Swept = false // listed, too: it stands for many
		if err := e.excluded(rest, note); err != nil {
			return true, err
		}
	}
	if len(answer.Addrs) > 1 && t.Part == event.OfNothing {
		t.Part = event.OfName
	}
	return e.addresses(ctx, t, answer.Addrs, waits)
}

// addresses probes a target at each address of its name, as many at a time as
// there are places in flight.
func (e *engine) addresses(ctx context.Context, t target.Target, addrs []netip.Addr, waits *bool) (whole bool, err error) {
	if len(addrs) == 0 {
		return true, nil
	}
	var group errgroup.Group
	var left atomic.Bool
	for _, addr := range addrs[1:] {
		group.Go(func() error {
			if !e.cfg.InFlight.Enter() {
				left.Store(true)
				return nil
			}
			defer e.cfg.InFlight.Leave()
			return e.resolved(ctx, t.WithAddr(addr), waits)
		})
	}
	err = e.resolved(ctx, t.WithAddr(addrs[0]), waits)
	if len(addrs) > 1 {
		e.cfg.InFlight.Outside(func() { err = errors.Join(err, group.Wait()) })
	}
	return !left.Load(), err
}

// resolved probes a target at an address that a look-up gave.
func (e *engine) resolved(ctx context.Context, t target.Target, waits *bool) error {
	if err := e.cfg.Scope.CheckTarget(t); err != nil {
		return e.excluded(t, message.Text{English: err.Error()})
	}
	// The form that an AAAA record has given it has been judged.
	t.Addr = netip.AddrPortFrom(t.Addr.Addr().Unmap(), t.Addr.Port())
	return e.probe(ctx, t, waits)
}

func (e *engine) excluded(t target.Target, why message.Text) error {
	return e.done(t, e.open(&evidence.Observation{
		Time: time.Now(), Addr: t.Addr, Name: t.Name, Base: t.Base,
		Outcome: event.OutcomeExcluded, Err: why.English, Cause: why.Message,
	}))
}

// open begins a case on a target that nothing is asked of.
func (e *engine) open(o *evidence.Observation) *fingerprint.Case {
	return e.cfg.Prober.Set.Open(o, e.cfg.Prober.Level)
}

// probe probes one address. All attempts, and the ports beside it, have the time for
// one target together.
func (e *engine) probe(ctx context.Context, t target.Target, waits *bool) error {
	var c *fingerprint.Case
	budget := e.cfg.Prober.Budget()
	requests, connections := 0, 0 // of all attempts: what the target has seen of us
	for attempt := 0; ; attempt++ {
		next := e.cfg.Prober.Probe(ctx, t, budget)
		requests, connections = requests+next.Requests, connections+next.Connections
		// An attempt that ran out of time says less than the one before.
		if attempt == 0 || next.Outcome != event.OutcomeSilent || budget.Left() > 0 {
			c = next
		}
		transient := next.Outcome == event.OutcomeReset || next.Outcome == event.OutcomeLocalError
		pause := time.Duration(attempt+1) * 200 * time.Millisecond
		if !transient || attempt >= e.cfg.Retries || ctx.Err() != nil || budget.Left() <= pause {
			break
		}
		budget.Take(pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	c.Requests, c.Connections = requests, connections
	if e.hold(t, c, waits) {
		return nil
	}
	e.settledBy(t, c)
	if err := e.done(t, c); err != nil || !e.wantsHelpers(t, c) {
		return err
	}
	return e.helpers(ctx, t, c, budget)
}

// done emits the event of a case that nothing more is asked for.
func (e *engine) done(t target.Target, c *fingerprint.Case) error {
	silent := c.Outcome == event.OutcomeSilent
	e.heard(t, c.Outcome)
	unlisted := t.Swept && !e.cfg.ListAll && (silent || c.Outcome == event.OutcomeClosed || c.Outcome == event.OutcomeExcluded) &&
		(e.cfg.Listed == nil || !e.cfg.Listed(t))
	if unlisted {
		// Nearly all of a sweep ends here, so nothing more is done for it.
		e.mu.Lock()
		defer e.mu.Unlock()
		e.quietly(t, c.Outcome)
		if silent {
			e.sample(t, nil)
		}
		return nil
	}
	t.Base = c.Base // it may have been found out
	verdict := c.Verdict()
	recognised := verdict.Product.Confidence.Rank() >= event.Firm.Rank() || verdict.Unfinished && c.Outcome == event.OutcomeOther
	switch root := c.Exchange("root"); {
	case c.Outcome != event.OutcomeOther:
	case recognised && verdict.Helper:
		c.Outcome = event.OutcomeHelper
	case recognised:
		c.Outcome = event.OutcomeIdentified
	case root != nil && root.Unreadable:
		// Not readable: it was not looked at.
		c.Outcome, c.Err = event.OutcomeProtocolError, root.Err
	}
	if e.cfg.Machine != nil && recognised && !verdict.Helper {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.held = append(e.held, held{t, c})
		return nil
	}
	return e.judged(t, c, ways{})
}

// judged puts what is known of a target into findings and emits its event.
func (e *engine) judged(t target.Target, c *fingerprint.Case, w ways) error {
	verdict := c.Verdict()
	var bound netip.AddrPort
	if t.Bound != "" {
		bound, _ = netip.ParseAddrPort(t.Bound)
	} else if t.Found != nil {
		// The engine's listener. Of one on loopback it is not known who else leads to it.
		if at, err := netip.ParseAddrPort(t.Found.Published); err == nil && !at.Addr().IsLoopback() {
			bound = at
		}
	}
	hostPort := t.HostPort()
	releases := e.cfg.Prober.Set.Releases(verdict.Product.ID)
	advisories := e.cfg.Advisories.Assess(verdict, hostPort, releases)
	findings := check.Run(e.cfg.Checks, check.Subject{
		HostPort: hostPort, Reach: e.reach(t), Bound: bound, Process: t.Process,
		Forwards: w.forwards, Ways: w.others, Discovery: t.Found,
		Observation: c.Observation, Verdict: verdict, Evidence: c.Evidence, Releases: releases, Advisories: advisories,
	})
	ev := e.event(t, c, findings)
	ev.SameAs = w.sameAs
	ev.AddNotes(w.notes...)
	if advisories != nil {
		ev.Advisories = e.cfg.Advisories.List(advisories)
		if advisories.Reason.ID != "" {
			ev.AddNotes(advisories.Reason)
		}
	}
	if n := t.Note; n != nil && n.English != c.Err {
		ev.AddNotes(*n)
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed.Load() {
		return nil
	}
	e.summary.Add(ev)
	if c.Outcome == event.OutcomeIdentified {
		e.cfg.Count.Found.Add(1)
	}
	if t.Swept && c.Outcome == event.OutcomeSilent {
		ev = e.sample(t, ev)
	}
	return e.emit(ev)
}

// write puts a target's line into the stream.
func (e *engine) write(line *event.Target) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.emit(line)
}

// emit is write for a caller that holds mu.
func (e *engine) emit(line *event.Target) error {
	if line == nil || e.failed.Load() {
		return nil
	}
	if err := e.cfg.Emit(line); err != nil {
		e.failed.Store(true)
		e.stop()
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

func (e *engine) reach(t target.Target) event.Reach {
	if !t.Addr.Addr().IsValid() {
		return ""
	}
	return e.cfg.Scope.Reach(t.Addr.Addr())
}
