package target

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"net/netip"
	"sort"
)

// maxSpace bounds the number of targets of one run: 256 times the whole of
// IPv4. Anything above is a mistyped IPv6 prefix.
const maxSpace = 1 << 40

// Space is the indexed set of all targets of a run. Its memory depends on the
// number of entries the user wrote, not on the number of targets.
type Space struct {
	specs []Spec
	ends  []uint64 // ends[i] is the index after the last target of specs[i]
}

// Add appends an entry. It fails when the space grows beyond 2^40 targets.
func (s *Space) Add(spec Spec) error {
	n := uint64(1)
	if spec.Name == "" {
		var ok bool
		if n, ok = count(spec.First, spec.Last); !ok {
			n = maxSpace + 1
		}
	}
	if hi, lo := bits.Mul64(n, uint64(len(spec.Ports))); hi != 0 || lo > maxSpace || s.Len()+lo > maxSpace {
		return fmt.Errorf("target %q makes more than 2^40 targets: name a smaller block", spec.Input)
	} else {
		n = lo
	}
	s.specs = append(s.specs, spec)
	s.ends = append(s.ends, s.Len()+n)
	return nil
}

// Len returns the number of targets.
func (s *Space) Len() uint64 {
	if len(s.ends) == 0 {
		return 0
	}
	return s.ends[len(s.ends)-1]
}

// At returns target i, 0 <= i < Len: entries in the order they were added,
// within an entry address by address, for each address port by port.
func (s *Space) At(i uint64) Target {
	k := sort.Search(len(s.ends), func(k int) bool { return i < s.ends[k] })
	if k > 0 {
		i -= s.ends[k-1]
	}
	spec := &s.specs[k]
	ports := uint64(len(spec.Ports))
	t := Target{
		Name: spec.Name, Scheme: spec.Scheme, Base: spec.Base,
		Input: spec.Input, Source: spec.Source,
		Bound: spec.Bound, Process: spec.Process,
		Swept: ports > 1 || spec.First != spec.Last,
	}
	var addr netip.Addr
	if spec.Name == "" {
		addr = plus(spec.First, i/ports)
	}
	t.Addr = netip.AddrPortFrom(addr, spec.Ports[i%ports])
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
	h := sha256.New()
	for i := range s.specs {
		spec := &s.specs[i]
		fmt.Fprintf(h, "%s %s %q %v %q %q\n", spec.First, spec.Last, spec.Name, spec.Ports, spec.Scheme, spec.Base)
	}
	return hex.EncodeToString(h.Sum(nil))
}
