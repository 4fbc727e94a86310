package inspect

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// Bounds of a Caddyfile with what it imports.
const (
	caddyWords   = 100_000
	caddyDepth   = 32
	caddyLevels  = 10
	caddyLines   = 20_000
	caddyBytes   = 8 << 20
	caddyImports = 300
)

// caddyLine is a directive: the words of a line, and the block behind it.
type caddyLine struct {
	words []textAt
	block []*caddyLine
	open  bool // it has a block
}

func (l *caddyLine) name() string { return l.word(0) }

func (l *caddyLine) pos() event.Pos { return l.words[0].pos }

// word returns the text of the nth word, "" if there is none.
func (l *caddyLine) word(n int) string {
	if n >= len(l.words) {
		return ""
	}
	return l.words[n].text
}

type caddyParser struct {
	*cursor
	file  string
	count int
}

func parseCaddy(file string, data []byte) ([]*caddyLine, *event.Pos) {
	p := &caddyParser{cursor: newCursor(data), file: file}
	return p.block(0)
}

func (p *caddyParser) pos() event.Pos {
	return event.Pos{File: p.file, Line: p.line, Column: p.column}
}

// block reads lines up to a closing brace, or the end of the file at depth 0. The
// position is of what cannot be read.
func (p *caddyParser) block(depth int) ([]*caddyLine, *event.Pos) {
	var list []*caddyLine
	line := &caddyLine{}
	flush := func() {
		if len(line.words) > 0 || line.open {
			list = append(list, line)
			line = &caddyLine{}
		}
	}
	for {
		at := p.pos()
		switch c := p.peek(0); {
		case p.end():
			flush()
			if depth > 0 {
				return list, &at
			}
			return list, nil
		case c == '\n':
			p.next()
			if n := len(line.words); n == 0 || !strings.HasSuffix(line.words[n-1].text, ",") { // addresses go on behind a comma
				flush()
			}
		case c == ' ' || c == '\t' || c == '\r':
			p.next()
		case c == '\\' && (p.peek(1) == '\n' || p.peek(1) == '\r' && p.peek(2) == '\n'):
			for p.peek(0) != '\n' {
				p.next()
			}
			p.next()
		case c == '#':
			p.skipLine()
		default:
			text, quoted, ok := p.text()
			if p.count++; !ok || p.count > caddyWords {
				flush()
				return list, &at
			}
			switch {
			case !quoted && text == "{":
				if len(line.words) == 0 {
					line.words = []textAt{{"", at}}
				}
				if depth+1 > caddyDepth {
					return list, &at
				}
				line.open = true
				var bad *event.Pos
				line.block, bad = p.block(depth + 1)
				flush()
				if bad != nil {
					return list, bad
				}
			case !quoted && text == "}":
				flush()
				if depth == 0 {
					return list, &at
				}
				return list, nil
			default:
				line.words = append(line.words, textAt{text, at})
			}
		}
	}
}

// text reads one word; false if its quotes do not end.
func (p *caddyParser) text() (text string, quoted, ok bool) {
	var b strings.Builder
	switch c := p.peek(0); {
	case c == '"' || c == '`':
		for p.next(); !p.end(); {
			switch {
			case p.peek(0) == c:
				p.next()
				return b.String(), true, true
			case c == '"' && p.peek(0) == '\\' && p.peek(1) == '"':
				p.next()
			}
			b.Write(p.next())
		}
		return "", true, false
	case p.starts("<<"):
		return p.heredoc()
	}
	for !p.end() && !strings.ContainsRune(" \t\r\n", rune(p.peek(0))) {
		if p.peek(0) == '\\' && p.peek(1) == '\n' {
			break
		}
		b.Write(p.next())
	}
	return b.String(), false, true
}

// heredoc reads a text between two lines of the same mark.
func (p *caddyParser) heredoc() (string, bool, bool) {
	begin := p.at
	p.skipLine()
	mark := strings.TrimRight(string(p.data[begin:p.at]), "\r")
	if mark = mark[2:]; mark == "" || strings.ContainsAny(mark, " \t{}\"") {
		return "<<" + mark, false, true
	}
	var b strings.Builder
	for !p.end() {
		p.next()
		for p.peek(0) == ' ' || p.peek(0) == '\t' {
			p.next()
		}
		if p.starts(mark) {
			for range mark {
				p.next()
			}
			return b.String(), true, true
		}
		begin = p.at
		p.skipLine()
		b.Write(p.data[begin:p.at])
		b.WriteByte('\n')
	}
	return "", true, false
}

// caddyFile reads a Caddyfile with all that it imports.
type caddyFile struct {
	*source
	snippets map[string][]*caddyLine
	visited  map[string]bool
	lines    int
	bytes    int
	imports  int
	doors    int
	global   caddyGlobal
}

func (c *caddyFile) gapAt(why string, pos event.Pos) {
	c.m.Gaps = append(c.m.Gaps, deploy.Gap{Kind: deploy.KindCaddy, Why: why, Pos: pos})
}

var (
	caddyEnv  = regexp.MustCompile(`\{\$([^:{}]+)(?::([^{}]*))?\}`)
	caddyArgs = regexp.MustCompile(`\{args(?:\.(\d+)|\[(\d*):?(\d*)\])\}`)
)

// value returns a word with the variables of the environment put in.
func (c *caddyFile) value(w textAt) deploy.Value {
	v := deploy.Value{State: deploy.Set, Text: w.text, Pos: w.pos}
	for _, m := range caddyEnv.FindAllStringSubmatch(w.text, 8) {
		e, ok := c.env[m[1]]
		switch {
		case ok && e.IsSet():
			v.Text = strings.ReplaceAll(v.Text, m[0], e.Text)
			v.Via = append(v.Via, e.Pos)
		case m[2] != "":
			v.Text = strings.ReplaceAll(v.Text, m[0], m[2])
			if v.State == deploy.Set {
				v.State = deploy.Assumed
			}
		default:
			v.State = deploy.Unknown
		}
	}
	return v
}

// expand puts what is imported in place of each import.
func (c *caddyFile) expand(list []*caddyLine, level int) []*caddyLine {
	var out []*caddyLine
	for _, l := range list {
		if c.lines++; c.lines > caddyLines {
			if c.lines == caddyLines+1 {
				c.gapAt("gap.too-many", l.pos())
			}
			return out
		}
		if l.name() != "import" || len(l.words) < 2 {
			if l.open {
				l = &caddyLine{words: l.words, block: c.expand(l.block, level), open: true}
			}
			out = append(out, l)
			continue
		}
		if level >= caddyLevels {
			c.gapAt("gap.referenced", l.pos())
			continue
		}
		if body, ok := c.snippets[l.word(1)]; ok {
			out = append(out, c.expand(putArgs(body, l.words[2:], 0), level+1)...)
			continue
		}
		out = append(out, c.importFiles(l, level)...)
	}
	return out
}

func (c *caddyFile) importFiles(l *caddyLine, level int) []*caddyLine {
	var out []*caddyLine
	pattern := c.value(l.words[1]).Text
	var files []string
	if c.imports++; c.tree != nil && c.imports <= caddyImports {
		way := path.Join(path.Dir(l.pos().File), pattern)
		if strings.HasPrefix(pattern, "/") {
			way = path.Clean(pattern[1:])
			if rest, ok := strings.CutPrefix(pattern, "/etc/caddy/"); ok {
				if _, found := c.tree.Stat(way); !found && !strings.Contains(way, "*") {
					way = path.Join(path.Dir(l.pos().File), rest)
				}
			}
		}
		files = globFiles(c.tree, way)
	}
	if len(files) == 0 {
		c.gapAt("gap.referenced", l.pos())
	}
	for _, f := range files {
		data, err := c.tree.Read(f, MaxFile)
		if c.bytes += len(data); err != nil || c.bytes > caddyBytes {
			c.gapAt("gap.referenced", l.pos())
			break
		}
		c.visited[f] = true
		part, bad := parseCaddy(f, data)
		if bad != nil {
			c.gapAt("gap.syntax", *bad)
		}
		part = c.takeSnippets(part)
		out = append(out, c.expand(putArgs(part, l.words[2:], 0), level+1)...)
	}
	return out
}

// putArgs returns lines with the arguments of an import put in.
func putArgs(list []*caddyLine, args []textAt, depth int) []*caddyLine {
	if len(args) == 0 || depth > caddyDepth {
		return list
	}
	var out []*caddyLine
	for _, l := range list {
		n := &caddyLine{block: putArgs(l.block, args, depth+1), open: l.open}
		for _, w := range l.words {
			if m := caddyArgs.FindStringSubmatch(w.text); m != nil && m[0] == w.text && m[1] == "" && strings.Contains(w.text, ":") {
				from, _ := strconv.Atoi(m[2])
				to := len(args)
				if m[3] != "" {
					to, _ = strconv.Atoi(m[3])
				}
				n.words = append(n.words, args[min(from, len(args)):max(min(from, len(args)), min(to, len(args)))]...)
				continue
			}
			w.text = caddyArgs.ReplaceAllStringFunc(w.text, func(ref string) string {
				m := caddyArgs.FindStringSubmatch(ref)
				if i, err := strconv.Atoi(m[1] + m[2]); err == nil && i < len(args) {
					return args[i].text
				}
				return ref
			})
			n.words = append(n.words, w)
		}
		if len(n.words) > 0 {
			out = append(out, n)
		}
	}
	return out
}

// takeSnippets takes the snippets off the lines of a file.
func (c *caddyFile) takeSnippets(list []*caddyLine) []*caddyLine {
	var out []*caddyLine
	for _, l := range list {
		name := l.name()
		if l.open && len(l.words) == 1 && len(name) > 2 && name[0] == '(' && name[len(name)-1] == ')' {
			c.snippets[name[1:len(name)-1]] = l.block
			continue
		}
		out = append(out, l)
	}
	return out
}
