package check

import (
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

// What the judgement of a gateway means for its advisories.
func TestAdvisories(t *testing.T) {
	line := func(id, surface, credential string) string {
		return `{"id":"` + id + `","published":"2026-03-01","date_of":"ghsa","severity":"high","package":"openclaw","ranges":[{"fixed":"2026.3.1"}],` +
			`"surface":"x","gateway_surface":"` + surface + `","credential":"` + credential + `","summary":"text","source":"aig"}`
	}
	const free, needs, local = "GHSA-2222-2222-2222", "GHSA-3333-3333-3333", "GHSA-4444-4444-4444"
	db, err := advisory.Load("f", []byte(`{"as_of":"2026-10-05","newest":"2026.9.6","advisories":[`+strings.Join([]string{
		line(free, "true", "none"), line(needs, "true", "required"), line(local, "false", "n/a"),
	}, ",\n")+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	vex, _, err := advisory.LoadVEX("f", []byte(`{"@context":"https://openvex.dev/ns/v0.2.0","statements":[
		{"vulnerability":{"name":"`+free+`"},"products":[{"@id":"10.0.0.7:1"}],"status":"fixed"},
		{"vulnerability":{"name":"`+local+`"},"products":[{"@id":"10.0.0.7:1"}],"status":"fixed"}]}`), db)
	if err != nil {
		t.Fatal(err)
	}
	type row = string // id, status, reach and suppression
	for _, tt := range []struct {
		name     string
		change   func(*fingerprint.Verdict)
		hostPort string
		all      bool
		want     []row
		reason   string
	}{
		{"asks for a credential", nil, "", false, []row{free + " affected reachable ", needs + " affected credential "}, ""},
		{"all", nil, "", true, []row{free + " affected reachable ", needs + " affected credential ", local + " affected elsewhere "}, ""},
		{"open", func(v *fingerprint.Verdict) { v.Auth.State = event.AuthOpen }, "", false,
			[]row{free + " affected reachable ", needs + " affected reachable "}, ""},
		{"unknown is neither safe nor open", func(v *fingerprint.Verdict) { v.Auth.State = event.AuthUnknown }, "", false,
			[]row{free + " affected reachable ", needs + " affected credential "}, ""},
		{"gated", func(v *fingerprint.Verdict) { v.Auth.State = event.AuthGated }, "", false,
			[]row{free + " affected credential ", needs + " affected credential "}, ""},
		{"several releases", func(v *fingerprint.Verdict) { v.Version.Candidates = []string{"2026.2.2", "2026.3.1"} }, "", false,
			[]row{free + " possible reachable ", needs + " possible credential "}, ""},
		{"a hint", func(v *fingerprint.Verdict) { v.Version.Confidence = event.Tentative }, "", false,
			[]row{free + " possible reachable ", needs + " possible credential "}, ""},
		{"no release", func(v *fingerprint.Verdict) { v.Version = event.Version{} }, "", true, nil, "the release is not known"},
		{"one release has no place in the order", func(v *fingerprint.Verdict) { v.Version.Candidates = []string{"2026.2.2", "dev"} }, "", true, nil, "the release is not known"},
		{"suppressed for this target", nil, "10.0.0.7:1", false, []row{needs + " affected credential ", free + " affected reachable fixed"}, ""},
		{"suppressed, all", nil, "10.0.0.7:1", true, []row{needs + " affected credential ", free + " affected reachable fixed", local + " affected elsewhere fixed"}, ""},
	} {
		v := fingerprint.Verdict{
			Product: event.Product{ID: "openclaw", Confidence: event.Firm},
			Version: event.Version{Candidates: []string{"2026.2.2"}, Confidence: event.Certain},
			Auth:    event.Auth{State: event.AuthRequired},
		}
		if tt.change != nil {
			tt.change(&v)
		}
		a := &Advisories{DB: db, VEX: vex, All: tt.all}
		as := a.Assess(&v, tt.hostPort, nil)
		var got []row
		for _, e := range a.List(as) {
			got = append(got, strings.Join([]string{e.ID, string(e.Status), string(e.Reach), e.Suppressed}, " "))
		}
		if !slices.Equal(got, tt.want) || !strings.HasPrefix(as.Reason.English, tt.reason) || (as.Reason.ID == "") != (tt.reason == "") {
			t.Errorf("%s: %q, reason %q; want %q, %q", tt.name, got, as.Reason.English, tt.want, tt.reason)
		}
	}
	for name, v := range map[string]fingerprint.Verdict{
		"another product": {Product: event.Product{ID: "other", Confidence: event.Certain}},
		"a guess":         {Product: event.Product{ID: "openclaw", Confidence: event.Tentative}},
	} {
		if (&Advisories{DB: db}).Assess(&v, "", nil) != nil {
			t.Errorf("%s: assessed", name)
		}
	}
	if (*Advisories)(nil).Assess(&fingerprint.Verdict{Product: event.Product{ID: "openclaw", Confidence: event.Certain}}, "", nil) != nil {
		t.Error("assessed without data")
	}
}
