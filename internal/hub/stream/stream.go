// Package stream reads the stored result streams of the hub: one file of JSON Lines for
// each run, plain or packed with gzip.
package stream

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
)

// Stream is a stored stream of one run.
type Stream struct {
	Path    string
	Head    *event.Scan
	Summary *event.Summary // nil if the stream was cut off
	SHA256  string         // of the stream, unpacked
	Bytes   int64          // unpacked
}

// maxLine is what package event reads of a line at most.
const maxLine = 3 << 20

// Open reads a stream from its begin to its end, but understands only its first and its
// last line. One that does not begin with a scan over a network is refused.
func Open(path string) (*Stream, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &Stream{Path: path}
	in, err := bounded.Unpack(f)
	if err != nil {
		return nil, s.wrong(err)
	}
	sum := sha256.New()
	count := &counter{}
	sc := bufio.NewScanner(io.TeeReader(in, io.MultiWriter(sum, count)))
	sc.Buffer(make([]byte, 64<<10), maxLine)
	var last []byte
	for sc.Scan() {
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 {
			continue
		}
		if s.Head == nil {
			if s.Head, err = head(line); err != nil {
				return nil, s.wrong(err)
			}
			continue
		}
		last = append(last[:0], line...)
	}
	if err := sc.Err(); err != nil {
		return nil, s.wrong(err)
	}
	if s.Head == nil {
		return nil, s.wrong(errors.New("it is empty"))
	}
	if e, err := event.Decode(last); err == nil {
		s.Summary, _ = e.(*event.Summary)
	}
	s.SHA256, s.Bytes = hex.EncodeToString(sum.Sum(nil)), count.n
	return s, nil
}

// head reads the first line.
func head(line []byte) (*event.Scan, error) {
	e, err := event.Decode(line)
	if err != nil {
		return nil, err
	}
	scan, ok := e.(*event.Scan)
	switch {
	case !ok:
		return nil, errors.New("it does not begin with a scan")
	case scan.Kind != "":
		return nil, errors.New("it is of an inspection of files, which has no history here")
	case scan.Compared != nil:
		return nil, errors.New("it is a comparison of two scans: give the scans themselves")
	}
	return scan, nil
}

// wrong says which stream cannot be read. The error may quote it.
func (s *Stream) wrong(err error) error {
	return fmt.Errorf("%s: %s: give a stream that scan wrote with -o jsonl=FILE", s.Path, clean.N(err.Error(), 200))
}

// Each yields the events of the stream, see event.Read. Where it was cut off within its
// last line, it ends before that.
func (s *Stream) Each(yield func(event.Event) error) error {
	f, err := os.Open(s.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	in, err := bounded.Unpack(f)
	if err != nil {
		return s.wrong(err)
	}
	err = event.Read(in, s.Path, yield)
	if errors.Is(err, io.ErrUnexpectedEOF) && s.Summary == nil {
		return nil
	}
	return err
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
