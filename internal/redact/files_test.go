package redact

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

// TestFiles: nothing in a line of an inspection says whose files they are, and places
// that were the same still are.
func TestFiles(t *testing.T) {
	said := message.Say("ignore.unused", message.Of("file", "hidden/secret.yml"), message.Of("check", "plain-http"))
	at := event.Pos{File: "hidden/nginx.conf", Line: 14, Column: 3}
	other := event.Pos{File: "hidden-site.conf", Line: 2}
	f := event.Finding{ID: "auth-missing", Severity: event.Critical, Title: "Open", Diff: "-hidden\n+x",
		Locations: []event.Location{{Pos: at}, {Pos: other, Says: said.English, Message: &said.Message}}}
	f.Say(said)
	in := &event.Target{
		Type: event.TypeTarget, Outcome: event.OutcomeIdentified,
		Target:   event.Address{Input: "/srv/hidden", Base: "/srv/hidden", Source: "files", Kind: event.TargetFiles, File: "hidden/nginx.conf", Gateway: "hidden-gw"},
		Auth:     &event.Auth{State: event.AuthOpen, Because: []string{"hidden/nginx.conf:14"}},
		Version:  &event.Version{Exact: "2026.9.6", Source: "hidden/package.json:3", At: &event.Pos{File: "hidden/package.json", Line: 3}},
		Findings: []event.Finding{f},
		Files: &event.Files{At: &at, Reach: event.FilesInternet, Starts: event.StartsYes, Bind: "lan", Port: 18789, Read: 3,
			Ways:     []event.Way{{Reach: event.FilesInternet, Auth: event.AuthOpen, Steps: []event.Location{{Pos: other}}}},
			Unjudged: []event.Location{{Pos: other, Says: "hidden"}}},
	}
	in.AddNotes(said, message.Text{English: "hidden"})
	r := redactor(t, "0123456789abcdef")
	out := r.Event(in).(*event.Target)
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hidden", "secret.yml", "/srv"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%s is still there: %s", secret, b)
		}
	}
	got := out.Findings[0].Locations
	if got[0].Line != 14 || !strings.HasSuffix(got[0].File, "/nginx.conf") || got[1].Pos != out.Files.Ways[0].Steps[0].Pos || got[1].Says == gone {
		t.Errorf("%+v", got)
	}
	if out.Auth.Because[0] != got[0].File+":14" || out.Target.File != got[0].File || !strings.HasPrefix(out.Target.Gateway, "s-") || out.Findings[0].Title != "Open" {
		t.Errorf("%s", b)
	}
}
