package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/clawsonar/clawsonar/internal/clean"
)

// Writer writes a stream as JSON Lines, each event with a single Write, so that a
// stream that is followed or cut off never holds half a line more than it must.
type Writer struct {
	w   io.Writer
	enc Encoder
}

// NewWriter returns a writer of a stream to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes one event.
func (s *Writer) Write(e Event) error {
	line, err := s.enc.Encode(e)
	if err != nil {
		return err
	}
	if _, err := s.w.Write(line); err != nil {
		return fmt.Errorf("write jsonl report: %w", err)
	}
	return nil
}

// Encoder makes JSON that is safe to print: besides what JSON asks for, every
// character that hides or that a terminal acts on is escaped, and every "#" that
// follows one, since "##" starts a command of Azure Pipelines wherever in a log
// line it stands. ("::" does so for GitHub Actions at the start of a line only, and
// no line of JSON starts with a string's content.) Decoding gives
// back the same text, except that invalid UTF-8 has become U+FFFD. The zero
// value is ready; its buffers are used again.
type Encoder struct {
	raw, safe bytes.Buffer
}

// Encode returns v as one line of JSON with its line break, valid until the
// next call.
func (c *Encoder) Encode(v any) ([]byte, error) {
	c.raw.Reset()
	b, ascii := c.raw.AvailableBuffer(), false
	if t, ok := v.(*Target); ok {
		b, ascii = appendLine(b, t)
	}
	if ascii {
		c.raw.Write(b)
	} else {
		enc := json.NewEncoder(&c.raw)
		enc.SetEscapeHTML(false) // this is data; "\u0026" in an address is of no use
		if err := enc.Encode(v); err != nil {
			return nil, fmt.Errorf("encode event: %w", err)
		}
	}
	b = c.raw.Bytes()
	if (ascii || !bytes.ContainsFunc(b, suspect)) && !bytes.Contains(b, []byte("##")) {
		return b, nil
	}
	c.safe.Reset()
	last := rune(0)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if !suspect(r) && (r != '#' || last != '#') {
			c.safe.Write(b[:size])
		} else if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			fmt.Fprintf(&c.safe, `\u%04x\u%04x`, hi, lo)
		} else {
			fmt.Fprintf(&c.safe, `\u%04x`, r)
		}
		b, last = b[size:], r
	}
	return c.safe.Bytes(), nil
}

// suspect reports whether Encode escapes r. In encoded JSON the only control
// character left is the line break at the end, and anything beyond ASCII is
// inside a string. U+FFFD is escaped because encoding/json does so when it stands
// in for invalid UTF-8: what is read and written again must not change.
func suspect(r rune) bool { return r != '\n' && (clean.Hidden(r) || r == utf8.RuneError) }
