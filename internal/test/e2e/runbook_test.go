//go:build e2e && linux

package e2e

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// TestRunbooks follows what explain says about three findings, on a real gateway
// behind a real proxy, and scans again: the finding must be gone, and none may
// have come in its place.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	ctx, l, n := remote(t, "the runbooks of explain")
	// What the runbooks have the proxy say.
	told := map[string]string{"Host": "$host", "X-Forwarded-For": "$remote_addr", "X-Forwarded-Proto": "$scheme"}
	trusted := map[string]any{"gateway": map[string]any{"trustedProxies": []string{"127.0.0.1"}}}
	for _, c := range []struct {
		id            string
		before, after lab.Mode
		front, fixed  lab.NginxConfig
		extra         map[string]any // in the configuration, after
		first, then   event.AuthState
	}{
		{
			id: "auth-missing", before: lab.None, after: lab.Token, first: "open", then: "required",
			front: lab.NginxConfig{Upgrade: true}, fixed: lab.NginxConfig{Upgrade: true, SetHeader: told}, extra: trusted,
		},
		{
			id: "everyone-is-local", before: lab.Token, after: lab.Token, first: "required", then: "required",
			front: lab.NginxConfig{Upgrade: true}, fixed: lab.NginxConfig{Upgrade: true, SetHeader: told}, extra: trusted,
		},
		{
			id: "proxy-attribution-blocked", before: lab.None, after: lab.Token, first: "blocked", then: "required",
			front: lab.NginxConfig{Forwarded: true}, fixed: lab.NginxConfig{Forwarded: true}, extra: trusted,
		},
	} {
		t.Run(c.id, func(t *testing.T) {
			dir := t.TempDir()
			look := func(step string, mode lab.Mode, front lab.NginxConfig, extra map[string]any) event.Target {
				t.Helper()
				// The same home folder: the configuration is changed and the
				// gateway restarted.
				g, err := l.Start(ctx, filepath.Join(dir, "gateway"), lab.Config{
					Name: c.id, Package: "openclaw", Version: "2026.9.6", Mode: mode, Extra: extra, Net: n.Gateway,
				})
				if err != nil {
					t.Fatal(err)
				}
				defer g.Stop()
				front.Upstream, front.Net = "http://"+g.Addr.String(), n.Gateway
				f, err := lab.Nginx(ctx, filepath.Join(dir, "nginx-"+step), front)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Stop()
				targets, _, _ := scanFrom(t, n.Viewer, f.URL)
				if len(targets) != 1 || targets[0].Auth == nil {
					t.Fatalf("%+v", targets)
				}
				return targets[0]
			}
			ids := func(x event.Target) []string {
				var out []string
				for _, f := range x.Findings {
					out = append(out, f.ID)
				}
				return out
			}
			before := look("before", c.before, c.front, nil)
			after := look("after", c.after, c.fixed, c.extra)
			t.Logf("before: %s, %v\nafter:  %s, %v", before.Auth.State, ids(before), after.Auth.State, ids(after))
			if before.Auth.State != c.first || !slices.Contains(ids(before), c.id) {
				t.Errorf("before the fix: %s, %v", before.Auth.State, ids(before))
			}
			if after.Auth.State != c.then || slices.Contains(ids(after), c.id) {
				t.Errorf("after the fix: %s, %v", after.Auth.State, ids(after))
			}
			for _, id := range ids(after) {
				// A plain port, and a terminal that is on by default, are other
				// findings with runbooks of their own.
				if !slices.Contains(ids(before), id) && id != "plain-http" && id != "terminal-enabled" {
					t.Errorf("the fix brought %s", id)
				}
			}
		})
	}
}
