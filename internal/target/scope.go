package target

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"go4.org/netipx"

	"github.com/clawsonar/clawsonar/internal/event"
)

// block is a block of addresses and what they are.
type block[T any] struct {
	netip.Prefix
	are T
}

// all returns blocks that are the same.
func all[T any](are T, prefixes ...string) (out []block[T]) {
	for _, p := range prefixes {
		out = append(out, block[T]{netip.MustParsePrefix(p), are})
	}
	return out
}

// special returns the ranges that are not globally reachable, and before them the
// parts of these that are. Source: IANA IPv4 and IPv6 Special-Purpose Address
// Registries.
func special() []block[event.Reach] {
	return slices.Concat(
		// Anycast addresses, and the addresses of NAT64.
		all(event.ReachPublic, "192.0.0.9/32", "192.0.0.10/32", "64:ff9b::/96"),
		// Inside 2001::/23 these are globally reachable, or, Teredo and the old
		// ORCHID, "not applicable": taken as reachable, which asks for more.
		all(event.ReachPublic, "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:3::/32",
			"2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28"),
		all(event.ReachLoopback, "127.0.0.0/8", "::1/128"),
		all(event.ReachPrivate, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "64:ff9b:1::/48", "fc00::/7"),
		all(event.ReachShared, "100.64.0.0/10"),
		all(event.ReachLinkLocal, "169.254.0.0/16", "fe80::/10"),
		all(event.ReachReserved, "192.0.0.0/24", "192.88.99.2/32", "0.0.0.0/8", "192.0.2.0/24", "198.18.0.0/15",
			"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
		all(event.ReachReserved, "::/128", "100::/64", "100:0:0:1::/64", "2001:db8::/32", "3fff::/20", "5f00::/16",
			"2001::/23", "ff00::/8"),
	)
}

// never returns the addresses that are not contacted even if the user names them:
// where no single host answers, and where a cloud's metadata service hands
// out credentials to any client.
func never() []block[string] {
	const metadata = "cloud metadata service"
	return slices.Concat(
		all("not a host address", "0.0.0.0/8", "::/128"),
		all("multicast", "224.0.0.0/4", "ff00::/8"),
		all("reserved or broadcast", "240.0.0.0/4"),
		all(metadata, "169.254.169.254/32", "fd00:ec2::254/128"),                      // most, and AWS
		all(metadata, "169.254.170.2/32", "169.254.170.23/32", "fd00:ec2::23/128"),    // AWS ECS and EKS
		all(metadata, "169.254.0.23/32", "100.100.100.200/32", "168.63.129.16/32"),    // Tencent, Alibaba, Azure
		all(metadata, "169.254.42.42/32", "fd00:42::42/128"),                          // Scaleway
		all(metadata, "192.0.0.192/32", "fd00:c1::a9fe:a9fe/128", "fd20:ce::254/128"), // Oracle, Google
		all(metadata, "fd00:a9fe:a9fe::1/128", "fe80::a9fe:a9fe/128"),                 // Linode, OpenStack
	)
}

// Scope says which addresses may be contacted. Make one with NewScope or
// Limits.Scope; it is safe for concurrent use.
type Scope struct {
	allow, deny blocks
	// inside are those blocks of allow that were written down as (a part of) a
	// special block: only they allow what was not written down as a target.
	inside     blocks
	names      map[string]bool // denied
	everything bool            // there is no allow list
	public     bool
	special    []block[event.Reach]
	never      []block[string]
	text       string
	// within is a further scope that has to allow what this one does; see Within.
	within *Scope
	added  bool // this one is such a further scope
}

// Limits say what a scope is made from.
type Limits struct {
	// Allow and Wide are what may be contacted; both nil is everything. Each block
	// of Allow was written down by itself. Those of Wide are parts of a wider
	// range, or of an autonomous system: 10.0.0.0/8 as a part of "9.0.0.0-11.0.0.0"
	// does not mean private addresses.
	Allow []netip.Prefix `json:"allow"`
	Wide  []netip.Prefix `json:"wide"`
	Deny  []netip.Prefix `json:"deny"`
	Names []string       `json:"names"` // denied
	// Public is set when the operator has stated the right to probe: without it,
	// globally reachable addresses are refused.
	Public bool `json:"public"`
}

// String names the limits: the same text, the same scope.
func (l Limits) String() string {
	return fmt.Sprintf("allow %v, wide %v, deny %v %q, public %t", l.Allow, l.Wide, l.Deny, l.Names, l.Public)
}

// NewScope returns the scope of limits whose allow list has no wide ranges.
func NewScope(allow, deny []netip.Prefix, public bool, names ...string) *Scope {
	return Limits{Allow: allow, Deny: deny, Names: names, Public: public}.Scope()
}

// Scope returns a scope. Deny wins over allow; multicast, broadcast, unspecified
// and cloud metadata addresses are always denied. Names that are denied are not
// contacted at any address.
//
// An IPv6 address that leads to an IPv4 one by translation or tunnel (NAT64,
// 6to4, Teredo, ISATAP and the like) may be contacted when both may. If the IPv4
// address is not globally reachable, that needs a block of Allow that lies in its
// special range: translation and tunnels are for globally reachable ones, and a
// name's server could lead anywhere with them.
func (l Limits) Scope() *Scope {
	s := &Scope{
		allow: newBlocks(slices.Concat(l.Allow, l.Wide)), names: map[string]bool{},
		everything: l.Allow == nil && l.Wide == nil, public: l.Public,
		special: special(), never: never(),
		text: l.String(),
	}
	s.inside = newBlocks(slices.DeleteFunc(slices.Clone(l.Allow), func(p netip.Prefix) bool {
		return beyondSpecial(p.Addr(), netipx.PrefixLastIP(p)) || s.Reach(p.Addr()) == event.ReachPublic
	}))
	deny := l.Deny
	for _, p := range l.Deny {
		// A single address that leads to another is the same host.
		if p.IsSingleIP() {
			for _, v4 := range embedded(p.Addr()) {
				deny = append(slices.Clip(deny), netip.PrefixFrom(v4, v4.BitLen()))
			}
		}
	}
	s.deny = newBlocks(deny)
	for _, name := range l.Names {
		s.names[name] = true
	}
	return s
}

// Within returns a scope that allows what both scopes allow. Where the other has no
// allow list it only excludes: it does not ask what was written down.
func (s *Scope) Within(other *Scope) *Scope {
	both, last := *s, *other
	last.added = true
	if s.within != nil {
		other = s.within.Within(&last)
	} else {
		other = &last
	}
	both.within = other
	return &both
}

// String names what the scope was made from: the same text, the same scope.
func (s *Scope) String() string {
	if s.within != nil {
		return s.text + ", within " + s.within.String()
	}
	return s.text
}

// blocks is a set of blocks. Looking an address up takes one step for each
// length of prefix there is in it, however many blocks there are.
type blocks struct {
	lengths map[int][]int // of the prefixes, by how many bits an address has
	set     map[netip.Prefix]bool
}

func newBlocks(prefixes []netip.Prefix) blocks {
	b := blocks{map[int][]int{}, make(map[netip.Prefix]bool, len(prefixes))}
	for _, p := range prefixes {
		if bits := p.Addr().BitLen(); !slices.Contains(b.lengths[bits], p.Bits()) {
			b.lengths[bits] = append(b.lengths[bits], p.Bits())
		}
		b.set[p.Masked()] = true
	}
	for _, lengths := range b.lengths {
		slices.Sort(lengths)
	}
	return b
}

// find returns the widest block that an address is in.
func (b *blocks) find(addr netip.Addr) (netip.Prefix, bool) {
	for _, n := range b.lengths[addr.BitLen()] {
		if p := netip.PrefixFrom(addr, n).Masked(); b.set[p] {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// Reach classifies an address.
func (s *Scope) Reach(addr netip.Addr) event.Reach {
	addr = addr.Unmap().WithZone("")
	for _, r := range s.special {
		if r.Contains(addr) {
			return r.are
		}
	}
	return event.ReachPublic
}

// HasPublic reports whether a range has a globally reachable address in it. Of
// a block that is partly special it says yes.
func (s *Scope) HasPublic(first, last netip.Addr) bool {
	return slices.ContainsFunc(cover(first.Unmap(), last.Unmap()), func(p netip.Prefix) bool {
		inside := false
		for _, r := range s.special {
			switch {
			case r.are == event.ReachPublic && r.Overlaps(p):
				return true
			case r.are != event.ReachPublic && r.Bits() <= p.Bits() && r.Contains(p.Addr()):
				inside = true
			}
		}
		return !inside
	})
}

// beyondSpecial reports whether a range has special addresses in it, but is more
// than a part of their block: 0.0.0.0/0 was not written to have 127.0.0.1
// scanned.
func beyondSpecial(first, last netip.Addr) bool {
	return slices.ContainsFunc(special(), func(r block[event.Reach]) bool {
		from, to := r.Addr(), netipx.PrefixLastIP(r.Prefix)
		return r.are != event.ReachPublic && from.Is4() == first.Is4() && !last.Less(from) && !to.Less(first) &&
			(first.Less(from) || to.Less(last))
	})
}

// Check returns nil when addr may be contacted, else the reason why not. It
// takes the address for one that was written down; CheckTarget knows better.
func (s *Scope) Check(addr netip.Addr) error {
	if err := s.check(addr); err != nil || s.within == nil {
		return err
	}
	return s.within.Check(addr)
}

// check is Check by this scope alone.
func (s *Scope) check(addr netip.Addr) error {
	if !addr.IsValid() {
		return errors.New("no address to contact")
	}
	addr = addr.Unmap().WithZone("")
	if err := s.permit(addr); err != nil {
		return err
	}
	for _, v4 := range embedded(addr) {
		if err := s.permit(v4); err != nil {
			return fmt.Errorf("%s leads to an IPv4 address: %w", addr, err)
		}
		if s.unwritten(v4) != nil {
			return fmt.Errorf("%s leads to an IPv4 address: %s is %s and was not written down itself: scan that address, or add it to the scope", addr, v4, s.Reach(v4))
		}
	}
	return nil
}

// permit judges an address by itself.
func (s *Scope) permit(addr netip.Addr) error {
	if err := s.refuse(addr); err != nil {
		return err
	}
	if !s.everything {
		if _, inside := s.allow.find(addr); !inside {
			return fmt.Errorf("%s is outside the scope", addr)
		}
	}
	if !s.public && s.Reach(addr) == event.ReachPublic {
		return fmt.Errorf("%s is globally reachable: probing it needs -authorized and -contact", addr)
	}
	return nil
}

// unwritten judges a special address that is not a target that was written down.
func (s *Scope) unwritten(addr netip.Addr) error {
	reach := s.Reach(addr)
	if reach == event.ReachPublic || s.added && s.everything {
		return nil
	}
	if _, written := s.inside.find(addr); written {
		return nil
	}
	return fmt.Errorf("%s is %s and was not written down itself: add it to the targets or to the scope", addr, reach)
}

// CheckTarget returns nil when a target may be contacted, else the reason why
// not. Of one whose name is still to be resolved it can judge only the name.
func (s *Scope) CheckTarget(t Target) error {
	if err := s.checkTarget(t); err != nil || s.within == nil {
		return err
	}
	return s.within.CheckTarget(t)
}

// checkTarget is CheckTarget by this scope alone.
func (s *Scope) checkTarget(t Target) error {
	if s.names[t.Name] {
		return fmt.Errorf("%s is excluded", t.Name)
	}
	addr := t.Addr.Addr()
	if !addr.IsValid() && t.Name != "" {
		return nil
	}
	if err := s.check(addr); err != nil {
		return err
	}
	// A wide allow list ("0.0.0.0/0") does not mean what is special, nor does a
	// name whose AAAA record holds an IPv4-mapped address mean this machine.
	if t.Implied || t.Resolved && (!s.everything || addr.Is4In6()) {
		return s.unwritten(addr.Unmap().WithZone(""))
	}
	return nil
}

// refuse returns why addr is never contacted or denied, or nil.
func (s *Scope) refuse(addr netip.Addr) error {
	for _, b := range s.never {
		if b.Contains(addr) {
			return fmt.Errorf("%s is never contacted: %s", addr, b.are)
		}
	}
	if p, ok := s.deny.find(addr); ok {
		return fmt.Errorf("%s is excluded by %s", addr, p)
	}
	return nil
}

// embedded returns the IPv4 addresses to which packets for an IPv6 address may
// be translated or tunnelled.
func embedded(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	var out []netip.Addr
	b := addr.As16()
	add := func(i, j, k, l byte) { out = append(out, netip.AddrFrom4([4]byte{i, j, k, l})) }
	// 0.0.0.0/8 is no host: where there are several ways to read an address, or
	// none is sure, it was not meant to be read this way.
	maybe := func(i, j, k, l byte) {
		if i != 0 {
			add(i, j, k, l)
		}
	}
	starts := func(prefix ...byte) bool { return bytes.HasPrefix(b[:], prefix) }
	zero := func(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
	switch {
	case starts(0x20, 0x02): // 6to4, RFC 3056 section 2
		add(b[2], b[3], b[4], b[5])
	case starts(0x20, 0x01, 0, 0): // Teredo, RFC 4380 section 4: server, client
		add(b[4], b[5], b[6], b[7])
		add(^b[12], ^b[13], ^b[14], ^b[15])
	case starts(0, 0x64, 0xff, 0x9b) && zero(b[4:12]): // NAT64, RFC 6052 section 2.1
		add(b[12], b[13], b[14], b[15])
	case starts(0, 0x64, 0xff, 0x9b, 0, 1):
		// Local NAT64 (RFC 8215): its user chooses the prefix length, of which
		// RFC 6052 section 2.2 knows four that fit. Octet 8 and the rest are 0.
		if b[8] == 0 && zero(b[11:]) {
			maybe(b[6], b[7], b[9], b[10])
		}
		if b[8] == 0 && zero(b[12:]) {
			maybe(b[7], b[9], b[10], b[11])
		}
		if b[8] == 0 && zero(b[13:]) {
			maybe(b[9], b[10], b[11], b[12])
		}
		maybe(b[12], b[13], b[14], b[15])
	case starts(0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0): // SIIT, RFC 2765 section 2.1
		add(b[12], b[13], b[14], b[15])
	case zero(b[:12]): // IPv4-compatible, RFC 4291 section 2.5.5.1; ::1 is not
		maybe(b[12], b[13], b[14], b[15])
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe: // ISATAP, RFC 5214 section 6.1
		add(b[12], b[13], b[14], b[15])
	}
	return out
}

// cover returns the smallest list of blocks that is exactly first…last.
func cover(first, last netip.Addr) []netip.Prefix {
	return netipx.IPRangeFrom(first.WithZone(""), last.WithZone("")).Prefixes()
}
