package probe_test

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/probe"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/replica"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// serve makes a capture of a Control UI out of the facts about a release: the
// page with the assets it references and, if withWorker, sw.js.
func serve(r release.Release, withWorker bool) evidence.Capture {
	name := "OpenClaw"
	element := "openclaw-app"
	if r.Package == "clawdbot" {
		name, element = "Clawdbot", "clawdbot-app"
	}
	var page bytes.Buffer
	page.WriteString("<!doctype html><html")
	if r.BuildID != "" {
		fmt.Fprintf(&page, ` data-openclaw-control-ui-build-id="%s"`, html.EscapeString(r.BuildID))
	}
	fmt.Fprintf(&page, "><title>%s Control</title>", name)
	for _, asset := range r.Assets {
		fmt.Fprintf(&page, `<script src="./assets/%s"></script>`, asset)
	}
	fmt.Fprintf(&page, "<%s></%s></html>", element, element)
	c := evidence.Capture{Made: "by hand", Exchanges: []evidence.CapturedExchange{
		{ID: "root", Method: "GET", Path: "/", Status: 200, Header: []string{"Content-Type: text/html; charset=utf-8"}, Body: page.String()},
		{ID: "audit", Method: "GET", Path: "/api/channels/_audit-000000000000", Status: 401, Header: []string{"Content-Type: application/json"},
			Body: `{"error":{"message":"Unauthorized","type":"unauthorized"}}`},
	}}
	if withWorker && r.Stamp != "" {
		c.Exchanges = append(c.Exchanges, evidence.CapturedExchange{
			ID: "sw", Method: "GET", Path: "/sw.js", Status: 200, Header: []string{"Content-Type: application/javascript"},
			Body: `const EMBEDDED_CACHE_VERSION = "` + r.Stamp + `";`,
		})
	}
	return c
}

// look serves a capture for real and returns the verdict on it.
func look(t *testing.T, set *fingerprint.Set, c evidence.Capture) *fingerprint.Verdict {
	t.Helper()
	r, err := replica.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := probe.Prober{
		Wire:    wire.New(wire.Options{Scope: target.NewScope(nil, nil, false)}),
		Set:     set,
		Level:   event.LevelStandard,
		Timeout: 10 * time.Second,
	}
	return p.Probe(context.Background(), target.Target{Addr: netip.AddrPortFrom(r.Addr.Addr(), r.Addr.Port())}, p.Budget()).Verdict()
}

func load(t *testing.T) (*fingerprint.Set, *release.Table) {
	t.Helper()
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		t.Fatal(err)
	}
	return set, set.Releases("openclaw")
}

// Every known release's page names it, or a set that contains it; never
// another. Its assets alone tell most apart, sw.js all that have a stamp.
func TestEveryRelease(t *testing.T) {
	set, table := load(t)
	exact := map[bool]int{}
	pages, stamped := 0, 0
	since := release.MustParse("2026.5.18")
	for r := range table.Releases() {
		if len(r.Assets) == 0 {
			t.Logf("%s ships no page", r.Version)
			continue
		}
		pages++
		if r.Stamp != "" {
			stamped++
		}
		for _, withWorker := range []bool{false, true} {
			served := r
			if !withWorker {
				served.BuildID = "" // the assets alone
			}
			got := look(t, set, serve(served, withWorker)).Version
			if !slices.Contains(got.Candidates, r.Version.String()) {
				t.Errorf("%s (sw.js %t): named %v", r.Version, withWorker, got.Candidates)
			}
			if got.Exact != "" && got.Exact != r.Version.String() {
				t.Errorf("%s (sw.js %t): named exactly %s", r.Version, withWorker, got.Exact)
			}
			if got.Exact != "" {
				exact[withWorker]++
			} else if withWorker && r.Version.Compare(since) >= 0 {
				t.Errorf("%s: not exact with sw.js: %v", r.Version, got.Candidates)
			}
		}
	}
	t.Logf("of %d releases with a page, exact from the assets alone: %d; with sw.js (%d have a stamp) and build id: %d",
		pages, exact[false], stamped, exact[true])
	if exact[false] < 108 {
		t.Errorf("exact from the assets alone: %d, want at least 108", exact[false])
	}
}

func TestUnknownReleases(t *testing.T) {
	set, table := load(t)
	strange := release.Release{Package: "openclaw", Assets: []string{"index-XXXXXXXX.js", "index-YYYYYYYY.css"}}

	t.Run("newer, named by sw.js", func(t *testing.T) {
		newer := strange
		newer.Stamp = "2026.10.1-release-0123456789ab-2026-10-09T12-00-00.000Z"
		v := look(t, set, serve(newer, true))
		if v.Version.Exact != "2026.10.1" || v.Version.Build != "0123456789ab" || v.Version.Confidence != event.Certain {
			t.Errorf("version %+v", v.Version)
		}
		if want := "release 2026.10.1 is newer than this database, which ends at " + table.Newest().Version.String(); !slices.Contains(message.Plain(v.Notes), want) {
			t.Errorf("notes %q, want %q", v.Notes, want)
		}
	})
	t.Run("never published", func(t *testing.T) {
		fork := strange
		fork.Stamp = "2026.4.99-0123456789ab"
		v := look(t, set, serve(fork, true))
		if v.Version.Exact != "" || v.Version.Confidence != event.Tentative {
			t.Errorf("version %+v", v.Version)
		}
		if want := "release: it says 2026.4.99, which was never published: a fork, or a custom build"; !slices.Contains(message.Plain(v.Notes), want) {
			t.Errorf("notes %q, want %q", v.Notes, want)
		}
	})
	t.Run("unknown", func(t *testing.T) {
		v := look(t, set, serve(strange, true))
		if v.Version.Exact != "" || len(v.Version.Candidates) != 0 || v.Version.Confidence != "" {
			t.Errorf("version %+v, want none", v.Version)
		}
		if !slices.Contains(message.Plain(v.Notes), "release: the page's assets are those of no known release: a newer one, a custom build, or a fork") {
			t.Errorf("notes %q do not say why", v.Notes)
		}
	})
	t.Run("another build", func(t *testing.T) {
		// The style of a known release with a script nobody knows.
		known, _ := table.Find(release.MustParse("2026.3.13"))
		rebuilt := release.Release{Package: "openclaw", Assets: []string{"index-XXXXXXXX.js"}}
		for _, a := range known.Assets {
			if a != "index-UvgeZ3yV.js" {
				rebuilt.Assets = append(rebuilt.Assets, a)
			}
		}
		v := look(t, set, serve(rebuilt, false))
		if v.Version.Exact != "" || !slices.Contains(v.Version.Candidates, "2026.3.13") || v.Version.Confidence != event.Tentative {
			t.Errorf("version %+v", v.Version)
		}
	})
	t.Run("contradiction", func(t *testing.T) {
		// A page out of a cache in front: its assets are of one release, sw.js is
		// of another.
		mixed, _ := table.Find(release.MustParse("2026.5.28"))
		mixed.Stamp = "2026.6.11-e085fa1a3ffd"
		c := serve(mixed, true)
		v := look(t, set, c)
		if v.Version.Exact == "2026.6.11" {
			t.Fatalf("version %+v: sw.js was not to be asked", v.Version)
		}
		// Asked or not, two sources that disagree are said and trusted less.
		o := c.Observation()
		both := set.Open(&o, event.LevelStandard).Verdict()
		if both.Version.Confidence != event.Tentative || !slices.Contains(message.Plain(both.Notes), "release: sw.js says 2026.6.11, but assets says 2026.5.28") {
			t.Errorf("version %+v, notes %q", both.Version, both.Notes)
		}
	})
}
