// Package alert tells people and programs what changed: by rules, once it is confirmed,
// in digests, each event once for each place that a rule names, also over restarts.
//
// A change waits in the outbox of the store until it has been seen often enough. A digest
// is recorded with one delivery for each place before any is sent, and a delivery is
// ended after it was taken. What is interrupted in between is sent again with the same
// id, by which a receiver can tell.
package alert

import (
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/config"
	"github.com/clawsonar/clawsonar/internal/hub/job"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// rule is an alert of the configuration with its sinks. The store knows it by its name:
// a rule of another name tells anew what still waits.
type rule struct {
	*config.Alert
	places []place
}

// wants reports whether the rule asks for a kind of changes, or for config.SilentWatch.
func (r *rule) wants(word string) bool { return slices.Contains(r.When, word) }

// about reports whether the rule is about a watch.
func (r *rule) about(watch string) bool {
	return len(r.Watches) == 0 || slices.Contains(r.Watches, job.OfWatch(watch))
}

// matches reports whether the rule is about a change, however often it was seen. What is
// open to anyone counts with every severity.
func (r *rule) matches(c *store.Change) bool {
	if !r.about(c.Watch) || len(r.Owners) > 0 && !slices.Contains(r.Owners, c.Owner) {
		return false
	}
	if r.urgent(c) {
		return true
	}
	for _, k := range c.Kinds {
		if !r.wants(string(k)) {
			continue
		}
		switch k {
		case store.KindNew, store.KindFinding, store.KindAdvisory: // these have a severity
			// Of a new gateway of which nothing is proven, nobody knows how severe it is.
			if c.Severity.Rank() >= r.Severity.Rank() || k == store.KindNew && !c.Verdict.Proven() {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// urgent reports whether the rule is about the gateway being usable by anyone.
func (r *rule) urgent(c *store.Change) bool {
	return c.Has(store.KindOpened) && r.wants(string(store.KindOpened)) ||
		c.Has(store.KindNew) && r.wants(string(store.KindNew)) && c.Verdict.Alarming()
}

// looks is how many looks must have shown a change. What is urgent the hub looks at again at
// once, so that two do. What workers saw it cannot look at from where they stand: that the
// gateway let them in is told after one.
func (r *rule) looks(c *store.Change, confirm int) int {
	switch {
	case !r.urgent(c):
		return confirm
	case job.OfWatch(c.Watch) != c.Watch:
		return 1
	}
	return 2
}

// maxUrgent is how long something urgent is held for others to join it.
const maxUrgent = time.Minute

// due is when a digest is told that has been held so.
func (r *rule) due(h store.Hold) time.Time {
	t := h.Since.Add(r.Digest)
	if !h.Urgent.IsZero() {
		if u := h.Urgent.Add(min(r.Digest, maxUrgent)); u.Before(t) {
			return u
		}
	}
	return t
}
