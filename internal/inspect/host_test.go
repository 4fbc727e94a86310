package inspect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/filetree"
)

// readAll reads files with the readers of this part.
func readAll(t *testing.T, tree filetree.Tree) *deploy.Model {
	t.Helper()
	m := &deploy.Model{}
	for _, f := range tree.Files() {
		data, err := tree.Read(f.Name, MaxFile)
		if err != nil {
			continue
		}
		for _, r := range readers() {
			if !r.match(f.Name, data) {
				continue
			}
			if err := r.read(&source{name: f.Name, data: data, tree: tree, m: m}); err != nil {
				m.Gaps = append(m.Gaps, deploy.Gap{Kind: r.kind, Why: err.Error()})
			}
			break
		}
	}
	return m
}

// at is a position as LINE or, of another file than the one that is meant, FILE:LINE.
func at(p event.Pos, file string) string {
	if p.IsZero() {
		return "-"
	}
	if p.File == file {
		return fmt.Sprint(p.Line)
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

func tell(v deploy.Value) string {
	switch v.State {
	case deploy.Unset:
		return "unset"
	case deploy.Assumed:
		return v.Text + "~"
	case deploy.Present:
		return "present"
	case deploy.Unknown:
		return "?"
	}
	return v.Text
}

// sketch is a model in lines that a table can hold.
func sketch(m *deploy.Model) string {
	var b strings.Builder
	for _, d := range m.Doors {
		file := d.Pos.File
		fmt.Fprintf(&b, "door %s@%s", d.Kind, at(d.Pos, ""))
		if d.Name != "" {
			fmt.Fprintf(&b, " name=%s", d.Name)
		}
		fmt.Fprintf(&b, " in=%s:%d@%s", d.In.Address, d.In.Port, at(d.In.Pos, file))
		if d.In.Reach != "" {
			fmt.Fprintf(&b, " %s", d.In.Reach)
		}
		for _, n := range d.In.Names {
			fmt.Fprintf(&b, " %s", tell(n))
		}
		fmt.Fprintf(&b, " to=%s:%d", d.To.Host, d.To.Port)
		if d.To.TLS {
			b.WriteString(" tls")
		}
		if d.Path != "" {
			fmt.Fprintf(&b, " path=%s", d.Path)
		}
		if d.Bytes {
			fmt.Fprintf(&b, " bytes@%s", at(d.BytesPos, file))
		}
		if h, ok := d.Headers["x-forwarded-for"]; ok {
			fmt.Fprintf(&b, " xff=%d", h.Does)
		}
		if d.Login != nil {
			fmt.Fprintf(&b, " login=%s@%s", d.Login.Kind, at(d.Login.Pos, file))
			if d.Login.Unproven {
				b.WriteString("?")
			}
		}
		fmt.Fprintf(&b, " tls=%d\n", d.TLS)
	}
	for _, g := range m.Gateways {
		file := g.Pos.File
		fmt.Fprintf(&b, "gateway %s@%s %s", g.Kind, at(g.Pos, ""), g.Name)
		if g.Space != deploy.Host {
			fmt.Fprintf(&b, " space=%s", g.Space)
		}
		if g.Candidate {
			b.WriteString(" candidate")
		}
		if g.Image.State != deploy.Unset {
			fmt.Fprintf(&b, " image=%s", tell(g.Image))
		}
		if g.Release.State != deploy.Unset {
			fmt.Fprintf(&b, " release=%s", tell(g.Release))
		}
		if g.Root != nil {
			fmt.Fprintf(&b, " root@%s", at(*g.Root, file))
		}
		if g.Command != nil {
			for _, name := range slices.Sorted(maps.Keys(g.Command.Flags)) {
				fmt.Fprintf(&b, " --%s=%s@%s", name, tell(g.Command.Flags[name]), at(g.Command.Flags[name].Pos, file))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(g.Env)) {
			fmt.Fprintf(&b, " %s=%s@%s", name, tell(g.Env[name]), at(g.Env[name].Pos, file))
		}
		for _, p := range g.EnvFrom {
			fmt.Fprintf(&b, " more@%s", at(p, file))
		}
		for _, name := range slices.Sorted(maps.Keys(g.Mounts)) {
			fmt.Fprintf(&b, " %s<-%s", name, g.Mounts[name])
		}
		for _, name := range g.MountsOutside {
			fmt.Fprintf(&b, " %s<-outside", name)
		}
		b.WriteString("\n")
	}
	for _, c := range m.Configs {
		fmt.Fprintf(&b, "config %s@%d+%d,%d writes=%s state=%s %q\n", c.File, c.Pos.Line, c.Line, c.Column, c.Writes, c.State, c.Data)
	}
	for _, r := range m.Releases {
		fmt.Fprintf(&b, "release %s@%s\n", tell(r), at(r.Pos, ""))
	}
	for _, s := range m.Secrets {
		fmt.Fprintf(&b, "secret %s@%s", s.What, at(s.Value.Pos, ""))
		if s.Example {
			b.WriteString(" example")
		}
		b.WriteString("\n")
	}
	for _, f := range m.Files {
		fmt.Fprintf(&b, "file %s %o %s\n", f.Path, f.Mode, f.What)
	}
	for _, g := range m.Gaps {
		fmt.Fprintf(&b, "gap %s %s@%s\n", g.Kind, g.Why, at(g.Pos, ""))
	}
	return strings.ReplaceAll(b.String(), "@:", "@")
}

// hostCases checks models of small trees.
func hostCases(t *testing.T, cases map[string]struct {
	files map[string]string
	want  string
}) {
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			got := sketch(readAll(t, filetree.Map(tt.files)))
			if strings.TrimSpace(got) != strings.TrimSpace(tt.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
