package fingerprint

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
)

// Bases returns the usual base paths that may lead to a product whose page is
// not at /: those that the answer to / names, in a redirect to the same
// host or in a link, or with all set every one.
func (c *Case) Bases(all bool) []string {
	root := c.answer(rootID)
	if root == nil || c.Base != "" {
		return nil
	}
	var out []string
	for _, p := range c.set.products {
		var may []string
		for _, base := range p.Bases {
			if (all || c.hints(root, base)) && !slices.Contains(out, base) {
				may = append(may, base)
			}
		}
		if len(may) > 0 && !c.view(p).paged() {
			out = append(out, may...)
		}
	}
	return out
}

// Paged reports whether a product is at the base path of the case: its page, or
// all of it.
func (c *Case) Paged() bool { return slices.ContainsFunc(c.views, (*view).paged) }

// paged reports whether a surface is at the base path itself, or all of the product
// below it.
func (v *view) paged() bool {
	return v.mount() != "" || slices.ContainsFunc(v.p.Surfaces, func(r surfaceRule) bool { return r.Path == rootPath && v.matches(&r.cond) })
}

// hints reports whether an answer leads to a base path.
func (c *Case) hints(a *answer, base string) bool {
	if a.Status >= 300 && a.Status < 400 {
		to, err := url.Parse(a.Header.Get("Location"))
		if err != nil || to.Host != "" && !strings.EqualFold(to.Host, strings.TrimPrefix(c.Origin(), c.Scheme+"://")) {
			return false
		}
		return to.Path == base || strings.HasPrefix(to.Path, base+"/")
	}
	// Of nearly all pages the first look is enough.
	if a.mediaType() != "text/html" || !bytes.Contains(a.Body, []byte(base)) {
		return false
	}
	for _, quote := range []string{`"`, `'`} {
		for _, end := range []string{"/" + quote, quote} {
			if bytes.Contains(a.Body, []byte("href="+quote+base+end)) {
				return true
			}
		}
	}
	return false
}

// Move goes to another base path. What was asked below the one before no longer
// counts; what was asked below the new one before does again.
func (c *Case) Move(base string) {
	c.Base, c.views, c.verdict = base, nil, nil
	c.lookAround()
	for i := range c.answers {
		c.hint(&c.answers[i])
	}
}
