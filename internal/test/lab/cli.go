//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// CommandDir makes a folder with the gateway's own command line as an operator has
// it: a program of the package's name that runs the installed release on this
// gateway's files. Put before PATH, it stands for a global installation. The
// folder is below the gateway's home.
func (g *Gateway) CommandDir() (string, error) {
	p := programOf(g.Config.Package)
	dir := filepath.Join(g.Home, "bin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for %s: %w", p.name, err)
	}
	script := "#!/bin/sh\nexec env -i"
	for _, e := range g.environ() {
		if path, ok := strings.CutPrefix(e, "PATH="); ok {
			e = "PATH=" + dir + string(os.PathListSeparator) + path
		}
		script += " " + shellQuote(e)
	}
	script += " " + shellQuote(g.Lab.Node()) + " " + shellQuote(g.entry()) + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, p.name), []byte(script), 0o700); err != nil {
		return "", fmt.Errorf("write %s: %w", p.name, err)
	}
	// A service of this machine's user is not the lab's to restart.
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\necho 'no services in the lab' >&2\nexit 1\n"), 0o700); err != nil {
		return "", fmt.Errorf("write systemctl: %w", err)
	}
	return dir, nil
}

// UseGlobal has the gateway and its command line run from what "npm install -g" put
// below prefix, from the next start on.
func (g *Gateway) UseGlobal(prefix string) { g.prefix = prefix }

// Pause ends the process; Restart starts it again.
func (g *Gateway) Pause() { g.proc.stop() }

// Restart stops the gateway, if it runs, and starts it again on the files as they
// are: what a service manager does after "openclaw gateway restart".
func (g *Gateway) Restart(ctx context.Context) error {
	g.proc.stop()
	err := g.run(ctx)
	if err != nil && g.proc != nil {
		err = errors.Join(err, errors.New(lastLines(g.Log(), 15)))
	}
	if err != nil {
		return fmt.Errorf("restart gateway %s (%s %s): %w", g.Config.Name, g.Config.Package, g.Config.Version, err)
	}
	return nil
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
