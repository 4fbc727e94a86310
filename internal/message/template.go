package message

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A template is a text with holes. What stands in braces is the name of an argument
// and, after a bar, how it is put:
//
//	{name}                                        a text, or a list: a, b, c
//	{name|or}, {name|and}                         a list: a, b or c
//	{name|with|other}                             two lists as one: a (x), b (y)
//	{name|plural|one:text|other:text}             by a number, for which # stands
//	{name|if|text}                                text, with # for the argument, if there is one
type template []segment

// segment is a text, or a hole if name is set.
type segment struct {
	text       string
	name, form string
	with       string            // another argument
	cases      map[string]string // by plural form; of if, by ""
}

// parse reads a template. Only the plural forms of the language may be there.
func parse(s string, l *Language) (template, error) {
	var out template
	for s != "" {
		text, rest, ok := strings.Cut(s, "{")
		if text != "" {
			out = append(out, segment{text: text})
		}
		if !ok {
			break
		}
		hole, rest, ok := strings.Cut(rest, "}")
		if !ok {
			return nil, fmt.Errorf("a brace is not closed: %q", s)
		}
		h, err := parseHole(hole, l)
		if err != nil {
			return nil, err
		}
		out, s = append(out, h), rest
	}
	return out, nil
}

func parseHole(hole string, l *Language) (segment, error) {
	parts := strings.Split(hole, "|")
	h := segment{name: parts[0]}
	if KindOf(h.name) == "" {
		return h, fmt.Errorf("{%s}: no argument is called %q", hole, h.name)
	}
	if len(parts) > 1 {
		h.form = parts[1]
	}
	switch {
	case len(parts) < 3 && (h.form == "" || h.form == "or" || h.form == "and"):
	case len(parts) == 3 && h.form == "with" && KindOf(parts[2]) != "":
		h.with = parts[2]
	case len(parts) == 3 && h.form == "if":
		h.cases = map[string]string{"": parts[2]}
	case len(parts) > 2 && h.form == "plural":
		h.cases = map[string]string{}
		for _, c := range parts[2:] {
			form, text, ok := strings.Cut(c, ":")
			if !ok || !slices.Contains(l.forms, form) {
				return h, fmt.Errorf("{%s}: %q is no plural form: use %s", hole, form, strings.Join(l.forms, ", "))
			}
			h.cases[form] = text
		}
		for _, form := range l.forms {
			if _, ok := h.cases[form]; !ok {
				return h, fmt.Errorf("{%s}: the plural form %s is missing", hole, form)
			}
		}
	default:
		return h, fmt.Errorf("{%s}: an argument is put as it is, or with or, and, with, if or plural", hole)
	}
	return h, nil
}

// names returns the arguments that a template uses, each once, in order.
func (t template) names() []string {
	var out []string
	for _, h := range t {
		out = append(out, h.name, h.with)
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return s == "" })
}

func (t template) render(args map[string][]string, l *Language) string {
	var b strings.Builder
	for _, h := range t {
		b.WriteString(h.text)
		if h.name != "" {
			b.WriteString(h.fill(args, l))
		}
	}
	return b.String()
}

func (h *segment) fill(args map[string][]string, l *Language) string {
	values := h.values(h.name, args, l)
	switch h.form {
	case "or":
		return l.list(values, l.or)
	case "and":
		return l.list(values, l.and)
	case "with":
		with := h.values(h.with, args, l)
		for i, v := range values {
			if i < len(with) {
				values[i] = fmt.Sprintf(l.with, v, with[i])
			}
		}
	case "plural":
		text := l.list(values, l.comma)
		n, _ := strconv.Atoi(text)
		return strings.ReplaceAll(h.cases[l.plural(n)], "#", text)
	case "if":
		if len(values) == 0 {
			return ""
		}
		return strings.ReplaceAll(h.cases[""], "#", l.list(values, l.comma))
	}
	return l.list(values, l.comma)
}

// values returns the members of an argument, in words of the language where they
// are words of the program's.
func (h *segment) values(name string, args map[string][]string, l *Language) []string {
	out := slices.Clone(args[name])
	if KindOf(name) == Trouble {
		for i, s := range out {
			out[i] = l.Word(s)
		}
	}
	return out
}
