//go:build linux

// Package lab runs real OpenClaw gateways, and real web servers in front of
// them, on this machine. The end-to-end tests and the capture recorder use it;
// the shipped binary never does.
//
// Everything a lab installs comes from npm and stays in its cache folder.
// Everything it starts listens on loopback (unless a test asks for another
// bind), writes below a folder that the caller gives, belongs to a process
// group of its own, and dies with the process that started it.
package lab

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/clawsonar/clawsonar/internal/results"
)

// NodeVersion is the Node that runs every release of the matrix; recent
// releases refuse Node 20 and 22.
const NodeVersion = "24.21.0"

// installLimit bounds one npm run: a release takes about a minute on a slow
// link, a stuck registry would otherwise hold the whole test run.
const installLimit = 10 * time.Minute

//go:embed guard.cjs
var guardScript []byte

// Lab is a cache folder with a Node and any number of installed releases. It
// holds no running processes and is safe for concurrent use.
type Lab struct {
	dir string
}

// Open makes dir usable as a lab and installs Node into it if it is not there.
// An empty dir means .cache/lab below the module root.
func Open(ctx context.Context, dir string) (*Lab, error) {
	if dir == "" {
		root, err := ModuleRoot()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(root, ".cache", "lab")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("lab folder: %w", err)
	}
	l := &Lab{dir: dir}
	if err := os.MkdirAll(filepath.Join(dir, "tmp"), 0o755); err != nil {
		return nil, fmt.Errorf("make lab folder: %w", err)
	}
	if err := l.writeGuard(ctx); err != nil {
		return nil, fmt.Errorf("write the network guard: %w", err)
	}
	// Node comes with an install script that fetches the binary's package, so
	// scripts stay on for this one.
	err = l.install(ctx, "node", "node", NodeVersion, `{"name":"lab","private":true}`, "node@"+NodeVersion)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// ModuleRoot returns the folder of the nearest go.mod, from the working
// directory upwards.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find module root: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find module root: no go.mod above the working directory; run inside the source tree")
		}
		dir = parent
	}
}

// Node returns the path of the lab's node binary.
func (l *Lab) Node() string {
	return filepath.Join(l.dir, "node", "node_modules", "node", "bin", "node")
}

// guard is the path of the script that keeps a gateway's own connections on
// this machine.
func (l *Lab) guard() string { return filepath.Join(l.dir, "guard.cjs") }

// writeGuard replaces the script in one step: somebody else may be starting a
// gateway with it at this moment.
func (l *Lab) writeGuard(ctx context.Context) error {
	unlock, err := l.lock(ctx, "guard")
	if err != nil {
		return err
	}
	defer unlock()
	return results.Replace(l.guard(), guardScript)
}

// Install puts one release of pkg ("openclaw", "clawdbot" or a fork) into the
// cache, if it is not there already.
func (l *Lab) Install(ctx context.Context, pkg, version string) error {
	// libsignal is a git dependency and linkedom a release that npm no longer
	// resolves, both of releases before 2026.4; strip-ansi and clipboard are
	// what those releases use without declaring it.
	const manifest = `{"name":"lab","private":true,"overrides":{"libsignal":"npm:libsignal@*","linkedom":"0.18.13"}}`
	return l.install(ctx, dirName(pkg, version), pkg, version, manifest,
		"--ignore-scripts", "--omit=optional",
		pkg+"@"+version, "strip-ansi@7", "@mariozechner/clipboard-linux-x64-gnu")
}

// install runs npm in a scratch folder and renames it to dir/name when npm is
// done, so that a folder of that name is always a complete one.
func (l *Lab) install(ctx context.Context, name, pkg, version, manifest string, args ...string) error {
	unlock, err := l.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()

	final := filepath.Join(l.dir, name)
	got, err := packageVersion(final, pkg)
	switch {
	case err == nil && got == version:
		return nil
	case err == nil:
		return fmt.Errorf("%s holds %s %s, not %s: remove it and run again", final, pkg, got, version)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}

	part := final + ".part"
	for _, old := range []string{part, final} {
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("clear an interrupted install: %w", err)
		}
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return fmt.Errorf("install %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(part, "package.json"), []byte(manifest), 0o644); err != nil {
		return fmt.Errorf("install %s: %w", name, err)
	}
	if err := npmInstall(ctx, part, args...); err != nil {
		return err
	}
	if got, err = packageVersion(part, pkg); err != nil {
		return fmt.Errorf("install %s: npm finished without it: %w", name, err)
	}
	if got != version {
		return fmt.Errorf("install %s: npm installed %s instead", name, got)
	}
	if err := os.Rename(part, final); err != nil {
		return fmt.Errorf("install %s: %w", name, err)
	}
	return nil
}

// addPackage installs one more package into a release's tree: some releases do
// not declare everything they import.
func (l *Lab) addPackage(ctx context.Context, name, pkg string) error {
	unlock, err := l.lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	dir := filepath.Join(l.dir, name)
	if _, err := packageVersion(dir, pkg); err == nil {
		return nil // another process was faster
	}
	return npmInstall(ctx, dir, "--ignore-scripts", "--omit=optional", pkg)
}

func npmInstall(ctx context.Context, dir string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, installLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", append([]string{"install", "--no-audit", "--no-fund"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("npm install %s: %w (is npm installed and its registry reachable?)\n%s",
			strings.Join(args, " "), err, lastLines(string(out), 10))
	}
	return nil
}

// packageVersion reads the version of a package installed below dir.
func packageVersion(dir, pkg string) (string, error) {
	file := filepath.Join(dir, "node_modules", filepath.FromSlash(pkg), "package.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var manifest struct{ Version string }
	if err := json.Unmarshal(data, &manifest); err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	return manifest.Version, nil
}

// lock takes the lab-wide lock of that name, which other processes respect too
// and which the kernel gives back should this process die.
func (l *Lab) lock(ctx context.Context, name string) (unlock func(), err error) {
	for {
		unlock, err := l.tryLock(name)
		if err == nil {
			return unlock, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another process that works on %s: %w", name, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// tryLock is lock without the waiting: EWOULDBLOCK when somebody else holds it.
func (l *Lab) tryLock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(l.dir, name+".lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return func() { f.Close() }, nil
}

// FindTool returns the path of a program. It looks in the administrator's folders too: nginx and ip live there,
// and an ordinary user's PATH often leaves them out.
func FindTool(tool string) (string, error) {
	path, err := exec.LookPath(tool)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, tool)); err == nil {
			return path, nil
		}
	}
	return "", err
}

// lastLines returns the end of a text, n lines at most.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
