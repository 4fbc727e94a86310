package scan

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/target"
)

// quietly counts a target without a line. The caller holds mu.
func (e *engine) quietly(t target.Target, outcome event.Outcome) {
	e.summary.AddOutcome(outcome, 1)
	e.window.unlisted(t.Position, quietKinds(t, outcome))
	if t.Part == event.OfNothing {
		e.unlisted().Add(event.Place{Place: t.HostPort() + t.Base, Outcome: string(outcome)})
	}
}

// unlisted returns the summary's list. The caller holds mu.
func (e *engine) unlisted() *event.Unlisted {
	if e.summary.Unlisted == nil {
		e.summary.Unlisted = &event.Unlisted{Targets: []event.Place{}}
	}
	return e.summary.Unlisted
}

// entries knows which hosts that were named without a port have been asked, and
// which have answered on any port: two bits an entry.
type entries struct {
	mu   sync.Mutex
	bits []uint64 // 64 of asked, then as many of heard
}

func (h *entries) note(entry uint64, answered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := int(entry/64) * 2
	if more := at + 2 - len(h.bits); more > 0 {
		h.bits = append(h.bits, make([]uint64, more)...)
	}
	h.bits[at] |= 1 << (entry % 64)
	if answered {
		h.bits[at+1] |= 1 << (entry % 64)
	}
}

// has reports whether an entry has answered.
func (h *entries) has(entry uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := entry/64*2 + 1
	return at < uint64(len(h.bits)) && h.bits[at]>>(entry%64)&1 == 1
}

// mute calls do for each host of which no port has answered.
func (h *entries) mute(do func(entry uint64)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := 0; i < len(h.bits); i += 2 {
		for left := h.bits[i] &^ h.bits[i+1]; left != 0; left &= left - 1 {
			do(uint64(i)*32 + uint64(bits.TrailingZeros64(left)))
		}
	}
}

// bytes returns what is known, for restore.
func (h *entries) bytes() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	out, _ := binary.Append(nil, binary.LittleEndian, h.bits)
	return out
}

// restore takes up what bytes gave; what is cut is left out.
func (h *entries) restore(b []byte) {
	h.bits = make([]uint64, len(b)/16*2)
	_, _ = binary.Decode(b, binary.LittleEndian, h.bits)
}

// heard notes that a port of a host, or an address of a name, was asked, and what
// came of it: of a host a refused connection is an answer, of a name, of which the
// port was named, it is none.
func (e *engine) heard(t target.Target, o event.Outcome) {
	if o == event.OutcomeExcluded || o == event.OutcomeInterrupted {
		return
	}
	answered := o != event.OutcomeSilent && o != event.OutcomeUnreachable && o != event.OutcomeLocalError
	switch t.Part {
	case event.OfHost:
		e.hosts.note(t.Entry, answered)
	case event.OfName:
		e.names.note(t.Entry, answered && o != event.OutcomeClosed)
		e.refused.note(t.Entry, o == event.OutcomeClosed)
	}
}

// unheard adds the hosts that were named without a port, and the names, of which
// none has answered, to what could not be judged.
func (e *engine) unheard() {
	add := func(entry uint64, outcome event.Outcome) {
		name := ""
		if e.cfg.Stream == nil {
			name = e.cfg.Space.Named(entry)
		}
		e.unlisted().Add(event.Place{Place: cmp.Or(name, "an entry of the list"), Outcome: string(outcome)})
	}
	e.hosts.mute(func(entry uint64) { add(entry, event.OutcomeSilent) })
	e.names.mute(func(entry uint64) {
		if e.refused.has(entry) {
			add(entry, event.OutcomeClosed)
		} else {
			add(entry, event.OutcomeSilent)
		}
	})
}

// pending is a target that is asked again until it answers for good.
type pending struct {
	target.Target
	last *fingerprint.Case
}

// maxPending bounds the targets that are waited for.
const maxPending = 4096

// hold keeps a target to be asked again, if it is to be waited for. Of a host that
// was named without a port all ports that do not answer are.
func (e *engine) hold(t target.Target, c *fingerprint.Case, waits *bool) bool {
	if e.cfg.Wait == 0 || t.Part == event.OfRange || !unsettled(c) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.pending) >= maxPending {
		return false
	}
	*waits = true
	e.pending = append(e.pending, &pending{t, c})
	return true
}

// unsettled reports whether a target may yet answer otherwise: it is not there, or
// says that it, or what stands behind it, is starting.
func unsettled(c *fingerprint.Case) bool {
	switch c.Outcome {
	case event.OutcomeClosed, event.OutcomeSilent, event.OutcomeReset, event.OutcomeUnreachable, event.OutcomeDNSError:
		return true
	case event.OutcomeOther:
	default:
		return false
	}
	if !slices.ContainsFunc(c.Exchanges, func(x evidence.Exchange) bool { return x.Err != "" || x.Status >= 502 && x.Status <= 504 }) {
		return false
	}
	v := c.Verdict()
	return v.Auth.State == "" || v.Auth.State == event.AuthUnknown
}

// again asks the targets that are waited for until all have answered, or time is
// up. Those that have not are then taken as they are.
func (e *engine) again(ctx, probing context.Context) error {
	// What was found meanwhile may have settled some.
	if err := e.settle(probing); err != nil {
		return err
	}
	pause := 500 * time.Millisecond
	for len(e.pending) > 0 && ctx.Err() == nil {
		left := time.Until(e.begun.Add(e.cfg.Wait))
		if left <= 0 {
			break
		}
		if e.cfg.Waiting != nil {
			first := e.pending[0]
			e.cfg.Waiting(len(e.pending), first.HostPort(), first.last.Outcome, left)
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(pause, left)):
		}
		pause = min(2*pause, 2*time.Second)
		if ctx.Err() != nil {
			break
		}
		group := e.few()
		for _, w := range e.pending {
			group.Go(func() error { e.askAgain(probing, w); return nil })
		}
		_ = group.Wait()
		if err := e.settle(probing); err != nil {
			return err
		}
	}
	var errs []error
	for _, w := range e.pending {
		errs = append(errs, e.done(w.Target, w.last))
	}
	e.pending = nil
	return errors.Join(errs...)
}

func (e *engine) askAgain(ctx context.Context, w *pending) {
	t := w.Target
	if !t.Addr.Addr().IsValid() {
		e.cfg.Prober.Wire.Forget(t.Name)
		answer, err := e.cfg.Prober.Wire.Resolve(ctx, t.Name)
		if err != nil || len(answer.Addrs) == 0 {
			return
		}
		t = t.WithAddr(answer.Addrs[0])
		if e.cfg.Scope.CheckTarget(t) != nil {
			return
		}
	}
	c := e.cfg.Prober.Probe(ctx, t, e.cfg.Prober.Budget())
	c.Requests += w.last.Requests
	c.Connections += w.last.Connections
	w.Target, w.last = t, c
}

// settledBy notes that an answer settles the entry that its target is part of: of
// a host that was named without a port a gateway does, of a name any that is final.
func (e *engine) settledBy(t target.Target, c *fingerprint.Case) {
	if e.cfg.Wait == 0 || t.Part != event.OfHost && t.Part != event.OfName || unsettled(c) {
		return
	}
	if t.Part == event.OfHost && !c.Recognised() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.settled == nil {
		e.settled = map[uint64]bool{}
	}
	e.settled[t.Entry] = true
}

// settle passes on what has answered for good, and what is part of an entry that is
// settled.
func (e *engine) settle(ctx context.Context) error {
	for _, w := range e.pending {
		e.settledBy(w.Target, w.last)
	}
	var left, done []*pending
	for _, w := range e.pending {
		if unsettled(w.last) && !e.settled[w.Entry] {
			left = append(left, w)
		} else {
			done = append(done, w)
		}
	}
	e.pending = left
	for _, w := range done {
		if err := e.done(w.Target, w.last); err != nil {
			return err
		}
		if !e.wantsHelpers(w.Target, w.last) {
			continue
		}
		if err := e.helpers(ctx, w.Target, w.last, e.cfg.Prober.Budget()); err != nil {
			return err
		}
	}
	return nil
}
