package openclaw

import (
	"strings"

	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
)

// sandbox are the values of the agents' sandbox that the schema itself refuses: 2026.3.13,
// 2026.6.11 and 2026.9.6 do so alike.
func sandbox(doc *Document) []Problem {
	var out []Problem
	refuse := func(n *json5.Node, path string, refused bool) {
		if n != nil && n.Kind == json5.String && refused {
			out = append(out, Problem{Pos: n.Pos, Path: path, ID: "config-invalid.sandbox", Args: []message.Arg{message.Of("key", path)}, Fatal: true})
		}
	}
	const at = "agents.defaults.sandbox.docker"
	docker := doc.Get("agents", "defaults", "sandbox", "docker")
	for _, key := range []string{"seccompProfile", "apparmorProfile"} {
		if n := docker.Get(key); n != nil {
			refuse(n, at+"."+key, strings.EqualFold(strings.TrimSpace(n.Text), "unconfined"))
		}
	}
	if n := docker.Get("network"); n != nil {
		name := strings.ToLower(strings.TrimSpace(n.Text))
		free := docker.Get("dangerouslyAllowContainerNamespaceJoin")
		joins := strings.HasPrefix(name, "container:") && (free == nil || !free.Bool)
		refuse(n, at+".network", name == "host" || joins)
	}
	if binds := docker.Get("binds"); binds != nil {
		for _, b := range binds.Items {
			source, _, _ := strings.Cut(b.Text, ":")
			windows := len(source) == 1 && len(b.Text) > 2 && (b.Text[2] == '\\' || b.Text[2] == '/')
			refuse(b, at+".binds", b.Text != "" && !strings.HasPrefix(source, "/") && !windows)
		}
	}
	return out
}
