package cli

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/exit"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/geo"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/policy"
	"github.com/clawsonar/clawsonar/internal/redact"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/results"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// defaultIgnore is read if it exists and no other file is named.
const defaultIgnore = ".clawsonar-ignore.yaml"

// outputOptions are the flags about the output.
type outputOptions struct {
	output []string
	format string
	langOption
	view                      string
	severities                []string
	redact                    bool
	redactKey                 string
	geo                       []string
	silent, verbose, monochro bool
	moreChecks                []event.CheckInfo // besides those of a scan
}

func (o *outputOptions) flags(f *flags) {
	f.group("Output")
	f.list(&o.output, "output", "o", "[FORMAT=]FILE", "also write the results to this file, in the named format or that of its ending (.html, .sarif, .jsonl, .json, .csv, .md, .xml, .txt); repeatable", checkOutput).
		mustName("it names a file to write")
	f.choice(&o.format, "format", "f", "FORMAT", "table", strings.Join(report.Formats(), ", "), report.Formats()).
		mayFind("it sets the format only")
	f.shorthand(&o.format, "jsonl", "jsonl", "j", "same as -format jsonl").
		mayFind("it sets the format only")
	o.langOption.flag(f, "language of table, markdown and html").
		mayFind("it sets the language only")
	f.list(&o.severities, "severity", "", "SEVERITY,...", "show only findings of these severities in table, markdown and html; the gate and other formats keep all", checkSeverities).
		mustName("it hides findings")
	f.text(&o.view, "view", "", "VIEW", "view of markdown; nvdb: by the recommendations of NVDB, CNCERT and others, and OWASP", checkView).
		mayFind("it sets the order only")
	f.boolean(&o.redact, "redact", "", "replace addresses, names and the like by pseudonyms, different in each run").
		mayFind("it reveals less")
	f.text(&o.redactKey, "redact-key", "", "FILE", "redact with the key in this file: the same pseudonyms in each run", nil).
		mustName("anyone with the key can resolve the pseudonyms")
	f.silent = &o.silent
	f.boolean(&o.silent, "silent", "", "print only errors to stderr").
		mustName("it hides messages about this file")
	f.boolean(&o.verbose, "verbose", "v", "also list closed, silent and excluded members of ranges").
		mayFind("it lists what is counted anyway")
	f.boolean(&o.monochro, "no-color", "", "no colour (same as the environment variable NO_COLOR)").
		mayFind("it sets the appearance only")
}

// geoFlag adds the flag about addresses, to commands whose targets have one.
func (o *outputOptions) geoFlag(f *flags) {
	f.list(&o.geo, "geo", "", "FILE", "add the AS or the country of addresses from this file of the MaxMind DB format (.mmdb), such as GeoLite2-ASN or GeoLite2-Country; repeatable", checkList).
		mustName("the results say what it says")
}

func checkView(s string) error {
	if !slices.Contains(report.Views(), s) {
		return fmt.Errorf("%q is unknown: use %s", s, strings.Join(report.Views(), ", "))
	}
	return nil
}

func checkSeverities(s string) error {
	for word := range strings.SplitSeq(s, ",") {
		if _, err := event.ParseSeverity(word); err != nil {
			return err
		}
	}
	return nil
}

// shown are the severities of findings that are shown; none for all.
func (o *outputOptions) shown() []event.Severity {
	var out []event.Severity
	for _, s := range o.severities {
		for word := range strings.SplitSeq(s, ",") {
			out = append(out, event.Severity(word))
		}
	}
	return out
}

// reportOptions are what all formats have in common.
func (o *outputOptions) reportOptions() report.Options {
	root, _ := os.Getwd() // without it sarif leaves names of files as they are
	return report.Options{Root: root, Verbose: o.verbose, Checks: append(check.Infos(), o.moreChecks...), Lang: o.language(), View: o.view, Severities: o.shown()}
}

// checkView refuses a view of a format that is not asked for.
func (o *outputOptions) checkView() error {
	if o.view == "" || o.format == "markdown" || slices.ContainsFunc(o.output, func(s string) bool { format, _, _ := report.ParseOutput(s); return format == "markdown" }) {
		return nil
	}
	return fmt.Errorf("-view %s is a view of the format markdown: add -f markdown or -o markdown=FILE", o.view)
}

// redactor returns nil if nothing is to be replaced.
func (o *outputOptions) redactor(set *fingerprint.Set) (*redact.Redactor, error) {
	switch {
	case o.redactKey != "":
		key, err := bounded.File(o.redactKey, 64<<10)
		if err != nil {
			return nil, fmt.Errorf("-redact-key: %w", err)
		}
		r, err := redact.New(bytes.TrimSpace(key), set.Requote)
		if err != nil {
			return nil, fmt.Errorf("-redact-key: %s: %w", o.redactKey, err)
		}
		return r, nil
	case o.redact:
		return redact.New([]byte(rand.Text()), set.Requote)
	}
	return nil, nil
}

// gateOptions are the flags about the exit code.
type gateOptions struct {
	failOn           string
	failOnIncomplete bool
	expect           int
	ignore, baseline string
	ownIgnore        bool // the default ignore file counts, too
}

func (o *gateOptions) flags(f *flags) {
	f.group("Gate")
	f.choice(&o.failOn, "fail-on", "", "SEVERITY", policy.FailOnNone, "exit 3 on findings of this severity or worse: low, medium, high or critical",
		policy.FailOn()).
		mayFind("it sets the exit code only")
	f.boolean(&o.failOnIncomplete, "fail-on-incomplete", "", "exit 4 if a named target or a found gateway could not be judged").
		mayFind("it sets the exit code only")
	f.integer(&o.expect, "expect", "", 0, 0, "exit 4 if fewer gateways than this are found").
		mayFind("it sets the exit code only")
	known := "suppress the findings listed in this file, each with a reason"
	if o.ownIgnore {
		known += " (default ./" + defaultIgnore + " if it exists)"
	}
	f.text(&o.ignore, "ignore", "", "FILE", known, nil).
		mayFind("what it suppresses stays in the results, marked", within)
	f.text(&o.baseline, "baseline", "", "FILE", "suppress findings already in this stored scan", nil).
		mayFind("what it suppresses stays in the results, marked", within)
}

func (o *gateOptions) gate() (*policy.Gate, error) {
	severity, err := policy.ParseFailOn(o.failOn)
	if err != nil {
		return nil, err
	}
	return &policy.Gate{FailOn: severity, FailOnIncomplete: o.failOnIncomplete, Expect: o.expect}, nil
}

// filter reads the ignore file and the baseline.
func (o *gateOptions) filter() (*policy.Filter, error) {
	f := &policy.Filter{Now: time.Now()}
	name := o.ignore
	if name == "" && o.ownIgnore {
		name = defaultIgnore
	}
	if name != "" {
		data, err := bounded.File(name, bounded.MaxYAML)
		switch {
		case o.ignore == "" && errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("-ignore: %w", err)
		default:
			if f.Ignore, err = policy.LoadIgnore(name, data, check.IDs()); err != nil {
				return nil, fmt.Errorf("-ignore: %w", err)
			}
		}
	}
	if o.baseline == "" {
		return f, nil
	}
	r, err := os.Open(o.baseline)
	if err != nil {
		return nil, fmt.Errorf("-baseline: %w", err)
	}
	defer r.Close()
	f.Baseline = &policy.Baseline{}
	begun, whole := false, false
	err = event.Read(r, o.baseline, func(e event.Event) error {
		_, scan := e.(*event.Scan)
		begun = begun || scan
		_, whole = e.(*event.Summary)
		f.Baseline.Event(e)
		return nil
	})
	if err == nil && !begun {
		err = fmt.Errorf("%s contains no scan: give a stream that scan wrote with -o jsonl=FILE", o.baseline)
	}
	if err == nil && !whole {
		err = fmt.Errorf("%s is incomplete: its summary is missing: give the stream of a scan that has ended", o.baseline)
	}
	if err != nil {
		return nil, fmt.Errorf("-baseline: %w", err)
	}
	return f, nil
}

// openPipeline opens the outputs; an error is the user's to fix.
func openPipeline(s streams, set *fingerprint.Set, o *outputOptions, g *gateOptions, gate *policy.Gate, journal *results.JournalFile, head event.Scan) (*results.Pipeline, error) {
	if err := o.checkView(); err != nil {
		return nil, err
	}
	p := &results.Pipeline{
		Gate: gate, Again: g.filter,
		Stored: func(name string) ([]stored.Source, error) { return sources(s, set, name) },
	}
	var err error
	if p.Filter, err = g.filter(); err != nil {
		return nil, err
	}
	if p.Redact, err = o.redactor(set); err != nil {
		return nil, err
	}
	if p.Geo, err = geo.Open(o.geo...); err != nil {
		return nil, fmt.Errorf("-geo: %w", err)
	}
	outputs, err := o.outputs(s)
	if err != nil {
		return nil, err
	}
	if err := p.Open(outputs, journal, &head); err != nil {
		return nil, fmt.Errorf("-output: %w", err)
	}
	return p, nil
}

// notes prints to stderr the notes of the scan and of the ignore file that the report
// on stdout does not show.
func (o *outputOptions) notes(s streams, p *results.Pipeline, scan ...message.Text) {
	if o.silent || slices.Contains([]string{"table", "markdown", "html"}, o.format) {
		return
	}
	for _, n := range append(scan, p.Filter.Notes()...) {
		fmt.Fprintf(s.err, "clawsonar: %s\n", clean.Text(n.English))
	}
}

// gateExit turns the gate's exit code into an error, and prints what could not be
// judged.
func gateExit(s streams, gate *policy.Gate, silent bool) error {
	code := gate.Exit()
	if code == policy.Passed {
		return nil
	}
	if !silent {
		for _, reason := range gate.Reasons() {
			fmt.Fprintf(s.err, "clawsonar: %s\n", clean.Text(reason))
		}
	}
	return &exit.Error{Code: code}
}
