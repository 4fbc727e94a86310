//go:build linux

package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// Ollama's C++ takes more than 5 minutes on two cores that do other work, too.
	buildLimit = 40 * time.Minute
	// From exec to the first connection: seconds, but a busy machine takes its time.
	relativeLimit = 2 * time.Minute
)

// InstallNPM puts a package of npm's into the cache, if it is not there already, and
// returns its folder. No install script runs. What it depends on lies below that
// folder: some programs look for it there and nowhere else.
func (l *Lab) InstallNPM(ctx context.Context, pkg, version string) (string, error) {
	name := dirName(pkg, version)
	err := l.install(ctx, name, pkg, version, `{"name":"lab","private":true}`,
		"--ignore-scripts", "--omit=optional", "--install-strategy=shallow", pkg+"@"+version)
	return filepath.Join(l.dir, name, "node_modules", filepath.FromSlash(pkg)), err
}

// InstallGo builds a command out of a module that the Go module proxy serves, if that
// is not in the cache already, and returns the path of the binary. Env is added to the
// environment of the build.
func (l *Lab) InstallGo(ctx context.Context, command, version string, env ...string) (string, error) {
	name := strings.ReplaceAll(command, "/", "-") + "-" + version
	unlock, err := l.lock(ctx, name)
	if err != nil {
		return "", err
	}
	defer unlock()
	final, part := filepath.Join(l.dir, name), filepath.Join(l.dir, name+".part")
	binary := filepath.Join(final, filepath.Base(command))
	if _, err := os.Stat(binary); !errors.Is(err, fs.ErrNotExist) {
		return binary, err
	}
	if err := os.RemoveAll(part); err != nil {
		return "", fmt.Errorf("clear an interrupted build: %w", err)
	}
	if _, err := l.runGo(ctx, append(env, "GOBIN="+part), "install", command+"@"+version); err != nil {
		return "", err
	}
	if err := os.Rename(part, final); err != nil {
		return "", fmt.Errorf("build %s: %w", command, err)
	}
	return binary, nil
}

// GoModule returns the folder of a module's source, out of Go's own cache or the
// module proxy.
func (l *Lab) GoModule(ctx context.Context, module, version string) (string, error) {
	out, err := l.runGo(ctx, nil, "mod", "download", "-json", module+"@"+version)
	var got struct{ Dir, Error string }
	if jsonErr := json.Unmarshal([]byte(out), &got); err == nil && jsonErr != nil {
		err = jsonErr
	}
	if got.Error != "" {
		err = errors.New(got.Error)
	}
	return got.Dir, err
}

// AskNPM says why npm does not serve a version of a package; no error if it does.
func (l *Lab) AskNPM(ctx context.Context, pkg, version string) error {
	return quietly(exec.CommandContext(ctx, "npm", "view", pkg+"@"+version, "version"))
}

// AskGo says why the Go module proxy does not serve a version of a module; no error if
// it does.
func (l *Lab) AskGo(ctx context.Context, module, version string) error {
	_, err := l.runGo(ctx, nil, "list", "-m", module+"@"+version)
	return err
}

// runGo runs the go command away from this module and returns its output. It gets
// modules from the proxy alone, never from where their source is kept.
func (l *Lab) runGo(ctx context.Context, env []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	proxy, err := exec.CommandContext(ctx, "go", "env", "GOPROXY").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	// Between proxies stands a comma or a bar.
	proxies := strings.NewReplacer(",direct", "", "|direct", "").Replace(strings.TrimSpace(string(proxy)))
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = os.TempDir()
	cmd.Env = append(append(cmd.Environ(), "GOPROXY="+proxies, "GOVCS=*:off", "GOFLAGS=-mod=mod", "GOWORK=off", "GOTOOLCHAIN=local"), env...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, lastLines(string(exit.Stderr), 6))
	}
	return string(out), err
}

// quietly runs cmd; what it printed is in the error.
func quietly(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, lastLines(string(out), 6))
	}
	return err
}

// StartRelative starts a program with a home folder of its own, home, in a namespace
// that has no way out, and waits until it takes connections on its port. Nothing of the
// environment of the user who runs the tests reaches it but the PATH; env is added. Its output
// goes to a file beside home.
func (l *Lab) StartRelative(ctx context.Context, n *Namespace, home string, port uint16, env []string, argv ...string) (*Service, error) {
	tmp := filepath.Join(home, "tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return nil, err
	}
	cmd := n.Command(argv[0], argv[1:]...)
	cmd.Dir = home
	cmd.Env = append([]string{
		"PATH=" + filepath.Dir(l.Node()) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + home, "TMPDIR=" + tmp, "LANG=C.UTF-8", "NO_COLOR=1",
	}, env...)
	return n.serve(ctx, cmd, home+".log", netip.AddrPortFrom(loopback(), port), relativeLimit)
}
