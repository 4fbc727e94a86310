package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/message"
)

var started = time.Date(2026, 10, 6, 12, 0, 0, 0, time.UTC)

func scanEvent() event.Event {
	return &event.Scan{
		Type: "scan", Schema: event.Schema, Tool: event.Tool{Name: "clawsonar", Version: "0.1.0"},
		Started: started, Level: "standard", Shard: "1/1",
		Data: event.Data{Releases: 134, NewestRelease: "2026.9.6", ReleasesAsOf: "2026-10-05", Advisories: 723, AdvisoriesAsOf: "2026-10-05"},
	}
}

func summaryEvent(s event.Summary) event.Event {
	s.Type = "summary"
	s.Finished = started.Add(4200 * time.Millisecond)
	return &s
}

func gateway(ip string, edit func(*event.Target)) event.Event {
	t := &event.Target{
		Type:    "target",
		Target:  event.Address{Input: ip, Source: "args", IP: ip, Port: 18789, URL: "http://" + ip + ":18789/", Reach: "private"},
		Outcome: "identified",
		Product: &event.Product{ID: "openclaw", Brand: "openclaw", Name: "OpenClaw gateway", Confidence: "certain"},
	}
	edit(t)
	return t
}

var (
	missingAuth = event.Finding{
		ID: "auth-missing", Severity: event.Critical, Title: "The gateway accepts anyone",
		Detail:      "A call without any credential reached the tool layer. Anyone who can connect can read chats, run tools and use the accounts the gateway holds, and the host may be next. Nothing in front of it asks for a credential either.",
		Remediation: "Set gateway.auth.mode to token and gateway.auth.token to a long random value, bind the gateway to loopback (gateway.bind: loopback), restart it, and change every key that it could reach.",
		References:  []string{"https://docs.example.org/gateway/security"},
		Key:         "00112233445566778899aabbccddeeff",
	}
	plainHTTP = event.Finding{
		ID: "plain-http", Severity: event.Medium, Title: "No TLS in use",
		Detail: "Tokens travel in clear text.", Remediation: "Put the gateway behind TLS, or reach it over a VPN.",
	}
	unverified = event.Finding{
		ID: "auth-unverified", Severity: event.Info, Title: "Whether a credential is needed could not be told",
		Detail: "The answers fit both.", Remediation: "Scan again with -level deep.",
	}
	screen = event.Finding{
		ID: "novnc-reachable", Severity: event.Medium, Title: "A screen of the gateway's host is offered",
		Detail: "A password is asked for.", Remediation: "Bind it to loopback.",
	}
	legacy = event.Finding{
		ID: "legacy-product", Severity: event.High, Title: "A release from before the rename",
		Detail: "It gets no fixes.", Remediation: "Move to the current release.",
	}
)

// mixed is a stream with one of everything.
func mixed() []event.Event {
	return []event.Event{
		scanEvent(),
		gateway("10.0.0.21", func(t *event.Target) {
			t.Version = &event.Version{Exact: "2026.9.6", Candidates: []string{"2026.9.6"}}
			t.Auth = &event.Auth{State: "required", Mode: "token"}
		}),
		gateway("10.0.0.9", func(t *event.Target) {
			t.Auth = &event.Auth{State: "unknown"}
			t.Findings = []event.Finding{unverified, plainHTTP}
			t.Notes = []string{"the tool endpoint answered 429 each time"}
			t.Geo = &event.Geo{Country: "NZ"}
		}),
		gateway("10.0.0.7", func(t *event.Target) {
			t.Version = &event.Version{Exact: "2026.5.28", Candidates: []string{"2026.5.28"}}
			t.Auth = &event.Auth{State: "open", Mode: "none"}
			t.Front = &event.Front{Kind: "nginx"}
			t.Geo = &event.Geo{AS: 64500, ASName: "=Example|Net <1>", Country: "AU"}
			suppressed := legacy
			suppressed.Suppressed = "ignore file: until 2026-12-01"
			by := message.New("suppressed.ignore-file", message.Of("reason", "until 2026-12-01"))
			suppressed.Messages = &event.FindingMessages{Suppressed: &by}
			t.Findings = []event.Finding{plainHTTP, suppressed, missingAuth}
		}),
		gateway("10.0.0.30", func(t *event.Target) {
			t.Target.Name, t.Target.URL = "gw.example.net", "https://gw.example.net/a/fairly/long/base/path/"
			t.Target.IP, t.Target.Port, t.Target.Reach = "198.51.100.4", 443, "public"
			t.Geo = &event.Geo{AS: 64501, Country: "AU"}
			t.Product.Brand, t.Product.Confidence = "clawdbot", "firm"
			t.Version = &event.Version{Candidates: []string{"2026.1.24", "2026.1.24-3"}}
			t.Auth = &event.Auth{State: "gated"}
			t.Findings = []event.Finding{legacy}
		}),
		gateway("10.0.0.8", func(t *event.Target) {
			t.Auth = &event.Auth{State: "blocked"}
			t.Target.IP, t.Target.URL = "fd00::8", "http://[fd00::8]:18789/"
		}),
		gateway("10.0.0.5", func(t *event.Target) {
			t.Auth = &event.Auth{State: "claimable"}
			t.Product = &event.Product{ID: "clawpanel", Name: "Claw Panel", Confidence: "tentative"}
			t.Version = &event.Version{Candidates: []string{"2026.1.1", "2026.1.2", "2026.1.3", "2026.1.4"}}
		}),
		&event.Target{Type: "target", Target: event.Address{Input: "no.example.org", Name: "no.example.org", Port: 18789}, Outcome: "dns-error", Error: "no such host"},
		&event.Target{Type: "target", Target: event.Address{Input: "10.0.0.40", IP: "10.0.0.40", Port: 80, URL: "http://10.0.0.40/"}, Outcome: "other"},
		&event.Target{Type: "target", Outcome: "helper",
			Target:  event.Address{Input: "10.0.0.7:6080", Source: "beside 10.0.0.7:18789", IP: "10.0.0.7", Port: 6080, URL: "https://10.0.0.7:6080/", Reach: "private"},
			Product: &event.Product{ID: "novnc", Name: "noVNC", Confidence: "certain"}, Auth: &event.Auth{State: "required"},
			TLS:      &event.TLS{Enabled: true},
			Findings: []event.Finding{screen}},
		summaryEvent(event.Summary{
			Targets:  257,
			Outcomes: map[event.Outcome]int{"identified": 6, "helper": 1, "other": 1, "dns-error": 1, "closed": 200, "silent": 48},
			Auth:     map[event.AuthState]int{"open": 1, "required": 1, "unknown": 1, "gated": 1, "blocked": 1, "claimable": 1},
			Findings: map[event.Severity]int{"critical": 1, "high": 1, "medium": 3, "info": 1}, Suppressed: 1,
			Complete: true, MissEstimate: event.MissEstimate{Reprobed: 48, Found: 0},
			Unlisted: &event.Unlisted{Count: 5, Targets: []event.Place{{Place: "10.0.0.50", Outcome: "closed"}, {Place: "10.0.0.51:18789", Outcome: "silent"}}},
		}),
	}
}

// render runs events through the named format.
func render(t testing.TB, format string, o Options, events ...event.Event) string {
	t.Helper()
	var b strings.Builder
	s, err := New(format, &b, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		if err := s.Event(e); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// nastyText is what a hostile target might send, and size bytes more.
func nastyText(tag string, size int) string {
	return "::error file=a::" + tag + "\n::warning::x\r\n##[add-mask]y ##vso[task.complete] " +
		"\x1b[2J\x1b]0;owned\x07\x1b]8;;http://evil.example/\x1b\\link\x1b]8;;\x1b\\" +
		"\u009b31m\u009dx\u009c\x9b\x85\x00\x07\x08\x0b\x7f\u0085\u2028\u2029" +
		"\u202e\u2066\u2067\u2068\u2069\u202a\u200e\u200f\u061c\u200b\u200d\ufeff\u00ad" +
		"\xff\xfe\xc3\x28\xed\xa0\x80\ue000\U000f0000\U000e0041\U000e0100\ufe0f\u3164\ufffe" +
		"e" + strings.Repeat("\u0301", 50) + " \u4f60\u597d |`<script>&amp;" + strings.Repeat("A", size)
}

// hostile is a stream in which every string is nasty.
func hostile(size int) []event.Event {
	n := func(tag string) string { return nastyText(tag, size) }
	scan := scanEvent()
	scan.(*event.Scan).Level, scan.(*event.Scan).Shard = event.Level(n("level")), n("shard")
	scan.(*event.Scan).Tool = event.Tool{Name: n("tool"), Version: n("toolversion")}
	scan.(*event.Scan).Data.NewestRelease, scan.(*event.Scan).Data.ReleasesAsOf, scan.(*event.Scan).Data.AdvisoriesAsOf = n("newest"), n("asof"), n("advasof")
	events := []event.Event{scan}
	for i := range 3 {
		x := gateway("10.0.0.1", func(t *event.Target) {
			f := event.Finding{
				ID: n("id"), Severity: event.Severity(n("sev")), Title: n("title"), Detail: n("detail"), Remediation: n("fix"),
				References: []string{n("ref")}, Key: n("key"), Evidence: []string{n("ev")}, Controls: []string{n("ctl")},
			}
			said := message.New("plain-http.at", message.Of("address", n("address")))
			f.Messages = &event.FindingMessages{Suppressed: &said, Remediation: []message.Message{said},
				Detail: []message.Message{said, message.New("said", message.Of("text", n("said")))}}
			g := f
			g.Severity, g.Suppressed = event.High, n("suppressed")
			t.Target = event.Address{Input: n("input"), Source: n("src"), Name: n("name"), IP: n("ip"), Port: 1, URL: n("url"), Reach: event.Reach(n("reach")), Bound: n("bound"), Process: n("proc")}
			t.Product = &event.Product{ID: n("pid"), Brand: n("brand"), Name: n("pname"), Confidence: event.Confidence(n("conf")), Because: []string{n("because")}}
			t.Version = &event.Version{Exact: n("exact"), Candidates: []string{n("candidate")}}
			t.Auth = &event.Auth{State: "required", Mode: event.AuthMode(n("mode"))}
			t.Front = &event.Front{Kind: n("front")}
			t.Findings = []event.Finding{f, g}
			t.Notes, t.Messages = []string{n("note")}, []message.Message{said}
			t.Error, t.ErrorMessage = n("error"), &said
			t.Changes = []event.Change{{What: event.Changed(n("what")), Old: n("old"), New: n("new"), OldMessage: &said, NewMessage: &said}}
			t.Evidence = []event.Evidence{{ID: n("e"), Facts: map[string]string{n("k"): n("v")}}}
			switch i {
			case 1:
				t.Outcome, t.Product.Brand = event.Outcome(n("outcome")), ""
			case 2:
				t.Auth.State, t.Version = event.AuthState(n("state")), nil
				t.Target.URL = ""
				t.Findings[0].Severity = event.Critical
			}
		})
		events = append(events, x)
	}
	return append(events, summaryEvent(event.Summary{
		Targets: 3, Outcomes: map[event.Outcome]int{"identified": 2, event.Outcome(n("o")): 1}, Auth: map[event.AuthState]int{event.AuthState(n("a")): 1},
		Findings: map[event.Severity]int{"critical": 1, event.Severity(n("f")): 1},
	}))
}

// many is a stream of n targets, the i-th with the finding that pick gives.
func many(n int, severity func(i int) event.Severity) []event.Event {
	events := []event.Event{scanEvent()}
	for i := range n {
		events = append(events, gateway(fmt.Sprintf("10.1.%d.%d", i/250, i%250+1), func(t *event.Target) {
			t.Auth = &event.Auth{State: "required"}
			if s := severity(i); s != "" {
				t.Findings = []event.Finding{{ID: "x", Severity: s, Title: "A finding"}}
			}
		}))
	}
	return events
}

// fixtureChecks stand for the checks, which this package does not know.
func fixtureChecks() []event.CheckInfo {
	docs := []string{"https://docs.example.org/gateway/security"}
	return []event.CheckInfo{
		{ID: "auth-missing", Title: "Anyone who reaches this gateway controls the agent", Severity: event.Critical, Needs: event.NeedsAuth,
			When: "The gateway accepted a request without a credential.", Files: "It starts with mode none.", Why: "Anyone who can connect can give the agent instructions.", Fix: "Ask for a credential.",
			Controls: []string{"nvdb:N2", "cncert:C2", "tongbao:T2", "owasp:ASI03"}, References: docs},
		{ID: "legacy-product", Title: "This is a predecessor of OpenClaw that gets no fixes", Severity: event.High, Needs: event.NeedsRelease,
			When: "The page says so.", Why: "All fixes are missing.", Fix: "Move to OpenClaw.", Controls: []string{"nvdb:N1", "cncert:C7", "tongbao:T1", "owasp:ASI04"}},
		{ID: "exposed-to-internet", Title: "The gateway answers on a globally reachable address", Severity: event.High, Needs: event.NeedsRemote,
			When: "It was reached there.", Why: "It will be found.", Fix: "Bind it to loopback.", Controls: []string{"nvdb:N2", "cncert:C1", "tongbao:T2"}},
		{ID: "advisory-affected", Title: "Published vulnerabilities apply to this release", Severity: event.Critical, Needs: event.NeedsRelease,
			When: "The release is in a range.", Why: "Everybody knows how it is attacked.", Fix: "Update.", Controls: []string{"nvdb:N1", "cncert:C7"}},
		{ID: "plain-http", Title: "The gateway is spoken to without encryption", Severity: event.Medium,
			When: "It answered over plain HTTP.", Why: "Anybody on the way can read it.", Fix: "Put TLS in front.", Controls: []string{"nvdb:N2", "tongbao:T2"}, References: docs},
		{ID: "novnc-reachable", Title: "A screen of the gateway's host is offered", Severity: event.Critical, Needs: event.NeedsHelpers,
			When: "It answered.", Why: "Anyone who sees the screen can use it.", Fix: "Bind it to loopback.", Controls: []string{"nvdb:N2"}},
		{ID: "tls-expired", Title: "The certificate is out of date", Severity: event.Medium, Needs: event.NeedsTLS, Relatives: true,
			When: "Its time is over.", Why: "Clients learn to look away.", Fix: "Renew it.", Controls: []string{"nvdb:N2"}},
		{ID: "auth-unverified", Title: "Whether a credential is needed could not be proven", Severity: event.Info,
			When: "No answer says.", Why: "It may be open.", Fix: "Scan again.", Controls: []string{"nvdb:N2", "cncert:C2"}},
	}
}

// changed is the stream of a comparison, with one of everything.
func changed() []event.Event {
	scan := scanEvent()
	scan.(*event.Scan).Compared = &event.Compared{Tool: event.Tool{Name: "clawsonar", Version: "0.1.0"}, Started: started.Add(-7 * 24 * time.Hour)}
	opened, closed, unseen := missingAuth, plainHTTP, legacy
	opened.Change, closed.Change, unseen.Change = event.Opened, event.Closed, event.Unseen
	return []event.Event{
		scan,
		gateway("10.0.0.7", func(t *event.Target) {
			t.Auth = &event.Auth{State: "open", Mode: "none"}
			t.Version = &event.Version{Exact: "2026.9.6", Candidates: []string{"2026.9.6"}}
			t.Findings = []event.Finding{opened, closed}
			t.Changes = []event.Change{{What: "verdict", Old: "auth required", New: "open"}, {What: "release", Old: "2026.5.28", New: "2026.9.6"}}
			t.Advisories = []event.Advisory{{ID: "GHSA-2222-3333-4444", CVE: "CVE-2026-12345", Severity: event.High, Score: 8.1, Status: "affected", Reach: "reachable", Fixed: "2026.9.7", Summary: "Something is wrong"}}
		}),
		&event.Target{Type: "target", Outcome: "absent", Target: event.Address{IP: "10.0.0.9", Port: 18789, URL: "http://10.0.0.9:18789/"},
			Findings: []event.Finding{unseen}, Changes: []event.Change{{What: "target", Old: "auth required"}}},
		gateway("10.0.0.8", func(t *event.Target) { t.Auth = &event.Auth{State: "blocked"} }), // as it was
		summaryEvent(event.Summary{Targets: 3, Outcomes: map[event.Outcome]int{"identified": 2, "absent": 1}, Auth: map[event.AuthState]int{"open": 1, "blocked": 1}, Findings: map[event.Severity]int{"critical": 1},
			Complete: true, Diff: &event.Diff{Opened: 1, Closed: 1, Unseen: 1, Changed: 2, Advisories: 1}}),
	}
}

// apart is a comparison of two vantages, with one of everything.
func apart() []event.Event {
	events := changed()
	scan := events[0].(*event.Scan)
	scan.Vantage, scan.Compared.Vantage = "sgp", "fra"
	return events
}

// inspected is the stream of an inspection, with one of everything.
func inspected() []event.Event {
	scan := scanEvent().(*event.Scan)
	scan.Kind, scan.Level = event.TargetFiles, event.LevelPassive
	at := func(file string, line, column int, says string) event.Location {
		return event.Location{Pos: event.Pos{File: file, Line: line, Column: column}, Says: says}
	}
	return []event.Event{
		scan,
		inFile("deploy/web", "docker-compose.yml#openclaw", event.AuthOpen, func(t *event.Target) {
			t.Version = &event.Version{Exact: "2026.5.28", Candidates: []string{"2026.5.28"}, Source: "docker-compose.yml:4", At: &event.Pos{File: "docker-compose.yml", Line: 4}, Confidence: event.Certain}
			steps := []event.Location{at("nginx/site.conf", 3, 5, "nginx listens"), at("nginx/site.conf", 14, 9, "nginx leads to the gateway"), at("docker-compose.yml", 10, 9, "")}
			t.Files.Reach, t.Files.Ways = event.FilesInternet, []event.Way{{Reach: event.FilesInternet, Auth: event.AuthOpen, Steps: steps}}
			open, plain := missingAuth, plainHTTP
			open.Locations = []event.Location{at("nginx/site.conf", 16, 9, ""), steps[0], steps[1], at("conf/openclaw.json", 5, 12, "the gateway asks for a token")}
			open.Diff = "-        proxy_set_header Authorization \"Bearer ...\";\n+        auth_basic \"gateway\";"
			plain.Locations = steps[:1]
			t.Findings = []event.Finding{open, plain}
			t.Advisories = []event.Advisory{{ID: "GHSA-2222-3333-4444", Severity: event.High, Score: 8.1, Status: "affected", Reach: "reachable", Fixed: "2026.9.7", Summary: "Something is wrong"}}
		}),
		inFile("deploy/lan/openclaw.json", "openclaw.json", event.AuthRequired, func(t *event.Target) {
			t.Target.Base = "deploy/lan"
			t.Files.Reach, t.Files.Generated = event.FilesLAN, true
		}),
		inFile("host1.tar", "etc/systemd/system/claw: 1.service", event.AuthUnknown, func(t *event.Target) {
			t.Files.Starts = event.StartsNo
			old := legacy
			old.Locations = []event.Location{at("etc/systemd/system/claw: 1.service", 7, 0, "")}
			t.Findings = []event.Finding{old}
		}),
		inFile("/srv/claw", "#gw.internal:18789", event.AuthUnknown, func(t *event.Target) {
			t.Files.Reach, t.Files.Starts = event.FilesReachUnknown, event.StartsUnknown
			t.Files.Unjudged = []event.Location{at("charts/values.yaml", 1, 0, "a Helm template")}
			t.Findings = []event.Finding{unverified}
			t.Notes = []string{"the newest release is assumed"}
		}),
		&event.Target{Type: "target", Target: event.Address{Input: "docs", Source: "files", Kind: event.TargetFiles}, Outcome: event.OutcomeOther,
			Files: &event.Files{Reach: event.FilesReachUnknown, Starts: event.StartsUnknown, Read: 4}},
		summaryEvent(event.Summary{
			Targets: 5, Outcomes: map[event.Outcome]int{"identified": 4, "other": 1}, Auth: map[event.AuthState]int{"open": 1, "required": 1, "unknown": 2},
			Findings: map[event.Severity]int{"critical": 1, "high": 1, "medium": 1, "info": 1}, Complete: true,
		}),
	}
}

// inFile is a gateway in the files of a deployment.
func inFile(input, name string, state event.AuthState, edit func(*event.Target)) event.Event {
	file, gateway, _ := strings.Cut(name, "#") // FILE#NAME, for short
	t := &event.Target{
		Type: "target", Outcome: event.OutcomeIdentified,
		Target:  event.Address{Input: input, Source: "files", Kind: event.TargetFiles, File: file, Gateway: gateway},
		Product: &event.Product{ID: "openclaw", Brand: "openclaw", Name: "OpenClaw", Confidence: event.Certain},
		Auth:    &event.Auth{State: state, Because: []string{}},
		Files:   &event.Files{At: &event.Pos{File: file, Line: 3}, Reach: event.FilesLoopback, Starts: event.StartsYes, Bind: "loopback", Port: 18789, Read: 4},
	}
	edit(t)
	return t
}
