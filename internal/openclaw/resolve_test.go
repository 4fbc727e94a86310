package openclaw

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/json5"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/release"
)

// doc makes a document of JSON. Positions are no real ones, but there.
func doc(t *testing.T, text string) *Document {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	line := 0
	var node func(any) *json5.Node
	node = func(v any) *json5.Node {
		line++
		n := &json5.Node{Pos: event.Pos{File: "openclaw.json", Line: line, Column: 1}}
		switch v := v.(type) {
		case bool:
			n.Kind, n.Bool = json5.Bool, v
		case float64:
			n.Kind, n.Number = json5.Number, v
		case string:
			n.Kind, n.Text = json5.String, v
		case []any:
			n.Kind = json5.Array
			for _, x := range v {
				n.Items = append(n.Items, node(x))
			}
		case map[string]any:
			n.Kind = json5.Object
			keys := []string{}
			for k := range v {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			for _, k := range keys {
				m := node(v[k])
				n.Members = append(n.Members, json5.Member{Key: k, Pos: m.Pos, Value: m})
			}
		}
		return n
	}
	d := &Document{Root: node(v), Written: map[*json5.Node]string{}, Missing: map[*json5.Node][]string{}}
	return d
}

// replaced notes a variable in a document that has no value.
func (d *Document) replaced(names string, keys ...string) *Document {
	d.Missing[d.Get(keys...)] = strings.Fields(names)
	return d
}

func env(vars ...string) Env {
	return func(name string) deploy.Value {
		for i := 0; i < len(vars); i += 2 {
			if vars[i] == name {
				return deploy.Value{State: deploy.Set, Text: vars[i+1], Pos: event.Pos{File: "env", Line: i + 1}}
			}
		}
		return deploy.Value{}
	}
}

func unknownEnv(string) deploy.Value { return deploy.Value{State: deploy.Unknown} }

func command(flags ...string) *deploy.Command {
	c := &deploy.Command{Flags: map[string]deploy.Value{}, Pos: event.Pos{File: "unit", Line: 1}}
	for i := 0; i < len(flags); i += 2 {
		c.Flags[flags[i]] = deploy.Value{State: deploy.Set, Text: flags[i+1], Pos: event.Pos{File: "unit", Line: 2}}
	}
	return c
}

const (
	good = "7f3c0e9b5d1a48c2a6e4f0937bd8215c"
	ui   = `"controlUi":{"allowedOrigins":["https://claw.example.com"]}`
)

// started are the configurations of starts.tsv.
func started(t *testing.T) map[string]*Document {
	with := func(s string) *Document { return doc(t, `{"gateway":{"mode":"local",`+s+`}}`) }
	return map[string]*Document{
		"loopback-nothing":         with(`"bind":"loopback"`),
		"lan-nothing":              with(`"bind":"lan",` + ui),
		"none-loopback":            with(`"bind":"loopback","auth":{"mode":"none"}`),
		"none-lan":                 with(`"bind":"lan","auth":{"mode":"none"},` + ui),
		"unset-bind-token":         with(`"auth":{"mode":"token","token":"` + good + `"}`),
		"weak-example-token":       with(`"bind":"loopback","auth":{"mode":"token","token":"change-me-to-a-long-random-token"}`),
		"undefined-token":          with(`"bind":"loopback","auth":{"mode":"token","token":"undefined"}`),
		"envref-unset":             with(`"bind":"loopback","auth":{"mode":"token","token":"${NOT_SET_ANYWHERE}"}`).replaced("NOT_SET_ANYWHERE", "gateway", "auth", "token"),
		"token-and-password":       with(`"bind":"loopback","auth":{"token":"` + good + `","password":"correct-horse-battery-staple-42-xyz"}`),
		"lan-token-no-origins":     with(`"bind":"lan","auth":{"mode":"token","token":"` + good + `"}`),
		"trusted-proxy-with-token": with(`"bind":"lan","auth":{"mode":"trusted-proxy","token":"` + good + `","trustedProxy":{"userHeader":"x-forwarded-user"}},"trustedProxies":["10.0.0.5"],` + ui),
	}
}

// TestStarted compares with gateways that were really started, in a container.
func TestStarted(t *testing.T) {
	data, err := os.ReadFile("testdata/starts.tsv")
	if err != nil {
		t.Fatal(err)
	}
	docs := started(t)
	rows := 0
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")[1:] {
		f := strings.Split(line, "\t")
		name, r, became, without, with, at, saved := f[0], f[1], f[2], f[3], f[4], f[5], f[6] != ""
		rows++
		s := Resolve(Input{Doc: docs[name], Command: command("port", "29871"), Env: env(), Release: release.MustParse(r), Container: deploy.Yes})
		want := map[string]event.Starts{"up": event.StartsYes, "refused": event.StartsNo, "no-answer": s.Starts}[became]
		if s.Starts != want {
			t.Errorf("%s %s: %s (%+v), but %s", name, r, s.Starts, s.Refusal, became)
		}
		if (s.Refusal != nil) != (want == event.StartsNo) || s.Refusal != nil && !s.Refusal.Fatal {
			t.Errorf("%s %s: refusal %+v", name, r, s.Refusal)
		}
		if s.Saved != saved || saved && !s.Generated {
			t.Errorf("%s %s: saved %v, generated %v, but %v", name, r, s.Saved, s.Generated, saved)
		}
		if became != "up" {
			continue
		}
		asks := map[string][]event.AuthState{"400": {event.AuthOpen}, "401": {event.AuthRequired, event.AuthGated}}[without]
		if !slices.Contains(asks, s.Asks) {
			t.Errorf("%s %s: %s, but %s", name, r, s.Asks, without)
		}
		listens := map[string]string{"127.0.0.1 [::1]": ListensLoopback, "0.0.0.0": ListensEvery}[at]
		if s.Listens != listens || s.ListensAssumed || s.Port.Value != "29871" {
			t.Errorf("%s %s: listens on %s:%s, but %s", name, r, s.Listens, s.Port.Value, at)
		}
		// The credential of the configuration is taken, if it is that.
		if with == "400" && (s.Secret.Where != KnownText || s.Generated) || with == "401" && s.Secret.Text == good {
			t.Errorf("%s %s: credential %+v, but %s", name, r, s.Secret.Where, with)
		}
	}
	if rows != 165 {
		t.Errorf("%d rows", rows)
	}
}

func TestMessages(t *testing.T) {
	for _, d := range started(t) {
		for _, r := range append(labReleases(), "") {
			in := Input{Doc: d, Env: unknownEnv}
			if r != "" {
				in.Release = release.MustParse(r)
			}
			s := Resolve(in)
			for _, p := range append(s.Notes, optional(s.Refusal)...) {
				if err := message.New(p.ID, p.Args...).Check(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func TestResolve(t *testing.T) {
	const (
		open, required, gated, unknown = event.AuthOpen, event.AuthRequired, event.AuthGated, event.AuthUnknown
		yes, no, maybe                 = event.StartsYes, event.StartsNo, event.StartsUnknown
	)
	gw := func(s string) *Document { return doc(t, `{"gateway":{"mode":"local",`+s+`}}`) }
	bare := gw(`"port":18789`)
	tokenFile := gw(`"bind":"lan","auth":{"token":"` + good + `"}`)
	secretEnv := env("OPENCLAW_GATEWAY_TOKEN", good)
	for _, tt := range []struct {
		name    string
		in      Input
		release string
		asks    event.AuthState
		starts  event.Starts
		listens string
		refusal string
	}{
		{"token from outside, loopback", Input{Doc: gw(`"bind":"loopback","auth":{"mode":"token"}`), Env: unknownEnv}, "2026.9.6", required, yes, "loopback", ""},
		{"token from outside, lan", Input{Doc: gw(`"bind":"lan","auth":{"mode":"token"}`), Env: unknownEnv}, "2026.9.6", required, maybe, "every", "refuses-start.beyond-loopback"},
		{"lan, nothing known", Input{Command: command("bind", "lan"), Env: unknownEnv}, "2026.9.6", unknown, maybe, "every", "refuses-start.beyond-loopback"},
		{"loopback, nothing known", Input{Command: command("bind", "loopback"), Env: unknownEnv}, "2026.9.6", unknown, maybe, "loopback", ""},
		{"lan, token known, no file", Input{Command: command("bind", "lan"), Env: secretEnv}, "2026.9.6", required, maybe, "every", ""},
		{"lan, token known, no file, early", Input{Command: command("bind", "lan"), Env: secretEnv}, "2026.3.13", unknown, maybe, "every", ""},
		{"lan, token known, no configuration", Input{NoConfig: true, Command: command("bind", "lan", "allow-unconfigured", ""), Env: secretEnv}, "2026.9.6", required, yes, "every", ""},
		{"no configuration", Input{NoConfig: true, Command: command("bind", "lan"), Env: secretEnv}, "2026.9.6", required, no, "every", "refuses-start.no-config"},
		{"no mode", Input{Doc: doc(t, `{"gateway":{"bind":"loopback"}}`), Command: command(), Env: env()}, "2026.9.6", required, no, "loopback", "refuses-start.not-local"},
		{"no mode, no command", Input{Doc: doc(t, `{"gateway":{"bind":"loopback"}}`), Env: env()}, "2026.9.6", required, maybe, "loopback", "refuses-start.not-local"},
		{"the flag wins", Input{Doc: gw(`"bind":"loopback","auth":{"mode":"token","token":"x"}`), Command: command("bind", "lan", "auth", "password", "password", "p"), Env: env()}, "2026.9.6", required, yes, "every", ""},
		{"--auth none", Input{Doc: tokenFile, Command: command("bind", "loopback", "auth", "none"), Env: env()}, "2026.9.6", open, yes, "loopback", ""},
		{"--bind 0.0.0.0", Input{Doc: bare, Command: command("bind", "0.0.0.0"), Env: secretEnv}, "2026.9.6", unknown, no, "", "refuses-start.flag"},
		{"bind 0.0.0.0 in the file", Input{Doc: gw(`"bind":"0.0.0.0"`), Env: secretEnv}, "2026.3.13", unknown, no, "", "refuses-start.word"},
		{"--auth none, early", Input{Doc: bare, Command: command("auth", "none"), Env: secretEnv}, "2026.2.9", unknown, no, "", "refuses-start.flag"},
		{"container, 4.5", Input{Doc: bare, Env: secretEnv, Container: deploy.Yes}, "2026.4.5", required, yes, "loopback", ""},
		{"container, 4.14", Input{Doc: bare, Env: secretEnv, Container: deploy.Yes}, "2026.4.14", required, yes, "loopback", ""},
		{"container, 4.15", Input{Doc: bare, Env: secretEnv, Container: deploy.Yes}, "2026.4.15", required, yes, "every", ""},
		{"container, newest", Input{Doc: bare, Env: secretEnv, Container: deploy.Yes}, "2026.12.1", required, yes, "every", ""},
		{"no container", Input{Doc: bare, Env: secretEnv, Container: deploy.No}, "2026.9.6", required, yes, "loopback", ""},
		{"container not known", Input{Doc: bare, Env: secretEnv}, "2026.9.6", required, yes, "", ""},
		{"container by Fly", Input{Doc: bare, Env: env("OPENCLAW_GATEWAY_TOKEN", good, "FLY_MACHINE_ID", "m", "FLY_APP_NAME", "a")}, "2026.9.6", required, yes, "every", ""},
		{"container, serve", Input{Doc: gw(`"tailscale":{"mode":"serve"}`), Env: secretEnv, Container: deploy.Yes}, "2026.9.6", required, yes, "loopback", ""},
		{"container, nothing", Input{Doc: bare, Env: env(), Container: deploy.Yes}, "2026.9.6", unknown, no, "every", "refuses-start.beyond-loopback"},
		{"auto in a container", Input{Doc: gw(`"bind":"auto"`), Env: secretEnv, Container: deploy.Yes}, "2026.9.6", required, yes, "every", ""},
		{"auto elsewhere", Input{Doc: gw(`"bind":"auto","auth":{"mode":"none"}`), Env: env(), Container: deploy.No}, "2026.9.6", open, yes, "loopback", ""},
		{"auto elsewhere, early", Input{Doc: gw(`"bind":"auto","auth":{"mode":"none"}`), Env: env(), Container: deploy.No}, "2026.3.13", unknown, no, "loopback", "refuses-start.beyond-loopback"},
		{"none in a container", Input{Doc: gw(`"auth":{"mode":"none"}`), Env: env(), Container: deploy.Yes}, "2026.9.6", unknown, no, "every", "refuses-start.beyond-loopback"},
		{"tailnet", Input{Doc: gw(`"bind":"tailnet"`), Env: secretEnv}, "2026.9.6", required, yes, "tailnet", ""},
		{"tailnet, none", Input{Doc: gw(`"bind":"tailnet","auth":{"mode":"none"}`), Env: env()}, "2026.9.6", open, maybe, "loopback", "refuses-start.beyond-loopback"},
		{"custom", Input{Doc: gw(`"bind":"custom","customBindHost":"192.168.1.5"`), Env: secretEnv}, "2026.9.6", required, yes, "192.168.1.5", ""},
		{"custom, loopback", Input{Doc: gw(`"bind":"custom","customBindHost":"127.0.0.1","auth":{"mode":"none"}`), Env: env()}, "2026.9.6", open, yes, "loopback", ""},
		{"custom, every", Input{Doc: gw(`"bind":"custom","customBindHost":"0.0.0.0"`), Env: secretEnv}, "2026.9.6", required, yes, "every", ""},
		{"custom without a host", Input{Doc: gw(`"bind":"custom"`), Env: secretEnv}, "2026.9.6", unknown, no, "", "refuses-start.no-custom-host"},
		{"funnel and token", Input{Doc: gw(`"tailscale":{"mode":"funnel"}`), Env: secretEnv}, "2026.6.11", unknown, no, "loopback", "refuses-start.funnel-without-password"},
		{"funnel and password", Input{Doc: gw(`"tailscale":{"mode":"funnel"},"auth":{"mode":"password","password":"x"}`), Env: env()}, "2026.6.11", required, yes, "loopback", ""},
		{"serve and none", Input{Doc: gw(`"bind":"loopback","tailscale":{"mode":"serve"},"auth":{"mode":"none"}`), Env: env()}, "2026.9.6", unknown, no, "loopback", "refuses-start.tailscale-without-auth"},
		{"serve and none, early", Input{Doc: gw(`"bind":"loopback","tailscale":{"mode":"serve"},"auth":{"mode":"none"}`), Env: env()}, "2026.3.13", open, yes, "loopback", ""},
		{"serve and none, in between", Input{Doc: gw(`"bind":"loopback","tailscale":{"mode":"serve"},"auth":{"mode":"none"}`), Env: env()}, "2026.4.5", open, maybe, "loopback", "refuses-start.tailscale-without-auth"},
		{"serve and lan", Input{Doc: gw(`"bind":"lan","tailscale":{"mode":"serve"}`), Env: secretEnv}, "2026.9.6", unknown, no, "every", "refuses-start.tailscale-beyond-loopback"},
		{"serve without a token", Input{Doc: gw(`"tailscale":{"mode":"serve"}`), Env: env()}, "2026.2.9", required, yes, "loopback", ""},
		{"trusted-proxy", Input{Doc: gw(`"bind":"lan","trustedProxies":["10.0.0.5"],"auth":{"mode":"trusted-proxy","trustedProxy":{"userHeader":"x-user"}}`), Env: env()}, "2026.9.6", gated, yes, "every", ""},
		{"trusted-proxy without a header", Input{Doc: gw(`"bind":"lan","trustedProxies":["10.0.0.5"],"auth":{"mode":"trusted-proxy"}`), Env: env()}, "2026.9.6", unknown, no, "every", "refuses-start.no-user-header"},
		{"trusted-proxy without proxies", Input{Doc: gw(`"bind":"lan","auth":{"mode":"trusted-proxy","trustedProxy":{"userHeader":"x-user"}}`), Env: env()}, "2026.9.6", unknown, no, "every", "refuses-start.no-proxies"},
		{"trusted-proxy, token of the environment", Input{Doc: gw(`"bind":"lan","trustedProxies":["10.0.0.5"],"auth":{"mode":"trusted-proxy","trustedProxy":{"userHeader":"x-user"}}`), Env: secretEnv}, "2026.9.6", unknown, no, "every", "refuses-start.proxy-and-token"},
		{"trusted-proxy on loopback", Input{Doc: gw(`"bind":"loopback","trustedProxies":["10.0.0.5"],"auth":{"mode":"trusted-proxy","trustedProxy":{"userHeader":"x-user"}}`), Env: env()}, "2026.3.13", unknown, no, "loopback", "refuses-start.proxy-not-on-loopback"},
		{"the old variable", Input{Doc: gw(`"bind":"lan"`), Env: env("CLAWDBOT_GATEWAY_TOKEN", good)}, "2026.1.29", required, yes, "every", ""},
		{"the old variable is ignored", Input{Doc: gw(`"bind":"lan"`), Env: env("CLAWDBOT_GATEWAY_TOKEN", good)}, "2026.9.6", unknown, no, "every", "refuses-start.beyond-loopback"},
		{"the new variable is not known yet", Input{Doc: gw(`"bind":"loopback"`), Env: secretEnv}, "2026.1.24-3", open, yes, "loopback", ""},
		{"old and none", Input{Doc: gw(`"bind":"loopback"`), Env: unknownEnv}, "2026.1.24-3", unknown, yes, "loopback", ""},
		{"between two that differ", Input{Doc: gw(`"bind":"lan"`), Env: env()}, "2026.5.20", required, maybe, "every", "refuses-start.beyond-loopback"},
		{"release not known", Input{Doc: gw(`"bind":"loopback"`), Env: env()}, "", unknown, maybe, "loopback", "refuses-start.no-token"},
		{"release not known, none", Input{Doc: gw(`"bind":"loopback","auth":{"mode":"none"}`), Env: env()}, "", open, maybe, "loopback", "refuses-start.word"},
		{"a reference to a variable from outside", Input{Doc: gw(`"bind":"loopback","auth":{"token":"${T}"}`).replaced("T", "gateway", "auth", "token"), Env: unknownEnv}, "2026.9.6", required, yes, "loopback", ""},
		{"the same on lan", Input{Doc: gw(`"bind":"lan","auth":{"token":"${T}"}`).replaced("T", "gateway", "auth", "token"), Env: unknownEnv}, "2026.9.6", required, maybe, "every", "refuses-start.beyond-loopback"},
		{"a variable in bind", Input{Doc: gw(`"bind":"${B}"`).replaced("B", "gateway", "bind"), Env: func(n string) deploy.Value {
			if n == "B" {
				return deploy.Value{State: deploy.Unknown}
			}
			return secretEnv(n)
		}}, "2026.9.6", required, maybe, "", "refuses-start.no-custom-host"},
		{"empty token in the file", Input{Doc: gw(`"bind":"loopback","auth":{"token":""}`), Env: env()}, "2026.9.6", unknown, no, "loopback", "refuses-start.weak-secret"},
		{"empty token in the file, before", Input{Doc: gw(`"bind":"loopback","auth":{"token":""}`), Env: env()}, "2026.6.11", required, yes, "loopback", ""},
		{"SecretRef", Input{Doc: gw(`"bind":"lan","auth":{"token":{"source":"file","id":"/x"}}`), Env: env()}, "2026.6.11", required, yes, "every", ""},
		{"SecretRef, early", Input{Doc: gw(`"bind":"lan","auth":{"token":{"source":"file","id":"/x"}}`), Env: env()}, "2026.2.9", unknown, no, "every", "refuses-start.secret-type"},
		{"invalid", Input{Doc: &Document{Problems: []Problem{{ID: "x", Fatal: true}}}, Env: env()}, "2026.9.6", unknown, no, "loopback", "x"},
	} {
		tt.in.Release, _ = release.Parse(tt.release)
		s := Resolve(tt.in)
		refusal := ""
		if s.Refusal != nil {
			refusal = s.Refusal.ID
		}
		if s.Asks != tt.asks || s.Starts != tt.starts || s.Listens != tt.listens || tt.refusal != "" && refusal != tt.refusal || tt.starts == yes && refusal != "" {
			t.Errorf("%s: %s, %s, listens %q, refusal %q, want %s, %s, %q, %q", tt.name, s.Asks, s.Starts, s.Listens, refusal, tt.asks, tt.starts, tt.listens, tt.refusal)
		}
	}
}

func TestPort(t *testing.T) {
	profile := func(name string) *deploy.Command { return command("profile", name) }
	for _, tt := range []struct {
		in      Input
		release string
		want    string
		assumed bool
	}{
		{Input{NoConfig: true, Env: env()}, "2026.9.6", "18789", false},
		{Input{Env: env()}, "2026.9.6", "18789", true},
		{Input{Env: env(), Command: command("port", "8080")}, "2026.9.6", "8080", false},
		{Input{NoConfig: true, Env: env("OPENCLAW_GATEWAY_PORT", "0.0.0.0:8080")}, "2026.9.6", "8080", false},
		{Input{NoConfig: true, Env: env("OPENCLAW_GATEWAY_PORT", "[::]:8081")}, "2026.9.6", "8081", false},
		{Input{Doc: doc(t, `{"gateway":{"port":1234}}`), Env: env()}, "2026.9.6", "1234", false},
		{Input{Doc: doc(t, `{"gateway":{"port":1234}}`), Env: env("OPENCLAW_GATEWAY_PORT", "99")}, "2026.9.6", "99", false},
		{Input{NoConfig: true, Env: env("CLAWDBOT_GATEWAY_PORT", "99")}, "2026.1.29", "99", false},
		{Input{NoConfig: true, Env: env("CLAWDBOT_GATEWAY_PORT", "99")}, "2026.9.6", "18789", false},
		{Input{NoConfig: true, Env: env(), Command: profile("main")}, "2026.9.6", "23592", false},
		{Input{NoConfig: true, Env: env(), Command: profile("rescue")}, "2026.9.6", "23532", false},
		{Input{NoConfig: true, Env: env("OPENCLAW_PROFILE", "work")}, "2026.9.6", "41984", false},
		{Input{NoConfig: true, Env: env(), Command: profile("ops")}, "2026.9.6", "55291", false},
		{Input{NoConfig: true, Env: env(), Command: profile("ops")}, "2026.6.11", "18789", false},
		{Input{NoConfig: true, Env: env(), Command: profile("ops")}, "2026.8.1", "", false},
		{Input{NoConfig: true, Env: env(), Command: profile("default")}, "2026.9.6", "18789", false},
		{Input{NoConfig: true, Env: env(), Command: command("dev", "")}, "2026.9.6", "19001", false},
	} {
		tt.in.Release = release.MustParse(tt.release)
		if got := Resolve(tt.in).Port; got.Value != tt.want || got.Assumed != tt.assumed {
			t.Errorf("%+v: port %+v, want %s", tt.in, got, tt.want)
		}
	}
}

func TestSecret(t *testing.T) {
	gw := func(s string) *Document { return doc(t, `{"gateway":{"mode":"local","bind":"loopback",`+s+`}}`) }
	for _, tt := range []struct {
		name    string
		in      Input
		release string
		want    Credential // without a position
		weak    Weak
	}{
		{"literal with a default", Input{Doc: gw(`"auth":{"token":"${X:-fallback-fallback-fallback}"}`), Env: env()}, "2026.9.6", Credential{Where: KnownText, Text: "${X:-fallback-fallback-fallback}"}, WeakLiteral},
		{"lower case", Input{Doc: gw(`"auth":{"token":"${my_long_gateway_token_name}"}`), Env: env()}, "2026.9.6", Credential{Where: KnownText, Text: "${my_long_gateway_token_name}"}, WeakLiteral},
		{"shorthand, early", Input{Doc: gw(`"auth":{"token":"$MY_TOKEN"}`), Env: env("MY_TOKEN", good)}, "2026.3.13", Credential{Where: KnownText, Text: "$MY_TOKEN"}, WeakLiteral},
		{"shorthand", Input{Doc: gw(`"auth":{"token":"$MY_TOKEN"}`), Env: env("MY_TOKEN", good)}, "2026.6.11", Credential{Where: KnownText, Text: good, Reference: true}, ""},
		{"no configuration in the files", Input{Command: command("bind", "lan"), Env: env("OPENCLAW_GATEWAY_TOKEN", "123456")}, "2026.9.6", Credential{Where: KnownText, Text: "123456", Assumed: true}, WeakGuessable},
		{"may be set from outside", Input{Doc: gw(`"auth":{"mode":"token"}`), Env: unknownEnv}, "2026.9.6", Credential{Where: MayBe}, ""},
		{"is set outside", Input{Doc: gw(`"auth":{"mode":"token"}`), Env: func(string) deploy.Value { return deploy.Value{State: deploy.Present} }}, "2026.9.6", Credential{Where: ElsewhereKnown}, ""},
		{"generated", Input{Doc: gw(`"auth":{"mode":"token"}`), Env: env()}, "2026.9.6", Credential{}, ""},
		{"the password of both", Input{Doc: gw(`"auth":{"token":"a","password":"b"}`), Env: env()}, "2026.2.26", Credential{Where: KnownText, Text: "b"}, WeakGuessable},
		{"the file before the environment", Input{Doc: gw(`"auth":{"token":"` + good + `"}`), Env: env("OPENCLAW_GATEWAY_TOKEN", "b")}, "2026.9.6", Credential{Where: KnownText, Text: good}, ""},
		{"the flag before the file", Input{Doc: gw(`"auth":{"token":"a"}`), Command: command("token", good), Env: env()}, "2026.9.6", Credential{Where: KnownText, Text: good}, ""},
	} {
		tt.in.Release = release.MustParse(tt.release)
		s := Resolve(tt.in)
		s.Secret.Pos = event.Pos{}
		if s.Secret != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, s.Secret, tt.want)
		}
		if got := Weakness(s.Secret, s.Mode.Value, tt.in.Release); s.Mode.Value != "" && got != tt.weak {
			t.Errorf("%s: weak %q, want %q", tt.name, got, tt.weak)
		}
	}
}

func TestWeakness(t *testing.T) {
	for text, want := range map[string]Weak{
		good: "", "correct-horse-battery-staple-42-xyz": "", "Zx9#kLm2$pQr7!vBn4&wTy6^": "", "dGhpc2lzYXZlcnlnb29kdG9rZW4=": "",
		"undefined": WeakPlaceholder, " null ": WeakPlaceholder, "": WeakPlaceholder, "__OPENCLAW_REDACTED__": WeakPlaceholder,
		"change-me-to-a-long-random-token": WeakPublished, "change-me-now": WeakPublished, "change-me-to-a-strong-password": WeakPublished,
		"${lower}": WeakLiteral, "${X:-d}": WeakLiteral, "$name": WeakLiteral, "prefix-${lower}-suffix-0123456": WeakLiteral, "{{ token }}": WeakLiteral,
		strings.Repeat("a", 24): WeakGuessable, strings.Repeat("abcd", 8): WeakGuessable, "7f3c0e9b5d1a7f3c0e9b5d1a": WeakGuessable, "123456": WeakGuessable,
		"0123456789012345678901234567": WeakGuessable, "abcdefghijklmnopqrstuvwxyz": WeakGuessable, "hunter2": WeakGuessable, "your-secret-token-here-please": WeakGuessable,
		"OpenClaw-Gateway-Token-2026": WeakGuessable, "my_super_secret_password_123": WeakGuessable, "qwertyuiop": WeakGuessable, "replace-with-your-gateway-token": WeakGuessable,
		"a8f3kd92jf": WeakShort, "7f3c0e9b5d1a48c2a6e4f09": WeakShort,
	} {
		c := Credential{Where: KnownText, Text: text}
		if got := Weakness(c, ModeToken, release.Version{}); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if got := Weakness(c, ModeNone, release.Version{}); got != "" {
			t.Errorf("%q, mode none: %q", text, got)
		}
	}
	if got := Weakness(Credential{Where: MayBe}, ModeToken, release.Version{}); got != "" {
		t.Errorf("not known: %q", got)
	}
}

func BenchmarkResolve(b *testing.B) {
	in := Input{Env: unknownEnv}
	b.Run("nothing known", func(b *testing.B) {
		for range b.N {
			Resolve(in)
		}
	})
	in.Release = release.MustParse("2026.9.6")
	b.Run("a release", func(b *testing.B) {
		for range b.N {
			Resolve(in)
		}
	})
}

func optional(p *Problem) []Problem {
	if p == nil {
		return nil
	}
	return []Problem{*p}
}
