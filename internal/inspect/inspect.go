package inspect

import (
	"bytes"
	"cmp"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/openclaw"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// Options say what the files of a deployment do not.
type Options struct {
	// Env are variables that the user named with -env.
	Env map[string]deploy.Value
	// StateDir is the path of the state directory in the tree, and Home that of the home
	// directory of the user who runs the gateway, if the user named them.
	StateDir, Home string
	// Running are gateways that run on the machine whose root is the tree: see Running.
	Running []*deploy.Gateway
	Gaps    []deploy.Gap // of those
}

// Deployment is what was read of a tree.
type Deployment struct {
	Model *deploy.Model
	Read  int // files that a reader took

	tree   filetree.Tree
	o      Options
	shared shared
	lines  lines
}

// lines are those of the file that was asked for last: many are asked for of one.
type lines struct {
	file string
	text []byte
	ends []uint32
}

// Limits on what a tree of hostile files can cost.
const (
	maxUnread = 1000
	maxNodes  = 20_000 // of a model, all kinds together
)

// Read reads the files of a tree that it knows into a model. What it cannot read, or
// only in part, is among the model's gaps.
func Read(tree filetree.Tree, o Options) *Deployment {
	d := &Deployment{Model: &deploy.Model{}, tree: tree, o: o}
	all := readers()
	for _, f := range tree.Files() {
		if !f.Mode.IsRegular() || !plausible(f.Name) {
			continue
		}
		if len(d.Model.Gaps) > maxUnread || d.Model.Nodes() > maxNodes {
			d.gap(f.Name, 0, "", "gap.too-much")
			break
		}
		if f.Size > MaxFile {
			if slices.ContainsFunc(all, func(r reader) bool { return r.match(f.Name, nil) }) {
				d.gap(f.Name, 0, "", "gap.too-large")
			}
			continue
		}
		d.file(f, all)
	}
	d.Model.Gateways = append(d.Model.Gateways, o.Running...)
	d.Model.Gaps = append(d.Model.Gaps, o.Gaps...)
	linkProxies(d.Model, tree, o.Env)
	link(d.Model, tree)
	return d
}

// file shows one file to the readers.
func (d *Deployment) file(f filetree.Info, all []reader) {
	data, err := d.tree.Read(f.Name, MaxFile)
	if err != nil {
		if slices.ContainsFunc(all, func(r reader) bool { return r.match(f.Name, nil) }) {
			d.gap(f.Name, 0, "", "gap.unreadable")
		}
		return
	}
	if bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
		return // no text
	}
	for _, r := range all {
		if !r.match(f.Name, data) {
			continue
		}
		d.Read++
		s := &source{name: f.Name, data: data, tree: d.tree, m: d.Model, env: d.o.Env, shared: &d.shared, stateDirAt: d.o.StateDir, home: d.o.Home}
		if err := r.read(s); err != nil {
			d.gap(f.Name, lineOf(err), r.kind, "gap.broken")
		}
		s.addresses(r.kind)
		return
	}
}

func (d *Deployment) gap(file string, line int, kind deploy.Kind, why string) {
	d.Model.Gaps = append(d.Model.Gaps, deploy.Gap{Kind: kind, Why: why, Pos: event.Pos{File: file, Line: max(1, line)}})
}

// lineOf is the line that an error names, or 0.
func lineOf(err error) int {
	var s *strict.Error
	if errors.As(err, &s) {
		return s.Line
	}
	var j *json5.Error
	if errors.As(err, &j) {
		return j.Pos.Line
	}
	return 0
}

// Line returns a line of a file without its end, or "".
func (d *Deployment) Line(p event.Pos) string {
	if l := &d.lines; l.file != p.File {
		data, err := d.tree.Read(p.File, MaxFile)
		if err != nil {
			return ""
		}
		*l = lines{file: p.File, text: data}
		for i, c := range data {
			if c == '\n' {
				l.ends = append(l.ends, uint32(i))
			}
		}
		l.ends = append(l.ends, uint32(len(data)))
	}
	if p.Line < 1 || p.Line > len(d.lines.ends) {
		return ""
	}
	from := uint32(0)
	if p.Line > 1 {
		from = d.lines.ends[p.Line-2] + 1
	}
	return strings.TrimRight(string(d.lines.text[from:d.lines.ends[p.Line-1]]), "\r\n")
}

// plausible reports whether a file can be of a kind that is read, by its name: the
// others, such as pictures and programs, are not opened.
func plausible(name string) bool {
	base := strings.ToLower(path.Base(name))
	switch ext := path.Ext(base); ext {
	case "", ".json", ".json5", ".yaml", ".yml", ".toml", ".ini", ".conf", ".cfg", ".env", ".sh", ".bash", ".service", ".container",
		".pod", ".kube", ".network", ".plist", ".template", ".tmpl", ".tpl", ".j2", ".vhost", ".caddy", ".caddyfile", ".dockerfile", ".bak", ".socket", ".timer":
		return true
	}
	for _, begin := range []string{"dockerfile", "containerfile", "caddyfile", "openclaw.json", "clawdbot.json", "moltbot.json", "procfile", ".env", "docker-compose", "compose", "nginx"} {
		if strings.HasPrefix(base, begin) {
			return true
		}
	}
	dir := path.Base(path.Dir(name))
	return dir == "sites-enabled" || dir == "sites-available"
}

// maxEnv is the most that the product reads of a .env file, in bytes.
const maxEnv = 1 << 20

// Load reads the configuration of a gateway as that release would, with the variables
// that the gateway is started with, and returns all that the gateway then has: those of
// the .env of the state directory and of the configuration itself as well.
func (d *Deployment) Load(c *deploy.Config, start openclaw.Env, r release.Version) (*openclaw.Document, openclaw.Env) {
	var files []map[string]deploy.Value
	if c.State != "" {
		names := []string{path.Join(c.State, ".env")}
		if home := cmp.Or(d.o.Home, path.Dir(c.State)); c.State == path.Join(home, ".openclaw") { // the default one
			names = append(names, path.Join(home, ".config/openclaw/gateway.env"))
		}
		for _, name := range names {
			if data, err := d.tree.Read(name, maxEnv); err == nil {
				files = append(files, openclaw.DotEnv(name, data))
			}
		}
	}
	env := openclaw.Environment(start, files...)
	doc := openclaw.Load(c, d.tree, env, r)
	d.included(doc)
	return doc, doc.Environment(env)
}

// included notes the modes of files that a configuration includes.
func (d *Deployment) included(doc *openclaw.Document) {
	if !d.tree.Modes() {
		return
	}
	known := map[string]bool{}
	for _, f := range d.Model.Files {
		known[f.Path] = true
	}
	for _, name := range doc.Included {
		if info, ok := d.tree.Stat(name); ok && !known[name] {
			known[name] = true
			d.Model.Files = append(d.Model.Files, deploy.File{Path: name, Mode: uint32(info.Mode.Perm()), UID: info.UID, What: deploy.IncludeFile})
		}
	}
}
