package inspect

import (
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

func caddyReader() reader {
	return reader{kind: deploy.KindCaddy, match: matchCaddy, read: readCaddy}
}

var caddyJSON = regexp.MustCompile(`"apps"\s*:\s*\{`)

func matchCaddy(name string, data []byte) bool {
	base := strings.ToLower(path.Base(name))
	switch {
	case strings.HasPrefix(base, "caddyfile") || strings.HasSuffix(base, ".caddy") || strings.HasSuffix(base, ".caddyfile"):
		return true
	case strings.HasPrefix(base, "caddy") && strings.HasSuffix(base, ".json"):
		return caddyJSON.Match(data)
	}
	return false
}

// caddyGlobal are the global options.
type caddyGlobal struct {
	httpPort, httpsPort int
	plain               bool // auto_https off: a site without a name has no TLS by itself
	bind                string
	trustsAll           bool // everybody's forwarding headers are kept
}

// caddySite is one address of a site.
type caddySite struct {
	in  deploy.Listen
	tls deploy.Tri
}

// caddyScope is what holds at a place of a site.
type caddyScope struct {
	path     string
	login    *deploy.Login
	headers  map[string]deploy.Header
	matchers map[string]*caddyLine
	query    *deploy.Value
	names    []deploy.Value // of host matchers
	open     []textAt       // paths that the login leaves out
	closed   bool
}

// readCaddy reads a Caddyfile. A file that another one imports is read with that one.
func readCaddy(s *source) error {
	if strings.HasSuffix(strings.ToLower(s.name), ".json") {
		s.gap(deploy.KindCaddy, "gap.caddy-json", 1, 1)
		return nil
	}
	wasRead := slices.ContainsFunc(s.m.Doors, func(d *deploy.Door) bool { return d.Kind == deploy.KindCaddy && d.Pos.File == s.name })
	if wasRead {
		return nil
	}
	c := &caddyFile{source: s, snippets: map[string][]*caddyLine{}, visited: map[string]bool{}, global: caddyGlobal{httpPort: 80, httpsPort: 443}}
	list, bad := parseCaddy(s.name, s.data)
	if bad != nil {
		c.gapAt("gap.syntax", *bad)
	}
	list = c.expand(c.takeSnippets(list), 0)
	// What was noted of imported files by themselves is noted again.
	s.m.Doors = slices.DeleteFunc(s.m.Doors, func(d *deploy.Door) bool {
		return d.Kind == deploy.KindCaddy && c.visited[d.Pos.File] && c.visited[d.In.Pos.File]
	})
	if len(list) > 0 && list[0].open && list[0].name() == "" {
		c.options(list[0].block)
		list = list[1:]
	}
	if len(list) > 1 && !list[0].open { // one site without braces
		list = []*caddyLine{{words: list[0].words, block: list[1:], open: true}}
	}
	for _, l := range list {
		if l.open && !strings.HasPrefix(l.name(), "&(") {
			c.site(l)
		} else if slices.Contains([]string{"reverse_proxy", "handle", "route", "handle_path"}, l.name()) {
			c.gapAt("gap.part", l.pos())
		}
	}
	return nil
}

func (c *caddyFile) options(list []*caddyLine) {
	for _, l := range list {
		switch l.name() {
		case "http_port":
			c.global.httpPort = portNumber(c.value(l.words[len(l.words)-1]).Text)
		case "https_port":
			c.global.httpsPort = portNumber(c.value(l.words[len(l.words)-1]).Text)
		case "auto_https":
			c.global.plain = l.word(1) == "off"
		case "default_bind":
			c.global.bind = l.word(1)
		case "layer4":
			c.gapAt("gap.layer-four", l.pos())
		case "servers":
			for _, o := range l.block {
				if o.name() == "trusted_proxies" {
					c.global.trustsAll = c.global.trustsAll || trustsAll(o.words[1:])
				}
			}
		}
	}
}

func trustsAll(words []textAt) bool {
	return slices.ContainsFunc(words, func(w textAt) bool { return everyAddress(w.text) })
}

// site reads a site block.
func (c *caddyFile) site(l *caddyLine) {
	scope := caddyScope{matchers: map[string]*caddyLine{}, headers: map[string]deploy.Header{}}
	tls, bind := false, c.global.bind
	for _, d := range l.block {
		switch d.name() {
		case "tls":
			tls = true
			scope.login = clientAuth(d)
		case "bind":
			bind = c.value(textAt{d.word(1), d.pos()}).Text
		}
	}
	var sites []caddySite
	for _, w := range l.words {
		for _, text := range strings.Split(w.text, ",") {
			if text == "" {
				continue
			}
			site, name := c.address(textAt{text, w.pos}, tls, bind)
			i := slices.IndexFunc(sites, func(o caddySite) bool { return o.in.Port == site.in.Port && o.tls == site.tls })
			if i < 0 {
				i, sites = len(sites), append(sites, site)
			}
			if name.Text != "" {
				sites[i].in.Names = append(sites[i].in.Names, name)
			}
		}
	}
	c.handlers(l.block, scope, sites, false, 0)
}

// address reads the address of a site, such as "https://NAME:PORT/PATH".
func (c *caddyFile) address(w textAt, tls bool, bind string) (caddySite, deploy.Value) {
	v := c.value(w)
	site := caddySite{in: deploy.Listen{Space: deploy.Host, Address: wildcard(bind), Pos: w.pos}, tls: deploy.Yes}
	scheme, rest, ok := strings.Cut(v.Text, "://")
	if !ok {
		scheme, rest = "", v.Text
	}
	rest, _, _ = strings.Cut(rest, "/")
	host, port := rest, 0
	if !strings.Contains(rest, "{") || v.State != deploy.Unknown {
		if h, p, ok := hostPort(rest); ok || rest != "" && rest[0] == ':' {
			host, port = h, p
		}
	}
	v.Text = host
	if host == "*" {
		v.Text = ""
	}
	if v.State == deploy.Unknown {
		c.gapAt("gap.variable", w.pos)
	}
	switch {
	case port != 0:
	case scheme == "http":
		port = c.global.httpPort
	default:
		port = c.global.httpsPort
	}
	site.in.Port = port
	switch {
	case scheme == "http" || port == c.global.httpPort && scheme != "https" && !tls:
		site.tls = deploy.No
	case scheme == "https" || tls:
	case v.Text == "" && (port != c.global.httpsPort || c.global.plain) && v.State != deploy.Unknown:
		site.tls = deploy.No
	case v.State == deploy.Unknown: // it may be ":80", too
		site.tls, site.in.Reach = deploy.NotKnown, event.FilesReachUnknown
	}
	return site, v
}

// clientAuth returns the login of client certificates that are asked for and verified.
func clientAuth(tls *caddyLine) *deploy.Login {
	for _, l := range tls.block {
		if l.name() != "client_auth" {
			continue
		}
		mode, trusts := "", false
		for _, o := range l.block {
			switch {
			case o.name() == "mode":
				mode = o.word(1)
			case strings.HasPrefix(o.name(), "trust"):
				trusts = true
			}
		}
		if trusts && mode == "" || mode == "require_and_verify" {
			return &deploy.Login{Kind: "client-certificate", Pos: l.pos()}
		}
	}
	return nil
}

// caddyMatch is what a matcher says, as far as it is understood.
type caddyMatch struct {
	all    bool
	paths  []string // prefixes
	not    []string // prefixes that it leaves out
	allows bool     // clients of some addresses alone
	denies bool     // clients of other addresses than some
	asks   bool     // something that clients send
	names  []textAt
	pos    event.Pos
	other  bool
}

// matcher returns what the matcher of a directive says, and the words behind it.
func (c *caddyFile) matcher(l *caddyLine, scope caddyScope) (caddyMatch, []textAt) {
	if len(l.words) < 2 {
		return caddyMatch{all: true}, nil
	}
	w := l.words[1]
	switch {
	case w.text == "*":
		return caddyMatch{all: true, pos: w.pos}, l.words[2:]
	case strings.HasPrefix(w.text, "/"):
		return caddyMatch{paths: []string{pathPrefix(w.text)}, pos: w.pos}, l.words[2:]
	case strings.HasPrefix(w.text, "@"):
		m := caddyMatch{pos: w.pos}
		if d := scope.matchers[w.text]; d != nil {
			lines := d.block
			if len(d.words) > 1 {
				lines = []*caddyLine{{words: d.words[1:], block: d.block, open: d.open}}
			}
			for _, o := range lines {
				m.add(o, false, 0)
			}
			m.pos = d.pos()
		} else {
			m.other = true
		}
		return m, l.words[2:]
	}
	return caddyMatch{all: true}, l.words[1:]
}

func pathPrefix(text string) string {
	prefix, _, _ := strings.Cut(text, "*")
	return prefix
}

func (m *caddyMatch) add(o *caddyLine, not bool, depth int) {
	switch o.name() {
	case "not":
		if depth > 4 {
			m.other = true
			return
		}
		lines := o.block
		if len(o.words) > 1 {
			lines = []*caddyLine{{words: o.words[1:], block: o.block}}
		}
		for _, l := range lines {
			m.add(l, !not, depth+1)
		}
	case "path":
		for _, w := range o.words[1:] {
			if not {
				m.not = append(m.not, pathPrefix(w.text))
			} else {
				m.paths = append(m.paths, pathPrefix(w.text))
			}
		}
	case "remote_ip", "client_ip":
		every := trustsAll(o.words[1:])
		m.allows = m.allows || !not && !every
		m.denies = m.denies || not && !every
		m.other = m.other || every
	case "host":
		m.names = o.words[1:]
	case "header", "query", "header_regexp", "expression", "vars":
		m.asks = true
		m.other = true
	default:
		m.other = true
	}
}

// caddyOrder is the order in which directives run outside of a route block (httpcaddyfile/directives.go).
func caddyOrder(name string) int {
	return slices.Index([]string{"redir", "rewrite", "uri", "basicauth", "basic_auth", "jwtauth", "authorize", "authenticate", "forward_auth", "request_header", "handle", "handle_path", "route", "abort", "error", "respond", "reverse_proxy"}, name)
}

// handlers reads the directives of a site or block in the order in which they run.
func (c *caddyFile) handlers(list []*caddyLine, scope caddyScope, sites []caddySite, literal bool, depth int) {
	if depth > caddyDepth {
		return
	}
	matchers := scope.matchers
	scope.matchers = map[string]*caddyLine{}
	for k, v := range matchers {
		scope.matchers[k] = v
	}
	for _, l := range list {
		if strings.HasPrefix(l.name(), "@") {
			scope.matchers[l.name()] = l
		}
	}
	list = slices.DeleteFunc(slices.Clone(list), func(l *caddyLine) bool { return caddyOrder(l.name()) < 0 })
	if !literal {
		slices.SortStableFunc(list, func(a, b *caddyLine) int {
			x, y := caddyOrder(a.name()), caddyOrder(b.name())
			if x >= caddyOrder("handle") && y >= caddyOrder("handle") && x <= caddyOrder("route") && y <= caddyOrder("route") {
				return c.rank(a, scope) - c.rank(b, scope)
			}
			return x - y
		})
	}
	for _, l := range list {
		if scope.closed {
			return
		}
		m, args := c.matcher(l, scope)
		switch l.name() {
		case "redir", "abort", "error", "respond":
			scope = refused(scope, m)
		case "rewrite", "uri":
			for _, w := range args {
				if v, ok := queryToken(c.value(w)); ok {
					scope.query = &v
				}
			}
			if l.name() == "uri" && len(args) >= 3 && args[0].text == "query" && args[1].text == "token" {
				v := c.value(args[2])
				scope.query = &v
			}
		case "basicauth", "basic_auth":
			scope = c.asked(scope, m, &deploy.Login{Kind: "basic", Pos: l.pos()})
		case "jwtauth", "authorize", "authenticate":
			scope = c.asked(scope, m, &deploy.Login{Kind: "oauth", Pos: l.pos()})
		case "forward_auth":
			scope = c.asked(scope, m, &deploy.Login{Kind: "forward-auth", Pos: l.pos()})
			scope.headers = copied(scope.headers, l)
		case "request_header":
			if m.all {
				scope.headers = c.change(scope, args, l.pos())
			}
		case "handle", "handle_path", "route":
			inner := within(scope, m)
			if m.denies && !m.other { // what is in it is for those who are not let in
				if only(l.block, "abort", "error", "respond", "redir") {
					scope = refused(scope, m)
				}
				continue
			}
			c.handlers(l.block, inner, sites, l.name() == "route", depth+1)
			if m.all && l.name() != "route" {
				scope.closed = true // nothing behind it is reached
			}
		case "reverse_proxy":
			c.proxy(l, args, within(scope, m), sites)
		}
	}
}

// rank orders handle blocks: longer paths first, without a matcher last.
func (c *caddyFile) rank(l *caddyLine, scope caddyScope) int {
	switch m, _ := c.matcher(l, scope); {
	case m.all:
		return 1 << 20
	case len(m.paths) == 1 && strings.HasPrefix(l.word(1), "/"):
		return -len(m.paths[0])
	}
	return 0
}

func only(list []*caddyLine, names ...string) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(l *caddyLine) bool { return !slices.Contains(names, l.name()) })
}

// within returns what holds for what a matcher lets through.
func within(scope caddyScope, m caddyMatch) caddyScope {
	if len(m.paths) > 0 {
		scope.path = m.paths[0]
	}
	if scope.login == nil {
		switch {
		case m.allows:
			scope.login = &deploy.Login{Kind: "allow-list", Pos: m.pos}
		case m.asks:
			scope.login = &deploy.Login{Kind: "allow-list", Pos: m.pos, Unproven: true}
		}
	}
	for _, n := range m.names {
		scope.names = append(scope.names[:len(scope.names):len(scope.names)], deploy.Value{State: deploy.Set, Text: n.text, Pos: n.pos})
	}
	return scope
}

// refused returns what holds for those that an answer of its own is not for.
func refused(scope caddyScope, m caddyMatch) caddyScope {
	switch {
	case m.all:
		scope.closed = true
	case m.denies && !m.other && len(m.paths) == 0 && len(m.names) == 0 && scope.login == nil:
		scope.login = &deploy.Login{Kind: "allow-list", Pos: m.pos}
	case m.asks && len(m.paths) == 0 && scope.login == nil:
		scope.login = &deploy.Login{Kind: "allow-list", Pos: m.pos, Unproven: true}
	}
	return scope
}

// asked returns what holds behind a login. One that asks only for some paths does not
// ask for the others.
func (c *caddyFile) asked(scope caddyScope, m caddyMatch, login *deploy.Login) caddyScope {
	covers := m.all || slices.ContainsFunc(m.paths, func(p string) bool { return strings.HasPrefix(scope.path, p) || p == "/" })
	switch {
	case covers:
	case len(m.not) > 0 && len(m.paths) == 0:
		for _, p := range m.not {
			scope.open = append(scope.open[:len(scope.open):len(scope.open)], textAt{p, m.pos})
		}
	case len(m.paths) > 0:
		return scope
	default:
		login.Unproven = true
	}
	scope.login = login
	return scope
}

// copied adds what forward_auth copies from the answer.
func copied(headers map[string]deploy.Header, l *caddyLine) map[string]deploy.Header {
	for _, o := range l.block {
		if o.name() != "copy_headers" {
			continue
		}
		list := slices.Clone(o.words[1:])
		for _, in := range o.block {
			list = append(list, in.words...)
		}
		for _, w := range list {
			from, to, ok := strings.Cut(w.text, ">")
			if !ok {
				to = from
			}
			headers = added(headers, strings.ToLower(to), deploy.Header{Does: deploy.Sets, From: deploy.FromLogin, Pos: w.pos})
		}
	}
	return headers
}

// change returns headers after header_up or request_header.
func (c *caddyFile) change(scope caddyScope, args []textAt, pos event.Pos) map[string]deploy.Header {
	if len(args) == 0 {
		return scope.headers
	}
	name := strings.ToLower(strings.TrimSuffix(args[0].text, ":"))
	var value deploy.Value
	if len(args) > 1 {
		value = c.value(args[1])
	}
	h := deploy.Header{Pos: pos}
	switch {
	case strings.HasPrefix(name, "-"):
		name, h.Does = name[1:], deploy.Removes
		if prefix, ok := strings.CutSuffix(name, "*"); ok {
			headers := scope.headers
			for _, known := range []string{"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "x-forwarded-user", "forwarded"} {
				if strings.HasPrefix(known, prefix) {
					headers = added(headers, known, h)
				}
			}
			return headers
		}
	case strings.HasPrefix(name, "+"):
		name, h.Does, h.From = name[1:], deploy.Appends, c.from(scope, name[1:], value.Text)
	case len(args) > 2: // a part of what is there is replaced
		h.Does = deploy.Passes
		if old, ok := scope.headers[name]; ok {
			h = old
		}
	case value.Text == "": // an empty header is as good as none
		h.Does = deploy.Removes
	default:
		h.Does, h.From = deploy.Sets, c.from(scope, name, value.Text)
		if _, changed := scope.headers[name]; !changed && caddyOwn(value.Text) == name {
			h.Does = deploy.Passes
		}
		if name == "authorization" && h.From == deploy.FromConst {
			if strings.Contains(value.Text, "{env.") {
				value.State = deploy.Unknown
			}
			h.Secret = credential(c.source, deploy.KindCaddy, value)
		}
	}
	return added(scope.headers, name, h)
}

var caddyPlaceholder = regexp.MustCompile(`\{([^{}\s]+)\}`)

// caddyOwn is the header that a value is the same as, in lower case.
func caddyOwn(value string) string {
	m := caddyPlaceholder.FindStringSubmatch(value)
	if m == nil || m[0] != strings.TrimSpace(value) {
		return ""
	}
	for _, prefix := range []string{"http.request.header.", "header.", ">"} {
		if name, ok := strings.CutPrefix(m[1], prefix); ok {
			return strings.ToLower(name)
		}
	}
	return ""
}

// from returns where the value of a header comes from.
func (c *caddyFile) from(scope caddyScope, name, value string) deploy.Source {
	from := deploy.FromConst
	rank := map[deploy.Source]int{deploy.FromConst: 0, deploy.FromPeer: 1, deploy.FromLogin: 2, deploy.FromElse: 3, deploy.FromClient: 4}
	for _, m := range caddyPlaceholder.FindAllStringSubmatch(value, 16) {
		p := strings.TrimPrefix(m[1], "http.request.")
		f := deploy.FromElse
		switch {
		case strings.HasPrefix(p, "$") || strings.HasPrefix(p, "env.") || strings.HasPrefix(p, "file.") || p == "scheme" || strings.HasPrefix(p, "upstream_hostport") || strings.HasPrefix(p, "http.reverse_proxy.upstream") || strings.HasPrefix(p, "system."):
			f = deploy.FromConst
		case p == "remote_host" || p == "remote" || p == "remote.host" || p == "remote_ip":
			f = deploy.FromPeer
		case p == "client_ip" || p == "http.vars.client_ip" || p == "vars.client_ip":
			f = deploy.FromPeer
			if c.global.trustsAll {
				f = deploy.FromClient
			}
		case strings.HasPrefix(p, "http.auth."):
			f = deploy.FromLogin
		case strings.HasPrefix(p, "http.reverse_proxy.header."):
			f = deploy.FromLogin
		case strings.HasPrefix(p, "tls.client.") || strings.HasPrefix(p, "tls_client"):
			if scope.login != nil && scope.login.Kind == "client-certificate" {
				f = deploy.FromLogin
			}
		case strings.HasPrefix(p, "header."), strings.HasPrefix(p, ">"):
			f = deploy.FromClient
			h, ok := scope.headers[strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(p, "header."), ">"))]
			if ok && h.Does == deploy.Sets {
				f = h.From
			}
		case strings.HasPrefix(p, "host") || strings.HasPrefix(p, "uri") || strings.HasPrefix(p, "path") || strings.HasPrefix(p, "query") || strings.HasPrefix(p, "cookie") || p == "labels" || strings.HasPrefix(p, "orig_uri"):
			f = deploy.FromClient
		}
		if rank[f] > rank[from] {
			from = f
		}
	}
	return from
}

// proxy adds the doors of a reverse_proxy.
func (c *caddyFile) proxy(l *caddyLine, args []textAt, scope caddyScope, sites []caddySite) {
	tls, trusts := false, c.global.trustsAll
	targets := slices.Clone(args)
	for _, o := range l.block {
		switch o.name() {
		case "to":
			targets = append(targets, o.words[1:]...)
		case "dynamic":
			c.gapAt("gap.variable", o.pos())
		case "trusted_proxies":
			trusts = trusts || trustsAll(o.words[1:])
		case "transport":
			tls = tls || slices.ContainsFunc(o.block, func(t *caddyLine) bool { return strings.HasPrefix(t.name(), "tls") })
		case "rewrite":
			if v, ok := queryToken(c.value(textAt{o.word(1), o.pos()})); ok {
				scope.query = &v
			}
		}
	}
	forwarded := deploy.Header{Does: deploy.Sets, From: deploy.FromPeer, Pos: l.pos()}
	if trusts {
		forwarded.Does = deploy.Appends
	}
	scope.headers = added(scope.headers, "x-forwarded-for", forwarded)
	scope.headers = added(scope.headers, "x-forwarded-proto", deploy.Header{Does: deploy.Sets, From: deploy.FromConst, Pos: l.pos()})
	scope.headers = added(scope.headers, "x-forwarded-host", deploy.Header{Does: deploy.Sets, From: deploy.FromClient, Pos: l.pos()})
	for _, o := range l.block {
		if o.name() == "header_up" {
			scope.headers = c.change(scope, o.words[1:], o.pos())
		}
	}
	if scope.query != nil {
		scope.headers = added(scope.headers, "authorization", deploy.Header{Does: deploy.Sets, From: deploy.FromConst, Secret: credential(c.source, deploy.KindCaddy, *scope.query), Pos: l.pos()})
	}
	for _, w := range targets {
		to, ok := c.upstream(w)
		if !ok {
			continue
		}
		to.TLS = to.TLS || tls
		for _, site := range sites {
			door := deploy.Door{Kind: deploy.KindCaddy, In: site.in, To: to, Path: scope.path, Headers: scope.headers, Login: scope.login, TLS: site.tls, Pos: l.pos()}
			if len(scope.names) > 0 {
				door.In.Names = scope.names
			}
			if len(door.In.Names) > 0 {
				door.Name = door.In.Names[0].Text
			}
			c.add(door)
			for _, w := range scope.open {
				open := door
				open.Path, open.Login = w.text, nil
				c.add(open)
			}
		}
	}
}

func (c *caddyFile) add(d deploy.Door) {
	if c.doors++; c.doors > proxyDoors {
		if c.doors == proxyDoors+1 {
			c.gapAt("gap.too-many", d.Pos)
		}
		return
	}
	c.m.Doors = append(c.m.Doors, &d)
}

// upstream reads where a reverse_proxy leads: "[SCHEME://]HOST[:PORT]" or ":PORT".
func (c *caddyFile) upstream(w textAt) (deploy.Endpoint, bool) {
	v := c.value(w)
	scheme, rest, ok := strings.Cut(v.Text, "://")
	if !ok {
		scheme, rest = "", v.Text
	}
	to := deploy.Endpoint{Space: deploy.Host, TLS: scheme == "https", Port: 80}
	if to.TLS {
		to.Port = 443
	}
	switch {
	case strings.HasPrefix(rest, "unix/"):
		c.gapAt("gap.socket", w.pos)
		return to, false
	case v.State == deploy.Unknown || strings.Contains(rest, "{"):
		c.gapAt("gap.variable", w.pos)
		return deploy.Endpoint{Space: deploy.Host, Host: rest, TLS: to.TLS}, true
	}
	rest, _, _ = strings.Cut(rest, "/")
	host, port, ok := hostPort(rest)
	if p, err := netip.ParseAddr(rest); err == nil && p.Is6() {
		host, port, ok = rest, 0, true
	}
	if !ok {
		c.gapAt("gap.syntax", w.pos)
		return to, false
	}
	if to.Host = host; port != 0 {
		to.Port = port
	}
	return to, true
}
