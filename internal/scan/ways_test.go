package scan

import (
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// Which listeners of a machine lead to the same gateway. Nothing is said to be
// certain that is not, and two gateways are never one.
func TestTellWays(t *testing.T) {
	token := event.Auth{State: event.AuthRequired, Mode: "token"}
	open := event.Auth{State: event.AuthOpen, Mode: "none"}
	added := event.Auth{State: event.AuthOpen}
	// at is a gateway at a port; the changes make it another.
	type change func(*listening)
	at := func(url string, port uint16, changes ...change) listening {
		l := listening{port: port, url: url, auth: token, product: "openclaw", releases: []string{"2026.9.6"}, page: "aa"}
		for _, c := range changes {
			c(&l)
		}
		return l
	}
	pid := func(n int32) change { return func(l *listening) { l.PID = n } }
	auth := func(a event.Auth) change { return func(l *listening) { l.auth = a } }
	nginx := func(l *listening) { l.front = "nginx" }
	proxy := func(l *listening) { l.Forwards = true }
	releases := func(r ...string) change { return func(l *listening) { l.releases = r } }
	page := func(p string) change { return func(l *listening) { l.page = p } }
	beyond := func(l *listening) { l.beyond = true }
	product := func(p string) change { return func(l *listening) { l.product = p } }

	for _, tt := range []struct {
		name string
		all  []listening
		want []string // of each: what it is, what leads to it, what notes say
	}{
		{name: "one", all: []listening{at("a", 1, pid(1))}, want: []string{"gateway"}},
		{name: "behind nginx that adds the token", all: []listening{at("a", 1, pid(1)), at("n", 80, pid(2), nginx, auth(added))},
			want: []string{"gateway <- n: Another way in to this gateway is open: n.",
				"forwards firm a: This is another way in to the gateway of a, as far as can be told: the same release and page, and no other gateway listens on this machine."}},
		{name: "behind nginx that adds none", all: []listening{at("n", 80, pid(2), proxy), at("a", 1, pid(1))},
			want: []string{"forwards firm a: This is another way in to the gateway of a, as far as can be told: the same release and page, and no other gateway listens on this machine.",
				"gateway <- n: Another way in to this gateway: n."}},
		{name: "another page", all: []listening{at("a", 1, pid(1)), at("n", 80, nginx, page("bb"))},
			want: []string{"gateway <- n: It may be the same gateway as that of n.", "forwards <- a: It may be the same gateway as that of a."}},
		{name: "no page", all: []listening{at("a", 1, pid(1), page("")), at("n", 80, nginx, page(""))},
			want: []string{"gateway <- n: It may be the same gateway as that of n.", "forwards <- a: It may be the same gateway as that of a."}},
		{name: "release not exact", all: []listening{at("a", 1, releases("2026.9.6", "2026.9.5")), at("n", 80, nginx, releases("2026.9.6", "2026.9.5"))},
			want: []string{"gateway <- n: It may be the same gateway as that of n.", "forwards <- a: It may be the same gateway as that of a."}},
		{name: "release of the front not known", all: []listening{at("a", 1), at("n", 80, nginx, releases())},
			want: []string{"gateway <- n: It may be the same gateway as that of n.", "forwards <- a: It may be the same gateway as that of a."}},
		{name: "another release", all: []listening{at("a", 1), at("n", 80, nginx, releases("2026.9.5"))}, want: []string{"gateway", "forwards"}},
		{name: "another product", all: []listening{at("a", 1), at("n", 80, nginx, product("toy"))}, want: []string{"gateway", "forwards"}},
		{name: "another mode", all: []listening{at("a", 1), at("n", 80, nginx, auth(open))}, want: []string{"gateway", "forwards"}},
		{name: "two gateways that are alike", all: []listening{at("a", 1, pid(1)), at("b", 2, pid(3)), at("n", 80, pid(2), nginx, auth(added))},
			want: []string{"gateway <- n: It may be the same gateway as that of n.", "gateway <- n: It may be the same gateway as that of n.",
				"forwards <- a b: It may be the same gateway as that of a. It may be the same gateway as that of b."}},
		{name: "two gateways, one of them alike", all: []listening{at("a", 1, pid(1)), at("b", 2, pid(3), releases("2026.9.5")), at("n", 80, pid(2), nginx)},
			want: []string{"gateway <- n: It may be the same gateway as that of n.", "gateway", "forwards <- a: It may be the same gateway as that of a."}},
		{name: "one process, two sockets", all: []listening{at("a", 1, pid(1)), at("b", 1, pid(1))},
			want: []string{"gateway", "gateway certain a: This is the gateway of a: one process listens at both."}},
		{name: "one process, two sockets, one beyond loopback", all: []listening{at("a", 1, pid(1)), at("b", 1, pid(1), beyond, auth(open))},
			want: []string{"gateway <- b: Another way in to this gateway is open: b.", "gateway certain a <- b: This is the gateway of a: one process listens at both."}},
		{name: "one process, two sockets, behind nginx", all: []listening{at("a", 1, pid(1)), at("b", 1, pid(1)), at("n", 80, proxy)},
			want: []string{"gateway <- n: Another way in to this gateway: n.", "gateway certain a <- n: This is the gateway of a: one process listens at both.",
				"forwards firm a: This is another way in to the gateway of a, as far as can be told: the same release and page, and no other gateway listens on this machine."}},
		{name: "processes not seen, one port", all: []listening{at("a", 1), at("b", 1)},
			want: []string{"gateway", "gateway firm a: This is the gateway of a, as far as can be told: the same port, release and page."}},
		{name: "processes not seen, two ports", all: []listening{at("a", 1), at("b", 2)}, want: []string{"gateway", "gateway"}},
		{name: "processes not seen, one port, another page", all: []listening{at("a", 1), at("b", 1, page("bb"))}, want: []string{"gateway", "gateway"}},
		{name: "two processes, one port", all: []listening{at("a", 1, pid(1)), at("b", 1, pid(2))}, want: []string{"gateway", "gateway"}},
		{name: "one process seen, one not", all: []listening{at("a", 1, pid(1)), at("b", 1)}, want: []string{"gateway", "gateway"}},
		{name: "the gateway does not listen here", all: []listening{at("n", 80, nginx), at("m", 81, proxy), at("x", 82, proxy, page("bb"))},
			want: []string{"forwards <- m: It may be the same gateway as that of m.", "forwards <- n: It may be the same gateway as that of n.", "forwards"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, w := range tellWays(tt.all) {
				text := "gateway"
				if w.forwards {
					text = "forwards"
				}
				if w.sameAs != nil {
					text += " " + string(w.sameAs.Confidence) + " " + w.sameAs.URL
				}
				if len(w.others) > 0 {
					text += " <- " + strings.Join(w.others, " ")
				}
				if len(w.notes) > 0 {
					text += ": " + strings.Join(message.Plain(w.notes), " ")
				}
				got = append(got, text)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}
