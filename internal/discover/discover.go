// Package discover finds targets in what this machine and its network tell anyway:
// announcements of gateways on the local link, and containers with published ports. It
// contacts no target. All that it is told is a hint: what may be contacted, the scope of
// a scan decides.
package discover

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/clawsonar/clawsonar/internal/target"
)

// Limits on what one finder finds.
const (
	maxFound = 4096 // targets
	maxNotes = 50
)

// Result is what was found.
type Result struct {
	Found []target.Found // each address, port and name once
	// Notes say in a line each what was left out and why; Unsaid counts those beyond the
	// first.
	Notes  []string
	Unsaid int
	// Asked says in a few words who was asked.
	Asked string

	seen map[place]bool
}

type place struct {
	addr netip.AddrPort
	name string
}

func (r *Result) note(format string, args ...any) {
	switch text := fmt.Sprintf(format, args...); {
	case slices.Contains(r.Notes, text):
	case len(r.Notes) == maxNotes:
		r.Unsaid++
	default:
		r.Notes = append(r.Notes, text)
	}
}

// add takes a target unless it is known.
func (r *Result) add(f target.Found) {
	k := place{netip.AddrPortFrom(f.IP, f.Port), f.Name}
	switch {
	case r.seen[k]:
	case len(r.Found) == maxFound:
		r.note("%s: more than %d targets: the others are left out", f.Found.By, maxFound)
	default:
		if r.seen == nil {
			r.seen = map[place]bool{}
		}
		r.seen[k] = true
		r.Found = append(r.Found, f)
	}
}
