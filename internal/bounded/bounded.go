// Package bounded reads what others have written within limits, so that no file,
// however it was made, takes more memory or time than its caller allows for:
// whole files, gzip streams, and documents of JSON and YAML before they are
// decoded.
package bounded

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// File reads a whole file of at most limit bytes. It stops at the limit regardless
// of what the system says of the file's size: a device has none, a file may grow.
func File(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f, name, limit)
}

// Read reads the whole of an open file of at most limit bytes. Name is for the error.
func Read(f fs.File, name string, limit int64) ([]byte, error) {
	size := int64(0)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	if size > limit {
		return nil, TooLarge(name, limit)
	}
	data := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	if _, err := data.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, err
	}
	if int64(data.Len()) > limit {
		return nil, TooLarge(name, limit)
	}
	return data.Bytes(), nil
}

// TooLarge is the error of a file that is larger than the limit.
func TooLarge(name string, limit int64) error {
	return fmt.Errorf("%s: larger than %s, the most that is read of such a file", name, Size(limit))
}

// Size writes a limit: in MiB or KiB where it is a whole number of them.
func Size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// FS is a file system of which fs.ReadFile reads files of at most Limit bytes.
type FS struct {
	fs.FS
	Limit int64
}

// ReadFile reads a whole file.
func (f FS) ReadFile(name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return Read(file, name, f.Limit)
}

// Bounds on what a gzip stream unpacks to. Lists of targets are packed to a fifth
// or a fiftieth of their size; a thousandth is the most that the format can do.
const (
	MaxUnpacked = 4 << 30
	maxRatio    = 200
	beginRatio  = 64 << 20 // so much is unpacked at any ratio
)

// Unpack returns what reads r, unpacked if it is a gzip stream. One that is cut,
// damaged or unpacks to too much gives an error.
func Unpack(r io.Reader) (*bufio.Reader, error) {
	const size = 64 << 10
	br := bufio.NewReaderSize(r, size)
	if magic, _ := br.Peek(2); string(magic) != "\x1f\x8b" { // RFC 1952 section 2.3.1
		return br, nil
	}
	packed := &counter{Reader: br}
	z, err := gzip.NewReader(packed)
	if err != nil {
		return nil, packing(err)
	}
	return bufio.NewReaderSize(&unpacked{z: z, packed: packed}, size), nil
}

// packing says that it is the packing that is broken, not what is in it.
func packing(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return errors.New("the gzip stream breaks off: it is not whole")
	}
	return err
}

// counter counts what is read. It has ReadByte, so that nobody reads ahead.
type counter struct {
	*bufio.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

type unpacked struct {
	z      *gzip.Reader
	packed *counter
	n      int64
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	u.n += int64(n)
	switch {
	case err != nil && err != io.EOF:
		return n, packing(err)
	case u.n > MaxUnpacked:
		return 0, fmt.Errorf("unpacks to more than %s: give it in parts", Size(MaxUnpacked))
	case u.n > beginRatio && u.n/maxRatio > u.packed.n:
		return 0, fmt.Errorf("unpacks to more than %d times its size, as no list or archive does: unpack it first if it is one", maxRatio)
	}
	return n, err
}

// Window is a reader that fails once more than Max bytes were read since Slide
// was called. It stands between a decoder that holds a whole value in memory and
// a file of many values.
type Window struct {
	io.Reader
	Max  int64
	used int64
}

// ErrWindow is the error of a Window that is used up.
var ErrWindow = errors.New("a value is larger than what is read of one")

// Slide begins anew.
func (w *Window) Slide() { w.used = 0 }

func (w *Window) Read(p []byte) (int, error) {
	if w.used >= w.Max {
		return 0, ErrWindow
	}
	if int64(len(p)) > w.Max-w.used {
		p = p[:w.Max-w.used]
	}
	n, err := w.Reader.Read(p)
	w.used += int64(n)
	return n, err
}

// Depth is how deep a JSON document may be nested: those of scanners, OSV and
// OpenVEX have a dozen levels.
const Depth = 64

// JSON reports whether a document of JSON is nested deeper than Depth or holds
// more than the given number of values. It does not say that it is valid. What a
// decoder makes of two bytes, "{}", may take hundreds, so a limit on bytes alone
// does not bound its memory.
func JSON(data []byte, values int) error {
	var s Scanner
	for _, c := range data {
		s.Next(c)
		if s.Depth > Depth {
			return fmt.Errorf("nested deeper than %d levels", Depth)
		}
		if s.Values > values {
			return fmt.Errorf("holds more than %d values", values)
		}
	}
	return nil
}

// Scanner follows a JSON document byte by byte, as far as finding where its
// values end needs.
type Scanner struct {
	Depth  int // of objects and arrays that are open
	Values int // at least as many as there are values: keys and members

	quoted, escaped bool
}

// Next takes the next byte.
func (s *Scanner) Next(c byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case s.quoted:
		s.escaped, s.quoted = c == '\\', c != '"'
	case c == '"':
		s.quoted = true
	case c == '{', c == '[':
		s.Depth++
		s.Values++
	case c == '}', c == ']':
		s.Depth--
	case c == ',':
		s.Values++
	}
}

// Quoted reports whether the scanner is within a string.
func (s *Scanner) Quoted() bool { return s.quoted }

// Elements yields the elements of a valid JSON array.
func Elements(array []byte, yield func(element []byte) error) error {
	array = bytes.TrimSpace(array)
	if len(array) < 2 || array[0] != '[' {
		return errors.New("not a JSON array")
	}
	var s Scanner
	from := 1
	for i, c := range array {
		end := s.Depth == 1 && !s.quoted && (c == ',' || c == ']')
		s.Next(c)
		if !end {
			continue
		}
		element := bytes.TrimSpace(array[from:i])
		from = i + 1
		if len(element) == 0 {
			continue // of an empty array
		}
		if err := yield(element); err != nil {
			return err
		}
	}
	return nil
}
