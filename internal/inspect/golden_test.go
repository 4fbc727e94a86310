package inspect

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/strict"
)

var update = flag.Bool("update", false, "write what the readers say as what they should")

// modelGoldens reads every archive testdata/DIR/*.txtar with the readers given and compares the model
// with the archive's file "model", which is not among what is read.
func modelGoldens(t *testing.T, dir string, with ...reader) {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tree := map[string]string{}
			want := ""
			archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool {
				if f.Name == "model" {
					want = string(f.Data)
				} else {
					tree[f.Name] = string(f.Data)
				}
				return f.Name == "model"
			})
			got := modelText(readModel(tree, with...))
			if *update {
				archive.Files = append(archive.Files, txtar.File{Name: "model", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// readModel shows files to readers, as the inspection does.
func readModel(files map[string]string, with ...reader) *deploy.Model {
	tree := filetree.Map(files)
	m := &deploy.Model{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, r := range with {
			if !r.match(name, []byte(files[name])) {
				continue
			}
			s := &source{name: name, data: []byte(files[name]), tree: tree, m: m}
			if err := r.read(s); err != nil {
				at := event.Pos{File: name, Line: 1}
				var where *strict.Error
				if errors.As(err, &where) {
					at.Line = where.Line
				}
				m.Gaps = append(m.Gaps, deploy.Gap{Kind: r.kind, Why: err.Error(), Pos: at})
			}
			break
		}
	}
	return m
}

func posText(p event.Pos) string {
	if p.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

func valueText(v deploy.Value) string {
	if v.State == deploy.Unset {
		return "-"
	}
	state := [...]string{"", "", "assumed ", "present ", "unknown "}[v.State]
	text := fmt.Sprintf("%s%q %s", state, v.Text, posText(v.Pos))
	for _, via := range v.Via {
		text += " via " + posText(via)
	}
	return text
}

// modelText shows what readers have added to a model, a line each.
func modelText(m *deploy.Model) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	values := func(what string, vs map[string]deploy.Value) {
		for _, k := range slices.Sorted(maps.Keys(vs)) {
			p("  %s %s = %s", what, k, valueText(vs[k]))
		}
	}
	command := func(c *deploy.Command) {
		if c == nil {
			return
		}
		var words []string
		for _, a := range c.Args {
			words = append(words, a.Text)
		}
		p("  command %q %s", words, posText(c.Pos))
		values("flag", c.Flags)
		values("command env", c.Env)
		if c.User.State != deploy.Unset {
			p("  command user %s", valueText(c.User))
		}
	}
	for _, s := range slices.Sorted(maps.Keys(m.Spaces)) {
		i := m.Spaces[s]
		p("space %s domain %q names %q container %v %s", s, i.Domain, i.Names, i.Container, posText(i.Pos))
		if len(i.Addresses) > 0 {
			p("  addresses %q", i.Addresses)
		}
		for _, k := range slices.Sorted(maps.Keys(i.Labels)) {
			p("  label %s = %q %s", k, i.Labels[k], posText(i.LabelPos[k]))
		}
		for _, k := range slices.Sorted(maps.Keys(i.Ports)) {
			p("  port %s = %d", k, i.Ports[k])
		}
	}
	for _, g := range m.Gateways {
		p("gateway %q in %s %s at %s", g.Name, g.Space, posText(g.SpacePos), posText(g.Pos))
		p("  kind %s candidate %v noconfig %v container %v", g.Kind, g.Candidate, g.NoConfig, g.Container == deploy.Yes)
		p("  image %s", valueText(g.Image))
		p("  release %s", valueText(g.Release))
		if g.Build != "" || g.BuildFile != "" {
			p("  build %q %q", g.Build, g.BuildFile)
		}
		command(g.Command)
		values("env", g.Env)
		for _, e := range g.EnvFrom {
			p("  env from %s", posText(e))
		}
		for _, k := range slices.Sorted(maps.Keys(g.Mounts)) {
			p("  mount %s = %s", k, g.Mounts[k])
		}
		if len(g.MountsOutside) > 0 {
			p("  outside %q", g.MountsOutside)
		}
		if len(g.ConfigNames) > 0 {
			p("  configs %q", g.ConfigNames)
		}
		if g.Root != nil {
			p("  root %s", posText(*g.Root))
		}
	}
	for _, i := range m.Images {
		p("image %q %q gateway %v %s", i.Dir, i.File, i.Gateway, posText(i.Pos))
		p("  base %s", valueText(i.Base))
		p("  release %s", valueText(i.Release))
		command(i.Command)
		values("env", i.Env)
		values("copy", i.Copies)
		if i.Root != nil {
			p("  root %s", posText(*i.Root))
		}
	}
	for _, c := range m.Configs {
		p("config %s %q +%d +%d %s: %d bytes", c.File, c.Name, c.Line, c.Column, posText(c.Pos), len(c.Data))
	}
	for _, d := range m.Doors {
		p("door %s %q %s", d.Kind, d.Name, posText(d.Pos))
		var names []string
		for _, n := range d.In.Names {
			names = append(names, n.Text)
		}
		p("  in %s %q %d %s %q %s", d.In.Space, d.In.Address, d.In.Port, d.In.Reach, names, posText(d.In.Pos))
		p("  to %s %q %d %q %v tls %v", d.To.Space, d.To.Host, d.To.Port, d.To.Name, d.To.Select, d.To.TLS)
		p("  path %q bytes %v transparent %v tls %d", d.Path, d.Bytes, d.Transparent, d.TLS)
		for _, k := range slices.Sorted(maps.Keys(d.Headers)) {
			h := d.Headers[k]
			p("  header %s does %d from %d %s", k, h.Does, h.From, posText(h.Pos))
		}
		if d.Login != nil {
			p("  login %s unproven %v %s", d.Login.Kind, d.Login.Unproven, posText(d.Login.Pos))
		}
	}
	for _, s := range m.Secrets {
		p("secret %s %s image %v example %v %s", s.What, s.Kind, s.Image, s.Example, valueText(s.Value))
	}
	for _, g := range m.Gaps {
		p("gap %s %s %s", g.Kind, g.Why, posText(g.Pos))
	}
	return b.String()
}

// checkPlaces fails if a position of a model is not in its file.
func checkPlaces(t *testing.T, m *deploy.Model, files map[string]string) {
	lines := map[string]int{}
	for name, text := range files {
		lines[name] = strings.Count(text, "\n") + 1
	}
	in := func(what string, p event.Pos) {
		n, ok := lines[p.File]
		if !p.IsZero() && (!ok || p.Line < 1 || p.Line > n || p.Column < 0) {
			t.Errorf("%s at %s: outside of the file", what, posText(p))
		}
	}
	all := func(what string, vs map[string]deploy.Value) {
		for _, v := range vs {
			in(what, v.Pos)
		}
	}
	for _, g := range m.Gateways {
		in("gateway", g.Pos)
		in("space", g.SpacePos)
		in("image", g.Image.Pos)
		all("env", g.Env)
		if g.Command != nil {
			in("command", g.Command.Pos)
			all("flag", g.Command.Flags)
			for _, a := range g.Command.Args {
				in("word", a.Pos)
			}
		}
		if g.Root != nil {
			in("root", *g.Root)
		}
	}
	for _, i := range m.Images {
		in("image", i.Pos)
		all("env", i.Env)
		all("copy", i.Copies)
		if i.Root != nil {
			in("root", *i.Root)
		}
	}
	for _, d := range m.Doors {
		in("door", d.Pos)
		in("listen", d.In.Pos)
	}
	for _, s := range m.Secrets {
		in("secret", s.Value.Pos)
	}
	for _, g := range m.Gaps {
		in("gap", g.Pos)
	}
	for _, c := range m.Configs {
		in("config", c.Pos)
	}
	if n := len(m.Doors) + len(m.Gateways) + len(m.Secrets) + len(m.Gaps); n > 50_000 {
		t.Error(errors.New("too much"), n)
	}
}
