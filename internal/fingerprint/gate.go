package fingerprint

import (
	"net/url"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
)

// asksLogin reports whether an answer asks for a log-in: 401, a known gate, or a
// redirect whose target says so.
func (c *Case) asksLogin(a *answer) bool {
	// Nearly all answers of a sweep end here.
	if a.Status < 300 || a.Status > 403 && a.Status != 407 {
		return false
	}
	if a.login == 0 {
		a.login = -1
		if a.Status == 401 || a.Status < 400 && c.leadsToLogin(a.Header.Get("Location")) || c.shown(c.set.gates, []answer{*a}) != nil {
			a.login = 1
		}
	}
	return a.login > 0
}

// leadsToLogin reports whether a redirect's target has one of the words of a
// log-in in its path, or in its host if that is another than the one asked:
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
		}), func(word string) bool { return slices.Contains(c.set.logins, word) })
	})
}

// gated returns the gate that stands before everything, if one does: one that
// shows, where a product says that nothing of it can be reached. A log-in at /
// alone, or one that is skipped for WebSockets, keeps nobody out. A relative or
// a helper that is recognised shows what is behind the gate by itself.
func (c *Case) gated(v *Verdict) *frontRule {
	own := (v.Relative || v.Helper) && v.Product.Confidence.Rank() >= event.Firm.Rank()
	if !own && !slices.ContainsFunc(c.views, func(v *view) bool { return !v.p.Gated.empty() && v.holds(&v.p.Gated.cond) }) {
		return nil
	}
	return c.shown(c.set.gates, c.answers)
}
