// Package scan is the engine: it takes targets out of their space, has a
// bounded number of them probed at a time, judges what was seen, and hands out
// the result stream. Its memory depends on the targets in flight, not on the
// number of targets.
package scan

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/probe"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Config says what to scan and how.
type Config struct {
	Space       *target.Space
	Scope       *target.Scope
	Prober      *probe.Prober
	Checks      []check.Check
	Concurrency int  // targets in flight, at least 1
	Retries     int  // further attempts after a reset or a fault of this machine
	ListAll     bool // emit closed and silent members of ranges, too
	Head        event.Scan
	// Emit receives the stream, one event at a time. An error of it ends the
	// run: it is not called again, and targets in flight are given up.
	Emit func(event.Event) error
	// Grace is how long targets in flight may go on after an interrupt;
	// default 2 s.
	Grace time.Duration
	// Count, if set, is kept up to date while the scan runs.
	Count *Count
}

// Count is the progress of a scan; safe to read at any time.
type Count struct {
	Total, Done, Found atomic.Int64
}

// Run scans. When ctx is done it issues no further target, gives those in
// flight a moment, and still emits the summary. The error is a fault of the
// run itself, never of a target.
func Run(ctx context.Context, cfg Config) (event.Summary, error) {
	e := &engine{cfg: cfg, summary: event.Summary{
		Type:     "summary",
		Outcomes: map[string]int{}, Auth: map[string]int{}, Findings: map[string]int{},
	}}
	if e.cfg.Grace == 0 {
		e.cfg.Grace = 2 * time.Second
	}
	if e.cfg.Count == nil {
		e.cfg.Count = new(Count)
	}
	n := cfg.Space.Len()
	e.cfg.Count.Total.Store(int64(n))
	head := cfg.Head
	if err := cfg.Emit(event.Event{Scan: &head}); err != nil {
		return e.summary, fmt.Errorf("write results: %w", err)
	}

	// Probes outlive the interrupt by the grace period, so they have a context
	// of their own.
	probing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	e.stop = stop
	defer context.AfterFunc(ctx, func() { time.AfterFunc(e.cfg.Grace, stop) })()

	var group errgroup.Group
	group.SetLimit(max(cfg.Concurrency, 1))
	issued := uint64(0)
	for ; issued < n && ctx.Err() == nil && !e.failed.Load(); issued++ {
		t := cfg.Space.At(issued)
		group.Go(func() error {
			// The end of the run may have come while t waited for its turn.
			if ctx.Err() != nil || e.failed.Load() {
				return nil
			}
			return e.target(probing, t)
		})
	}
	err := group.Wait()
	if err != nil {
		return e.summary, fmt.Errorf("write results: %w", err)
	}
	e.summary.Complete = issued == n && ctx.Err() == nil
	e.summary.Finished = time.Now().UTC().Truncate(time.Millisecond)
	final := e.summary
	if err := cfg.Emit(event.Event{Summary: &final}); err != nil {
		return e.summary, fmt.Errorf("write results: %w", err)
	}
	return e.summary, nil
}

type engine struct {
	cfg     Config
	stop    func()      // gives up the targets in flight
	failed  atomic.Bool // Emit has failed
	mu      sync.Mutex  // guards what follows, and Emit
	summary event.Summary
}

// target probes one target of the space: one address, or all addresses of a
// name.
func (e *engine) target(ctx context.Context, t target.Target) error {
	defer e.cfg.Count.Done.Add(1)
	if t.Addr.Addr().IsValid() {
		return e.probe(ctx, t)
	}
	addrs, err := e.cfg.Prober.Resolve(ctx, t.Name)
	if err != nil || len(addrs) == 0 {
		o := evidence.Observation{Addr: t.Addr, Name: t.Name, Base: t.Base, Outcome: evidence.DNSError, Err: "the name does not resolve"}
		if ctx.Err() != nil {
			o.Outcome, o.Err = evidence.Interrupted, "stopped"
		}
		return e.done(t, &o)
	}
	for _, addr := range addrs {
		if err := e.probe(ctx, t.WithAddr(addr)); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) probe(ctx context.Context, t target.Target) error {
	var o evidence.Observation
	requests, connections := 0, 0 // of all attempts: what the target has seen of us
	for attempt := 0; ; attempt++ {
		o = e.cfg.Prober.Probe(ctx, t)
		requests, connections = requests+o.Requests, connections+o.Connections
		transient := o.Outcome == evidence.Reset || o.Outcome == evidence.LocalError
		if !transient || attempt >= e.cfg.Retries || ctx.Err() != nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(attempt+1) * 200 * time.Millisecond):
		}
	}
	o.Requests, o.Connections = requests, connections
	return e.done(t, &o)
}

// done judges an observation and emits its event.
func (e *engine) done(t target.Target, o *evidence.Observation) error {
	verdict := e.cfg.Prober.Set.Judge(o)
	recognised := verdict.Confidence.Rank() >= fingerprint.Firm.Rank()
	if recognised && o.Outcome == evidence.Other {
		o.Outcome = evidence.Identified
	}
	bound, _ := netip.ParseAddrPort(t.Bound)
	findings := check.Run(e.cfg.Checks, check.Subject{
		HostPort: t.HostPort(), Reach: e.reach(t), Bound: bound, Process: t.Process,
		Observation: o, Verdict: &verdict, Releases: e.cfg.Prober.Set.Releases(verdict.Product),
	})
	ev := e.event(t, o, &verdict, findings)

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed.Load() {
		return nil
	}
	e.summary.Targets++
	e.summary.Outcomes[string(o.Outcome)]++
	if recognised {
		e.summary.Auth[string(verdict.Auth.State)]++
		e.cfg.Count.Found.Add(1)
	}
	for _, f := range findings {
		e.summary.Findings[string(f.Severity)]++
	}
	counted := o.Outcome == evidence.Closed || o.Outcome == evidence.Silent
	if t.Swept && counted && !e.cfg.ListAll {
		return nil
	}
	if err := e.cfg.Emit(event.Event{Target: ev}); err != nil {
		e.failed.Store(true)
		e.stop()
		return err
	}
	return nil
}

func (e *engine) reach(t target.Target) string {
	if !t.Addr.Addr().IsValid() {
		return ""
	}
	return string(e.cfg.Scope.Reach(t.Addr.Addr()))
}
