package target

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// Rule is one entry of an allow or deny list: blocks, a host name, or an
// autonomous system.
type Rule struct {
	Blocks []netip.Prefix
	Name   string
	AS     uint32
}

// ParseRule reads an address, CIDR block or address range, a host name, or the
// number of an autonomous system such as AS64500.
func ParseRule(text string) (Rule, error) {
	if rest, ok := cutAS(text); ok {
		if n, err := strconv.ParseUint(rest, 10, 32); err == nil && n > 0 {
			return Rule{AS: uint32(n)}, nil
		}
	}
	spec, err := Parse(text, "", nil)
	if err != nil {
		return Rule{}, err
	}
	// With a port, it would let in, or shut out, all other ports.
	if spec.Ports != nil || spec.Scheme != "" {
		return Rule{}, fmt.Errorf("%q is not an address, CIDR block, address range, host name or AS number", text)
	}
	if spec.Name != "" {
		return Rule{Name: spec.Name}, nil
	}
	return Rule{Blocks: cover(spec.First, spec.Last)}, nil
}

func cutAS(text string) (rest string, ok bool) {
	if len(text) > 2 && strings.EqualFold(text[:2], "AS") {
		return text[2:], true
	}
	return text, false
}

// maxASBlocks is more than all that any ten AS numbers announce.
const maxASBlocks = 200_000

// ASBlocks reads which blocks belong to the autonomous systems that are wanted.
// The file has one block a line, in one of three forms, with columns separated
// by tabs, blanks or commas: "BLOCK AS", "FIRST LAST AS", "FIRST LENGTH AS"; more
// columns may follow. These are the forms of pyasn, iptoasn, and CAIDA's
// pfx2as. It may be gzipped.
func ASBlocks(r io.Reader, name string, wanted map[uint32]bool) (map[uint32][]netip.Prefix, error) {
	br, err := bounded.Unpack(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	out := map[uint32][]netip.Prefix{}
	in := &input{Reader: br, name: name, line: 1}
	in.begin()
	found := 0
	err = in.lines(maxLine, nil, func(text string) error {
		if text[0] == ';' { // pyasn's comment
			return nil
		}
		f := strings.FieldsFunc(text, func(c rune) bool { return c == '\t' || c == ' ' || c == ',' || c == '"' })
		blocks, systems, err := asLine(f)
		if err != nil {
			return in.fail(err)
		}
		if in.unended { // the number may be a part of one
			return in.fail(errors.New("the file is cut: its last line has no end"))
		}
		for _, as := range systems {
			if wanted[as] {
				more := blocks()
				if found += len(more); found > maxASBlocks {
					return in.fail(fmt.Errorf("more than %d blocks of the AS numbers that are named", maxASBlocks))
				}
				out[as] = append(out[as], more...)
			}
		}
		return nil
	})
	return out, err
}

// asLine takes a line apart. The blocks are worked out only when they are asked
// for: of nearly all lines nobody does.
func asLine(f []string) (blocks func() []netip.Prefix, systems []uint32, err error) {
	unknown := errors.New(`not known: expected is "BLOCK AS", "FIRST LAST AS" or "FIRST LENGTH AS"`)
	if len(f) < 2 {
		return nil, nil, unknown
	}
	as := f[1]
	if p, err := netip.ParsePrefix(f[0]); err == nil {
		blocks = func() []netip.Prefix { return []netip.Prefix{p.Masked()} }
	} else {
		first, err := netip.ParseAddr(f[0])
		if err != nil || len(f) < 3 {
			return nil, nil, unknown
		}
		as = f[2]
		if last, err := netip.ParseAddr(f[1]); err == nil && first.Is4() == last.Is4() && !last.Less(first) {
			blocks = func() []netip.Prefix { return cover(first, last) }
		} else if n, err := strconv.Atoi(f[1]); err == nil && n >= 0 && n <= first.BitLen() {
			blocks = func() []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(first, n).Masked()} }
		} else {
			return nil, nil, unknown
		}
	}
	// CAIDA writes 1_2 for a block that two announce, 1,2 for a set.
	for part := range strings.FieldsFuncSeq(as, func(c rune) bool { return c == '_' }) {
		part, _ = cutAS(part)
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return nil, nil, unknown
		}
		systems = append(systems, uint32(n))
	}
	return blocks, systems, nil
}
