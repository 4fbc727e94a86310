package report

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
	"pgregory.net/rapid"

	"github.com/clawsonar/clawsonar/internal/event"
)

// firstChecks are checks that have commands.
func firstChecks() []event.CheckInfo {
	return []event.CheckInfo{
		{ID: "auth-missing", Title: "It is open to anyone", Severity: event.Critical, Fix: "Ask for a credential.", First: map[string][]string{
			"token": {`openclaw config set gateway.auth.token "$(openssl rand -hex 32)"`, "openclaw config set gateway.auth.mode token", "openclaw gateway restart"},
		}},
		{ID: "advisory-affected", Title: "It has known holes", Severity: event.Critical, Fix: "Update.", First: map[string][]string{
			"update": {"npm install -g openclaw@{release}"},
		}},
	}
}

// todoTarget is a gateway with these findings.
func todoTarget(ip string, findings ...event.Finding) event.Event {
	return gateway(ip, func(t *event.Target) { t.Auth, t.Findings = &event.Auth{State: "open"}, findings })
}

func TestDoFirst(t *testing.T) {
	open := event.Finding{ID: "auth-missing", Severity: event.Critical, Title: "It is open to anyone", Remediation: "Ask for a credential.", Step: "token"}
	old := event.Finding{ID: "advisory-affected", Severity: event.High, Title: "It has known holes", Remediation: "Update.", Step: "update", Release: "2026.9.6"}
	with := func(f event.Finding, edit func(*event.Finding)) event.Finding { edit(&f); return f }
	asked := func(e event.Event, edit func(*event.Target)) event.Event { edit(e.(*event.Target)); return e }
	const token = `openclaw config set gateway.auth.token "$(openssl rand -hex 32)"`
	for _, tt := range []struct {
		name   string
		events []event.Event
		want   []string // each in this order
		not    []string
	}{
		{"commands, then the scan that proves it", []event.Event{todoTarget("10.0.0.1", open)},
			[]string{"1. http://10.0.0.1:18789: It is open to anyone.", token, "gateway.auth.mode token", "gateway restart", "clawsonar scan http://10.0.0.1:18789", `"openclaw config file"`, "openclaw-gateway.service"}, []string{"Ask for a credential.\n   Then"}},
		{"the release to go to is part of it", []event.Event{todoTarget("10.0.0.1", old, open)},
			[]string{"Update to 2026.9.6.", "gateway restart", "npm install -g openclaw@2026.9.6", "clawsonar scan"}, nil},
		{"a release that is none is not put into a command", []event.Event{todoTarget("10.0.0.1", with(old, func(f *event.Finding) { f.Release = "1;reboot" }))},
			[]string{"Update."}, []string{"reboot", "npm install"}},
		{"a step that this version does not know has words", []event.Event{todoTarget("10.0.0.1", with(open, func(f *event.Finding) { f.Step = "rm -rf /" }))},
			[]string{"It is open to anyone. Ask for a credential."}, []string{"rm -rf"}},
		{"the same for several targets is one line", []event.Event{todoTarget("10.0.0.1", open), todoTarget("10.0.0.2", open), todoTarget("10.0.0.3", open), todoTarget("10.0.0.4", open), todoTarget("10.0.0.5", open)},
			[]string{"1. http://10.0.0.1:18789, http://10.0.0.2:18789, http://10.0.0.3:18789 and 2", "scan http://10.0.0.3:18789"}, []string{"2. ", "scan http://10.0.0.4"}},
		{"the worst first", []event.Event{todoTarget("10.0.0.1", old), todoTarget("10.0.0.2", open)},
			[]string{"1. http://10.0.0.2", "2. http://10.0.0.1"}, nil},
		{"what is known and accepted is not told to do", []event.Event{todoTarget("10.0.0.1", with(open, func(f *event.Finding) { f.Suppressed = "baseline" }))},
			nil, []string{"DO THIS FIRST"}},
		{"nor is what is gone", []event.Event{todoTarget("10.0.0.1", with(open, func(f *event.Finding) { f.Change = event.Closed }))},
			nil, []string{"DO THIS FIRST"}},
		{"an address that a shell would read is in no command", []event.Event{asked(todoTarget("10.0.0.1", open), func(x *event.Target) { x.Target.URL = "http://10.0.0.1/$(reboot)`id`;'/" })},
			[]string{token}, []string{"clawsonar scan"}},
		{"nor is one that looks like a flag", []event.Event{asked(todoTarget("10.0.0.1", open), func(x *event.Target) { x.Target.URL = "-exclude" })},
			[]string{token}, []string{"clawsonar scan"}},
		{"IPv6 is quoted", []event.Event{asked(todoTarget("fd00::1", open), func(x *event.Target) { x.Target.URL = "http://[fd00::1]:18789/" })},
			[]string{"clawsonar scan 'http://[fd00::1]:18789'"}, nil},
		{"a public target needs what a scan of it needs", []event.Event{asked(todoTarget("192.0.2.1", open), func(x *event.Target) { x.Target.Reach = "public" })},
			[]string{"clawsonar scan http://192.0.2.1:18789 -authorized -contact me@example.org"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			head := scanEvent()
			head.(*event.Scan).Authorization = event.Authorization{Authorized: true, Contact: "me@example.org"}
			out := render(t, "table", Options{Checks: firstChecks(), Width: 100}, append([]event.Event{head}, tt.events...)...)
			_, block, _ := strings.Cut(out, "\n\n")
			block, _, _ = strings.Cut(block, "\n\n")
			rest := block
			for _, want := range tt.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("no %q, or not in its place, in:\n%s", want, block)
				}
				rest = after
			}
			for _, not := range tt.not {
				if strings.Contains(block, not) {
					t.Errorf("%q in:\n%s", not, block)
				}
			}
		})
	}
}

// TestDoFirstHasALimit: five lines, for any number of targets and findings.
func TestDoFirstHasALimit(t *testing.T) {
	events := []event.Event{scanEvent()}
	for i := range 40 {
		events = append(events, todoTarget(fmt.Sprintf("10.0.0.%d", i+1), event.Finding{ID: fmt.Sprintf("check-%d", i), Severity: event.High, Title: "A title", Remediation: "Fix it."}))
	}
	out := render(t, "table", Options{}, events...)
	if !strings.Contains(out, "\n5. ") || strings.Contains(out, "\n6. ") {
		t.Errorf("not five lines:\n%.3000s", out)
	}
}

// TestCommandsAreWhole: at every width a command can be copied as it stands, and
// no line is wider than the table.
func TestCommandsAreWhole(t *testing.T) {
	long := event.Finding{ID: "auth-missing", Severity: event.Critical, Title: "It is open to anyone", Step: "token"}
	rapid.Check(t, func(rt *rapid.T) {
		width := rapid.IntRange(60, 200).Draw(rt, "width")
		var b strings.Builder
		s, err := New("table", &b, Options{Checks: firstChecks(), Width: width})
		if err != nil {
			rt.Fatal(err)
		}
		for _, e := range []event.Event{scanEvent(), todoTarget("10.0.0.1", long)} {
			if err := s.Event(e); err != nil {
				rt.Fatal(err)
			}
		}
		if err := s.Flush(); err != nil {
			rt.Fatal(err)
		}
		out := b.String()
		joined := strings.ReplaceAll(out, " \\\n       ", " ")
		for _, c := range firstChecks()[0].First["token"] {
			if !strings.Contains(joined, "     "+c+"\n") {
				rt.Errorf("width %d: %q is not whole in:\n%s", width, c, out)
			}
		}
		for line := range strings.Lines(out) {
			if w := twwidth.Width(strings.TrimSuffix(line, "\n")); w > width {
				rt.Errorf("width %d: %d columns: %q", width, w, line)
			}
		}
	})
}

// TestDetailsKeepReleases: where a detail is shortened, the release to go to stays.
func TestDetailsKeepReleases(t *testing.T) {
	detail := "Advisories that apply to 2026.6.11: 60; reachable without a credential from here: 4. 2026.9.5 fixes all. " +
		"The smallest update that fixes the reachable ones: 2026.8.2. With a credential: 8; not through this port: 48. " +
		"Worst: GHSA-4r25-35qc-fr6j (high) " + strings.Repeat("a long summary of what is wrong there ", 20) + "."
	for _, lang := range []string{"en", "zh"} {
		for width := 60; width <= 160; width += 4 {
			f := event.Finding{ID: "advisory-affected", Severity: event.High, Title: "T", Detail: detail}
			out := render(t, "table", Options{Width: width, Lang: lang}, scanEvent(), todoTarget("10.0.0.1", f))
			for _, v := range []string{"2026.6.11", "2026.9.5", "2026.8.2"} {
				if !strings.Contains(out, v) {
					t.Errorf("%s, width %d: %s is cut off:\n%s", lang, width, v, out)
				}
			}
			if strings.Contains(out, "a long summary") {
				t.Errorf("%s, width %d: it is not shortened:\n%s", lang, width, out)
			}
		}
	}
}

func TestTotals(t *testing.T) {
	var s totals
	add := func(ip, release string, state event.AuthState, ids ...string) {
		e := gateway(ip, func(x *event.Target) {
			x.Auth = &event.Auth{State: state}
			if release != "" {
				x.Version = &event.Version{Exact: release, Candidates: []string{release}}
			}
			for _, id := range ids {
				x.Findings = append(x.Findings, event.Finding{ID: id, Severity: event.High})
			}
		})
		s.add(e.(*event.Target))
	}
	add("10.0.0.1", "2026.9.6", "open", "auth-missing", "plain-http", "plain-http")
	add("10.0.0.2", "2026.9.6", "required", "plain-http")
	add("10.0.1.1", "", "unknown")
	add("2001:db8:1:2::3", "2026.6.11", "required")
	add("host-1.redacted", "2026.6.11", "required")
	want := map[string][]group{
		"checks":   {{Name: "plain-http", Severity: event.High, Targets: 2, Open: 1}, {Name: "auth-missing", Severity: event.High, Targets: 1, Open: 1}},
		"releases": {{Name: "2026.9.6", Targets: 2, Open: 1}, {Name: "2026.6.11", Targets: 2, Open: 0}, {Targets: 1, Open: 0}},
		"networks": {{Name: "10.0.0.0/24", Targets: 2, Open: 1}, {Targets: 1, Open: 0}, {Name: "10.0.1.0/24", Targets: 1, Open: 0}, {Name: "2001:db8:1::/48", Targets: 1, Open: 0}},
	}
	for kind, got := range map[string][]group{"checks": sorted(s.checks), "releases": sorted(s.releases), "networks": sorted(s.networks)} {
		if !reflect.DeepEqual(got, want[kind]) {
			t.Errorf("%s: %+v, want %+v", kind, got, want[kind])
		}
	}
	if s.known.as || s.known.country {
		t.Error("something is known of where they are")
	}
	geo := func(as uint32, name, country string) {
		e := gateway("10.0.0.1", func(x *event.Target) { x.Geo = &event.Geo{AS: as, ASName: name, Country: country} })
		s.add(e.(*event.Target))
	}
	geo(64500, "", "AU")
	geo(64500, "Example\x1b[31m Net", "")
	geo(64500, "Example Network", "AU")
	geo(0, "nobody", "Australia")
	systems := []group{{Targets: 6, Open: 1}, {Name: "AS64500 Example Net", Targets: 3}}
	if got := sortedIf(s.known.as, s.systems); !reflect.DeepEqual(got, systems) {
		t.Errorf("by AS: %+v, want %+v", got, systems)
	}
	countries := []group{{Targets: 7, Open: 1}, {Name: "AU", Targets: 2}}
	if got := sortedIf(s.known.country, s.countries); !reflect.DeepEqual(got, countries) {
		t.Errorf("by country: %+v, want %+v", got, countries)
	}
	for i := range groupLimit + 100 {
		s.add(gateway(fmt.Sprintf("10.%d.%d.1", i/250%250, i%250), func(x *event.Target) {
			x.Version = &event.Version{Exact: fmt.Sprint("release-", i)}
		}).(*event.Target))
	}
	if n := len(s.releases); n > groupLimit+1 {
		t.Errorf("%d releases are kept", n)
	}
	if s.releases[otherGroups] == nil || s.releases[otherGroups].Targets < 50 {
		t.Errorf("those beyond the limit are not counted: %+v", s.releases[otherGroups])
	}
}

// TestSeverities: what is not wanted is not spelled out, and everything else
// stays: the worst of a target, the counts, and other formats.
func TestSeverities(t *testing.T) {
	o := Options{Severities: []event.Severity{event.Critical}}
	for _, format := range []string{"table", "markdown", "html"} {
		all, some := render(t, format, Options{}, mixed()...), render(t, format, o, mixed()...)
		if !strings.Contains(all, "Tokens travel in clear text") || strings.Contains(some, "Tokens travel in clear text") {
			t.Errorf("%s: a medium finding is shown", format)
		}
		if !strings.Contains(some, "A call without any credential") || !strings.Contains(some, "not shown") {
			t.Errorf("%s: a critical finding is not shown, or nothing says that others are not", format)
		}
	}
	for _, format := range []string{"jsonl", "json", "csv", "sarif", "junit", "codequality"} {
		if render(t, format, Options{}, mixed()...) != render(t, format, o, mixed()...) {
			t.Errorf("%s differs", format)
		}
	}
	table := render(t, "table", o, mixed()...)
	for _, want := range []string{"high      https://gw.example.net", "1 critical, 1 high, 3 medium"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in:\n%s", want, table)
		}
	}
}
