//go:build e2e && linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// TestOtherReleases installs and starts ten more releases and checks that each
// is named exactly, or within those it shares its files with. It takes some
// 10 minutes and 6 GB, so it runs only when asked for: CLAWSONAR_E2E_RELEASES=1.
func TestOtherReleases(t *testing.T) {
	if os.Getenv("CLAWSONAR_E2E_RELEASES") == "" {
		t.Skip("SKIPPED, NOT TESTED: ten more releases: set CLAWSONAR_E2E_RELEASES=1")
	}
	l, ctx := open(t, "ten more releases")
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "started\tnamed\tsource\tconfidence\tauth\t")
	for _, release := range []struct{ version, twin string }{
		{"2026.2.2-3", "2026.2.2"}, {"2026.2.9", ""}, {"2026.2.12", ""}, {"2026.3.28", ""}, {"2026.4.25", ""},
		{"2026.5.7", "2026.5.7-beta.1"}, {"2026.5.28", ""}, {"2026.7.35", ""}, {"2026.8.2", ""}, {"2026.9.1", ""},
	} {
		t.Run(release.version, func(t *testing.T) {
			version := release.version
			c := lab.Config{Name: version, Package: "openclaw", Version: version, Mode: lab.Token}
			if version == "2026.4.25" {
				// It runs npm at start for what its plugins need.
				c.Extra = map[string]any{"plugins": map[string]any{"enabled": false}}
			}
			g, err := l.Start(ctx, t.TempDir(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Stop()
			targets, _, _ := scan(t, g.Addr.String())
			if len(targets) != 1 || targets[0].Version == nil {
				t.Fatalf("%+v", targets)
			}
			got := targets[0]
			named := strings.Join(got.Version.Candidates, " or ")
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t\n", version, named, got.Version.Source, got.Version.Confidence, got.Auth.State)
			if got.Auth.State != "required" {
				t.Errorf("auth %s, want required", got.Auth.State)
			}
			want := []string{version}
			if release.twin != "" {
				want = []string{release.twin, version}
			}
			if !slices.Equal(got.Version.Candidates, want) {
				t.Errorf("named %s, want %s", named, strings.Join(want, " or "))
			}
		})
	}
	w.Flush()
	t.Logf("ten more releases\n%s", table.String())
}

// TestForks installs and starts the forks on npm: each is named where it shows
// what it is, and never given the release of another.
func TestForks(t *testing.T) {
	t.Parallel()
	l, ctx := open(t, "the forks")
	running, stop, err := l.StartMatrix(ctx, t.TempDir(), lab.Forks(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	verdicts(t, running)
}
