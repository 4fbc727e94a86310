package inspect

import (
	"flag"
	"fmt"
	"io/fs"
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
)

// readProxies reads the files of a tree with readers.
func readProxies(with []reader, tree filetree.Tree, env map[string]deploy.Value) *deploy.Model {
	m := &deploy.Model{}
	for _, info := range tree.Files() {
		data, err := tree.Read(info.Name, MaxFile)
		i := slices.IndexFunc(with, func(r reader) bool { return r.match(info.Name, data) })
		if err != nil || !info.Mode.IsRegular() || i < 0 {
			continue
		}
		if err := with[i].read(&source{name: info.Name, data: data, tree: tree, m: m, env: env}); err != nil {
			m.Gaps = append(m.Gaps, deploy.Gap{Kind: with[i].kind, Why: "error: " + err.Error(), Pos: event.Pos{File: info.Name}})
		}
	}
	return m
}

func proxyPos(p event.Pos) string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

var (
	doesWords = map[deploy.Does]string{deploy.Passes: "passes", deploy.Sets: "sets", deploy.Appends: "appends", deploy.Removes: "removes"}
	fromWords = map[deploy.Source]string{deploy.FromElse: "else", deploy.FromPeer: "peer", deploy.FromLogin: "login", deploy.FromClient: "client", deploy.FromConst: "const"}
)

// proxyText writes what doors, secrets and gaps there are, one line each.
func proxyText(m *deploy.Model) string {
	var b strings.Builder
	for _, d := range m.Doors {
		fmt.Fprintf(&b, "%s %s", d.Kind, proxyPos(d.Pos))
		fmt.Fprintf(&b, " | in %s %s:%d %s", d.In.Space, d.In.Address, d.In.Port, proxyPos(d.In.Pos))
		if d.In.Reach != "" {
			fmt.Fprintf(&b, " reach=%s", d.In.Reach)
		}
		for _, n := range d.In.Names {
			fmt.Fprintf(&b, " name=%s@%s", n.Text, proxyPos(n.Pos))
		}
		fmt.Fprintf(&b, " tls=%s", map[deploy.Tri]string{deploy.NotKnown: "?", deploy.Yes: "yes", deploy.No: "no"}[d.TLS])
		fmt.Fprintf(&b, " | to %s %s:%d", d.To.Space, d.To.Host, d.To.Port)
		if d.To.TLS {
			b.WriteString(" tls")
		}
		if d.Path != "" {
			fmt.Fprintf(&b, " path=%s", d.Path)
		}
		if d.Bytes {
			b.WriteString(" bytes")
		}
		if d.DropsOthers {
			b.WriteString(" drops")
		}
		if d.Login != nil {
			fmt.Fprintf(&b, " login=%s@%s", d.Login.Kind, proxyPos(d.Login.Pos))
			if d.Login.Unproven {
				b.WriteString("?")
			}
		}
		for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
			h := d.Headers[name]
			fmt.Fprintf(&b, "\n  %s %s", name, doesWords[h.Does])
			if h.Does == deploy.Sets {
				fmt.Fprintf(&b, " %s", fromWords[h.From])
			}
			if h.Secret != nil {
				fmt.Fprintf(&b, " secret(%d)=%q", h.Secret.State, h.Secret.Text)
			}
			fmt.Fprintf(&b, " %s", proxyPos(h.Pos))
		}
		b.WriteString("\n")
	}
	for _, s := range m.Secrets {
		fmt.Fprintf(&b, "secret %s %s %q %s\n", s.Kind, s.What, s.Value.Text, proxyPos(s.Value.Pos))
	}
	for _, g := range m.Gaps {
		fmt.Fprintf(&b, "gap %s %s %s\n", g.Kind, g.Why, proxyPos(g.Pos))
	}
	return b.String()
}

var updateExamples = flag.Bool("update-examples", false, "write what is read into the examples")

// proxyModel reads a tree.
type proxyModel func(filetree.Tree, map[string]deploy.Value) *deploy.Model

// oneReader reads a tree with one reader.
func oneReader(r reader) proxyModel {
	return func(tree filetree.Tree, env map[string]deploy.Value) *deploy.Model {
		return readProxies([]reader{r}, tree, env)
	}
}

// readExamples reads testdata/DIR/*.txtar: files, and as "want" what is in the model
// after. "NAME -> OTHER" is a link. A file "env" holds variables that the user named.
func readExamples(t *testing.T, dir string, read proxyModel) {
	names, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(names) == 0 {
		t.Fatal("no examples", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			tree, env, want := example(a)
			got := proxyText(read(tree, env))
			if *updateExamples {
				a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
				a.Files = append(a.Files, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func example(a *txtar.Archive) (tree filetree.Tree, env map[string]deploy.Value, want string) {
	files, modes := map[string]string{}, map[string]fs.FileMode{}
	env = map[string]deploy.Value{}
	for _, f := range a.Files {
		switch f.Name {
		case "want":
			want = string(f.Data)
		case "env":
			for i, line := range strings.Split(strings.TrimSpace(string(f.Data)), "\n") {
				name, value, _ := strings.Cut(line, "=")
				env[name] = deploy.Value{State: deploy.Set, Text: value, Pos: event.Pos{File: "env", Line: i + 1, Column: 1}}
			}
		default:
			name, link, ok := strings.Cut(f.Name, " -> ")
			if files[name] = string(f.Data); ok {
				files[name], modes[name] = link, fs.ModeSymlink|0o777
			}
		}
	}
	return filetree.Map(files, modes), env, want
}

// fuzzProxy reads anything in a file named LIKE, with the files of testdata/DIR/*.txtar as seeds: no panic,
// no more than the bounds, and only positions that are within the file.
func fuzzProxy(f *testing.F, dir, like string, read proxyModel) {
	names, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		tree, _, _ := example(a)
		for _, info := range tree.Files() {
			data, _ := tree.Read(info.Name, MaxFile)
			f.Add(string(data))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 64<<10 {
			t.Skip()
		}
		name := "dir/" + like
		m := read(filetree.Map(map[string]string{name: text}), nil)
		lines := strings.Split(text, "\n")
		within := func(p event.Pos) {
			if p.IsZero() {
				return
			}
			if p.File != name || p.Line < 0 || p.Line > len(lines) || p.Line > 0 && p.Column > 2*len(lines[p.Line-1])+2 {
				t.Errorf("position %s is not in the file", proxyPos(p))
			}
		}
		if len(m.Doors) > 5000 || len(m.Gaps) > 10000 {
			t.Errorf("%d doors, %d gaps", len(m.Doors), len(m.Gaps))
		}
		for _, d := range m.Doors {
			within(d.Pos)
			within(d.In.Pos)
			for _, n := range d.In.Names {
				within(n.Pos)
			}
			for _, h := range d.Headers {
				within(h.Pos)
			}
			if d.Login != nil {
				within(d.Login.Pos)
			}
		}
		for _, s := range m.Secrets {
			within(s.Value.Pos)
		}
		for _, g := range m.Gaps {
			within(g.Pos)
		}
	})
}
