package fingerprint

import (
	"net/url"
	"slices"
	"strings"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
)

// asksLogin reports whether an answer asks for a log-in: 401, a known gate, or a
// redirect whose target says so.
func (s *Set) asksLogin(o *evidence.Observation, a *answer) bool {
	// Nearly all answers of a sweep end here.
	if a.Status < 300 || a.Status > 403 && a.Status != 407 {
		return false
	}
	if a.Status == 401 {
		return true
	}
	if a.Status < 400 && s.leadsToLogin(o, a.Header.Get("Location")) {
		return true
	}
	one := map[string]*answer{a.ID: a}
	gate, _ := first(s.gates, "", o, one, fieldNames(&evidence.Observation{Exchanges: []evidence.Exchange{*a.Exchange}}))
	return gate != ""
}

// leadsToLogin reports whether a redirect's target has one of the words of a
// log-in in its path, or in its host if that is another than the one asked:
// a site that sends to its own name over https leads nowhere else.
func (s *Set) leadsToLogin(o *evidence.Observation, location string) bool {
	to, err := url.Parse(strings.TrimSpace(location))
	if err != nil {
		return false
	}
	text := to.Path + "/" + to.Fragment
	if host := to.Hostname(); host != "" && !strings.EqualFold(strings.TrimPrefix(host, "www."), strings.TrimPrefix(o.Host(), "www.")) {
		text = host + "/" + text
	}
	// "/sign-in.php" is the parts "sign", "in", "php", "signin" and "signinphp".
	text = strings.ToLower(text)
	hyphens := strings.NewReplacer("-", "", "_", "")
	return slices.ContainsFunc([]string{text, hyphens.Replace(text)}, func(text string) bool {
		return slices.ContainsFunc(strings.FieldsFunc(text, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < '0' || c > '9')
		}), func(word string) bool { return slices.Contains(s.logins, word) })
	})
}

// gated returns the gate that stands before everything, if one does: one that
// shows, where a product says that nothing of it can be reached. A log-in at /
// alone, or one that is skipped for WebSockets, keeps nobody out. A relative or
// a helper that is recognised shows what is behind the gate by itself.
func (s *Set) gated(o *evidence.Observation, best *Verdict, views []*view, answers map[string]*answer, fields map[string]bool) (string, []string) {
	own := (best.Relative || best.Helper) && best.Product.Confidence.Rank() >= event.Firm.Rank()
	if !own && !slices.ContainsFunc(views, func(v *view) bool { return !v.p.Gated.empty() && v.holds(v.p.Gated) }) {
		return "", nil
	}
	return first(s.gates, "gate.", o, answers, fields)
}
