package access

import (
	"context"
	"net/http"
	"time"

	"github.com/clawsonar/clawsonar/internal/hub/store"
)

// A session ends that long after it began, and after it was used last.
const (
	sessionLife = 24 * time.Hour
	sessionIdle = 8 * time.Hour
)

// cookieName is the name of a cookie. Browsers take the prefix as a promise that only
// this host has set it over HTTPS, and refuse it over plain HTTP: there, on loopback,
// the name is without, and other servers on the machine's loopback addresses can see
// the cookie if the browser visits them.
func (h *Hub) cookieName(name string) string {
	if h.secure {
		return "__Host-" + name
	}
	return "clawsonar-" + name
}

const sessionCookie = "session"

func (h *Hub) setCookie(w http.ResponseWriter, name, value string, life time.Duration, site http.SameSite) {
	c := &http.Cookie{Name: h.cookieName(name), Value: value, Path: "/", MaxAge: int(life / time.Second), HttpOnly: true, Secure: h.secure, SameSite: site}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// begin makes a session for a user and gives the browser its cookie. One that the
// browser had before ends: nobody goes on with a session that somebody else began.
func (h *Hub) begin(w http.ResponseWriter, r *http.Request, u User, token int64) error {
	h.end(r)
	value := secret()
	err := h.o.Store.AddSession(r.Context(), store.Session{Token: token, Name: u.Name, Role: u.Role.String(), Made: h.o.Now()}, hash(value))
	if err == nil {
		h.setCookie(w, sessionCookie, value, sessionLife, http.SameSiteStrictMode)
	}
	return err
}

// end ends the session of a request, if it has one.
func (h *Hub) end(r *http.Request) {
	if c, err := r.Cookie(h.cookieName(sessionCookie)); err == nil {
		if err := h.o.Store.EndSession(r.Context(), hash(c.Value)); err != nil {
			h.o.Log.Error("a session could not be ended", "error", err)
		}
	}
}

// bySession returns whose session it is, or store.ErrNotFound.
func (h *Hub) bySession(ctx context.Context, value string) (User, error) {
	sum := hash(value)
	v, err := h.o.Store.SessionOf(ctx, sum)
	if err != nil {
		return User{}, err
	}
	now := h.o.Now()
	role, err := ParseRole(v.Role)
	if err != nil || now.Sub(v.Made) >= sessionLife || now.Sub(v.Used) >= sessionIdle {
		return User{}, store.ErrNotFound
	}
	via := ViaToken
	if v.Token == 0 {
		if via = ViaProvider; h.o.OIDC == nil {
			return User{}, store.ErrNotFound
		}
	}
	if now.Sub(v.Used) >= time.Minute {
		h.later(func(ctx context.Context) error { return h.o.Store.UsedSession(ctx, sum, now) })
	}
	return User{Name: v.Name, Role: role, Via: via, Session: true}, nil
}
