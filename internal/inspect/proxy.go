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
	holds := map[*regexp.Regexp]map[string]int{}
	pods := map[string]deploy.Space{} // by what stands for an object that they show
	for _, s := range spaces {
		for _, object := range m.Spaces[s].Holds {
			if _, known := pods[object]; !known {
				pods[object] = s
			}
		}
	}
	for _, d := range m.Doors {
		if s, ok := pods[string(d.To.Space)]; ok {
			if d.In.Space == d.To.Space {
				d.In.Space = s
			}
			d.To.Space = s
		}
	}
	in := map[string]deploy.Space{} // by file
	for _, d := range m.Doors {
		place := proxyPlaces()[d.Kind]
		if place == nil || d.To.Space != deploy.Host {
			continue
		}
		if holds[place] == nil {
			holds[place] = proxyFiles(m, spaces, place)
		}
		for _, file := range []string{d.In.Pos.File, d.Pos.File} {
			space, known := in[file]
			if !known {
				if i, ok := holder(holds[place], file); ok {
					space = spaces[i]
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
	services := map[string][]deploy.Space{} // of Compose, by name
	for _, s := range spaces {
		if m.Spaces[s].Made == deploy.KindCompose {
			for _, name := range m.Spaces[s].Names {
				services[name] = append(services[name], s)
			}
		}
	}
	for _, d := range m.Doors {
		if proxyPlaces()[d.Kind] != nil && d.To.Space == deploy.Host {
			byName(m, slices.Compact(services[d.To.Host]), d)
		}
	}
}

// byName finds the container that a proxy names by the name of a service, where no file
// says in which container the proxy runs: that of the project nearest to its file. Services
// are those of that name.
func byName(m *deploy.Model, services []deploy.Space, d *deploy.Door) {
	if d.To.Host == "" || strings.ContainsAny(d.To.Host, ".:") || loopback(d.To.Host) {
		return
	}
	var found deploy.Space
	best, several := 1<<30, false
	dir := parts(path.Dir(d.Pos.File))
	for _, s := range services {
		switch n := distance(dir, parts(path.Dir(m.Spaces[s].Pos.File))); {
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

// holder returns the first number of a file, or of a directory that it is in.
func holder(holds map[string]int, file string) (first int, ok bool) {
	for at := file; ; at = path.Dir(at) {
		if i, holding := holds[at]; holding && (!ok || i < first) {
			first, ok = i, true
		}
		if at == "." || at == "/" {
			return first, ok
		}
	}
}

// proxyFiles are the files and directories of the tree that containers have where a proxy
// reads them, mounted or copied into their image, with the number of the first container.
func proxyFiles(m *deploy.Model, spaces []deploy.Space, place *regexp.Regexp) map[string]int {
	out := map[string]int{}
	images := map[string][]*deploy.Image{}
	for _, i := range m.Images {
		images[path.Clean(i.Dir)] = append(images[path.Clean(i.Dir)], i)
	}
	for n, s := range spaces {
		if s == deploy.Host {
			continue
		}
		holds := func(from, to string) {
			if _, known := out[strings.TrimSuffix(from, "/")]; !known && place.MatchString(to) {
				out[strings.TrimSuffix(from, "/")] = n
			}
		}
		for to, from := range m.Spaces[s].Mounts {
			holds(from, to)
		}
		if build := m.Spaces[s].Build; build != "" {
			for _, i := range images[path.Clean(build)] {
				for to, from := range i.Copies {
					holds(from.Text, to)
				}
			}
		}
	}
	return out
}
