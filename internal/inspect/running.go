package inspect

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
)

// Places are the paths on this machine of the state directories and configurations of
// gateways that run on it.
func Places(running []*deploy.Gateway) []string {
	var out []string
	for _, g := range running {
		for _, file := range reads(g) {
			if dir := path.Dir(file); dir != "/" && g.Env["OPENCLAW_CONFIG_PATH"].Text == "" {
				file = dir
			}
			if !slices.Contains(out, file) {
				out = append(out, file)
			}
		}
	}
	return out
}

// reads are the absolute paths of the configurations that a gateway takes by its
// variables and flags, the first that is there; none if they do not tell.
func reads(g *deploy.Gateway) []string {
	variable := func(name string) string {
		if v := g.Env[name]; v.IsSet() {
			return v.Text
		}
		return ""
	}
	home := cmp.Or(variable("OPENCLAW_HOME"), variable("HOME"))
	var files []string
	state, profile := variable("OPENCLAW_STATE_DIR"), variable("OPENCLAW_PROFILE")
	if g.Command != nil && g.Command.Flags["profile"].IsSet() {
		profile = g.Command.Flags["profile"].Text
	}
	switch file := variable("OPENCLAW_CONFIG_PATH"); {
	case file != "":
		files = []string{file}
	case state != "":
		files = []string{path.Join(state, "openclaw.json")}
	case home == "":
	case profile != "" && profile != "default":
		files = []string{path.Join(home, ".openclaw-"+profile, "openclaw.json")}
	default:
		files = []string{path.Join(home, ".openclaw/openclaw.json"), path.Join(home, ".clawdbot/clawdbot.json"), path.Join(home, ".moltbot/moltbot.json")}
	}
	for i, file := range files {
		if rest, ok := strings.CutPrefix(file, "~/"); ok && home != "" {
			files[i] = path.Join(home, rest)
		}
	}
	return slices.DeleteFunc(files, func(file string) bool { return !path.IsAbs(file) })
}

// mergeRunning makes one gateway of a running program and of the unit that starts it: of
// what runs, with the places in the unit where both say the same. Those alone stand for
// themselves, by their configuration where that is known: numbers of programs change.
func mergeRunning(m *deploy.Model) {
	var out []*deploy.Gateway
	for _, g := range m.Gateways {
		if g.Kind != deploy.KindProcess {
			out = append(out, g)
		}
	}
	for _, p := range m.Gateways {
		if p.Kind != deploy.KindProcess {
			continue
		}
		if g := sameGateway(out, p); g != nil {
			overlay(g, p)
			continue
		}
		if p.Config != nil {
			p.Pos, p.Name = p.Config.Pos, ""
		}
		out = append(out, p)
	}
	m.Gateways = out
}

// sameGateway is the gateway among those of this machine that a program is: of the same
// port and configuration; nearest to the configuration, where theirs is not known.
func sameGateway(all []*deploy.Gateway, p *deploy.Gateway) *deploy.Gateway {
	var best *deploy.Gateway
	score := 1 << 30
	for _, g := range all {
		if g.Space != deploy.Host || g.Kind == deploy.KindConfig || g.Kind == deploy.KindScript {
			continue
		}
		a, b := portGiven(g), portGiven(p)
		if a.State != deploy.Unknown && b.State != deploy.Unknown && a.Text != b.Text {
			continue
		}
		named, wanted := reads(g), reads(p)
		n := 0
		switch {
		case g.Config != nil && p.Config != nil:
			if g.Config != p.Config {
				continue
			}
		case len(named) > 0 && len(wanted) > 0 && named[0] != wanted[0]:
			continue
		case g.Config == nil && p.Config != nil:
			n = 1 + distance(parts(path.Dir(g.Pos.File)), parts(path.Dir(p.Config.File)))
		default:
			n = 1
		}
		if n < score {
			best, score = g, n
		}
	}
	return best
}

// portGiven is what a gateway is told of its port, besides its configuration.
func portGiven(g *deploy.Gateway) deploy.Value {
	if g.Command != nil {
		if v, ok := g.Command.Flags["port"]; ok {
			return v
		}
	}
	return g.Env["OPENCLAW_GATEWAY_PORT"]
}

// overlay gives a gateway what a running program shows of it. A setting that is the same
// in both keeps the place where it can be changed.
func overlay(g, p *deploy.Gateway) {
	keep := func(old, now map[string]deploy.Value) map[string]deploy.Value {
		out := map[string]deploy.Value{}
		for name, v := range now {
			if was, ok := old[name]; ok && (v.State == deploy.Unknown || was.Text == v.Text) {
				v = was
			}
			out[name] = v
		}
		return out
	}
	if p.Command != nil {
		now := *p.Command
		if g.Command != nil {
			now.Flags = keep(g.Command.Flags, p.Command.Flags)
			now.Pos = g.Command.Pos
		}
		g.Command = &now
	}
	if len(p.EnvFrom) == 0 { // all of its variables are known
		g.Env, g.EnvFrom = keep(g.Env, p.Env), nil
		if g.Command != nil {
			g.Command.Env = nil // they are among them
		}
	}
	if p.Config != nil {
		g.Config, g.NoConfig = p.Config, false
	}
}

// linkRunning finds the configuration of a running program: the one that it names, or the
// only one there is if its variables may not be read.
func linkRunning(m *deploy.Model, p *deploy.Gateway) {
	for _, file := range reads(p) {
		for _, c := range m.Configs {
			if c.Name == "" && c.File == strings.TrimPrefix(path.Clean(file), "/") {
				p.Config = c
				return
			}
		}
	}
	if len(p.EnvFrom) > 0 && len(m.Configs) == 1 {
		p.Config = m.Configs[0]
	}
}
