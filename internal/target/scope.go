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

// special returns the ranges that are not globally reachable, most specific
// first. Source: IANA IPv4 and IPv6 Special-Purpose Address Registries.
func special() []reachBlock {
	return []reachBlock{
		{netip.MustParsePrefix("127.0.0.0/8"), event.ReachLoopback},
		{netip.MustParsePrefix("10.0.0.0/8"), event.ReachPrivate},
		{netip.MustParsePrefix("172.16.0.0/12"), event.ReachPrivate},
		{netip.MustParsePrefix("192.168.0.0/16"), event.ReachPrivate},
		{netip.MustParsePrefix("100.64.0.0/10"), event.ReachShared},
		{netip.MustParsePrefix("169.254.0.0/16"), event.ReachLinkLocal},
		// 192.0.0.9/32 and .10/32 are globally reachable anycast addresses.
		{netip.MustParsePrefix("192.0.0.9/32"), event.ReachPublic},
		{netip.MustParsePrefix("192.0.0.10/32"), event.ReachPublic},
		{netip.MustParsePrefix("192.0.0.0/24"), event.ReachReserved},
		{netip.MustParsePrefix("192.88.99.2/32"), event.ReachReserved},
		{netip.MustParsePrefix("0.0.0.0/8"), event.ReachReserved},
		{netip.MustParsePrefix("192.0.2.0/24"), event.ReachReserved},
		{netip.MustParsePrefix("198.18.0.0/15"), event.ReachReserved},
		{netip.MustParsePrefix("198.51.100.0/24"), event.ReachReserved},
		{netip.MustParsePrefix("203.0.113.0/24"), event.ReachReserved},
		{netip.MustParsePrefix("224.0.0.0/4"), event.ReachReserved},
		{netip.MustParsePrefix("240.0.0.0/4"), event.ReachReserved},

		{netip.MustParsePrefix("::1/128"), event.ReachLoopback},
		{netip.MustParsePrefix("::/128"), event.ReachReserved},
		{netip.MustParsePrefix("64:ff9b:1::/48"), event.ReachPrivate},
		{netip.MustParsePrefix("64:ff9b::/96"), event.ReachPublic},
		{netip.MustParsePrefix("fe80::/10"), event.ReachLinkLocal},
		{netip.MustParsePrefix("fc00::/7"), event.ReachPrivate},
		{netip.MustParsePrefix("100::/64"), event.ReachReserved},
		{netip.MustParsePrefix("100:0:0:1::/64"), event.ReachReserved},
		{netip.MustParsePrefix("2001:db8::/32"), event.ReachReserved},
		{netip.MustParsePrefix("3fff::/20"), event.ReachReserved},
		{netip.MustParsePrefix("5f00::/16"), event.ReachReserved},
		// Inside 2001::/23 these are globally reachable, or, Teredo and the old
		// ORCHID, "not applicable": taken as reachable, which asks for more.
		{netip.MustParsePrefix("2001::/32"), event.ReachPublic},
		{netip.MustParsePrefix("2001:1::1/128"), event.ReachPublic},
		{netip.MustParsePrefix("2001:1::2/128"), event.ReachPublic},
		{netip.MustParsePrefix("2001:1::3/128"), event.ReachPublic},
		{netip.MustParsePrefix("2001:3::/32"), event.ReachPublic},
		{netip.MustParsePrefix("2001:4:112::/48"), event.ReachPublic},
		{netip.MustParsePrefix("2001:10::/28"), event.ReachPublic},
		{netip.MustParsePrefix("2001:20::/28"), event.ReachPublic},
		{netip.MustParsePrefix("2001:30::/28"), event.ReachPublic},
		{netip.MustParsePrefix("2001::/23"), event.ReachReserved},
		{netip.MustParsePrefix("ff00::/8"), event.ReachReserved},
	}
}

type reachBlock struct {
	prefix netip.Prefix
	reach  event.Reach
}

// never returns the addresses that are not contacted even if the user names them:
// where no single host answers, and where a cloud's metadata service hands
// out credentials to any client.
func never() []barred {
	return []barred{
		{netip.MustParsePrefix("0.0.0.0/8"), "not a host address"},
		{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
		{netip.MustParsePrefix("240.0.0.0/4"), "reserved or broadcast"},
		{netip.MustParsePrefix("::/128"), "not a host address"},
		{netip.MustParsePrefix("ff00::/8"), "multicast"},
		{netip.MustParsePrefix("169.254.169.254/32"), "cloud metadata service"},
		{netip.MustParsePrefix("169.254.170.2/32"), "cloud metadata service"},       // AWS ECS
		{netip.MustParsePrefix("169.254.170.23/32"), "cloud metadata service"},      // AWS EKS
		{netip.MustParsePrefix("169.254.0.23/32"), "cloud metadata service"},        // Tencent
		{netip.MustParsePrefix("169.254.42.42/32"), "cloud metadata service"},       // Scaleway
		{netip.MustParsePrefix("100.100.100.200/32"), "cloud metadata service"},     // Alibaba
		{netip.MustParsePrefix("168.63.129.16/32"), "cloud metadata service"},       // Azure
		{netip.MustParsePrefix("192.0.0.192/32"), "cloud metadata service"},         // Oracle
		{netip.MustParsePrefix("fd00:ec2::254/128"), "cloud metadata service"},      // AWS
		{netip.MustParsePrefix("fd00:ec2::23/128"), "cloud metadata service"},       // AWS EKS
		{netip.MustParsePrefix("fd20:ce::254/128"), "cloud metadata service"},       // Google
		{netip.MustParsePrefix("fd00:42::42/128"), "cloud metadata service"},        // Scaleway
		{netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), "cloud metadata service"}, // Oracle
		{netip.MustParsePrefix("fd00:a9fe:a9fe::1/128"), "cloud metadata service"},  // Linode
		{netip.MustParsePrefix("fe80::a9fe:a9fe/128"), "cloud metadata service"},    // OpenStack
	}
}

type barred struct {
	prefix netip.Prefix
	why    string
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
	special    []reachBlock
	never      []barred
	text       string
}

// Limits say what a scope is made from.
type Limits struct {
	// Allow and Wide are what may be contacted; both nil is everything. Each block
	// of Allow was written down by itself. Those of Wide are parts of a wider
	// range, or of an autonomous system: 10.0.0.0/8 as a part of "9.0.0.0-11.0.0.0"
	// does not mean private addresses.
	Allow, Wide []netip.Prefix
	Deny        []netip.Prefix
	Names       []string // denied
	// Public is set when the operator has stated the right to probe: without it,
	// globally reachable addresses are refused.
	Public bool
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
		text: fmt.Sprintf("allow %v, wide %v, deny %v %q, public %t", l.Allow, l.Wide, l.Deny, l.Names, l.Public),
	}
	var inside []netip.Prefix
	for _, p := range l.Allow {
		if !beyondSpecial(p.Addr(), netipx.PrefixLastIP(p)) && s.Reach(p.Addr()) != event.ReachPublic {
			inside = append(inside, p)
		}
	}
	s.inside = newBlocks(inside)
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

// String names what the scope was made from: the same text, the same scope.
func (s *Scope) String() string { return s.text }

// blocks is a set of blocks. Looking an address up takes one step for each
// length of prefix there is in it, however many blocks there are.
type blocks struct {
	lengths4, lengths6 []int
	set                map[netip.Prefix]struct{}
}

func newBlocks(prefixes []netip.Prefix) blocks {
	b := blocks{set: make(map[netip.Prefix]struct{}, len(prefixes))}
	for _, p := range prefixes {
		lengths := &b.lengths6
		if p.Addr().Is4() {
			lengths = &b.lengths4
		}
		if !slices.Contains(*lengths, p.Bits()) {
			*lengths = append(*lengths, p.Bits())
		}
		b.set[p.Masked()] = struct{}{}
	}
	slices.Sort(b.lengths4)
	slices.Sort(b.lengths6)
	return b
}

// find returns the widest block that an address is in.
func (b *blocks) find(addr netip.Addr) (netip.Prefix, bool) {
	lengths := b.lengths6
	if addr.Is4() {
		lengths = b.lengths4
	}
	for _, n := range lengths {
		p := netip.PrefixFrom(addr, n).Masked()
		if _, ok := b.set[p]; ok {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// Reach classifies an address.
func (s *Scope) Reach(addr netip.Addr) event.Reach {
	addr = addr.Unmap().WithZone("")
	for _, r := range s.special {
		if r.prefix.Contains(addr) {
			return r.reach
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
			case r.reach == event.ReachPublic && r.prefix.Overlaps(p):
				return true
			case r.reach != event.ReachPublic && r.prefix.Bits() <= p.Bits() && r.prefix.Contains(p.Addr()):
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
	for _, r := range special() {
		from, to := r.prefix.Addr(), netipx.PrefixLastIP(r.prefix)
		if r.reach == event.ReachPublic || from.Is4() != first.Is4() || last.Less(from) || to.Less(first) {
			continue
		}
		if first.Less(from) || to.Less(last) {
			return true
		}
	}
	return false
}

// Check returns nil when addr may be contacted, else the reason why not. It
// takes the address for one that was written down; CheckTarget knows better.
func (s *Scope) Check(addr netip.Addr) error {
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
	if reach == event.ReachPublic {
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
	if s.names[t.Name] {
		return fmt.Errorf("%s is excluded", t.Name)
	}
	addr := t.Addr.Addr()
	if !addr.IsValid() && t.Name != "" {
		return nil
	}
	if err := s.Check(addr); err != nil {
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
		if b.prefix.Contains(addr) {
			return fmt.Errorf("%s is never contacted: %s", addr, b.why)
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
