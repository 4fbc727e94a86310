package posture

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

func known() []string { return []string{"plain-http", "auth-missing", "exposed-to-internet"} }

func load(t *testing.T, text string) *Posture {
	t.Helper()
	p, err := Load("p.yaml", []byte("version: 1\nvantage: lan\n"+text), known())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What the schema cannot say.
func TestLoadErrors(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"no port", "version: 1\nendpoints:\n- target: a.example\n  from: {lan: [closed]}", `p.yaml:3: target "a.example" is not one port of one host`},
		{"block", "version: 1\nendpoints:\n- target: 10.0.0.0/24\n  from: {lan: [closed]}", "p.yaml:3: target"},
		{"credential", "version: 1\nendpoints:\n- target: http://u:p@a.example\n  from: {lan: [closed]}", "p.yaml:3: target URL holds a user name or password"},
		{"no host yet", "version: 1\nendpoints:\n- target: TODO:80\n  from: {lan: [closed]}", "p.yaml:3: the host is still TODO: name the host that port 80 is on"},
		{"twice", "version: 1\nendpoints:\n- target: a.example:443\n  from: {lan: [closed]}\n- target: https://A.example/\n  from: {lan: [closed]}", "p.yaml:5: https://A.example/ is declared twice: first at p.yaml:3"},
		{"accepted twice", "version: 1\nendpoints:\n- target: a.example:443\n  from: {lan: [closed]}\n  accept:\n  - {finding: plain-http, reason: x}\n  - {finding: plain-http, reason: y}", "p.yaml:7: plain-http is accepted twice"},
		{"host with a port", "version: 1\nhosts:\n- host: a.example:80", `p.yaml:3: host "a.example:80" is not one host`},
		{"alias", "version: 1\nhosts:\n- &a {host: b}\n- *a", "p.yaml:4: an alias"},
		{"empty entry", "version: 1\nendpoints:\n- ", "p.yaml:3: target is missing"},
		{"key twice", "version: 1\nversion: 1", "p.yaml:2: duplicate key"},
	} {
		_, err := Load("p.yaml", []byte(tt.in), known())
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error is %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestStand(t *testing.T) {
	p := load(t, "endpoints:\n- target: a:1\n  from: {lan: [closed]}\n- target: a:2\n  from: {outside: [closed]}")
	if err := p.Stand(""); err == nil || err.Error() != "p.yaml:7: a:2 has no statement for the vantage lan: it has outside" {
		t.Error(err)
	}
	p.Vantage = ""
	if err := p.Stand(""); err == nil || !strings.HasPrefix(err.Error(), "p.yaml:1: where this run stands is not stated") {
		t.Error(err)
	}
}

func TestSpecs(t *testing.T) {
	p := load(t, "endpoints:\n- target: a.example:443\n  from: {lan: [closed]}\nhosts:\n- {host: a.example, also_ports: '22'}\n- {host: b.example}")
	var got []string
	for _, s := range p.Specs([]uint16{443, 18789}) {
		got = append(got, fmt.Sprint(s.Name, s.Ports, s.Part, s.Source))
	}
	if want := "a.example[443]p.yaml:4|a.example[18789 22]hostp.yaml:7|b.example[443 18789]hostp.yaml:8"; strings.Join(got, "|") != want {
		t.Errorf("%q", got)
	}
}

func TestJudge(t *testing.T) {
	const any = "[required]"
	is := func(o event.Outcome, state event.AuthState) func(*event.Target) {
		return func(t *event.Target) {
			if t.Outcome = o; state != "" {
				t.Auth = &event.Auth{State: state}
			}
		}
	}
	gateway := func(edit func(*event.Target)) func(*event.Target) {
		return func(t *event.Target) {
			is(event.OutcomeIdentified, event.AuthRequired)(t)
			edit(t)
		}
	}
	found := func(id string, s event.Severity) func(*event.Target) {
		return gateway(func(t *event.Target) { t.Findings = []event.Finding{{ID: id, Severity: s}} })
	}
	release := func(exact string, fit ...string) func(*event.Target) {
		return gateway(func(t *event.Target) { t.Version = &event.Version{Exact: exact, Candidates: fit} })
	}
	const ok, breach, unclear = event.PostureOK, event.PostureBreach, event.PostureNotJudged
	for _, tt := range []struct {
		name, meant, more string
		seen              func(*event.Target)
		want              event.PostureResult
		says              string
	}{
		{"as declared", any, "", is(event.OutcomeIdentified, event.AuthRequired), ok, ""},
		{"one of two", "[required, gated]", "", is(event.OutcomeIdentified, event.AuthGated), ok, ""},
		{"gated, no product seen", "[gated]", "", is(event.OutcomeOther, event.AuthGated), ok, ""},
		{"open", "[required, gated]", "", is(event.OutcomeIdentified, event.AuthOpen), breach, "Declared: required or gated; seen: open."},
		{"claimable", any, "", is(event.OutcomeIdentified, event.AuthClaimable), breach, "seen: claimable"},
		{"open, meant", "[open]", "", is(event.OutcomeIdentified, event.AuthOpen), ok, ""},
		{"unknown is not ok", any, "", is(event.OutcomeIdentified, event.AuthUnknown), unclear, "could not be told (unknown)"},
		{"blocked is not ok", any, "", is(event.OutcomeIdentified, event.AuthBlocked), unclear, "(blocked)"},
		{"unknown, anything meant", "[required, gated, other, closed, open, claimable]", "", is(event.OutcomeIdentified, event.AuthUnknown), unclear, ""},
		{"unknown where closed is meant", "[closed]", "", is(event.OutcomeIdentified, event.AuthUnknown), breach, "seen: unknown"},
		{"something else", any, "", is(event.OutcomeOther, ""), breach, "seen: other"},
		{"something else, meant", "[other]", "", is(event.OutcomeOther, ""), ok, ""},
		{"bad gateway", "[other]", "", func(t *event.Target) {
			t.Outcome, t.Evidence = event.OutcomeOther, []event.Evidence{{ID: "root", Status: 502}}
		}, unclear, "no whole answer"},
		{"down", any, "", is(event.OutcomeClosed, ""), unclear, "Nothing answers (closed); declared: required."},
		{"silent", any, "", is(event.OutcomeSilent, ""), unclear, "Nothing answers (silent)"},
		{"closed is meant: refused", "[closed]", "", is(event.OutcomeClosed, ""), ok, ""},
		{"closed is meant: silent", "[closed]", "", is(event.OutcomeSilent, ""), ok, ""},
		{"closed is meant: no way", "[closed]", "", is(event.OutcomeUnreachable, ""), ok, ""},
		{"closed is meant: reset", "[closed]", "", is(event.OutcomeReset, ""), breach, "seen: reset"},
		{"closed is meant: not HTTP", "[closed]", "", is(event.OutcomeProtocolError, ""), breach, "seen: other"},
		{"reset", any, "", is(event.OutcomeReset, ""), unclear, ""},
		{"TLS fails", any, "", is(event.OutcomeTLSError, ""), unclear, ""},
		{"no name", "[closed]", "", is(event.OutcomeDNSError, ""), unclear, "It could not be looked at (dns-error)."},
		{"this machine", "[closed]", "", is(event.OutcomeLocalError, ""), unclear, ""},
		{"excluded", "[closed]", "", is(event.OutcomeExcluded, ""), unclear, ""},
		{"interrupted", "[closed]", "", is(event.OutcomeInterrupted, ""), unclear, ""},
		{"a word of a later version", "[closed]", "", is("later", ""), unclear, ""},

		{"TLS", any, "tls: true", gateway(func(t *event.Target) { t.TLS = &event.TLS{Enabled: true} }), ok, ""},
		{"no TLS", any, "tls: true", gateway(func(t *event.Target) { t.TLS = &event.TLS{} }), breach, "TLS is declared and not in use."},
		{"TLS where closed", "[required, closed]", "tls: true", is(event.OutcomeClosed, ""), ok, ""},

		{"release", any, "oldest: 2026.9.1", release("2026.9.6"), ok, ""},
		{"older", any, "oldest: 2026.9.1", release("2026.8.2"), breach, "It runs 2026.8.2; the oldest release declared is 2026.9.1."},
		{"all that fit", any, "oldest: 2026.9.1", release("", "2026.9.1", "2026.9.2"), ok, ""},
		{"some that fit", any, "oldest: 2026.9.1", release("", "2026.8.2", "2026.9.2"), unclear, "between 2026.8.2 and 2026.9.2"},
		{"none that fits", any, "oldest: 2026.9.1", release("", "2026.8.1", "2026.8.2"), breach, ""},
		{"release unknown", any, "oldest: 2026.9.1", release(""), unclear, "could not be told"},
		{"release of another kind", any, "oldest: 2026.9.1", release("v12"), unclear, ""},

		{"surface", any, "surfaces: [hooks]", gateway(func(t *event.Target) { t.Surfaces = []event.Surface{{ID: "hooks"}} }), ok, ""},
		{"another surface", any, "surfaces: [hooks]", gateway(func(t *event.Target) { t.Surfaces = []event.Surface{{ID: "hooks"}, {ID: "terminal"}} }), breach, "On and not declared: terminal."},

		{"finding", any, "", found("plain-http", event.Low), breach, "Findings that are not accepted: plain-http."},
		{"info", any, "", found("plain-http", event.Info), ok, ""},
		{"finding of no known severity", any, "", found("plain-http", ""), breach, ""},
		{"accepted", any, "accept: [{finding: plain-http, reason: known}]", found("plain-http", event.Medium), ok, ""},
		{"accepted until today", any, "accept: [{finding: plain-http, reason: known, until: 2026-10-06}]", found("plain-http", event.Medium), ok, ""},
		{"acceptance has ended", any, "accept: [{finding: plain-http, reason: known, until: 2026-10-05}]", found("plain-http", event.Medium), breach, "The acceptance of plain-http ended on 2026-10-05."},
		{"another accepted", any, "accept: [{finding: auth-missing, reason: known}]", found("plain-http", event.Medium), breach, ""},
	} {
		p := load(t, "endpoints:\n- target: a.example:443\n  from: {lan: "+tt.meant+"}\n  "+tt.more+"\n")
		in := &event.Target{Target: event.Address{Input: "a.example:443", Source: "p.yaml:4", Name: "a.example", IP: "10.0.0.1", Port: 443}}
		tt.seen(in)
		got := judge(p).Target(in)
		if got.Posture == nil || got.Posture.Result != tt.want || !strings.Contains(strings.Join(got.Posture.Notes, " "), tt.says) {
			t.Errorf("%s: %+v, want %s %q", tt.name, got.Posture, tt.want, tt.says)
		}
		for _, n := range got.Posture.AllNotes() {
			if err := n.Check(); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		if in.Posture != nil || len(in.Findings) > 0 && in.Findings[0].Suppressed != "" {
			t.Errorf("%s: the target that was given has changed", tt.name)
		}
	}
}

func judge(p *Posture) *Judge {
	return &Judge{Posture: p, Now: time.Date(2026, 10, 6, 12, 0, 0, 0, time.UTC), Finding: func(place string, detail ...message.Text) *event.Finding {
		return &event.Finding{ID: Breach, Severity: event.High, Key: place}
	}}
}

// Ports of hosts, addresses of names, and the numbers at the end.
func TestTotals(t *testing.T) {
	p := load(t, "endpoints:\n- target: a.example:443\n  from: {lan: [required]}\n- target: b.example:443\n  from: {lan: [required]}\n- target: 10.0.0.3:80\n  from: {lan: [other]}\nhosts:\n- host: c.example\n- host: d.example\n")
	j := judge(p)
	look := func(input, source, ip string, port int, m event.Member, o event.Outcome, state event.AuthState) *event.Target {
		in := &event.Target{Target: event.Address{Input: input, Source: source, IP: ip, Port: port, Member: m}, Outcome: o}
		if state != "" {
			in.Auth = &event.Auth{State: state}
		}
		return j.Target(in)
	}
	look("a.example:443", "p.yaml:4", "10.0.0.1", 443, event.OfName, event.OutcomeIdentified, event.AuthRequired)
	look("a.example:443", "p.yaml:4", "fd00::1", 443, event.OfName, event.OutcomeUnreachable, "")
	if x := look("c.example", "p.yaml:11", "10.0.0.3", 22, event.OfHost, event.OutcomeClosed, ""); x != nil {
		t.Errorf("a closed port is listed: %+v", x)
	}
	// A host's port that is an endpoint by its address.
	if x := look("c.example", "p.yaml:11", "10.0.0.3", 80, event.OfHost, event.OutcomeOther, ""); x.Posture.Result != event.PostureOK {
		t.Errorf("%+v", x.Posture)
	}
	if x := look("d.example", "p.yaml:12", "10.0.0.4", 8080, event.OfHost, event.OutcomeReset, ""); x.Posture.Result != event.PostureBreach || len(x.Findings) != 1 {
		t.Errorf("%+v", x.Posture)
	}
	s := j.Summary(&event.Summary{Findings: map[event.Severity]int{}})
	if got := fmt.Sprint(s.Posture, s.Findings, s.Notes); got != "map[breach:1 not-judged:1 ok:3] map[high:1] [Declared and not looked at: b.example:443.]" {
		t.Error(got)
	}
}

func TestConfigured(t *testing.T) {
	way := func(port int, through string, names ...string) event.Way {
		return event.Way{Reach: event.FilesLAN, Auth: event.AuthOpen, Port: port, Through: through, Names: names, Steps: []event.Location{{Pos: event.Pos{File: "nginx.conf", Line: 10}}}}
	}
	adds := way(443, "nginx")
	adds.Adds = &event.Pos{File: "nginx.conf", Line: 14}
	for _, tt := range []struct {
		name string
		ways []event.Way
		want string
	}{
		{"adds", []event.Way{way(80, "nginx"), adds}, "openclaw.json says token and loopback; from here it is open through nginx on :443, which adds the credential (nginx.conf:14)."},
		{"through", []event.Way{way(443, "caddy")}, "openclaw.json says token and loopback; from here it is open through caddy on :443 (nginx.conf:10)."},
		{"name before port", []event.Way{way(443, "nginx"), way(0, "cloudflared", "A.example")}, "through cloudflared on :443"},
		{"own listener", []event.Way{way(443, "")}, "openclaw.json says token and loopback; from here it is open (nginx.conf:10)."},
		{"another port", []event.Way{way(80, "nginx")}, "No way in the files leads to port 443."},
	} {
		j := judge(load(t, "endpoints:\n- target: a.example:443\n  from: {lan: [required]}\n"))
		j.Files = []*event.Target{{Auth: &event.Auth{Mode: "token"}, Files: &event.Files{At: &event.Pos{File: "openclaw.json", Line: 3}, Bind: "loopback", Port: 18789, Ways: tt.ways}}}
		got := j.Target(&event.Target{Target: event.Address{Input: "a.example:443", Source: "p.yaml:4", Port: 443}, Outcome: event.OutcomeIdentified, Auth: &event.Auth{State: event.AuthOpen}})
		if text := strings.Join(got.Posture.Notes, " "); !strings.Contains(text, tt.want) {
			t.Errorf("%s: %s", tt.name, text)
		}
	}
}

// What is generated holds against what it was made of, once reasons are stated.
func TestGenerate(t *testing.T) {
	seen := []*event.Target{
		{Target: event.Address{Input: "a.example:443", Name: "a.example", IP: "10.0.0.1", Port: 443, Reach: event.ReachPrivate}, Outcome: event.OutcomeIdentified,
			Auth: &event.Auth{State: event.AuthOpen}, TLS: &event.TLS{Enabled: true}, Version: &event.Version{Exact: "2026.9.6"},
			Surfaces: []event.Surface{{ID: "hooks"}}, Findings: []event.Finding{{ID: "auth-missing", Severity: event.Critical}, {ID: "plain-http", Severity: event.Info}}},
		{Target: event.Address{Input: "10.0.0.2", IP: "10.0.0.2", Port: 80, Member: event.OfHost, Reach: event.ReachPrivate, URL: "http://10.0.0.2/"}, Outcome: event.OutcomeOther},
		{Target: event.Address{Input: "10.0.0.2", IP: "10.0.0.2", Port: 81, Member: event.OfHost, Reach: event.ReachPrivate}, Outcome: event.OutcomeClosed},
		{Target: event.Address{Input: "10.0.0.3:80", IP: "10.0.0.3", Port: 80, Reach: event.ReachPrivate}, Outcome: event.OutcomeSilent},
	}
	for _, reason := range []string{"", `it's "known": #1`} {
		g := &Generator{Reason: reason}
		for _, x := range seen {
			g.Event(x)
		}
		text, err := g.Write()
		if err != nil {
			t.Fatal(err)
		}
		p, err := Load("p.yaml", text, known())
		if reason == "" {
			if err == nil || !strings.Contains(err.Error(), "the reason is still TODO") {
				t.Errorf("%v:\n%s", err, text)
			}
			continue
		}
		if err != nil || p.Stand("") != nil || p.Vantage != "lan" {
			t.Fatalf("%v:\n%s", err, text)
		}
		j := judge(p)
		for _, x := range seen {
			again := *x
			for _, s := range p.Specs([]uint16{80, 81}) {
				if s.Input == again.Target.Input || s.Input == again.Target.Place() && again.Outcome == event.OutcomeOther {
					again.Target.Input, again.Target.Source = s.Input, s.Source
					break
				}
			}
			j.Target(&again)
		}
		if got := fmt.Sprint(j.Totals()); got != "map[ok:4]" {
			t.Errorf("%s:\n%s", got, text)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("version: 1\nvantage: lan\nendpoints:\n- target: a:1\n  from: {lan: [closed]}\n  tls: true\n  oldest: 2026.9.1\n  surfaces: [a]\n  accept: [{finding: plain-http, reason: x, until: 2026-12-31}]\nhosts:\n- {host: b, also_ports: '1-3'}\n"))
	f.Add([]byte("version: 1\nhosts: [{host: '::1'}]"))
	f.Add([]byte("&a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Load("p.yaml", data, known())
		if err != nil {
			if !strings.HasPrefix(err.Error(), "p.yaml:") {
				t.Errorf("no place in %q", err)
			}
			return
		}
		if p.Stand("") != nil {
			return
		}
		lines := strings.Count(string(data), "\n") + 1
		for _, s := range p.Specs([]uint16{80}) {
			var line int
			if _, err := fmt.Sscanf(s.Source, "p.yaml:%d", &line); err != nil || line < 1 || line > lines {
				t.Errorf("place %q of %d lines", s.Source, lines)
			}
		}
	})
}
