package redact

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// What becomes of a field.
const (
	kept     = "kept"     // our own word or a number
	replaced = "replaced" // a pseudonym, or another text
	erased   = "erased"   // our own text, in which what names the target is replaced
	inside   = "inside"   // its fields are decided one by one
)

// fields says for every field of the stream what becomes of it. A new field goes
// here once it is decided what it may show.
func fields() map[string]string {
	out := map[string]string{}
	for fate, names := range map[string]string{
		kept: `Scan.Kind Address.Kind Location.Line Location.Column Files.Reach Files.Starts Files.Generated Files.Bind Files.Port Files.Read Way.Reach Way.Auth Way.Port Way.Through Pos.Line Pos.Column
			Scan.Ports Scan.Again Scan.Type Scan.Schema Scan.Started Scan.Level Scan.Seed Scan.Shard Tool.Name Tool.Version Compared.Started
			Data.Version Data.Releases Data.NewestRelease Data.ReleasesAsOf Data.Advisories Data.AdvisoriesAsOf Authorization.Authorized
			Target.Type Target.Outcome Target.Requests Target.Connections Target.DurationMS Change.What Address.Port Address.Reach
			Product.ID Product.Brand Product.Confidence Product.Because Version.Build Version.Source Version.Confidence
			Version.Exact Version.Candidates Auth.State Auth.Mode Auth.Because Front.Kind Front.Because
			TLS.Enabled TLS.SelfSigned Surface.ID Surface.State
			Finding.ID Finding.Severity Finding.Controls Finding.Change Finding.Evidence
			Advisory.ID Advisory.CVE Advisory.Severity Advisory.Score Advisory.Status Advisory.GatewaySurface Advisory.Credential
			Advisory.Fixed Advisory.Reach Advisory.Inherited Evidence.ID Evidence.Status Evidence.Bytes
			Summary.Type Summary.Finished Summary.Targets Summary.Outcomes Summary.Auth Summary.Findings Summary.Suppressed Summary.Complete
			MissEstimate.Reprobed MissEstimate.Found MissEstimate.Missed MissEstimate.MissedAtMost
			Diff.Opened Diff.Closed Diff.Unseen Diff.Changed Diff.Advisories
			Scan.From Scan.Unlisted Run.From Run.Started Unlisted.Count Place.Outcome SameAs.Confidence SameAs.Because Finding.Step Finding.Release Address.Member Discovery.By Message.ID
			Geo.Country Posture.Declared Posture.Result Summary.Posture Way.Port Way.Through Configured.Bind Configured.Mode Pos.Line Pos.Column`,
		replaced: `Geo.AS Geo.ASName Scan.Watch Scan.Vantage Compared.Vantage Posture.Vantage Posture.At Way.Names Pos.File Address.File Address.Gateway Address.Base Location.File Location.Says Finding.Diff
			Authorization.Contact Address.Input Address.Source Address.Name Address.IP Address.URL Address.Bound Address.Process Discovery.Announced Discovery.Published
			TLS.Version TLS.Cipher TLS.Subject TLS.Issuer TLS.Names TLS.NotBefore TLS.NotAfter TLS.SHA256 TLS.VerifyError TLS.NameError TLS.Legacy TLS.HSTS
			Data.File Data.Key Scan.Config Network.Proxy Network.SourceIP Network.Interface Network.Resolver Network.Headers Place.Place SameAs.URL
			Finding.Key Finding.Suppressed Advisory.Suppressed Evidence.SHA256 Evidence.Facts Summary.Notes Summary.Messages FindingMessages.Suppressed Message.Args`,
		erased: `Posture.Notes Target.Notes Target.Error Change.Old Change.New Product.Name Surface.Path Finding.Title Finding.Detail Finding.Remediation
			Finding.References Advisory.ScoreSource Advisory.Summary Evidence.Request Evidence.Error`,
		inside: `Target.Geo Target.Discovery Files.At Configured.At Version.At Target.Posture Posture.Configured Posture.Messages Configured.Way Way.Adds Target.Files Finding.Locations Location.Message Files.Ways Files.Unjudged Way.Steps
			Scan.Tool Scan.Data Scan.Authorization Scan.Compared Compared.Tool Target.Target Target.Product Target.Version Target.Auth Target.Front
			Target.TLS Target.Surfaces Target.Findings Target.Advisories Target.Evidence Target.Changes Target.SameAs Target.Messages Target.ErrorMessage Finding.Messages FindingMessages.Detail FindingMessages.Remediation Change.OldMessage Change.NewMessage Scan.Network Scan.Earlier Summary.MissEstimate Summary.Diff
			Summary.Unlisted Unlisted.Targets`,
	} {
		for _, name := range strings.Fields(names) {
			out[name] = fate
		}
	}
	return out
}

// fill puts something of its own into every field below v, in which s stands for
// the name of the field.
func fill(v reflect.Value, field string, s func(field string) string, visit func(field string)) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), field, s, visit)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 9, 17, 1, 2, 3, 0, time.UTC)))
			return
		}
		for _, f := range reflect.VisibleFields(v.Type()) {
			if f.Anonymous { // its fields are here as well
				continue
			}
			name := v.Type().Name() + "." + f.Name
			visit(name)
			fill(v.FieldByIndex(f.Index), name, s, visit)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), field, s, visit)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, field, s, visit)
		fill(value, field, s, visit)
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString(s(field))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7)
	default:
		panic(fmt.Sprint("no value for ", v.Kind()))
	}
}

// every makes one event of each kind with all fields set.
func every(s func(field string) string, visit func(field string)) []event.Event {
	out := []event.Event{new(event.Scan), new(event.Target), new(event.Summary)}
	fill(reflect.ValueOf(out[0].(*event.Scan)).Elem(), "", s, visit)
	fill(reflect.ValueOf(out[1].(*event.Target)).Elem(), "", s, visit)
	fill(reflect.ValueOf(out[2].(*event.Summary)).Elem(), "", s, visit)
	return out
}

// TestEveryField: each field of the stream is kept on purpose, or what it held is
// gone; and one that is kept is not lost.
func TestEveryField(t *testing.T) {
	fate := fields()
	seen := map[string]bool{}
	// As one of our words looks; nothing but the table tells it from a name.
	word := func(field string) string { return "is-" + strings.ToLower(strings.ReplaceAll(field, ".", "-")) + "-x" }
	events := every(word, func(field string) { seen[field] = true })
	for field := range seen {
		if fate[field] == "" {
			t.Errorf("%s is new: say in Event what becomes of it, and here", field)
		}
	}
	for field := range fate {
		if !seen[field] {
			t.Errorf("%s is no field", field)
		}
	}
	r := redactor(t, "0123456789abcdef")
	var b strings.Builder
	for _, e := range events {
		out, err := json.Marshal(r.Event(e))
		if err != nil {
			t.Fatal(err)
		}
		b.Write(out)
	}
	got := b.String()
	for _, field := range slices.Sorted(maps.Keys(seen)) {
		// Types are written anew, and so are build, scheme-bound and typed values.
		there := strings.Contains(got, `"`+word(field))
		switch {
		case fate[field] == replaced && there:
			t.Errorf("%s is shown", field)
		case fate[field] == kept && !there && stringy(field) && !slices.Contains([]string{"Scan.Type", "Target.Type", "Summary.Type", "Version.Build"}, field):
			t.Errorf("%s is lost", field)
		}
	}
	// What is not set is not made up.
	for _, e := range []event.Event{new(event.Scan), new(event.Target), new(event.Summary)} {
		out, _ := json.Marshal(r.Event(e))
		_, target := e.(*event.Target)
		if strings.Contains(string(out), gone) || strings.Contains(string(out), ".invalid") && !target {
			t.Errorf("out of nothing: %s", out)
		}
	}
}

// TestArguments: an argument of a message becomes what the same thing becomes
// elsewhere, and one that is not what its name says is not shown.
func TestArguments(t *testing.T) {
	r := redactor(t, "0123456789abcdef")
	in := &event.Target{Type: "target", Target: event.Address{Name: "gw.secret.example", IP: "192.0.2.9", Port: 443, URL: "https://gw.secret.example/base/"}}
	x := r.eraser(in, &url.URL{Scheme: "https", Host: "gw.secret.example", Path: "/base/"})
	for _, tt := range []struct{ name, value, want string }{
		{"signals", "alive", "alive"},
		{"signals", "not one word", gone},
		{"front", "nginx", "nginx"},
		{"count", "12", "12"},
		{"count", "gw.secret.example", gone},
		{"have", "2026.9.6", "2026.9.6"},
		{"version", "TLS 1.1", "TLS 1.1"},
		{"version", "secret", gone},
		{"requests", "root@/base/", "root@" + r.base("/base/")},
		{"trouble", "no way to gw.secret.example", "no way to " + r.name("gw.secret.example")},
		{"day", "2026-11-23", "2026-11"},
		{"day", "secret", gone},
		{"address", "192.0.2.9:443", r.place("192.0.2.9:443")},
		{"address", "gw.secret.example:443", r.name("gw.secret.example") + ":443"},
		{"address", "127.0.0.1:18789", "127.0.0.1:18789"},
		{"url", "https://gw.secret.example/base/", "https://" + r.name("gw.secret.example") + r.base("/base/")},
		{"name", "gw.secret.example", r.name("gw.secret.example")},
		{"names", "a.secret.example, b.secr...", r.name("a.secret.example, b.secr...")},
		{"subject", "CN=secret", r.subject("CN=secret")},
		{"process", "nginx", "nginx"},
		{"process", "secret-agent", gone},
		{"paths", "/base/v1", x.text("/base/v1")},
		{"text", "see gw.secret.example", "see " + r.name("gw.secret.example")},
		{"reason", "because of Mr Secret", gone},
		{"command", "clawsonar scan 192.0.2.9", gone},
		{"file", "/home/secret/ig.yaml:3", gone},
	} {
		out := x.message(message.New("id", message.Of(tt.name, tt.value)))
		if got := out.Args[tt.name]; len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
	if out := x.message(message.New("id", message.Of("volcano", "secret"))); len(out.Args) != 0 {
		t.Errorf("an argument of a name that is not known is shown: %+v", out)
	}
}

// stringy reports whether a field holds text.
func stringy(field string) bool {
	for _, v := range []any{event.Scan{}, event.Tool{}, event.Data{}, event.Target{}, event.Address{}, event.Product{}, event.Version{}, event.Auth{}, event.Front{},
		event.Surface{}, event.Finding{}, event.Advisory{}, event.Evidence{}, event.Change{}} {
		of, name, _ := strings.Cut(field, ".")
		if rt := reflect.TypeOf(v); rt.Name() == of {
			f, _ := rt.FieldByName(name)
			return f.Type.Kind() == reflect.String || f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() != reflect.Uint16
		}
	}
	return false
}

// TestNumbersAndTimes: what is no text comes through, but for the days of a
// certificate.
func TestNumbersAndTimes(t *testing.T) {
	events := every(func(string) string { return "" }, func(string) {})
	events[1].(*event.Target).TLS.NotBefore, events[1].(*event.Target).TLS.NotAfter = "2026-09-17T01:02:03Z", "2027-12-31T23:59:59+14:00"
	r := redactor(t, "0123456789abcdef")
	for _, e := range events {
		got := r.Event(e)
		if x, ok := e.(*event.Target); ok {
			if i := got.(*event.Target).TLS; i.NotBefore != "2026-09-01T00:00:00Z" || i.NotAfter != "2027-12-01T00:00:00Z" {
				t.Errorf("%s to %s", i.NotBefore, i.NotAfter)
			}
			x.TLS.NotBefore, x.TLS.NotAfter = got.(*event.Target).TLS.NotBefore, got.(*event.Target).TLS.NotAfter
			if as := got.(*event.Target).Geo.AS; as < 4_200_000_000 || as == 4_294_967_295 {
				t.Errorf("AS%d is not for private use", as)
			}
			x.Geo.AS = got.(*event.Target).Geo.AS
		}
		counts := func(e event.Event) string {
			b, _ := json.Marshal(e)
			return fmt.Sprint(strings.Count(string(b), ":7"), strings.Count(string(b), "true"), strings.Count(string(b), "2026-09-17T01:02:03Z"))
		}
		if counts(got) != counts(e) {
			t.Errorf("%s, want %s: %+v", counts(got), counts(e), got)
		}
	}
}

// TestNamesFromAnywhere: what one field tells is found in the others.
func TestNamesFromAnywhere(t *testing.T) {
	long := strings.Repeat("very-", 40)
	for _, tt := range []struct {
		name    string
		change  func(*event.Target)
		secrets string
	}{
		{"name error", func(x *event.Target) {
			x.TLS.NameError = "certificate is valid for mail.secret.example, not gw.secret.example"
		}, "secret"},
		{"no name error", func(x *event.Target) {
			x.TLS.VerifyError = "cannot validate certificate for 192.0.2.9 because it doesn't contain any IP SANs"
		}, "192.0.2.9"},
		{"authority", func(x *event.Target) {
			x.TLS.VerifyError = `certificate signed by unknown authority (possibly because of "crypto/rsa" while trying to verify candidate authority certificate "Secret Root")`
		}, "secret"},
		{"expired", func(x *event.Target) {
			x.TLS.VerifyError = "certificate has expired or is not yet valid: current time 2026-11-24T09:32:33Z is after 2026-11-23T17:42:01Z"
		}, "17:42:01 11-23"},
		{"day of expiry", func(x *event.Target) {
			x.Findings = []event.Finding{{ID: "tls-expired", Detail: "It was valid until 2026-11-23."}}
		}, "11-23"},
		{"cut subject", func(x *event.Target) {
			x.TLS.Subject = "CN=secret." + long + "example"
			x.Findings = []event.Finding{{ID: "tls-self-signed", Detail: "The certificate of CN=secret." + long[:100] + "... is signed with its own key."}}
		}, "secret very"},
		{"cut names", func(x *event.Target) {
			x.TLS.Names = []string{long + "secret.example"}
			x.Findings = []event.Finding{{ID: "tls-name-mismatch", Detail: "It is for " + long[:110] + "..., not for other.example."}}
		}, "secret very"},
		{"hsts", func(x *event.Target) { x.TLS.HSTS = "max-age=1; secret" }, "secret"},
		{"server", func(x *event.Target) { x.Evidence[0].Facts = map[string]string{"server": "secret-gw/1"} }, "secret"},
		{"keys", func(x *event.Target) { x.Evidence[0].Facts = map[string]string{"keys": "ok,secretHost"} }, "secret"},
		{"message", func(x *event.Target) {
			x.Evidence[0].Facts = map[string]string{"error.message": "no user at secret.example"}
		}, "secret"},
		{"fact's name", func(x *event.Target) { x.Evidence[0].Facts = map[string]string{"the secret": "x"} }, "secret"},
		{"digest", func(x *event.Target) { x.Evidence[0].Facts = map[string]string{"title": "digest:001122334455"} }, "001122334455"},
		{"organisation", func(x *event.Target) {
			x.TLS.Subject, x.Notes = `CN=a,O=Secret\, Inc`, []string{"run by secret, inc."}
		}, "secret"},
		{"issuer", func(x *event.Target) {
			x.TLS.Issuer, x.Findings = "CN=Hidden Root", []event.Finding{{Title: "issued by Hidden Root"}}
		}, "hidden"},
		{"sibling", func(x *event.Target) {
			x.TLS.Names, x.Notes = []string{"gw.hidden.example"}, []string{"see wiki.hidden.example"}
		}, "hidden wiki"},
		{"process", func(x *event.Target) { x.Target.Process, x.Notes = "hidden-agent", []string{"hidden-agent listens"} }, "hidden"},
		{"base path in an id", func(x *event.Target) {
			x.Target.URL, x.Evidence[0].ID = "http://192.0.2.9/hidden/", "root@/hidden/"
			x.Findings = []event.Finding{{Evidence: []string{"root@/hidden/"}}}
		}, "hidden"},
		{"version", func(x *event.Target) { x.Version = &event.Version{Build: "hidden-build"} }, "hidden"},
		{"cipher", func(x *event.Target) { x.TLS.Cipher, x.TLS.Legacy = "hidden", "hidden" }, "hidden"},
		{"contact", func(x *event.Target) { x.Error = "told that the operator, of Hidden, asks" }, "hidden"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := &event.Target{Type: "target", Target: event.Address{Name: "other.example", Port: 443, URL: "https://other.example/"},
				TLS: &event.TLS{Enabled: true}, Evidence: []event.Evidence{{ID: "root", Request: "GET /"}}}
			tt.change(in)
			r := redactor(t, "0123456789abcdef")
			r.Event(&event.Scan{Authorization: event.Authorization{Contact: "the operator, of Hidden"}})
			out, err := json.Marshal(r.Event(in))
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range strings.Fields(tt.secrets) {
				if strings.Contains(strings.ToLower(string(out)), secret) {
					t.Errorf("%s is still there: %s", secret, out)
				}
			}
		})
	}
}
