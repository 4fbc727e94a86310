package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/exit"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/policy"
	"github.com/clawsonar/clawsonar/internal/results"
	"github.com/clawsonar/clawsonar/internal/scan"
	"github.com/clawsonar/clawsonar/internal/version"
	"github.com/clawsonar/clawsonar/internal/wire"
)

// defaultConfig is read if it exists and no other file is named.
const defaultConfig = ".clawsonar.yaml"

// configFlag is the one flag that a configuration file cannot set.
const configFlag = "config"

// scanOptions are the flags of scan.
type scanOptions struct {
	audit.Settings
	stream, interfaces bool
	discover           string // finders, with commas between
	maxRuntime         time.Duration
	unknown            int // names of the scope that were not looked up

	outputOptions
	gateOptions
	stateOptions
	progressOptions

	config      string
	foundConfig string // read although it was not named
	dryRun      bool

	machine *machine // with targets of this machine
	// through, unless nil, is what events go through before the outputs get them.
	through func(emit func(event.Event) error) func(event.Event) error
}

func (o *scanOptions) flags() *flags {
	f, d := newFlags("scan"), audit.Defaults()
	f.group("Targets")
	f.list(&o.Targets, "target", "u", "TARGET", "scan this target, as if it were an argument; repeatable", func(string) error { return nil }).
		mustName("it names targets")
	f.list(&o.Lists, "list", "l", "FILE", "read targets from a file: one a line, or output of nmap, masscan, zmap, naabu, httpx, Shodan, Censys, FOFA, docker, podman, kubectl, tailscale, avahi-browse or ss; - is stdin; repeatable", checkList).
		mustName("it names targets")
	f.text(&o.discover, "discover", "", "WHO", "scan what \"clawsonar discover\" finds: mdns, docker, or mdns,docker; with -interface mdns asks on that alone", checked(parseFinders)).
		mustName("it names targets, and asks the local network")
	f.boolean(&o.stream, "stream", "", "scan the list in its order while it is still being written").
		mustName("targets are contacted before the list is read to its end")
	f.text(&o.Ports, "ports", "p", "PORTS", "ports for targets that name none, such as 18789,18790-18793; family: those of OpenClaw, its relatives and helpers", audit.CheckPorts).
		mustName("it says what is contacted")
	f.text(&o.BasePath, "base-path", "", "PATH", "base path for targets that name none, such as /claw", checked(audit.ParseBase)).
		mustName("it says what is requested")
	f.choice(&o.Addresses, "addresses", "", "WHICH", d.Addresses, "which addresses of a name to scan: all (of more than 16 those that the seed chooses), first, ipv4 or ipv6",
		[]string{wire.AllAddresses, wire.FirstAddress, wire.OnlyIPv4, wire.OnlyIPv6}).
		mayFind("anything but the default leaves addresses out")
	f.boolean(&o.interfaces, "interfaces", "", "without a target: also scan this machine's listeners on its other addresses").
		mustName("more of this machine is contacted")
	scopeFlags(f, &o.Scope)
	networkFlags(f, &o.Network)
	f.group("Pace")
	f.integer(&o.Concurrency, "concurrency", "c", d.Concurrency, 1, "targets probed at the same time").
		mayFind("fewer at a time put less load on the network", atMost(d.Concurrency))
	f.alias("t")
	f.integer(&o.Rate, "rate-limit", "rl", 0, 0, "connections per second to all targets together; 0 is unlimited").
		mayFind("the default is no limit")
	f.integer(&o.HostRate, "rate-limit-host", "rlh", 0, 0, "connections per second to one address; 0 is unlimited").
		mayFind("the default is no limit")
	o.timeoutFlag(f)
	f.integer(&o.Retries, "retries", "", d.Retries, 0, "retries when a connection is reset or fails on this machine").
		mayFind("fewer attempts contact less", atMost(d.Retries))
	f.duration(&o.maxRuntime, "max-runtime", "", 0, "start no more targets after this time").
		mayFind("it ends the run earlier")
	f.duration(&o.Wait, "wait", "", 0, "probe named targets again for this long while they are closed, silent or starting").
		mustName("targets are contacted more often")
	f.group("Depth")
	o.levelFlag(f)
	f.boolean(&o.Helpers, "helpers", "", "try the ports of helper services on every host, and with every gateway whose port was named").
		mustName("more ports are contacted")
	f.boolean(&o.Bases, "base-paths", "", "look for the page below the usual base paths, not only where / leads").
		mustName("more requests are sent")
	f.boolean(&o.Family, "family", "", "also try the ports of OpenClaw's relatives, and send every web server the requests that identify them").
		mustName("more ports are contacted")
	o.authorisationFlags(f)
	advisoryFlags(f, &o.Data)
	o.outputFlags(f)
	o.stateOptions.flags(f, &o.Seed)
	o.progressOptions.flags(f)
	f.group("Run")
	f.text(&o.config, configFlag, "", "FILE", "read settings from this file, one \"flag: value\" a line (default ./"+defaultConfig+" if it exists, which may only set what widens nothing)", nil).
		mustName("it names another file")
	f.boolean(&o.dryRun, "dry-run", "", "print what would be contacted, and contact nothing").
		mustName("nothing would be scanned")
	return f
}

func (o *scanOptions) timeoutFlag(f *flags) {
	f.duration(&o.Timeout, "timeout", "", audit.Defaults().Timeout, "time limit for one target").
		mayFind("it contacts nothing more")
}

func (o *scanOptions) levelFlag(f *flags) {
	f.choice(&o.Level, "level", "", "LEVEL", audit.Defaults().Level, "passive, standard or deep; deep sends more to the gateway and leaves lines in its log", event.Words(event.Levels()...)).
		mayFind("only passive sends less than the default", notDeep)
}

func (o *scanOptions) authorisationFlags(f *flags) {
	f.group("Authorisation")
	f.boolean(&o.Authorized, "authorized", "", "I am authorised to probe these targets; required for globally reachable ones").
		mustName("it states your right to probe")
	f.text(&o.Contact, "contact", "", "MAIL-OR-URL", "whom operators of targets can contact, sent in the User-Agent; required likewise", audit.CheckContact).
		mustName("it states who answers for the scan")
}

// outputFlags adds the flags about the output.
func (o *scanOptions) outputFlags(f *flags) {
	o.outputOptions.flags(f)
	o.geoFlag(f)
	o.gateOptions.flags(f)
}

func checkList(s string) error {
	if s == "" {
		return errors.New("the name of a file is missing")
	}
	return nil
}

// notDeep is what a configuration file that was not named may set of -level.
func notDeep(level string) error {
	if level == string(event.LevelDeep) {
		return errors.New("deep says more to the gateway")
	}
	return nil
}

// sayConfig says that a configuration file was used that was not named.
func (o *scanOptions) sayConfig(s streams) {
	if o.foundConfig != "" && !o.silent {
		fmt.Fprintf(s.err, "clawsonar: ./%s was found and is used\n", o.foundConfig)
	}
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
		Short: "Probe targets and report which gateways are open to anyone",
		Long: `Probe targets and report which gateways are open to anyone.

A target is an address, CIDR block, range a-b, host name, host:port, or URL
(whose path is the base path). Without a target, this machine is scanned over
loopback: the usual ports and all listeners (with -ports only those ports),
except services that take any bytes for a job or a command, such as printers,
mail servers and databases.

Every flag can also be set in the environment (-fail-on as CLAWSONAR_FAIL_ON)
and in a YAML file. Flags override the environment, which overrides the file.
A file that was found but not named may only set what cannot widen what is
contacted or written.

Lists may be of any length; memory use stays the same. From the output of a
scanner, open ports are taken if they are in -ports (or are usual ports), or if
the scanner found HTTP there.

Exit codes: 0 done · 1 failed while running · 2 usage or input error ·
3 findings at or above -fail-on · 4 incomplete, with -fail-on-incomplete ·
130 interrupted.`,
		Example: `  clawsonar scan
  clawsonar scan 127.0.0.1:18789 -fail-on high
  clawsonar scan https://claw.example.org -authorized -contact me@example.org
  clawsonar scan -l hosts.txt -o jsonl=scan.jsonl`,
	}
	f.config = o.configFile
	return f.attach(s, cmd, func(ctx context.Context, args []string) error {
		o.foundConfig = f.foundConfig
		return runScan(ctx, s, o, append(o.Targets, args...))
	})
}

func runScan(ctx context.Context, s streams, o scanOptions, args []string) error {
	known, err := openData()
	if err != nil {
		return err
	}
	cfg, gate, err := o.prepare(ctx, s, known)
	if err != nil {
		return usage(err)
	}
	defer cfg.Space.Close()
	if err := o.addTargets(ctx, s, cfg, known, args); err != nil {
		return err
	}
	if err := o.applyState(s, known, cfg); err != nil {
		return usage(err)
	}
	if err := o.distinct(s, args); err != nil {
		return usage(err)
	}
	journal, err := o.openJournal(cfg)
	if err != nil {
		return usage(err)
	}
	defer journal.Close()
	if o.dryRun {
		o.sayConfig(s)
		return o.printDryRun(s, cfg)
	}
	return o.run(ctx, s, cfg, gate, journal)
}

// prepare turns options into a configuration, without targets yet. What it
// refuses is the user's to fix.
func (o *scanOptions) prepare(ctx context.Context, s streams, known *data.Known) (*scan.Config, *policy.Gate, error) {
	gate, err := o.gate()
	if err != nil {
		return nil, nil, err
	}
	b := o.builder(s, known)
	cfg, err := b.Prepare(ctx)
	if err != nil {
		return nil, nil, err
	}
	o.unknown = b.Unknown
	cfg.ListAll, cfg.Waiting = o.verbose, o.sayWaiting(s)
	return cfg, gate, nil
}

// builder makes the configuration out of these options.
func (o *scanOptions) builder(s streams, known *data.Known) *audit.Builder {
	b := &audit.Builder{
		Settings: &o.Settings, Naming: flagNames(), Tool: event.Tool{Name: "clawsonar", Version: version.String()}, Known: known,
		Offline: o.dryRun, // that looks nothing up
		Warn:    warn(s.err),
	}
	if !o.silent {
		b.Say = b.Warn
	}
	return b
}

// flagNames says that settings are called as flags are.
func flagNames() audit.Naming { return audit.Naming{Prefix: "-"} }

// warn returns what prints a message of a line.
func warn(w io.Writer) func(text string) {
	return func(text string) { fmt.Fprintf(w, "clawsonar: %s\n", clean.Text(text)) }
}

// notes are those of a scan of this machine.
func (o *scanOptions) notes() []message.Text {
	if o.machine == nil {
		return nil
	}
	return o.machine.notes
}

// run scans and writes the reports.
func (o *scanOptions) run(ctx context.Context, s streams, cfg *scan.Config, gate *policy.Gate, journal *results.JournalFile) error {
	defer s.inOrder()()
	out, err := openPipeline(s, cfg.Prober.Set, &o.outputOptions, &o.gateOptions, gate, journal, cfg.Head)
	if err != nil {
		return usage(err)
	}
	defer out.Abandon()
	o.sayConfig(s)
	o.sayState(s, out, journal)
	out.Found = o.announcer(s)
	run, end := context.WithCancel(ctx)
	defer end()
	if o.maxRuntime > 0 {
		run, end = context.WithTimeout(run, o.maxRuntime)
		defer end()
	}
	cfg.Emit = func(e event.Event) error {
		err := out.Event(e)
		if out.Broken() {
			end() // gracefully: the other outputs get what is in flight, and the summary
		}
		return err
	}
	if o.machine != nil {
		cfg.Emit = o.machine.watch(ctx, cfg.Emit, o.silent)
	}
	if o.through != nil {
		cfg.Emit = o.through(cfg.Emit)
	}
	if journal != nil {
		cfg.Checkpoint = func(m scan.Mark) { out.Checkpoint(results.Mark(m)) }
	}
	cfg.Count = new(scan.Count)
	defer collectLess(cfg.Concurrency)()
	finish := o.progress(s, o.silent, cfg)
	summary, err := scan.Run(run, *cfg)
	finish()
	// What was found before an error is not lost.
	lost := out.Finish(summary.Complete && err == nil)
	var stream *scan.StreamError
	if err != nil && lost != nil && !errors.As(err, &stream) {
		err = nil // each output has reported why none is left
	}
	o.sayMissed(s, summary.MissEstimate)
	if journal != nil && !summary.Complete {
		o.sayHowToContinue(s)
	}
	if err = errors.Join(lost, err); err != nil {
		return err
	}
	if ctx.Err() != nil {
		if !o.silent {
			fmt.Fprintln(s.err, "clawsonar: interrupted: the results so far are in the output")
		}
		return &exit.Error{Code: exit.Interrupted}
	}
	o.outputOptions.notes(s, out, append(o.notes(), summary.AllNotes()...)...)
	return gateExit(s, gate, o.silent)
}
