//go:build linux

package lab

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clawsonar/clawsonar/internal/event"
)

// Mode is a gateway's authentication mode.
type Mode = event.AuthMode

// The modes. None does not exist in 2026.1.29 to 2026.2.18; clawdbot is open
// when nothing about authentication is configured.
const (
	None         Mode = event.ModeNone
	Token        Mode = "token"
	Password     Mode = "password"
	TrustedProxy Mode = "trusted-proxy"
)

const (
	// From exec to readiness, one try: 5 to 25 s alone on two cores, more than 3
	// minutes seen with much other work beside it.
	startLimit = 6 * time.Minute
	startTries = 4 // the first, and one for each missing package
)

// Config describes one gateway. The zero value of a field is the product's
// default, except where it says otherwise.
type Config struct {
	Name    string // names the gateway's folder and its errors; needed by StartAll, unique
	Package string // "openclaw", "clawdbot" or a fork, see programs
	Version string

	Mode           Mode
	TrustedProxies []string   // mode trusted-proxy: addresses whose x-forwarded-user is believed
	Bind           string     // default "loopback"; releases refuse mode none on any other
	Port           uint16     // 0: a free one
	Net            *Namespace // where it runs; nil: with everything else
	BasePath       string     // of the control UI, as "/claw"
	TLS            bool       // with a certificate the gateway makes itself
	NoControlUI    bool

	Extra map[string]any // merged over the configuration file, key by key
	Env   []string       // added to the environment, NAME=value

	File []byte   // the configuration file as it is, instead of all that the fields above say of it
	Args []string // of the program, instead of "gateway run" with the port
}

// Gateway is a running gateway.
type Gateway struct {
	Config  Config
	Addr    netip.AddrPort // on loopback, also when the gateway listens on more; in a Net on the link when it listens there
	URL     string         // of the control UI: scheme, address and base path, ending in "/"
	Home    string         // its home folder, which holds everything it writes
	Secret  string         // token or password of this run; never print it
	Startup time.Duration  // from exec to readiness, of the try that succeeded
	Lab     *Lab           // in which it was started

	prefix  string // of npm's global packages, see UseGlobal
	proc    *process
	release func()
	once    sync.Once
}

// Start installs the release if needed, starts a gateway whose files are all
// below workdir, and returns when it answers and says that it is ready. The
// context bounds the start only: the gateway runs until Stop, or until this
// process ends. (Lock files of recent releases, named by a digest of the state
// folder, go to the system's temporary folder in any configuration.)
func (l *Lab) Start(ctx context.Context, workdir string, c Config) (*Gateway, error) {
	g := &Gateway{Config: c, Home: filepath.Join(workdir, "home"), Lab: l, release: func() {}}
	fail := func(err error) (*Gateway, error) {
		g.Stop()
		return nil, fmt.Errorf("start gateway %s (%s %s): %w", c.Name, c.Package, c.Version, err)
	}
	if err := l.Install(ctx, c.Package, c.Version); err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(g.stateDir(), 0o700); err != nil {
		return fail(err)
	}
	port := c.Port
	if port == 0 {
		p, release, err := l.reservePort()
		if err != nil {
			return fail(err)
		}
		port, g.release = p, release
	}
	g.Addr = netip.AddrPortFrom(loopback(), port)
	if c.Net != nil && c.Bind == "lan" {
		g.Addr = netip.AddrPortFrom(c.Net.Addr, port)
	}
	scheme := "http"
	if c.TLS {
		scheme = "https"
	}
	g.URL = scheme + "://" + g.Addr.String() + strings.TrimRight(c.BasePath, "/") + "/"
	if c.Mode == Token || c.Mode == Password {
		g.Secret = rand.Text()
	}
	config, err := c.File, error(nil)
	if config == nil {
		config, err = json.MarshalIndent(c.file(port, g.Secret, g.logFile()), "", "  ")
	}
	if err != nil {
		return fail(fmt.Errorf("render configuration: %w", err))
	}
	if err := os.WriteFile(g.configFile(), config, 0o600); err != nil {
		return fail(err)
	}

	for try := 1; ; try++ {
		err := g.run(ctx)
		if err == nil {
			return g, nil
		}
		if g.proc == nil {
			return fail(err)
		}
		g.proc.stop()
		missing := missingPackage(g.Log())
		switch {
		case try == startTries || missing == "" && !tooSlow(g.Log()):
			return fail(fmt.Errorf("%w\n%s", err, lastLines(g.Log(), 15)))
		case missing == "":
			// What it left is half done.
			if err := errors.Join(os.RemoveAll(g.stateDir()), os.MkdirAll(g.stateDir(), 0o700)); err != nil {
				return fail(err)
			}
		default:
			if err := l.addPackage(ctx, c.dirName(), missing); err != nil {
				return fail(err)
			}
		}
		if err := os.Remove(g.proc.log); err != nil {
			return fail(err)
		}
	}
}

// run starts the process and waits until it is ready.
func (g *Gateway) run(ctx context.Context) error {
	begin := time.Now()
	args := g.Config.Args
	if args == nil {
		args = []string{"gateway", "run", "--port", strconv.Itoa(int(g.Addr.Port())), "--allow-unconfigured"}
	}
	cmd := g.Config.Net.Command(g.Lab.Node(), append([]string{g.Entry()}, args...)...)
	cmd.Dir = g.Home
	cmd.Env = g.Environ()
	var err error
	g.proc, err = startProcess(cmd, filepath.Join(filepath.Dir(g.Home), "gateway.log"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := waitReady(ctx, g.proc, g.Config.Net, strings.SplitAfter(g.URL, g.Addr.String())[0]+"/readyz"); err != nil {
		return err
	}
	g.Startup = time.Since(begin)
	return nil
}

// Entry is the file that node runs.
func (g *Gateway) Entry() string {
	if g.prefix != "" {
		return filepath.Join(g.prefix, "lib", "node_modules", filepath.FromSlash(g.Config.Package), filepath.FromSlash(programOf(g.Config.Package).entry))
	}
	return filepath.Join(g.Lab.dir, g.Config.dirName(), "node_modules",
		filepath.FromSlash(g.Config.Package), filepath.FromSlash(programOf(g.Config.Package).entry))
}

// waitReady polls url until something answers that is not the 503 of a program
// still starting. Releases without /readyz answer with their page or a 404.
func waitReady(ctx context.Context, p *process, n *Namespace, url string) error {
	client := &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       n.DialContext,
			// The certificate is one the gateway has just made for itself.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p.await(ctx, func() error {
		resp, err := client.Get(url)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
		if resp.StatusCode == http.StatusServiceUnavailable {
			return errors.New("it answers, but says that it is not ready")
		}
		return nil
	})
}

// loopback is where the gateway's own host reaches it.
func (g *Gateway) loopback() netip.AddrPort { return netip.AddrPortFrom(loopback(), g.Addr.Port()) }

// Stop ends the gateway and everything it started, and waits for that. Calling
// it again does nothing.
func (g *Gateway) Stop() {
	if g.proc != nil {
		g.proc.stop()
	}
	g.once.Do(g.release)
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

// Log returns what the gateway has printed so far, without its secret.
func (g *Gateway) Log() string {
	if g.proc == nil {
		return ""
	}
	return g.redact(g.proc.output())
}

func (g *Gateway) redact(text string) string {
	if g.Secret == "" {
		return text
	}
	return strings.ReplaceAll(text, g.Secret, "[secret]")
}

func (g *Gateway) stateDir() string {
	return filepath.Join(g.Home, "."+programOf(g.Config.Package).name)
}

func (g *Gateway) configFile() string {
	return filepath.Join(g.Home, programOf(g.Config.Package).name+".json")
}

// logFile replaces the default, a file in the machine-wide temporary folder
// that all gateways would share.
func (g *Gateway) logFile() string { return filepath.Join(filepath.Dir(g.Home), "file.log") }

// Environ is what it and its command line run with. It is built from nothing: a gateway must not find the API keys and
// settings of the user who runs the tests.
func (g *Gateway) Environ() []string {
	env := []string{
		"PATH=" + filepath.Dir(g.Lab.Node()) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME=" + g.Home,
		"LANG=C.UTF-8",
		"NO_COLOR=1",
		// Shared by all runs: older releases compile their plugins at start and
		// keep the result here, which takes 40 s the first time.
		"TMPDIR=" + filepath.Join(g.Lab.dir, "tmp"),
		// Releases start themselves a second time to set the first option; with
		// it there already they stay one process.
		"NODE_OPTIONS=--disable-warning=ExperimentalWarning --require=" + strconv.Quote(g.Lab.guard()),
	}
	for _, prefix := range programOf(g.Config.Package).prefixes {
		env = append(env,
			prefix+"STATE_DIR="+g.stateDir(),
			prefix+"CONFIG_PATH="+g.configFile(),
			prefix+"DISABLE_BONJOUR=1",
			prefix+"SKIP_CHANNELS=1",
			prefix+"NO_RESPAWN=1",
		)
	}
	return append(env, g.Config.Env...)
}

// dirName is the package's folder in the lab; a scope stays part of the name.
func (c Config) dirName() string { return dirName(c.Package, c.Version) }

// file is the gateway's configuration file.
func (c Config) file(port uint16, secret, logFile string) map[string]any {
	bind := c.Bind
	if bind == "" {
		bind = "loopback"
	}
	gateway := map[string]any{"mode": "local", "port": port, "bind": bind}
	switch c.Mode {
	case None:
		if !programOf(c.Package).noModeNone {
			gateway["auth"] = map[string]any{"mode": None}
		}
	case Token:
		gateway["auth"] = map[string]any{"mode": "token", "token": secret}
	case Password:
		gateway["auth"] = map[string]any{"mode": "password", "password": secret}
	case TrustedProxy:
		gateway["auth"] = map[string]any{
			"mode":         "trusted-proxy",
			"trustedProxy": map[string]any{"userHeader": "x-forwarded-user"},
		}
		gateway["trustedProxies"] = c.TrustedProxies
	}
	controlUI := map[string]any{}
	if c.BasePath != "" {
		controlUI["basePath"] = c.BasePath
	}
	if c.NoControlUI {
		controlUI["enabled"] = false
	}
	if len(controlUI) > 0 {
		gateway["controlUi"] = controlUI
	}
	if c.TLS {
		gateway["tls"] = map[string]any{"enabled": true, "autoGenerate": true}
	}
	return merge(map[string]any{
		"gateway": gateway,
		"logging": map[string]any{"file": logFile},
		"update":  map[string]any{"checkOnStart": false},
		// What the agent does by the clock, asked or not: a turn every
		// half hour, at a moment that hangs on the device's key, and from 2026.9 jobs
		// at night. Without a model each leaves errors in the log, which a test would
		// take for the doing of the client that talked to the gateway meanwhile.
		"agents": map[string]any{"defaults": map[string]any{"heartbeat": map[string]any{"every": "0m"}}},
		"cron":   map[string]any{"enabled": false},
	}, c.Extra)
}

// merge returns base with over laid on it, key by key; neither is changed.
func merge(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	for key, value := range over {
		below, ok1 := out[key].(map[string]any)
		above, ok2 := value.(map[string]any)
		if ok1 && ok2 {
			value = merge(below, above)
		}
		out[key] = value
	}
	return out
}

// tooSlow reports whether a recent release gave up because the machine was busy:
// it expects a thread of its own to be there within a second or two.
func tooSlow(log string) bool {
	return strings.Contains(log, "state lease heartbeat did not become ready")
}

// missingModule matches Node's complaint (ERR_MODULE_NOT_FOUND) about a package
// that a release uses without declaring it. The code is not part of the
// pattern: recent releases print the complaint in words of their own.
var missingModule = regexp.MustCompile(`Cannot find package '((?:@[a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*)' imported from`)

// missingBinding matches the complaint of a package whose native part npm left
// out with the optional packages: 2026.2.21 loads one as it starts.
var missingBinding = regexp.MustCompile(`Cannot find native binding\..*\n.*/node_modules/((?:@[a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*)/`)

// missingPackage names the package that a release died for the lack of, or "".
func missingPackage(log string) string {
	if match := missingModule.FindStringSubmatch(log); match != nil {
		return match[1]
	}
	if match := missingBinding.FindStringSubmatch(log); match != nil {
		return match[1] + "-linux-x64-gnu"
	}
	return ""
}

// StartAll starts a gateway for every configuration, parallel at a time, each
// in a folder of its name below workdir. Either all are started or none is left
// running.
func (l *Lab) StartAll(ctx context.Context, workdir string, configs []Config, parallel int) ([]*Gateway, error) {
	gateways := make([]*Gateway, len(configs))
	group, ctx := errgroup.WithContext(ctx) // after an error the others are of no use
	group.SetLimit(max(1, parallel))
	for i, c := range configs {
		group.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				gateways[i], err = l.Start(ctx, filepath.Join(workdir, c.Name), c)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		StopAll(gateways)
		return nil, err
	}
	return gateways, nil
}

// StopAll stops gateways side by side; nil ones are skipped.
func StopAll(gateways []*Gateway) {
	var wg sync.WaitGroup
	for _, g := range gateways {
		if g != nil {
			wg.Go(g.Stop)
		}
	}
	wg.Wait()
}
