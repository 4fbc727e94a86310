package fingerprint

import (
	"net/url"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// requiresLogin reports whether an answer requires a login: 401, a known front, or
// a redirect to a login.
func (c *Case) requiresLogin(a *answer) bool {
	// Nearly all answers of a sweep end here.
	if a.Status < 300 || a.Status > 403 && a.Status != 407 {
		return false
	}
	if a.login == 0 {
		a.login = -1
		if a.Status == 401 || a.Status < 400 && c.leadsToLogin(a.Header.Get("Location")) || c.front(c.set.front.LoginFronts, []answer{*a}) != nil {
			a.login = 1
		}
	}
	return a.login > 0
}

// leadsToLogin reports whether a redirect's target has one of the words of a
// login in its path, or in its host if that is another than the one asked:
// a site that sends to its own name over https leads nowhere else.
func (c *Case) leadsToLogin(location string) bool {
	to, err := url.Parse(strings.TrimSpace(location))
	if err != nil {
		return false
	}
	text := to.Path + "/" + to.Fragment
	if host := to.Hostname(); host != "" && !strings.EqualFold(strings.TrimPrefix(host, "www."), strings.TrimPrefix(c.Host(), "www.")) {
		text = host + "/" + text
	}
	// "/sign-in.php" is the parts "sign", "in", "php", "signin" and "signinphp".
	text = strings.ToLower(text)
	hyphens := strings.NewReplacer("-", "", "_", "")
	return slices.ContainsFunc([]string{text, hyphens.Replace(text)}, func(text string) bool {
		return slices.ContainsFunc(strings.FieldsFunc(text, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < '0' || c > '9')
		}), func(word string) bool { return slices.Contains(c.set.front.LoginWords, word) })
	})
}

// gatedBy returns the front whose login keeps every client from the product, if
// there is one: it matches, and the product's condition says that nothing can be
// reached without it. A login at / alone, or one that is skipped for WebSockets,
// keeps nobody out. A relative or a helper that is recognised says itself what is
// behind the login.
func (c *Case) gatedBy(v *Verdict) *frontRule {
	own := (v.Relative || v.Helper) && v.Product.Confidence.Rank() >= event.Firm.Rank()
	if !own && !slices.ContainsFunc(c.views, func(v *view) bool { return !v.p.Gated.empty() && v.matches(&v.p.Gated.cond) }) {
		return nil
	}
	return c.front(c.set.front.LoginFronts, c.answers)
}
