package target

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// Entry is one entry of an allow or deny list: blocks, a host name, or an
// autonomous system.
type Entry struct {
	Blocks []netip.Prefix
	Wide   bool // the blocks are more than a part of the special range that they overlap
	Name   string
	AS     uint32
}

// ParseEntry reads an address, CIDR block or address range, a host name, or the
// number of an autonomous system such as AS64500.
func ParseEntry(text string) (Entry, error) {
	if rest, ok := cutAS(text); ok {
		n, err := strconv.ParseUint(rest, 10, 32)
		if err == nil && n > 0 {
			return Entry{AS: uint32(n)}, nil
		}
		if strings.Trim(rest, "0123456789") == "" {
			return Entry{}, fmt.Errorf("%q is neither an address nor a name, and no AS number: they go from 1 to 4294967295", text)
		}
	}
	spec, err := Parse(text, "", nil)
	if err != nil {
		return Entry{}, err
	}
	// With a port, it would seem to allow, or exclude, all other ports.
	if spec.Ports != nil || spec.Scheme != "" {
		return Entry{}, fmt.Errorf("%q is not an address, CIDR block, address range, host name or AS number", text)
	}
	if spec.Name != "" {
		return Entry{Name: spec.Name}, nil
	}
	return Entry{Blocks: cover(spec.First, spec.Last), Wide: beyondSpecial(spec.First, spec.Last)}, nil
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
// The file has one block a line, in one of three forms: "BLOCK AS", "FIRST LAST
// AS", "FIRST LENGTH AS"; more columns may follow. These are the forms of pyasn,
// iptoasn, and CAIDA's pfx2as. What follows the first column separates all of
// them: a comma, or else tabs and blanks. A block that several announce, or a set
// of them, has their numbers in one column: 64500_64501, or with commas, which in
// a file that is separated by commas needs quotes. It may be gzipped.
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
		f, commas, err := asColumns(text)
		if err != nil {
			return in.fail(err)
		}
		blocks, systems, rest, err := asLine(f)
		if err != nil {
			return in.fail(err)
		}
		if in.unended { // the number may be a part of one
			return in.fail(errors.New("the file is cut: its last line has no end"))
		}
		if commas && !slices.ContainsFunc(systems, func(as uint32) bool { return wanted[as] }) {
			for _, text := range rest {
				more, err := asSet(text)
				if err != nil {
					break
				}
				// Here a mistake allows or excludes what it should not.
				if wanted[more[0]] {
					return in.fail(fmt.Errorf("whether AS%d is one of a set here, or something else, cannot be told: write the set in quotes, or as 64500_64501", more[0]))
				}
			}
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

// asColumns splits a line into columns.
func asColumns(text string) (columns []string, commas bool, err error) {
	i := strings.IndexAny(text, "\t ,")
	if i < 0 || text[i] != ',' {
		f := strings.Fields(text)
		for i := range f {
			f[i] = strings.Trim(f[i], `"`)
		}
		return f, false, nil
	}
	r := csv.NewReader(strings.NewReader(text))
	r.LazyQuotes, r.TrimLeadingSpace, r.FieldsPerRecord = true, true, -1
	f, err := r.Read()
	if err != nil {
		return nil, true, fmt.Errorf("not a line of CSV: %w", err)
	}
	for i := range f {
		f[i] = strings.TrimSpace(f[i])
	}
	return f, true, nil
}

// asLine takes the columns of a line apart; rest are those behind the number. The
// blocks are worked out only when they are asked for: of nearly all lines nobody
// does.
func asLine(f []string) (blocks func() []netip.Prefix, systems []uint32, rest []string, err error) {
	unknown := errors.New(`not known: expected is "BLOCK AS", "FIRST LAST AS" or "FIRST LENGTH AS"`)
	if len(f) < 2 {
		return nil, nil, nil, unknown
	}
	at := 1
	if p, err := netip.ParsePrefix(f[0]); err == nil {
		blocks = func() []netip.Prefix { return []netip.Prefix{p.Masked()} }
	} else {
		first, err := netip.ParseAddr(f[0])
		if err != nil || len(f) < 3 {
			return nil, nil, nil, unknown
		}
		at = 2
		if last, err := netip.ParseAddr(f[1]); err == nil && first.Is4() == last.Is4() && !last.Less(first) {
			blocks = func() []netip.Prefix { return cover(first, last) }
		} else if n, err := strconv.Atoi(f[1]); err == nil && n >= 0 && n <= first.BitLen() {
			blocks = func() []netip.Prefix { return []netip.Prefix{netip.PrefixFrom(first, n).Masked()} }
		} else {
			return nil, nil, nil, unknown
		}
	}
	set := f[at]
	for at++; strings.HasSuffix(set, ",") && at < len(f); at++ { // "64500, 64501"
		set += f[at]
	}
	if systems, err = asSet(set); err != nil {
		return nil, nil, nil, unknown
	}
	return blocks, systems, f[at:], nil
}

// asSet reads one number, or several: 1_2 is a block that two announce, 1,2 or
// {1,2} a set that one announces (RFC 4271 section 4.3).
func asSet(text string) (systems []uint32, err error) {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	for part := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '_' || c == ',' || c == ' ' }) {
		part, _ = cutAS(part)
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return nil, err
		}
		systems = append(systems, uint32(n))
	}
	if len(systems) == 0 {
		return nil, errors.New("no number")
	}
	return systems, nil
}
