// Package clean makes hostile text safe to print: what targets answer, and what a
// foreign file holds.
package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// Limit is the number of runes that Text lets through. Titles and
	// addresses are far shorter; a longer string is noise or an attack.
	Limit = 500
	// maxMarks is how many combining marks may follow each other. Living
	// scripts need three; more of them paint over the neighbouring lines.
	maxMarks = 4
	CutMark  = "..."
)

// Text makes hostile text safe to print: one line, at most 500 runes. See
// N.
func Text(s string) string { return N(s, Limit) }

// N makes hostile text safe for a terminal, a log or a line of text. It
// removes escape sequences, control and format characters (among them the
// bidirectional and zero-width ones), private-use, tag and unassigned code
// points; replaces invalid UTF-8 with U+FFFD; turns every run of white space
// and line breaks into one space; and breaks up "##", which starts a command
// anywhere in a line of some build logs. The result holds at most limit runes
// and ends in "..." if there was more; a rune is never split. Cleaning twice
// with the same limit changes nothing.
//
// A line that starts with "::" is a command to GitHub Actions. Only who writes
// the line knows where it starts, so that is left to the caller.
func N[S ~string](text S, limit int) S {
	if limit <= 0 {
		return ""
	}
	var (
		b     strings.Builder
		n     int  // runes written
		cut   int  // length of b when n was limit-len(CutMark)
		marks int  // combining marks since the last base
		space bool // white space is owed
		last  rune
	)
	put := func(r rune) bool {
		if n == limit {
			return false
		}
		if n == max(limit-len(CutMark), 0) {
			cut = b.Len()
		}
		b.WriteRune(r)
		n++
		last = r
		return true
	}
	for s := string(text); len(s) > 0; {
		if k := escape(s); k > 0 {
			s = s[k:]
			continue
		}
		r, size := utf8.DecodeRuneInString(s) // U+FFFD if invalid
		s = s[size:]
		switch {
		case isSpace(r):
			space = n > 0
			continue
		case Hidden(r):
			continue
		case unicode.Is(unicode.M, r):
			// A mark without a base would join what is printed before.
			if marks++; marks > maxMarks || n == 0 || space {
				continue
			}
		default:
			marks = 0
		}
		ok := true
		if space || r == '#' && last == '#' {
			ok = put(' ')
			space = false
		}
		if !ok || !put(r) {
			return S(strings.TrimRight(b.String()[:cut], " ") + CutMark[:min(limit, len(CutMark))])
		}
	}
	return S(b.String())
}

// isSpace reports whether r separates words or lines.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Z)
}

// Hidden reports whether r shows nothing of its own or changes how other text
// shows. White space other than " " is hidden too.
func Hidden(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	// IsPrint leaves out the control, format, private-use, surrogate,
	// separator and unassigned code points.
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// escape returns the length of the terminal control sequence (ECMA-48) that s
// starts with, 0 if it starts with none. Of a sequence that is not complete
// only the introducer counts, so that no text is swallowed.
func escape(s string) int {
	var kind byte
	var n int
	switch {
	case len(s) >= 2 && s[0] == 0x1b:
		kind, n = s[1], 2
	case len(s) >= 2 && s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f:
		kind, n = s[1]-0x40, 2 // a C1 control is ESC and this byte
	default:
		return 0
	}
	switch kind {
	case '[': // CSI: parameters, intermediates, one final byte
		i := span(s, n, 0x30, 0x3f)
		i = span(s, i, 0x20, 0x2f)
		if i < len(s) && s[i] >= 0x40 && s[i] <= 0x7e {
			return i + 1
		}
		return n
	case ']', 'P', 'X', '^', '_': // OSC, DCS, SOS, PM, APC: text up to BEL or ST
		for i := n; i < len(s); i++ {
			switch c := s[i]; {
			case c == 0x07:
				return i + 1
			case strings.HasPrefix(s[i:], "\x1b\\"), strings.HasPrefix(s[i:], "\u009c"):
				return i + 2
			case c < ' ', c == 0x7f, c == 0xc2 && i+1 < len(s) && s[i+1] <= 0x9f:
				return n // cut off by another control
			}
		}
		return n
	}
	if s[0] != 0x1b {
		if s[1] == 0x85 { // NEL is a line break
			return 0
		}
		return n
	}
	// ESC, intermediates, one final byte.
	i := span(s, 1, 0x20, 0x2f)
	if i < len(s) && s[i] >= 0x30 && s[i] <= 0x7e {
		return i + 1
	}
	return 1
}

// span returns the first index from i on whose byte is not in lo..hi.
func span(s string, i int, lo, hi byte) int {
	for i < len(s) && s[i] >= lo && s[i] <= hi {
		i++
	}
	return i
}
