package json5

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clawsonar/clawsonar/internal/event"
)

// The bounds of a document. npm's json5 has none: a document beyond them is one that
// this package cannot judge, not one that the gateway would refuse.
const (
	MaxDepth  = 1000    // objects and arrays within each other
	MaxValues = 100_000 // values of any kind, also those of keys that are given twice
)

// Error says where a document cannot be read any further. It quotes nothing of the
// document, which may hold secrets.
type Error struct {
	Pos event.Pos
	Why Why
}

// Why is the reason of an Error.
type Why uint8

// The reasons.
const (
	BadCharacter Why = iota // something that may not stand there
	EndOfText               // the document breaks off
	TooDeep                 // more than MaxDepth
	TooMany                 // more than MaxValues
)

// Limit reports whether a bound of this package is in the way, and no error of the document.
func (e *Error) Limit() bool { return e.Why == TooDeep || e.Why == TooMany }

func (e *Error) Error() string {
	why := [...]string{
		BadCharacter: "unexpected character",
		EndOfText:    "unexpected end of the text",
		TooDeep:      fmt.Sprintf("more than %d levels", MaxDepth),
		TooMany:      fmt.Sprintf("more than %d values", MaxValues),
	}[e.Why]
	return fmt.Sprintf("%s:%d:%d: %s", e.Pos.File, e.Pos.Line, e.Pos.Column, why)
}

// Parse reads a document. The error is an *Error; there is no node then.
//
// The text is decoded as Node does: what is not UTF-8 becomes U+FFFD, and so does half
// of a surrogate pair that an escape makes. Lines end at "\n"; columns count UTF-16
// units, and a byte order mark at the beginning takes none.
//
// OpenClaw tries JSON.parse first and json5 only if that fails. Every document that
// JSON.parse takes has the same value here: of the same keys the last counts (Members
// holds them all), and "__proto__" is a key like any other (it is the gateway that drops
// it later). But JSON.parse of Node 24.21 mistakes some keys with escapes for others, such
// as "\b" and "\\" of two objects; that is not followed.
func Parse(file string, data []byte) (*Node, error) {
	p := &parser{src: Decode(data), at: event.Pos{File: file, Line: 1, Column: 1}}
	p.src = strings.TrimPrefix(p.src, "\uFEFF")
	n, err := p.document()
	if err != nil {
		return nil, err
	}
	return n, nil
}

type parser struct {
	src    string
	off    int       // in src
	at     event.Pos // of off
	values int
	depth  int
}

// end is what peek returns at the end of the text.
const end = -1

func (p *parser) peek() rune {
	if p.off >= len(p.src) {
		return end
	}
	if c := p.src[p.off]; c < utf8.RuneSelf {
		return rune(c)
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.off:])
	return r
}

// next goes behind the character that peek returned.
func (p *parser) next(c rune) {
	p.off += utf8.RuneLen(c)
	switch {
	case c == '\n':
		p.at.Line++
		p.at.Column = 1
	case c > 0xFFFF:
		p.at.Column += 2
	default:
		p.at.Column++
	}
}

func (p *parser) fail(why Why) *Error { return &Error{p.at, why} }

// bad is the error of a character that may not stand here.
func (p *parser) bad(c rune) *Error {
	if c == end {
		return p.fail(EndOfText)
	}
	return p.fail(BadCharacter)
}

func (p *parser) document() (*Node, *Error) {
	n, err := p.value()
	if err != nil {
		return nil, err
	}
	if c, err := p.space(); err != nil {
		return nil, err
	} else if c != end {
		return nil, p.bad(c)
	}
	return n, nil
}

// space skips white space and comments, and returns what comes then.
func (p *parser) space() (rune, *Error) {
	for {
		c := p.peek()
		switch {
		case isSpace(c):
			p.next(c)
		case c == '/':
			p.next(c)
			if err := p.comment(); err != nil {
				return 0, err
			}
		default:
			return c, nil
		}
	}
}

// comment skips a comment whose first slash is read.
func (p *parser) comment() *Error {
	c := p.peek()
	switch c {
	case '/':
		for c != end && !isLineEnd(c) {
			p.next(c)
			c = p.peek()
		}
		return nil
	case '*':
		p.next(c)
		for star := false; ; {
			c = p.peek()
			if c == end {
				return p.bad(c)
			}
			p.next(c)
			if star && c == '/' {
				return nil
			}
			star = c == '*'
		}
	}
	return p.bad(c)
}

func (p *parser) value() (*Node, *Error) {
	c, err := p.space()
	if err != nil {
		return nil, err
	}
	n := &Node{Pos: p.at}
	if p.values++; p.values > MaxValues {
		return nil, p.fail(TooMany)
	}
	switch {
	case c == '{':
		n.Kind = Object
		err = p.inside(n, p.object)
	case c == '[':
		n.Kind = Array
		err = p.inside(n, p.array)
	case c == '"' || c == '\'':
		n.Kind = String
		n.Text, err = p.text(c)
	case c == 'n':
		err = p.literal("null")
	case c == 't':
		n.Kind, n.Bool = Bool, true
		err = p.literal("true")
	case c == 'f':
		n.Kind = Bool
		err = p.literal("false")
	default:
		n.Kind = Number
		n.Number, err = p.number(c)
	}
	n.End = p.at
	return n, err
}

// inside reads what is between brackets.
func (p *parser) inside(n *Node, read func(*Node) *Error) *Error {
	if p.depth++; p.depth > MaxDepth {
		return p.fail(TooDeep)
	}
	p.next('{') // or another bracket, of the same width
	err := read(n)
	p.depth--
	return err
}

func (p *parser) object(n *Node) *Error {
	for {
		c, err := p.space()
		if err != nil {
			return err
		}
		if c == '}' {
			p.next(c)
			return nil
		}
		m := Member{Pos: p.at}
		if c == '"' || c == '\'' {
			m.Key, err = p.text(c)
		} else {
			m.Key, err = p.identifier()
		}
		if err != nil {
			return err
		}
		if c, err = p.space(); err != nil {
			return err
		}
		if c != ':' {
			return p.bad(c)
		}
		p.next(c)
		if m.Value, err = p.value(); err != nil {
			return err
		}
		n.Members = append(n.Members, m)
		if done, err := p.separator('}'); done || err != nil {
			return err
		}
	}
}

func (p *parser) array(n *Node) *Error {
	for {
		c, err := p.space()
		if err != nil {
			return err
		}
		if c == ']' {
			p.next(c)
			return nil
		}
		item, err := p.value()
		if err != nil {
			return err
		}
		n.Items = append(n.Items, item)
		if done, err := p.separator(']'); done || err != nil {
			return err
		}
	}
}

// separator reads a comma or the closing bracket.
func (p *parser) separator(closing rune) (done bool, err *Error) {
	c, err := p.space()
	if err != nil {
		return false, err
	}
	if c != ',' && c != closing {
		return false, p.bad(c)
	}
	p.next(c)
	return c == closing, nil
}

func (p *parser) literal(word string) *Error {
	for _, want := range word {
		c := p.peek()
		if c != want {
			return p.bad(c)
		}
		p.next(c)
	}
	return nil
}

// number reads a number that begins with c, which may be anything.
func (p *parser) number(c rune) (float64, *Error) {
	sign := 1.0
	if c == '+' || c == '-' {
		if c == '-' {
			sign = -1
		}
		p.next(c)
		c = p.peek()
	}
	switch {
	case c == 'I':
		return math.Inf(int(sign)), p.literal("Infinity")
	case c == 'N':
		return math.NaN(), p.literal("NaN")
	case c != '.' && !isDigit(c):
		return 0, p.bad(c)
	}
	begin := p.off
	digits := p.digits()
	// A zero is not followed by more digits: "01" is a zero, and then a one that may not stand there.
	if c == '0' {
		p.at.Column -= digits - 1
		p.off, digits = begin+1, 1
		if x := p.peek(); x == 'x' || x == 'X' {
			p.next(x)
			return p.hexadecimal(sign)
		}
	}
	if p.peek() == '.' {
		p.next('.')
		if p.digits() == 0 && digits == 0 {
			return 0, p.bad(p.peek())
		}
	}
	if e := p.peek(); e == 'e' || e == 'E' {
		p.next(e)
		if s := p.peek(); s == '+' || s == '-' {
			p.next(s)
		}
		if p.digits() == 0 {
			return 0, p.bad(p.peek())
		}
	}
	// What is out of range is infinite or zero, as in JavaScript.
	f, _ := strconv.ParseFloat(p.src[begin:p.off], 64)
	return sign * f, nil
}

func (p *parser) digits() (n int) {
	for c := p.peek(); isDigit(c); c = p.peek() {
		p.next(c)
		n++
	}
	return n
}

// hexadecimal reads the digits behind "0x".
func (p *parser) hexadecimal(sign float64) (float64, *Error) {
	begin := p.off
	for c := p.peek(); hexValue(c) >= 0; c = p.peek() {
		p.next(c)
	}
	if p.off == begin {
		return 0, p.bad(p.peek())
	}
	f, _ := strconv.ParseFloat("0x"+p.src[begin:p.off]+"p0", 64)
	return sign * f, nil
}

// identifier reads a key without quotes.
func (p *parser) identifier() (string, *Error) {
	var b strings.Builder
	for {
		c, at := p.peek(), p.at
		escaped := c == '\\'
		if escaped {
			p.next(c)
			if c = p.peek(); c != 'u' {
				return "", p.bad(c)
			}
			p.next(c)
			unit, err := p.hex(4)
			if err != nil {
				return "", err
			}
			c = unit
		}
		if b.Len() == 0 && !isIDStart(c) || !isIDContinue(c) {
			if escaped {
				return "", &Error{at, BadCharacter}
			}
			if b.Len() == 0 {
				return "", p.bad(c)
			}
			return b.String(), nil
		}
		if !escaped {
			p.next(c)
		}
		b.WriteRune(c)
	}
}

// text reads a string in quotes.
func (p *parser) text(quote rune) (string, *Error) {
	p.next(quote)
	var b units
	for {
		c := p.peek()
		switch c {
		case quote:
			p.next(c)
			return b.String(), nil
		case end, '\n', '\r':
			return "", p.bad(c)
		case '\\':
			p.next(c)
			if err := p.escape(&b); err != nil {
				return "", err
			}
		default:
			p.next(c)
			b.add(c)
		}
	}
}

// escape reads what follows a backslash in a string.
func (p *parser) escape(b *units) *Error {
	c := p.peek()
	if c == end || '1' <= c && c <= '9' {
		return p.bad(c)
	}
	p.next(c)
	var err *Error
	switch c {
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'v':
		c = '\v'
	case '0':
		if d := p.peek(); isDigit(d) {
			return p.bad(d)
		}
		c = 0
	case 'x':
		c, err = p.hex(2)
	case 'u':
		c, err = p.hex(4)
	case '\r':
		if p.peek() == '\n' {
			p.next('\n')
		}
		return nil
	case '\n', '\u2028', '\u2029':
		return nil
	}
	if err == nil {
		b.add(c)
	}
	return err
}

// hex reads n hexadecimal digits.
func (p *parser) hex(n int) (rune, *Error) {
	var unit rune
	for range n {
		c := p.peek()
		d := hexValue(c)
		if d < 0 {
			return 0, p.bad(c)
		}
		p.next(c)
		unit = unit<<4 | d
	}
	return unit, nil
}
