package access

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/report"
)

// The texts of languages but English, and the pages.
//
//go:embed lang/*.yaml html/*.html
var files embed.FS

// pages are the pages in one language.
type pages struct {
	report.Texts
	html *template.Template
}

func loadPages() (map[string]pages, error) {
	out := map[string]pages{}
	for _, lang := range report.Languages() {
		texts, err := report.NewTexts(lang)
		if err == nil {
			texts, err = texts.With(files)
		}
		if err != nil {
			return nil, err
		}
		p := pages{Texts: texts}
		p.html, err = template.New("").Funcs(template.FuncMap{"say": texts.Say, "count": texts.Count, "clean": clean.Text, "word": p.word}).ParseFS(files, "html/*.html")
		if err != nil {
			return nil, fmt.Errorf("built-in pages: %w", err)
		}
		out[lang] = p
	}
	return out, nil
}

// lang is the language of the answer to a request.
func (h *Hub) lang(r *http.Request) string {
	if h.o.Lang != nil {
		if lang := h.o.Lang(r); h.pages[lang].html != nil {
			return lang
		}
	}
	return "en"
}

// page answers with one of the pages.
func (h *Hub) page(w http.ResponseWriter, r *http.Request, status int, title, name string, data any) {
	p := h.pages[h.lang(r)]
	var b bytes.Buffer
	if err := p.html.ExecuteTemplate(&b, name, data); err != nil {
		h.o.Log.Error("a page could not be made", "page", name, "error", err)
		plain(w, http.StatusInternalServerError, http.StatusText(http.StatusInternalServerError))
		return
	}
	h.chrome(w, r, status, title, template.HTML(b.String()))
}

// chrome writes a page in the hub's layout.
func (h *Hub) chrome(w http.ResponseWriter, r *http.Request, status int, title string, body template.HTML) {
	if h.o.Chrome != nil {
		h.o.Chrome(w, r, status, title, body)
		return
	}
	var b bytes.Buffer
	err := h.pages[h.lang(r)].html.ExecuteTemplate(&b, "bare.html", map[string]any{"Lang": h.lang(r), "Title": title, "Body": body})
	if err != nil {
		h.o.Log.Error("a page could not be made", "error", err)
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// refuse says that a request is not served: to people as a page, to programs in a line.
func (h *Hub) refuse(w http.ResponseWriter, r *http.Request, status int) {
	title, text := h.pages[h.lang(r)].refusal(status)
	if !forPeople(r) {
		plain(w, status, title+": "+text)
		return
	}
	h.chrome(w, r, status, title, template.HTML("<p>"+template.HTMLEscapeString(text)+"</p>"))
}

func (p pages) refusal(status int) (title, text string) {
	switch status {
	case http.StatusUnauthorized:
		return p.Say("Not logged in"), p.Say("Send a token in the header Authorization: Bearer, or log in at /login.")
	case http.StatusForbidden:
		return p.Say("Not allowed"), p.Say("This needs the role work.")
	case http.StatusMethodNotAllowed:
		return p.Say("Not possible here"), p.Say("The path is right, but not the method of the request.")
	case http.StatusTooManyRequests:
		return p.Say("Too many attempts"), p.Say("Too many attempts to log in have failed. Wait a minute.")
	case http.StatusServiceUnavailable:
		return p.Say("Not available now"), p.Say("The hub's database does not answer. Its log says why.")
	}
	return p.Say("Not found"), p.Say("There is nothing here.")
}

// word is what the page of the audit log calls one of its own words.
func (p pages) word(word string) string {
	switch word {
	case didLogin:
		return p.Say("logged in")
	case didFail:
		return p.Say("login failed")
	case didLogout:
		return p.Say("logged out")
	case didMake:
		return p.Say("token made")
	case didRevoke:
		return p.Say("token revoked")
	case didLook:
		return p.Say("looked at")
	case didRefuse:
		return p.Say("was refused")
	case string(ViaToken):
		return p.Say("token")
	case string(ViaProvider):
		return p.Say("provider")
	case string(ViaCommand):
		return p.Say("command line")
	case string(ViaLocal):
		return p.Say("this machine")
	}
	return clean.Text(word)
}
