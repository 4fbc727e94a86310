package inspect

import (
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// Bounds of what one configuration of nginx includes.
const (
	nginxFiles    = 500
	nginxPatterns = 200
	nginxLevels   = 10
	nginxBytes    = 8 << 20
	proxyDoors    = 1000
)

func nginxReader() reader {
	return reader{kind: deploy.KindNginx, match: matchNginx, read: readNginx}
}

var nginxContent = regexp.MustCompile(`(?m)^\s*(?:(?:http|stream|server)\s*\{|proxy_pass\s+\S|upstream\s+\S+\s*\{)|\{\s*proxy_pass\s`)

func matchNginx(name string, data []byte) bool {
	base := strings.ToLower(path.Base(name))
	dir := path.Base(path.Dir(name))
	for _, ext := range []string{".template", ".j2", ".tmpl", ".tpl", ".example", ".sample"} {
		base = strings.TrimSuffix(base, ext)
	}
	named := strings.HasSuffix(base, ".conf") || strings.HasSuffix(base, ".vhost") || strings.HasSuffix(base, ".nginx") || base == "nginx" ||
		strings.Contains(dir, "sites-enabled") || strings.Contains(dir, "sites-available") || dir == "conf.d"
	return named && nginxContent.Match(data)
}

// nginxFile reads one configuration with all that it includes.
type nginxFile struct {
	*source
	prefix  string          // the directory in the tree that stands for /etc/nginx
	visited map[string]bool // files read
	bytes   int
	globs   int
	doors   int
	// upstreams, maps and streamUpstreams are what the configuration names.
	upstreams, streamUpstreams, maps map[string]*nginxDirective
}

// nginxTogether are directories whose files are included together.
func nginxTogether() []string {
	return []string{"sites-enabled", "sites-available", "conf.d", "http.d", "templates"}
}

// readNginx reads a configuration. A file that another one includes is read with that
// one, as it inherits from it: what was noted of it alone is taken back then.
func readNginx(s *source) error {
	list, err := parseNginx(s.name, s.data)
	root := slices.ContainsFunc(list, func(d *nginxDirective) bool {
		return d.name == "http" || d.name == "stream" || d.name == "events"
	})
	if !root && (nginxWasRead(s.m, s.name) || notEnabled(s)) {
		return nil
	}
	n := &nginxFile{
		source: s, prefix: path.Dir(s.name), visited: map[string]bool{s.name: true},
		upstreams: map[string]*nginxDirective{}, streamUpstreams: map[string]*nginxDirective{}, maps: map[string]*nginxDirective{},
	}
	if base := path.Base(n.prefix); !root && (base == "snippets" || slices.Contains(nginxTogether(), base)) {
		n.prefix = path.Dir(n.prefix)
	}
	before := deploy.Model{Doors: s.m.Doors, Gaps: s.m.Gaps, Secrets: s.m.Secrets}
	s.m.Doors, s.m.Gaps, s.m.Secrets = nil, nil, nil
	list = n.include(list, 0)
	if root {
		n.main(list)
	} else {
		n.part(list)
	}
	for f := range n.visited {
		if f != s.name {
			before.Doors = slices.DeleteFunc(before.Doors, func(d *deploy.Door) bool {
				return d.Kind == deploy.KindNginx && d.Pos.File == f && n.visited[d.In.Pos.File]
			})
			before.Gaps = slices.DeleteFunc(before.Gaps, func(g deploy.Gap) bool { return g.Kind == deploy.KindNginx && g.Pos.File == f })
			before.Secrets = slices.DeleteFunc(before.Secrets, func(v deploy.Secret) bool { return v.Kind == deploy.KindNginx && v.Value.Pos.File == f })
		}
	}
	s.m.Doors = append(before.Doors, s.m.Doors...)
	s.m.Gaps = append(before.Gaps, s.m.Gaps...)
	s.m.Secrets = append(before.Secrets, s.m.Secrets...)
	if bad := (*nginxError)(nil); errors.As(err, &bad) {
		n.gapAt("gap.syntax", bad.pos)
	}
	return nil
}

// notEnabled reports whether a file waits in sites-available for a link in sites-enabled.
func notEnabled(s *source) bool {
	dir := path.Dir(s.name)
	if path.Base(dir) != "sites-available" || s.tree == nil {
		return false
	}
	links := &nginxShared{}
	if s.shared != nil {
		links = &s.shared.nginx
	}
	if enabled := path.Join(path.Dir(dir), "sites-enabled"); links.dir != enabled {
		links.dir, links.enabled, links.some = enabled, map[string]bool{}, false
		for _, f := range below(s.tree, enabled) {
			if path.Dir(f.Name) == enabled {
				links.some = true
				links.enabled[f.Link] = true
			}
		}
	}
	return links.some && !links.enabled[s.name]
}

// nginxWasRead reports whether something of a file is in the model, because another file includes it.
func nginxWasRead(m *deploy.Model, file string) bool {
	return slices.ContainsFunc(m.Doors, func(d *deploy.Door) bool { return d.Kind == deploy.KindNginx && d.Pos.File == file }) ||
		slices.ContainsFunc(m.Gaps, func(g deploy.Gap) bool { return g.Kind == deploy.KindNginx && g.Pos.File == file }) ||
		slices.ContainsFunc(m.Secrets, func(v deploy.Secret) bool { return v.Kind == deploy.KindNginx && v.Value.Pos.File == file })
}

func (n *nginxFile) gapAt(why string, pos event.Pos) {
	n.m.Gaps = append(n.m.Gaps, deploy.Gap{Kind: deploy.KindNginx, Why: why, Pos: pos})
}

// nginxHarmless are files that come with nginx or certbot and have no say in who gets through.
var nginxHarmless = regexp.MustCompile(`(^|/)(mime\.types|fastcgi(_params|\.conf|-php\.conf)|uwsgi_params|scgi_params|koi-.*|win-utf|options-ssl-nginx\.conf|ssl-params\.conf|modules-enabled/.*|modules/.*)$`)

// nginxProxyParams is Debian's /etc/nginx/proxy_params.
const nginxProxyParams = `proxy_set_header Host $http_host;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;`

// include puts what is included in place of each include directive.
func (n *nginxFile) include(list []*nginxDirective, level int) []*nginxDirective {
	var out []*nginxDirective
	for _, d := range list {
		d.block = n.include(d.block, level)
		if d.name != "include" || len(d.args) != 1 {
			out = append(out, d)
			continue
		}
		pattern := d.arg(0)
		if n.globs++; n.globs > nginxPatterns {
			if n.globs == nginxPatterns+1 {
				n.gapAt("gap.too-many", d.pos)
			}
			continue
		}
		files := n.find(pattern, path.Dir(d.pos.File))
		switch {
		case len(files) == 0 && (nginxHarmless.MatchString(pattern) || n.none(pattern, path.Dir(d.pos.File))):
		case len(files) == 0 && path.Base(pattern) == "proxy_params":
			params, _ := parseNginx(d.pos.File, []byte(nginxProxyParams))
			for _, p := range params {
				p.pos = d.pos
				for i := range p.args {
					p.args[i].pos = d.args[0].pos
				}
			}
			out = append(out, params...)
		case len(files) == 0 || level >= nginxLevels:
			n.gapAt("gap.referenced", d.pos)
		}
		if level >= nginxLevels {
			continue
		}
		for _, f := range files {
			data, err := n.tree.Read(f, MaxFile)
			if n.bytes += len(data); err != nil || n.bytes > nginxBytes || len(n.visited) >= nginxFiles {
				n.gapAt("gap.referenced", d.pos)
				break
			}
			n.visited[f] = true
			part, err := parseNginx(f, data)
			if bad := (*nginxError)(nil); errors.As(err, &bad) {
				n.gapAt("gap.syntax", bad.pos)
			}
			out = append(out, n.include(part, level+1)...)
		}
	}
	return out
}

// find returns the files of the tree that an include names.
func (n *nginxFile) find(pattern, dir string) []string {
	if n.tree == nil {
		return nil
	}
	for _, way := range n.ways(pattern, dir) {
		found := globFiles(n.tree, way)
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// none reports whether an include that matches no file may match none: its directory is in
// the tree. nginx then includes nothing, as of the conf.d that Debian installs.
func (n *nginxFile) none(pattern, dir string) bool {
	if n.tree == nil || !strings.ContainsAny(path.Base(pattern), "*?[") {
		return false
	}
	return slices.ContainsFunc(n.ways(pattern, dir), func(way string) bool {
		info, ok := n.tree.Stat(path.Dir(way))
		return ok && info.Mode.IsDir()
	})
}

// ways are where the tree may have what an include names: under the directory that stands
// for nginx's own, beside the file, or from the root of the tree.
func (n *nginxFile) ways(pattern, dir string) (ways []string) {
	if rest, ok := strings.CutPrefix(pattern, "/"); ok {
		ways = append(ways, path.Clean(rest))
		for _, own := range []string{"/etc/nginx/", "/usr/local/nginx/conf/", "/usr/local/etc/nginx/", "/opt/homebrew/etc/nginx/"} {
			if rest, ok := strings.CutPrefix(pattern, own); ok {
				ways = append(ways, path.Join(n.prefix, rest))
			}
		}
	} else {
		ways = append(ways, path.Join(n.prefix, pattern), path.Join(dir, pattern))
	}
	return ways
}

// main reads a whole configuration.
func (n *nginxFile) main(list []*nginxDirective) {
	for _, d := range list {
		switch d.name {
		case "http":
			n.names(d.block, n.upstreams)
			n.servers(d.block, nginxScope{})
		case "stream":
			n.names(d.block, n.streamUpstreams)
			n.streams(d.block)
		}
	}
}

// part reads a file that is included into http by one that is not in the tree. What
// stands at the top of the files beside it holds for it, too.
func (n *nginxFile) part(list []*nginxDirective) {
	outer := list
	together := slices.Contains(nginxTogether(), path.Base(path.Dir(n.name)))
	left := nginxFiles
	for _, f := range n.besides() {
		if f.name == n.name || left == 0 {
			continue
		}
		left--
		if n.bytes += f.size; n.bytes > nginxBytes {
			continue
		}
		for _, d := range f.list {
			if d.name == "upstream" || d.name == "map" || together {
				outer = append(outer[:len(outer):len(outer)], d)
			}
		}
	}
	n.names(outer, n.upstreams)
	if slices.ContainsFunc(list, func(d *nginxDirective) bool { return d.name == "location" || d.name == "proxy_pass" || d.name == "if" }) {
		n.gap(deploy.KindNginx, "gap.part", 1, 1)
	}
	n.servers(outer, nginxScope{})
}

// nginxShared is what files of a directory have in common, so that it is not read again
// for each of them.
type nginxShared struct {
	of      string // directory and extension
	files   []nginxBeside
	dir     string // sites-enabled
	enabled map[string]bool
	some    bool
}

// nginxBeside is a file, and those of its top directives that hold for files beside it.
type nginxBeside struct {
	name string
	size int
	list []*nginxDirective
}

// besides returns the files of the same directory that may be of the same configuration,
// this one among them.
func (n *nginxFile) besides() []nginxBeside {
	if n.tree == nil {
		return nil
	}
	dir, ext := path.Dir(n.name), path.Ext(n.name)
	if n.shared != nil && n.shared.nginx.of == dir+"\x00"+ext {
		return n.shared.nginx.files
	}
	var list []nginxBeside
	total := 0
	for _, f := range below(n.tree, dir) {
		if path.Dir(f.Name) != dir || !f.Mode.IsRegular() || path.Ext(f.Name) != ext {
			continue
		}
		if len(list) > nginxFiles || total > nginxBytes+MaxFile {
			break
		}
		b := nginxBeside{name: f.Name}
		if data, err := n.tree.Read(f.Name, MaxFile); err == nil {
			b.size = len(data)
			part, _ := parseNginx(f.Name, data)
			for _, d := range part {
				if d.name == "upstream" || d.name == "map" || d.block == nil && d.name != "proxy_pass" && d.name != "return" {
					b.list = append(b.list, d)
				}
			}
		}
		total += b.size
		list = append(list, b)
	}
	if n.shared != nil {
		n.shared.nginx.of, n.shared.nginx.files = dir+"\x00"+ext, list
	}
	return list
}

// names collects the upstreams and maps of a level.
func (n *nginxFile) names(list []*nginxDirective, upstreams map[string]*nginxDirective) {
	for _, d := range list {
		switch {
		case d.name == "upstream" && len(d.args) == 1:
			upstreams[d.arg(0)] = d
		case (d.name == "map" || d.name == "split_clients") && len(d.args) == 2:
			n.maps[strings.TrimPrefix(d.arg(1), "$")] = d
		}
	}
}
