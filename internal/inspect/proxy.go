package inspect

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

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
		place := proxyPlaces()[d.Kind]
		if place == nil || d.To.Space != deploy.Host {
			continue
		}
		for _, file := range []string{d.In.Pos.File, d.Pos.File} {
			space, known := in[file]
			if !known {
				for _, s := range spaces {
					if s != deploy.Host && hasFile(m, m.Spaces[s], file, place) {
						space = s
						break
					}
				}
				in[file] = space
			}
			if space != "" {
				if d.To.Space = space; d.In.Space == deploy.Host {
					d.In.Space = space
				}
				break
			}
		}
	}
	for _, d := range m.Doors {
		if proxyPlaces()[d.Kind] != nil && d.To.Space == deploy.Host {
			byName(m, spaces, d)
		}
	}
}

// byName finds the container that a proxy names by the name of a service, where no file
// says in which container the proxy runs: that of the project nearest to its file.
func byName(m *deploy.Model, spaces []deploy.Space, d *deploy.Door) {
	if d.To.Host == "" || strings.ContainsAny(d.To.Host, ".:") || loopback(d.To.Host) {
		return
	}
	var found deploy.Space
	best, several := 1<<30, false
	for _, s := range spaces {
		info := m.Spaces[s]
		if !strings.HasPrefix(string(s), "compose:") || !slices.Contains(info.Names, d.To.Host) {
			continue
		}
		switch n := distance(path.Dir(d.Pos.File), path.Dir(info.Pos.File)); {
		case n < best:
			found, best, several = s, n, false
		case n == best:
			several = true
		}
	}
	if found != "" && !several {
		d.To.Space = found
	}
}

// proxyPlaces are the places of a container from which what makes a door reads its
// configuration, by kind.
var proxyPlaces = sync.OnceValue(func() map[deploy.Kind]*regexp.Regexp {
	proxy, anywhere := regexp.MustCompile(`(?i)^/etc(/|$)|nginx|caddy`), regexp.MustCompile(``)
	return map[deploy.Kind]*regexp.Regexp{
		deploy.KindNginx: proxy, deploy.KindCaddy: proxy, deploy.KindCloudflared: anywhere, deploy.KindTailscale: anywhere,
		deploy.KindFunnel: anywhere, deploy.KindFrp: anywhere, deploy.KindNgrok: anywhere, deploy.KindCpolar: anywhere,
	}
})

// hasFile reports whether a container has a file where a proxy reads it: mounted, or
// copied into its image.
func hasFile(m *deploy.Model, info *deploy.SpaceInfo, file string, place *regexp.Regexp) bool {
	holds := func(from, to string) bool {
		return place.MatchString(to) && (from == file || from == "." && place.String() != "" || strings.HasPrefix(file, strings.TrimSuffix(from, "/")+"/"))
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
