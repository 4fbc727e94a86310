package inspect

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/filetree"
)

// linkProxies adds what proxies' files say only together with others: the doors of
// Traefik, and in which container a proxy runs. All files must have been read.
func linkProxies(m *deploy.Model, tree filetree.Tree, env map[string]deploy.Value) {
	linkTraefik(m, tree, env)
	spaces := slices.Sorted(maps.Keys(m.Spaces))
	in := map[string]deploy.Space{} // by file
	for _, d := range m.Doors {
		if d.Kind != deploy.KindNginx && d.Kind != deploy.KindCaddy || d.In.Space != deploy.Host {
			continue
		}
		for _, file := range []string{d.In.Pos.File, d.Pos.File} {
			space, known := in[file]
			if !known {
				for _, s := range spaces {
					if s != deploy.Host && hasFile(m, m.Spaces[s], file) {
						space = s
						break
					}
				}
				in[file] = space
			}
			if space != "" {
				d.In.Space, d.To.Space = space, space
				break
			}
		}
	}
}

// proxyPlace are places of a container from which proxies read their configuration.
var proxyPlace = regexp.MustCompile(`(?i)^/etc(/|$)|nginx|caddy`)

// hasFile reports whether a container has a file where a proxy reads it: mounted, or
// copied into its image.
func hasFile(m *deploy.Model, info *deploy.SpaceInfo, file string) bool {
	holds := func(from, to string) bool {
		return proxyPlace.MatchString(to) && (from == file || from == "." || strings.HasPrefix(file, strings.TrimSuffix(from, "/")+"/"))
	}
	for to, from := range info.Mounts {
		if holds(from, to) {
			return true
		}
	}
	for _, i := range m.Images {
		if info.Build == "" || path.Clean(i.Dir) != path.Clean(info.Build) {
			continue
		}
		for to, from := range i.Copies {
			if holds(from.Text, to) {
				return true
			}
		}
	}
	return false
}
