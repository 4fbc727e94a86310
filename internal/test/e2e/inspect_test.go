//go:build e2e && linux

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// deployed is a gateway with its own files, and the deployments that have it.
type deployed struct {
	name    string
	release string
	// files are those of all its deployments: openclaw.json, and the unit that starts it, if
	// one does. In these and in those of the deployments @PORT@ is its port, @ENTRY@ that of
	// what stands in front, @SECRET@ a token of this run and @LOG@ the file of its log.
	files   map[string]string
	refuses string // a part of what it says when it does not start; "" if it starts
	cannot  string // why it cannot be run here; "" if it can
	cases   []deployment
}

// deployment is what stands in front of a gateway, and what the files and a scan from
// another host must say of that.
type deployment struct {
	name  string
	files map[string]string // of what stands in front; none: the gateway itself is looked at
	reach event.FilesReach
	auth  event.AuthState
	seen  event.AuthState // what the scan says where that is not auth, which why explains
	local bool            // it takes everybody for a program of its own machine
	blind []string        // findings that the scan cannot have, which why explains
	why   string
	shown []shown
}

// shown is a request from the other host that shows what the scan does not try.
type shown struct {
	what   string
	header http.Header
	in     bool // whether the gateway lets it in
}

// compared are the findings that both the files and a scan can have.
func compared() []string {
	return []string{"auth-missing", "everyone-is-local", "plain-http", "proxy-attribution-blocked"}
}

// openclawJSON is a configuration file with this in its gateway section.
func openclawJSON(gateway string) map[string]string {
	return map[string]string{"openclaw.json": `{
  // What the lab needs: nothing by the clock, a log of its own.
  logging: { file: "@LOG@" },
  update: { checkOnStart: false },
  cron: { enabled: false },
  gateway: {
    mode: "local",
    port: @PORT@,
` + gateway + `
  },
}
`}
}

// nginxConf is an nginx that passes all to the gateway, with these directives on the way.
func nginxConf(directives ...string) map[string]string {
	return map[string]string{"users": "lab:{PLAIN}@SECRET@\n", "nginx.conf": `daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path tmp;
  proxy_temp_path tmp;
  fastcgi_temp_path tmp;
  scgi_temp_path tmp;
  uwsgi_temp_path tmp;
  server {
    listen @ENTRY@;
    location / {
      proxy_pass http://127.0.0.1:@PORT@;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
      ` + strings.Join(directives, "\n      ") + `
    }
  }
}
`}
}

func caddyfile() map[string]string {
	return map[string]string{"Caddyfile": `{
	admin off
	auto_https off
}

http://:@ENTRY@ {
	reverse_proxy 127.0.0.1:@PORT@
}
`}
}

// The ways in which a proxy treats headers and asks for a password.
const (
	forwardedFor = "proxy_set_header X-Forwarded-For $remote_addr;"
	appendedFor  = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
	stripped     = `proxy_set_header X-Forwarded-For "";`
	addsToken    = `proxy_set_header Authorization "Bearer @SECRET@";`
	asksPassword = "auth_basic restricted;\n      auth_basic_user_file users;"
)

func deployments() []deployed {
	const (
		none  = `    bind: "loopback", auth: { mode: "none" },`
		token = `    bind: "loopback", auth: { mode: "token", token: "@SECRET@" },`
		trust = "\n    trustedProxies: [\"127.0.0.1\"],"
		// Its own line of command, as the product writes it into a unit.
		user = `    bind: "loopback", trustedProxies: ["127.0.0.1"],
    auth: { mode: "trusted-proxy", trustedProxy: { userHeader: "x-forwarded-user", allowLoopback: true } },`
	)
	bearer := func(what, credential string) shown {
		return shown{what, http.Header{"Authorization": {"Bearer " + credential}}, true}
	}
	password := func(in bool) shown {
		return shown{"with the password of the front", http.Header{"Authorization": {"Basic lab:@SECRET@"}}, in}
	}
	const (
		ownMachine    = "open to programs of its own machine alone"
		behindLogin   = "behind the login nothing of the gateway shows"
		ofThisRelease = "open, it answers its own machine and others alike"
	)
	local, missing, hidden := []string{"everyone-is-local"}, []string{"auth-missing"}, []string{"everyone-is-local", "plain-http"}
	return []deployed{
		{name: "none", release: lab.Newest, files: openclawJSON(none), cases: []deployment{
			{name: "none, nginx", files: nginxConf(), reach: event.FilesHostAddresses, auth: event.AuthOpen, local: true},
			{name: "none, nginx with X-Forwarded-For, not trusted", files: nginxConf(forwardedFor), reach: event.FilesHostAddresses, auth: event.AuthBlocked, blind: missing, why: ownMachine},
			{name: "none, Caddy, not trusted", files: caddyfile(), reach: event.FilesHostAddresses, auth: event.AuthBlocked, blind: missing, why: ownMachine},
			{
				name: "none, socat in a script", reach: event.FilesHostAddresses, auth: event.AuthOpen, local: true,
				files: map[string]string{"start.sh": "#!/bin/sh\nexec socat TCP-LISTEN:@ENTRY@,fork,reuseaddr TCP:127.0.0.1:@PORT@\n"},
			},
			{
				name: "none, socat in a unit", reach: event.FilesHostAddresses, auth: event.AuthOpen, local: true,
				files: map[string]string{"forward.service": "[Service]\nExecStart=/usr/bin/socat TCP-LISTEN:@ENTRY@,fork,reuseaddr TCP:127.0.0.1:@PORT@\n"},
			},
			{name: "none, nginx behind basic authentication", files: nginxConf(asksPassword), reach: event.FilesHostAddresses, auth: event.AuthGated, local: true, blind: append(hidden, missing...), why: ownMachine + "; " + behindLogin, shown: []shown{password(true)}},
		}},
		{name: "none-trusting", release: lab.Newest, files: openclawJSON(none + trust), cases: []deployment{
			{name: "none, nginx with X-Forwarded-For, trusted", files: nginxConf(forwardedFor), reach: event.FilesHostAddresses, auth: event.AuthOpen},
			{
				name: "none, nginx, trusted", files: nginxConf(), reach: event.FilesHostAddresses, auth: event.AuthOpen, local: true,
				shown: []shown{
					{"without a header", nil, true},
					{"with X-Forwarded-For", http.Header{"X-Forwarded-For": {"192.0.2.77"}}, true},
				},
			},
			{
				name: "none, nginx that strips X-Forwarded-For, trusted", files: nginxConf(stripped), reach: event.FilesHostAddresses, auth: event.AuthOpen, local: true,
				shown: []shown{{"with X-Forwarded-For", http.Header{"X-Forwarded-For": {"192.0.2.77"}}, true}},
			},
			{
				name: "none, socat, trusted", reach: event.FilesHostAddresses, auth: event.AuthOpen, local: true,
				files: map[string]string{"start.sh": "#!/bin/sh\nexec socat TCP-LISTEN:@ENTRY@,fork,reuseaddr TCP:127.0.0.1:@PORT@\n"},
			},
		}},
		{name: "token", release: lab.Newest, files: openclawJSON(token), cases: []deployment{
			{name: "token, loopback", reach: event.FilesLoopback, auth: event.AuthRequired},
			{name: "token, nginx", files: nginxConf(), reach: event.FilesHostAddresses, auth: event.AuthRequired, local: true},
			{name: "token, nginx that strips X-Forwarded-For", files: nginxConf(stripped), reach: event.FilesHostAddresses, auth: event.AuthRequired, local: true},
			{name: "token, nginx that adds it for everybody", files: nginxConf(addsToken), reach: event.FilesHostAddresses, auth: event.AuthOpen, local: true, blind: local, why: "let in as local or by the token does not show"},
			{name: "token, nginx that adds it behind basic authentication", files: nginxConf(asksPassword, addsToken), reach: event.FilesHostAddresses, auth: event.AuthGated, local: true, blind: hidden, why: behindLogin, shown: []shown{password(true)}},
		}},
		{name: "token-trusting", release: lab.Newest, files: openclawJSON(token + trust), cases: []deployment{
			{name: "token, Caddy, trusted", files: caddyfile(), reach: event.FilesHostAddresses, auth: event.AuthRequired, shown: []shown{bearer("with the token", "@SECRET@")}},
			{name: "token, nginx that appends to X-Forwarded-For, trusted", files: nginxConf(appendedFor), reach: event.FilesHostAddresses, auth: event.AuthRequired},
			{name: "token, nginx, trusted", files: nginxConf(), reach: event.FilesHostAddresses, auth: event.AuthRequired, local: true},
			{name: "token, nginx that strips X-Forwarded-For, trusted", files: nginxConf(stripped), reach: event.FilesHostAddresses, auth: event.AuthRequired, local: true},
		}},
		{name: "trusted-proxy", release: lab.Newest, files: openclawJSON(user), cases: []deployment{
			{
				name: "trusted-proxy, nginx, header from the client", files: nginxConf(forwardedFor), reach: event.FilesHostAddresses,
				auth: event.AuthOpen, seen: event.AuthRequired, blind: missing, why: "open to who sends the user's header, which the scan does not",
				shown: []shown{{"with the header", http.Header{"X-Forwarded-User": {"somebody"}}, true}},
			},
			{
				name:  "trusted-proxy, nginx, header set by basic authentication",
				files: nginxConf(asksPassword, forwardedFor, "proxy_set_header X-Forwarded-User $remote_user;"),
				reach: event.FilesHostAddresses, auth: event.AuthGated, blind: []string{"plain-http"}, why: behindLogin,
				shown: []shown{{"with the header", http.Header{"X-Forwarded-User": {"somebody"}}, false}, password(true)},
			},
			{
				name: "trusted-proxy, nginx that sets the same user for everybody", files: nginxConf(forwardedFor, "proxy_set_header X-Forwarded-User owner;"),
				reach: event.FilesHostAddresses, auth: event.AuthOpen,
			},
		}},
		{
			name: "unit", release: lab.Newest,
			files: with(openclawJSON(`    bind: "loopback",`), "openclaw-gateway.service", `[Unit]
Description=OpenClaw Gateway

[Service]
User=openclaw
Environment=OPENCLAW_GATEWAY_TOKEN=@SECRET@
ExecStart=/usr/bin/openclaw gateway run --port @PORT@ --bind lan
Restart=always
`),
			cases: []deployment{{name: "unit with a token and --bind lan", reach: event.FilesHostAddresses, auth: event.AuthRequired, shown: []shown{bearer("with the token", "@SECRET@")}}},
		},
		{name: "literal", release: lab.Spring, files: openclawJSON(`    bind: "lan", auth: { mode: "token", token: "${LAB_TOKEN:-@SECRET@}" },`), cases: []deployment{
			{
				name: "token that only looks like a variable, bind lan", reach: event.FilesLAN, auth: event.AuthRequired,
				shown: []shown{bearer("with the literal text", "${LAB_TOKEN:-@SECRET@}"), {"with the default in it", http.Header{"Authorization": {"Bearer @SECRET@"}}, false}},
			},
		}},
		{name: "summer", release: lab.Summer, files: openclawJSON(none), cases: []deployment{
			{name: "none, nginx with X-Forwarded-For, not trusted (6.11)", files: nginxConf(forwardedFor), reach: event.FilesHostAddresses, auth: event.AuthOpen},
			{name: "none, Caddy, not trusted (6.11)", files: caddyfile(), reach: event.FilesHostAddresses, auth: event.AuthOpen},
			{
				name: "none, nginx (6.11)", files: nginxConf(), reach: event.FilesHostAddresses, auth: event.AuthOpen, local: true, blind: local,
				why: ofThisRelease,
			},
		}},
		{name: "none-lan", release: lab.Newest, refuses: "Refusing to bind gateway to lan without auth", files: openclawJSON(`    bind: "lan", auth: { mode: "none" },`), cases: []deployment{
			{name: "none, bind lan"},
		}},
		{name: "funnel-token", release: lab.Newest, refuses: "requires gateway auth mode=password", files: openclawJSON(token + "\n    tailscale: { mode: \"funnel\" },"), cases: []deployment{
			{name: "token, funnel"},
		}},
		{name: "serve-none", release: lab.Newest, refuses: "auth.mode=none cannot be used", files: openclawJSON(none + "\n    tailscale: { mode: \"serve\" },"), cases: []deployment{
			{name: "none, serve"},
		}},
		{name: "serve", release: lab.Newest, cannot: "there is no tailnet here", files: openclawJSON(token + "\n    tailscale: { mode: \"serve\" },"), cases: []deployment{
			{name: "token, serve", reach: event.FilesTailnet, auth: event.AuthRequired},
		}},
	}
}

func with(files map[string]string, name, text string) map[string]string {
	files[name] = text
	return files
}

// TestInspectAgrees has inspect judge the files of deployments, starts just these files,
// and looks at them from another host: the two must agree.
func TestInspectAgrees(t *testing.T) {
	t.Parallel()
	ctx, l, n := remote(t, "what inspect says of files, and what a scan sees of them")
	if missing := missing("socat"); len(missing) > 0 {
		t.Skipf("SKIPPED, NOT TESTED: what inspect says of files: %s", missing[0])
	}
	var mu sync.Mutex
	var table []string
	all := deployments()
	t.Run("of", func(t *testing.T) {
		for i, d := range all {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				rows := d.run(ctx, t, l, n, i)
				mu.Lock()
				defer mu.Unlock()
				table = append(table, rows...)
			})
		}
	})
	slices.Sort(table)
	t.Logf("%d deployments\n| case | files say | scan says | agree |\n|---|---|---|---|\n%s", len(table), strings.Join(table, "\n"))
}

// run judges and starts the deployments of one gateway, the number'th. It returns a row of
// the table for each.
func (d *deployed) run(ctx context.Context, t *testing.T, l *lab.Lab, n *lab.Net, number int) []string {
	work := t.TempDir()
	secret := rand.Text()
	port := uint16(20000 + 200*number) // helpers of a gateway have the ports after its own
	fill := func(text string, entry uint16) string {
		return strings.NewReplacer("@PORT@", strconv.Itoa(int(port)), "@ENTRY@", strconv.Itoa(int(entry)),
			"@SECRET@", secret, "@LOG@", filepath.Join(work, "file.log")).Replace(text)
	}
	entries := make([]uint16, len(d.cases))
	judged := make([]*event.Target, len(d.cases))
	dirs := make([]string, len(d.cases))
	for i, c := range d.cases {
		entries[i] = port
		if c.files != nil {
			entries[i] = port + 150 + uint16(i)
		}
		dirs[i] = filepath.Join(work, "case-"+strconv.Itoa(i))
		for _, files := range []map[string]string{d.files, c.files} {
			for name, text := range files {
				if err := writeFile(filepath.Join(dirs[i], name), fill(text, entries[i])); err != nil {
					t.Fatal(err)
				}
			}
		}
		judged[i] = inspectDir(t, dirs[i], d.release)
	}

	config := lab.Config{Name: d.name, Package: "openclaw", Version: d.release, Port: port, Net: n.Gateway}
	config.File = []byte(fill(d.files["openclaw.json"], 0))
	if judged[0].Files.Reach != event.FilesLoopback && d.cases[0].files == nil {
		config.Bind = "lan" // where to look whether it is ready
	}
	if unit, ok := d.files["openclaw-gateway.service"]; ok {
		u := readUnit(t, fill(unit, 0))
		config.Args, config.Env = u.command[1:], u.environment
	}
	if d.cannot == "" {
		g, err := l.Start(ctx, filepath.Join(work, "gateway"), config)
		if err == nil {
			t.Cleanup(g.Stop)
			t.Logf("up after %s", g.Startup.Round(time.Second))
		}
		// Not any end while it starts: it may be that the machine is too busy.
		if refused := err != nil && d.refuses != "" && strings.Contains(err.Error(), d.refuses); !refused && (err != nil || d.refuses != "") {
			t.Fatalf("it says that it does not start: %q, but: %v", d.refuses, err)
		}
	}
	var rows []string
	for i, c := range d.cases {
		rows = append(rows, d.judge(ctx, t, n, c, judged[i], dirs[i], entries[i], func(s string) string { return fill(s, entries[i]) }))
	}
	return rows
}

// judge starts what stands in front, scans it and compares. It returns the row.
func (d *deployed) judge(ctx context.Context, t *testing.T, n *lab.Net, c deployment, files *event.Target, dir string, entry uint16, fill func(string) string) string {
	t.Helper()
	fileIDs := idsOf(files)
	says := "refuses to start"
	if files.Files.Starts != event.StartsNo {
		says = fmt.Sprintf("%s, %s%s", files.Files.Reach, files.Auth.State, list(fileIDs))
	}
	row := func(seen, agree string) string {
		return fmt.Sprintf("| %s | %s | %s | %s |", c.name, says, seen, agree)
	}
	refuses := files.Files.Starts == event.StartsNo
	if refuses != (d.refuses != "") {
		t.Errorf("%s: the files say that it refuses to start: %t", c.name, refuses)
	}
	if !refuses && (files.Files.Reach != c.reach || files.Auth.State != c.auth) {
		t.Errorf("%s: the files say %s, %s, want %s, %s", c.name, files.Files.Reach, files.Auth.State, c.reach, c.auth)
	}
	if d.cannot != "" {
		return row("not run: "+d.cannot, "-")
	}
	addr := netip.AddrPortFrom(n.Gateway.Addr, entry)
	if c.files != nil {
		argv := c.command(t, fill)
		s, err := n.Gateway.Serve(ctx, dir, addr, filepath.Base(argv[0]), argv[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Stop()
	}
	targets, _, _ := scanFrom(t, n.Viewer, "http://"+addr.String()+"/")
	if len(targets) != 1 {
		t.Errorf("%s: %d target lines, want 1", c.name, len(targets))
		return row("-", "no")
	}
	scan := targets[0]
	if d.refuses != "" || c.reach == event.FilesLoopback {
		if scan.Outcome != event.OutcomeClosed {
			t.Errorf("%s: scan says %s, want that nothing listens", c.name, scan.Outcome)
			return row(string(scan.Outcome), "no")
		}
		if d.refuses != "" {
			return row("closed; it ended with: "+d.refuses, "yes")
		}
		return row("closed", "yes")
	}
	if scan.Auth == nil {
		t.Errorf("%s: scan says %s", c.name, scan.Outcome)
		return row(string(scan.Outcome), "no")
	}
	scanIDs := idsOf(&scan)
	seen := fmt.Sprintf("reached, %s%s", scan.Auth.State, list(scanIDs))
	agree := "yes"
	fail := func(format string, args ...any) {
		t.Helper()
		agree = "no"
		t.Errorf("%s: "+format, append([]any{c.name}, args...)...)
	}
	if want := cmp.Or(c.seen, c.auth); scan.Auth.State != want {
		fail("scan says %s because of %v, want %s", scan.Auth.State, scan.Auth.Because, want)
	}
	for _, id := range compared() {
		inFiles, inScan := slices.Contains(fileIDs, id), slices.Contains(scanIDs, id)
		if blind := slices.Contains(c.blind, id); inFiles != (inScan || blind) || inScan && blind {
			fail("%s: said of the files: %t, by the scan: %t", id, inFiles, inScan)
		}
	}
	if local := slices.Contains(fileIDs, "everyone-is-local"); local != c.local {
		fail("everyone-is-local said of the files: %t", local)
	}
	for _, x := range c.shown {
		status, in := knock(t, n.Viewer, addr, x.header, fill)
		seen += fmt.Sprintf("; %s %s", x.what, status)
		if in != x.in {
			fail("%s it is let in: %t (%s)", x.what, in, status)
		}
	}
	if agree == "yes" && c.why != "" {
		agree = "yes: " + c.why
	}
	return row(seen, agree)
}

func list(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return "; " + strings.Join(ids, ", ")
}

// idsOf lists the findings of a target that are compared.
func idsOf(x *event.Target) []string {
	var out []string
	for _, f := range x.Findings {
		if slices.Contains(compared(), f.ID) {
			out = append(out, f.ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// inspectDir has the program judge a directory that holds one gateway.
func inspectDir(t *testing.T, dir, release string) *event.Target {
	t.Helper()
	out, err := exec.Command(program, "inspect", "-f", "jsonl", "-release", release, dir).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var found []*event.Target
	for line := range bytes.Lines(out) {
		e, err := event.Decode(line)
		if err != nil {
			t.Fatal(err)
		}
		if x, ok := e.(*event.Target); ok {
			found = append(found, x)
		}
	}
	if len(found) != 1 || found[0].Files == nil || found[0].Auth == nil {
		t.Fatalf("%d targets, want 1:\n%s", len(found), out)
	}
	return found[0]
}

// command is how what stands in front is started, by its files.
func (c deployment) command(t *testing.T, fill func(string) string) []string {
	t.Helper()
	switch {
	case c.files["nginx.conf"] != "":
		return []string{"nginx", "-p", ".", "-c", "nginx.conf", "-e", "stderr"}
	case c.files["Caddyfile"] != "":
		return []string{"caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile"}
	case c.files["start.sh"] != "":
		return []string{"sh", "start.sh"}
	}
	return readUnit(t, fill(c.files["forward.service"])).command
}

// unit is what is needed of a systemd unit to do what it says.
type unit struct{ command, environment []string }

func readUnit(t *testing.T, text string) unit {
	t.Helper()
	var u unit
	for line := range strings.Lines(text) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "ExecStart":
			u.command = strings.Fields(value)
		case "Environment":
			u.environment = append(u.environment, value)
		}
	}
	if len(u.command) == 0 {
		t.Fatalf("no command in\n%s", text)
	}
	return u
}

// knock sends the request that settles whether a client is let in, from a namespace. It
// asks for no scope, so that nothing is done.
func knock(t *testing.T, from *lab.Namespace, addr netip.AddrPort, header http.Header, fill func(string) string) (status string, in bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr.String()+"/tools/invoke", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-OpenClaw-Scopes", "none")
	for name, values := range header {
		value := fill(values[0])
		if credential, ok := strings.CutPrefix(value, "Basic "); ok {
			user, password, _ := strings.Cut(credential, ":")
			req.SetBasicAuth(user, password)
			continue
		}
		req.Header.Set(name, value)
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: from.DialContext}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 2000))
	if err != nil {
		t.Fatal(err)
	}
	// Past authentication it misses the tool's name, or the scope.
	in = resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusForbidden && strings.Contains(string(body), "missing scope")
	t.Logf("%s: %d %.160s", addr, resp.StatusCode, body)
	return strconv.Itoa(resp.StatusCode), in
}

func writeFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}
