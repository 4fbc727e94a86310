package inspect

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// scriptReader reads shell scripts: what they start, open, and write as a configuration.
func scriptReader() reader {
	first := regexp.MustCompile(`^#![ \t]*\S*/(?:env[ \t]+(?:-S[ \t]+)?)?(?:ba|da|z|a|k)?sh\b`)
	return reader{
		kind: deploy.KindScript,
		match: func(name string, data []byte) bool {
			return hasExt(name, ".sh", ".bash", ".zsh") || first.Match(data[:min(len(data), 200)])
		},
		read: readScript,
	}
}

func readScript(s *source) error {
	text := strings.ReplaceAll(string(s.data), "\r\n", " \n")
	text, documents := scriptTexts(text)
	start := s.pos(1, 1)
	// What the script assigns is known where it stands; twice, for what is made of another.
	assigned := map[string]deploy.Value{}
	look := func(name string) deploy.Value {
		if v, ok := assigned[name]; ok {
			return v
		}
		if v, ok := s.env[name]; ok {
			return v
		}
		return deploy.Value{State: deploy.Unknown}
	}
	for range 2 {
		for _, words := range shellCommands(text, start, look) {
			s.assignments(words, assigned)
		}
	}
	commands := shellCommands(text, start, look)
	for _, doc := range documents {
		if target := s.target(doc.target, look); configName(target) {
			s.scriptConfig(doc.body, s.pos(doc.line, 1), doc.plain, target, look)
		}
	}
	s.written(documents, look)
	s.writtenByEcho(text, look)
	for _, words := range commands {
		s.commandDoors(words, deploy.Host, look)
		s.dockerRun(deploy.KindScript, words, look)
		s.installs(words)
		s.changesConfig(words)
	}
	if c := gatewayScript(commands); c != nil {
		s.flagSecrets(deploy.KindScript, c)
		s.m.Gateways = append(s.m.Gateways, &deploy.Gateway{Space: deploy.Host, Kind: deploy.KindScript, Pos: c.Pos, Command: c, Env: map[string]deploy.Value{}})
	}
	return nil
}

// assignments takes what a command assigns, alone or with export. A name that is assigned
// differently in several places is not known.
func (s *source) assignments(words []deploy.Value, assigned map[string]deploy.Value) {
	if len(words) > 0 {
		switch words[0].Text {
		case "export", "declare", "readonly", "local", "typeset", "then", "do", "else":
			words = words[1:]
		}
	}
	for _, w := range words {
		name, v, ok := assignment(w)
		if !ok {
			return
		}
		if have, twice := assigned[name]; twice && have.Pos != v.Pos && have.Text != v.Text {
			v.State = deploy.Unknown
		}
		if len(assigned) < maxEntries {
			assigned[name] = v
		}
	}
}

// target is a path as a script writes it, with its variables.
func (s *source) target(written string, look lookup) string {
	commands := shellCommands(written, event.Pos{}, look)
	if len(commands) == 0 || len(commands[0]) == 0 {
		return ""
	}
	return commands[0][0].Text
}

// configName reports whether a path is one of a configuration.
func configName(name string) bool {
	name = name[strings.LastIndexByte(name, '/')+1:]
	switch name {
	case "openclaw.json", "openclaw.json5", "clawdbot.json", "moltbot.json", "moldbot.json":
		return true
	}
	return false
}

// scriptText is a text within a script.
type scriptText struct {
	target string // as written
	body   string
	line   int  // of the script, where body begins
	plain  bool // nothing in it is expanded
}

// scriptTexts takes the texts out of a script, and leaves empty lines in their place.
func scriptTexts(text string) (string, []scriptText) {
	begin := regexp.MustCompile(`<<(-?)[ \t]*(?:'([^'\n]+)'|"([^"\n]+)"|\\?([A-Za-z_][A-Za-z0-9_]*))`)
	into := regexp.MustCompile(`>>?\|?[ \t]*("[^"\n]+"|'[^'\n]+'|[^ \t;&|<>"']+)|\btee[ \t]+(?:-[a-z]+[ \t]+)*("[^"\n]+"|'[^'\n]+'|[^ \t;&|<>"']+)`)
	lines := strings.SplitAfter(text, "\n")
	var docs []scriptText
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasPrefix(strings.TrimSpace(line), "#") || strings.Contains(line, "<<<") {
			continue
		}
		m := begin.FindStringSubmatchIndex(line)
		if m == nil {
			continue
		}
		sub := begin.FindStringSubmatch(line)
		end := sub[2] + sub[3] + sub[4]
		doc := scriptText{line: i + 2, plain: sub[4] == "" || strings.Contains(line[m[0]:m[1]], `\`)}
		if t := into.FindStringSubmatch(line); t != nil {
			doc.target = t[1] + t[2]
		}
		var body strings.Builder
		j := i + 1
		for ; j < len(lines); j++ {
			content := strings.TrimRight(lines[j], " \n")
			if sub[1] == "-" {
				content = strings.TrimLeft(content, "\t")
			}
			if content == end {
				break
			}
			body.WriteString(lines[j])
		}
		if j == len(lines) {
			continue // no scriptText after all, such as a shift in an expression
		}
		doc.body = body.String()
		docs = append(docs, doc)
		lines[i] = line[:m[0]] + strings.Repeat(" ", m[1]-m[0]) + line[m[1]:]
		for k := i + 1; k <= j; k++ {
			lines[k] = "\n"
		}
		i = j
	}
	return strings.Join(lines, ""), docs
}

// scriptConfig adds a configuration that a script writes. at is where the text begins.
func (s *source) scriptConfig(text string, at event.Pos, plain bool, target string, look lookup) {
	if !plain {
		var whole bool
		if text, whole = expandText(text, look); !whole {
			s.gapAt(deploy.KindScript, "gap.script-text", at)
		}
		if text == "" {
			return
		}
	}
	s.m.Configs = append(s.m.Configs, &deploy.Config{
		File: s.name, Data: []byte(text), Line: at.Line - 1, Column: at.Column - 1, Writes: target, Pos: at,
	})
}

// expandText expands a text that a shell does. What is not known becomes a reference to
// a variable of the gateway's environment that nothing sets; whole is false then, but for a variable
// that the gateway may have as well. Where such a reference cannot stand, outside of strings, nothing
// is returned.
func expandText(text string, look lookup) (expanded string, whole bool) {
	var b strings.Builder
	whole = true
	inString := false
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text) && (text[i+1] == '$' || text[i+1] == '`' || text[i+1] == '\\'):
			// The two characters stay as long as they were, so that positions in the line do.
			if text[i+1] == '$' && strings.HasPrefix(text[i+1:], "${") {
				b.WriteString("$")
				i += 2
				continue
			}
			b.WriteByte(text[i+1])
			i += 2
		case c == '\\' && i+1 < len(text) && text[i+1] == '\n':
			b.WriteString(" \n") // lines stay where they are
			i += 2
		case c == '$' || c == '`':
			end := expansionEnd(text, i)
			if end == i+1 && c == '$' {
				b.WriteByte(c)
				i++
				continue
			}
			inner := shell{text: "", place: newPlaces("", event.Pos{}), env: look}
			v := inner.value(text[i:end])
			if v.State == deploy.Set || v.State == deploy.Assumed {
				b.WriteString(strings.ReplaceAll(v.Text, "\n", " "))
			} else {
				if !inString {
					return "", false
				}
				name, op, _, ok := parameter(text[i:end])
				if !ok || op != "" || name != strings.ToUpper(name) || !look(name).Pos.IsZero() {
					whole, name = false, "SET_BY_A_SCRIPT"
				}
				b.WriteString("${" + name + "}")
			}
			b.WriteString(strings.Repeat("\n", strings.Count(text[i:end], "\n")))
			i = end
		default:
			if c == '"' && (i == 0 || text[i-1] != '\\') {
				inString = !inString
			}
			b.WriteByte(c)
			i++
		}
		if b.Len() > MaxFile {
			return "", false
		}
	}
	return b.String(), whole
}

// writtenByEcho adds configurations that `echo '…' > …/openclaw.json` and printf write.
func (s *source) writtenByEcho(text string, look lookup) {
	if !strings.Contains(text, "echo") && !strings.Contains(text, "printf") {
		return
	}
	lines := strings.SplitAfter(text, "\n")
	words := shellWords(text, s.pos(1, 1))
	for i, w := range words {
		target, ok := strings.CutPrefix(strings.TrimPrefix(w.Text, "1"), ">")
		if !ok {
			continue
		}
		target = strings.TrimLeft(target, ">|")
		if target == "" && i+1 < len(words) {
			target = words[i+1].Text
		}
		if target = s.target(`"`+strings.ReplaceAll(target, `"`, "")+`"`, look); !configName(target) || i < 2 {
			continue
		}
		content := words[i-1]
		if !strings.Contains(content.Text, "{") || base(words[i-2].Text) != "echo" && (i < 3 || base(words[i-3].Text) != "echo" && base(words[i-3].Text) != "printf") && base(words[i-2].Text) != "printf" {
			continue
		}
		at := content.Pos
		quote := byte(0)
		if at.Line <= len(lines) && at.Column >= 1 && at.Column <= len(lines[at.Line-1]) {
			quote = lines[at.Line-1][at.Column-1]
		}
		if quote == '\'' || quote == '"' {
			at.Column++
		}
		s.scriptConfig(content.Text, at, quote == '\'', target, look)
	}
}

// installs takes the release of `npm install -g openclaw@2026.9.6`.
func (s *source) installs(words []deploy.Value) {
	if v := installedRelease(words); v.IsSet() {
		s.m.Releases = append(s.m.Releases, v)
	}
}

// changesConfig says so where a command changes a configuration.
func (s *source) changesConfig(words []deploy.Value) {
	for _, c := range plainCommands(words, nil, 0) {
		program := base(c[0].Text)
		var changes bool
		if args, ok := programArgs(program, c); ok {
			var operands []string
			for _, a := range args {
				if !isOption(a.Text) {
					operands = append(operands, a.Text)
				}
			}
			switch {
			case len(operands) > 1 && operands[0] == "config":
				changes = operands[1] == "set" || operands[1] == "unset" || operands[1] == "patch" || operands[1] == "apply"
			case len(operands) > 0:
				changes = operands[0] == "onboard" || operands[0] == "configure" || operands[0] == "setup"
			}
		}
		switch program {
		case "jq", "yq", "sed", "perl", "node", "python", "python3", "envsubst", "mv", "cp":
			for _, a := range c[1:] {
				changes = changes || configName(a.Text) || len(a.Text) > 40 && (strings.Contains(a.Text, "openclaw.json") || strings.Contains(a.Text, "clawdbot.json"))
			}
			if program == "sed" && !bytes.Contains(joined(c), []byte(" -i")) {
				changes = false
			}
		}
		if changes {
			s.gapAt(deploy.KindScript, "gap.script-config", c[0].Pos)
		}
	}
}

func joined(words []deploy.Value) []byte {
	var b bytes.Buffer
	for _, w := range words {
		b.WriteString(" " + w.Text)
	}
	return b.Bytes()
}

// written reads what a script writes for proxies and tunnels, at the places where it
// stands in the script.
func (s *source) written(documents []scriptText, look lookup) {
	for _, r := range embeddedReaders() {
		var all strings.Builder // several texts of a kind belong together
		line := 1
		for _, doc := range documents {
			body := doc.body
			if !doc.plain {
				body = expandForProxy(body, look)
			}
			target := strings.Trim(doc.target, `"'`)
			if target == "" || !r.match(target, []byte(body)) || all.Len()+len(body) > MaxFile {
				continue
			}
			all.WriteString(strings.Repeat("\n", max(0, doc.line-line)))
			all.WriteString(body)
			line = doc.line + strings.Count(body, "\n")
		}
		if all.Len() > 0 {
			s.part(r, all.String(), deploy.Host)
		}
	}
}

// embeddedReaders read what stands inside other files.
func embeddedReaders() []reader {
	return []reader{nginxReader(), caddyReader(), cloudflaredReader()}
}

// embedded reads a text of that name that begins at a place in the file.
func (s *source) embedded(name, text string, at event.Pos, space deploy.Space) {
	for _, r := range embeddedReaders() {
		if r.match(name, []byte(text)) {
			margin := strings.Repeat(" ", min(maxDepth, max(0, at.Column-1)))
			s.part(r, strings.Repeat("\n", max(0, at.Line-1))+margin+strings.ReplaceAll(text, "\n", "\n"+margin), space)
			return
		}
	}
}

// part reads a part of the file, with the lines before it left empty, for what runs in a
// namespace.
func (s *source) part(r reader, text string, space deploy.Space) {
	inner := &source{name: s.name, data: []byte(text), tree: s.tree, m: &deploy.Model{}, env: s.env, stateDirAt: s.stateDirAt, home: s.home}
	if err := r.read(inner); err != nil {
		s.gap(r.kind, "gap.broken", max(1, lineOf(err)), 0)
	}
	for _, d := range inner.m.Doors {
		if d.To.Space == deploy.Host {
			d.To.Space = space
		}
		if d.In.Space == deploy.Host {
			d.In.Space = space
		}
	}
	s.m.Doors = append(s.m.Doors, inner.m.Doors...)
	s.m.Gaps = append(s.m.Gaps, inner.m.Gaps...)
	for _, secret := range inner.m.Secrets {
		s.addSecret(secret)
	}
}

// expandForProxy expands a text that a shell does, as far as that is known: variables
// that are not stay as they are, as in a template.
func expandForProxy(text string, look lookup) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && (text[i+1] == '$' || text[i+1] == '`' || text[i+1] == '\\'):
			b.WriteByte(text[i+1])
			i += 2
		case c == '$' && strings.HasPrefix(text[i:], "${"):
			end := expansionEnd(text, i)
			inner := shell{text: "", place: newPlaces("", event.Pos{}), env: look}
			v := inner.value(text[i:end])
			if v.IsSet() && !strings.Contains(v.Text, "\n") {
				b.WriteString(v.Text)
			} else if name, _, _, ok := parameter(text[i:end]); ok {
				b.WriteString("${" + name + "}" + strings.Repeat("\n", strings.Count(text[i:end], "\n")))
			} else {
				b.WriteString(text[i:end])
			}
			i = end
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}
