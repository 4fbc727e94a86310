package target

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/clawsonar/clawsonar/internal/event"
)

// spool holds entries in a temporary file, in blocks, and in memory only where
// each block begins: 16 bytes for 256 entries.
type spool struct {
	f      *os.File
	size   int64
	starts []blockStart
	block  []byte // the last block, not written yet
	held   int    // entries in it

	// What many entries have in common is stored once.
	ports   [][]uint16
	portIDs map[string]int
	names   []string // of lists
	nameIDs map[string]int

	buffers sync.Pool // of *[]byte
}

type blockStart struct {
	index  uint64 // of the block's first target
	offset int64
}

const (
	perBlock  = 256
	maxShared = 1 << 10 // entries of each table of what is stored once
)

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "clawsonar-targets-*")
	if err != nil {
		return nil, fmt.Errorf("a long list needs a temporary file: %w", err)
	}
	if runtime.GOOS != "windows" {
		// It goes with the process then, however that ends.
		_ = os.Remove(f.Name())
	}
	return &spool{f: f, portIDs: map[string]int{}, nameIDs: map[string]int{}}, nil
}

func (s *spool) close() {
	_ = s.f.Close()
	_ = os.Remove(s.f.Name())
}

// add appends an entry of n targets, the first of which has the given index.
func (s *spool) add(spec *Spec, first, n uint64) error {
	if s.held == 0 {
		s.starts = append(s.starts, blockStart{first, s.size})
	}
	data := s.encode(spec)
	s.block = binary.AppendUvarint(s.block, n)
	s.block = binary.AppendUvarint(s.block, uint64(len(data)))
	s.block = append(s.block, data...)
	if s.held++; s.held < perBlock {
		return nil
	}
	if _, err := s.f.Write(s.block); err != nil {
		return fmt.Errorf("write a long list to a temporary file: %w", err)
	}
	s.size += int64(len(s.block))
	s.block, s.held = s.block[:0], 0
	return nil
}

// at returns the entry that holds target i, the entry's number, and the target's
// place in it.
func (s *spool) at(i uint64) (spec Spec, entry, place uint64, err error) {
	k := sort.Search(len(s.starts), func(k int) bool { return i < s.starts[k].index }) - 1
	entry = uint64(k) * perBlock
	i -= s.starts[k].index
	found := false
	err = s.each(k, func(data []byte, n uint64) (more bool, err error) {
		if i < n {
			found = true
			spec, err = s.decode(data)
			return false, err
		}
		i -= n
		entry++
		return true, nil
	})
	if err == nil && !found {
		err = errChanged()
	}
	return spec, entry, i, err
}

func errChanged() error { return errors.New("read a long list back: the temporary file was changed") }

// input returns what entry number i names, as the user wrote it; "" if there is
// none.
func (s *spool) input(i uint64) string {
	k, at, out := int(i/perBlock), i%perBlock, ""
	if k >= len(s.starts) {
		return ""
	}
	_ = s.each(k, func(data []byte, _ uint64) (bool, error) {
		if at > 0 {
			at--
			return true, nil
		}
		spec, err := s.decode(data)
		out = spec.Input
		return false, err
	})
	return out
}

// each reads the entries of block k, encoded and with how many targets
// each makes, until do wants no more or there are no more.
func (s *spool) each(k int, do func(data []byte, n uint64) (more bool, err error)) error {
	start := s.starts[k]
	data := s.block
	if start.offset < s.size {
		end := s.size
		if k+1 < len(s.starts) {
			end = s.starts[k+1].offset
		}
		buffer, ok := s.buffers.Get().(*[]byte)
		if !ok {
			buffer = new([]byte)
		}
		defer s.buffers.Put(buffer) // decode copies what it keeps
		*buffer = slices.Grow((*buffer)[:0], int(end-start.offset))[:end-start.offset]
		data = *buffer
		if _, err := s.f.ReadAt(data, start.offset); err != nil {
			return fmt.Errorf("read a long list back: %w", err)
		}
	}
	r := fields{data: data}
	for len(r.data) > 0 {
		n, size := r.number(), r.number()
		entry := r.next(size)
		if r.broken {
			return errChanged()
		}
		if more, err := do(entry, n); !more || err != nil {
			return err
		}
	}
	return nil
}

const (
	hasAddr = 1 << iota
	isRange
	plainInput // the input is the address
	implied
	sharedPorts
	sharedName // the source is a line of a list
	exact
)

func (s *spool) encode(spec *Spec) []byte {
	flags := byte(0)
	set := func(bit byte, on bool) bool {
		if on {
			flags |= bit
		}
		return on
	}
	var b []byte
	text := func(t string) { b = append(binary.AppendUvarint(b, uint64(len(t))), t...) }
	addr := func(a netip.Addr) {
		raw, _ := a.MarshalBinary() // never fails
		text(string(raw))
	}
	b = append(b, 0)
	if set(hasAddr, spec.First.IsValid()) {
		addr(spec.First)
		if set(isRange, spec.First != spec.Last) {
			addr(spec.Last)
		}
	}
	if !set(plainInput, spec.First.IsValid() && spec.Input == spec.First.String()) {
		text(spec.Input)
	}
	set(implied, spec.Implied)
	set(exact, spec.Exact)
	if id, ok := s.portsID(spec.Ports); set(sharedPorts, ok) {
		b = binary.AppendUvarint(b, uint64(id))
	} else {
		text(portBytes(spec.Ports))
	}
	name, line, _ := cutLast(spec.Source, ":")
	id, ok := s.nameID(name)
	if n, err := strconv.ParseUint(line, 10, 63); set(sharedName, ok && err == nil && strconv.FormatUint(n, 10) == line) {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(id)), n)
	} else {
		text(spec.Source)
	}
	var found []byte
	if spec.Found != nil {
		found, _ = json.Marshal(spec.Found) // never fails
	}
	for _, t := range []string{spec.Name, spec.Scheme, spec.Base, spec.Bound, spec.Process, string(found)} {
		text(t)
	}
	b[0] = flags
	return b
}

func (s *spool) decode(data []byte) (Spec, error) {
	var spec Spec
	r := fields{data: data[1:]}
	flags := data[0]
	var err error
	addr := func() (a netip.Addr) {
		err = errors.Join(err, a.UnmarshalBinary(r.next(r.number())))
		return a
	}
	if flags&hasAddr != 0 {
		spec.First = addr()
		spec.Last = spec.First
		if flags&isRange != 0 {
			spec.Last = addr()
		}
	}
	if flags&plainInput != 0 {
		spec.Input = spec.First.String()
	} else {
		spec.Input = r.text()
	}
	spec.Implied = flags&implied != 0
	spec.Listed = true // nothing else is as long
	spec.Exact = flags&exact != 0
	if flags&sharedPorts != 0 {
		spec.Ports = s.ports[r.number()]
	} else {
		raw := r.next(r.number())
		for i := 0; i+1 < len(raw); i += 2 {
			spec.Ports = append(spec.Ports, binary.BigEndian.Uint16(raw[i:]))
		}
	}
	if flags&sharedName != 0 {
		spec.Source = s.names[r.number()]
		spec.Source += ":" + strconv.FormatUint(r.number(), 10)
	} else {
		spec.Source = r.text()
	}
	for _, t := range []*string{&spec.Name, &spec.Scheme, &spec.Base, &spec.Bound, &spec.Process} {
		*t = r.text()
	}
	if found := r.next(r.number()); len(found) > 0 {
		spec.Found = new(event.Discovery)
		err = errors.Join(err, json.Unmarshal(found, spec.Found))
	}
	if r.broken || err != nil {
		return Spec{}, errChanged()
	}
	return spec, nil
}

func portBytes(ports []uint16) string {
	b := make([]byte, 0, 2*len(ports))
	for _, p := range ports {
		b = binary.BigEndian.AppendUint16(b, p)
	}
	return string(b)
}

func (s *spool) portsID(ports []uint16) (int, bool) {
	if n := len(s.ports); n > 0 && len(ports) > 0 && len(ports) == len(s.ports[n-1]) && &ports[0] == &s.ports[n-1][0] {
		return n - 1, true // the very list of the entry before
	}
	key := portBytes(ports)
	id, ok := s.portIDs[key]
	if !ok && len(s.ports) < maxShared {
		id, ok = len(s.ports), true
		s.ports, s.portIDs[key] = append(s.ports, ports), id
	}
	return id, ok
}

func (s *spool) nameID(name string) (int, bool) {
	id, ok := s.nameIDs[name]
	if !ok && len(s.names) < maxShared {
		id, ok = len(s.names), true
		name = strings.Clone(name)
		s.names, s.nameIDs[name] = append(s.names, name), id
	}
	return id, ok
}

// cutLast cuts around the last separator.
func cutLast(text, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(text, sep); i >= 0 {
		return text[:i], text[i+len(sep):], true
	}
	return text, "", false
}

// fields reads what encode has written.
type fields struct {
	data   []byte
	broken bool
}

func (r *fields) number() uint64 {
	n, size := binary.Uvarint(r.data)
	if size <= 0 {
		r.broken = true
		return 0
	}
	r.data = r.data[size:]
	return n
}

func (r *fields) next(n uint64) []byte {
	if n > uint64(len(r.data)) {
		r.broken = true
		return nil
	}
	part := r.data[:n]
	r.data = r.data[n:]
	return part
}

func (r *fields) text() string { return string(r.next(r.number())) }
