package inspect

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// systemdReader reads service units with their drop-ins.
func systemdReader() reader {
	return reader{
		kind: deploy.KindSystemd,
		match: func(name string, _ []byte) bool {
			return strings.HasSuffix(name, ".service") || dropInOf(name) != "" && strings.HasSuffix(dropInOf(name), ".service")
		},
		read: func(s *source) error {
			if unit := dropInOf(s.name); unit != "" {
				if !s.hasFile(unit) {
					s.unit(strings.TrimSuffix(unit, ".service"), iniSections(s))
				}
				return nil
			}
			unit := path.Base(s.name)
			sections := iniSections(s)
			for _, d := range s.dropIns(unit) {
				sections = append(sections, iniSections(d)...)
			}
			s.unit(strings.TrimSuffix(unit, ".service"), sections)
			return nil
		},
	}
}

// dropInOf is the unit that a file of its .d directory adds to; "" if the file is no such.
func dropInOf(name string) string {
	if !strings.HasSuffix(name, ".conf") {
		return ""
	}
	unit, ok := strings.CutSuffix(path.Base(path.Dir(name)), ".d")
	if !ok || !hasExt(unit, ".service", ".container", ".pod", ".kube") {
		return ""
	}
	return unit
}

// dropIns are the drop-ins of a unit in the order in which they count.
func (s *source) dropIns(unit string) []*source {
	if s.tree == nil {
		return nil
	}
	var found []*source
	for _, f := range s.tree.Files() {
		if dropInOf(f.Name) != unit || len(found) >= 100 {
			continue
		}
		if data, err := s.tree.Read(f.Name, MaxFile); err == nil {
			found = append(found, &source{name: f.Name, data: data, tree: s.tree, m: s.m, env: s.env, stateDirAt: s.stateDirAt, home: s.home})
		}
	}
	slices.SortStableFunc(found, func(a, b *source) int { return strings.Compare(path.Base(a.name), path.Base(b.name)) })
	return found
}

// settings are the settings of one kind of section of a unit, in order.
type settings []entry

func settingsOf(sections []section, name string) settings {
	var all settings
	for _, s := range sections {
		if s.name == name {
			all = append(all, s.entries...)
		}
	}
	return all
}

// last is the value of a setting that is there once.
func (all settings) last(name string) (deploy.Value, bool) {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].name == name {
			return all[i].value, true
		}
	}
	return deploy.Value{}, false
}

// list are the values of a setting that adds up; an empty one begins anew.
func (all settings) list(name string) []deploy.Value {
	var values []deploy.Value
	for _, e := range all {
		switch {
		case e.name != name:
		case e.value.Text == "":
			values = nil
		default:
			values = append(values, e.value)
		}
	}
	return values
}

func (s *source) unit(name string, sections []section) {
	service := settingsOf(sections, "Service")
	user, hasUser := service.last("User")
	system := s.systemUnit(sections)
	sp := specifiers{unit: name, user: user.Text, system: system}
	env, from := s.unitEnv(service, sp)
	look := func(name string) deploy.Value {
		if v, ok := env[name]; ok {
			return v
		}
		if len(from) > 0 {
			return deploy.Value{State: deploy.Unknown}
		}
		return deploy.Value{} // the manager's own variables are no part of this
	}
	s.envSecrets(deploy.KindSystemd, env)
	commands := service.list("ExecStart")
	for _, setting := range []string{"ExecStartPre", "ExecStartPost"} {
		for _, v := range service.list(setting) {
			words, _ := execWords(v, look, sp)
			s.commandDoors(words, deploy.Host, look)
		}
	}
	found := false
	for _, v := range commands {
		words, full := execWords(v, look, sp)
		if len(words) == 0 {
			continue
		}
		s.commandDoors(words, deploy.Host, look)
		s.dockerRun(deploy.KindSystemd, words, look)
		c := gatewayCommandIn(words, look)
		candidate := c == nil && s.startsScript(words)
		if c == nil && !candidate {
			continue
		}
		found = true
		if c == nil {
			c = &deploy.Command{Args: words, Pos: words[0].Pos}
		}
		s.flagSecrets(deploy.KindSystemd, c)
		g := &deploy.Gateway{
			Space: deploy.Host, Name: name, Kind: deploy.KindSystemd, Pos: c.Pos, Container: deploy.No,
			Command: c, Env: env, EnvFrom: from, Candidate: candidate,
		}
		switch dynamic, _ := service.last("DynamicUser"); {
		case full || hasUser && (user.Text == "root" || user.Text == "0"):
			pos := c.Pos
			if hasUser && !full {
				pos = user.Pos
			}
			g.Root = &pos
		case !hasUser && system == deploy.Yes && !isYes(dynamic.Text):
			pos := c.Pos
			g.Root = &pos
		}
		s.m.Gateways = append(s.m.Gateways, g)
	}
	if len(commands) == 0 && !found && productEnv(env) {
		s.gap(deploy.KindSystemd, "gap.referenced", 1, 1) // variables of a unit that is elsewhere
	}
	if found {
		s.addFile(s.name, deploy.UnitFile)
	}
}

// productEnv reports whether variables are the product's.
func productEnv(env map[string]deploy.Value) bool {
	for name := range env {
		if strings.HasPrefix(name, "OPENCLAW_") || strings.HasPrefix(name, "CLAWDBOT_") || strings.HasPrefix(name, "MOLTBOT_") {
			return true
		}
	}
	return false
}

func isYes(text string) bool {
	switch strings.ToLower(text) {
	case "1", "yes", "y", "true", "t", "on":
		return true
	}
	return false
}

// systemUnit says whether the unit is one of the machine, where no User= means root.
func (s *source) systemUnit(sections []section) deploy.Tri {
	dir := path.Dir("/" + s.name)
	switch {
	case strings.Contains(dir+"/", "/systemd/user/"):
		return deploy.No
	case strings.Contains(dir+"/", "/systemd/system/"):
		return deploy.Yes
	}
	install := settingsOf(sections, "Install")
	for _, v := range install.list("WantedBy") {
		if strings.Contains(v.Text, "default.target") {
			return deploy.No
		}
		if strings.Contains(v.Text, "multi-user.target") || strings.Contains(v.Text, "graphical.target") {
			return deploy.Yes
		}
	}
	return deploy.NotKnown
}

// unitEnv are the variables of a unit: files of them win over settings. from are places outside
// the files that may set more.
func (s *source) unitEnv(service settings, sp specifiers) (map[string]deploy.Value, []event.Pos) {
	env := map[string]deploy.Value{}
	var from []event.Pos
	for _, v := range service.list("Environment") {
		for _, w := range unitWords(v, sp, nil) {
			if name, value, ok := assignment(w); ok {
				env[name] = value
			}
		}
	}
	for _, v := range service.list("EnvironmentFile") {
		// One that is not here is elsewhere; one with "-" may be.
		if !s.envFile(sp.expand(strings.TrimPrefix(v.Text, "-")).Text, env) {
			from = append(from, v.Pos)
		}
	}
	for _, v := range service.list("PassEnvironment") {
		for _, w := range unitWords(v, sp, nil) {
			env[w.Text] = deploy.Value{State: deploy.Unknown, Pos: w.Pos}
		}
	}
	for _, v := range service.list("UnsetEnvironment") {
		for _, w := range unitWords(v, sp, nil) {
			name, _, _ := strings.Cut(w.Text, "=")
			delete(env, name)
		}
	}
	return env, from
}

// startsScript reports whether a command runs a script of the tree.
func (s *source) startsScript(words []deploy.Value) bool {
	for i, w := range words {
		if i > 2 {
			break
		}
		if strings.HasSuffix(w.Text, ".sh") || i == 0 && !isShell(base(w.Text)) && strings.Contains(w.Text, "entrypoint") {
			_, ok := s.lookFor(w.Text)
			return ok
		}
	}
	return false
}

// execWords are the words of a command of a unit. full: its prefix lets it run as root whatever User= says.
func execWords(v deploy.Value, env lookup, sp specifiers) (words []deploy.Value, full bool) {
	text := v.Text
	at := 0
	second := false
	for at < len(text) {
		switch text[at] {
		case '@':
			second = true
		case '+', '!':
			full = full || text[at] == '+'
		case ':':
			env = nil
		case '-', '|':
		default:
			words = unitWords(deploy.Value{State: v.State, Text: strings.Repeat(" ", at) + text[at:], Pos: v.Pos}, sp, env)
			if second && len(words) > 1 { // the name that it sees is no argument
				words = append(words[:1:1], words[2:]...)
			}
			return words, full
		}
		at++
	}
	return nil, full
}

// specifiers are what stands for %x in a unit.
type specifiers struct {
	unit, user string
	system     deploy.Tri
}

// expand replaces specifiers. The home of a user other than root is "~".
func (sp specifiers) expand(text string) deploy.Value {
	out := deploy.Value{State: deploy.Set, Text: text}
	if !strings.Contains(text, "%") {
		return out
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 >= len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		prefix, instance, _ := strings.Cut(sp.unit, "@")
		of := func(system, user string) string {
			if sp.system == deploy.No {
				return user
			}
			return system
		}
		switch text[i] {
		case '%':
			b.WriteByte('%')
		case 'n':
			b.WriteString(sp.unit + ".service")
		case 'N':
			b.WriteString(sp.unit)
		case 'p':
			b.WriteString(prefix)
		case 'h':
			if sp.system == deploy.Yes {
				b.WriteString("/root")
			} else {
				b.WriteString("~")
			}
		case 'E':
			b.WriteString(of("/etc", "~/.config"))
		case 'S':
			b.WriteString(of("/var/lib", "~/.local/state"))
		case 'C':
			b.WriteString(of("/var/cache", "~/.cache"))
		case 'L':
			b.WriteString(of("/var/log", "~/.local/state/log"))
		case 'T':
			b.WriteString("/tmp")
		case 'V':
			b.WriteString("/var/tmp")
		case 'i', 'I':
			if instance == "" {
				out.State = deploy.Unknown
				b.WriteString(text[i-1 : i+1])
			}
			b.WriteString(instance)
		default:
			out.State = deploy.Unknown
			b.WriteString(text[i-1 : i+1])
		}
	}
	out.Text = b.String()
	return out
}

// unitWords splits a setting of a unit as systemd does: quotes, escapes, specifiers, and $NAME
// where env is not nil. A word of $NAME alone is split; ${NAME} is not.
func unitWords(v deploy.Value, sp specifiers, env lookup) []deploy.Value {
	// Further lines begin at column 1.
	pad := max(v.Pos.Column-1, 0)
	text := strings.Repeat(" ", pad) + v.Text
	at := v.Pos
	if at.Column > 0 {
		at.Column = 1
	}
	p := newPlaces(text, at)
	var words []deploy.Value
	for i := 0; i < len(text) && len(words) < maxWords; {
		if c := text[i]; c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		if strings.HasPrefix(text[i:], "\\\n") {
			i += 2
			continue
		}
		start := i
		var b strings.Builder
		var quote byte
		for i < len(text) {
			c := text[i]
			switch {
			case quote == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			case strings.HasPrefix(text[i:], "\\\n"):
				if quote != 0 {
					b.WriteByte(' ')
					i += 2
					continue
				}
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
				i++
				continue
			case c == quote && quote != 0:
				quote = 0
				i++
				continue
			case c == '\\' && i+1 < len(text):
				r, n := unitEscape(text[i+1:])
				b.WriteString(r)
				i += 1 + n
				continue
			default:
				b.WriteByte(c)
				i++
				continue
			}
			break
		}
		w := sp.expand(b.String())
		w.Pos = p.of(start)
		if env == nil {
			words = append(words, w)
			continue
		}
		words = append(words, unitExpand(w, env)...)
	}
	return words
}

// unitEscape is what stands behind a backslash, and its length.
func unitEscape(rest string) (string, int) {
	switch rest[0] {
	case 'n':
		return "\n", 1
	case 't':
		return "\t", 1
	case 'r':
		return "\r", 1
	case 's':
		return " ", 1
	case 'x', 'u':
		n := 2
		if rest[0] == 'u' {
			n = 4
		}
		if len(rest) > n {
			if r, err := strconv.ParseUint(rest[1:1+n], 16, 32); err == nil {
				return string(rune(r)), 1 + n
			}
		}
	}
	_, n := utf8.DecodeRuneInString(rest)
	return rest[:n], n
}

// unitExpand replaces variables in a word.
func unitExpand(w deploy.Value, env lookup) []deploy.Value {
	if name, ok := strings.CutPrefix(w.Text, "$"); ok && name != "" && strings.Trim(name, nameBytes) == "" {
		v := env(name)
		if v.State == deploy.Unknown || v.State == deploy.Present {
			return []deploy.Value{{State: deploy.Unknown, Text: w.Text, Pos: w.Pos}}
		}
		var words []deploy.Value
		for _, field := range strings.Fields(v.Text) {
			words = append(words, deploy.Value{State: w.State, Text: field, Pos: w.Pos, Via: []event.Pos{v.Pos}})
		}
		return words
	}
	var b strings.Builder
	for rest := w.Text; rest != ""; {
		i := strings.IndexByte(rest, '$')
		if i < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:i])
		rest = rest[i:]
		end := strings.IndexByte(rest, '}')
		switch {
		case strings.HasPrefix(rest, "$$"):
			b.WriteByte('$')
			rest = rest[2:]
		case strings.HasPrefix(rest, "${") && end > 2 && strings.Trim(rest[2:end], nameBytes) == "":
			v := env(rest[2:end])
			if v.State == deploy.Unknown || v.State == deploy.Present {
				w.State = deploy.Unknown
				b.WriteString(rest[:end+1])
			} else {
				b.WriteString(v.Text)
				if !v.Pos.IsZero() {
					w.Via = append(w.Via, v.Pos)
				}
			}
			rest = rest[end+1:]
		default:
			b.WriteByte('$')
			rest = rest[1:]
		}
	}
	w.Text = b.String()
	return []deploy.Value{w}
}

const nameBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
