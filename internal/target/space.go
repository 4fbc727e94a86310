package target

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math/bits"
	"net/netip"
	"slices"
	"sort"

	"github.com/clawsonar/clawsonar/internal/event"
)

// maxSpace bounds the number of targets of one run: 256 times the whole of
// IPv4. Anything above is a mistyped IPv6 prefix.
const maxSpace = 1 << 40

// Space is the indexed set of all targets of a run. Its memory depends neither
// on the number of entries nor on the number of targets: what goes beyond
// maxHeld entries is in a temporary file until Close. The zero Space is empty.
// At may be called concurrently, but not with Add.
type Space struct {
	specs  []Spec
	ends   []uint64        // ends[i] is the index after the last target of specs[i]
	ports  map[uint16]bool // of specs
	more   *spool          // entries after those
	length uint64
	digest hash.Hash
	seen   map[key]bool // the first entries, maxSeen of them
}

// key is what makes two entries the same targets.
type key struct {
	first, last       netip.Addr
	name, base, ports string
	secure            bool
}

// maxSeen is how many entries are remembered to find those that come again: about
// 10 MB.
const maxSeen = 1 << 16

// again reports whether the entry has been added before.
func (s *Space) again(spec *Spec) bool {
	k := key{spec.First, spec.Last, spec.Name, spec.Base, portBytes(spec.Ports), spec.Scheme == "https"}
	if s.seen[k] {
		return true
	}
	if s.seen == nil {
		s.seen = map[key]bool{}
	}
	if len(s.seen) < maxSeen {
		s.seen[k] = true
	}
	return false
}

// maxHeld is how many entries are held in memory: about 1 MB.
const maxHeld = 4096

// Add appends an entry, unless it is one of the first 65,536 once more: the same
// target is scanned once. It fails when the space grows beyond 2^40 targets, or the
// temporary file cannot be written.
func (s *Space) Add(spec Spec) error {
	if s.again(&spec) {
		return nil
	}
	n := uint64(1)
	if spec.First.IsValid() {
		var ok bool
		if n, ok = count(spec.First, spec.Last); !ok {
			n = maxSpace + 1
		}
	}
	hi, n := bits.Mul64(n, uint64(len(spec.Ports)))
	if hi != 0 || n > maxSpace || s.length+n > maxSpace {
		return fmt.Errorf("target %q makes more than 2^40 targets: name a smaller block", spec.Input)
	}
	if spec.First != spec.Last {
		spec.Implied = beyondSpecial(spec.First, spec.Last)
	}
	if n == 0 { // nothing to scan
		return nil
	}
	if s.digest == nil {
		s.digest = sha256.New()
	}
	fmt.Fprintf(s.digest, "%s %s %q %v %q %q %t\n", spec.First, spec.Last, spec.Name, spec.Ports, spec.Scheme, spec.Base, spec.Implied)
	switch {
	case len(s.specs) < maxHeld:
		s.specs = append(s.specs, spec)
		if s.ports == nil {
			s.ports = make(map[uint16]bool)
		}
		for _, port := range spec.Ports {
			s.ports[port] = true
		}
		s.ends = append(s.ends, s.length+n)
	default:
		if s.more == nil {
			var err error
			if s.more, err = newSpool(); err != nil {
				return err
			}
		}
		if err := s.more.add(&spec, s.length, n); err != nil {
			return err
		}
	}
	s.length += n
	return nil
}

// Close removes the temporary file, if there is one.
func (s *Space) Close() {
	if s.more != nil {
		s.more.close()
	}
}

// Len returns the number of targets.
func (s *Space) Len() uint64 { return s.length }

// At returns target i, 0 <= i < Len: entries in the order they were added,
// within an entry address by address, for each address port by port. It fails
// only when the temporary file does.
func (s *Space) At(i uint64) (Target, error) {
	k := sort.Search(len(s.ends), func(k int) bool { return i < s.ends[k] })
	if k == len(s.ends) {
		spec, entry, place, err := s.more.at(i)
		if err != nil {
			return Target{}, err
		}
		return spec.target(uint64(len(s.specs))+entry, place), nil
	}
	if k > 0 {
		i -= s.ends[k-1]
	}
	return s.specs[k].target(uint64(k), i), nil
}

// Entries yields the entries in their order, as they were added, until yield fails: a
// space to which they are added has the same Digest.
func (s *Space) Entries(yield func(Spec) error) error {
	for _, spec := range s.specs {
		if err := yield(spec); err != nil {
			return err
		}
	}
	if s.more == nil {
		return nil
	}
	for k := range s.more.starts {
		if err := s.more.each(k, func(data []byte, _ uint64) (bool, error) {
			spec, err := s.more.decode(data)
			if err != nil {
				return false, err
			}
			return true, yield(spec)
		}); err != nil {
			return err
		}
	}
	return nil
}

// Named returns what an entry names, as the user wrote it; "" if there is no such
// entry.
func (s *Space) Named(entry uint64) string {
	if entry < uint64(len(s.specs)) {
		if spec := &s.specs[entry]; spec.First == spec.Last && len(spec.Ports) == 1 {
			return spec.target(entry, 0).HostPort()
		}
		return s.specs[entry].Input
	}
	if s.more == nil {
		return ""
	}
	return s.more.input(entry - uint64(len(s.specs)))
}

// Has reports whether t, whose address is known, is a target of one of the entries
// in memory, the first few thousand.
func (s *Space) Has(t Target) bool {
	port, addr := t.Addr.Port(), t.Addr.Addr()
	return s.ports[port] && slices.ContainsFunc(s.specs, func(spec Spec) bool {
		if !slices.Contains(spec.Ports, port) {
			return false
		}
		if !spec.First.IsValid() {
			return spec.Name == t.Name
		}
		return spec.First.Compare(addr) <= 0 && addr.Compare(spec.Last) <= 0
	})
}

// Only returns the one target of an entry that another entry, of one target, names: the
// same name, or an address that the entry holds, and the same port. It has all else of
// the entry, so that it may be contacted only if the entry's target may.
func (s Spec) Only(one Spec) (Spec, bool) {
	if len(one.Ports) != 1 || one.First != one.Last || !slices.Contains(s.Ports, one.Ports[0]) {
		return Spec{}, false
	}
	if s.First != s.Last {
		s.Implied = beyondSpecial(s.First, s.Last)
	}
	switch {
	case one.Name != "":
		if s.Name != one.Name {
			return Spec{}, false
		}
	case !s.First.IsValid() || one.First.Less(s.First) || s.Last.Less(one.First):
		return Spec{}, false
	default:
		s.First, s.Last = one.First, one.First
	}
	s.Ports, s.Exact, s.Listed, s.Part, s.Input = one.Ports, true, false, event.OfNothing, one.Input
	return s, true
}

// Len returns how many targets an entry of a space has.
func (s *Spec) Len() uint64 {
	n := uint64(1)
	if s.First.IsValid() {
		n, _ = count(s.First, s.Last)
	}
	return n * uint64(len(s.Ports))
}

// Index returns which of the targets of an entry is the first at an address of it.
func (s *Spec) Index(addr netip.Addr) uint64 {
	n, _ := count(s.First, addr)
	return (n - 1) * uint64(len(s.Ports))
}

// target returns the i-th target of an entry of that number.
func (s *Spec) target(entry, i uint64) Target {
	ports := uint64(len(s.Ports))
	t := Target{
		Name: s.Name, Scheme: s.Scheme, Base: s.Base,
		Input: s.Input, Source: s.Source,
		Bound: s.Bound, Process: s.Process, Found: s.Found, Implied: s.Implied, Exact: s.Exact,
		Swept: ports > 1 || s.First != s.Last || s.Listed, Entry: entry,
	}
	switch {
	case s.Part != event.OfNothing:
		t.Part = s.Part
	case s.First != s.Last:
		t.Part = event.OfRange
	case !s.Exact && ports > 1:
		t.Part = event.OfHost
	}
	var addr netip.Addr
	if s.First.IsValid() {
		addr = plus(s.First, i/ports)
	}
	t.Addr = netip.AddrPortFrom(addr, s.Ports[i%ports])
	return t
}

// plus returns addr + n; the caller keeps within the address family.
func plus(addr netip.Addr, n uint64) netip.Addr {
	if addr.Is4() {
		b := addr.As4()
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n))
		return netip.AddrFrom4(b)
	}
	b := addr.As16()
	lo, carry := bits.Add64(binary.BigEndian.Uint64(b[8:]), n, 0)
	binary.BigEndian.PutUint64(b[8:], lo)
	binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])+carry)
	return netip.AddrFrom16(b).WithZone(addr.Zone())
}

// Digest identifies the targets of the space and their order: the same digest,
// the same target at every index.
func (s *Space) Digest() string {
	if s.digest == nil {
		return ""
	}
	return hex.EncodeToString(s.digest.Sum(nil))
}
