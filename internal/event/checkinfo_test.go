package event

import "testing"

func TestJudged(t *testing.T) {
	gateway := func(edit func(*Target)) *Target {
		x := &Target{Outcome: "identified", Target: Address{Reach: "private"}}
		edit(x)
		return x
	}
	auth := func(state AuthState) *Target {
		return gateway(func(x *Target) { x.Auth = &Auth{State: state} })
	}
	helper := func(state AuthState, tls bool) *Target {
		return &Target{Outcome: "helper", Product: &Product{ID: "cdp"}, Auth: &Auth{State: state}, TLS: &TLS{Enabled: tls}}
	}
	plain := gateway(func(*Target) {})
	found := func(d Discovery) *Target { return gateway(func(x *Target) { x.Discovery = &d }) }
	tests := []struct {
		name   string
		need   Need
		level  Level
		target *Target
		want   bool
	}{
		{"product", NeedsProduct, "", plain, true},
		{"no product", NeedsProduct, "", &Target{Outcome: "other"}, false},
		{"nothing answered", NeedsAuth, "", &Target{Outcome: "silent"}, false},
		{"auth required", NeedsAuth, "", auth("required"), true},
		{"auth open", NeedsAuth, "", auth("open"), true},
		{"auth claimable", NeedsAuth, "", auth("claimable"), true},
		{"auth unknown", NeedsAuth, "", auth("unknown"), false},
		{"auth blocked", NeedsAuth, "", auth("blocked"), false},
		{"auth gated", NeedsAuth, "", auth("gated"), false},
		{"auth of a kind not known", NeedsAuth, "", auth("ajar"), false},
		{"auth missing", NeedsAuth, "", plain, false},
		{"release exact", NeedsRelease, "", gateway(func(x *Target) { x.Version = &Version{Exact: "1"} }), true},
		{"release candidates", NeedsRelease, "", gateway(func(x *Target) { x.Version = &Version{Candidates: []string{"1", "2"}} }), true},
		{"release unknown", NeedsRelease, "", gateway(func(x *Target) { x.Version = &Version{} }), false},
		{"release missing", NeedsRelease, "", plain, false},
		{"listener", NeedsListener, "", gateway(func(x *Target) { x.Target.Bound = "127.0.0.1:1" }), true},
		{"listener elsewhere", NeedsListener, "", plain, false},
		{"tls", NeedsTLS, "", gateway(func(x *Target) { x.TLS = &TLS{Enabled: true} }), true},
		{"tls off", NeedsTLS, "", gateway(func(x *Target) { x.TLS = &TLS{} }), false},
		{"tls missing", NeedsTLS, "", plain, false},
		{"remote", NeedsRemote, "", plain, true},
		{"loopback", NeedsRemote, "", gateway(func(x *Target) { x.Target.Reach = "loopback" }), false},
		{"deep", NeedsDeep, "deep", plain, true},
		{"standard", NeedsDeep, "standard", plain, false},
		{"helpers", NeedsHelpers, "deep", plain, false},
		{"helper, open", NeedsHelpers, "", helper("open", false), true},
		{"helper, a login", NeedsHelpers, "", helper("required", false), true},
		{"helper, login unclear", NeedsHelpers, "", helper("unknown", false), false},
		{"helper, gated", NeedsHelpers, "", helper("gated", false), false},
		{"helper, product", NeedsProduct, "", helper("open", false), false},
		{"helper, auth", NeedsAuth, "", helper("open", false), false},
		{"helper, tls", NeedsTLS, "", helper("open", true), true},
		{"helper, tls off", NeedsTLS, "", helper("open", false), false},
		{"files", NeedsFiles, "deep", plain, false},
		{"vantages", NeedsVantages, "deep", auth("open"), false},
		{"announcement", NeedsAnnouncement, "", plain, false},
		{"announcement, its text not seen", NeedsAnnouncement, "", found(Discovery{By: ByMDNS}), false},
		{"announcement, nothing in it", NeedsAnnouncement, "", found(Discovery{By: ByMDNS, Announced: []string{}}), true},
		{"published", NeedsPublished, "", found(Discovery{By: ByMDNS, Announced: []string{}}), false},
		{"published, known where", NeedsPublished, "", found(Discovery{By: ByDocker, Published: "127.0.0.1:1"}), true},
	}
	relative := gateway(func(x *Target) { x.Product = &Product{ID: "zeroclaw"} })
	for _, also := range []bool{false, true} {
		r := CheckInfo{Relatives: also}
		if got, why := r.Judged("", relative); got != also || (why == "") != got {
			t.Errorf("a relative, looked at %t: Judged = %t, %q", also, got, why)
		}
	}
	for _, tt := range tests {
		r := CheckInfo{Needs: tt.need}
		got, why := r.Judged(tt.level, tt.target)
		if got != tt.want || (why == "") != got {
			t.Errorf("%s: Judged = %t, %q; want %t", tt.name, got, why, tt.want)
		}
	}
}

func TestJudgedInFiles(t *testing.T) {
	files := func(edit func(*Target)) *Target {
		x := &Target{Outcome: "identified", Target: Address{Kind: TargetFiles}}
		edit(x)
		return x
	}
	auth := func(state AuthState) *Target {
		return files(func(x *Target) { x.Auth = &Auth{State: state} })
	}
	plain := files(func(*Target) {})
	const says = "what the files say"
	for _, tt := range []struct {
		name, files string
		need        Need
		target      *Target
		want        bool
	}{
		{"of files", "", NeedsFiles, plain, true},
		{"of scans alone", "", NeedsProduct, plain, false},
		{"no gateway there", says, NeedsFiles, &Target{Outcome: "other", Target: Address{Kind: TargetFiles}}, false},
		{"product", says, NeedsProduct, plain, true},
		{"auth open", says, NeedsAuth, auth("open"), true},
		{"auth required", says, NeedsAuth, auth("required"), true},
		{"auth gated", says, NeedsAuth, auth("gated"), true},
		{"auth blocked", says, NeedsAuth, auth("blocked"), true},
		{"auth unknown", says, NeedsAuth, auth("unknown"), false},
		{"auth of a kind not known", says, NeedsAuth, auth("ajar"), false},
		{"auth missing", says, NeedsAuth, plain, false},
		{"release exact", says, NeedsRelease, files(func(x *Target) { x.Version = &Version{Exact: "1"} }), true},
		{"release missing", says, NeedsRelease, plain, false},
		{"listener", says, NeedsListener, plain, true},
		{"remote", says, NeedsRemote, files(func(x *Target) { x.Target.Reach = "loopback" }), true},
		{"deep", says, NeedsDeep, plain, true},
		{"helpers", says, NeedsHelpers, plain, true},
		{"helpers, of scans alone", "", NeedsHelpers, plain, false},
		{"tls, of scans alone", "", NeedsTLS, plain, false},
	} {
		c := CheckInfo{Needs: tt.need, Files: tt.files}
		got, why := c.Judged("", tt.target)
		if got != tt.want || (why == "") != got {
			t.Errorf("%s: Judged = %t, %q; want %t", tt.name, got, why, tt.want)
		}
	}
}
