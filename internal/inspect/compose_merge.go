package inspect

import "strings"

// merger lays files over each other. left bounds the values that it may copy, since aliases let
// few lines name many.
type merger struct{ left int }

// service lays a service over another of the same name, by the rules of the Compose
// specification: mappings merge, lists are added to, commands replaced. So a file that is laid over
// another cannot take a port back, except with the tags !reset and !override.
func (g *merger) service(under, over *ynode) *ynode { return g.mapping(under, over, "", 0) }

func (g *merger) mapping(under, over *ynode, path string, depth int) *ynode {
	if g.left -= 1 + len(under.members) + len(over.members); g.left < 0 {
		return over
	}
	out := &ynode{kind: ymapping, pos: under.pos}
	index := map[string]int{}
	for _, m := range under.unique() {
		index[m.key] = len(out.members)
		out.members = append(out.members, m)
	}
	for _, m := range over.unique() {
		i, there := index[m.key]
		if !there {
			if m.value.tag != "!reset" {
				index[m.key] = len(out.members)
				out.members = append(out.members, m)
			}
			continue
		}
		switch m.value.tag {
		case "!reset":
			out.members[i].value = &ynode{pos: m.pos}
			continue
		case "!override":
			out.members[i] = m
			continue
		}
		merged := g.value(out.members[i].value, m.value, path+"."+m.key, depth)
		if merged == m.value {
			out.members[i] = m
		} else {
			out.members[i].value = merged
		}
	}
	return out
}

func (g *merger) value(under, over *ynode, path string, depth int) *ynode {
	if g.left -= len(under.items) + len(over.items); g.left < 0 {
		return over
	}
	if under.kind == ynull || over.kind == ynull || depth > maxNested {
		return over
	}
	switch path {
	case ".command", ".entrypoint", ".healthcheck.test":
		return over
	case ".environment", ".labels", ".deploy.labels", ".build.args", ".build.labels", ".extra_hosts", ".sysctls", ".annotations":
		return g.mapping(pairs(under), pairs(over), path, depth+1)
	case ".networks", ".depends_on":
		return g.mapping(keyed(under), keyed(over), path, depth+1)
	case ".build":
		return g.mapping(buildMapping(under), buildMapping(over), path, depth+1)
	}
	switch {
	case under.kind == ymapping && over.kind == ymapping:
		return g.mapping(under, over, path, depth+1)
	case under.kind == ylist || over.kind == ylist:
		return &ynode{kind: ylist, pos: over.pos, items: append(append([]*ynode{}, under.list()...), over.list()...)}
	}
	return over
}

// pairs turns a list of NAME=VALUE into a mapping. A name alone has a null value.
func pairs(n *ynode) *ynode {
	if n == nil || n.kind != ylist {
		return n
	}
	out := &ynode{kind: ymapping, pos: n.pos}
	for _, item := range n.items {
		if item.kind != yscalar {
			continue
		}
		key, text, ok := strings.Cut(item.text, "=")
		value := &ynode{pos: item.pos}
		if ok {
			value.kind, value.text = yscalar, text
		}
		out.members = append(out.members, ymember{key: key, pos: item.pos, value: value})
	}
	return out
}

// keyed turns a list of names into a mapping.
func keyed(n *ynode) *ynode {
	if n == nil || n.kind != ylist {
		return n
	}
	out := &ynode{kind: ymapping, pos: n.pos}
	for _, item := range n.items {
		out.members = append(out.members, ymember{key: item.text, pos: item.pos, value: &ynode{pos: item.pos}})
	}
	return out
}

// buildMapping turns the short form of build into the long one.
func buildMapping(n *ynode) *ynode {
	if n == nil || n.kind != yscalar {
		return n
	}
	return &ynode{kind: ymapping, pos: n.pos, members: []ymember{{key: "context", pos: n.pos, value: n}}}
}
