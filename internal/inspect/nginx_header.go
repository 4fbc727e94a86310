package inspect

import (
	"regexp"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
)

// nginxValues is the most values that a variable is taken to have.
const nginxValues = 32

var nginxVariable = regexp.MustCompile(`\$(?:\{(\w+)\}|(\w+))`)

// value returns a word with the variables of the environment put in that the user named.
func (n *nginxFile) value(w textAt) deploy.Value {
	v := deploy.Value{State: deploy.Set, Text: w.text, Pos: w.pos}
	v.Text = nginxVariable.ReplaceAllStringFunc(w.text, func(ref string) string {
		name := strings.Trim(ref, "${}")
		if !ofEnvironment(name) {
			return ref
		}
		if e, ok := n.env[name]; ok && e.IsSet() {
			v.Via = append(v.Via, e.Pos)
			return e.Text
		}
		v.State = deploy.Unknown
		return ref
	})
	return v
}

// ofEnvironment reports whether a variable is one that a template takes from the environment:
// nginx's own are in lower case.
func ofEnvironment(name string) bool {
	return strings.ToUpper(name) == name && strings.ToLower(name) != name
}

// resolve returns what a text may be once its variables are put in. One that is not known stays.
func (n *nginxFile) resolve(text string, vars map[string][]textAt, depth int) []string {
	list := []string{text}
	if depth > 4 || !strings.Contains(text, "$") {
		return list
	}
	for _, m := range nginxVariable.FindAllStringSubmatch(text, 8) {
		name := m[1] + m[2]
		var values []string
		for _, w := range vars[name] {
			values = append(values, n.resolve(n.value(w).Text, vars, depth+1)...)
		}
		if d := n.maps[name]; d != nil && len(values) == 0 {
			for _, e := range d.block {
				if len(e.args) == 1 && e.name != "include" {
					values = append(values, n.resolve(n.value(e.args[0]).Text, vars, depth+1)...)
				}
			}
		}
		if len(values) == 0 {
			continue
		}
		var next []string
		for _, t := range list {
			for _, v := range values {
				if len(next) < nginxValues && len(t)+len(v) < 4096 {
					next = append(next, strings.ReplaceAll(t, m[0], v))
				}
			}
		}
		list = next
	}
	return list
}

// headers returns what becomes of request headers.
func (s *nginxServer) headers(scope nginxScope, pass *nginxDirective, url string, login *deploy.Login) map[string]deploy.Header {
	// Unless they are set, Host is the name in proxy_pass.
	headers := map[string]deploy.Header{"host": {Does: deploy.Sets, From: deploy.FromConst, Pos: pass.pos}}
	for _, d := range scope.headers {
		if len(d.args) != 2 {
			continue
		}
		name := strings.ToLower(d.arg(0))
		value := s.value(d.args[1])
		h := s.header(scope, name, value.Text, login)
		h.Pos = d.pos
		if name == "authorization" && h.From == deploy.FromConst && h.Does == deploy.Sets {
			h.Secret = credential(s.source, deploy.KindNginx, value)
		}
		headers[name] = h
	}
	for _, w := range []*textAt{{url, pass.args[0].pos}, scope.query} {
		if w == nil {
			continue
		}
		if v, ok := queryToken(s.value(*w)); ok {
			headers["authorization"] = deploy.Header{Does: deploy.Sets, From: deploy.FromConst, Secret: credential(s.source, deploy.KindNginx, v), Pos: pass.pos}
		}
	}
	return headers
}

// header returns what a value makes of a header.
func (s *nginxServer) header(scope nginxScope, name, value string, login *deploy.Login) deploy.Header {
	if value == "" {
		return deploy.Header{Does: deploy.Removes}
	}
	own := "http_" + strings.ReplaceAll(name, "-", "_")
	vars := nginxVariable.FindAllStringSubmatch(value, 16)
	h := deploy.Header{Does: deploy.Sets, From: deploy.FromConst}
	rank := map[deploy.Source]int{deploy.FromConst: 0, deploy.FromPeer: 1, deploy.FromLogin: 2, deploy.FromElse: 3, deploy.FromClient: 4}
	for _, m := range vars {
		v := m[1] + m[2]
		if v == "proxy_add_x_forwarded_for" || v == own && strings.TrimSpace(value) != m[0] {
			return deploy.Header{Does: deploy.Appends, From: deploy.FromPeer}
		}
		if v == own {
			return deploy.Header{Does: deploy.Passes, From: deploy.FromClient}
		}
		if from := s.from(scope, v, login, 0); rank[from] > rank[h.From] {
			h.From = from
		}
	}
	if name == "host" && (strings.TrimSpace(value) == "$host" || strings.TrimSpace(value) == "$http_host") {
		return deploy.Header{Does: deploy.Passes, From: deploy.FromClient}
	}
	return h
}

// from returns where the value of a variable comes from.
func (s *nginxServer) from(scope nginxScope, name string, login *deploy.Login, depth int) deploy.Source {
	asked := login != nil && !login.Unproven
	switch {
	case depth > 4:
		return deploy.FromElse
	case ofEnvironment(name):
		return deploy.FromConst
	case name == "remote_addr" || name == "binary_remote_addr":
		if scope.realIP && scope.anyoneIsPeer {
			return deploy.FromClient
		}
		return deploy.FromPeer
	case name == "realip_remote_addr" || name == "proxy_protocol_addr" || name == "remote_port":
		return deploy.FromPeer
	case name == "remote_user": // of the client's header, whether or not somebody asks for it
		if asked && login.Kind == "basic" {
			return deploy.FromLogin
		}
		return deploy.FromClient
	case strings.HasPrefix(name, "ssl_client_"):
		if asked && login.Kind == "client-certificate" {
			return deploy.FromLogin
		}
		return deploy.FromElse
	case strings.HasPrefix(name, "jwt_"):
		return deploy.FromLogin
	case name == "scheme" || name == "https" || name == "server_port" || name == "server_addr" || name == "server_name" || name == "hostname" ||
		strings.HasPrefix(name, "proxy_host") || name == "proxy_port" || strings.HasPrefix(name, "connection_upgrade") || name == "request_id" || name == "pid":
		return deploy.FromConst
	case strings.HasPrefix(name, "http_") || strings.HasPrefix(name, "arg_") || strings.HasPrefix(name, "cookie_") ||
		name == "host" || name == "args" || name == "query_string" || name == "uri" || name == "request_uri" || name == "request":
		return deploy.FromClient
	}
	if answer, ok := scope.answers[name]; ok {
		if strings.Contains(answer, "upstream_") {
			return deploy.FromLogin
		}
		return s.fromText(scope, answer, login, depth+1)
	}
	from, found := deploy.FromConst, false
	for _, w := range scope.vars[name] {
		if f := s.fromText(scope, w.text, login, depth+1); !found || f == deploy.FromClient {
			from, found = f, true
		}
	}
	if found {
		return from
	}
	return deploy.FromElse
}

// fromText returns where the value of a text comes from.
func (s *nginxServer) fromText(scope nginxScope, text string, login *deploy.Login, depth int) deploy.Source {
	from := deploy.FromConst
	for _, m := range nginxVariable.FindAllStringSubmatch(text, 16) {
		if f := s.from(scope, m[1]+m[2], login, depth); from == deploy.FromConst || f == deploy.FromClient {
			from = f
		}
	}
	return from
}
