package json5

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// units puts a text together out of characters and of halves of surrogate pairs.
type units struct {
	b    strings.Builder
	high rune // the first half of a pair that waits for the second; 0 if none does
}

func (u *units) add(c rune) {
	if u.high != 0 {
		// U+FFFD if the two are no pair.
		r := utf16.DecodeRune(u.high, c)
		u.high = 0
		u.b.WriteRune(r)
		if r != utf8.RuneError {
			return
		}
	}
	if 0xD800 <= c && c < 0xDC00 {
		u.high = c
		return
	}
	u.b.WriteRune(c) // a second half alone becomes U+FFFD
}

func (u *units) String() string {
	if u.high != 0 {
		u.b.WriteRune(utf8.RuneError)
	}
	return u.b.String()
}

// Decode returns a text as Node decodes UTF-8: the longest beginning of a character
// that breaks off becomes one U+FFFD, where Go makes one of each byte.
func Decode(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	var b strings.Builder
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			n = broken(data)
		}
		b.WriteRune(r)
		data = data[n:]
	}
	return b.String()
}

// broken returns how many bytes at the beginning of data are the beginning of a
// character that does not go on: 1 to 3.
func broken(data []byte) int {
	low, high, n := byte(0x80), byte(0xBF), 1
	switch c := data[0]; {
	case 0xC2 <= c && c <= 0xDF:
		n = 2
	case 0xE0 <= c && c <= 0xEF:
		n = 3
	case 0xF0 <= c && c <= 0xF4:
		n = 4
	}
	switch data[0] {
	case 0xE0:
		low = 0xA0
	case 0xED:
		high = 0x9F
	case 0xF0:
		low = 0x90
	case 0xF4:
		high = 0x8F
	}
	for i := 1; i < n; i++ {
		if i >= len(data) || data[i] < low || data[i] > high {
			return i
		}
		low, high = 0x80, 0xBF
	}
	return 1
}

func isSpace(c rune) bool {
	switch c {
	case '\t', '\v', '\f', '\n', '\r', '\uFEFF', '\u2028', '\u2029':
		return true
	}
	return unicode.Is(unicode.Zs, c)
}

func isLineEnd(c rune) bool { return c == '\n' || c == '\r' || c == '\u2028' || c == '\u2029' }

func isDigit(c rune) bool { return '0' <= c && c <= '9' }

// hexValue is the value of a hexadecimal digit; -1 if it is none.
func hexValue(c rune) rune {
	switch {
	case isDigit(c):
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return -1
}

func isIDStart(c rune) bool {
	return c == '$' || c == '_' || unicode.In(c, unicode.L, unicode.Nl) && !unicode.Is(newer, c) &&
		c != 0x1CF2 && c != 0x1CF3 // these two have become letters
}

func isIDContinue(c rune) bool {
	return c == '$' || c == '\u200C' || c == '\u200D' ||
		unicode.In(c, unicode.L, unicode.Nl, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc) && !unicode.Is(newer, c)
}
