package inspect

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
)

// nginxScope is what holds in a block, with what it inherits.
type nginxScope struct {
	headers      []*nginxDirective // proxy_set_header: those of the innermost level that has any
	basic        *nginxDirective
	userFile     *nginxDirective
	request      *nginxDirective
	rules        []*nginxDirective // allow and deny: those of the innermost level that has any
	satisfyAny   bool
	certificate  *nginxDirective
	module       *nginxDirective // of a module that is not known, which may ask for something
	noHeaders    bool            // proxy_pass_request_headers off
	proxyTLS     bool            // of stream: proxy_ssl
	anyoneIsPeer bool            // real_ip takes the client's address from everybody's headers
	realIP       bool
	vars         map[string][]textAt // by set
	answers      map[string]string   // by auth_request_set
	query        *textAt             // of a rewrite, or of set $args
	guard        *deploy.Login       // of an if that refuses
}

// enter returns what holds within a block.
func (c nginxScope) enter(list []*nginxDirective) nginxScope {
	ownHeaders, ownRules := false, false
	for _, d := range list {
		switch d.name {
		case "proxy_set_header":
			if !ownHeaders {
				c.headers, ownHeaders = nil, true
			}
			c.headers = append(c.headers, d)
		case "allow", "deny":
			if !ownRules {
				c.rules, ownRules = nil, true
			}
			c.rules = append(c.rules, d)
		case "auth_basic":
			c.basic = unlessOff(d)
		case "auth_basic_user_file":
			c.userFile = d
		case "auth_request":
			c.request = unlessOff(d)
		case "satisfy":
			c.satisfyAny = d.arg(0) == "any"
		case "ssl_verify_client":
			c.certificate = unlessOff(d)
		case "proxy_pass_request_headers":
			c.noHeaders = d.arg(0) == "off"
		case "proxy_ssl":
			c.proxyTLS = d.arg(0) == "on"
		case "real_ip_header":
			c.realIP = d.arg(0) != "proxy_protocol"
		case "set_real_ip_from":
			c.anyoneIsPeer = c.anyoneIsPeer || everyAddress(d.arg(0))
		case "set":
			c.set(d)
		case "auth_request_set":
			c.answers = added(c.answers, strings.TrimPrefix(d.arg(0), "$"), d.arg(1))
		case "rewrite":
			if strings.Contains(d.arg(1), "?") {
				c.query = &d.args[1]
			}
		case "auth_delay", "auth_http", "auth_jwt_key_file", "auth_jwt_key_request", "auth_jwt_header_set", "auth_jwt_claim_set", "auth_jwt_leeway", "auth_jwt_type", "auth_jwt_key_cache":
		case "access_by_lua", "access_by_lua_block", "access_by_lua_file", "rewrite_by_lua_block", "rewrite_by_lua_file":
			c.module = d
		case "if":
			for _, inner := range d.block {
				if inner.name == "set" {
					c.set(inner)
				}
			}
			if login := nginxGuard(d); login != nil {
				c.guard = login
			}
		default:
			if strings.HasPrefix(d.name, "auth_") {
				c.module = unlessOff(d)
			}
		}
	}
	return c
}

func (c *nginxScope) set(d *nginxDirective) {
	if len(d.args) != 2 {
		return
	}
	name := strings.TrimPrefix(d.arg(0), "$")
	if name == "args" {
		c.query = &textAt{"?" + d.arg(1), d.args[1].pos}
	}
	c.vars = added(c.vars, name, append(slices.Clone(c.vars[name]), d.args[1]))
}

// added returns a copy of a map with one more entry, as the map belongs to the outer block too.
func added[V any](m map[string]V, key string, v V) map[string]V {
	next := make(map[string]V, len(m)+1)
	for k, old := range m {
		next[k] = old
	}
	next[key] = v
	return next
}

func unlessOff(d *nginxDirective) *nginxDirective {
	if a := d.arg(0); a == "off" || a == "optional_no_ca" || a == "optional" {
		return nil
	}
	return d
}

// everyAddress reports whether an address or network of a rule is all there are.
func everyAddress(text string) bool {
	if text == "all" {
		return true
	}
	p, err := netip.ParsePrefix(text)
	return err == nil && p.Bits() == 0
}

// nginxRefusing are conditions on what a client must know or be.
var nginxRefusing = regexp.MustCompile(`\$\{?(http_(x_|authorization|cf_access|secret|token|api)|cookie_|arg_|remote_addr|remote_user|realip_|ssl_client_|geoip|invalid_referer|allow|deny|auth|token|is_|valid|block|access|trusted|whitelist)`)

// nginxGuard returns what an if asks for that refuses who does not give it; nil if it does not.
func nginxGuard(d *nginxDirective) *deploy.Login {
	refuses := slices.ContainsFunc(d.block, func(r *nginxDirective) bool {
		return r.name == "return" && len(r.args) > 0 && strings.HasPrefix(r.arg(0), "4") && len(r.arg(0)) == 3
	})
	condition := nginxCondition(d)
	if !refuses || !nginxRefusing.MatchString(condition) {
		return nil
	}
	if strings.Contains(condition, "$ssl_client_verify") && strings.Contains(condition, "!=") {
		return &deploy.Login{Kind: "client-certificate", Pos: d.pos}
	}
	return &deploy.Login{Kind: "allow-list", Pos: d.pos, Unproven: true}
}

func nginxCondition(d *nginxDirective) string {
	var words []string
	for _, a := range d.args {
		words = append(words, a.text)
	}
	return strings.Join(words, " ")
}

// login returns what asks before a request is passed on, and whether nobody gets through.
func (c nginxScope) login() (*deploy.Login, bool) {
	if c.certificate != nil {
		return &deploy.Login{Kind: "client-certificate", Pos: c.certificate.pos}, false
	}
	var login *deploy.Login
	switch {
	case c.request != nil:
		login = &deploy.Login{Kind: "forward-auth", Pos: c.request.pos}
	case c.basic != nil && c.userFile != nil: // without a file of users nobody is asked
		login = &deploy.Login{Kind: "basic", Pos: c.basic.pos, Unproven: strings.Contains(c.basic.arg(0), "$")}
	}
	some := false
rules:
	for _, r := range c.rules {
		every := everyAddress(r.arg(0))
		switch {
		case r.name == "allow" && every && c.satisfyAny:
			return nil, false
		case r.name == "allow" && every:
			break rules
		case r.name == "allow":
			some = true
		case every && some && login == nil:
			login = &deploy.Login{Kind: "allow-list", Pos: r.pos}
			break rules
		case every && !some && (!c.satisfyAny || login == nil):
			return nil, true
		case every:
			break rules
		}
	}
	switch {
	case login != nil:
	case c.guard != nil:
		login = c.guard
	case c.module != nil:
		login = &deploy.Login{Kind: "forward-auth", Pos: c.module.pos, Unproven: true}
	}
	return login, false
}

// nginxServer is a server block.
type nginxServer struct {
	*nginxFile
	listens []deploy.Listen
	tls     []bool
	passes  map[string][]nginxPassed // by the name of the location
	asks    map[string]bool          // locations that auth_request asks
}

// nginxPassed is where a named location takes over.
type nginxPassed struct {
	path  string
	scope nginxScope
}

func (n *nginxFile) servers(list []*nginxDirective, scope nginxScope) {
	scope = scope.enter(list)
	for _, d := range list {
		if d.name == "server" && len(d.args) == 0 && (n.visited[d.pos.File]) {
			n.server(d, scope)
		}
	}
}

func hasDirective(list []*nginxDirective, name string) bool {
	return slices.ContainsFunc(list, func(d *nginxDirective) bool { return d.name == name })
}

func (n *nginxFile) server(d *nginxDirective, scope nginxScope) {
	if hasDirective(d.block, "return") { // before any location is looked for
		return
	}
	s := &nginxServer{nginxFile: n, passes: map[string][]nginxPassed{}, asks: map[string]bool{}}
	s.listen(d, true)
	if redirectsPlain(d.block) {
		s.plainOff()
	}
	scope = scope.enter(d.block)
	s.collect(d.block, scope, "", 0)
	s.locations(d.block, scope, "")
}

// redirectsPlain reports whether requests without TLS are only sent on to the ones with.
func redirectsPlain(list []*nginxDirective) bool {
	return slices.ContainsFunc(list, func(d *nginxDirective) bool {
		if d.name != "if" || !hasDirective(d.block, "return") && !hasDirective(d.block, "rewrite") {
			return false
		}
		switch strings.Join(strings.Fields(strings.Trim(nginxCondition(d), "() ")), " ") {
		case "$scheme = http", "$scheme != https", "$https =", "$https != on", "$ssl_protocol =", "$server_port = 80", "$server_port != 443":
			return true
		}
		return false
	})
}

func (s *nginxServer) plainOff() {
	var listens []deploy.Listen
	for i, l := range s.listens {
		if s.tls[i] {
			listens = append(listens, l)
		}
	}
	s.listens, s.tls = listens, slices.Repeat([]bool{true}, len(listens))
}

// listen reads where a server listens and by which names.
func (s *nginxServer) listen(d *nginxDirective, http bool) {
	var names []deploy.Value
	ssl := false
	for _, n := range d.block {
		switch n.name {
		case "server_name":
			for _, a := range n.args {
				if a.text != "_" && a.text != "" && a.text != "__" {
					names = append(names, s.value(a))
				}
			}
		case "ssl":
			ssl = n.arg(0) == "on"
		}
	}
	type seen struct {
		address string
		port    int
	}
	have := map[seen]bool{}
	add := func(l deploy.Listen, tls bool) {
		l.Space, l.Names = deploy.Host, names
		if key := (seen{l.Address, l.Port}); !have[key] { // [::]:80 beside 80 is one more way to the same
			have[key] = true
			s.listens = append(s.listens, l)
			s.tls = append(s.tls, tls || ssl)
		}
	}
	found := false
	for _, n := range d.block {
		if n.name != "listen" || len(n.args) == 0 {
			continue
		}
		found = true
		var options []string
		for _, a := range n.args[1:] {
			options = append(options, a.text)
		}
		text := s.value(n.args[0]).Text
		switch host, port, ok := hostPort(text); {
		case slices.Contains(options, "udp"):
		case strings.HasPrefix(text, "unix:"):
			s.gapAt("gap.socket", n.pos)
		case strings.Contains(text, "$"):
			s.gapAt("gap.variable", n.args[0].pos)
			add(deploy.Listen{Reach: event.FilesReachUnknown, Pos: n.pos}, slices.Contains(options, "ssl"))
		case !ok:
			s.gapAt("gap.syntax", n.args[0].pos)
		default:
			if _, err := strconv.Atoi(text); err == nil {
				host, port = "", portNumber(text)
			}
			if port == 0 {
				port = 80
			}
			add(deploy.Listen{Address: wildcard(host), Port: port, Pos: n.pos}, slices.Contains(options, "ssl") || slices.Contains(options, "quic"))
		}
	}
	if !found && http {
		add(deploy.Listen{Port: 80, Pos: d.pos}, false)
	}
}

// wildcard returns "" for what stands for every address.
func wildcard(host string) string {
	switch host {
	case "*", "0.0.0.0", "::":
		return ""
	}
	return host
}

// hostPort takes "HOST", "HOST:PORT", "[IPV6]:PORT" apart; the port is 0 where there is
// none. false: it is none of these.
func hostPort(text string) (host string, port int, ok bool) {
	rest := text
	if strings.HasPrefix(text, "[") {
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return "", 0, false
		}
		host, rest = text[1:end], text[end+1:]
		if rest == "" {
			return host, 0, true
		}
	} else {
		i := strings.LastIndexByte(text, ':')
		if i < 0 {
			return text, 0, text != ""
		}
		host, rest = text[:i], text[i:]
	}
	port = portNumber(strings.TrimPrefix(rest, ":"))
	return host, port, port != 0
}

// collect notes which locations take over from others.
func (s *nginxServer) collect(list []*nginxDirective, scope nginxScope, at string, depth int) {
	for _, d := range list {
		switch d.name {
		case "location":
			s.collect(d.block, scope.enter(d.block), locationPath(d), depth+1)
		case "auth_request":
			s.asks[d.arg(0)] = true
		case "try_files", "error_page":
			if last := d.arg(len(d.args) - 1); strings.HasPrefix(last, "@") {
				s.passes[last] = append(s.passes[last], nginxPassed{at, scope})
			}
		}
	}
}

// locationPath returns the prefix of paths that a location takes: of a regular
// expression what it must begin with.
func locationPath(d *nginxDirective) string {
	mod, text := "", d.arg(0)
	if len(d.args) > 1 {
		mod, text = d.arg(0), d.arg(1)
	} else {
		for _, m := range []string{"=", "^~", "~*", "~"} {
			if rest, ok := strings.CutPrefix(text, m); ok {
				mod, text = m, rest
				break
			}
		}
	}
	if mod != "~" && mod != "~*" {
		return text
	}
	return regexpPrefix(text)
}

// regexpPrefix returns the text that whatever a regular expression matches begins with.
func regexpPrefix(text string) string {
	rest, ok := strings.CutPrefix(text, "^")
	if !ok || strings.Contains(text, "|") && !strings.Contains(text, "(") {
		return ""
	}
	prefix := rest
	if i := strings.IndexAny(rest, `\.+*?()[]{}|$^`); i >= 0 {
		prefix = rest[:i]
		if i > 0 && strings.IndexByte("*?{", rest[i]) >= 0 {
			prefix = rest[:i-1]
		}
	}
	return prefix
}

// locations reads the locations of a level. The ifs of a location do not hold for those in it.
func (s *nginxServer) locations(list []*nginxDirective, scope nginxScope, outer string) {
	for _, d := range list {
		if d.name != "location" {
			continue
		}
		at := locationPath(d)
		inner := scope.enter(d.block)
		nested := inner
		nested.guard = scope.guard
		s.locations(d.block, nested, at)
		if hasDirective(d.block, "return") {
			continue
		}
		passes := []nginxPassed{{at, inner}}
		switch {
		case strings.HasPrefix(at, "@"):
			passes = s.passes[at]
			if len(passes) == 0 && hasDirective(d.block, "proxy_pass") {
				s.gapAt("gap.internal", d.pos)
			}
		case hasDirective(d.block, "internal"):
			if passes = nil; hasDirective(d.block, "proxy_pass") && !s.asks[at] {
				s.gapAt("gap.internal", d.pos)
			}
		}
		made := len(s.m.Doors)
		for _, p := range passes {
			before, closed := p.scope.login()
			if closed {
				continue
			}
			s.pass(d.block, inner, p.path, before)
			for _, cond := range d.block {
				if cond.name != "if" {
					continue
				}
				login := before
				if login == nil && nginxRefusing.MatchString(nginxCondition(cond)) {
					login = &deploy.Login{Kind: "allow-list", Pos: cond.pos, Unproven: true}
				}
				s.pass(cond.block, inner.enter(cond.block), p.path, login)
			}
		}
		for _, door := range s.m.Doors[made:] {
			door.PathPos = d.pos
		}
	}
}

// pass adds the doors of a proxy_pass. before is what has asked already.
func (s *nginxServer) pass(list []*nginxDirective, scope nginxScope, at string, before *deploy.Login) {
	for _, d := range list {
		if d.name != "proxy_pass" || len(d.args) != 1 {
			continue
		}
		login, closed := scope.login()
		if closed {
			return
		}
		if login == nil {
			login = before
		}
		for _, url := range s.resolve(s.value(d.args[0]).Text, scope.vars, 0) {
			headers := s.headers(scope, d, url, login)
			for _, to := range s.endpoints(url, s.upstreams, d) {
				s.addDoors(d, to, func(door *deploy.Door) {
					door.Path, door.Headers, door.Login, door.DropsOthers = at, headers, login, scope.noHeaders
				})
			}
		}
	}
}

// addDoors adds one door for each listener.
func (s *nginxServer) addDoors(d *nginxDirective, to deploy.Endpoint, more func(*deploy.Door)) {
	for i, l := range s.listens {
		if s.nginxFile.doors++; s.nginxFile.doors > proxyDoors {
			if s.nginxFile.doors == proxyDoors+1 {
				s.gapAt("gap.too-many", d.pos)
			}
			return
		}
		door := &deploy.Door{Kind: deploy.KindNginx, In: l, To: to, TLS: deploy.No, Pos: d.pos}
		if len(l.Names) > 0 {
			door.Name = l.Names[0].Text
		}
		if s.tls[i] {
			door.TLS = deploy.Yes
		}
		more(door)
		s.m.Doors = append(s.m.Doors, door)
	}
}

// endpoints returns where a proxy_pass leads.
func (s *nginxServer) endpoints(url string, upstreams map[string]*nginxDirective, d *nginxDirective) []deploy.Endpoint {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		scheme, rest = "", url
	}
	port := 80
	if scheme == "https" {
		port = 443
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 && !strings.HasPrefix(rest, "unix:") {
		authority = rest[:i]
	}
	if up := upstreams[authority]; up != nil {
		var list []deploy.Endpoint
		for _, server := range up.block {
			if server.name != "server" || len(server.args) == 0 {
				continue
			}
			if slices.ContainsFunc(server.args[1:], func(w textAt) bool { return w.text == "down" }) {
				continue
			}
			if to, ok := s.endpoint(s.value(server.args[0]).Text, port, server.pos); ok {
				to.TLS = scheme == "https"
				list = append(list, to)
			}
		}
		return list
	}
	to, ok := s.endpoint(authority, port, d.pos)
	if !ok {
		return nil
	}
	to.TLS = scheme == "https"
	return []deploy.Endpoint{to}
}

func (s *nginxServer) endpoint(authority string, port int, pos event.Pos) (deploy.Endpoint, bool) {
	if strings.HasPrefix(authority, "unix:") {
		s.gapAt("gap.socket", pos)
		return deploy.Endpoint{}, false
	}
	host, own, ok := hostPort(authority)
	if strings.Contains(authority, "$") {
		s.gapAt("gap.variable", pos)
		return deploy.Endpoint{Space: deploy.Host, Host: host, Port: own}, true
	}
	if !ok {
		s.gapAt("gap.syntax", pos)
		return deploy.Endpoint{}, false
	}
	if own == 0 {
		own = port
	}
	return deploy.Endpoint{Space: deploy.Host, Host: host, Port: own}, true
}

// streams reads servers that forward bytes.
func (n *nginxFile) streams(list []*nginxDirective) {
	scope := nginxScope{}.enter(list)
	for _, d := range list {
		if d.name != "server" || len(d.args) != 0 {
			continue
		}
		s := &nginxServer{nginxFile: n}
		s.listen(d, false)
		inner := scope.enter(d.block)
		login, closed := inner.login()
		if closed {
			continue
		}
		for _, p := range d.block {
			if p.name != "proxy_pass" || len(p.args) != 1 {
				continue
			}
			for _, target := range s.resolve(s.value(p.args[0]).Text, inner.vars, 0) {
				for _, to := range s.endpoints(target, n.streamUpstreams, p) {
					to.TLS = inner.proxyTLS
					s.addDoors(p, to, func(door *deploy.Door) { door.Bytes, door.Login = true, login })
				}
			}
		}
	}
}
