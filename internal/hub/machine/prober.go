package machine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
)

// WatchProber probes targets of watches.
type WatchProber struct {
	// Builder returns what makes the configuration of a watch's runs, with the limiter
	// that they share, and where its targets are named; nil if there is no such watch. It
	// is a new one each time.
	Builder func(watch string) (b *audit.Builder, source string)

	slots chan struct{}
}

// atOnce is how many probes are made at a time.
const atOnce = 8

// NewWatchProber returns a Prober.
func NewWatchProber(builder func(watch string) (*audit.Builder, string)) *WatchProber {
	return &WatchProber{Builder: builder, slots: make(chan struct{}, atOnce)}
}

// errFound ends the reading of targets.
var errFound = errors.New("found")

// Probe looks at one target as a run of the watch would: only if the watch has it as a
// target, by its own list and ports, only within its scope and outside its exclusions,
// at its level and within its rate.
func (p *WatchProber) Probe(ctx context.Context, watch, text string) ([]*event.Target, error) {
	b, source := p.Builder(watch)
	if b == nil {
		return nil, Refusal(fmt.Sprintf("there is no watch %q", clean.N(watch, 60)))
	}
	one, err := target.Parse(text, source, nil)
	if err != nil || strings.ContainsAny(text, "/@?#") || len(one.Ports) != 1 || one.First != one.Last {
		return nil, Refusal("the target has to be one HOST:PORT")
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, ErrBusy
	}
	cfg, err := b.Prepare(ctx)
	if err != nil {
		return nil, err
	}
	defer cfg.Space.Close()
	into, err := b.Into(cfg)
	if err != nil {
		return nil, err
	}
	if err := find(b, into, one, source); err != nil {
		return nil, err
	}
	if cfg.Space.Len() == 0 {
		return nil, Refusal(fmt.Sprintf("%s is no target of watch %s", clean.N(text, 100), watch))
	}
	t, err := cfg.Space.At(0)
	if err != nil {
		return nil, err
	}
	if err := cfg.Scope.CheckTarget(t); err != nil {
		return nil, Refusal(err.Error())
	}
	b.Finish(cfg)
	cfg.Helpers, cfg.AllHelpers, cfg.ListAll = false, false, true
	cfg.Wait, cfg.Recheck, cfg.Concurrency = 0, 0, min(cfg.Concurrency, 4)
	cfg.Grace = 250 * time.Millisecond // who asks does not wait longer than ctx
	var lines []*event.Target
	cfg.Emit = func(e event.Event) error {
		if t, ok := e.(*event.Target); ok {
			lines = append(lines, t)
		}
		return nil
	}
	_, err = scan.Run(ctx, *cfg)
	return lines, err
}

// find puts the target into the space if the watch has it.
func find(b *audit.Builder, into *audit.Targets, one target.Spec, source string) error {
	take := func(spec target.Spec) error {
		only, ok := spec.Only(one)
		if !ok {
			return nil
		}
		if err := into.Put(only); err != nil {
			return err
		}
		return errFound
	}
	for _, text := range b.Targets {
		spec, err := target.Parse(text, source, into.Ports)
		if err == nil {
			err = take(spec)
		}
		if err != nil {
			return found(err)
		}
	}
	for _, file := range b.Lists {
		if err := into.File(file, take); err != nil {
			return found(err)
		}
	}
	return nil
}

func found(err error) error {
	if errors.Is(err, errFound) {
		return nil
	}
	return err
}
