package openclaw

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
)

// MaxDotEnv is the most that the gateway reads of a .env, in bytes.
const MaxDotEnv = 1 << 20

// Environment puts a gateway's variables together: those that it is started with, then
// those of files in their order: .env of the state directory, and, if that is the
// default one, ~/.config/openclaw/gateway.env. The first that has a variable counts, even
// if it is empty there. (A .env of the working directory is not among them: from a late
// release on it may not set what matters here.) What the files set is Assumed where the
// start may set something else.
func Environment(start Env, files ...map[string]deploy.Value) Env {
	return func(name string) deploy.Value {
		v := deploy.Value{State: deploy.Unknown}
		if start != nil {
			v = start(name)
		}
		if v.State != deploy.Unset && v.State != deploy.Unknown {
			return v
		}
		for _, f := range files {
			if found, ok := f[name]; ok {
				return under(v, found)
			}
		}
		return v
	}
}

// Environment adds the variables that the configuration itself sets: they count where
// the environment has none, or an empty one.
func (d *Document) Environment(env Env) Env {
	return func(name string) deploy.Value {
		v := deploy.Value{State: deploy.Unknown}
		if env != nil {
			v = env(name)
		}
		if d == nil || v.State == deploy.Present || strings.TrimSpace(v.Text) != "" {
			return v
		}
		if found, ok := d.Vars[name]; ok {
			return under(v, found)
		}
		return v
	}
}

// under returns what counts of a value if another stands in its way that is empty or not
// known.
func under(over, found deploy.Value) deploy.Value {
	if found.State == deploy.Set && (over.State == deploy.Unknown || over.State == deploy.Assumed) {
		found.State = deploy.Assumed
	}
	return found
}

// DotEnv reads a .env as the gateway does, by npm's dotenv: NAME=value or NAME: value,
// with or without "export"; quotes of three kinds, over several lines if need be; of the
// same names the last counts; no variables in values. Positions are those of the names.
// A file larger than MaxDotEnv is none for the gateway.
func DotEnv(file string, data []byte) map[string]deploy.Value {
	if len(data) > MaxDotEnv {
		return nil
	}
	text := strings.ReplaceAll(json5.Decode(data), "\r\n", "\n")
	// A carriage return alone ends a line for dotenv, but not for those who count lines.
	lone := strings.ReplaceAll(text, "\r", "\n")
	vars := map[string]deploy.Value{}
	at, line, begin := 0, 1, 0
	for _, m := range setting().FindAllStringSubmatchIndex(lone, -1) {
		for ; at < m[2]; at++ {
			if text[at] == '\n' {
				line, begin = line+1, at+1
			}
		}
		value := ""
		if m[4] >= 0 {
			value = unquote(strings.TrimFunc(lone[m[4]:m[5]], jsSpace))
		}
		vars[lone[m[2]:m[3]]] = deploy.Value{State: deploy.Set, Text: value, Pos: event.Pos{File: file, Line: line, Column: 1 + units(text[begin:m[2]])}}
	}
	return vars
}

// Space and line as JavaScript takes them.
const (
	space    = `[\s\v\x{FEFF}\x{2028}\x{2029}\p{Zs}]`
	lineEnds = `\n\x{2028}\x{2029}`
)

// setting is one setting of a .env: its name, and its value with quotes. A quote that
// does not end, or that more follows than a comment, is a value without quotes. Who reads
// no .env does not wait for it.
var setting = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[` + lineEnds + `])` + space + `*(?:export` + space + `+)?([\w.-]+)(?:` + space + `*=|:` + space + `+?)` +
		`(` + strings.Join([]string{quoted(`'`), quoted(`"`), quoted("`"), `[^#\n]+`}, "|") + `)?` +
		space + `*(?:#[^` + lineEnds + `]*)?(?m:$)`)
})

func quoted(q string) string { return space + `*` + q + `(?:\\` + q + `|[^` + q + `])*` + q }

func jsSpace(r rune) bool {
	return r == '\uFEFF' || r == '\u2028' || r == '\u2029' || strings.ContainsRune("\t\n\v\f\r ", r) || slices.Contains([]rune{0xA0, 0x1680, 0x202F, 0x205F, 0x3000}, r) || 0x2000 <= r && r <= 0x200A
}

// unquote takes the quotes off a value; in double ones, \n and \r are line ends.
func unquote(v string) string {
	if v == "" {
		return v
	}
	first := v[0]
	if n := len(v); n > 1 && strings.IndexByte("'\"`", first) >= 0 && v[n-1] == first {
		v = v[1 : n-1]
	}
	if first == '"' {
		v = strings.ReplaceAll(strings.ReplaceAll(v, `\n`, "\n"), `\r`, "\r")
	}
	return v
}

// units counts UTF-16 units.
func units(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if r > 0xFFFF {
			n++
		}
	}
	return n
}
