package inspect

import (
	"path"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/filetree"
)

// link puts together what readers found in different files: services with the images
// that they build, platforms with the scripts that their images run, gateways with
// the configuration that they read.
func link(m *deploy.Model, tree filetree.Tree) {
	used := map[*deploy.Config]bool{}
	images := map[*deploy.Image]bool{}
	for _, g := range m.Gateways {
		linkImage(m, g, images)
	}
	linkScripts(m)
	runsIn(m)
	for _, i := range m.Images {
		if i.Gateway && !images[i] {
			m.Gateways = append(m.Gateways, fromImage(i))
		}
	}
	m.Gateways = slices.DeleteFunc(m.Gateways, func(g *deploy.Gateway) bool { return g.Candidate })
	for _, g := range m.Gateways {
		// A gateway that does not start without a configuration has one, somewhere: a
		// container keeps what was set up in it until it is made again.
		g.NoConfig = g.NoConfig && (g.Command == nil || g.Command.Flags["allow-unconfigured"].State != deploy.Unset)
		linkConfig(m, tree, g, used)
	}
	for _, g := range m.Gateways {
		if g.Config == nil && len(g.MountsOutside) == 0 && mayTake(g) {
			g.Config = nearest(m, g, used)
			use(g, used)
		}
	}
	for _, c := range m.Configs {
		if !used[c] && !leftOver(m, c) {
			m.Gateways = append(m.Gateways, &deploy.Gateway{Space: deploy.Host, Kind: deploy.KindConfig, Pos: c.Pos, Config: c, Container: deploy.NotKnown})
		}
	}
}

func use(g *deploy.Gateway, used map[*deploy.Config]bool) {
	if g.Config != nil {
		used[g.Config] = true
		g.NoConfig = false
	}
}

// linkImage gives a service what its image has.
func linkImage(m *deploy.Model, g *deploy.Gateway, used map[*deploy.Image]bool) {
	if g.Build == "" {
		return
	}
	for _, i := range m.Images {
		if path.Clean(i.Dir) != path.Clean(g.Build) && i.File != g.Build {
			continue
		}
		used[i] = true
		if !i.Gateway && g.Candidate {
			continue
		}
		g.Candidate = false
		if !g.Release.IsSet() {
			g.Release = i.Release
		}
		if g.Command == nil {
			g.Command = i.Command
		}
		if g.Root == nil {
			g.Root = i.Root
		}
		for name, v := range i.Env {
			if _, ok := g.Env[name]; !ok {
				if g.Env == nil {
					g.Env = map[string]deploy.Value{}
				}
				g.Env[name] = v
			}
		}
		for to, from := range i.Copies {
			if g.Mounts == nil {
				g.Mounts = map[string]string{}
			}
			if _, ok := g.Mounts[to]; !ok {
				g.Mounts[to] = from.Text
			}
		}
		return
	}
}

// linkScripts gives gateways without a command that of the script that starts them:
// the entry point of an image or a platform.
func linkScripts(m *deploy.Model) {
	for _, g := range m.Gateways {
		if g.Command != nil || g.Kind == deploy.KindScript || g.Kind == deploy.KindConfig || g.Space == deploy.Host {
			continue
		}
		for _, s := range m.Gateways {
			if s.Kind != deploy.KindScript || s.Candidate || path.Dir(s.Pos.File) != path.Dir(g.Pos.File) && !strings.HasPrefix(s.Pos.File, path.Dir(g.Pos.File)+"/") && path.Dir(g.Pos.File) != "." {
				continue
			}
			if g.Kind == deploy.KindCompose && g.Image.IsSet() && g.Build == "" {
				continue // the image has an entry point of its own
			}
			g.Command, g.Candidate = s.Command, false
			for name, v := range s.Env {
				if _, ok := g.Env[name]; !ok {
					if g.Env == nil {
						g.Env = map[string]deploy.Value{}
					}
					g.Env[name] = v
				}
			}
			if g.Config == nil {
				g.Config = s.Config
			}
			for _, c := range m.Configs {
				if g.Config == nil && c.File == s.Pos.File {
					g.Config = c
				}
			}
			s.Candidate = true // it is this one
			break
		}
	}
}

// runsIn gives what the script of a container's gateway opens beside it the namespace of
// the container, and leaves the gateway that the script alone describes out.
func runsIn(m *deploy.Model) {
	for _, g := range m.Gateways {
		if g.Candidate || g.Kind == deploy.KindScript || g.Command == nil || g.Space == deploy.Host || g.Command.Pos.File == g.Pos.File {
			continue
		}
		file, alone := g.Command.Pos.File, false
		for _, s := range m.Gateways {
			if s.Kind == deploy.KindScript && s.Pos.File == file {
				s.Candidate, alone = true, true
			}
		}
		if !alone {
			continue
		}
		for _, d := range m.Doors {
			if d.Pos.File != file || d.To.Space != deploy.Host {
				continue
			}
			if d.To.Space = g.Space; d.In.Space == deploy.Host {
				d.In.Space = g.Space
			}
		}
	}
}

// fromImage is the gateway of an image that nothing in the tree runs.
func fromImage(i *deploy.Image) *deploy.Gateway {
	g := &deploy.Gateway{
		Space: deploy.Space("image:" + i.File), Kind: deploy.KindDockerfile, Pos: i.Pos, Container: deploy.Yes,
		Command: i.Command, Env: i.Env, Release: i.Release, Root: i.Root, Mounts: map[string]string{},
	}
	for to, from := range i.Copies {
		g.Mounts[to] = from.Text
	}
	return g
}

// configNames are the names of the configuration, newest first.
func configNames() []string { return []string{"openclaw.json", "clawdbot.json", "moltbot.json"} }

// linkConfig finds the configuration that a gateway's own settings name.
func linkConfig(m *deploy.Model, tree filetree.Tree, g *deploy.Gateway, used map[*deploy.Config]bool) {
	if g.Config != nil {
		use(g, used)
		return
	}
	byFile := func(name string) *deploy.Config {
		for _, c := range m.Configs {
			if c.File == name && c.Name == "" {
				return c
			}
		}
		return nil
	}
	for _, name := range g.ConfigNames {
		for _, c := range m.Configs {
			if c.Name != "" && (c.Name == name || strings.HasSuffix(c.Name, "/"+name)) {
				g.Config = c
				use(g, used)
				return
			}
		}
	}
	var wanted []string
	for _, v := range []string{"OPENCLAW_CONFIG_PATH", "CLAWDBOT_CONFIG_PATH"} {
		if e := g.Env[v]; e.IsSet() {
			wanted = append(wanted, e.Text)
		}
	}
	for _, v := range []string{"OPENCLAW_STATE_DIR", "CLAWDBOT_STATE_DIR"} {
		if e := g.Env[v]; e.IsSet() {
			for _, n := range configNames() {
				wanted = append(wanted, path.Join(e.Text, n))
			}
		}
	}
	explicit := len(wanted) > 0
	for to := range g.Mounts {
		switch base := path.Base(to); {
		case slices.Contains(configNames(), base):
			wanted = append(wanted, to)
		case strings.HasPrefix(base, ".openclaw") || base == ".clawdbot" || base == ".moltbot":
			for _, n := range configNames() {
				wanted = append(wanted, path.Join(to, n))
			}
		}
	}
	slices.Sort(wanted[len(wanted)-max(0, len(wanted)-1):])
	for _, w := range wanted {
		name, ok := inTree(g, w)
		if !ok {
			continue
		}
		if c := byFile(name); c != nil {
			g.Config = c
			use(g, used)
			return
		}
		if _, there := tree.Stat(name); explicit && there {
			return
		}
	}
	if g.Space == deploy.Host && explicit { // a path of the machine: it may be what the tree is a copy of
		for _, w := range wanted {
			for _, c := range m.Configs {
				if c.File == strings.TrimPrefix(w, "/") || strings.HasSuffix(w, "/"+c.File) {
					g.Config = c
					use(g, used)
					return
				}
			}
		}
	}
}

// inTree is where a path of a container is in the tree.
func inTree(g *deploy.Gateway, name string) (string, bool) {
	best := ""
	for to := range g.Mounts {
		if (name == to || strings.HasPrefix(name, strings.TrimRight(to, "/")+"/")) && len(to) > len(best) {
			best = to
		}
	}
	if best == "" {
		return "", false
	}
	return path.Join(g.Mounts[best], strings.TrimPrefix(name, best)), true
}

// mayTake reports whether a gateway that names no configuration may read one that is
// near: one of a container only if its files come from the tree by some way.
func mayTake(g *deploy.Gateway) bool {
	switch g.Kind {
	case deploy.KindCompose, deploy.KindQuadlet:
		return g.Space == deploy.Host && len(g.Mounts) > 0
	}
	return true
}

// nearest is the configuration in the directory of a gateway's file, or the nearest
// below or above it, that no other gateway reads; of another directory only if there is
// no other choice. Where there are several as near it is none: the files do not tell.
func nearest(m *deploy.Model, g *deploy.Gateway, used map[*deploy.Config]bool) *deploy.Config {
	var best *deploy.Config
	score, ties, free := 1<<30, 0, 0
	dir := path.Dir(g.Pos.File)
	for _, c := range m.Configs {
		if used[c] || leftOver(m, c) || c.Name != "" && g.Kind != deploy.KindKubernetes {
			continue
		}
		free++
		d := distance(dir, path.Dir(c.File))
		switch {
		case c.File == g.Pos.File:
			d = -1
		case !related(dir, path.Dir(c.File)):
			d += 1 << 20
		}
		switch {
		case d < score:
			best, score, ties = c, d, 0
		case d == score:
			ties++
		}
	}
	if ties > 0 || score >= 1<<20 && (free > 1 || len(m.Gateways) > 1) {
		return nil
	}
	return best
}

// related reports whether one of two directories is in the other.
func related(a, b string) bool {
	as, bs := parts(a), parts(b)
	n := min(len(as), len(bs))
	return slices.Equal(as[:n], bs[:n])
}

// distance counts the steps between two directories.
func distance(a, b string) int {
	as, bs := parts(a), parts(b)
	n := 0
	for n < len(as) && n < len(bs) && as[n] == bs[n] {
		n++
	}
	return len(as) + len(bs) - 2*n
}

func parts(dir string) []string {
	if dir = path.Clean(dir); dir == "." {
		return nil
	}
	return strings.Split(dir, "/")
}

// leftOver reports whether a configuration is not read because a state directory of
// the newer name is beside it.
func leftOver(m *deploy.Model, c *deploy.Config) bool {
	dir := path.Dir(c.File)
	switch path.Base(dir) {
	case ".clawdbot", ".moltbot", ".moldbot":
	default:
		return false
	}
	for _, o := range m.Configs {
		if path.Dir(path.Dir(o.File)) == path.Dir(dir) && path.Base(path.Dir(o.File)) == ".openclaw" {
			return true
		}
	}
	return false
}
