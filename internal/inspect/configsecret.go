package inspect

import (
	"cmp"
	"slices"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/json5"
)

// configSecrets are the credentials that a configuration holds in clear; none of one that cannot be read.
func configSecrets(file string, data []byte) []deploy.Secret {
	root, err := json5.Parse(file, data)
	if err != nil {
		return nil
	}
	var out []deploy.Secret
	for what, keys := range map[string][]string{
		"gateway token":    {"gateway", "auth", "token"},
		"gateway password": {"gateway", "auth", "password"},
		"hooks token":      {"hooks", "token"},
	} {
		n := root.Get(keys...)
		if n != nil && n.Kind == json5.String && plainSecret(n.Text) {
			out = append(out, deploy.Secret{What: what, Value: deploy.Value{State: deploy.Set, Text: n.Text, Pos: n.Pos}})
		}
	}
	return out
}

// sortSecrets puts secrets into the order of their places.
func sortSecrets(secrets []deploy.Secret) {
	slices.SortFunc(secrets, func(a, b deploy.Secret) int {
		return cmp.Or(cmp.Compare(a.Value.Pos.Line, b.Value.Pos.Line), cmp.Compare(a.Value.Pos.Column, b.Value.Pos.Column), cmp.Compare(a.What, b.What))
	})
}
