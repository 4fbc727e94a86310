package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/pace"
	"github.com/clawsonar/clawsonar/internal/policy"
	"github.com/clawsonar/clawsonar/internal/probe"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/target"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// defaultConfig is read when it is there and no other file is named.
const defaultConfig = ".clawsonar.yaml"

// configFlag is the one flag that a configuration file cannot set.
const configFlag = "config"

// webPorts are tried besides a product's own: where proxies listen.
func webPorts() []uint16 { return []uint16{80, 443, 8080, 8443} }

// scanOptions are the flags of scan.
type scanOptions struct {
	list, ports, basePath, scope, excludeFile string
	exclude                                   []string
	interfaces                                bool

	concurrency, rate, retries int
	timeout, maxRuntime        time.Duration

	level, contact string
	authorized     bool

	outputOptions
	gateOptions
	advisoryOptions
	stateOptions

	config string
	dryRun bool
}

func (o *scanOptions) flags() *flags {
	f := newFlags("scan")
	f.group("Targets")
	f.text(&o.list, "list", "l", "FILE", "read targets from a file, one a line, # for comments; - is stdin", nil)
	f.text(&o.ports, "ports", "p", "PORTS", "ports for targets that name none, such as 18789,18790-18793", checkPorts)
	f.text(&o.basePath, "base-path", "", "PATH", "base path for targets that name none, such as /claw", checkBase)
	f.list(&o.exclude, "exclude", "e", "TARGET", "never contact this address, block or range; repeatable", checkPrefixes)
	f.text(&o.excludeFile, "exclude-file", "ef", "FILE", "never contact what this file lists", nil)
	f.text(&o.scope, "scope", "", "FILE", "contact nothing but the addresses, blocks and ranges in this file", nil)
	f.boolean(&o.interfaces, "interfaces", "", "without a target: also this machine's listeners on its other addresses")
	f.group("Pace")
	f.integer(&o.concurrency, "concurrency", "c", 100, 1, "targets probed at a time")
	f.integer(&o.rate, "rate-limit", "rl", 0, 0, "connections a second, all targets together; 0 is unlimited")
	f.duration(&o.timeout, "timeout", "", 10*time.Second, "time for one target")
	f.integer(&o.retries, "retries", "", 1, 0, "further attempts when a connection is reset or this machine fails")
	f.duration(&o.maxRuntime, "max-runtime", "", 0, "stop issuing targets after this time")
	f.group("Depth")
	f.choice(&o.level, "level", "", "LEVEL", "standard", "passive or standard", []string{"passive", "standard"})
	f.group("Authorisation")
	f.boolean(&o.authorized, "authorized", "", "I am authorised to probe these targets; needed for globally reachable ones")
	f.text(&o.contact, "contact", "", "MAIL-OR-URL", "whom a target's operator can ask, sent in the User-Agent; needed likewise", checkContact)
	o.advisoryOptions.flags(f)
	o.outputFlags(f)
	o.stateOptions.flags(f)
	f.group("Run")
	f.text(&o.config, configFlag, "", "FILE", "settings, one \"flag: value\" a line (default ./"+defaultConfig+" if it is there)", nil)
	f.boolean(&o.dryRun, "dry-run", "", "say what would be contacted, and contact nothing")
	return f
}

// outputFlags adds the flags about what comes out.
func (o *scanOptions) outputFlags(f *flags) {
	o.outputOptions.flags(f)
	o.gateOptions.flags(f)
}

func checkPorts(s string) error {
	_, err := target.Ports(s)
	return err
}

func checkPrefixes(s string) error {
	_, err := target.Prefixes(s)
	return err
}

func checkBase(s string) error {
	_, err := parseBase(s)
	return err
}

func checkContact(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("use a mail address or URL in plain ASCII")
	}
	return nil
}

// configFile says which configuration file to read and whether it must exist.
func (o *scanOptions) configFile() (string, bool) {
	if o.config != "" {
		return o.config, true
	}
	return defaultConfig, false
}

func newScan(s streams) *cobra.Command {
	var o scanOptions
	o.ownIgnore = true
	f := o.flags()
	cmd := &cobra.Command{
		Use:   "scan [flags] [TARGET ...]",
		Short: "Probe targets and report what a stranger would find",
		Long: `Probe targets and report what a stranger would find.

A target is an address, CIDR block, range a-b, host name, host:port, or URL
(whose path is the base path). Without any, this machine is scanned over
loopback: the usual ports, and those on which a program that looks like one of
ours listens.

Every flag can also be set in the environment (-fail-on as CLAWSONAR_FAIL_ON)
and in a YAML file; a flag wins over the environment, that over the file.

Exit codes: 0 done · 1 failed while running · 2 usage or input error ·
3 findings at or above -fail-on · 4 incomplete, with -fail-on-incomplete ·
130 interrupted.`,
		Example: `  clawsonar scan
  clawsonar scan 127.0.0.1:18789 -fail-on high
  clawsonar scan https://claw.example.org/agent -f json -authorized -contact me@example.org
  clawsonar scan -l hosts.txt -o jsonl=scan.jsonl`,
	}
	f.attach(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		rest, done, err := arguments(cmd, f, args, o.configFile)
		if done || err != nil {
			return err
		}
		return runScan(s, o, rest)
	}
	return cmd
}

func runScan(s streams, o scanOptions, args []string) error {
	set, err := fingerprint.Load(fingerprints.FS)
	if err != nil {
		return fmt.Errorf("built-in fingerprints: %w", err)
	}
	cfg, gate, err := o.prepare(s, set)
	if err != nil {
		return usage(err)
	}
	if err := o.addTargets(s, cfg, set, args); err != nil {
		return err
	}
	if err := o.stateOptions.apply(cfg); err != nil {
		return usage(err)
	}
	if o.dryRun {
		return dryRun(s, cfg)
	}
	return o.run(s, cfg, gate)
}

// prepare turns options into a configuration, without targets yet. Whatever it
// refuses is the user's to mend.
func (o *scanOptions) prepare(s streams, set *fingerprint.Set) (*scan.Config, *policy.Gate, error) {
	var level fingerprint.Level
	if err := level.UnmarshalText([]byte(o.level)); err != nil {
		return nil, nil, fmt.Errorf("-level: %w", err)
	}
	gate, err := o.gate()
	if err != nil {
		return nil, nil, err
	}
	scope, err := o.makeScope()
	if err != nil {
		return nil, nil, err
	}
	advisories, err := o.advisoryOptions.load(s.err)
	if err != nil {
		return nil, nil, err
	}
	agent := "clawsonar/" + version
	if o.contact != "" {
		agent += " (+" + o.contact + ")"
	}
	cfg := &scan.Config{
		Space: new(target.Space), Scope: scope,
		Prober: &probe.Prober{
			Wire:  wire.New(wire.Options{Scope: scope, Limiter: pace.New(o.rate), UserAgent: agent}),
			Set:   set,
			Level: level, Timeout: o.timeout,
		},
		Checks:      check.All(),
		Advisories:  advisories,
		Concurrency: o.concurrency, Retries: o.retries, ListAll: o.verbose,
		Head: event.Scan{
			Type: "scan", Schema: event.Schema,
			Tool:    event.Tool{Name: "clawsonar", Version: version},
			Started: time.Now().UTC().Truncate(time.Millisecond),
			Level:   level.String(), Shard: "1/1", Data: dataInfo(set, advisories.DB),
			Authorization: event.Authorization{Authorized: o.authorized, Contact: o.contact},
		},
	}
	return cfg, gate, nil
}

// dataInfo says how fresh the built-in knowledge is.
func dataInfo(set *fingerprint.Set, advisories *advisory.DB) event.Data {
	table := set.Releases("openclaw")
	return event.Data{
		Releases: table.Len(), NewestRelease: table.Newest().Version.String(),
		ReleasesAsOf: table.AsOf().Format(time.DateOnly),
		Advisories:   len(advisories.All()), AdvisoriesAsOf: advisories.AsOf().Format(time.DateOnly),
	}
}

func (o *scanOptions) makeScope() (*target.Scope, error) {
	var allow, deny []netip.Prefix
	for _, text := range o.exclude {
		p, err := target.Prefixes(text)
		if err != nil {
			return nil, fmt.Errorf("-exclude: %w", err)
		}
		deny = append(deny, p...)
	}
	if o.excludeFile != "" {
		p, err := readPrefixes(o.excludeFile)
		if err != nil {
			return nil, fmt.Errorf("-exclude-file: %w", err)
		}
		deny = append(deny, p...)
	}
	if o.scope != "" {
		p, err := readPrefixes(o.scope)
		if err != nil {
			return nil, fmt.Errorf("-scope: %w", err)
		}
		if len(p) == 0 {
			return nil, fmt.Errorf("-scope: %s allows nothing: list addresses, blocks or ranges, one a line", o.scope)
		}
		allow = p
	}
	return target.NewScope(allow, deny, o.authorized && o.contact != ""), nil
}

func readPrefixes(file string) ([]netip.Prefix, error) {
	r, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []netip.Prefix
	err = target.ReadList(r, file, []uint16{1}, func(spec target.Spec) error {
		p, err := target.Prefixes(spec.Input)
		if err != nil {
			return fmt.Errorf("%s: %w", spec.Source, err)
		}
		out = append(out, p...)
		return nil
	})
	return out, err
}

// addTargets fills the space from arguments, list, stdin or this machine.
func (o *scanOptions) addTargets(s streams, cfg *scan.Config, set *fingerprint.Set, args []string) error {
	var own []uint16
	for _, p := range set.Products() {
		own = append(own, p.Ports...)
	}
	ports := append(slices.Clone(own), webPorts()...)
	if o.ports != "" {
		p, err := target.Ports(o.ports)
		if err != nil {
			return usage(fmt.Errorf("-ports: %w", err))
		}
		ports, own = p, p
	}
	base, err := parseBase(o.basePath)
	if err != nil {
		return usage(err)
	}
	add := func(spec target.Spec) error {
		if spec.Base == "" {
			spec.Base = base
		}
		err := o.mayProbe(cfg.Scope, spec)
		if err == nil {
			err = cfg.Space.Add(spec)
		}
		if err != nil && spec.Source != fromArgs {
			err = fmt.Errorf("%s: %w", spec.Source, err)
		}
		return err
	}
	for _, arg := range args {
		spec, err := target.Parse(arg, fromArgs, ports)
		if err != nil {
			return usage(err)
		}
		if err := add(spec); err != nil {
			return usage(err)
		}
	}
	switch {
	case o.list != "":
		return usage(readList(s, o.list, ports, add))
	case len(args) > 0:
		return nil
	case isPipe(s.in):
		return usage(readList(s, "-", ports, add))
	}
	return o.addLocal(s, own, add)
}

// fromArgs is the source of a target on the command line.
const fromArgs = "args"

// mayProbe refuses what is globally reachable unless the operator has stated
// the right to probe it. Names are judged by the scope, once they are resolved.
func (o *scanOptions) mayProbe(scope *target.Scope, spec target.Spec) error {
	if spec.Name != "" || o.authorized && o.contact != "" {
		return nil
	}
	if scope.HasPublic(spec.First, spec.Last) {
		what := "it is"
		if spec.First != spec.Last {
			what = "it has addresses that are"
		}
		return fmt.Errorf("target %q: %s globally reachable: state your right to probe with -authorized and -contact", spec.Input, what)
	}
	return nil
}

// parseBase reads a base path, by the rules for the path of a URL.
func parseBase(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	spec, err := target.Parse("http://localhost/"+strings.TrimLeft(path, "/"), "", nil)
	if err != nil || strings.Contains(path, "://") {
		// Not repeated: what does not parse may hold a password or token.
		return "", errors.New("that is not a path: write it as /claw")
	}
	return spec.Base, nil
}

// readList reads a list of at least one target; "-" is stdin.
func readList(s streams, file string, ports []uint16, add func(target.Spec) error) error {
	n := 0
	yield := func(spec target.Spec) error {
		n++
		return add(spec)
	}
	if file == "-" {
		if err := target.ReadList(s.in, "stdin", ports, yield); err != nil {
			return err
		}
		if n == 0 {
			return errors.New("stdin names no target: give one a line (to scan this machine, take stdin from /dev/null)")
		}
		return nil
	}
	r, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("-list: %w", err)
	}
	defer r.Close()
	if err := target.ReadList(r, file, ports, yield); err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("-list: %s names no target: give one a line", file)
	}
	return nil
}

// isPipe reports whether somebody is feeding stdin: a terminal, /dev/null and
// a closed stdin do not.
func isPipe(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok {
		return in != nil
	}
	info, err := f.Stat()
	return err == nil && (info.Mode()&os.ModeNamedPipe != 0 || info.Mode().IsRegular())
}

// dryRun says what would be contacted.
func dryRun(s streams, cfg *scan.Config) error {
	const shown = 20
	w := bufio.NewWriter(s.out)
	n := cfg.Space.Len()
	fmt.Fprintf(w, "Nothing was contacted. Targets: %d", n)
	if n > shown {
		fmt.Fprintf(w, ", the first %d of them", shown)
	}
	fmt.Fprintln(w)
	for i := range min(n, shown) {
		t := cfg.Space.At(i)
		fmt.Fprint(w, t.URL(t.Scheme))
		if a := t.Addr.Addr(); a.IsValid() {
			if err := cfg.Scope.Check(a); err != nil {
				fmt.Fprintf(w, "  excluded: %s", err)
			}
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// run scans and writes the reports.
func (o *scanOptions) run(s streams, cfg *scan.Config, gate *policy.Gate) error {
	out, err := openPipeline(s, &o.outputOptions, &o.gateOptions, gate)
	if err != nil {
		return usage(err)
	}
	defer out.out.abandon()
	cfg.Emit = out.event
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// From the first signal on, a second one ends the process at once.
	defer context.AfterFunc(ctx, stop)()
	run := ctx
	if o.maxRuntime > 0 {
		var cancel context.CancelFunc
		run, cancel = context.WithTimeout(ctx, o.maxRuntime)
		defer cancel()
	}
	cfg.Count = new(scan.Count)
	finish := progress(s, &o.outputOptions, cfg.Count)
	_, err = scan.Run(run, *cfg)
	finish()
	if err == nil {
		err = out.out.finish()
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		if !o.silent {
			fmt.Fprintln(s.err, "clawsonar: interrupted: the results so far are in the output")
		}
		return &exitError{code: exitInterrupted}
	}
	out.notes(s, &o.outputOptions)
	return out.exit()
}
