// Package fingerprint knows products by their answers. A product is a YAML
// file: which requests to make and when, what to see in the answers, and what
// follows from it for identity, release and authentication. The package reads
// such files strictly, says which request comes next, and judges what was
// seen. It is pure: it never touches the network.
package fingerprint

import (
	"fmt"
	"slices"
)

// Confidence says how sure a judgement is. The empty Confidence means that
// there is no judgement.
type Confidence string

// The grades of confidence.
const (
	Tentative Confidence = "tentative" // hints only
	Firm      Confidence = "firm"      // several things that agree
	Certain   Confidence = "certain"   // only this product, or this release, says that
)

// Rank orders confidences: 0 for none, 3 for Certain.
func (c Confidence) Rank() int {
	return slices.Index([]Confidence{Tentative, Firm, Certain}, c) + 1
}

// UnmarshalText reads a confidence by name.
func (c *Confidence) UnmarshalText(text []byte) error {
	if *c = Confidence(text); c.Rank() == 0 {
		return fmt.Errorf("unknown confidence %q: use certain, firm or tentative", text)
	}
	return nil
}

// State is the state of a target's authentication.
type State string

// The states. Unknown is neither safe nor open.
const (
	Open      State = "open"      // what a stranger sends is let in, proven
	Required  State = "required"  // the product itself asked for a credential, proven
	Gated     State = "gated"     // something in front asks before the product is reached
	Blocked   State = "blocked"   // the product refuses because of its proxy set-up
	Claimable State = "claimable" // no account yet: whoever comes first owns it
	Unknown   State = "unknown"
)

// UnmarshalText reads a state by name.
func (s *State) UnmarshalText(text []byte) error {
	*s = State(text)
	if !slices.Contains([]State{Open, Required, Gated, Blocked, Claimable, Unknown}, *s) {
		return fmt.Errorf("unknown auth state %q: use open, required, gated, blocked, claimable or unknown", text)
	}
	return nil
}

// Level bounds what a probe may do. The zero value is Passive.
type Level uint8

// The levels, each of which includes those before it.
const (
	Passive  Level = iota // GET, HEAD and the TLS and WebSocket openings only
	Standard              // and the one harmless POST that settles authentication
	Deep                  // and what leaves lines in the target's log
)

// UnmarshalText reads a level by name.
func (l *Level) UnmarshalText(text []byte) error {
	i := slices.Index(levels(), string(text))
	if i < 0 {
		return fmt.Errorf("unknown level %q: use passive, standard or deep", text)
	}
	*l = Level(i)
	return nil
}

// String returns the level's name.
func (l Level) String() string { return levels()[l] }

func levels() []string { return []string{"passive", "standard", "deep"} }

// Verdict is what follows from an observation. Its zero value says that
// nothing was recognised.
type Verdict struct {
	Product    string // id of the product, "" when none was recognised
	Name       string
	Brand      string // "" when the answers do not tell
	Confidence Confidence
	Because    []string // signals
	Version    Version
	Auth       Auth
	Front      Front
	Surfaces   []Surface
	Traits     []Trait
	Notes      []string // what a reader needs to weigh the verdict
	Helper     bool     // the product is a helper of a gateway, not one itself
	Relative   bool     // the product is a relative of OpenClaw
	Advice     Advice   // the product's own, for the state of its authentication
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

// Surface returns the state of a surface, "" when it did not show.
func (v *Verdict) Surface(id string) string {
	for _, s := range v.Surfaces {
		if s.ID == id {
			return s.State
		}
	}
	return ""
}

// Version is the release, as far as it shows.
type Version struct {
	Exact      string   // "" unless exactly one release fits
	Candidates []string // the releases that fit, oldest first
	Build      string   // the vendor's commit, if told
	Source     string
	Confidence Confidence
}

// Auth is the state of authentication and the signals that prove it.
type Auth struct {
	State   State // "" when there is nothing to authenticate to
	Mode    string
	Because []string
}

// Front is what stands before the product. Its zero value: nothing shows.
type Front struct {
	Kind    string
	Because []string
}

// Surface is a part of the product that can be reached.
type Surface struct{ ID, State, Path string }
