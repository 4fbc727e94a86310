package inspect

import (
	"encoding/json"
	"errors"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// Caps of Dockerfiles.
const (
	maxInstructions = 5_000
	maxStages       = 100
	maxCopies       = 2_000 // of a stage
)

// instruction is one of a Dockerfile. Its text still has the ends of its lines, with a backslash
// before each, whatever the escape character of the file is.
type instruction struct {
	name    string // in upper case
	text    string // what is behind the name
	pos     event.Pos
	at      event.Pos // of text
	heredoc []heredoc
}

// heredoc is the text of <<NAME behind an instruction.
type heredoc struct {
	text string
	line int // of its first line
}

func isDockerfile(name string, _ []byte) bool {
	base := strings.ToLower(path.Base(name))
	return base == "dockerfile" || base == "containerfile" || strings.HasPrefix(base, "dockerfile.") && base != "dockerfile.dockerignore" ||
		strings.HasPrefix(base, "containerfile.") || strings.HasSuffix(base, ".dockerfile") || strings.HasSuffix(base, ".containerfile")
}

func dockerfileReader() reader {
	return reader{kind: deploy.KindDockerfile, match: isDockerfile, read: readDockerfile}
}

var (
	directive   = regexp.MustCompile(`(?i)^#\s*(\w+)\s*=\s*(\S+)\s*$`)
	heredocWord = regexp.MustCompile(`<<-?\s*["']?([A-Za-z_][A-Za-z0-9_]*)["']?`)
)

// instructions splits a Dockerfile.
func instructions(name string, data []byte) []instruction {
	lines := strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	escape := `\`
	for i := 0; i < len(lines); i++ { // directives stand before everything else
		m := directive.FindStringSubmatch(lines[i])
		if m == nil {
			break
		}
		if strings.EqualFold(m[1], "escape") && m[2] == "`" {
			escape = "`"
		}
	}
	var out []instruction
	for i := 0; i < len(lines) && len(out) < maxInstructions; i++ {
		line := strings.TrimLeft(lines[i], " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		indent := len(lines[i]) - len(line)
		word := line
		if end := strings.IndexAny(line, " \t"); end >= 0 {
			word = line[:end]
		}
		rest := strings.TrimLeft(line[len(word):], " \t")
		in := instruction{
			name: strings.ToUpper(word),
			pos:  event.Pos{File: name, Line: i + 1, Column: indent + 1},
			at:   event.Pos{File: name, Line: i + 1, Column: indent + len(line) - len(rest) + 1},
		}
		var text strings.Builder
		for {
			trimmed := strings.TrimRight(rest, " \t")
			if !strings.HasSuffix(trimmed, escape) || i+1 >= len(lines) {
				text.WriteString(rest)
				break
			}
			text.WriteString(strings.TrimSuffix(trimmed, escape) + "\\\n")
			i++
			rest = lines[i]
			for i+1 < len(lines) && (strings.HasPrefix(strings.TrimLeft(rest, " \t"), "#") || strings.TrimSpace(rest) == "") {
				text.WriteString("\\\n") // a comment within
				i++
				rest = lines[i]
			}
		}
		in.text = text.String()
		if in.name == "RUN" || in.name == "COPY" || in.name == "ADD" {
			for _, m := range heredocWord.FindAllStringSubmatch(in.text, 10) {
				end := i + 1
				for end < len(lines) && strings.TrimLeft(lines[end], "\t") != m[1] {
					end++
				}
				if end >= len(lines) {
					break
				}
				in.heredoc = append(in.heredoc, heredoc{text: strings.Join(lines[i+1:end], "\n"), line: i + 2})
				i = end
			}
		}
		out = append(out, in)
	}
	return out
}

// stage is a stage of a Dockerfile.
type stage struct {
	name       string
	base       deploy.Value
	parent     *stage
	env, args  map[string]deploy.Value
	workdir    string
	user       deploy.Value
	entrypoint []deploy.Value
	command    []deploy.Value
	commandPos event.Pos
	shell      bool // its command is in shell form
	copies     map[string]deploy.Value
	release    deploy.Value
	installs   bool // it installs the product
	pos        event.Pos
	secrets    []deploy.Secret
}

type dockerfile struct {
	s       *source
	dir     string
	globals map[string]deploy.Value
	stages  []*stage
	ignore  []string
}

func readDockerfile(s *source) error {
	d := &dockerfile{s: s, dir: path.Dir(s.name), globals: map[string]deploy.Value{}}
	if data, err := s.tree.Read(path.Join(d.dir, ".dockerignore"), MaxFile); err == nil {
		d.ignore = strings.Split(strings.ReplaceAll(string(data), "\r", ""), "\n")
	}
	var st *stage
	for _, in := range instructions(s.name, s.data) {
		if in.name == "FROM" {
			if len(d.stages) >= maxStages {
				return &strict.Error{File: s.name, Line: in.pos.Line, Err: errors.New("has too many stages")}
			}
			st = d.from(in)
			continue
		}
		if st == nil {
			if in.name == "ARG" {
				d.arg(in, d.globals, nil)
			}
			continue
		}
		d.instruction(st, in)
	}
	if st != nil {
		d.image(st)
	}
	return nil
}

// from begins a stage.
func (d *dockerfile) from(in instruction) *stage {
	words := expandedWords(in.text, in.at, d.global)
	for len(words) > 0 && isOption(words[0].Text) {
		words = words[1:]
	}
	st := &stage{env: map[string]deploy.Value{}, args: map[string]deploy.Value{}, copies: map[string]deploy.Value{}, workdir: "/", pos: in.pos}
	if len(words) > 0 {
		st.base = words[0]
		st.base.Pos = in.pos
		if st.base.Text == "" {
			st.base.State = deploy.Unknown
		}
		if p := d.stage(words[0].Text); p != nil {
			parent := *p
			parent.env, parent.copies, parent.args = clone(p.env), clone(p.copies), map[string]deploy.Value{}
			parent.name, parent.parent, parent.pos = "", p, in.pos
			parent.secrets = append([]deploy.Secret(nil), p.secrets...)
			st = &parent
		}
	}
	if len(words) > 2 && strings.EqualFold(words[1].Text, "as") {
		st.name = strings.ToLower(words[2].Text)
	}
	d.stages = append(d.stages, st)
	return st
}

func clone(m map[string]deploy.Value) map[string]deploy.Value {
	out := make(map[string]deploy.Value, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// stage finds an earlier stage by its name or number.
func (d *dockerfile) stage(name string) *stage {
	name = strings.ToLower(name)
	for i := len(d.stages) - 1; i >= 0; i-- {
		if name != "" && (d.stages[i].name == name || name == strconv.Itoa(i)) {
			return d.stages[i]
		}
	}
	return nil
}

// global is a variable before the first stage: an ARG, whose value may be given at build time.
func (d *dockerfile) global(name string) deploy.Value {
	if v, ok := d.globals[name]; ok {
		return v
	}
	return deploy.Value{State: deploy.Unknown}
}

// variable is one within a stage: of ENV before those of ARG.
func (st *stage) variable(name string) deploy.Value {
	if v, ok := st.env[name]; ok {
		return v
	}
	if v, ok := st.args[name]; ok {
		return v
	}
	return deploy.Value{State: deploy.Unknown}
}

// arg takes ARG NAME[=DEFAULT] …; st is nil before the first stage.
func (d *dockerfile) arg(in instruction, into map[string]deploy.Value, st *stage) {
	env := d.global
	if st != nil {
		env = st.variable
	}
	for _, w := range expandedWords(in.text, in.at, env) {
		name, v, ok := assignment(w)
		if !ok {
			if g, there := d.globals[w.Text]; there {
				into[w.Text] = g
			}
			continue
		}
		v.State = worse(v.State, deploy.Assumed)
		into[name] = v
		if st != nil {
			d.secret(st, name, v, in.pos)
		}
	}
}

// secret adds a value in clear that becomes part of the image.
func (d *dockerfile) secret(st *stage, name string, v deploy.Value, pos event.Pos) {
	what := secretVariable(name)
	if what == "" || v.State != deploy.Set && v.State != deploy.Assumed || !plainSecret(v.Text) || len(st.secrets) >= maxCopies {
		return
	}
	v.Pos = pos
	st.secrets = append(st.secrets, deploy.Secret{What: what, Kind: deploy.KindDockerfile, Value: v, Image: true})
}

func (d *dockerfile) instruction(st *stage, in instruction) {
	words := func() []deploy.Value { return expandedWords(in.text, in.at, st.variable) }
	switch in.name {
	case "ARG":
		d.arg(in, st.args, st)
	case "ENV":
		w := words()
		if len(w) > 0 && !strings.Contains(w[0].Text, "=") { // ENV NAME the whole rest
			v := deploy.Value{State: deploy.Set, Pos: in.pos}
			var texts []string
			for _, part := range w[1:] {
				texts = append(texts, part.Text)
				v.State = worse(v.State, part.State)
			}
			v.Text = strings.Join(texts, " ")
			st.env[w[0].Text] = v
			d.secret(st, w[0].Text, v, in.pos)
			return
		}
		for _, part := range w {
			if name, v, ok := assignment(part); ok && len(st.env) < maxCopies {
				st.env[name] = v
				d.secret(st, name, v, v.Pos)
			}
		}
	case "WORKDIR":
		if w := words(); len(w) > 0 {
			st.workdir = inDir(st.workdir, w[0].Text)
		}
	case "USER":
		if w := words(); len(w) > 0 {
			st.user = w[0]
			st.user.Pos = in.pos
		}
	case "CMD":
		st.command, st.shell = execOrShell(in, st.variable)
		st.commandPos = in.pos
	case "ENTRYPOINT":
		st.entrypoint, _ = execOrShell(in, st.variable)
		st.command = nil // that of the base is forgotten
		st.commandPos = in.pos
	case "COPY", "ADD":
		d.copy(st, in)
	case "RUN":
		d.run(st, in)
	}
}

func inDir(dir, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(dir, name)
}

// execOrShell is a command: a JSON array of words, or a text for the shell.
func execOrShell(in instruction, env lookup) (words []deploy.Value, isShell bool) {
	if words, ok := jsonWords(in.text, in.at); ok {
		return words, false
	}
	at := in.at
	script := deploy.Value{State: deploy.Set, Text: in.text, Pos: at}
	word := func(text string) deploy.Value { return deploy.Value{State: deploy.Set, Text: text, Pos: at} }
	return []deploy.Value{word("/bin/sh"), word("-c"), script}, true
}

// jsonWords reads a JSON array of texts, which may be on several lines.
func jsonWords(text string, at event.Pos) ([]deploy.Value, bool) {
	trimmed := strings.TrimLeft(text, " \t")
	if !strings.HasPrefix(trimmed, "[") {
		return nil, false
	}
	place := newPlaces(text, at)
	words := []deploy.Value{}
	i := len(text) - len(trimmed) + 1
	comma := false
	for i < len(text) && len(words) < maxWords {
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\\' && strings.HasPrefix(text[i:], "\\\n"):
			i++
		case c == ',' && comma:
			comma = false
			i++
		case c == ']':
			return words, strings.TrimSpace(text[i+1:]) == ""
		case c == '"' && !comma:
			end := closing(text[i+1:], '"')
			if end < 0 {
				return nil, false
			}
			var word string
			if json.Unmarshal([]byte(text[i:i+end+2]), &word) != nil {
				return nil, false
			}
			words = append(words, deploy.Value{State: deploy.Set, Text: word, Pos: place.of(i)})
			i += end + 2
			comma = true
		default:
			return nil, false
		}
	}
	return nil, false
}

// copy takes COPY and ADD.
func (d *dockerfile) copy(st *stage, in instruction) {
	words, from := expandedWords(in.text, in.at, st.variable), ""
	if list, ok := jsonWords(in.text, in.at); ok {
		words = list
	}
	for len(words) > 0 && strings.HasPrefix(words[0].Text, "--") {
		if value, ok := strings.CutPrefix(words[0].Text, "--from="); ok {
			from = value
		}
		words = words[1:]
	}
	if len(words) < 2 {
		return
	}
	to := inDir(st.workdir, words[len(words)-1].Text)
	isDir := len(words) > 2 || strings.HasSuffix(words[len(words)-1].Text, "/") || words[len(words)-1].Text == "."
	for _, w := range words[:len(words)-1] {
		if len(st.copies) >= maxCopies {
			d.s.gap(deploy.KindDockerfile, "gap.too-many", in.pos.Line, in.pos.Column)
			return
		}
		switch {
		case strings.HasPrefix(w.Text, "<<") || strings.Contains(w.Text, "://"):
			if len(in.heredoc) > 0 && path.Ext(to) == ".json" {
				d.config(in.heredoc[0], to)
			}
		case from != "":
			p := d.stage(from)
			if p == nil {
				continue
			}
			source := inDir("/", w.Text)
			for there, v := range p.copies {
				rest, inside := under(there, source)
				if inside && len(st.copies) < maxCopies { // of what is copied
					target := to
					if isDir && rest == "." {
						target = path.Join(to, path.Base(source))
					}
					st.copies[path.Join(target, rest)] = deploy.Value{State: v.State, Text: v.Text, Pos: in.pos}
				} else if rest, inside := under(source, there); inside {
					st.copies[to] = deploy.Value{State: v.State, Text: path.Join(v.Text, rest), Pos: in.pos}
				}
			}
			for _, s := range p.secrets { // a file with a secret goes along
				if len(s.Value.Via) > 0 && len(st.secrets) < maxCopies {
					for there, v := range st.copies {
						if v.Pos == in.pos && (v.Text == s.Value.Via[0].File || there == "/") {
							s.Value.Pos = in.pos
							st.secrets = append(st.secrets, s)
							break
						}
					}
				}
			}
		default:
			d.copyFromTree(st, w.Text, to, isDir, in.pos)
		}
	}
}

// under reports whether name is dir or within it, and the rest of its path.
func under(name, dir string) (string, bool) {
	if name == dir {
		return ".", true
	}
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(dir, "/")+"/")
	return rest, ok
}

func (d *dockerfile) copyFromTree(st *stage, from, to string, isDir bool, pos event.Pos) {
	name := strings.TrimPrefix(path.Clean("/"+from), "/")
	sources := []string{}
	if strings.ContainsAny(name, "*?[") {
		for _, f := range d.s.tree.Files() {
			if ok, _ := path.Match(path.Join(d.dir, name), f.Name); ok && len(sources) < maxCopies {
				sources = append(sources, f.Name)
			}
		}
	} else if full, ok := d.inContext(name); ok {
		sources = append(sources, full)
	}
	for _, file := range sources {
		info, ok := d.s.tree.Stat(file)
		directory := file == "." || ok && info.Mode.IsDir()
		target := to
		if isDir && !directory {
			target = path.Join(to, path.Base(file))
		}
		st.copies[target] = deploy.Value{State: deploy.Set, Text: file, Pos: pos}
		if !directory {
			d.copiedSecrets(st, file, pos)
			continue
		}
		for _, inside := range []string{"openclaw.json", ".env", ".openclaw/openclaw.json", ".openclaw/.env", "clawdbot.json"} {
			if full := path.Join(file, inside); !d.ignored(full) {
				d.copiedSecrets(st, full, pos)
			}
		}
	}
}

// inContext finds a file of the build context: the directory of the Dockerfile, or one above it.
func (d *dockerfile) inContext(name string) (string, bool) {
	for dir := d.dir; ; dir = path.Dir(dir) {
		full := path.Join(dir, name)
		if _, ok := d.s.tree.Stat(full); ok || full == "." {
			return full, !d.ignored(full)
		}
		if dir == "." || dir == "/" {
			return "", false
		}
	}
}

// ignored reports whether .dockerignore leaves a file out.
func (d *dockerfile) ignored(full string) bool {
	name, ok := under(full, d.dir)
	if d.dir == "." {
		name, ok = full, true
	}
	if !ok {
		return false
	}
	out := false
	for _, line := range d.ignore[:min(len(d.ignore), maxCopies)] {
		pattern := strings.TrimSpace(line)
		if pattern == "" || pattern[0] == '#' {
			continue
		}
		pattern, back := strings.CutPrefix(pattern, "!")
		pattern = strings.Trim(path.Clean(pattern), "/")
		anywhere, deep := strings.CutPrefix(pattern, "**/")
		for at := name; at != "." && at != "/"; at = path.Dir(at) {
			match, _ := path.Match(pattern, at)
			if deep && !match {
				match, _ = path.Match(anywhere, path.Base(at))
			}
			if match {
				out = !back
				break
			}
		}
	}
	return out
}

// copiedSecrets adds the secrets of a configuration or a file of variables that becomes part of the image.
func (d *dockerfile) copiedSecrets(st *stage, file string, pos event.Pos) {
	base := path.Base(file)
	isEnv := base == ".env" || strings.HasSuffix(base, ".env") || strings.HasPrefix(base, ".env.")
	isConfig := base == "openclaw.json" || base == "clawdbot.json" || base == "moltbot.json"
	if !isEnv && !isConfig || len(st.secrets) >= maxCopies {
		return
	}
	data, err := d.s.tree.Read(file, MaxFile)
	if err != nil {
		return
	}
	var found []deploy.Secret
	if isEnv {
		variables := dotenv(file, data, nil)
		for _, name := range slices.Sorted(maps.Keys(variables)) {
			if what := secretVariable(name); what != "" && plainSecret(variables[name].Text) {
				found = append(found, deploy.Secret{What: what, Value: variables[name]})
			}
		}
	} else if root, err := json5.Parse(file, data); err == nil { // one that cannot be read holds none for the gateway
		found = configSecrets(root)
	}
	for _, f := range found[:min(len(found), 50)] {
		f.Kind, f.Image, f.Example = deploy.KindDockerfile, true, isExampleFile(file)
		f.Value.Via, f.Value.Pos = []event.Pos{f.Value.Pos}, pos
		st.secrets = append(st.secrets, f)
	}
}

// run looks through the commands of RUN for what installs the product, and for secrets.
func (d *dockerfile) run(st *stage, in instruction) {
	scripts := []deploy.Value{{Text: in.text, Pos: in.at}}
	for _, h := range in.heredoc {
		scripts = append(scripts, deploy.Value{Text: h.text, Pos: event.Pos{File: in.at.File, Line: h.line, Column: 1}})
		if m := writesFile.FindStringSubmatch(in.text); m != nil {
			d.config(h, inDir(st.workdir, m[1]))
		}
	}
	for i, script := range scripts {
		commands := shellCommands(script.Text, script.Pos, st.variable)
		if list, ok := jsonWords(script.Text, script.Pos); ok && i == 0 {
			commands = [][]deploy.Value{list}
		}
		for _, words := range commands {
			if v := installedRelease(words); v.State != deploy.Unset {
				st.installs = true
				if v.Text != "" {
					st.release = v
				}
			}
			for j, w := range words {
				if name, v, ok := assignment(w); ok {
					d.secret(st, name, v, w.Pos)
				}
				if j+1 < len(words) && (w.Text == "gateway.auth.token" || w.Text == "gateway.auth.password") {
					d.secret(st, "OPENCLAW_GATEWAY_"+strings.ToUpper(path.Ext(w.Text)[1:]), words[j+1], words[j+1].Pos)
				}
			}
		}
	}
}

var writesFile = regexp.MustCompile(`(?:>|\btee)\s*["']?([^\s"'<>|;&]+\.json5?)`)

// config is one that the Dockerfile itself holds.
func (d *dockerfile) config(h heredoc, writes string) {
	if !configName(writes) {
		return
	}
	d.s.m.Configs = append(d.s.m.Configs, &deploy.Config{
		File: d.s.name, Data: []byte(h.text), Line: h.line - 1, Writes: writes,
		Pos: event.Pos{File: d.s.name, Line: min(h.line, strings.Count(string(d.s.data), "\n")+1), Column: 1},
	})
}

// installedRelease is the release that a command installs: Unset if it installs none, "" if it does
// not say which.
func installedRelease(words []deploy.Value) deploy.Value {
	if len(words) == 0 {
		return deploy.Value{}
	}
	install, git := false, false
	var found deploy.Value
	for i, w := range words {
		switch w.Text {
		case "install", "i", "add", "npx", "dlx", "bunx":
			install = true
		case "clone":
			git = true
		case "-b", "--branch":
			if git && i+1 < len(words) {
				found = words[i+1]
			}
		}
		if name, version, ok := strings.Cut(w.Text, "@"); install && isProduct(base(name)) {
			v := w
			v.Text = ""
			if _, err := release.Parse(version); ok && err == nil && w.State != deploy.Unknown {
				v.Text = strings.TrimPrefix(version, "v")
			}
			return v
		}
		if git && mentionsProduct(w.Text) && strings.Contains(w.Text, "/") {
			if _, err := release.Parse(found.Text); err != nil {
				found = deploy.Value{State: deploy.Set, Pos: w.Pos}
			}
			found.Text = strings.TrimPrefix(found.Text, "v")
			return found
		}
	}
	return deploy.Value{}
}

// image adds what the last stage is.
func (d *dockerfile) image(st *stage) {
	root := st
	for root.parent != nil {
		root = root.parent
	}
	base := root.base
	im := &deploy.Image{
		Dir: d.dir, File: d.s.name, Release: st.release, Base: base, Env: st.env, Copies: st.copies, Pos: st.pos,
	}
	if im.Release.State == deploy.Unset {
		im.Release = imageRelease(base)
	}
	im.Command, _ = containerCommand(base, st.entrypoint, st.command, st.variable)
	if im.Command == nil {
		im.Command = d.startScript(st)
	}
	im.Gateway = im.Command != nil
	if im.Gateway || st.installs || mentionsProduct(base.Text) {
		for _, s := range st.secrets {
			d.s.addSecret(s)
		}
		if im.Command != nil {
			for _, flag := range []string{"token", "password"} {
				v := im.Command.Flags[flag]
				if v.State == deploy.Set && plainSecret(v.Text) {
					d.s.addSecret(deploy.Secret{What: "gateway " + flag, Kind: deploy.KindDockerfile, Value: v, Image: true})
				}
			}
		}
	}
	switch {
	case isRoot(st.user.Text):
		im.Root = &st.user.Pos
	case st.user.State == deploy.Unset && base.State != deploy.Unknown && !isGatewayImage(base.Text):
		pos := st.commandPos
		if pos.IsZero() {
			pos = st.pos
		}
		im.Root = &pos
	}
	if im.Root != nil && im.Command != nil && im.Command.User.State != deploy.Unset && !isRoot(im.Command.User.Text) {
		im.Root = nil
	}
	d.s.m.Images = append(d.s.m.Images, im)
}

// startScript looks for the gateway in a script of the tree that the image starts.
func (d *dockerfile) startScript(st *stage) *deploy.Command {
	for _, w := range append(append([]deploy.Value{}, st.entrypoint...), st.command...) {
		if len(w.Text) > 4096 || strings.ContainsAny(w.Text, " \n") {
			continue
		}
		name := inDir(st.workdir, w.Text)
		for there, v := range st.copies {
			rest, ok := under(name, there)
			if !ok {
				continue
			}
			file := path.Join(v.Text, rest)
			data, err := d.s.tree.Read(file, MaxFile)
			if err != nil || !mentionsProduct(string(data)) && !strings.Contains(string(data), "gateway") {
				continue
			}
			if c := gatewayScript(shellCommands(string(data), event.Pos{File: file, Line: 1, Column: 1}, st.variable)); c != nil {
				return c
			}
		}
	}
	return nil
}
