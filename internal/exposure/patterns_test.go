package exposure_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/exposure"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/inspect"
	"github.com/clawsonar/clawsonar/internal/openclaw"
	"github.com/clawsonar/clawsonar/internal/release"
)

var update = flag.Bool("update", false, "write the golden files again")

// judge reads a directory and judges it, as that release where its files state none.
func judge(t *testing.T, dir, stated string) []*event.Target {
	t.Helper()
	tree, err := filetree.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := inspect.Read(tree, inspect.Options{})
	return exposure.Judge(d.Model, options(t, d, stated))
}

func options(t *testing.T, d *inspect.Deployment, stated string) exposure.Options {
	t.Helper()
	o := exposure.Options{Input: "deployment", Read: d.Read, Load: d.Load, Line: d.Line, Releases: releases(t), Keys: keys(t)}
	if stated != "" {
		o.Release = release.MustParse(stated)
	}
	return o
}

func releases(t testing.TB) *release.Table {
	t.Helper()
	data, err := fingerprints.FS.ReadFile("releases/openclaw.json")
	if err != nil {
		t.Fatal(err)
	}
	table, err := release.Load("openclaw.json", data)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func keys(t testing.TB) *openclaw.Keys {
	t.Helper()
	text, err := fingerprints.FS.ReadFile(openclaw.KeysFile)
	if err != nil {
		t.Fatal(err)
	}
	k, err := openclaw.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// say is what a test compares of a target: a line for the verdict and one a finding.
func say(targets []*event.Target) string {
	var b strings.Builder
	for _, t := range targets {
		auth := event.AuthUnknown
		if t.Auth != nil {
			auth = t.Auth.State
		}
		place := t.Target.Gateway
		switch at := t.Files.At; {
		case at != nil && place != "":
			place += " (" + at.String() + ")"
		case at != nil:
			place = at.String()
		}
		fmt.Fprintf(&b, "%s: reach %s, auth %s, %s", place, t.Files.Reach, auth, t.Files.Starts)
		if t.Version != nil {
			fmt.Fprintf(&b, ", %s", t.Version.Exact)
		}
		b.WriteString("\n")
		for _, f := range t.Findings {
			fmt.Fprintf(&b, "  %-8s %s", f.Severity, f.ID)
			for _, l := range f.Locations {
				fmt.Fprintf(&b, " %s", l.Pos)
			}
			fmt.Fprintf(&b, "\n           %s\n", f.Detail)
			if f.Diff != "" {
				fmt.Fprintf(&b, "           %s\n", strings.ReplaceAll(f.Diff, "\n", "\n           "))
			}
		}
		for _, l := range t.Files.Unjudged {
			fmt.Fprintf(&b, "  gap %s %s\n", l.Pos, l.Says)
		}
		for _, n := range t.Notes {
			fmt.Fprintf(&b, "  note %s\n", n)
		}
	}
	return b.String()
}

// Deployments of the kinds that are found in the field, written for this test: what
// each is judged to be, with every place.
func TestPatterns(t *testing.T) {
	dirs, err := filepath.Glob("testdata/patterns/*")
	if err != nil || len(dirs) < 24 {
		t.Fatalf("%d patterns (%v)", len(dirs), err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			stated := map[string]string{"02-compose-env-missing": "", "16-render-origins-off": "2026.6.11"}[filepath.Base(dir)]
			if stated == "" {
				stated = "2026.9.6"
			}
			golden(t, filepath.Join("testdata", "golden", filepath.Base(dir)+".txt"), say(judge(t, dir, stated)))
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Deployments side by side in one repository are each judged as if they were alone.
func TestPatternsTogether(t *testing.T) {
	dirs, err := filepath.Glob("testdata/patterns/*")
	if err != nil {
		t.Fatal(err)
	}
	found := func(targets []*event.Target, below string) map[string]bool {
		out := map[string]bool{}
		for _, x := range targets {
			for _, f := range x.Findings {
				if at := f.Locations[0].Pos; strings.HasPrefix(at.File, below) {
					at.File = strings.TrimPrefix(at.File, below)
					out[fmt.Sprintf("%s %s %s", f.Severity, f.ID, at)] = true
				}
			}
		}
		return out
	}
	together := judge(t, "testdata/patterns", "2026.9.6")
	for _, dir := range dirs {
		name := filepath.Base(dir)
		alone, beside := found(judge(t, dir, "2026.9.6"), ""), found(together, name+"/")
		if strings.Contains(name, "-k8s-") {
			continue // the parts of a cluster are often in several directories
		}
		for f := range alone {
			if !beside[f] {
				t.Errorf("%s: beside others it has no %s", name, f)
			}
		}
		for f := range beside {
			if !alone[f] {
				t.Errorf("%s: beside others it has %s", name, f)
			}
		}
	}
}
