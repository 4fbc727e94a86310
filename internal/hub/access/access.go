// Package access decides who may see and do what: it makes the one http.Handler of the
// hub from routes that each state the role they need, and it knows tokens, sessions,
// an OpenID Connect provider, where the hub may listen, and the audit log.
//
// It fails closed. A route without a stated role is an error, an unknown path needs a
// login like any other, a change that cannot be noted in the audit log is not made, and
// without accounts only this machine is served.
package access

import (
	"context"
	"fmt"
	"net/http"
)

// Role is what somebody may do. The zero value is none, so that a route that states no
// role is noticed.
type Role int

// The roles; each may do what those before it may.
const (
	Public Role = iota + 1 // everybody, without a login
	View                   // look at everything but the audit log
	Work                   // and write notes, make exports, read the audit log
)

// String returns the word of the command line and the database.
func (r Role) String() string {
	switch r {
	case Public:
		return "public"
	case View:
		return "view"
	case Work:
		return "work"
	}
	return fmt.Sprintf("role %d", int(r))
}

// ParseRole reads the role of an account: view or work.
func ParseRole(text string) (Role, error) {
	for _, r := range []Role{View, Work} {
		if text == r.String() {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%.20q is no role: use %s or %s", text, View, Work)
}

// Via is how it is known who somebody is.
type Via string

// The ways.
const (
	ViaToken    Via = "token"
	ViaProvider Via = "oidc"
	ViaCommand  Via = "command" // of clawsonar-hub, on its machine
	ViaLocal    Via = "local"   // not known: there are no accounts, and anyone on this machine is let in
)

// User is who sent a request.
type User struct {
	Name    string // of the token; of a provider's user the verified address of mail, else the subject
	Role    Role
	Via     Via
	Session bool // came with a cookie, and can log out
}

// Local reports whether nobody has logged in and anyone on this machine is let in; every
// page says so.
func (u User) Local() bool { return u.Via == ViaLocal }

type userKey struct{}

// WithUser returns a context that UserOf finds the user in.
func WithUser(ctx context.Context, u User) context.Context {
	return context.WithValue(ctx, userKey{}, u)
}

// UserOf returns who sent the request of a context. Only a public route is ever asked
// by nobody.
func UserOf(ctx context.Context) (User, bool) {
	u, ok := ctx.Value(userKey{}).(User)
	return u, ok
}

// Route is something that the hub answers.
type Route struct {
	Pattern string // as of http.ServeMux, with a method and without a host: "GET /gateways/{id}"
	Needs   Role
	Handler http.Handler
	// Logged puts every request into the audit log. Without it those are there that
	// change something, whose pattern has a wildcard, or that ask for a format.
	Logged bool
}
