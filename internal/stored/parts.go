package stored

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Part is a place in a file: one stream of those that it holds.
type Part struct {
	Begin, End int64
	Head       *event.Scan
}

// scanLine is how a line with a scan begins, as event writes it.
var scanLine = []byte(`{"type":"scan"`)

// maxHead is the longest scan line that is taken, in bytes.
const maxHead = 1 << 20

// Parts returns the streams that a file holds, if each continues the one
// before it, and else none: then it is one stream, or none of ours. Lines of any
// length cost no memory.
func Parts(r io.ReaderAt, size int64) ([]Part, error) {
	var out []Part
	in := bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 64<<10)
	var head []byte // the line so far, if it is a scan
	begin, at := int64(0), int64(0)
	first := true // this piece is the first of its line
	for {
		piece, err := in.ReadSlice('\n')
		if first {
			begin, head = at, nil
			if bytes.HasPrefix(piece, scanLine) {
				head = bytes.Clone(piece)
			}
		} else if head != nil && len(head) < maxHead {
			head = append(head, piece...)
		}
		at += int64(len(piece))
		first = len(piece) > 0 && piece[len(piece)-1] == '\n'
		if first && head != nil {
			e, _ := event.Decode(head)
			if scan, ok := e.(*event.Scan); ok {
				if n := len(out); n > 0 {
					if !Continues(scan, out[n-1].Head) {
						return nil, nil
					}
					out[n-1].End = begin
				}
				out = append(out, Part{Begin: begin, End: size, Head: scan})
			}
		}
		switch err {
		case nil, bufio.ErrBufferFull:
		case io.EOF:
			if len(out) > 0 && out[0].Begin > 0 {
				return nil, nil
			}
			return out, nil
		default:
			return nil, fmt.Errorf("read: %w", err)
		}
	}
}

// Heads returns the scans of a file's streams, as Parts has them.
func Heads(f interface {
	io.ReaderAt
	io.Seeker
}) ([]*event.Scan, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	parts, err := Parts(f, size)
	var out []*event.Scan
	for _, p := range parts {
		out = append(out, p.Head)
	}
	return out, err
}

// same reports whether two streams are of one scan: the same shard of it, from
// the same vantage.
func same(a, b *event.Scan) bool {
	return a.Config != "" && a.Config == b.Config && a.Shard == b.Shard && a.Vantage == b.Vantage
}

// Continues reports whether a run continues the scan that other was a run of.
func Continues(s, other *event.Scan) bool {
	return same(s, other) && slices.ContainsFunc(s.Earlier, func(r event.Run) bool { return r.Started.Equal(other.Started) })
}

// Missing returns the runs before that of s which have done something and whose
// streams are not among heads.
func Missing(s *event.Scan, heads []*event.Scan) []event.Run {
	var out []event.Run
	for i, r := range s.Earlier {
		next := s.From
		if i+1 < len(s.Earlier) {
			next = s.Earlier[i+1].From
		}
		here := func(h *event.Scan) bool { return same(s, h) && h.Started.Equal(r.Started) }
		if next > r.From && !slices.ContainsFunc(heads, here) {
			out = append(out, r)
		}
	}
	return out
}
