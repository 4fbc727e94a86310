package inspect

import (
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// maxVariables is the most that is read of a file of variables.
const maxVariables = 10_000

// dotenv reads a file of variables as Compose does: NAME=VALUE or NAME: VALUE, `export` before
// it, quotes, comments, and variables in what is not in single quotes. A name without a value is
// taken from env. Values have the place of their line.
func dotenv(name string, data []byte, env lookup) map[string]deploy.Value {
	vars := map[string]deploy.Value{}
	lines := strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")
	for i := 0; i < len(lines) && len(vars) < maxVariables; i++ {
		line := strings.TrimLeft(strings.TrimSuffix(lines[i], "\r"), " \t")
		column := len(strings.TrimSuffix(lines[i], "\r")) - len(line) + 1
		if rest, ok := strings.CutPrefix(line, "export "); ok {
			column += len(line) - len(strings.TrimLeft(rest, " \t"))
			line = strings.TrimLeft(rest, " \t")
		}
		n := 0
		for n < len(line) && (isName(line[n], n == 0) || n > 0 && (line[n] == '.' || line[n] == '-')) {
			n++
		}
		if n == 0 {
			continue
		}
		key, rest := line[:n], strings.TrimLeft(line[n:], " \t")
		v := deploy.Value{State: deploy.Set, Pos: event.Pos{File: name, Line: i + 1, Column: column}}
		in := func(other string) deploy.Value {
			if own, ok := vars[other]; ok {
				return own
			}
			if env == nil {
				return deploy.Value{}
			}
			return env(other)
		}
		switch {
		case rest == "" || rest[0] == '#':
			if env != nil {
				if outer := env(key); outer.State != deploy.Unset {
					outer.Pos = v.Pos
					vars[key] = outer
				}
			}
			continue
		case rest[0] != '=' && rest[0] != ':':
			continue
		}
		text := strings.TrimLeft(rest[1:], " \t")
		if text != "" && (text[0] == '"' || text[0] == '\'') {
			quote := text[0]
			body, more := text[1:], 0
			end := closing(body, quote)
			for end < 0 && i+more+1 < len(lines) && len(body) < maxExpansion { // a value of several lines
				more++
				body += "\n" + strings.TrimSuffix(lines[i+more], "\r")
				end = closing(body, quote)
			}
			if end >= 0 {
				i += more
				v.Text = body[:end]
				if quote == '"' {
					v = withText(v, interpolate(unescape(v.Text), v.Pos, in))
				}
				vars[key] = v
				continue
			}
		}
		for j := range len(text) { // an unquoted value ends at a comment
			if text[j] == '#' && (j == 0 || text[j-1] == ' ' || text[j-1] == '\t') {
				text = text[:j]
				break
			}
		}
		vars[key] = withText(v, interpolate(strings.TrimSpace(text), v.Pos, in))
	}
	return vars
}

func withText(v, text deploy.Value) deploy.Value {
	text.Pos = v.Pos
	return text
}

// closing is where a quote ends a text; -1 if it does not.
func closing(text string, quote byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == '"':
			i++
		case text[i] == quote:
			return i
		}
	}
	return -1
}

func unescape(text string) string {
	return strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\r`, "\r", `\"`, `"`, `\\`, `\`, `\$`, `$$`).Replace(text)
}

// interpolate replaces variables as Compose does: $X, ${X}, with - :- ? :? + :+, and $$ for a
// dollar. What env does not have is empty, as Compose puts it, and the text Assumed then.
func interpolate(text string, pos event.Pos, env lookup) deploy.Value {
	return interpolateNested(text, pos, env, 0)
}

func interpolateNested(text string, pos event.Pos, env lookup, nested int) deploy.Value {
	out := deploy.Value{State: deploy.Set, Pos: pos}
	if !strings.Contains(text, "$") {
		out.Text = text
		return out
	}
	var b strings.Builder
	add := func(v deploy.Value) {
		if b.Len()+len(v.Text) > maxExpansion {
			v = deploy.Value{State: deploy.Unknown}
		}
		b.WriteString(v.Text)
		out.State = worse(out.State, v.State)
		if len(out.Via)+len(v.Via) <= maxVia {
			out.Via = append(out.Via, v.Via...)
		}
	}
	for i := 0; i < len(text); {
		next := strings.IndexByte(text[i:], '$')
		if next < 0 {
			b.WriteString(text[i:])
			break
		}
		b.WriteString(text[i : i+next])
		i += next
		if strings.HasPrefix(text[i:], "$$") {
			b.WriteByte('$')
			i += 2
			continue
		}
		end := expansionEnd(text, i)
		written := text[i:end]
		i = end
		name, op, arg, ok := parameter(written)
		if !ok {
			add(deploy.Value{State: deploy.Unknown, Text: written})
			continue
		}
		v := env(name)
		if v.State != deploy.Unset && !v.Pos.IsZero() {
			v.Via = append([]event.Pos{v.Pos}, v.Via...)
		}
		given := v.State != deploy.Unset && (!strings.HasPrefix(op, ":") || v.Text != "" || v.State == deploy.Present || v.State == deploy.Unknown)
		inner := func() deploy.Value {
			if nested >= maxNested {
				return deploy.Value{State: deploy.Unknown, Text: arg}
			}
			d := interpolateNested(arg, pos, env, nested+1)
			d.State = worse(d.State, deploy.Assumed)
			return d
		}
		switch strings.TrimPrefix(op, ":") {
		case "-", "=":
			if !given {
				v = inner()
			}
		case "+":
			if given {
				v = inner()
			} else {
				v = deploy.Value{State: deploy.Assumed}
			}
		case "?":
			if !given { // Compose does not go on without it, so it is set somewhere
				v = deploy.Value{State: deploy.Present}
			}
		}
		if v.State == deploy.Unset {
			v.State = deploy.Assumed
		}
		add(v)
		if written == text { // nothing else is in it, so Present stays what it is
			out.State = v.State
		}
	}
	out.Text = b.String()
	return out
}

// Variables reads a file of variables, NAME=VALUE a line as Compose reads it. Values have the
// place of their line.
func Variables(name string, data []byte) map[string]deploy.Value { return dotenv(name, data, nil) }
