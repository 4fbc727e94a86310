package exposure_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/deploy"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/exposure"
	"github.com/clawsonar/clawsonar/internal/filetree"
	"github.com/clawsonar/clawsonar/internal/inspect"
	"github.com/clawsonar/clawsonar/internal/release"
)

// aCase is one configuration, and what the official audit of each release said of it: its
// findings, or that it refuses the configuration.
type aCase struct {
	Name     string
	StateDir string            `json:"state_dir_mode"`
	DirModes map[string]string `json:"dir_modes"`
	Env      map[string]string
	Args     []string
	Files    []struct {
		Path, Mode, Text string
		Symlink          bool
	}
	Before json.RawMessage            `json:"config_before_2026_8"`
	Audits map[string]json.RawMessage `json:"audits"`
}

func corpus(t *testing.T) []aCase {
	t.Helper()
	data, err := os.ReadFile("testdata/corpus.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []aCase
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("%d cases", len(all))
	}
	return all
}

// judgeCase judges a case as that release would meet it.
func judgeCase(t *testing.T, c aCase, v string) *event.Target {
	t.Helper()
	files, modes := map[string]string{}, map[string]fs.FileMode{}
	octal := func(s string) fs.FileMode {
		n, err := strconv.ParseUint(s, 8, 32)
		if err != nil {
			t.Fatal(err)
		}
		return fs.FileMode(n)
	}
	modes[".openclaw"] = fs.ModeDir | octal(c.StateDir)
	for dir, mode := range c.DirModes {
		modes[path.Join(".openclaw", dir)] = fs.ModeDir | octal(mode)
	}
	for _, f := range c.Files {
		name := path.Join(".openclaw", f.Path)
		text := f.Text
		if f.Path == "openclaw.json" && len(c.Before) > 0 && release.MustParse(v).Compare(release.MustParse("2026.8.1")) < 0 {
			text = string(c.Before)
		}
		if f.Symlink {
			files[".openclaw/real-"+f.Path] = text
			files[name], modes[name] = "real-"+f.Path, fs.ModeSymlink|0o777
			continue
		}
		files[name] = text
		modes[name] = octal(f.Mode)
	}
	d := inspect.Read(filetree.Map(files, modes), inspect.Options{})
	for _, g := range d.Model.Gateways { // what the audit found in its environment and on its command line
		g.Env = map[string]deploy.Value{}
		for name, value := range c.Env {
			g.Env[name] = deploy.Value{State: deploy.Set, Text: value, Pos: event.Pos{File: "environment", Line: 1}}
		}
		g.Container = deploy.No
		g.Command = &deploy.Command{Flags: map[string]deploy.Value{}, Pos: event.Pos{File: "command line", Line: 1}}
		for i := 0; i+1 < len(c.Args); i++ {
			if name, ok := strings.CutPrefix(c.Args[i], "--"); ok && !strings.HasPrefix(c.Args[i+1], "--") {
				g.Command.Flags[name] = deploy.Value{State: deploy.Set, Text: c.Args[i+1], Pos: event.Pos{File: "command line", Line: 1}}
			}
		}
	}
	targets := exposure.Judge(d.Model, options(t, d, v))
	if len(targets) != 1 {
		t.Fatalf("%s: %d targets", c.Name, len(targets))
	}
	return targets[0]
}

// Configurations of which the official audit of three releases is known: ours, and that each
// difference has a reason.
func TestCorpus(t *testing.T) {
	data, err := fingerprints.FS.ReadFile("config/audit.yaml")
	if err != nil {
		t.Fatal(err)
	}
	audit, err := exposure.LoadAudit("audit.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"2026.3.13", "2026.6.11", "2026.9.6"} {
		t.Run(v, func(t *testing.T) {
			var b strings.Builder
			counts := map[exposure.Agreement]int{}
			for _, c := range corpus(t) {
				target := judgeCase(t, c, v)
				fmt.Fprintf(&b, "%s\n%s", c.Name, say([]*event.Target{target}))
				raw, ok := c.Audits[v]
				switch {
				case !ok:
					continue
				case string(raw) == `"refused"`:
					// It refuses keys that the gateway itself replaces when it starts.
					found := has(target, "config-invalid") || has(target, "refuses-start") || has(target, "setting-without-effect")
					if !found && c.Name != "plugins-phantom-allow" { // that lacks a plug-in which is not in the files
						t.Errorf("%s: the audit refuses the configuration, and nothing is found", c.Name)
					}
					continue
				}
				if has(target, "config-invalid") {
					t.Errorf("%s: invalid for us, and not for the product", c.Name)
				}
				var official []exposure.Official
				if err := json.Unmarshal(raw, &official); err != nil {
					t.Fatal(err)
				}
				for _, r := range audit.Compare(target, official, true) {
					counts[r.Agreement]++
					fmt.Fprintf(&b, "  %s: %s %s | %s | %s\n", r.Agreement, r.Theirs.ID, r.Theirs.Severity, strings.Join(r.Ours, ", "), r.Why.English)
					if r.Agreement == exposure.Unexplained {
						t.Errorf("%s: %s %s beside %v has no reason", c.Name, r.Theirs.ID, r.Theirs.Severity, r.Ours)
					}
				}
			}
			t.Logf("%v", counts)
			golden(t, "testdata/golden/corpus-"+v+".txt", b.String())
		})
	}
}

func has(t *event.Target, id string) bool {
	for i := range t.Findings {
		if t.Findings[i].ID == id {
			return true
		}
	}
	return false
}

func TestReadAudit(t *testing.T) {
	for text, want := range map[string]string{
		`{"findings":[]}`:                    "",
		`{"findings":[{"checkId":"a"}]}`:     "",
		`{"findings":[{"severity":"warn"}]}`: "no checkId",
		`{"findings":null}`:                  "no findings",
		`{}`:                                 "no findings",
		`[]`:                                 "no output of",
		`{"ok":false,"issues":[]}`:           "refused the configuration",
		`{"findings":{}}`:                    "no output of",
		strings.Repeat("[", 200) + "":        "no output of",
		`{"findings":[` + strings.Repeat("1,", 1e6): "no output of",
	} {
		_, err := exposure.ReadAudit("audit.json", []byte(text))
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && !strings.Contains(got, want) {
			t.Errorf("%.40s: %v, want %q", text, err, want)
		}
	}
}
