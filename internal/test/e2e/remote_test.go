//go:build e2e && linux

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
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

// open opens the lab for a test of that name, or skips it.
func open(t *testing.T, what string, tools ...string) (*lab.Lab, context.Context) {
	t.Helper()
	return openLab(t, "lab", what, append([]string{"npm", "nginx", "caddy"}, tools...)...)
}

// openLab opens .cache/folder as a lab for a test that needs these tools and no more.
func openLab(t *testing.T, folder, what string, tools ...string) (*lab.Lab, context.Context) {
	t.Helper()
	if missing := missing(tools...); len(missing) > 0 {
		t.Skipf("SKIPPED, NOT TESTED: %s: this machine lacks %s", what, strings.Join(missing, ", "))
	}
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
	t.Cleanup(cancel)
	l, err := lab.Open(ctx, filepath.Join(root, ".cache", folder))
	if err != nil {
		t.Fatal(err)
	}
	return l, ctx
}

// missing says which of the tools a test needs are not on this machine, as
// one reason to skip for each. Tools are "npm", "node", "nginx", "caddy" and
// "netns" (the right to make network namespaces). No answer means that nothing
// is missing.
func missing(tools ...string) []string {
	var out []string
	for _, tool := range tools {
		if tool == "netns" {
			if reason := netnsMissing(); reason != "" {
				out = append(out, reason)
			}
			continue
		}
		if _, err := lab.FindTool(tool); err != nil {
			out = append(out, tool+" is not installed")
		}
	}
	return out
}

// netnsMissing says why network namespaces cannot be made; "": they can.
var netnsMissing = sync.OnceValue(func() string {
	ip, err := lab.FindTool("ip")
	if err != nil {
		return "ip (iproute2) is not installed"
	}
	name := fmt.Sprintf("clawsonar-try-%d", os.Getpid())
	if out, err := exec.Command(ip, "netns", "add", name).CombinedOutput(); err != nil {
		return "no right to make network namespaces: " + strings.TrimSpace(string(out))
	}
	if out, err := exec.Command(ip, "netns", "delete", name).CombinedOutput(); err != nil {
		return "network namespaces cannot be removed again: " + strings.TrimSpace(string(out))
	}
	return ""
})

// remote is open with a pair of network namespaces.
func remote(t *testing.T, what string) (context.Context, *lab.Lab, *lab.Net) {
	t.Helper()
	l, ctx := open(t, what, "netns")
	n, err := lab.NewNet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return ctx, l, n
}

// TestFromElsewhere looks at real gateways from another host: what is true over
// loopback need not be true from there.
func TestFromElsewhere(t *testing.T) {
	t.Parallel()
	ctx, l, n := remote(t, "real gateways seen from another host")
	running, stop, err := l.StartMatrix(ctx, t.TempDir(), lab.RemoteMatrix(n), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	judge(t, nil, n.Viewer, running)
}

// judge scans every instance, with env, from a namespace and holds the verdict, the front
// and the telling findings against what was configured. It prints the matrix.
func judge(t *testing.T, env []string, from *lab.Namespace, running []lab.Running, args ...string) {
	t.Helper()
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "instance\trelease\tauth\tmode\tfront\tfindings that tell\treq\tconn\tms\t")
	for _, r := range running {
		targets, _, _ := scanWith(t, env, from, append([]string{r.URL}, args...)...)
		if len(targets) != 1 {
			t.Errorf("%s: %d target lines, want 1", r.Name, len(targets))
			continue
		}
		got, want := targets[0], r.Truth
		var auth event.Auth
		if got.Auth != nil {
			auth = *got.Auth
		}
		if auth.State != want.AuthState {
			t.Errorf("%s: auth %s because of %v, want %s", r.Name, auth.State, auth.Because, want.AuthState)
		}
		// The mode is said only where it is proven, which is that there is none. Of a
		// login in front it is the kind of that.
		if auth.State != "gated" && auth.Mode != "" && (auth.Mode != "none" || r.Instance.Gateway.Mode != lab.None) {
			t.Errorf("%s: mode %q, it is %s", r.Name, auth.Mode, r.Instance.Gateway.Mode)
		}
		var release []string
		if got.Version != nil {
			release = got.Version.Candidates
		}
		if !slices.Equal(release, want.Candidates) && len(release)+len(want.Candidates) > 0 {
			t.Errorf("%s: release %v, want %v", r.Name, release, want.Candidates)
		}
		front := ""
		if got.Front != nil {
			front = got.Front.Kind
		}
		if front != want.Front {
			t.Errorf("%s: front %q, want %q", r.Name, front, want.Front)
		}
		telling := toldBy(got.Findings)
		expected := slices.Sorted(slices.Values(want.Findings))
		if !slices.Equal(telling, expected) && len(telling)+len(expected) > 0 {
			t.Errorf("%s: findings %v, want %v", r.Name, telling, expected)
		}
		most := 12
		if len(args) > 0 {
			most = 24
		} else if got.Connections > 2 {
			t.Errorf("%s: %d connections, want at most 2", r.Name, got.Connections)
		}
		if got.Requests > most {
			t.Errorf("%s: %d requests, want at most %d", r.Name, got.Requests, most)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t\n", r.Name, strings.Join(release, " or "), auth.State, auth.Mode, front,
			strings.Join(telling, " "), got.Requests, got.Connections, got.DurationMS)
	}
	w.Flush()
	t.Logf("\n%s", table.String())
}

// telling lists the findings that an instance's Truth tells: those of them that
// it does not name must not be raised.
func telling() []string {
	return []string{
		"everyone-is-local", "proxy-attribution-blocked", "trusted-proxy-spoofable",
		"origin-wildcard", "origin-host-fallback", "device-auth-disabled",
		"openai-api-enabled", "hooks-enabled", "terminal-enabled", "canvas-open",
		"metrics-public", "readiness-details-public", "bootstrap-config-public",
		"assistant-name-public", "source-maps-public", "filesystem-paths-public",
		"tls-self-signed", "tls-expired", "tls-name-mismatch", "tls-old",
	}
}

// toldBy returns the ids of the findings that an instance's truth tells.
func toldBy(findings []event.Finding) []string {
	var out []string
	for _, f := range findings {
		if slices.Contains(telling(), f.ID) {
			out = append(out, f.ID)
		}
	}
	slices.Sort(out)
	return out
}

// TestDeep looks at real gateways at level deep and compares their state before
// and after: nothing but lines in the log may be new.
func TestDeep(t *testing.T) {
	t.Parallel()
	ctx, l, n := remote(t, "level deep on real gateways")
	byRelease := map[string][]lab.Instance{}
	for _, i := range lab.DeepMatrix(n) {
		byRelease[i.Truth.Release] = append(byRelease[i.Truth.Release], i)
	}
	for _, release := range some(t, slices.Sorted(maps.Keys(byRelease))) {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			deep(ctx, t, l, n, byRelease[release])
		})
	}
}

func deep(ctx context.Context, t *testing.T, l *lab.Lab, n *lab.Net, instances []lab.Instance) {
	running, stop, err := l.StartMatrix(ctx, t.TempDir(), instances, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	before := make([]state, len(running))
	var wg sync.WaitGroup
	for i, r := range running {
		wg.Go(func() {
			var err error
			if before[i], err = settle(ctx, r.Gateway); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	judge(t, nil, n.Viewer, running, "-level", "deep")
	time.Sleep(2 * time.Second) // what is written late counts, too
	for i, r := range running {
		after, err := snapshot(ctx, r.Gateway)
		if err != nil {
			t.Error(err)
			continue
		}
		lines := 0
		for _, c := range withoutIdle(diff(before[i], after)) {
			if c.Kind != logLine {
				t.Errorf("%s: level deep changed its state: %s", r.Name, c)
				continue
			}
			lines++
		}
		t.Logf("%s: state unchanged, %d log lines", r.Name, lines)
	}
}
