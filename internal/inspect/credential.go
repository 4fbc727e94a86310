package inspect

import (
	"regexp"
	"strings"

	"github.com/clawsonar/clawsonar/internal/deploy"
)

// credential returns what a proxy puts into a request as a credential. In clear, it is a secret of the file, too.
func credential(s *source, kind deploy.Kind, v deploy.Value) *deploy.Value {
	if m := bearer.FindStringSubmatch(v.Text); m != nil {
		v.Text = m[1]
	}
	if v.State == deploy.Unknown || strings.Contains(v.Text, "$") {
		v.State, v.Text = deploy.Present, ""
		return &v
	}
	s.addSecret(deploy.Secret{What: "gateway token", Kind: kind, Value: v})
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
