package web

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/report"
)

// The frame of a page as its template sees it.
type (
	layout struct {
		Lang, Title string
		Feed        bool
		Nav         []link
		Languages   []link
		User        string
		Login       bool // nobody is logged in
		Session     bool // there is one to log out of
		Local       bool // anybody on this machine is let in
		Body        template.HTML
		Words       []report.Term
	}
	link struct {
		URL, Text, Lang string
		Here            bool
	}
)

func (b *Board) layout(l *language, r *http.Request, title string, body template.HTML) layout {
	out := layout{Lang: l.tag, Title: clean.Text(title), Body: body, Words: l.Glossary()}
	user, ok := access.UserOf(r.Context())
	if ok {
		out.Session, out.Local = user.Session, user.Local()
		if !out.Local { // that has no name
			out.User = clean.N(user.Name, 60)
		}
	}
	out.Login = !ok && r.URL.Path != "/login"
	if ok && user.Role >= access.View {
		out.Feed = true
		nav := []link{
			{URL: "/", Text: l.Say("Overview")}, {URL: "/gateways", Text: l.Say("Gateways")}, {URL: "/changes", Text: l.Say("Changes")},
			{URL: "/weekly", Text: l.Say("Week")}, {URL: "/runs", Text: l.Say("Runs")},
		}
		if b.hasJobs(r) {
			nav = append(nav, link{URL: "/jobs", Text: l.Say("Jobs")})
		}
		nav = append(nav, link{URL: "/public", Text: l.Say("Public numbers")})
		if user.Role >= access.Work {
			nav = append(nav, link{URL: "/audit", Text: l.Say("Audit log")})
		}
		for _, x := range nav {
			x.Here = r.URL.Path == x.URL || x.URL != "/" && strings.HasPrefix(r.URL.Path, x.URL+"/")
			out.Nav = append(out.Nav, x)
		}
	}
	for _, x := range []link{{Text: "English", Lang: "en"}, {Text: "中文", Lang: "zh-Hans"}} {
		q := url.Values{}
		if r.Method == http.MethodGet {
			q = r.URL.Query()
		}
		code, _, _ := strings.Cut(x.Lang, "-")
		q.Set("lang", code)
		x.URL, x.Here = r.URL.Path+"?"+q.Encode(), code == l.code
		out.Languages = append(out.Languages, x)
	}
	return out
}

// langCookie keeps the language that was chosen.
const langCookie = "lang"

// language is that of the answer to a request. One that was asked for by ?lang= is kept
// in a cookie.
func (b *Board) language(w http.ResponseWriter, r *http.Request) *language {
	if asked := b.languages[r.URL.Query().Get("lang")]; asked != nil {
		cookie := &http.Cookie{Name: langCookie, Value: asked.code, Path: "/", MaxAge: 365 * 24 * 60 * 60, HttpOnly: true, Secure: strings.HasPrefix(b.base(r), "https:"), SameSite: http.SameSiteLaxMode}
		if !slices.Contains(w.Header().Values("Set-Cookie"), cookie.String()) {
			http.SetCookie(w, cookie)
		}
		return asked
	}
	return b.languages[Lang(r)]
}

// Lang returns the language in which a request is to be answered, one of
// report.Languages: that of ?lang=, else the one that was chosen before, else the one
// that the browser likes best, else English.
func Lang(r *http.Request) string {
	known := report.Languages()
	if asked := r.URL.Query().Get("lang"); slices.Contains(known, asked) {
		return asked
	}
	if c, err := r.Cookie(langCookie); err == nil && slices.Contains(known, c.Value) {
		return c.Value
	}
	best, most := message.English.Code, 0.0
	// RFC 9110 section 12.5.4; of equals the first counts.
	for i, part := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		if i == 20 {
			break
		}
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		code, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			weight, _ = strconv.ParseFloat(q, 64)
		}
		if slices.Contains(known, code) && weight > most && weight <= 1 {
			best, most = code, weight
		}
	}
	return best
}

// may reports whether who asks has a role.
func may(r *http.Request, role access.Role) bool {
	user, ok := access.UserOf(r.Context())
	return ok && user.Role >= role
}
