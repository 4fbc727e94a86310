// Package stored works on result streams that are over: it merges several into
// one, and tells what has changed between two.
package stored

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Source yields the events of one stored stream, and can do so again. An error
// of yield ends it and is returned as it is.
type Source func(yield func(event.Event) error) error

// once passes a source's events on and refuses a second scan or summary, and
// anything after the summary.
func (s Source) once(yield func(event.Event) error) error {
	begun, ended := false, false
	return s(func(e event.Event) error {
		_, scan := e.(*event.Scan)
		if ended || scan && begun {
			return errors.New("a second stream begins: give each scan as a file of its own")
		}
		begun = true
		_, ended = e.(*event.Summary)
		return yield(e)
	})
}

// Place names a target across scans: host, port and base path; a gateway in files by
// their path and its name in them. The scheme is
// left out: a gateway that has got TLS is the same one.
func Place(a event.Address) string {
	if a.Kind == event.TargetFiles {
		return strings.Join([]string{string(event.TargetFiles), a.Input, a.File, a.Gateway}, "\x00")
	}
	host := cmp.Or(a.Name, a.IP)
	if host == "" {
		return a.Input
	}
	_, rest, _ := strings.Cut(a.URL, "://")
	_, path, _ := strings.Cut(rest, "/")
	return strings.ToLower(host) + " " + strconv.Itoa(a.Port) + strings.TrimRight("/"+path, "/")
}

// spot is Place with the address: a name may stand for several.
func spot(a event.Address) string { return Place(a) + " " + a.IP }

// better reports whether a tells more of a target than b.
func better(a, b *event.Target) bool { return known(a) > known(b) }

// Recognised reports whether a product was recognised, a helper of a gateway
// included.
func Recognised(t *event.Target) bool {
	return t.Outcome == event.OutcomeIdentified || t.Outcome == event.OutcomeHelper
}

func known(t *event.Target) int {
	switch {
	case Recognised(t) && t.Auth != nil && (t.Auth.State != event.AuthUnknown || t.Refuses()):
		return 4
	case Recognised(t):
		return 3
	case t.Outcome == event.OutcomeOther:
		return 2
	case t.Outcome == event.OutcomeClosed, t.Outcome == event.OutcomeSilent:
		return 1
	}
	return 0
}

// byAddress orders targets by where they are.
func byAddress(a, b event.Address) int {
	x, _ := netip.ParseAddr(a.IP)
	y, _ := netip.ParseAddr(b.IP)
	return cmp.Or(x.Compare(y), a.Port-b.Port, strings.Compare(Place(a), Place(b)))
}

// newSummary returns a summary to which others can be added.
func newSummary() *event.Summary {
	s := event.NewSummary()
	s.Complete = true
	return s
}

func has(fs []event.Finding, key string) bool {
	return slices.ContainsFunc(fs, func(f event.Finding) bool { return f.Key == key })
}
