package inspect

import (
	"fmt"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Bounds of one file in nginx's language.
const (
	nginxTokens = 200_000
	nginxDepth  = 32
)

// textAt is a word with its place, without its quotes.
type textAt struct {
	text string
	pos  event.Pos
}

// nginxDirective is a directive with its words and, if it has one, its block.
type nginxDirective struct {
	name  string
	args  []textAt
	block []*nginxDirective
	pos   event.Pos
}

// arg returns the text of the nth argument, "" if there is none.
func (d *nginxDirective) arg(n int) string {
	if n >= len(d.args) {
		return ""
	}
	return d.args[n].text
}

// nginxError is a file that is not of the language.
type nginxError struct {
	pos  event.Pos
	what string
}

func (e *nginxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.pos.Line, e.pos.Column, e.what)
}

type nginxParser struct {
	*cursor
	file   string
	tokens int
}

// parseNginx reads directives by the rules of ngx_conf_read_token (nginx 1.22.1,
// src/core/ngx_conf_file.c). What was read before an error is returned with it.
func parseNginx(file string, data []byte) ([]*nginxDirective, error) {
	p := &nginxParser{cursor: newCursor(data), file: file}
	return p.block(0)
}

func (p *nginxParser) pos() event.Pos {
	return event.Pos{File: p.file, Line: p.line, Column: p.column}
}

func (p *nginxParser) fail(at event.Pos, what string) error { return &nginxError{at, what} }

// block reads directives up to the end of the block, or of the file at depth 0.
func (p *nginxParser) block(depth int) ([]*nginxDirective, error) {
	var list []*nginxDirective
	var words []textAt
	for {
		p.space()
		at := p.pos()
		if p.end() {
			if depth > 0 || len(words) > 0 {
				return list, p.fail(at, "the file ends within a directive or block")
			}
			return list, nil
		}
		if p.tokens++; p.tokens > nginxTokens {
			return list, p.fail(at, "too many words")
		}
		switch p.peek(0) {
		case ';':
			p.next()
			if len(words) == 0 {
				return list, p.fail(at, "a semicolon without a directive")
			}
			list = append(list, newNginxDirective(words))
			words = nil
		case '{':
			p.next()
			if len(words) == 0 || depth+1 > nginxDepth {
				return list, p.fail(at, "a block without a name, or blocks too deep")
			}
			d := newNginxDirective(words)
			words = nil
			list = append(list, d)
			if strings.HasSuffix(d.name, "_by_lua_block") {
				if !p.skipLua() {
					return list, p.fail(at, "a block of Lua without an end")
				}
				continue
			}
			var err error
			if d.block, err = p.block(depth + 1); err != nil {
				return list, err
			}
		case '}':
			p.next()
			if depth == 0 || len(words) > 0 {
				return list, p.fail(at, "a closing brace without a block")
			}
			return list, nil
		default:
			text, ok := p.word()
			if !ok {
				return list, p.fail(at, "quotes without an end")
			}
			words = append(words, textAt{text, at})
		}
	}
}

func newNginxDirective(words []textAt) *nginxDirective {
	return &nginxDirective{name: words[0].text, args: words[1:], pos: words[0].pos}
}

// space skips white space and comments.
func (p *nginxParser) space() {
	for !p.end() {
		switch p.peek(0) {
		case ' ', '\t', '\r', '\n':
			p.next()
		case '#':
			p.skipLine()
		default:
			return
		}
	}
}

// word reads one word; false if its quotes do not end.
func (p *nginxParser) word() (string, bool) {
	var quote byte
	if c := p.peek(0); c == '"' || c == '\'' {
		quote = c
		p.next()
	}
	var b strings.Builder
	variable := false
	for !p.end() {
		c := p.peek(0)
		switch {
		case c == '\\' && p.at+1 < len(p.data):
			p.next()
			switch e := p.peek(0); e {
			case '"', '\'', '\\':
				b.WriteByte(e)
				p.next()
			case 't', 'r', 'n':
				b.WriteString(map[byte]string{'t': "\t", 'r': "\r", 'n': "\n"}[e])
				p.next()
			default:
				b.WriteByte('\\')
				b.Write(p.next())
			}
			variable = false
			continue
		case quote != 0 && c == quote:
			p.next()
			return b.String(), true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';' || c == '{' && !variable):
			return b.String(), true
		}
		variable = c == '$'
		b.Write(p.next())
	}
	return b.String(), quote == 0
}

// skipLua goes behind the brace that ends a block of Lua.
func (p *nginxParser) skipLua() bool {
	for depth := 1; !p.end(); {
		switch c := p.peek(0); {
		case p.starts("--"):
			p.skipLine()
			continue
		case c == '"' || c == '\'':
			p.next()
			for !p.end() && p.peek(0) != c && p.peek(0) != '\n' {
				if p.peek(0) == '\\' {
					p.next()
				}
				if !p.end() {
					p.next()
				}
			}
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				p.next()
				return true
			}
		}
		if !p.end() {
			p.next()
		}
	}
	return false
}
