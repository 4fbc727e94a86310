package target

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
)

// Sourced is an entry, and the flag or line that gave it.
type Sourced struct {
	Entry
	Source string
}

// Entries reads entries, one a line, from the file of that name.
func Entries(in io.Reader, name string) (out []Sourced, err error) {
	return out, Lines(in, name, func(text, source string) error {
		r, err := ParseEntry(text)
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		out = append(out, Sourced{r, source})
		return nil
	})
}

// Bounds are the entries that a scope is made from, and what their names and AS
// numbers stand for.
type Bounds struct {
	Allow, Deny []Sourced
	Systems     map[uint32][]netip.Prefix
	// Addrs are the addresses of names, taken at the start: a name that moves later
	// cannot widen the scope. Nil if nothing was looked up.
	Addrs  map[string][]netip.Addr
	Public bool // see Limits
	// Unresolved: a name to exclude need not exist.
	Unresolved bool
}

// NoSuchName says that a name to exclude does not exist.
type NoSuchName struct{ Sourced }

func (e *NoSuchName) Error() string {
	return fmt.Sprintf("%s: %s does not exist, so what it stands for would not be excluded", e.Source, e.Name)
}

// each yields one entry of those with the same key; the zero key is none.
func each[K comparable](b *Bounds, key func(Sourced) K) (out []Sourced) {
	var none K
	seen := map[K]bool{none: true}
	for _, r := range slices.Concat(b.Allow, b.Deny) {
		if !seen[key(r)] {
			seen[key(r)] = true
			out = append(out, r)
		}
	}
	return out
}

// Names are the entries with names, one of each.
func (b *Bounds) Names() []Sourced { return each(b, func(r Sourced) string { return r.Name }) }

// Numbers are the entries with AS numbers, one of each.
func (b *Bounds) Numbers() []Sourced { return each(b, func(r Sourced) uint32 { return r.AS }) }

// ReadSystems reads which blocks belong to the AS numbers of the entries; see
// ASBlocks.
func (b *Bounds) ReadSystems(in io.Reader, name string) error {
	wanted := map[uint32]bool{}
	for _, r := range b.Numbers() {
		wanted[r.AS] = true
	}
	var err error
	if b.Systems, err = ASBlocks(in, name, wanted); err != nil {
		return err
	}
	for _, r := range b.Numbers() {
		if len(b.Systems[r.AS]) == 0 {
			return fmt.Errorf("%s: AS%d is not in %s", r.Source, r.AS, name)
		}
	}
	return nil
}

// Limits returns the limits that the entries stand for; notes name the entries
// whose names have no address.
func (b *Bounds) Limits() (l Limits, notes []string, err error) {
	none := func(r Sourced) bool {
		if r.Name == "" || b.Addrs == nil || len(b.Addrs[r.Name]) > 0 {
			return false
		}
		notes = append(notes, fmt.Sprintf("%s: %s has no address: only the name counts", r.Source, r.Name))
		return true
	}
	l.Public = b.Public
	if len(b.Allow) > 0 {
		l.Allow = []netip.Prefix{} // names without an address: nothing is allowed
	}
	for _, r := range b.Allow {
		none(r)
		l.Wide = append(l.Wide, b.Systems[r.AS]...)
		if r.Wide {
			l.Wide = append(l.Wide, r.Blocks...)
		} else {
			l.Allow = append(l.Allow, r.Blocks...)
		}
		for _, a := range b.Addrs[r.Name] {
			// An IPv4-mapped one does not allow a special address.
			if a.Is4In6() {
				l.Wide = append(l.Wide, single(a))
			} else {
				l.Allow = append(l.Allow, single(a))
			}
		}
	}
	for _, r := range b.Deny {
		if none(r) && !b.Unresolved {
			return l, nil, &NoSuchName{r}
		}
		l.Deny = append(append(l.Deny, r.Blocks...), b.Systems[r.AS]...)
		for _, a := range b.Addrs[r.Name] {
			l.Deny = append(l.Deny, single(a))
		}
		if r.Name != "" {
			l.Names = append(l.Names, r.Name)
		}
	}
	return l, notes, nil
}

// single is the block of one address.
func single(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen())
}
