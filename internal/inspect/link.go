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
	byDir, byFile := map[string][]int{}, map[string][]int{}
	for n, i := range m.Images {
		byDir[path.Clean(i.Dir)] = append(byDir[path.Clean(i.Dir)], n)
		byFile[i.File] = append(byFile[i.File], n)
	}
	for _, g := range m.Gateways {
		if g.Build != "" {
			own := slices.Concat(byDir[path.Clean(g.Build)], byFile[g.Build])
			if g.BuildFile != "" {
				own = byFile[g.BuildFile]
			}
			slices.Sort(own)
			linkImage(m, g, slices.Compact(own), images)
		}
	}
	linkScripts(m)
	runsIn(m)
	for _, i := range m.Images {
		if i.Gateway && !images[i] {
			m.Gateways = append(m.Gateways, fromImage(i))
		}
	}
	m.Gateways = slices.DeleteFunc(m.Gateways, func(g *deploy.Gateway) bool { return g.Candidate })
	files := map[string]*deploy.Config{} // that are files of their own
	for _, c := range m.Configs {
		if c.Name == "" && files[c.File] == nil {
			files[c.File] = c
		}
	}
	for _, g := range m.Gateways {
		// A gateway that does not start without a configuration has one, somewhere: a
		// container keeps what was set up in it until it is made again.
		g.NoConfig = g.NoConfig && (g.Command == nil || g.Command.Flags["allow-unconfigured"].State != deploy.Unset)
		linkConfig(m, tree, g, files, used)
	}
	left := leftOver(m)
	dirs := make([][]string, len(m.Configs))
	for i, c := range m.Configs {
		dirs[i] = parts(path.Dir(c.File))
	}
	mergeRunning(m)
	for _, g := range m.Gateways {
		if g.Config == nil && len(g.MountsOutside) == 0 && mayTake(g) {
			g.Config = nearest(m, g, dirs, func(c *deploy.Config) bool { return used[c] || left[c] })
			use(g, used)
		}
	}
	for _, c := range m.Configs {
		if !used[c] && !left[c] {
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

// linkImage gives a service what its image has: the first of those that it may be.
func linkImage(m *deploy.Model, g *deploy.Gateway, own []int, used map[*deploy.Image]bool) {
	for _, n := range own {
		i := m.Images[n]
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
		addEnv(g, i.Env)
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

// addEnv gives a gateway the variables that it has not.
func addEnv(g *deploy.Gateway, env map[string]deploy.Value) {
	if g.Env == nil {
		g.Env = map[string]deploy.Value{}
	}
	for name, v := range env {
		if _, ok := g.Env[name]; !ok {
			g.Env[name] = v
		}
	}
}

// linkScripts gives gateways without a command that of the script that starts them:
// the entry point of an image or a platform.
func linkScripts(m *deploy.Model) {
	var scripts []*deploy.Gateway
	for _, g := range m.Gateways {
		if g.Kind == deploy.KindScript {
			scripts = append(scripts, g)
		}
	}
	for _, g := range m.Gateways {
		if g.Command != nil || g.Kind == deploy.KindScript || g.Kind == deploy.KindConfig || g.Space == deploy.Host {
			continue
		}
		if g.Kind == deploy.KindCompose && g.Image.IsSet() && g.Build == "" {
			continue // the image has an entry point of its own
		}
		dir := path.Dir(g.Pos.File) + "/"
		for _, s := range scripts {
			if s.Candidate || dir != "./" && !strings.HasPrefix(s.Pos.File, dir) {
				continue
			}
			g.Command, g.Candidate = s.Command, false
			addEnv(g, s.Env)
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
	scripts, doors := map[string][]*deploy.Gateway{}, map[string][]*deploy.Door{} // by file
	for _, s := range m.Gateways {
		if s.Kind == deploy.KindScript {
			scripts[s.Pos.File] = append(scripts[s.Pos.File], s)
		}
	}
	for _, d := range m.Doors {
		doors[d.Pos.File] = append(doors[d.Pos.File], d)
	}
	for _, g := range m.Gateways {
		if g.Candidate || g.Kind == deploy.KindScript || g.Command == nil || g.Space == deploy.Host || g.Command.Pos.File == g.Pos.File {
			continue
		}
		file := g.Command.Pos.File
		for _, s := range scripts[file] {
			s.Candidate = true
		}
		if len(scripts[file]) == 0 {
			continue
		}
		for _, d := range doors[file] {
			if d.To.Space != deploy.Host {
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
func linkConfig(m *deploy.Model, tree filetree.Tree, g *deploy.Gateway, files map[string]*deploy.Config, used map[*deploy.Config]bool) {
	if g.Config != nil {
		use(g, used)
		return
	}
	if g.Kind == deploy.KindProcess {
		linkRunning(m, g)
		use(g, used)
		return
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
		if c := files[name]; c != nil {
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
	case deploy.KindProcess:
		return false // it says which one it reads
	}
	return true
}

// nearest is the configuration in the directory of a gateway's file, or the nearest
// below or above it, that no other gateway reads; of another directory only if there is
// no other choice. Where there are several as near it is none: the files do not tell.
func nearest(m *deploy.Model, g *deploy.Gateway, dirs [][]string, taken func(*deploy.Config) bool) *deploy.Config {
	var best *deploy.Config
	score, ties, free := 1<<30, 0, 0
	dir := parts(path.Dir(g.Pos.File))
	for i, c := range m.Configs {
		if taken(c) || c.Name != "" && g.Kind != deploy.KindKubernetes {
			continue
		}
		free++
		d := distance(dir, dirs[i])
		switch {
		case c.File == g.Pos.File:
			d = -1
		case !related(dir, dirs[i]):
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
func related(as, bs []string) bool {
	n := min(len(as), len(bs))
	return slices.Equal(as[:n], bs[:n])
}

// distance counts the steps between two directories.
func distance(as, bs []string) int {
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

// leftOver are the configurations that are not read because a state directory of the
// newer name is beside theirs.
func leftOver(m *deploy.Model) map[*deploy.Config]bool {
	newer := map[string]bool{} // what has a state directory of the newest name
	for _, c := range m.Configs {
		if dir := path.Dir(c.File); path.Base(dir) == ".openclaw" {
			newer[path.Dir(dir)] = true
		}
	}
	out := map[*deploy.Config]bool{}
	for _, c := range m.Configs {
		dir := path.Dir(c.File)
		switch path.Base(dir) {
		case ".clawdbot", ".moltbot", ".moldbot":
			out[c] = newer[path.Dir(dir)]
		}
	}
	return out
}
