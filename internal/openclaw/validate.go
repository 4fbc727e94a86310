package openclaw

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// maxKeyProblems bounds what is said of one configuration.
const maxKeyProblems = 100

// migratesFrom is the first release that moves retired keys to where they are now when
// it starts, unless the configuration is of several files.
const migratesFrom = "2026.8.2"

// Check returns what a release does not take in a configuration, in the order of the
// text: keys that it does not know, and values of the wrong kind where these matter
// here. Of a release that is not known, what no release takes is fatal.
func (k *Keys) Check(doc *Document, r release.Version) []Problem {
	if doc == nil || doc.Root == nil {
		return nil
	}
	c := &checker{Keys: k, doc: doc, release: r}
	c.object(doc.Root, k.root, nil)
	c.kinds()
	c.problems = append(c.problems, sandbox(doc)...)
	slices.SortStableFunc(c.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	return c.problems
}

type checker struct {
	*Keys
	doc      *Document
	release  release.Version
	problems []Problem
}

func (c *checker) add(p Problem) {
	if len(c.problems) < maxKeyProblems {
		c.problems = append(c.problems, p)
	}
}

// object checks the members of a value. It goes as deep as the table at most.
func (c *checker) object(n *json5.Node, at *keyNode, path []string) {
	if n == nil || len(at.children) == 0 || openBelow(path) {
		return
	}
	if n.Kind == json5.Array {
		if item := at.children["[]"]; item != nil {
			for _, x := range n.Items {
				c.object(x, item, append(slices.Clip(path), "[]"))
			}
		}
		return
	}
	// A value that was one text or list in all releases has no keys to know.
	if n.Kind != json5.Object || len(at.children) == 1 && at.children["[]"] != nil {
		return
	}
	for _, m := range n.Members {
		if m.Key == "$include" || m.Key == "__proto__" || m.Key == "$schema" && len(path) == 0 {
			continue
		}
		child, any := at.children[m.Key], at.children["*"]
		known := uint64(0)
		if any != nil {
			known = any.known
		}
		if child != nil {
			known |= child.known
		} else {
			child = any
		}
		here := append(slices.Clip(path), m.Key)
		yes, no := c.knows(known, c.release)
		if !yes {
			c.unknown(m, strings.Join(here, "."), known, no)
		} else if child != nil {
			c.object(m.Value, child, here)
		}
	}
}

// unknown tells of a key that the release does not know, or may not.
func (c *checker) unknown(m json5.Member, path string, known uint64, certain bool) {
	p := Problem{Pos: m.Pos, Path: path, ID: "config-invalid.unknown-key", Args: []message.Arg{message.Of("key", path)}, Fatal: certain}
	if known == 0 {
		if !certain {
			p.ID = "config-invalid.newer-key"
		}
		c.add(p)
		return
	}
	first, last := c.span(known)
	p.Args = append(p.Args, message.Of("first", first), message.Of("last", last))
	lastKnown := release.MustParse(last)
	switch {
	case !certain:
		p.ID = "config-invalid.maybe-key"
	case lastKnown.Compare(c.release) > 0:
		p.ID = "config-invalid.key-of-later"
	case era{c.release}.from(migratesFrom) && len(c.doc.Included) == 0:
		p.ID, p.Fatal = "config-invalid.migrated-key", false
	default:
		p.ID = "config-invalid.retired-key"
	}
	c.add(p)
}

// kinds checks the values that decide who gets to the gateway and what it asks.
func (c *checker) kinds() {
	is := func(kinds ...json5.Kind) func(*json5.Node) bool {
		return func(n *json5.Node) bool { return slices.Contains(kinds, n.Kind) }
	}
	oneOf := func(words ...string) func(*json5.Node) bool {
		return func(n *json5.Node) bool {
			return n.Kind == json5.String && (slices.Contains(words, n.Text) || len(c.doc.Missing[n]) > 0)
		}
	}
	texts := func(n *json5.Node) bool {
		return n.Kind == json5.Array && !slices.ContainsFunc(n.Items, func(x *json5.Node) bool { return x.Kind != json5.String })
	}
	port := func(n *json5.Node) bool {
		return n.Kind == json5.Number && n.Number == math.Trunc(n.Number) && n.Number > 0 && n.Number < 65536
	}
	modes := era{c.releases[len(c.releases)-1]}.modes()
	if !c.release.IsZero() && !slices.ContainsFunc(erasOf(c.release), func(e era) bool { return e.from("2026.2.26") }) {
		modes = era{c.release}.modes()
	}
	secret := is(json5.String, json5.Object)
	if !c.release.IsZero() && !slices.ContainsFunc(erasOf(c.release), func(e era) bool { return e.from("2026.3.13") }) {
		secret = is(json5.String)
	}
	for path, ok := range map[string]func(*json5.Node) bool{
		"gateway": is(json5.Object), "gateway.auth": is(json5.Object), "gateway.controlUi": is(json5.Object), "gateway.tailscale": is(json5.Object), "hooks": is(json5.Object),
		"gateway.port": port, "gateway.bind": oneOf(binds()...), "gateway.mode": oneOf("local", "remote"),
		"gateway.auth.mode": oneOf(modes...), "gateway.tailscale.mode": oneOf(tailscales()...), "discovery.mdns.mode": oneOf("off", "minimal", "full"),
		"gateway.auth.token": secret, "gateway.auth.password": secret, "gateway.customBindHost": is(json5.String),
		"gateway.auth.trustedProxy.userHeader": is(json5.String), "gateway.trustedProxies": texts, "gateway.controlUi.allowedOrigins": texts,
		"gateway.auth.allowTailscale": is(json5.Bool), "gateway.allowRealIpFallback": is(json5.Bool), "gateway.auth.trustedProxy.allowLoopback": is(json5.Bool),
		"gateway.controlUi.enabled": is(json5.Bool), "gateway.controlUi.allowInsecureAuth": is(json5.Bool),
		"gateway.controlUi.dangerouslyDisableDeviceAuth": is(json5.Bool), "gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback": is(json5.Bool),
		"gateway.tls.enabled": is(json5.Bool), "gateway.terminal.enabled": is(json5.Bool), "hooks.enabled": is(json5.Bool), "hooks.token": is(json5.String), "hooks.path": is(json5.String),
		"gateway.http.endpoints.chatCompletions.enabled": is(json5.Bool), "gateway.http.endpoints.responses.enabled": is(json5.Bool),
		"gateway.tools.allow": texts, "gateway.tools.deny": texts,
	} {
		keys := strings.Split(path, ".")
		if n := c.doc.Get(keys...); n != nil && !ok(n) {
			c.add(Problem{Pos: n.Pos, Path: path, ID: "config-invalid.value", Args: []message.Arg{message.Of("key", path)}, Fatal: true})
		}
	}
	c.colours()
}

// colours checks that browser profiles have a colour, without which releases up to
// 2026.7.35 do not start. From 2026.8.2 on no release knows the key.
func (c *checker) colours() {
	const last = "2026.7.35"
	profiles := c.doc.Get("browser", "profiles")
	if profiles == nil || profiles.Kind != json5.Object || c.release.IsZero() || c.release.Compare(release.MustParse(last)) > 0 {
		return
	}
	for _, m := range profiles.Members {
		if m.Value != nil && m.Value.Kind == json5.Object && m.Value.Get("color") == nil && m.Value.Get("$include") == nil {
			path := "browser.profiles." + m.Key + ".color"
			c.add(Problem{Pos: m.Pos, Path: path, ID: "config-invalid.lacks-key", Args: []message.Arg{message.Of("key", path)}, Fatal: true})
		}
	}
}
