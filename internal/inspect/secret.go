package inspect

import (
	"bytes"
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/json5"
)

// envSecret adds the value of a variable if the file holds it in clear and its name says that it
// is a secret.
func (s *source) envSecret(kind deploy.Kind, name string, v deploy.Value) {
	what := secretVariable(name)
	if what == "" || v.State != deploy.Set || !plainSecret(v.Text) {
		return
	}
	s.addSecret(deploy.Secret{What: what, Kind: kind, Value: v})
}

// envSecrets is envSecret for all variables, in the order of their names.
func (s *source) envSecrets(kind deploy.Kind, env map[string]deploy.Value) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		s.envSecret(kind, name, env[name])
	}
}

// addSecret adds a secret, once for each place.
func (s *source) addSecret(secret deploy.Secret) {
	for _, have := range s.m.Secrets {
		if have.Value.Pos == secret.Value.Pos && have.What == secret.What {
			return
		}
	}
	s.m.Secrets = append(s.m.Secrets, secret)
}

// flagSecrets adds the credentials on a gateway's command line.
func (s *source) flagSecrets(kind deploy.Kind, c *deploy.Command) {
	if c == nil {
		return
	}
	for _, f := range []struct{ flag, what string }{{"token", deploy.GatewayToken}, {"password", deploy.GatewayPassword}} {
		if v := c.Flags[f.flag]; v.State == deploy.Set && plainSecret(v.Text) {
			s.addSecret(deploy.Secret{What: f.what, Kind: kind, Value: v})
		}
	}
	s.envSecrets(kind, c.Env)
}

// plainSecret reports whether a text is a secret itself, and no reference to one.
func plainSecret(text string) bool {
	return text != "" && !strings.HasPrefix(text, "$") && !strings.Contains(text, "${") && !strings.Contains(text, "$(") &&
		!strings.Contains(text, "{{") && !strings.HasPrefix(text, "secretref-env:") && !strings.HasPrefix(text, "__env__:")
}

// secretVariable says what secret a variable of this name holds; "" if it holds none.
func secretVariable(name string) string {
	upper := strings.ToUpper(name)
	for _, product := range []string{"OPENCLAW", "CLAWDBOT", "MOLTBOT"} {
		switch upper {
		case product + "_GATEWAY_TOKEN":
			return deploy.GatewayToken
		case product + "_GATEWAY_PASSWORD":
			return deploy.GatewayPassword
		case product + "_HOOKS_TOKEN":
			return deploy.HooksToken
		}
	}
	for _, suffix := range []string{"_TOKEN", "_PASSWORD", "_SECRET", "_API_KEY", "_APIKEY", "_ACCESS_KEY", "_PRIVATE_KEY", "_SECRET_KEY"} {
		if strings.HasSuffix(upper, suffix) {
			return name
		}
	}
	return ""
}

// isExampleFile reports whether a file is there to be copied: .env.example and its like.
func isExampleFile(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"example", "sample", "template", "dist"} {
		for _, sep := range []string{".", "-", "_"} {
			if strings.HasSuffix(name, sep+word) || strings.Contains(name, sep+word+".") || strings.Contains(name, "/"+word+sep) || strings.HasPrefix(name, word+sep) {
				return true
			}
		}
	}
	return false
}

// maxLine is the longest line, in bytes, that is searched for addresses.
const maxLine = 8 << 10

// addresses adds the tokens that addresses of a gateway have in clear, as in
// http://HOST:18789/?token=TOKEN.
func (s *source) addresses(kind deploy.Kind) {
	if !bytes.Contains(s.data, []byte("token=")) {
		return
	}
	of := regexp.MustCompile(`(?i)\b18789\b|openclaw|clawdbot|moltbot`)
	token := regexp.MustCompile(`[?#&]token=([A-Za-z0-9_.~-]{12,})`)
	proxy := (kind == deploy.KindNginx || kind == deploy.KindCaddy) && of.Match(s.data)
	line := 0
	for text := range bytes.Lines(s.data) {
		if line++; len(text) > maxLine {
			continue
		}
		m := token.FindSubmatchIndex(text)
		if m == nil || !proxy && !of.Match(text) {
			continue
		}
		v := deploy.Value{State: deploy.Set, Text: string(text[m[2]:m[3]]), Pos: s.pos(line, len(utf16.Encode([]rune(string(text[:m[2]]))))+1)}
		if plainSecret(v.Text) {
			s.addSecret(deploy.Secret{What: deploy.GatewayToken, Kind: kind, Value: v})
		}
	}
}

// credential returns what a proxy puts into a request as a credential. In clear, it is a secret of the file, too.
func credential(s *source, kind deploy.Kind, v deploy.Value) *deploy.Value {
	if m := bearer.FindStringSubmatch(v.Text); m != nil {
		v.Text = m[1]
	}
	if v.State == deploy.Unknown || strings.Contains(v.Text, "$") {
		v.State, v.Text = deploy.Present, ""
		return &v
	}
	s.addSecret(deploy.Secret{What: deploy.GatewayToken, Kind: kind, Value: v})
	return &v
}

var (
	bearer     = regexp.MustCompile(`(?i)^\s*(?:Bearer|Basic|Token)\s+(.*?)\s*$`)
	queryParam = regexp.MustCompile(`[?&](?:token|password|access_token|auth)=([^&\s#]+)`)
)

// queryToken returns the credential in the query of a URL, if it is not one that the client sent.
func queryToken(v deploy.Value) (deploy.Value, bool) {
	m := queryParam.FindStringSubmatch(v.Text)
	if m == nil || m[1][0] == '$' && v.State != deploy.Unknown || m[1][0] == '{' {
		return v, false
	}
	v.Text = m[1]
	return v, true
}

// configSecrets are the credentials that a configuration holds in clear, in the order of
// their places.
func configSecrets(root *json5.Node) []deploy.Secret {
	var out []deploy.Secret
	for _, c := range []struct {
		what string
		keys []string
	}{
		{deploy.GatewayToken, []string{"gateway", "auth", "token"}},
		{deploy.GatewayToken, []string{"gateway", "remote", "token"}},
		{deploy.GatewayPassword, []string{"gateway", "auth", "password"}},
		{deploy.HooksToken, []string{"hooks", "token"}},
	} {
		if n := root.Get(c.keys...); n != nil && n.Kind == json5.String && plainSecret(n.Text) {
			out = append(out, deploy.Secret{What: c.what, Kind: deploy.KindConfig, Value: deploy.Value{State: deploy.Set, Text: n.Text, Pos: n.Pos}})
		}
	}
	slices.SortStableFunc(out, func(a, b deploy.Secret) int {
		return cmp.Or(cmp.Compare(a.Value.Pos.Line, b.Value.Pos.Line), cmp.Compare(a.Value.Pos.Column, b.Value.Pos.Column))
	})
	return out
}
