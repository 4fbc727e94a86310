//go:build e2e && linux

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// program is the built binary; TestMain makes it.
var program string

func TestMain(m *testing.M) {
	if list := os.Getenv(replicasOf); list != "" {
		if err := serveReplicas(list); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(func() int {
		// Mostly they wait for gateways to start and come to rest, but a gateway takes
		// most of a gigabyte, and a test up to eight of them.
		if err := flag.Set("test.parallel", "2"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		dir, err := os.MkdirTemp("", "clawsonar-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "clawsonar")
		build := exec.Command("go", "build", "-o", program, "github.com/clawsonar/clawsonar/cmd/clawsonar")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// TestRealGateways starts the whole matrix once and holds every claim of the
// program against it. It has twelve gateways, so nothing runs beside it.
func TestRealGateways(t *testing.T) {
	l, ctx := open(t, "real gateways")

	begin := time.Now()
	matrix := lab.Matrix()
	all, stop, err := l.StartMatrix(ctx, t.TempDir(), slices.Concat(matrix, misleading()), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	t.Logf("%d instances up after %s", len(all), time.Since(begin).Round(time.Second))
	running := all[:len(matrix)]

	t.Run("verdicts", func(t *testing.T) { verdicts(t, running) })
	t.Run("gate", func(t *testing.T) { gate(t, running) })
	t.Run("advisories", func(t *testing.T) { advisories(t, running) })
	t.Run("no harm", func(t *testing.T) { noHarm(t, running) })
	t.Run("plain nginx", func(t *testing.T) { plainNginx(ctx, t) })
	t.Run("misleading fronts", func(t *testing.T) { misled(t, all[len(matrix):]) })
}

// TestThisMachine scans without a target, and nothing runs beside it.
func TestThisMachine(t *testing.T) {
	l, ctx := open(t, "this machine")
	thisMachine(ctx, t, l)
}

// misled looks at gateways behind fronts that give answers of others, or ask for a
// login here and there.
func misled(t *testing.T, running []lab.Running) {
	verdicts(t, running)
	verdicts(t, slices.DeleteFunc(slices.Clone(running), func(r lab.Running) bool {
		// On releases that give the configuration to everybody no GET tells.
		return r.Truth.Release != "2026.9.6"
	}), "-level", "passive")
}

// scan runs the program and returns its events and exit code.
func scan(t *testing.T, args ...string) ([]event.Target, *event.Summary, int) {
	t.Helper()
	return scanFrom(t, nil, args...)
}

// scanFrom is scan from another network namespace.
func scanFrom(t *testing.T, from *lab.Namespace, args ...string) ([]event.Target, *event.Summary, int) {
	t.Helper()
	return scanWith(t, nil, from, args...)
}

// scanWith is scanFrom with more in the environment, NAME=value.
func scanWith(t *testing.T, env []string, from *lab.Namespace, args ...string) ([]event.Target, *event.Summary, int) {
	t.Helper()
	cmd := from.Command(program, append([]string{"scan", "-f", "jsonl"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	code := 0
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if code == 1 || code == 2 {
		t.Fatalf("clawsonar scan %s: exit %d: %s", strings.Join(args, " "), code, stderr.String())
	}
	var targets []event.Target
	var summary *event.Summary
	lines := bufio.NewScanner(&stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		e, err := event.Decode(lines.Bytes())
		if err != nil {
			t.Fatalf("%v in %s", err, lines.Text())
		}
		switch e := e.(type) {
		case *event.Target:
			// A helper of the gateway: the tests that look for those say so.
			if !strings.HasPrefix(e.Target.Source, "beside ") {
				targets = append(targets, *e)
			}
		case *event.Summary:
			summary = e
		}
	}
	return targets, summary, code
}

// address returns what to scan of an instance: the base path in the URL where
// there is one, and else no scheme, so that it has to be found out.
func address(r lab.Running) string {
	_, rest, _ := strings.Cut(r.URL, "://")
	hostPort, base, _ := strings.Cut(rest, "/")
	if base != "" {
		return r.URL
	}
	return hostPort
}

// verdicts compares product, brand, release and authentication with what was
// configured, and prints the matrix.
func verdicts(t *testing.T, running []lab.Running, args ...string) {
	t.Helper()
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "instance\tbrand\trelease\tauth\tbecause\tfront\treq\tconn\tms\t")
	for _, r := range running {
		targets, _, _ := scan(t, append([]string{address(r)}, args...)...)
		if len(targets) != 1 {
			t.Errorf("%s: %d target lines, want 1", r.Name, len(targets))
			continue
		}
		got, want := targets[0], r.Truth
		if !slices.ContainsFunc(append(got.Notes, ""), func(n string) bool { return strings.Contains(n, want.Note) }) {
			t.Errorf("%s: no note says %q: %q", r.Name, want.Note, got.Notes)
		}
		row := []string{r.Name, "-", "-", "-", "-", "-", fmt.Sprint(got.Requests), fmt.Sprint(got.Connections), fmt.Sprint(got.DurationMS)}
		var product event.Product
		if got.Product != nil {
			product = *got.Product
			row[1], row[2] = product.Brand, strings.Join(got.Version.Candidates, " or ")
			if !slices.Equal(got.Version.Candidates, want.Candidates) && len(want.Candidates)+len(got.Version.Candidates) > 0 {
				t.Errorf("%s: release %v, want %v", r.Name, got.Version.Candidates, want.Candidates)
			}
			if exact := len(want.Candidates) == 1; exact && got.Version.Exact != want.Candidates[0] || !exact && got.Version.Exact != "" {
				t.Errorf("%s: exact release %q, want that of %v", r.Name, got.Version.Exact, want.Candidates)
			}
		}
		if product.ID != want.Product || product.Brand != want.Brand {
			t.Errorf("%s: %q, brand %q, want %q, brand %q", r.Name, product.ID, product.Brand, want.Product, want.Brand)
		}
		if want.Product != "" && (got.Outcome != "identified" || product.Confidence == "tentative") {
			t.Errorf("%s: %s with confidence %s, want identified", r.Name, got.Outcome, product.Confidence)
		}
		if got.Auth == nil || got.Auth.State != want.AuthState {
			t.Errorf("%s: auth %+v, want %s", r.Name, got.Auth, want.AuthState)
		} else {
			row[3], row[4] = string(got.Auth.State), strings.Join(got.Auth.Because, ",")
			// The mode is said only where it is proven.
			if got.Auth.Mode != "" && want.Product != "" && got.Auth.Mode != want.AuthMode {
				t.Errorf("%s: mode %q, want %q or none", r.Name, got.Auth.Mode, want.AuthMode)
			}
		}
		if got.Front != nil {
			row[5] = got.Front.Kind
		}
		if front := strings.Trim(row[5], "-"); front != want.Front {
			t.Errorf("%s: front %q, want %q", r.Name, front, want.Front)
		}
		if tls := r.Gateway.Config.TLS && r.Front == lab.NoFront; got.TLS == nil || got.TLS.Enabled != tls {
			t.Errorf("%s: TLS %+v, want %t", r.Name, got.TLS, tls)
		}
		connections := 2
		if got.TLS != nil && got.TLS.Enabled {
			connections++ // whether it accepts outdated versions
		}
		if got.Requests > 12 || got.Connections > connections {
			t.Errorf("%s: %d requests on %d connections, want at most 12 on %d", r.Name, got.Requests, got.Connections, connections)
		}
		fmt.Fprintln(w, strings.Join(row, "\t")+"\t")
	}
	w.Flush()
	t.Logf("verdicts on real gateways\n%s", table.String())
}

// gate checks the exit codes for an open and a closed gateway, in every format.
func gate(t *testing.T, running []lab.Running) {
	open, closed := find(t, running, "openclaw-2026.9.6-none"), find(t, running, "openclaw-2026.9.6-token")
	for _, format := range []string{"table", "jsonl", "json"} {
		for _, c := range []struct {
			r    lab.Running
			want int
		}{{open, 3}, {closed, 0}} {
			err := exec.Command(program, "scan", address(c.r), "-f", format, "-fail-on", "high").Run()
			var exit *exec.ExitError
			code := 0
			if errors.As(err, &exit) {
				code = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if code != c.want {
				t.Errorf("-f %s -fail-on high on %s: exit %d, want %d", format, c.r.Name, code, c.want)
			}
		}
	}
}

func find(t *testing.T, running []lab.Running, name string) lab.Running {
	t.Helper()
	i := slices.IndexFunc(running, func(r lab.Running) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("no instance %s", name)
	}
	return running[i]
}

// advisories looks at what is said to apply to gateways of three releases, open
// and closed.
func advisories(t *testing.T, running []lab.Running) {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "instance\tthrough the gateway\treachable without a credential\tneed a credential\tworst of them\t")
	for _, c := range []struct {
		name string
		none bool // no advisory is known
	}{
		{"openclaw-2026.3.13-none", false}, {"openclaw-2026.3.13-token", false},
		{"openclaw-2026.6.11-none", false}, {"openclaw-2026.6.11-token", false},
		{"openclaw-2026.9.6-none", true}, {"openclaw-2026.9.6-token", true},
	} {
		r := find(t, running, c.name)
		targets, _, _ := scan(t, address(r))
		if len(targets) != 1 {
			t.Errorf("%s: %d target lines, want 1", c.name, len(targets))
			continue
		}
		list := targets[0].Advisories
		reachable, guarded, worst := 0, 0, "-"
		for i, a := range list {
			if i == 0 {
				worst = a.ID + " " + string(a.Severity)
			}
			switch {
			case a.Reach == "reachable":
				reachable++
			default:
				guarded++
			}
			if a.Reach == "reachable" && r.Truth.AuthState == "required" && a.Credential == "required" {
				t.Errorf("%s: %s needs a credential, but is said to be reachable without", c.name, a.ID)
			}
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t\n", c.name, len(list), reachable, guarded, worst)
		if c.none != (len(list) == 0) {
			t.Errorf("%s: %d advisories", c.name, len(list))
		}
		if open := r.Truth.AuthState == "open"; !c.none && open != (guarded == 0) {
			t.Errorf("%s: %d advisories wait behind a credential", c.name, guarded)
		}
	}
	w.Flush()
	t.Logf("advisories on real gateways\n%s", table.String())
}

// noHarm scans the oldest, a middle and the newest release 20 times each, open
// and closed, and compares their state before and after.
func noHarm(t *testing.T, running []lab.Running) {
	const scans = 20
	names := []string{
		"clawdbot-2026.1.24-3-none", "clawdbot-2026.1.24-3-token",
		"openclaw-2026.3.13-none", "openclaw-2026.3.13-token",
		"openclaw-2026.6.11-none", "openclaw-2026.6.11-token",
		"openclaw-2026.9.6-none", "openclaw-2026.9.6-token",
	}
	changes := make([][]change, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		r := find(t, running, name)
		wg.Go(func() {
			before, err := settle(t.Context(), r.Gateway)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			for range scans {
				if out, err := exec.Command(program, "scan", address(r), "-f", "jsonl").CombinedOutput(); err != nil {
					t.Errorf("%s: %v: %s", name, err, out)
				}
			}
			time.Sleep(2 * time.Second) // what is written late counts, too
			after, err := snapshot(t.Context(), r.Gateway)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			changes[i] = withoutIdle(diff(before, after))
		})
	}
	wg.Wait()
	for i, name := range names {
		lines := map[string]int{}
		for _, c := range changes[i] {
			if c.Kind != logLine {
				t.Errorf("%s: %d scans changed its state: %s", name, scans, c)
				continue
			}
			// The one line that a WebSocket opening leaves.
			if !strings.Contains(c.Detail, "closed before connect") {
				t.Errorf("%s: unexpected line in its log: %s", name, c.Detail)
				continue
			}
			lines["closed before connect"]++
		}
		if lines["closed before connect"] > scans {
			t.Errorf("%s: %d log lines for %d scans", name, lines["closed before connect"], scans)
		}
		t.Logf("%s: %d scans: state unchanged, log lines %v", name, scans, lines)
	}
}

// thisMachine scans without a target, in a network namespace where nothing
// listens but what is started here.
func thisMachine(ctx context.Context, t *testing.T, l *lab.Lab) {
	n, err := lab.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	show := func(t *testing.T, command ...string) string {
		t.Helper()
		out, err := n.Gateway.Command(command[0], command[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		t.Logf("%s\n%s", strings.Join(append([]string{"clawsonar"}, command[slices.Index(command, "scan"):]...), " "), out)
		return strings.Join(strings.Fields(string(out)), " ") // as if it were on one line
	}
	atPort := func(t *testing.T, port uint16) (event.Target, *event.Summary) {
		t.Helper()
		targets, summary, _ := scanFrom(t, n.Gateway)
		i := slices.IndexFunc(targets, func(x event.Target) bool { return x.Target.Port == int(port) && x.Target.IP == "127.0.0.1" })
		if i < 0 {
			t.Fatalf("no line of port %d: %+v", port, targets)
		}
		return targets[i], summary
	}
	has := func(x event.Target, id string) bool {
		return slices.ContainsFunc(x.Findings, func(f event.Finding) bool { return f.ID == id })
	}
	begin := func(t *testing.T, c lab.Config) *lab.Gateway {
		t.Helper()
		c.Name, c.Package, c.Net = "this-machine", "openclaw", n.Gateway
		g, err := l.Start(ctx, t.TempDir(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.Stop)
		return g
	}

	t.Run("nothing", func(t *testing.T) {
		if out := show(t, program, "scan"); !strings.Contains(out, "No gateway was found") || !strings.Contains(out, "clawsonar scan "+n.Gateway.Addr.String()) {
			t.Error("it does not say that there is none, or where to look from")
		}
	})
	t.Run("token gateway behind a web server that adds the token", func(t *testing.T) {
		g := begin(t, lab.Config{Version: "2026.9.6", Mode: lab.Token, Port: 18789})
		f, err := lab.Nginx(ctx, t.TempDir(), lab.NginxConfig{
			Net: n.Gateway, Addr: netip.MustParseAddrPort("0.0.0.0:80"), Upstream: "http://" + g.Addr.String(), Upgrade: true,
			SetHeader: map[string]string{"Authorization": "Bearer " + g.Secret},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Stop()
		own, summary := atPort(t, 18789)
		way, _ := atPort(t, 80)
		if own.Auth == nil || own.Auth.State != "required" || own.SameAs != nil {
			t.Errorf("the gateway itself: auth %+v, same as %+v", own.Auth, own.SameAs)
		}
		if way.Auth == nil || way.Auth.State != "open" || way.SameAs == nil || way.SameAs.URL != own.Target.URL || way.SameAs.Confidence != "firm" {
			t.Errorf("the way in: auth %+v, same as %+v", way.Auth, way.SameAs)
		}
		if !has(way, "listens-beyond-loopback") || has(own, "listens-beyond-loopback") {
			t.Errorf("listens-beyond-loopback: of nginx %t, of the gateway %t", has(way, "listens-beyond-loopback"), has(own, "listens-beyond-loopback"))
		}
		t.Logf("notes %q", summary.Notes)
		if out := show(t, program, "scan"); !strings.Contains(out, "1 of 1 gateway is OPEN") || strings.Contains(out, g.Secret) {
			t.Error("it is not counted as one open gateway")
		}
	})
	t.Run("an open gateway of another user", func(t *testing.T) {
		g := begin(t, lab.Config{Version: "2026.6.11", Mode: lab.None})
		// Where everybody may run it.
		dir, err := os.MkdirTemp("", "clawsonar-machine-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		shared := filepath.Join(dir, "clawsonar")
		if out, err := exec.Command("sh", "-c", `chmod 755 "$1" && cp "$2" "$1/clawsonar" && chmod 755 "$1/clawsonar"`, "sh", dir, program).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, as := range [][]string{nil, {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}} {
			out := show(t, append(slices.Clone(as), "env", "-C", "/", shared, "scan")...)
			if !strings.Contains(out, "is OPEN") || !strings.Contains(out, g.Addr.String()) || !strings.Contains(out, " alone: programs and") {
				t.Errorf("as %v: it is not said to be open, and reached from this machine alone", as)
			}
			if strings.Contains(out, "this user may not see") != (as != nil) {
				t.Errorf("as %v: programs that are not seen", as)
			}
		}
	})
	t.Run("usual port, bound to every address", func(t *testing.T) {
		begin(t, lab.Config{Version: "2026.6.11", Mode: lab.Token, Bind: "lan", Port: 18789})
		x, _ := atPort(t, 18789)
		if x.Outcome != "identified" || !strings.HasSuffix(x.Target.Bound, ":18789") || !has(x, "listens-beyond-loopback") {
			t.Errorf("%s, bound to %q", x.Outcome, x.Target.Bound)
		}
		for _, f := range x.Findings {
			if strings.Contains(f.Detail, "nothing leaves this machine") {
				t.Errorf("%s says: %s", f.ID, f.Detail)
			}
		}
	})
}

// plainNginx costs one request on one connection.
func plainNginx(ctx context.Context, t *testing.T) {
	f, err := lab.Nginx(ctx, t.TempDir(), lab.NginxConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Stop()
	targets, _, _ := scan(t, f.Addr.String())
	if len(targets) != 1 || targets[0].Outcome != "other" || targets[0].Requests != 1 || targets[0].Connections != 1 || len(targets[0].Findings) != 0 {
		t.Errorf("plain nginx: %+v", targets)
	}
}
