package fingerprint

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// Facts names what can be read in an answer, for people who want to check a
// verdict: a page's title, the keys of a JSON object, where a redirect points. It
// quotes only what a fingerprint knows, since everything else may be a secret;
// sealed makes of the rest something that says no more than which are equal. A
// Location is scheme, host and the known parts of its path, a challenge its scheme.
func (s *Set) Facts(x *evidence.Exchange, sealed func(text string) string) map[string]string {
	facts := map[string]string{}
	a, k := read(x), s.known
	if a.sealed {
		return map[string]string{"body": "not kept: it may hold a secret"}
	}
	switch {
	case x.MediaType() == "text/html":
		if title := a.page().Title; title != "" {
			facts["title"] = k.title(title, sealed)
		}
	case x.MediaType() == "application/json" || x.Status == 101:
		doc, _ := a.json()
		if object, ok := doc.(map[string]any); ok && len(object) > 0 {
			facts["keys"] = k.names(slices.Sorted(maps.Keys(object)), 0)
		}
		for _, path := range []string{"error.type", "error.message", "event"} {
			if value, _ := lookup(doc, path); value != nil {
				if text, ok := value.(string); ok {
					facts[path] = k.value(path, text, sealed)
				}
			}
		}
	}
	if v := x.Header.Get("Location"); v != "" {
		facts["location"] = k.place(v)
	}
	if v := x.Header.Get("Server"); v != "" {
		facts["server"] = k.server(v, sealed)
	}
	if v := x.Header.Get("WWW-Authenticate"); v != "" {
		facts["www-authenticate"] = scheme(v)
	}
	if d := x.Digest(); d.Bytes > 0 && d.SHA256 != "" && !k.digests[d.SHA256] {
		facts["body"] = sealed(d.SHA256)
	}
	if len(facts) == 0 {
		return nil
	}
	return facts
}

// digestOf is what Facts' callers make of a text that is not shown.
var digestOf = regexp.MustCompile(`^digest:[0-9a-f]{12}$`)

// Withheld stands for a text that is not known, where there is no digest of it.
const Withheld = "not shown"

// Requote returns what Facts would have given for a fact that is stored already,
// by an earlier version that quoted more. What Facts has given stays as it is. Of a
// "version" it returns what is one, maybe "".
func (s *Set) Requote(name, value string) string {
	k := s.known
	sealed := func(text string) string {
		if digestOf.MatchString(text) {
			return text
		}
		return Withheld
	}
	switch name {
	case "title":
		return k.title(value, sealed)
	case "keys":
		return k.listed(value)
	case "error.type", "error.message", "event":
		return k.value(name, value, sealed)
	case "location":
		return k.place(value)
	case "server":
		return k.server(value, sealed)
	case "www-authenticate":
		return scheme(value)
	case "version":
		return k.anyVersion(value)
	case "body":
		if value == "not kept: it may hold a secret" {
			return value
		}
	}
	return sealed(value)
}

// KnownBody returns the SHA-256 of a body if a fingerprint knows it, else "": a
// short body that holds a secret can be found out from it.
func (s *Set) KnownBody(sha256 string) string {
	if s.known.digests[sha256] {
		return sha256
	}
	return ""
}

// Path returns an exchange's path as it may be shown: without the name of a
// script, which is the target's word.
func (s *Set) Path(x *evidence.Exchange) string {
	id, _, _ := strings.Cut(x.ID, "@")
	after, ok := s.index.scripts[id]
	if !ok {
		return x.Path
	}
	dir := x.Path[:strings.LastIndexByte(x.Path, '/')+1]
	return dir + "*.js" + after
}

// Exchanges returns the ids of the exchanges in which something was seen: the
// names are those of signals, version sources, or exchanges. Each id is there
// once; what no exchange showed (a port, a certificate) has none.
func (s *Set) Exchanges(product string, names []string, o *evidence.Observation) []string {
	out := []string{}
	add := func(id string) {
		if o.Exchange(id) != nil && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	for _, p := range s.products {
		if p.ID != product {
			continue
		}
		v := view{p: p, o: o, set: s, answers: s.collect(o)}
		var trace func(name string)
		trace = func(name string) {
			sig, ok := p.signals[name]
			switch {
			case !ok:
				add(name)
				for _, src := range p.Version {
					if slices.Contains(strings.Split(name, "+"), src.Source) {
						add(src.On)
					}
				}
			case !sig.cond.empty():
				for _, next := range slices.Concat(sig.cond.All, sig.cond.Any) {
					if v.sees(next) {
						trace(next)
					}
				}
			default:
				for _, id := range sig.Login {
					if a, ok := v.answers[id]; ok && s.asksLogin(o, a) {
						add(id)
					}
				}
				for _, id := range sig.On {
					if a, ok := v.answers[id]; ok && a.shows(sig) {
						add(id)
					}
				}
			}
		}
		for _, name := range names {
			trace(name)
		}
	}
	return out
}
