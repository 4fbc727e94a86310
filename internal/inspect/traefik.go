package inspect

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/json5"
)

func traefikReader() reader {
	return reader{kind: deploy.KindTraefik, match: matchTraefik, read: func(s *source) error {
		s.m.Together(deploy.KindTraefik, s.name)
		return nil
	}}
}

var (
	traefikContent = regexp.MustCompile(`(?mi)^(?:entryPoints:|\[entryPoints[.\]]|\[(?:http|tcp)\.(?:routers|services|middlewares)[.\]])|^(?:http|tcp):\s*(?:#.*)?\r?\n(?:\s*#.*\r?\n)*\s+(?:routers|services|middlewares):`)
	traefikNot     = regexp.MustCompile(`(?m)^(?:services|apiVersion|kind):`)
)

func matchTraefik(name string, data []byte) bool {
	switch path.Ext(name) {
	case ".yml", ".yaml", ".toml":
		return traefikContent.Match(data) && !traefikNot.Match(data)
	}
	return false
}

// traefikEntry is an entry point.
type traefikEntry struct {
	in       deploy.Listen
	trusts   *event.Pos // it keeps everybody's forwarding headers
	tls      bool
	redirect bool
	internal bool
	with     []string // middlewares of all its routers
}

// traefik is what all files and labels of a tree say together: routers of one may
// name middlewares of another.
type traefik struct {
	*source
	space       deploy.Space
	known       bool // something starts it, or is its static configuration
	entries     map[string]*traefikEntry
	byDefault   bool // containers without traefik.enable
	middlewares map[string]*json5.Node
	services    map[string]traefikService
	routers     []traefikRouter
	doors       int
}

type traefikService struct {
	node *json5.Node
	from deploy.Space // of the container whose labels it is; "" of a file
}

type traefikRouter struct {
	name string
	node *json5.Node
	from deploy.Space
	tcp  bool
	pos  event.Pos
}

// linkTraefik adds the doors of Traefik: of the files that its reader noted, and of the
// labels of containers. All other files must have been read.
func linkTraefik(m *deploy.Model, tree filetree.Tree, env map[string]deploy.Value) {
	t := &traefik{
		source: &source{tree: tree, m: m, env: env}, space: deploy.Host, byDefault: true,
		entries: map[string]*traefikEntry{}, middlewares: map[string]*json5.Node{}, services: map[string]traefikService{},
	}
	for _, file := range m.FilesTogether[deploy.KindTraefik] {
		if root := t.document(file); root != nil {
			t.static(root)
			t.dynamic(root, "")
		}
	}
	t.composed()
	for _, name := range slices.Sorted(maps.Keys(m.Spaces)) {
		if labels := labelTree(m.Spaces[name]); labels != nil {
			t.labels(labels, name)
		}
	}
	slices.SortStableFunc(t.routers, func(a, b traefikRouter) int { return cmp.Compare(a.name, b.name) })
	for _, r := range t.routers {
		t.router(r)
	}
}

// document reads one file; what cannot be read is a gap.
func (t *traefik) document(file string) *json5.Node {
	data, err := t.tree.Read(file, MaxFile)
	if err != nil {
		return nil
	}
	root, err := (&source{name: file, data: data}).document()
	if err != nil {
		t.gapAt("gap.syntax", event.Pos{File: file, Line: 1})
		return nil
	}
	return root
}

// gapAt adds a gap once, as several routers and entry points meet the same.
func (t *traefik) gapAt(why string, pos event.Pos) {
	if g := (deploy.Gap{Kind: deploy.KindTraefik, Why: why, Pos: pos}); !slices.Contains(t.m.Gaps, g) {
		t.m.Gaps = append(t.m.Gaps, g)
	}
}

// fold returns what is at keys, which Traefik compares without regard to case.
func fold(n *json5.Node, keys ...string) *json5.Node {
	for _, k := range keys {
		if n == nil || n.Kind != json5.Object {
			return nil
		}
		i := slices.IndexFunc(n.Members, func(m json5.Member) bool { return strings.EqualFold(m.Key, k) })
		if i < 0 {
			return nil
		}
		n = n.Members[i].Value
	}
	return n
}

// texts are the entries of a list, which labels write with commas.
func texts(n *json5.Node) []string {
	var list []string
	for _, i := range items(n) {
		for _, text := range strings.Split(scalar(i), ",") {
			if text = strings.TrimSpace(text); text != "" {
				list = append(list, text)
			}
		}
	}
	return list
}

func isTrue(n *json5.Node) bool { return strings.EqualFold(scalar(n), "true") }

// static reads entry points and what holds for all providers.
func (t *traefik) static(root *json5.Node) {
	if n := fold(root, "entryPoints"); n != nil && n.Kind == json5.Object {
		t.known = true
		for _, m := range n.Members {
			t.entry(m.Key, m.Value)
		}
	}
	if n := fold(root, "providers", "docker", "exposedByDefault"); n != nil {
		t.known = true
		t.byDefault = isTrue(n)
	}
}

func (t *traefik) entry(name string, n *json5.Node) {
	address := fold(n, "address")
	text, _, _ := strings.Cut(scalar(address), "/")
	host, port, ok := hostPort(text)
	if strings.HasSuffix(scalar(address), "/udp") {
		return
	}
	e := &traefikEntry{internal: strings.EqualFold(name, "traefik"), tls: fold(n, "http", "tls") != nil, with: texts(fold(n, "http", "middlewares"))}
	if ok {
		e.in = deploy.Listen{Address: wildcard(host), Port: port, Pos: address.Pos}
	} else if address != nil {
		t.gapAt("gap.variable", address.Pos)
		e.in = deploy.Listen{Reach: event.FilesReachUnknown, Pos: address.Pos}
	}
	if insecure := fold(n, "forwardedHeaders", "insecure"); isTrue(insecure) {
		e.trusts = &insecure.Pos
	}
	if ips := fold(n, "forwardedHeaders", "trustedIPs"); slices.ContainsFunc(texts(ips), everyAddress) {
		e.trusts = &ips.Pos
	}
	e.redirect = fold(n, "http", "redirections", "entryPoint", "to") != nil
	t.entries[strings.ToLower(name)] = e
}

// dynamic reads routers, services and middlewares.
func (t *traefik) dynamic(root *json5.Node, from deploy.Space) {
	for _, kind := range []string{"http", "tcp"} {
		section := fold(root, kind)
		each := func(what string, do func(name string, m json5.Member)) {
			if n := fold(section, what); n != nil && n.Kind == json5.Object {
				for _, m := range n.Members {
					do(strings.ToLower(m.Key), m)
				}
			}
		}
		each("middlewares", func(name string, m json5.Member) { t.middlewares[kind+" "+name] = m.Value })
		each("services", func(name string, m json5.Member) { t.services[kind+" "+name] = traefikService{m.Value, from} })
		each("routers", func(name string, m json5.Member) {
			t.routers = append(t.routers, traefikRouter{name, m.Value, from, kind == "tcp", m.Pos})
		})
	}
}

// composed reads the arguments of Traefik's own service in the Compose files whose
// labels are known, and in those that lie beside.
func (t *traefik) composed() {
	var files []string
	for _, f := range t.tree.Files() {
		base := path.Base(f.Name)
		if ext := path.Ext(base); (ext == ".yml" || ext == ".yaml") && (strings.HasPrefix(base, "docker-compose") || strings.HasPrefix(base, "compose")) && len(files) < 200 {
			files = append(files, f.Name)
		}
	}
	for _, info := range t.m.Spaces {
		for _, p := range info.LabelPos {
			if !slices.Contains(files, p.File) && len(files) < 200 {
				files = append(files, p.File)
			}
		}
	}
	slices.Sort(files)
	image := regexp.MustCompile(`(^|/)traefik(:|@|$)`)
	for _, f := range files {
		data, err := t.tree.Read(f, MaxFile)
		if err != nil || !strings.Contains(string(data), "traefik") {
			continue
		}
		root := t.document(f)
		services := fold(root, "services")
		if services == nil || services.Kind != json5.Object {
			continue
		}
		for _, service := range services.Members {
			if !image.MatchString(scalar(fold(service.Value, "image"))) {
				continue
			}
			t.known = true
			t.space = deploy.Space("compose:" + path.Join(path.Dir(f), service.Key))
			if scalar(fold(service.Value, "network_mode")) == "host" {
				t.space = deploy.Host
			}
			t.static(t.arguments(service.Value))
		}
	}
}

// arguments returns the options of a command line and of the environment as a tree.
func (t *traefik) arguments(service *json5.Node) *json5.Node {
	root := &json5.Node{Kind: json5.Object}
	command := fold(service, "command")
	for _, a := range items(command) {
		words := []string{scalar(a)}
		if command.Kind == json5.String {
			words = strings.Fields(scalar(a))
		}
		for _, word := range words {
			key, value, ok := strings.Cut(strings.TrimLeft(word, "-"), "=")
			if !ok {
				value = "true"
			}
			put(root, strings.Split(key, "."), value, a.Pos)
		}
	}
	environment := fold(service, "environment")
	for _, e := range items(environment) {
		key, value, _ := strings.Cut(scalar(e), "=")
		if rest, ok := strings.CutPrefix(key, "TRAEFIK_"); ok {
			put(root, strings.Split(rest, "_"), value, e.Pos)
		}
	}
	if environment != nil {
		for _, m := range environment.Members {
			if rest, ok := strings.CutPrefix(m.Key, "TRAEFIK_"); ok {
				put(root, strings.Split(rest, "_"), scalar(m.Value), m.Value.Pos)
			}
		}
	}
	return root
}

// put sets a value at a path of a tree. Paths deeper than any of Traefik's are left out.
func put(n *json5.Node, keys []string, value string, pos event.Pos) {
	if len(keys) > 16 {
		return
	}
	for i, k := range keys {
		next := fold(n, k)
		if next == nil {
			next = &json5.Node{Kind: json5.Object, Pos: pos}
			n.Members = append(n.Members, json5.Member{Key: k, Pos: pos, Value: next})
		}
		if i == len(keys)-1 {
			if len(next.Members) == 0 {
				next.Kind, next.Text = json5.String, value
			}
			return
		}
		next.Kind = json5.Object
		n = next
	}
}

// labelTree returns a container's labels as a tree; nil if none is Traefik's.
func labelTree(info *deploy.SpaceInfo) *json5.Node {
	root := &json5.Node{Kind: json5.Object}
	for _, key := range slices.Sorted(maps.Keys(info.Labels)) {
		if rest, ok := strings.CutPrefix(strings.ToLower(key), "traefik."); ok {
			put(root, strings.Split(rest, "."), info.Labels[key], info.LabelPos[key])
		}
	}
	if len(root.Members) == 0 {
		return nil
	}
	return root
}

func (t *traefik) labels(root *json5.Node, space deploy.Space) {
	t.dynamic(onlyMiddlewares(root), space) // those of a container that is not exposed are not there, but a login is not guessed away
	enable := fold(root, "enable")
	if enable != nil && !isTrue(enable) || enable == nil && t.known && !t.byDefault {
		return
	}
	if fold(root, "http", "routers") == nil && fold(root, "tcp", "routers") == nil {
		if enable == nil && fold(root, "http", "services") == nil {
			return
		}
		pos := root.Members[0].Pos
		t.routers = append(t.routers, traefikRouter{string(space), &json5.Node{Kind: json5.Object, Pos: pos}, space, false, pos})
	}
	t.dynamic(root, space)
}

func onlyMiddlewares(root *json5.Node) *json5.Node {
	n := &json5.Node{Kind: json5.Object}
	if m := fold(root, "http", "middlewares"); m != nil {
		n.Members = []json5.Member{{Key: "http", Value: &json5.Node{Kind: json5.Object, Members: []json5.Member{{Key: "middlewares", Value: m}}}}}
	}
	return n
}

var (
	traefikHost = regexp.MustCompile(`(?:Host|HostSNI|HostRegexp)\(([^)]*)\)`)
	traefikPath = regexp.MustCompile("(?:PathPrefix|Path)\\(\\s*[`\"']([^`\"']*)[`\"']\\s*\\)")
	traefikText = regexp.MustCompile("[`\"']([^`\"']+)[`\"']")
	traefikPeer = regexp.MustCompile(`\bClientIP\(`)
	traefikAsks = regexp.MustCompile(`\b(?:Headers?|HeadersRegexp|HeaderRegexp|Query|QueryRegexp)\(`)
)

// router adds the doors of one router.
func (t *traefik) router(r traefikRouter) {
	rule := fold(r.node, "rule")
	text := scalar(rule)
	pos := r.pos
	if rule != nil {
		pos = rule.Pos
	}
	door := deploy.Door{Kind: deploy.KindTraefik, Name: r.name, Bytes: r.tcp, Headers: map[string]deploy.Header{}, Pos: pos, TLS: deploy.No}
	var names []deploy.Value
	for _, m := range traefikHost.FindAllStringSubmatch(text, 100) {
		for _, n := range traefikText.FindAllStringSubmatch(m[1], 100) {
			if n[1] != "*" {
				state := deploy.Set
				if strings.Contains(n[1], "${") {
					state = deploy.Unknown
				}
				names = append(names, deploy.Value{State: state, Text: n[1], Pos: pos})
			}
		}
	}
	if m := traefikPath.FindStringSubmatch(text); m != nil {
		door.Path = m[1]
	}
	switch {
	case strings.Contains(text, "!") || strings.Contains(text, "||"):
	case traefikPeer.MatchString(text):
		door.Login = &deploy.Login{Kind: "allow-list", Pos: pos}
	case traefikAsks.MatchString(text):
		door.Login = &deploy.Login{Kind: "allow-list", Pos: pos, Unproven: true}
	}
	if tls := fold(r.node, "tls"); tls != nil && !strings.EqualFold(scalar(tls), "false") {
		door.TLS = deploy.Yes
	}
	for _, e := range t.entriesOf(r, pos) {
		if e.redirect {
			continue
		}
		d := door
		d.In = e.in
		d.In.Names = names
		if e.in.Space == "" {
			d.In.Space = t.space
		}
		if e.tls {
			d.TLS = deploy.Yes
		}
		if !r.tcp {
			d.Headers = t.forwarded(e, pos)
			for _, name := range e.with {
				t.middleware(&d, name, e.in.Pos, 0)
			}
			own := fold(r.node, "middlewares")
			for _, name := range texts(own) {
				t.middleware(&d, name, own.Pos, 0)
			}
		}
		for _, to := range t.targets(r) {
			one := d
			one.To = to.Endpoint
			if !to.pos.IsZero() {
				one.Pos = to.pos
			}
			if t.doors++; t.doors > proxyDoors {
				if t.doors == proxyDoors+1 {
					t.gapAt("gap.too-many", pos)
				}
				return
			}
			t.m.Doors = append(t.m.Doors, &one)
		}
	}
}

// entriesOf returns the entry points of a router: those that it names, or all.
func (t *traefik) entriesOf(r traefikRouter, pos event.Pos) []*traefikEntry {
	named := texts(fold(r.node, "entryPoints"))
	var list []*traefikEntry
	if !t.known || len(t.entries) == 0 && len(named) > 0 {
		return []*traefikEntry{{in: deploy.Listen{Space: deploy.Host, Reach: event.FilesReachUnknown, Pos: pos}}}
	}
	if len(t.entries) == 0 {
		return []*traefikEntry{{in: deploy.Listen{Port: 80, Pos: pos}}}
	}
	if len(named) == 0 {
		for _, name := range slices.Sorted(maps.Keys(t.entries)) {
			if !t.entries[name].internal {
				list = append(list, t.entries[name])
			}
		}
	}
	for _, name := range named {
		if e := t.entries[strings.ToLower(name)]; e != nil {
			list = append(list, e)
		} else {
			t.gapAt("gap.referenced", pos)
		}
	}
	return list
}

// forwarded returns what Traefik does to forwarding headers by itself: it removes those
// of clients that it does not trust, and sets its own.
func (t *traefik) forwarded(e *traefikEntry, pos event.Pos) map[string]deploy.Header {
	peer := deploy.Header{Does: deploy.Sets, From: deploy.FromPeer, Pos: pos}
	own := deploy.Header{Does: deploy.Sets, From: deploy.FromConst, Pos: pos}
	host := deploy.Header{Does: deploy.Sets, From: deploy.FromClient, Pos: pos}
	if e.trusts != nil {
		return map[string]deploy.Header{"x-forwarded-for": {Does: deploy.Appends, From: deploy.FromPeer, Pos: *e.trusts}}
	}
	return map[string]deploy.Header{"x-forwarded-for": peer, "x-real-ip": peer, "x-forwarded-proto": own, "x-forwarded-host": host}
}

// middleware adds what a middleware does to a door.
func (t *traefik) middleware(d *deploy.Door, name string, pos event.Pos, depth int) {
	name, _, _ = strings.Cut(strings.ToLower(name), "@")
	n := t.middlewares["http "+name]
	if n == nil || depth > 8 {
		t.gapAt("gap.referenced", pos)
		if d.Login == nil && (strings.Contains(name, "auth") || strings.Contains(name, "login") || strings.Contains(name, "sso") || strings.Contains(name, "oidc")) {
			d.Login = &deploy.Login{Kind: "forward-auth", Pos: pos, Unproven: true}
		}
		return
	}
	login := func(kind string, n *json5.Node) {
		if d.Login == nil || d.Login.Unproven {
			d.Login = &deploy.Login{Kind: kind, Pos: n.Pos}
		}
	}
	set := func(name string, h deploy.Header) { d.Headers = added(d.Headers, strings.ToLower(name), h) }
	for _, m := range n.Members {
		switch v := m.Value; strings.ToLower(m.Key) {
		case "basicauth", "digestauth":
			login("basic", v)
			if h := fold(v, "headerField"); h != nil {
				set(scalar(h), deploy.Header{Does: deploy.Sets, From: deploy.FromLogin, Pos: h.Pos})
			}
			if h := fold(v, "removeHeader"); isTrue(h) {
				set("authorization", deploy.Header{Does: deploy.Removes, Pos: h.Pos})
			}
		case "forwardauth":
			login("forward-auth", v)
			h := fold(v, "authResponseHeaders")
			for _, name := range texts(h) {
				set(name, deploy.Header{Does: deploy.Sets, From: deploy.FromLogin, Pos: h.Pos})
			}
		case "ipallowlist", "ipwhitelist":
			if !slices.ContainsFunc(texts(fold(v, "sourceRange")), everyAddress) {
				login("allow-list", v)
			}
		case "chain":
			for _, next := range texts(fold(v, "middlewares")) {
				t.middleware(d, next, pos, depth+1)
			}
		case "headers":
			if custom := fold(v, "customRequestHeaders"); custom != nil {
				for _, h := range custom.Members {
					t.custom(set, h)
				}
			}
		case "plugin":
			t.gapAt("gap.plugin", m.Pos)
			if d.Login == nil {
				d.Login = &deploy.Login{Kind: "forward-auth", Pos: m.Pos, Unproven: true}
			}
		}
	}
}

// custom reads one of customRequestHeaders.
func (t *traefik) custom(set func(string, deploy.Header), m json5.Member) {
	name, v := strings.ToLower(m.Key), valueOf(m.Value)
	h := deploy.Header{Does: deploy.Sets, From: deploy.FromConst, Pos: m.Pos}
	switch {
	case name == "x-forwarded-for" && v.Text == "": // the client's is gone, and its address is put there after this
		return
	case name == "x-forwarded-for":
		h.Does = deploy.Appends
	case v.Text == "":
		h = deploy.Header{Does: deploy.Removes, Pos: m.Pos}
	case name == "authorization":
		h.Secret = credential(t.source, deploy.KindTraefik, v)
	}
	set(name, h)
}

type traefikTarget struct {
	deploy.Endpoint
	pos event.Pos
}

// targets returns where a router leads.
func (t *traefik) targets(r traefikRouter) []traefikTarget {
	kind := "http "
	if r.tcp {
		kind = "tcp "
	}
	name, _, _ := strings.Cut(strings.ToLower(scalar(fold(r.node, "service"))), "@")
	s, ok := t.services[kind+name]
	if name == "" { // of labels: the container's one service
		for _, key := range slices.Sorted(maps.Keys(t.services)) {
			if c := t.services[key]; !ok && r.from != "" && c.from == r.from && strings.HasPrefix(key, kind) {
				s, ok = c, true
			}
		}
		if !ok && r.from != "" {
			s, ok = traefikService{nil, r.from}, true
		}
	}
	if !ok {
		if name != "api" && name != "dashboard" && name != "ping" && name != "noop" {
			t.gapAt("gap.referenced", r.pos)
		}
		return nil
	}
	if s.from != "" {
		return []traefikTarget{t.container(s)}
	}
	var list []traefikTarget
	servers := fold(s.node, "loadBalancer", "servers")
	for _, i := range items(servers) {
		url := fold(i, "url")
		if url == nil {
			url = fold(i, "address")
		}
		if url == nil {
			continue
		}
		if strings.Contains(scalar(url), "{{") || strings.Contains(scalar(url), "${") {
			t.gapAt("gap.variable", url.Pos)
			continue
		}
		if to, ok := endpointOf(t.space, scalar(url), 80); ok {
			list = append(list, traefikTarget{to, url.Pos})
		} else {
			t.gapAt("gap.target", url.Pos)
		}
	}
	if len(list) == 0 && servers == nil {
		t.gapAt("gap.target", r.pos) // weighted, mirroring, failover
	}
	return list
}

// container returns the target of a container's own labels.
func (t *traefik) container(s traefikService) traefikTarget {
	from := s.from
	if t.known {
		from = t.space
	}
	to := traefikTarget{Endpoint: deploy.Endpoint{Space: from}}
	if info := t.m.Spaces[s.from]; len(info.Names) > 0 {
		to.Host = info.Names[0]
	}
	server := fold(s.node, "loadBalancer", "server")
	to.TLS = strings.EqualFold(scalar(fold(server, "scheme")), "https")
	if p := fold(server, "port"); p != nil {
		to.Port, to.pos = number(p), p.Pos
	}
	return to
}
