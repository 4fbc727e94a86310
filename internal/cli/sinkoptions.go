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
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/policy"
	"github.com/clawsonar/clawsonar/internal/redact"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/results"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// defaultIgnore is read when it is there and no other file is named.
const defaultIgnore = ".clawsonar-ignore.yaml"

// outputOptions are the flags about what comes out.
type outputOptions struct {
	output []string
	format string
	langOption
	view                      string
	severities                []string
	redact                    bool
	redactKey                 string
	silent, verbose, monochro bool
}

func (o *outputOptions) flags(f *flags) {
	f.group("Output")
	f.list(&o.output, "output", "o", "[FORMAT=]FILE", "write the results to a file as well, in the format of its ending (.html, .sarif, .jsonl, .json, .csv, .md, .xml, .txt) or the one that is named; repeatable", checkOutput).
		mustName("it says where is written")
	f.choice(&o.format, "format", "f", "FORMAT", "table", strings.Join(report.Formats(), ", "), report.Formats()).
		mayFind("it says how is written, not where")
	f.shorthand(&o.format, "jsonl", "jsonl", "j", "the same as -format jsonl").
		mayFind("it says how is written, not where")
	o.langOption.flag(f, "language of table, markdown and html").
		mayFind("it is about words")
	f.list(&o.severities, "severity", "", "SEVERITY,...", "show only findings of these in table, markdown and html; gate and other formats keep all", checkSeverities).
		mustName("it hides findings")
	f.text(&o.view, "view", "", "VIEW", "of markdown; nvdb: by the recommendations of NVDB, CNCERT and others, and OWASP", checkView).
		mayFind("it is about order")
	f.boolean(&o.redact, "redact", "", "addresses, names and the like become pseudonyms, others in each run").
		mayFind("it tells less")
	f.text(&o.redactKey, "redact-key", "", "FILE", "-redact with the key in this file: the same pseudonyms in each run", nil).
		mustName("who knows the key knows what the pseudonyms stand for")
	f.boolean(&o.silent, "silent", "", "nothing on stderr but errors").
		mustName("it hides what is said of this file")
	f.boolean(&o.verbose, "verbose", "v", "list closed, silent and excluded members of ranges, too").
		mayFind("it lists what is counted already")
	f.boolean(&o.monochro, "no-color", "", "no colour (so does the environment's NO_COLOR)").
		mayFind("it is about looks")
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
	return report.Options{Verbose: o.verbose, Checks: check.Infos(), Lang: o.language(), View: o.view, Severities: o.shown()}
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
	f.choice(&o.failOn, "fail-on", "", "SEVERITY", policy.FailOnNone, "exit 3 on findings from this severity on: low, medium, high or critical",
		policy.FailOn()).
		mayFind("it is about the exit code")
	f.boolean(&o.failOnIncomplete, "fail-on-incomplete", "", "exit 4 when a target that was named, or a gateway that was found, could not be judged").
		mayFind("it is about the exit code")
	f.integer(&o.expect, "expect", "", 0, 0, "exit 4 when fewer gateways than this are found").
		mayFind("it is about the exit code")
	known := "findings that are known, each with a reason"
	if o.ownIgnore {
		known += " (default ./" + defaultIgnore + " if it is there)"
	}
	f.text(&o.ignore, "ignore", "", "FILE", known, nil).
		mayFind("what it suppresses stays in the results, marked", within)
	f.text(&o.baseline, "baseline", "", "FILE", "a stored jsonl stream: what it holds is known", nil).
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
		err = fmt.Errorf("%s holds no scan: give a stream that scan wrote with -o jsonl=FILE", o.baseline)
	}
	if err == nil && !whole {
		err = fmt.Errorf("%s is cut: its summary is missing: give the stream of a scan that has ended", o.baseline)
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
	outputs, err := o.outputs(s)
	if err != nil {
		return nil, err
	}
	if err := p.Open(outputs, journal, &head); err != nil {
		return nil, fmt.Errorf("-output: %w", err)
	}
	return p, nil
}

// notes says on stderr what the reports that go to stdout do not, of the ignore
// file and of the scan itself.
func (o *outputOptions) notes(s streams, p *results.Pipeline, scan ...message.Text) {
	if o.silent || slices.Contains([]string{"table", "markdown", "html"}, o.format) {
		return
	}
	for _, n := range append(scan, p.Filter.Notes()...) {
		fmt.Fprintf(s.err, "clawsonar: %s\n", report.Clean(n.English))
	}
}

// gateExit turns the gate's word into an error that carries it, and says what could
// not be judged.
func gateExit(s streams, gate *policy.Gate, silent bool) error {
	code := gate.Exit()
	if code == policy.Passed {
		return nil
	}
	if !silent {
		for _, reason := range gate.Reasons() {
			fmt.Fprintf(s.err, "clawsonar: %s\n", report.Clean(reason))
		}
	}
	return &exitError{code: code}
}
