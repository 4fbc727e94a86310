// Package alert tells people and programs what changed: by rules, once it is confirmed,
// in digests, each event once for each place that a rule names, also over restarts.
//
// A change waits in the outbox of the store until it has been seen often enough. A digest
// is recorded with one delivery for each place before any is sent, and a delivery is
// ended after it was taken. What is interrupted in between is sent again with the same
// id, by which a receiver can tell.
package alert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/store"
	"github.com/clawsonar/clawsonar/internal/suggest"
)

// SilentWatch stands among the kinds of a rule for a watch that does not complete its
// runs.
const SilentWatch store.Kind = "silent-watch"

// Rule says what is told, and where.
type Rule struct {
	// Name is known to the store: a rule of another name tells anew what still waits.
	// "" is named after its position.
	Name string
	When []store.Kind // or SilentWatch
	// Severity is the least that counts; "" for any. It is asked of what has one: new
	// gateways, findings and advisories. A gateway that is open to anyone always counts.
	Severity event.Severity
	Watches  []string // nil for all
	Owners   []string // nil for all
	To       []string // see Sinks in docs/alerts.md
	// SecretFile holds the key that signs what webhooks get; "" for none. Paths are
	// relative to the directory of the configuration.
	SecretFile string
	Digest     time.Duration // how long changes are gathered
	After      time.Duration // how long a watch may be silent
}

// Kinds returns what a rule may ask for.
func Kinds() []store.Kind { return append(store.Kinds(), SilentWatch) }

// check says what is wrong with a rule, without its name.
func (r *Rule) check() error {
	switch {
	case len(r.When) == 0:
		return errors.New("when: is missing: say what it is about")
	case len(r.To) == 0:
		return errors.New("to: is missing: say where it goes")
	case r.Digest < 0:
		return errors.New("digest: is negative")
	case r.Severity != "" && !r.Severity.Known():
		_, err := event.ParseSeverity(string(r.Severity))
		return fmt.Errorf("severity: %w", err)
	case slices.Contains(r.When, SilentWatch) != (r.After > 0):
		return errors.New("after: belongs to silent-watch: say how long a watch may be silent, for example 13h")
	}
	for _, k := range r.When {
		if !slices.Contains(Kinds(), k) {
			words := event.Words(Kinds()...)
			return fmt.Errorf("when: unknown word %.40q%s", k, cmp.Or(suggest.DidYouMean(string(k), words), ": use one of "+strings.Join(words, ", ")))
		}
	}
	return nil
}

// matches reports whether the rule is about a change, however often it was seen.
func (r *Rule) matches(c *store.Change) bool {
	if r.Watches != nil && !slices.Contains(r.Watches, c.Watch) || r.Owners != nil && !slices.Contains(r.Owners, c.Owner) {
		return false
	}
	if r.urgent(c) {
		return true
	}
	for _, k := range r.When {
		if !c.Has(k) {
			continue
		}
		switch k {
		case store.KindNew, store.KindFinding, store.KindAdvisory:
			if c.Severity.Rank() >= r.Severity.Rank() {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// urgent reports whether the rule is about the gateway being usable by anyone.
func (r *Rule) urgent(c *store.Change) bool {
	return c.Has(store.KindOpened) && slices.Contains(r.When, store.KindOpened) ||
		c.Has(store.KindNew) && slices.Contains(r.When, store.KindNew) && alarming(c.Verdict)
}

func alarming(v store.Verdict) bool {
	return v == store.Verdict(event.AuthOpen) || v == store.Verdict(event.AuthClaimable)
}

// looks is how many looks must have shown a change. What is urgent is looked at again at
// once, so that two do.
func (r *Rule) looks(c *store.Change, confirm func(watch string) int) int {
	if r.urgent(c) {
		return 2
	}
	return max(confirm(c.Watch), 1)
}

// maxUrgent is how long something urgent is held for others to join it.
const maxUrgent = time.Minute

// due is when a digest is told that has been held so.
func (r *Rule) due(h store.Hold) time.Time {
	t := h.Since.Add(r.Digest)
	if !h.Urgent.IsZero() {
		if u := h.Urgent.Add(min(r.Digest, maxUrgent)); u.Before(t) {
			return u
		}
	}
	return t
}
