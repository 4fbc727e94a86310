package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	"github.com/clawsonar/clawsonar/internal/results"
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
	list, ports, basePath, addresses string
	stream, interfaces               bool

	concurrency, rate, hostRate, retries int
	timeout, maxRuntime                  time.Duration

	level, contact string
	authorized     bool
	helpers, bases bool
	family         bool

	outputOptions
	gateOptions
	scopeOptions
	advisoryOptions
	stateOptions
	progressOptions

	config string
	dryRun bool
}

func (o *scanOptions) flags() *flags {
	f := newFlags("scan")
	f.group("Targets")
	f.text(&o.list, "list", "l", "FILE", "read targets from a file, one a line, or of a scanner (nmap, masscan, zmap, naabu, httpx, Shodan, Censys, FOFA); - is stdin", nil)
	f.boolean(&o.stream, "stream", "", "scan the list's targets as they come, in their order, while it is still being written")
	f.text(&o.ports, "ports", "p", "PORTS", "ports for targets that name none, such as 18789,18790-18793; family stands for those of OpenClaw, its relatives and helpers", checkPorts)
	f.text(&o.basePath, "base-path", "", "PATH", "base path for targets that name none, such as /claw", checkBase)
	f.choice(&o.addresses, "addresses", "", "WHICH", wire.AllAddresses, "of a name: all, first, ipv4 or ipv6",
		[]string{wire.AllAddresses, wire.FirstAddress, wire.OnlyIPv4, wire.OnlyIPv6})
	f.boolean(&o.interfaces, "interfaces", "", "without a target: also this machine's listeners on its other addresses")
	o.scopeOptions.flags(f)
	f.group("Pace")
	f.integer(&o.concurrency, "concurrency", "c", 100, 1, "targets probed at a time")
	f.integer(&o.rate, "rate-limit", "rl", 0, 0, "connections a second, all targets together; 0 is unlimited")
	f.integer(&o.hostRate, "rate-limit-host", "rlh", 0, 0, "connections a second to one address; 0 is unlimited")
	f.duration(&o.timeout, "timeout", "", 10*time.Second, "time for one target")
	f.integer(&o.retries, "retries", "", 1, 0, "further attempts when a connection is reset or this machine fails")
	f.duration(&o.maxRuntime, "max-runtime", "", 0, "stop issuing targets after this time")
	f.group("Depth")
	f.choice(&o.level, "level", "", "LEVEL", "standard", "passive, standard or deep; deep says more to the gateway and leaves lines in its log", []string{"passive", "standard", "deep"})
	f.boolean(&o.helpers, "helpers", "", "try the ports of a gateway's helpers on every host, not only where a gateway is found")
	f.boolean(&o.bases, "base-paths", "", "look for the page below the usual base paths, not only where / leads to one")
	f.boolean(&o.family, "family", "", "also try the ports of OpenClaw's relatives, and ask every web server what tells them")
	f.group("Authorisation")
	f.boolean(&o.authorized, "authorized", "", "I am authorised to probe these targets; needed for globally reachable ones")
	f.text(&o.contact, "contact", "", "MAIL-OR-URL", "whom a target's operator can ask, sent in the User-Agent; needed likewise", checkContact)
	o.advisoryOptions.flags(f)
	o.outputFlags(f)
	o.stateOptions.flags(f)
	o.progressOptions.flags(f)
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
	rest, named := withoutFamily(s)
	if named && rest == "" {
		return nil
	}
	_, err := target.Ports(rest)
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

Lists of any length are read without growing. Of what a scanner has seen open,
the ports of -ports (or the usual ones) are taken, and those on which it saw HTTP.

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
	defer cfg.Space.Close()
	if err := o.addTargets(s, cfg, set, args); err != nil {
		return err
	}
	if err := o.applyState(cfg); err != nil {
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
		return o.printDryRun(s, cfg)
	}
	return o.run(s, cfg, gate, journal)
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
	resolver := wire.NewResolver(o.addresses)
	scope, err := o.makeScope(s, resolver)
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
	inFlight := o.inFlight(s)
	room := pace.NewGate(inFlight)
	if o.family {
		set = set.Everywhere()
	}
	cfg := &scan.Config{
		Space: new(target.Space), Scope: scope,
		Prober: &probe.Prober{
			Wire: wire.New(wire.Options{
				Scope: scope, Limiter: pace.New(o.rate, o.hostRate), Gate: room, Resolver: resolver, UserAgent: agent,
			}),
			Set:   set,
			Level: level, Timeout: o.timeout, Bases: o.bases,
		},
		Checks:      check.All(),
		Advisories:  advisories,
		Concurrency: inFlight, Gate: room, Retries: o.retries, ListAll: o.verbose,
		Helpers: true,
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

// run scans and writes the reports.
func (o *scanOptions) run(s streams, cfg *scan.Config, gate *policy.Gate, journal *results.Keeper) error {
	ctx, interrupted, stop := interruptible()
	defer stop()
	out, err := openPipeline(s, &o.outputOptions, &o.gateOptions, gate, journal, cfg.Head)
	if err != nil {
		return usage(err)
	}
	defer out.out.Abandon()
	o.sayState(s, out, journal)
	run, end := context.WithCancel(ctx)
	defer end()
	if o.maxRuntime > 0 {
		run, end = context.WithTimeout(run, o.maxRuntime)
		defer end()
	}
	cfg.Emit = func(e event.Event) error {
		err := out.event(e)
		if out.out.Broken() {
			end() // in good order: the other outputs get what is in flight, and the summary
		}
		return err
	}
	if journal != nil {
		cfg.Checkpoint = func(m scan.Mark) { out.out.Checkpoint(results.Mark(m)) }
	}
	cfg.Count = new(scan.Count)
	defer collectLess(cfg.Concurrency)()
	finish := o.progress(s, o.silent, cfg)
	summary, err := scan.Run(run, *cfg)
	finish()
	// What was found before an error is not lost.
	lost := out.finish(s, summary.Complete && err == nil)
	var stream *scan.StreamError
	if err != nil && lost != nil && !errors.As(err, &stream) {
		err = nil // each output has said by itself why none is left
	}
	o.sayMissed(s, summary.MissEstimate)
	if journal != nil && !summary.Complete {
		o.sayHowToGoOn(s)
	}
	if err = errors.Join(lost, err); err != nil {
		return err
	}
	if interrupted() {
		if !o.silent {
			fmt.Fprintln(s.err, "clawsonar: interrupted: the results so far are in the output")
		}
		return &exitError{code: exitInterrupted}
	}
	out.notes(s, &o.outputOptions)
	return out.exit()
}
