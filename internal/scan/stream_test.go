package scan_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Targets that come one by one are probed as they come, ranges in full, and the
// run ends when they do.
func TestStream(t *testing.T) {
	addr := everywhere(t)
	cfg := config(t, builtin(t))
	seen := make(chan struct{}, 100)
	cfg.Stream = func(yield func(target.Spec) error) error {
		if err := yield(parsed(t, "127.9.2.1", addr.Port())); err != nil {
			return err
		}
		<-seen // before the next is there
		return yield(parsed(t, "127.9.2.16/28", addr.Port()))
	}
	cfg.Emit = func(e event.Event) error {
		if _, ok := e.(*event.Target); ok {
			seen <- struct{}{}
		}
		return nil
	}
	targets, summary := run(t, t.Context(), cfg)
	ips := map[string]bool{}
	for _, ev := range targets {
		ips[ev.Target.IP] = true
	}
	if len(ips) != 17 || len(targets) != 17 || !summary.Complete {
		t.Errorf("%d addresses in %d lines, summary %+v", len(ips), len(targets), summary)
	}
}

// A stream that breaks ends the run: what came before is in the results, and
// the summary says that it is not complete.
func TestStreamError(t *testing.T) {
	addr := everywhere(t)
	broken := errors.New("line 2 is broken")
	cfg := config(t, builtin(t))
	cfg.Stream = func(yield func(target.Spec) error) error {
		if err := yield(parsed(t, "127.9.2.1", addr.Port())); err != nil {
			return err
		}
		return broken
	}
	var events []event.Event
	cfg.Emit = func(e event.Event) error { events = append(events, e); return nil }
	_, err := scan.Run(t.Context(), cfg)
	var stream *scan.StreamError
	if !errors.As(err, &stream) || !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v", err)
	}
	if len(events) != 3 {
		t.Fatalf("events %+v", events)
	}
	_, listed := events[1].(*event.Target)
	if summary, ok := events[2].(*event.Summary); !listed || !ok || summary.Complete {
		t.Errorf("events %+v", events)
	}
}

// A stream that does not end does not hold up an interrupt.
func TestStreamInterrupted(t *testing.T) {
	addr := everywhere(t)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	cfg := config(t, builtin(t))
	cfg.Stream = func(yield func(target.Spec) error) error {
		if err := yield(parsed(t, "127.9.2.1", addr.Port())); err != nil {
			return err
		}
		<-release // as in a read of stdin
		return yield(parsed(t, "127.9.2.2", addr.Port()))
	}
	cfg.Emit = func(e event.Event) error {
		if _, ok := e.(*event.Target); ok {
			cancel()
		}
		return nil
	}
	begin := time.Now()
	targets, summary := run(t, ctx, cfg)
	if len(targets) != 1 || summary.Complete || time.Since(begin) > plenty {
		t.Errorf("%d lines, summary %+v, after %v", len(targets), summary, time.Since(begin))
	}
}

// Results that cannot be written end the run, though the stream goes on, and the error is
// told.
func TestStreamUnwritten(t *testing.T) {
	addr := everywhere(t)
	release := make(chan struct{})
	defer close(release)
	cfg := config(t, builtin(t))
	cfg.Stream = func(yield func(target.Spec) error) error {
		if err := yield(parsed(t, "127.9.2.1", addr.Port())); err != nil {
			return err
		}
		<-release // as in a read of stdin
		return nil
	}
	gone := errors.New("the reader has gone")
	cfg.Emit = func(e event.Event) error {
		if _, ok := e.(*event.Target); ok {
			return gone
		}
		return nil
	}
	ended := make(chan error, 1)
	go func() {
		_, err := scan.Run(t.Context(), cfg)
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, gone) {
			t.Errorf("error %v", err)
		}
	case <-time.After(plenty):
		t.Fatal("goes on")
	}
}

// TestListed: of what is counted only, those that are chosen have a line all the same, and
// count once.
func TestListed(t *testing.T) {
	chosen, other := single(closed(t)), single(closed(t))
	chosen.Listed, other.Listed = true, true
	cfg := config(t, builtin(t), chosen, other)
	cfg.Listed = func(x target.Target) bool { return x.Addr.Port() == chosen.Ports[0] }
	lines, sum := run(t, t.Context(), cfg)
	if len(lines) != 1 || lines[0].Target.Port != int(chosen.Ports[0]) || sum.Targets != 2 || sum.Outcomes[event.OutcomeClosed] != 2 {
		t.Errorf("%d lines, %+v", len(lines), sum)
	}
	if u := sum.Unlisted; u == nil || u.Count != 1 || u.Targets[0].Place != other.Input {
		t.Errorf("not listed: %+v", u)
	}
}
