package rule

import (
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
)

func TestJudged(t *testing.T) {
	gateway := func(edit func(*event.Target)) *event.Target {
		x := &event.Target{Outcome: "identified", Target: event.Address{Reach: "private"}}
		edit(x)
		return x
	}
	auth := func(state string) *event.Target {
		return gateway(func(x *event.Target) { x.Auth = &event.Auth{State: state} })
	}
	helper := func(state string, tls bool) *event.Target {
		return &event.Target{Outcome: "helper", Product: &event.Product{ID: "cdp"}, Auth: &event.Auth{State: state}, TLS: &event.TLS{Enabled: tls}}
	}
	plain := gateway(func(*event.Target) {})
	tests := []struct {
		name   string
		need   Need
		level  string
		target *event.Target
		want   bool
	}{
		{"product", Product, "", plain, true},
		{"no product", Product, "", &event.Target{Outcome: "other"}, false},
		{"nothing answered", Auth, "", &event.Target{Outcome: "silent"}, false},
		{"auth required", Auth, "", auth("required"), true},
		{"auth open", Auth, "", auth("open"), true},
		{"auth claimable", Auth, "", auth("claimable"), true},
		{"auth unknown", Auth, "", auth("unknown"), false},
		{"auth blocked", Auth, "", auth("blocked"), false},
		{"auth gated", Auth, "", auth("gated"), false},
		{"auth of a kind not known", Auth, "", auth("ajar"), false},
		{"auth missing", Auth, "", plain, false},
		{"release exact", Release, "", gateway(func(x *event.Target) { x.Version = &event.Version{Exact: "1"} }), true},
		{"release candidates", Release, "", gateway(func(x *event.Target) { x.Version = &event.Version{Candidates: []string{"1", "2"}} }), true},
		{"release unknown", Release, "", gateway(func(x *event.Target) { x.Version = &event.Version{} }), false},
		{"release missing", Release, "", plain, false},
		{"listener", Listener, "", gateway(func(x *event.Target) { x.Target.Bound = "127.0.0.1:1" }), true},
		{"listener elsewhere", Listener, "", plain, false},
		{"tls", TLS, "", gateway(func(x *event.Target) { x.TLS = &event.TLS{Enabled: true} }), true},
		{"tls off", TLS, "", gateway(func(x *event.Target) { x.TLS = &event.TLS{} }), false},
		{"tls missing", TLS, "", plain, false},
		{"remote", Remote, "", plain, true},
		{"loopback", Remote, "", gateway(func(x *event.Target) { x.Target.Reach = "loopback" }), false},
		{"deep", Deep, "deep", plain, true},
		{"standard", Deep, "standard", plain, false},
		{"helpers", Helpers, "deep", plain, false},
		{"helper, open", Helpers, "", helper("open", false), true},
		{"helper, a log-in", Helpers, "", helper("required", false), true},
		{"helper, log-in unclear", Helpers, "", helper("unknown", false), false},
		{"helper, gated", Helpers, "", helper("gated", false), false},
		{"helper, product", Product, "", helper("open", false), false},
		{"helper, auth", Auth, "", helper("open", false), false},
		{"helper, tls", TLS, "", helper("open", true), true},
		{"helper, tls off", TLS, "", helper("open", false), false},
	}
	relative := gateway(func(x *event.Target) { x.Product = &event.Product{ID: "zeroclaw"} })
	for _, also := range []bool{false, true} {
		r := Rule{Relatives: also}
		if got, why := r.Judged("", relative); got != also || (why == "") != got {
			t.Errorf("a relative, looked at %t: Judged = %t, %q", also, got, why)
		}
	}
	for _, tt := range tests {
		r := Rule{Needs: tt.need}
		got, why := r.Judged(tt.level, tt.target)
		if got != tt.want || (why == "") != got {
			t.Errorf("%s: Judged = %t, %q; want %t", tt.name, got, why, tt.want)
		}
	}
}
