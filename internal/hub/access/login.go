package access

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/store"
)

const logoutPattern = "POST /logout"

// own are the hub's routes for logging in and out, and for the audit log.
func (h *Hub) own() []Route {
	routes := []Route{
		{Pattern: "GET /login", Needs: Public, Handler: http.HandlerFunc(h.getLogin)},
		{Pattern: "POST /login", Needs: Public, Handler: http.HandlerFunc(h.postLogin)},
		{Pattern: logoutPattern, Needs: View, Handler: http.HandlerFunc(h.postLogout)},
		{Pattern: "GET /audit", Needs: Work, Handler: http.HandlerFunc(h.getAudit)},
	}
	if h.provider != nil {
		routes = append(routes,
			Route{Pattern: "GET /login/provider", Needs: Public, Handler: http.HandlerFunc(h.getProvider)},
			Route{Pattern: "GET " + callbackPath, Needs: Public, Handler: http.HandlerFunc(h.getCallback)})
	}
	return routes
}

// localPath is where to go after a login: a path of the hub, never another site.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\t\r\n") || strings.HasPrefix(u.Path, "/login") {
		return "/"
	}
	return next
}

func (h *Hub) getLogin(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if _, known := UserOf(r.Context()); known {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	h.loginPage(w, r, http.StatusOK, next, "")
}

func (h *Hub) loginPage(w http.ResponseWriter, r *http.Request, status int, next, wrong string) {
	p := h.pages[h.lang(r)]
	provider := ""
	if h.o.OIDC != nil {
		provider = h.o.OIDC.host()
	}
	h.page(w, r, status, p.Say("Log in"), "login.html", map[string]any{"Next": next, "Wrong": wrong, "Provider": provider})
}

func (h *Hub) postLogin(w http.ResponseWriter, r *http.Request) {
	p := h.pages[h.lang(r)]
	next := localPath(r.PostFormValue("next"))
	client := ofClient(h.client(r))
	if d := h.limits.wait(client, h.o.Now()); d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(d/time.Second)+1))
		h.refuse(w, r, http.StatusTooManyRequests)
		return
	}
	u, t, err := h.byToken(r.Context(), strings.TrimSpace(r.PostFormValue("token")))
	switch {
	case errors.Is(err, store.ErrNotFound):
		h.noteLater(r, User{}, didFail, "/login")
		h.loginPage(w, r, http.StatusForbidden, next, p.Say("This is no token, or one that was revoked."))
	case err == nil:
		h.limits.good(client)
		if err = h.note(r, u, didLogin, ""); err == nil {
			err = h.begin(w, r, u, t.ID)
		}
		if err == nil {
			http.Redirect(w, r, next, http.StatusSeeOther)
			return
		}
		fallthrough
	default:
		h.o.Log.Error("a login failed", "error", err)
		h.refuse(w, r, http.StatusServiceUnavailable)
	}
}

func (h *Hub) postLogout(w http.ResponseWriter, r *http.Request) {
	h.end(r)
	h.setCookie(w, sessionCookie, "", 0, http.SameSiteStrictMode)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// auditPage is how many entries a page of the audit log has.
const auditPage = 100

func (h *Hub) getAudit(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("page")) // anything else is the first
	n = min(max(n, 0), 1_000_000)
	entries, all, err := h.o.Store.AuditLog(r.Context(), store.Page{Offset: n * auditPage, Limit: auditPage})
	if err != nil {
		h.o.Log.Error("the audit log could not be read", "error", err)
		h.refuse(w, r, http.StatusServiceUnavailable)
		return
	}
	h.page(w, r, http.StatusOK, h.pages[h.lang(r)].Say("Who looked and what was changed"), "audit.html", map[string]any{
		"Entries": entries, "All": all,
		"Newer": n > 0, "NewerPage": n - 1, "Older": (n+1)*auditPage < all, "OlderPage": n + 1,
	})
}
