package fingerprint

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/evidence"
)

// Bases returns the usual base paths that may lead to a product whose page does
// not show at /: those that the answer to / names, in a redirect to the same
// host or in a link, or with all set every one.
func (s *Set) Bases(o *evidence.Observation, all bool) []string {
	x := o.Exchange(rootID)
	if x == nil || o.Base != "" {
		return nil
	}
	var out []string
	answers := s.collect(o)
	for _, p := range s.products {
		if len(p.Bases) == 0 {
			continue
		}
		if v := (view{p: p, o: o, set: s, answers: answers}); v.paged() {
			continue
		}
		for _, base := range p.Bases {
			if (all || hints(x, o, base)) && !slices.Contains(out, base) {
				out = append(out, base)
			}
		}
	}
	return out
}

// Paged reports whether a product shows at the base path that o stands at: its
// page, or all of it.
func (s *Set) Paged(o *evidence.Observation) bool {
	return slices.ContainsFunc(s.views(o, s.collect(o)), (*view).paged)
}

// paged reports whether a surface shows at the base path itself, or all of the
// product below it.
func (v *view) paged() bool {
	return v.mount() != "" || slices.ContainsFunc(v.p.Surfaces, func(r surfaceRule) bool { return r.Path == rootPath && v.holds(r.cond) })
}

// hints reports whether an answer leads to a base path.
func hints(x *evidence.Exchange, o *evidence.Observation, base string) bool {
	if x.Status >= 300 && x.Status < 400 {
		to, err := url.Parse(x.Header.Get("Location"))
		if err != nil || to.Host != "" && !strings.EqualFold(to.Host, strings.TrimPrefix(o.Origin(), o.Scheme+"://")) {
			return false
		}
		return to.Path == base || strings.HasPrefix(to.Path, base+"/")
	}
	// Of nearly all pages the first look is enough.
	if x.MediaType() != "text/html" || !bytes.Contains(x.Body, []byte(base)) {
		return false
	}
	for _, quote := range []string{`"`, `'`} {
		for _, end := range []string{"/" + quote, quote} {
			if bytes.Contains(x.Body, []byte("href="+quote+base+end)) {
				return true
			}
		}
	}
	return false
}

// Rebase moves an observation to another base path. What was asked below the
// one before keeps its answer under a name of its own; what was asked below the
// new one before is seen again.
func (s *Set) Rebase(o *evidence.Observation, base string) {
	for i := range o.Exchanges {
		x := &o.Exchanges[i]
		id, at, moved := strings.Cut(x.ID, "@")
		switch {
		case moved && at == base+"/":
			x.ID = id
		case !moved && s.based(id):
			x.ID = id + "@" + o.Base + "/"
		}
	}
	o.Base = base
}

// based reports whether a request is made below the base path.
func (s *Set) based(id string) bool {
	return slices.ContainsFunc(s.products, func(p *product) bool {
		return slices.ContainsFunc(p.Requests, func(r requestSpec) bool {
			return r.ID == id && strings.HasPrefix(r.Path, "{base}")
		})
	})
}
