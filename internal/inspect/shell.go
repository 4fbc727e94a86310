package inspect

import (
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// lookup gives a variable of the environment that a shell has. Unset means that it has
// none of the name; Unknown, that something outside the files may set it.
type lookup func(name string) deploy.Value

// Caps of the shell reader. A start script of an image has some 200 commands.
const (
	maxWords     = 10_000
	maxExpansion = 64 << 10 // bytes of a word
	maxExpanded  = 1 << 20  // bytes that all expansions of a script may add
	maxVia       = 16
	maxNested    = 6 // of ${A:-${B:-…}} and of sh -c '… sh -c …'
)

// shellWords splits a command line as a shell does, without expanding anything: quotes and
// backslashes are removed, operators are words. at is where text begins, and the column at which
// its further lines begin as well; words have columns only if at has one.
func shellWords(text string, at event.Pos) []deploy.Value {
	s := shell{text: text, place: newPlaces(text, at), verbatim: true}
	s.run()
	var words []deploy.Value
	for _, c := range s.commands {
		words = append(words, c...)
	}
	return words
}

// shellCommands splits a script into simple commands, with the words expanded as far as env (which
// may be nil) knows their variables. Redirections and comments are dropped, keywords are words.
// A word is Unknown if something in it is not known (its text is then what stands there), and
// Assumed where a default stands in for a variable that may be set from outside.
func shellCommands(text string, at event.Pos, env lookup) [][]deploy.Value {
	s := shell{text: text, place: newPlaces(text, at), env: env}
	s.run()
	return s.commands
}

// expandedWords splits a line into words and expands their variables. Nothing is an operator: so it is
// in the instructions of a Dockerfile.
func expandedWords(text string, at event.Pos, env lookup) []deploy.Value {
	s := shell{text: text, place: newPlaces(text, at), env: env, plain: true}
	s.run()
	var words []deploy.Value
	for _, c := range s.commands {
		words = append(words, c...)
	}
	return words
}

// places finds the position of bytes in a text, in ascending order.
type places struct {
	text   string
	at     event.Pos
	off    int
	line   int // beyond at
	column int // beyond at, in UTF-16 units
}

func newPlaces(text string, at event.Pos) *places { return &places{text: text, at: at} }

func (p *places) of(off int) event.Pos {
	for p.off < off && p.off < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.off:])
		p.off += n
		switch {
		case r == '\n':
			p.line, p.column = p.line+1, 0
		case r > 0xffff:
			p.column += 2
		default:
			p.column++
		}
	}
	pos := p.at
	pos.Line += p.line
	if pos.Column > 0 {
		pos.Column += p.column
	}
	return pos
}

type shell struct {
	text     string
	place    *places
	env      lookup
	verbatim bool // words as they stand, nothing expanded, operators as words
	plain    bool // nothing is an operator, and expansions are not split
	i        int
	nested   int

	vars     map[string]deploy.Value // that the script has set
	commands [][]deploy.Value
	words    []deploy.Value
	count    int
	expanded *int

	// The word that is being read.
	word  strings.Builder
	open  bool // there is one, even if it is empty
	start int
	state deploy.State
	via   []event.Pos
	drop  bool // the word is the target of a redirection
}

func (s *shell) run() {
	s.expanded = new(int)
	for s.i < len(s.text) && s.count < maxWords {
		s.next()
	}
	s.endCommand()
}

func (s *shell) begin() {
	if !s.open {
		s.open, s.start, s.state, s.via = true, s.i, deploy.Set, nil
		s.word.Reset()
	}
}

func (s *shell) add(text string) {
	s.begin()
	if s.word.Len()+len(text) <= maxExpansion {
		s.word.WriteString(text)
	}
}

func (s *shell) endWord() {
	if !s.open {
		return
	}
	s.open = false
	if s.drop {
		s.drop = false
		return
	}
	s.words = append(s.words, deploy.Value{State: s.state, Text: s.word.String(), Pos: s.place.of(s.start), Via: s.via})
	s.count++
}

func (s *shell) endCommand() {
	s.endWord()
	s.drop = false
	if len(s.words) > 0 {
		s.commands = append(s.commands, s.words)
		s.assign(s.words)
		s.words = nil
	}
}

// assign keeps the variables that a command sets for those behind it.
func (s *shell) assign(words []deploy.Value) {
	if words[0].Text == "export" {
		words = words[1:]
	}
	set := map[string]deploy.Value{}
	for _, w := range words {
		name, v, ok := assignment(w)
		if !ok {
			return // for this command alone
		}
		set[name] = v
	}
	if s.vars == nil {
		s.vars = map[string]deploy.Value{}
	}
	maps.Copy(s.vars, set)
}

func (s *shell) operator(n int) {
	if s.verbatim {
		s.endWord()
		s.add(s.text[s.i : s.i+n])
		s.i += n
		s.endWord()
		return
	}
	s.endCommand()
	s.i += n
}

func (s *shell) next() {
	c := s.text[s.i]
	rest := s.text[s.i:]
	switch {
	case c == '\\' && strings.HasPrefix(rest, "\\\r\n"):
		s.i += 3
	case c == '\\' && strings.HasPrefix(rest, "\\\n"):
		s.i += 2
	case c == '\\':
		s.begin()
		s.i++
		if s.i < len(s.text) {
			_, n := utf8.DecodeRuneInString(s.text[s.i:])
			s.add(s.text[s.i : s.i+n])
			s.i += n
		}
	case c == ' ' || c == '\t' || c == '\r':
		s.endWord()
		s.i++
	case c == '\n':
		if s.verbatim || s.plain {
			s.endWord()
		} else {
			s.endCommand()
		}
		s.i++
	case c == '#' && !s.open && !s.verbatim && !s.plain:
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			s.i += end
		} else {
			s.i = len(s.text)
		}
	case c == '\'':
		s.begin()
		s.i++
		end := strings.IndexByte(s.text[s.i:], '\'')
		if end < 0 {
			end = len(s.text) - s.i
		}
		s.add(s.text[s.i : s.i+end])
		s.i = min(s.i+end+1, len(s.text))
	case c == '"':
		s.quoted()
	case !s.verbatim && (c == '$' || c == '`'):
		s.expand(false)
	case s.plain:
		s.literal()
	case strings.HasPrefix(rest, "&&"), strings.HasPrefix(rest, "||"), strings.HasPrefix(rest, ";;"):
		s.operator(2)
	case !s.verbatim && strings.HasPrefix(rest, "&>"):
		s.redirect()
	case c == ';' || c == '&' || c == '|' || c == '(' || c == ')':
		s.operator(1)
	case !s.verbatim && (c == '>' || c == '<'):
		s.redirect()
	default:
		s.literal()
	}
}

// literal takes a character as it is.
func (s *shell) literal() {
	_, n := utf8.DecodeRuneInString(s.text[s.i:])
	s.begin()
	s.add(s.text[s.i : s.i+n])
	s.i += n
}

// redirect drops a redirection: the digits before it, the operator and the word behind it.
func (s *shell) redirect() {
	if s.open && strings.Trim(s.word.String(), "0123456789") == "" {
		s.open = false
	}
	s.endWord()
	for s.i < len(s.text) && strings.IndexByte("<>&|-", s.text[s.i]) >= 0 {
		s.i++
	}
	s.drop = true
}

func (s *shell) quoted() {
	s.begin()
	s.i++
	for s.i < len(s.text) {
		switch c := s.text[s.i]; {
		case c == '"':
			s.i++
			return
		case c == '\\' && s.i+1 < len(s.text):
			switch d := s.text[s.i+1]; d {
			case '"', '\\', '$', '`':
				s.add(string(d))
			case '\n':
			default:
				s.add("\\")
				s.i++
				continue
			}
			s.i += 2
		case !s.verbatim && (c == '$' || c == '`'):
			s.expand(true)
		default:
			_, n := utf8.DecodeRuneInString(s.text[s.i:])
			s.add(s.text[s.i : s.i+n])
			s.i += n
		}
	}
}

// expand takes an expansion at $ or `.
func (s *shell) expand(quoted bool) {
	from := s.i
	end := expansionEnd(s.text, s.i)
	if end == s.i+1 && s.text[s.i] == '$' { // a dollar that begins nothing
		s.add("$")
		s.i++
		return
	}
	v := s.value(s.text[s.i:end])
	if *s.expanded += len(v.Text); *s.expanded > maxExpanded {
		v = deploy.Value{State: deploy.Unknown}
	}
	quoted = quoted || s.plain
	if quoted || v.State == deploy.Unknown {
		s.begin()
	} else if !s.open && v.Text == "" {
		s.i = end
		return // no word comes of it
	} else {
		s.begin()
	}
	s.state = worse(s.state, v.State)
	if len(s.via)+len(v.Via) <= maxVia {
		s.via = append(s.via, v.Via...)
	}
	s.i = end
	if quoted || v.State == deploy.Unknown {
		s.add(v.Text)
		return
	}
	// Without quotes the shell splits what comes of an expansion.
	for i, field := range strings.Fields(v.Text) {
		if i > 0 && s.count < maxWords {
			s.endWord()
			s.open, s.start, s.state, s.via = true, from, v.State, v.Via
			s.word.Reset()
		}
		s.add(field)
	}
}

// worse is the state of a text put together from two.
func worse(a, b deploy.State) deploy.State {
	if a == deploy.Unknown || b == deploy.Unknown || a == deploy.Present || b == deploy.Present {
		return deploy.Unknown
	}
	if a == deploy.Assumed || b == deploy.Assumed {
		return deploy.Assumed
	}
	return deploy.Set
}

// expansionEnd returns where the expansion that begins at i ends.
func expansionEnd(text string, i int) int {
	if text[i] == '`' {
		if end := strings.IndexByte(text[i+1:], '`'); end >= 0 {
			return i + 1 + end + 1
		}
		return len(text)
	}
	if i+1 >= len(text) {
		return i + 1
	}
	switch c := text[i+1]; {
	case c == '{' || c == '(':
		closing := byte('}')
		if c == '(' {
			closing = ')'
		}
		depth := 0
		for j := i + 1; j < len(text); j++ {
			switch text[j] {
			case '\\':
				j++
			case c:
				depth++
			case closing:
				if depth--; depth == 0 {
					return j + 1
				}
			}
		}
		return len(text)
	case isName(c, true):
		j := i + 2
		for j < len(text) && isName(text[j], false) {
			j++
		}
		return j
	case c >= '0' && c <= '9' || strings.IndexByte("@*#?-$!", c) >= 0:
		return i + 2
	}
	return i + 1
}

func isName(c byte, first bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || !first && c >= '0' && c <= '9'
}

// value is what an expansion gives: $X, ${X}, ${X:-d} and their like.
func (s *shell) value(written string) deploy.Value {
	unknown := deploy.Value{State: deploy.Unknown, Text: written}
	name, op, arg, ok := parameter(written)
	if !ok {
		return unknown
	}
	v := deploy.Value{State: deploy.Unknown}
	if own, ok := s.vars[name]; ok {
		v = own
	} else if s.env != nil {
		v = s.env(name)
	}
	known := v.State == deploy.Set || v.State == deploy.Assumed || v.State == deploy.Unset
	given := v.State != deploy.Unset && (!strings.HasPrefix(op, ":") || v.Text != "")
	switch strings.TrimPrefix(op, ":") {
	case "":
		if !known {
			return unknown
		}
		if v.State == deploy.Unset {
			v.State = deploy.Set
		}
		return v
	case "-", "=":
		switch {
		case v.State == deploy.Present:
			return unknown
		case known && given:
			return v
		case s.nested >= maxNested:
			return unknown
		}
		d := s.inner(arg)
		if !known {
			d.State = worse(d.State, deploy.Assumed)
		}
		return d
	case "?":
		if known && given {
			return v
		}
	case "+":
		if known && !given {
			return deploy.Value{State: deploy.Set}
		}
		if known && s.nested < maxNested {
			return s.inner(arg)
		}
	}
	return unknown
}

// inner expands the word within an expansion.
func (s *shell) inner(text string) deploy.Value {
	in := shell{text: text, place: newPlaces(text, event.Pos{}), env: s.env, vars: s.vars, expanded: s.expanded, nested: s.nested + 1}
	in.begin()
	for in.i < len(in.text) {
		switch c := in.text[in.i]; c {
		case '"':
			in.quoted()
		case '\'', '\\', '$', '`':
			in.next()
		default:
			_, n := utf8.DecodeRuneInString(in.text[in.i:])
			in.add(in.text[in.i : in.i+n])
			in.i += n
		}
	}
	// Fields that an expansion was split to belong to one word here.
	var b strings.Builder
	state := in.state
	for _, w := range in.words {
		b.WriteString(w.Text + " ")
		state = worse(state, w.State)
	}
	return deploy.Value{State: state, Text: b.String() + in.word.String(), Via: in.via}
}

// parameter takes $X or ${X op arg} apart.
func parameter(written string) (name, op, arg string, ok bool) {
	body := strings.TrimPrefix(written, "$")
	if strings.HasPrefix(body, "{") {
		if !strings.HasSuffix(body, "}") {
			return "", "", "", false
		}
		body = body[1 : len(body)-1]
	}
	n := 0
	for n < len(body) && isName(body[n], n == 0) {
		n++
	}
	name, rest := body[:n], body[n:]
	if name == "" {
		return "", "", "", false
	}
	if rest == "" {
		return name, "", "", true
	}
	k := 1
	if rest[0] == ':' {
		k = 2
	}
	if len(rest) < k || strings.IndexByte("-=?+", rest[k-1]) < 0 {
		return "", "", "", false
	}
	return name, rest[:k], rest[k:], true
}
