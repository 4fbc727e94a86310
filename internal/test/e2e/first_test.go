//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clawsonar/clawsonar/internal/test/lab"
)

// commandsFirst returns the commands of the block DO THIS FIRST of a table, in
// their order.
func commandsFirst(table string) []string {
	_, rest, ok := strings.Cut(table, "DO THIS FIRST\n")
	if !ok {
		return nil
	}
	block, _, _ := strings.Cut(rest, "\n\n")
	var out []string
	joined := strings.ReplaceAll(block, " \\\n       ", " ")
	for line := range strings.Lines(joined) {
		if c, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "     "); ok {
			out = append(out, c)
		}
	}
	return out
}

// TestDoThisFirst runs what a report says to do first, as it stands there, on a
// real gateway without authentication, and then the scan that it names: the
// gateway asks for a credential and the findings are gone.
func TestDoThisFirst(t *testing.T) {
	if os.Getenv("CLAWSONAR_E2E_COMMANDS") == "" {
		t.Skip("SKIPPED, NOT TESTED: the commands of \"do this first\" on four releases, which takes 4 minutes: set CLAWSONAR_E2E_COMMANDS=1")
	}
	l, ctx := open(t, "what a report says to do first")
	prefix := t.TempDir() // of npm's global packages
	for _, c := range []struct{ pkg, version, width string }{
		{"openclaw", "2026.3.13", "80"},
		{"openclaw", "2026.6.11", "60"},
		{"openclaw", "2026.9.6", "100"},
		{"clawdbot", "2026.1.24-3", "80"},
	} {
		t.Run(c.pkg+"-"+c.version, func(t *testing.T) {
			g, err := l.Start(ctx, filepath.Join(t.TempDir(), "gateway"), lab.Config{Name: "first", Package: c.pkg, Version: c.version, Mode: lab.None})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Stop()
			table, err := exec.Command(program, "scan", strings.TrimSuffix(g.URL, "/")).Output()
			if err != nil {
				t.Fatal(err)
			}
			commands := commandsFirst(string(table))
			if len(commands) < 3 {
				t.Fatalf("commands %q in:\n%s", commands, table)
			}
			scanned := false
			for _, command := range commands {
				t.Logf("$ %s", command)
				bin, err := commandDir(g)
				if err != nil {
					t.Fatal(err)
				}
				if rest, ok := strings.CutPrefix(command, "clawsonar scan "); ok {
					scanned = true
					targets, _, _ := scan(t, strings.Fields(rest)...)
					if len(targets) != 1 || targets[0].Auth == nil || targets[0].Auth.State != "required" {
						t.Fatalf("after the commands: %+v", targets)
					}
					for _, f := range targets[0].Findings {
						t.Logf("left: %s %s: %s", f.Severity, f.ID, f.Detail)
						if f.Severity.Rank() >= 4 && c.pkg == "openclaw" {
							t.Errorf("%s is left: %s", f.ID, f.Detail)
						}
					}
					continue
				}
				cmd := exec.Command("bash", "-c", command)
				cmd.Env = append(os.Environ(), "npm_config_prefix="+prefix,
					"PATH="+strings.Join([]string{bin, filepath.Dir(l.Node()), os.Getenv("PATH")}, string(os.PathListSeparator)))
				out, err := cmd.CombinedOutput()
				// There is no service here, which is what these say; the lab does what
				// a service manager would.
				switch _, what, _ := strings.Cut(command, " gateway "); what {
				case "stop":
					t.Logf("%v\n%s", err, out)
					g.Pause()
					continue
				case "start", "restart":
					t.Logf("%v\n%s", err, out)
					if err := g.Restart(ctx); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%s: %v\n%s", command, err, out)
				}
				if strings.HasPrefix(command, "npm install -g ") {
					g.UseGlobal(prefix)
				}
			}
			if !scanned {
				t.Errorf("no scan that proves it in:\n%s", table)
			}
		})
	}
}

// commandDir makes a folder with the gateway's own command line as an operator has
// it: a program of the package's name that runs the installed release on this
// gateway's files. Put before PATH, it stands for a global installation. The
// folder is below the gateway's home.
func commandDir(g *lab.Gateway) (string, error) {
	dir := filepath.Join(g.Home, "bin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for %s: %w", g.Config.Package, err)
	}
	script := "#!/bin/sh\nexec env -i"
	for _, e := range g.Environ() {
		if path, ok := strings.CutPrefix(e, "PATH="); ok {
			e = "PATH=" + dir + string(os.PathListSeparator) + path
		}
		script += " " + shellQuote(e)
	}
	script += " " + shellQuote(g.Lab.Node()) + " " + shellQuote(g.Entry()) + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, g.Config.Package), []byte(script), 0o700); err != nil {
		return "", fmt.Errorf("write %s: %w", g.Config.Package, err)
	}
	// A service of this machine's user is not the lab's to restart.
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\necho 'no services in the lab' >&2\nexit 1\n"), 0o700); err != nil {
		return "", fmt.Errorf("write systemctl: %w", err)
	}
	return dir, nil
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
