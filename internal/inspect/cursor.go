package inspect

import "unicode/utf8"

// cursor goes through a text and knows where it is: lines and columns count from 1,
// columns in UTF-16 code units.
type cursor struct {
	data         []byte
	at           int
	line, column int
}

func newCursor(data []byte) *cursor {
	c := &cursor{data: data, line: 1, column: 1}
	if len(data) >= 3 && string(data[:3]) == "\ufeff" {
		c.at = 3
	}
	return c
}

func (c *cursor) end() bool { return c.at >= len(c.data) }

// peek returns the byte that is n bytes ahead; 0 behind the end.
func (c *cursor) peek(n int) byte {
	if c.at+n >= len(c.data) {
		return 0
	}
	return c.data[c.at+n]
}

// next goes one character on, and returns it as it is in the text.
func (c *cursor) next() []byte {
	r, size := utf8.DecodeRune(c.data[c.at:])
	text := c.data[c.at : c.at+size]
	c.at += size
	switch {
	case r == '\n':
		c.line++
		c.column = 1
	case r > 0xffff:
		c.column += 2
	default:
		c.column++
	}
	return text
}

// skipLine goes to the end of the line.
func (c *cursor) skipLine() {
	for !c.end() && c.peek(0) != '\n' {
		c.next()
	}
}

// starts reports whether what is ahead begins with a text.
func (c *cursor) starts(text string) bool {
	return len(c.data)-c.at >= len(text) && string(c.data[c.at:c.at+len(text)]) == text
}
