package fingerprint

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
)

// Describe returns the exchanges as a result has them, for people who want to
// check a verdict. The bodies never leave: they may hold secrets. Nor does the
// digest of one that no fingerprint knows, since a short secret can be found out
// from it. sealed stands for what must not be quoted; it says no more than which
// texts are equal.
func (c *Case) Describe(sealed func(text string) string) []event.Evidence {
	var out []event.Evidence
	for i := range c.answers {
		a := &c.answers[i]
		e := event.Evidence{ID: c.Label(a.Exchange), Request: a.Method + " " + a.shownPath(), Status: a.Status, Error: a.Err}
		if a.Status > 0 {
			d := a.Digest()
			e.Bytes, e.SHA256, e.Facts = d.Bytes, c.set.KnownBody(d.SHA256), c.set.facts(a, d, sealed)
		}
		out = append(out, e)
	}
	return out
}

// facts names what can be read in an answer: a page's title, the keys of a JSON
// object, where a redirect points. It quotes only what a fingerprint knows, since
// everything else may be a secret. A Location is scheme, host and the known parts
// of its path, a challenge its scheme.
func (s *Set) facts(a *answer, d evidence.Digest, sealed func(text string) string) map[string]string {
	if a.sealed {
		return map[string]string{"body": NotKept}
	}
	facts := map[string]string{}
	put := func(name, value string) {
		if value != "" {
			facts[name] = s.known.quote(name, value, sealed)
		}
	}
	switch {
	case a.mediaType() == "text/html":
		put("title", a.title())
	case a.mediaType() == "application/json" || a.Status == 101:
		doc, _ := a.json()
		if object, ok := doc.(map[string]any); ok && len(object) > 0 {
			facts["keys"] = s.known.names(slices.Sorted(maps.Keys(object)), 0)
		}
		for _, path := range []string{"error.type", "error.message", "event"} {
			value, _ := lookup(doc, path)
			if text, ok := value.(string); ok {
				facts[path] = s.known.quote(path, text, sealed)
			}
		}
	}
	for _, name := range []string{"Location", "Server", "WWW-Authenticate"} {
		put(strings.ToLower(name), a.Header.Get(name))
	}
	if d.Bytes > 0 && d.SHA256 != "" && !s.known.digests[d.SHA256] {
		facts["body"] = sealed(d.SHA256)
	}
	if len(facts) == 0 {
		return nil
	}
	return facts
}

// quote returns what may be said of a fact, by its name.
func (k *known) quote(name, value string, sealed seal) string {
	switch name {
	case "title":
		if k.titles[value] {
			return value
		}
	case "error.type", "error.message", "event":
		return k.value(name, value, sealed)
	case "location":
		return k.place(value)
	case "server":
		return k.server(value, sealed)
	case "www-authenticate":
		return scheme(value)
	}
	return sealed(value)
}

// digestOf is what Describe's callers make of a text that is not quoted.
var digestOf = regexp.MustCompile(`^digest:[0-9a-f]{12}$`)

// Withheld stands for a text that is not known, where there is no digest of it.
const Withheld = "not shown"

// NotKept is all that is said of a body that may hold a secret, as the fact "body".
const NotKept = "not kept: it may hold a secret"

// Requote returns what Describe would have given for a fact that is stored already,
// by an earlier version that quoted more. What Describe has given stays as it is. Of a
// "version" it returns what is one, maybe "".
func (s *Set) Requote(name, value string) string {
	switch {
	case name == "keys":
		return s.known.listed(value)
	case name == "version":
		return s.known.anyVersion(value)
	case name == "body" && value == NotKept:
		return value
	}
	return s.known.quote(name, value, func(text string) string {
		if digestOf.MatchString(text) {
			return text
		}
		return Withheld
	})
}

// KnownBody returns the SHA-256 of a body if a fingerprint knows it, else "": a
// short body that holds a secret can be found out from it.
func (s *Set) KnownBody(sha256 string) string {
	if s.known.digests[sha256] {
		return sha256
	}
	return ""
}

// shownPath is the path without the name of a script, which is the target's word.
func (a *answer) shownPath() string {
	after, ok := a.index.scripts[a.ID]
	if !ok {
		return a.Path
	}
	return a.Path[:strings.LastIndexByte(a.Path, '/')+1] + "*.js" + after
}

// Evidence returns the ids of the exchanges in which what the verdict rests on was
// matched: the names are those of the product's signals and version sources, or of
// exchanges. Each id is there once; what is in no exchange (a port, a
// certificate) has none.
func (c *Case) Evidence(names ...string) []string {
	out := []string{}
	add := func(ids ...string) {
		for _, id := range ids {
			if c.answer(id) != nil && !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	v := c.best()
	if v == nil {
		return out
	}
	var trace func(name string)
	trace = func(name string) {
		s, ok := v.p.signals[name]
		if !ok {
			add(name)
			for _, src := range v.p.Version {
				if slices.Contains(strings.Split(name, "+"), src.Source) {
					add(src.On)
				}
			}
			return
		}
		for _, next := range slices.Concat(s.cond.All, s.cond.Any) {
			if v.signalMatches(next) {
				trace(next)
			}
		}
		add(v.matchedIn(s)...)
	}
	for _, name := range names {
		trace(name)
	}
	return out
}
