package openclaw

import (
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// substitute puts the values of variables into all strings of a configuration.
func (l *loader) substitute(root *json5.Node) {
	env := l.lookup
	// What the configuration sets is there for the configuration itself, but not if it
	// is made of variables, and not in the oldest release.
	if !upTo(l.release, "2026.1.24-3") {
		vars := configVars(root, func(n *json5.Node) (deploy.Value, bool) {
			_, names := expand(n.Text, func(string) (string, bool) { return "", false })
			return deploy.Value{State: deploy.Set, Text: n.Text, Pos: n.Pos}, len(names) == 0
		})
		env = (&Document{Vars: vars}).Environment(l.lookup)
	}
	l.walk(root, env)
	l.doc.Vars = configVars(root, func(n *json5.Node) (deploy.Value, bool) {
		v := deploy.Value{State: deploy.Set, Text: n.Text, Pos: n.Pos, Via: l.doc.Via[n]}
		for _, name := range l.doc.Missing[n] {
			switch env(name).State {
			case deploy.Unset, deploy.Set:
				return v, false
			case deploy.Assumed:
				v.State = deploy.Assumed
			default:
				return deploy.Value{State: deploy.Unknown, Pos: n.Pos}, true
			}
		}
		return v, true
	})
}

// lookup looks up a variable of the environment.
func (l *loader) lookup(name string) deploy.Value {
	if l.env == nil {
		return deploy.Value{State: deploy.Unknown}
	}
	return l.env(name)
}

func (l *loader) walk(n *json5.Node, env Env) {
	switch n.Kind {
	case json5.String:
		l.text(n, env)
	case json5.Array:
		for _, i := range n.Items {
			l.walk(i, env)
		}
	case json5.Object:
		for _, m := range n.Members {
			l.path = append(l.path, m.Key)
			l.walk(m.Value, env)
			l.path = l.path[:len(l.path)-1]
		}
	}
}

// text puts the values of variables into one string.
func (l *loader) text(n *json5.Node, env Env) {
	if !strings.Contains(n.Text, "$") {
		return
	}
	var missing []string
	var via []event.Pos
	text, names := expand(n.Text, func(name string) (string, bool) {
		v := env(name)
		known := v.IsSet()
		if l.put += len(v.Text); known && l.put > maxPut {
			l.tooBig(n.Pos)
			known = false
		}
		if known && !v.Pos.IsZero() {
			via = append(via, v.Pos)
		}
		if !known || v.State == deploy.Assumed {
			missing = append(missing, name)
		}
		if v.State == deploy.Unset || v.State == deploy.Set && v.Text == "" {
			l.problem(n.Pos, "config.variable-missing", refusesMissing(l.release), message.Of("variable", shown(name)))
		}
		return v.Text, known
	})
	if text == n.Text && len(names) == 0 {
		return
	}
	l.doc.Written[n] = n.Text
	if missing != nil {
		l.doc.Missing[n] = missing
	}
	if via != nil {
		l.doc.Via[n] = via
	}
	n.Text = text
}

// refusesMissing reports whether a release surely does not start where a variable has
// no value, whatever the setting is for. From 2026.3.13 on it does, unless it is the
// token's.
func refusesMissing(r release.Version) bool { return upTo(r, "2026.3.2") }

// expand puts values into a text: "${NAME}" becomes what value returns, or stays if
// that reports false; "$${NAME}" becomes "${NAME}". Everything else stays, also
// "${name}" and "${NAME:-default}". Names are the variables of the text, in its order.
func expand(text string, value func(name string) (string, bool)) (out string, names []string) {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 {
			b.WriteString(text)
			return b.String(), names
		}
		b.WriteString(text[:i])
		text = text[i:]
		if name := nameAt(text[1:], "${"); name != "" {
			b.WriteString("${" + name + "}")
			text = text[len("$${}")+len(name):]
		} else if name := nameAt(text, "${"); name != "" {
			if v, ok := value(name); ok {
				b.WriteString(v)
			} else {
				b.WriteString("${" + name + "}")
			}
			names = append(names, name)
			text = text[len("${}")+len(name):]
		} else {
			b.WriteByte('$')
			text = text[1:]
		}
	}
}

// nameAt returns the name of the variable that a text begins with; "" if it begins
// with none.
func nameAt(text, open string) string {
	rest, ok := strings.CutPrefix(text, open)
	if !ok {
		return ""
	}
	n := 0
	for n < len(rest) && (rest[n] == '_' || 'A' <= rest[n] && rest[n] <= 'Z' || n > 0 && '0' <= rest[n] && rest[n] <= '9') {
		n++
	}
	if n == len(rest) || rest[n] != '}' {
		return ""
	}
	return rest[:n]
}

// configVars returns the variables that a configuration sets: strings of "env.vars" and,
// over them, of "env". Take returns the value of one, and false if it is not set.
func configVars(root *json5.Node, take func(*json5.Node) (deploy.Value, bool)) map[string]deploy.Value {
	vars := map[string]deploy.Value{}
	add := func(n *json5.Node, but ...string) {
		if n == nil || n.Kind != json5.Object {
			return
		}
		for _, m := range n.Members {
			if m.Value.Kind != json5.String || strings.TrimSpace(m.Value.Text) == "" || len(but) > 0 && (m.Key == but[0] || m.Key == but[1]) {
				continue
			}
			if v, ok := take(m.Value); ok {
				vars[strings.TrimSpace(m.Key)] = v
			}
		}
	}
	add(root.Get("env", "vars"))
	add(root.Get("env"), "vars", "shellEnv")
	return vars
}
