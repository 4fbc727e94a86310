//go:build e2e && linux

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// relative is a published program beside OpenClaw, at one version.
type relative struct {
	product string // id of its fingerprint
	name    string // npm's package, or the path of a Go command
	module  string // the Go module of it; "" for npm
	version string // as its registry spells it
	port    uint16 // its usual one

	// What follows is empty where nobody has been able to try it: the registry did not
	// serve it.
	install func(ctx context.Context, l *lab.Lab) (argv []string, err error)
	modes   []mode
	// effects are the files and folders that a scan is known to make, as the effect of
	// the request in its fingerprint says.
	effects []string
	// disturb has a running one change its state, at its address. A comparison that
	// does not notice is worth nothing.
	disturb func(client *http.Client, addr string) error
}

// mode is a way to run a relative, and what is true of it then.
type mode struct {
	name    string
	env     func(argv []string, dir string) ([]string, error) // dir is for what it needs beside its home
	tools   []string
	auth    event.AuthState
	version string // that it shows; "" if none
}

// relatives are what npm and the Go module proxy serve, or might.
func relatives() []relative {
	env := func(list ...string) func([]string, string) ([]string, error) {
		return func([]string, string) ([]string, error) { return list, nil }
	}
	return []relative{
		{
			product: "browserless", name: "@browserless.io/browserless", version: "2.42.0", port: 3000,
			install: func(ctx context.Context, l *lab.Lab) ([]string, error) {
				dir, err := l.InstallNPM(ctx, "@browserless.io/browserless", "2.42.0")
				return []string{l.Node(), filepath.Join(dir, "build", "index.js")}, err
			},
			modes: []mode{
				{name: "no TOKEN", env: browserless("", false), auth: event.AuthOpen, version: "2.42.0"},
				{name: "TOKEN", env: browserless("lab-only", false), auth: event.AuthRequired},
				{name: "no TOKEN, Chromium", env: browserless("", true), tools: []string{"chromium"}, auth: event.AuthOpen, version: "2.42.0"},
				{name: "TOKEN, Chromium", env: browserless("lab-only", true), tools: []string{"chromium"}, auth: event.AuthRequired},
			},
		},
		{
			product: "ollama", name: "github.com/ollama/ollama", module: "github.com/ollama/ollama", version: "v0.17.4", port: 11434,
			install: installOllama,
			effects: []string{"/.ollama/models/manifests/"},
			// Without a version in its build it says 0.0.0.
			modes: []mode{{name: "all addresses", env: env("OLLAMA_HOST=0.0.0.0"), auth: event.AuthOpen, version: "0.0.0"}},
			disturb: func(client *http.Client, addr string) error {
				return post(client, fmt.Sprintf("http://%s/api/blobs/sha256:%x", addr, sha256.Sum256([]byte("x"))), "x", http.StatusCreated)
			},
		},
		{product: "nextclaw", name: "nextclaw", version: "0.42.2"},
		{product: "tinyagi", name: "tinyagi", version: "0.0.20"},
		{product: "clawrouter", name: "@blockrun/clawrouter", version: "0.12.219"},
		{product: "picoclaw", name: "github.com/sipeed/picoclaw", module: "github.com/sipeed/picoclaw", version: "v0.2.9"},
		{product: "goclaw", name: "github.com/nextlevelbuilder/goclaw", module: "github.com/nextlevelbuilder/goclaw", version: "latest"},
		{product: "goclaw-smallnest", name: "github.com/smallnest/goclaw", module: "github.com/smallnest/goclaw", version: "latest"},
		{product: "openclaw-dashboard", name: "github.com/mudrii/openclaw-dashboard", module: "github.com/mudrii/openclaw-dashboard", version: "latest"},
	}
}

// unpublished are relatives whose own package says that it is private, or that have none.
var unpublished = []string{"openclaw-studio", "openclaw-admin", "mission-control", "mission-control-builderz", "clawpanel"}

// installOllama builds Ollama out of its module. Go leaves folders named vendor out of
// modules: of three libraries of C++ that it keeps there, two are Debian packages and the
// third is part of another module.
func installOllama(ctx context.Context, l *lab.Lab) ([]string, error) {
	for _, header := range []string{"nlohmann/json_fwd.hpp", "stb/stb_image.h"} {
		if _, err := os.Stat(filepath.Join("/usr/include", header)); err != nil {
			return nil, fmt.Errorf("%w (install g++, nlohmann-json3-dev and libstb-dev)", err)
		}
	}
	audio, err := l.GoModule(ctx, "github.com/gen2brain/malgo", "v0.11.24")
	if err != nil {
		return nil, err
	}
	include, err := os.MkdirTemp("", "clawsonar-include-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(include)
	if err := os.Symlink(audio, filepath.Join(include, "miniaudio")); err != nil {
		return nil, err
	}
	binary, err := l.InstallGo(ctx, "github.com/ollama/ollama", "v0.17.4", "CGO_ENABLED=1", "CPATH="+include)
	return []string{binary, "serve"}, err
}

// browserless returns the environment of one, with its management routes and, if
// asked for, those of Chromium, which is Debian's in the place of Playwright's own.
// Routes of a browser that is not there keep it from starting.
func browserless(token string, chromium bool) func([]string, string) ([]string, error) {
	return func(argv []string, dir string) ([]string, error) {
		build := filepath.Dir(argv[1])
		routes, browsers := filepath.Join(dir, "routes"), filepath.Join(dir, "browsers")
		links := map[string]string{
			filepath.Join(routes, "management"): filepath.Join(build, "routes", "management"),
			// These it reads from its working folder.
			filepath.Join(dir, "home", "node_modules"): filepath.Join(filepath.Dir(build), "node_modules"),
			filepath.Join(dir, "home", "package.json"): filepath.Join(filepath.Dir(build), "package.json"),
		}
		if chromium {
			path, err := lab.FindTool("chromium")
			if err != nil {
				return nil, err
			}
			links[filepath.Join(routes, "chromium")] = filepath.Join(build, "routes", "chromium")
			// Where Playwright 1.58.2 looks for it.
			links[filepath.Join(browsers, "chromium-1208", "chrome-linux64", "chrome")] = path
		}
		for at, to := range links {
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				return nil, err
			}
			if err := os.Symlink(to, at); err != nil {
				return nil, err
			}
		}
		return []string{"HOST=0.0.0.0", "PORT=3000", "TOKEN=" + token, "ROUTES=" + routes, "PLAYWRIGHT_BROWSERS_PATH=" + browsers}, nil
	}
}

// TestFamily looks at real relatives and helpers, each in every mode, over loopback and
// from another host, and compares their files before and after.
func TestFamily(t *testing.T) {
	if os.Getenv("CLAWSONAR_E2E_FAMILY") == "" {
		t.Skip("SKIPPED, NOT TESTED: real relatives out of npm and the Go module proxy: run make e2e-family")
	}
	l, ctx := openLab(t, "family", "relatives", "npm", "go", "netns")
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "program\tversion\tmode\tfrom\tverdict\tversion said\tfindings\trequests\tstate\t")
	for _, r := range relatives() {
		t.Run(r.product, func(t *testing.T) {
			skip := func(why string, err error) {
				fmt.Fprintf(w, "%s\t%s\t-\t-\tNOT TESTED: %s\t\n", r.product, r.version, strings.TrimSuffix(why, ":"))
				t.Skip("SKIPPED, NOT TESTED:", r.name, r.version, why, err)
			}
			if r.install == nil {
				ask := l.AskNPM
				if r.module != "" {
					ask = l.AskGo
				}
				if err := ask(ctx, r.name, r.version); err != nil {
					skip("is not served:", err)
				}
				skip("is served here, but how it is started was never tried", errors.New("add that to this test"))
			}
			begin := time.Now()
			argv, err := r.install(ctx, l)
			if err != nil {
				skip("cannot be had:", err)
			}
			t.Logf("%s %s installed after %s", r.name, r.version, time.Since(begin).Round(time.Second))
			for _, m := range r.modes {
				t.Run(m.name, func(t *testing.T) {
					if missing := missing(m.tools...); len(missing) > 0 {
						fmt.Fprintf(w, "%s\t%s\t%s\t-\tNOT TESTED: %s\t\n", r.product, r.version, m.name, missing)
						t.Skipf("SKIPPED, NOT TESTED: %s: this machine lacks %s", r.name, strings.Join(missing, ", "))
					}
					lookAtRelative(ctx, t, l, r, m, argv, w)
				})
			}
		})
	}
	for _, product := range unpublished {
		t.Run(product, func(t *testing.T) {
			fmt.Fprintf(w, "%s\t-\t-\t-\tNOT TESTED: not published\t\n", product)
			t.Skipf("SKIPPED, NOT TESTED: %s: no registry has it", product)
		})
	}
	w.Flush()
	t.Logf("real relatives\n%s", table.String())
}

// lookAtRelative starts one and looks at it.
func lookAtRelative(ctx context.Context, t *testing.T, l *lab.Lab, r relative, m mode, argv []string, table io.Writer) {
	n, err := lab.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	env, err := m.env(argv, dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.StartRelative(ctx, n.Gateway, home, r.port, env, argv...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	snapshot := func() (state, error) {
		s, err := snapshotOf(ctx, l, home, s.Log())
		return s, errors.Join(err, addFolders(s, home))
	}
	before, err := settleOf(ctx, r.product, snapshot)
	if err != nil {
		t.Fatal(err)
	}

	begin := time.Now()
	elsewhere := fmt.Sprintf("%s:%d", n.Gateway.Addr, r.port)
	for _, v := range []struct {
		name   string
		from   *lab.Namespace
		target string
	}{
		{"loopback", n.Gateway, fmt.Sprintf("127.0.0.1:%d", r.port)},
		{"elsewhere", n.Viewer, elsewhere},
		{"elsewhere, port not named", n.Viewer, n.Gateway.Addr.String()},
	} {
		all, _, _ := scanFrom(t, v.from, "-level", "standard", "-family", "-helpers", v.target)
		var got []event.Target
		for _, x := range all {
			if x.Target.Port == int(r.port) {
				got = append(got, x)
			} else if x.Product != nil {
				t.Errorf("%s: %s on port %d, where nothing is", v.name, x.Product.ID, x.Target.Port)
			}
		}
		if len(got) != 1 {
			t.Errorf("%s: %d lines for port %d, want 1", v.name, len(got), r.port)
			continue
		}
		x := got[0]
		if x.Product == nil || x.Auth == nil || x.Version == nil {
			t.Errorf("%s: %+v, want %s, %s", v.name, x, r.product, m.auth)
			continue
		}
		if x.Product.ID != r.product || x.Product.Confidence == "tentative" || x.Auth.State != m.auth || x.Version.Exact != m.version {
			t.Errorf("%s: %+v %+v, %+v, want %s %q, %s", v.name, *x.Product, *x.Version, *x.Auth, r.product, m.version, m.auth)
		}
		var findings []string
		for _, f := range x.Findings {
			findings = append(findings, string(f.Severity)+" "+f.ID)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s %s, %s\t%s\t%s\t%d\t\t\n", r.product, r.version, m.name, v.name,
			x.Product.ID, x.Product.Confidence, x.Auth.State, x.Version.Exact, strings.Join(findings, ", "), x.Requests)
	}
	time.Sleep(2 * time.Second) // what is written late counts, too
	after, err := snapshot()
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	// What it does unasked in the same time is not our doing.
	time.Sleep(took)
	idle, err := snapshot()
	if err != nil {
		t.Fatal(err)
	}
	moves := map[string]bool{}
	for _, c := range diff(after, idle) {
		if c.Kind != logLine {
			t.Logf("by itself: %s", c)
		}
		moves[c.Path+"\x00"+c.Table] = true
	}
	changed, lines := 0, len(after.log)-len(before.log)
	for _, c := range diff(before, after) {
		if c.Kind == fileAdded && slices.Contains(r.effects, c.Path) {
			t.Logf("known effect: %s", c)
			changed++
		} else if c.Kind != logLine && !moves[c.Path+"\x00"+c.Table] {
			changed++
			t.Errorf("the scans changed its state: %s", c)
		}
	}
	fmt.Fprintf(table, "%s\t%s\t%s\tbefore and after\t\t\t\t\t%d files and folders, %d changed, %d lines of log, in %s\t\n",
		r.product, r.version, m.name, len(before.files), changed, lines, took.Round(time.Second))

	if r.disturb == nil {
		return
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: n.Viewer.DialContext, DisableKeepAlives: true}}
	if err := r.disturb(client, elsewhere); err != nil {
		t.Fatal(err)
	}
	last, err := snapshot()
	if err != nil {
		t.Fatal(err)
	}
	seen := diff(idle, last)
	if len(seen) == 0 || seen[0].Kind == logLine {
		t.Errorf("what was written on purpose was not noticed: %v", seen)
	}
}

// addFolders puts the folders below home among the files of a state: some programs make
// one for each client and leave it empty.
func addFolders(s state, home string) error {
	return filepath.WalkDir(home, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone since its folder was read
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		s.files[strings.TrimPrefix(path, home)+"/"] = fileState{}
		return nil
	})
}

// post sends a body and expects that status.
func post(client *http.Client, url, body string, status int) error {
	resp, err := client.Post(url, "application/octet-stream", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		return fmt.Errorf("POST %s: %s", url, resp.Status)
	}
	return nil
}
