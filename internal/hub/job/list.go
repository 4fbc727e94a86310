package job

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/target"
)

// Limits of a list of targets.
const (
	MaxPacked   = 64 << 20 // bytes
	maxUnpacked = 1 << 30
	maxEntry    = 1 << 20 // bytes of a line: an entry may name all ports
	maxPorts    = 1 << 16
	zstdWindow  = 8 << 20
)

// entry is a line of a list. What is not there is as in an empty target.Spec; Input is that
// of the address, and Ports are those of the line before.
type entry struct {
	First   netip.Addr   `json:"first,omitzero"`
	Last    netip.Addr   `json:"last,omitzero"` // First if it is not there
	Name    string       `json:"name,omitempty"`
	Ports   []uint16     `json:"ports,omitempty"`
	Scheme  string       `json:"scheme,omitempty"`
	Base    string       `json:"base,omitempty"`
	Input   string       `json:"input,omitempty"`
	Source  string       `json:"source,omitempty"`
	Part    event.Member `json:"part,omitempty"`
	Exact   bool         `json:"exact,omitempty"`
	Listed  bool         `json:"listed,omitempty"`
	Implied bool         `json:"implied,omitempty"`
}

// Pack writes the entries of a space: lines of JSON, packed with zstd.
func Pack(space *target.Space) ([]byte, error) {
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow))
	if err != nil {
		return nil, err
	}
	lines := bufio.NewWriterSize(z, 64<<10)
	enc := json.NewEncoder(lines)
	var ports []uint16
	err = space.Entries(func(s target.Spec) error {
		e := entry{
			First: s.First, Name: s.Name, Scheme: s.Scheme, Base: s.Base, Input: s.Input, Source: s.Source,
			Part: s.Part, Exact: s.Exact, Listed: s.Listed, Implied: s.Implied,
		}
		if s.Last != s.First {
			e.Last = s.Last
		}
		if s.First.IsValid() && s.Input == s.First.String() {
			e.Input = ""
		}
		if !slices.Equal(ports, s.Ports) {
			e.Ports, ports = s.Ports, s.Ports
		}
		if out.Len() > MaxPacked {
			return errTooLong()
		}
		return enc.Encode(e)
	})
	if err == nil {
		err = errors.Join(lines.Flush(), z.Close())
	}
	if err == nil && out.Len() > MaxPacked {
		err = errTooLong()
	}
	return out.Bytes(), err
}

func errTooLong() error {
	return fmt.Errorf("the list of targets is longer than a job can have, %d MiB packed: divide it", MaxPacked>>20)
}

func digest(list []byte) Digest {
	sum := sha256.Sum256(list)
	return Digest{hex.EncodeToString(sum[:]), int64(len(list))}
}

// Unpack makes the space of a packed list, which the caller closes. A list that is not that
// of the record is an error.
func (r *Record) Unpack(list io.Reader) (*target.Space, error) {
	space := new(target.Space)
	if err := r.unpack(list, space); err != nil {
		space.Close()
		return nil, fmt.Errorf("list of targets: %w", err)
	}
	return space, nil
}

func (r *Record) unpack(list io.Reader, space *target.Space) error {
	sum := sha256.New()
	packed := &io.LimitedReader{R: io.TeeReader(list, sum), N: r.List.Bytes}
	z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	defer z.Close()
	lines := bufio.NewScanner(io.LimitReader(z, maxUnpacked+1))
	lines.Buffer(make([]byte, 64<<10), maxEntry)
	var ports []uint16
	var read int64
	for lines.Scan() {
		if read += int64(len(lines.Bytes())) + 1; read > maxUnpacked {
			return fmt.Errorf("it unpacks to more than %d bytes", maxUnpacked)
		}
		var e entry
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			return err
		}
		if e.Ports == nil {
			e.Ports = ports
		}
		ports = e.Ports
		spec, err := e.spec()
		if err != nil {
			return err
		}
		if err := space.Add(spec); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, packed); err != nil {
		return err
	}
	if packed.N != 0 || hex.EncodeToString(sum.Sum(nil)) != r.List.SHA256 {
		return errors.New("it is not the one that the record names")
	}
	if space.Len() != r.Targets {
		return fmt.Errorf("it has %d targets, not %d", space.Len(), r.Targets)
	}
	return nil
}

// spec is the entry as the space takes it.
func (e entry) spec() (target.Spec, error) {
	s := target.Spec{
		First: e.First, Last: e.Last, Name: e.Name, Ports: e.Ports, Scheme: e.Scheme, Base: e.Base, Input: e.Input, Source: e.Source,
		Part: e.Part, Exact: e.Exact, Listed: e.Listed, Implied: e.Implied,
	}
	if !s.Last.IsValid() {
		s.Last = s.First
	}
	if s.Input == "" && s.First.IsValid() {
		s.Input = s.First.String()
	}
	switch {
	case !s.First.IsValid() && (s.Name == "" || s.Last.IsValid()):
		return s, errors.New("an entry names nothing")
	case s.First.Is4() != s.Last.Is4() || s.Last.Less(s.First) || s.First.Zone() != s.Last.Zone():
		return s, errors.New("an entry is no range of addresses")
	case len(s.Ports) == 0 || len(s.Ports) > maxPorts, slices.Contains(s.Ports, 0):
		return s, errors.New("an entry has no ports, or one that is none")
	}
	return s, nil
}
