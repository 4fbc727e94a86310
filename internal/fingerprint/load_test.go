package fingerprint_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

func builtin(t testing.TB) *fingerprint.Set {
	t.Helper()
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func recorded(t testing.TB) map[string]evidence.Capture {
	t.Helper()
	all, err := evidence.LoadCaptures(captures.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The verdicts on all captures are those that follow from how the recorded
// programs were configured, and every marker is covered both ways.
func TestCaptures(t *testing.T) {
	problems, idle := builtin(t).Test(recorded(t))
	for _, problem := range problems {
		t.Error(problem)
	}
	t.Logf("%d rules decide in no capture:\n%s", len(idle), strings.Join(idle, "\n"))
}

// Whatever is asked of a recorded gateway stays within the limits, and a
// passive probe sends nothing but GET.
func TestPlanLimits(t *testing.T) {
	set := builtin(t)
	for name, c := range recorded(t) {
		for _, level := range []event.Level{event.LevelPassive, event.LevelStandard} {
			o := set.Replay(&c, level)
			if o.Requests > 12 {
				t.Errorf("%s at level %s: %d requests, want at most 12", name, level, o.Requests)
			}
			for _, x := range o.Exchanges {
				if level == event.LevelPassive && x.Method != "GET" {
					t.Errorf("%s at level passive: %s %s", name, x.Method, x.Path)
				}
			}
		}
	}
}

// Level deep says nothing to anybody who has not just refused a request for want of
// a credential. That is for the sake of the log: that nothing can come of it is
// shown by package handshake.
func TestDeepNeedsARefusal(t *testing.T) {
	set := builtin(t)
	said := 0
	for name, c := range recorded(t) {
		for _, host := range []string{"", "claw.tail1234.ts.net"} {
			c.Host = host
			o := set.Replay(&c, event.LevelDeep)
			if o.Requests > 24 {
				t.Errorf("%s: %d requests, want at most 24", name, o.Requests)
			}
			refused := false
			for _, x := range o.Exchanges {
				if x.Status == 401 && x.ID == "tools" {
					refused = true
				}
				if !slices.Contains([]string{"origin", "origin-host", "origin-own"}, x.ID) {
					continue
				}
				said++
				if !refused {
					t.Errorf("%s: %s without a 401 on tools before it", name, x.ID)
				}
				if host != "" {
					t.Errorf("%s: %s on a tailnet's name", name, x.ID)
				}
			}
		}
	}
	if said < 20 {
		t.Errorf("only %d conversations in all captures", said)
	}
}

// A gateway that accepts a connect is open, even if something refused before; of the frame
// nothing is kept, since a device's token may be in it.
func TestHello(t *testing.T) {
	set := builtin(t)
	c := recorded(t)["openclaw/by-hand-hello.yaml"]
	o := set.Replay(&c, event.LevelDeep)
	v := o.Verdict()
	if v.Auth.State != event.AuthOpen || !slices.Equal(v.Auth.Because, []string{"hello"}) {
		t.Errorf("auth %+v", v.Auth)
	}
	if x := o.Exchange("origin"); x == nil || x.Status != 101 || len(x.Body) != 0 {
		t.Errorf("what is kept of it: %+v", x)
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := fingerprint.Load(fingerprints.FS); err != nil {
			b.Fatal(err)
		}
	}
}

// Every front, with a login or without, matches in a capture; that none matches
// where it must not is part of each capture's expectation.
func TestFrontsCovered(t *testing.T) {
	shown := map[string]bool{}
	for _, c := range recorded(t) {
		shown["front "+c.Expect.Front], shown["login "+string(c.Expect.Gate)] = true, true
	}
	data, err := fs.ReadFile(fingerprints.FS, "fronts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Fronts      []struct{ ID string }
		LoginFronts []struct{ ID string } `yaml:"login_fronts"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, f := range file.Fronts {
		if !shown["front "+f.ID] {
			t.Errorf("no capture has the front %s", f.ID)
		}
	}
	for _, g := range file.LoginFronts {
		if !shown["login "+g.ID] {
			t.Errorf("no capture has the login front %s", g.ID)
		}
	}
	if len(file.Fronts) < 15 || len(file.LoginFronts) < 8 {
		t.Errorf("%d fronts, %d login fronts", len(file.Fronts), len(file.LoginFronts))
	}
}

// Translations are looked up by the ids of notes.
func TestNotesHaveIDs(t *testing.T) {
	names, err := fs.Glob(fingerprints.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, name := range names {
		data, err := fs.ReadFile(fingerprints.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Notes []struct{ ID, Text string } }
		if err := yaml.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		for _, note := range file.Notes {
			if n++; note.ID == "" {
				t.Errorf("%s: a note has no id: %s", name, note.Text)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d notes", n)
	}
}
