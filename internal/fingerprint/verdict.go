// Package fingerprint knows products by their answers. A product is a YAML
// file: which requests to make and when, what to match in the answers, and what
// follows from it for identity, release and authentication. The package reads
// such files strictly, says which request comes next, and judges what was
// observed. It is pure: it never touches the network.
package fingerprint

import (
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// Verdict is what follows from an observation. Its zero value says that
// nothing was recognised.
type Verdict struct {
	Product  event.Product // its zero value when none was recognised
	Version  event.Version
	Auth     event.Auth
	Front    event.Front
	Surfaces []event.Surface
	Traits   []Trait
	Notes    []message.Text // what a reader needs to weigh the verdict
	Helper   bool           // the product is a helper of a gateway, not one itself
	Relative bool           // the product is a relative of OpenClaw
	Advice   Advice         // the product's own, for the state of its authentication
	// Unfinished: it may be OpenClaw, but requests that would tell went without an
	// answer. A guess to which all was answered otherwise is not unfinished.
	Unfinished bool
}

// Trait is something that the answers prove about how the product is set up.
type Trait struct {
	ID      string
	Because []string // signals
}

// Trait returns the signals that prove a trait, nil when it is not proven.
func (v *Verdict) Trait(id string) []string {
	for _, t := range v.Traits {
		if t.ID == id {
			return t.Because
		}
	}
	return nil
}

// Surface returns the state of a surface, "" when it was not found.
func (v *Verdict) Surface(id string) event.SurfaceState {
	for _, s := range v.Surfaces {
		if s.ID == id {
			return s.State
		}
	}
	return ""
}
