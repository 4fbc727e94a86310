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

	"github.com/clawsonar/clawsonar/internal/event"
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
	output                    []string
	format                    string
	lang, view                string
	redact                    bool
	redactKey                 string
	silent, verbose, monochro bool
}

func (o *outputOptions) flags(f *flags) {
	f.group("Output")
	f.list(&o.output, "output", "o", "[FORMAT=]FILE", "write the results to a file as well; repeatable", checkOutput)
	f.choice(&o.format, "format", "f", "FORMAT", "table", strings.Join(report.Formats(), ", "), report.Formats())
	f.choice(&o.lang, "lang", "", "LANG", "en", "language of table, markdown and html: "+strings.Join(report.Languages(), ", "), report.Languages())
	f.text(&o.view, "view", "", "VIEW", "of markdown; nvdb: by the recommendations of NVDB, CNCERT and others, and OWASP", checkView)
	f.boolean(&o.redact, "redact", "", "addresses, names and the like become pseudonyms, others in each run")
	f.text(&o.redactKey, "redact-key", "", "FILE", "-redact with the key in this file: the same pseudonyms in each run", nil)
	f.boolean(&o.silent, "silent", "", "nothing on stderr but errors")
	f.boolean(&o.verbose, "verbose", "v", "list closed, silent and excluded members of ranges, too")
	f.boolean(&o.monochro, "no-color", "", "no colour (so does the environment's NO_COLOR)")
}

func checkView(s string) error {
	if !slices.Contains(report.Views(), s) {
		return fmt.Errorf("%q is unknown: use %s", s, strings.Join(report.Views(), ", "))
	}
	return nil
}

// reportOptions are what all formats have in common.
func (o *outputOptions) reportOptions() report.Options {
	return report.Options{Verbose: o.verbose, Rules: rules(), Lang: o.lang, View: o.view}
}

// checkView refuses a view of a format that is not asked for.
func (o *outputOptions) checkView() error {
	if o.view == "" || o.format == "markdown" || slices.ContainsFunc(o.output, func(s string) bool { return strings.HasPrefix(s, "markdown=") }) {
		return nil
	}
	return fmt.Errorf("-view %s is a view of the format markdown: add -f markdown or -o markdown=FILE", o.view)
}

// redactor returns nil if nothing is to be replaced.
func (o *outputOptions) redactor() (*redact.Redactor, error) {
	switch {
	case o.redactKey != "":
		key, err := os.ReadFile(o.redactKey)
		if err != nil {
			return nil, fmt.Errorf("-redact-key: %w", err)
		}
		r, err := redact.New(bytes.TrimSpace(key))
		if err != nil {
			return nil, fmt.Errorf("-redact-key: %s: %w", o.redactKey, err)
		}
		return r, nil
	case o.redact:
		return redact.New([]byte(rand.Text()))
	}
	return nil, nil
}

// gateOptions are the flags about the exit code.
type gateOptions struct {
	failOn           string
	failOnIncomplete bool
	ignore, baseline string
	ownIgnore        bool // the default ignore file counts, too
}

func (o *gateOptions) flags(f *flags) {
	f.group("Gate")
	f.choice(&o.failOn, "fail-on", "", "SEVERITY", "none", "exit 3 on findings from this severity on: low, medium, high or critical",
		[]string{"none", "low", "medium", "high", "critical"})
	f.boolean(&o.failOnIncomplete, "fail-on-incomplete", "", "exit 4 when not everything could be judged")
	known := "findings that are known, each with a reason"
	if o.ownIgnore {
		known += " (default ./" + defaultIgnore + " if it is there)"
	}
	f.text(&o.ignore, "ignore", "", "FILE", known, nil)
	f.text(&o.baseline, "baseline", "", "FILE", "a stored jsonl stream: what it holds is known", nil)
}

func (o *gateOptions) gate() (*policy.Gate, error) {
	severity, err := policy.ParseFailOn(o.failOn)
	if err != nil {
		return nil, err
	}
	return &policy.Gate{FailOn: severity, FailOnIncomplete: o.failOnIncomplete}, nil
}

// filter reads the ignore file and the baseline.
func (o *gateOptions) filter() (*policy.Filter, error) {
	f := &policy.Filter{Now: time.Now()}
	name := o.ignore
	if name == "" && o.ownIgnore {
		name = defaultIgnore
	}
	if name != "" {
		data, err := os.ReadFile(name)
		switch {
		case o.ignore == "" && errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("-ignore: %w", err)
		default:
			if f.Ignore, err = policy.LoadIgnore(name, data, checkIDs()); err != nil {
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
	begun := false
	err = report.Read(r, o.baseline, func(e event.Event) error {
		begun = begun || e.Scan != nil
		f.Baseline.Event(e)
		return nil
	})
	if err == nil && !begun {
		err = fmt.Errorf("%s holds no scan: give a stream that scan wrote with -o jsonl=FILE", o.baseline)
	}
	if err != nil {
		return nil, fmt.Errorf("-baseline: %w", err)
	}
	return f, nil
}

// pipeline is the way of an event: what is known is marked, the gate looks, what
// identifies is replaced, the reports are written.
//
// A run that goes on with a jsonl file which holds all before it writes there
// alone while it scans; the gate and the other outputs then get what "report"
// makes of that file. If no file holds the runs before, they get this run alone,
// and are told that this is not all.
type pipeline struct {
	filter *policy.Filter
	gate   *policy.Gate
	redact *redact.Redactor
	out    *results.Set
	alone  *stored.Alone // nil: what is read has been through it

	again func() (*policy.Filter, error) // a new one
}

// openPipeline opens the outputs; an error is the user's to fix.
func openPipeline(s streams, o *outputOptions, g *gateOptions, gate *policy.Gate, journal *results.Keeper, head event.Scan) (*pipeline, error) {
	if err := o.checkView(); err != nil {
		return nil, err
	}
	p := &pipeline{gate: gate, again: g.filter}
	if journal != nil {
		p.alone = &stored.Alone{}
	}
	var err error
	if p.filter, err = g.filter(); err != nil {
		return nil, err
	}
	if p.redact, err = o.redactor(); err != nil {
		return nil, err
	}
	outputs, err := o.outputs(s)
	if err != nil {
		return nil, err
	}
	first := event.Event{Scan: &head}
	if p.redact != nil {
		first = p.redact.Event(first)
	}
	if p.out, err = results.Open(outputs, journal, first.Scan); err != nil {
		return nil, fmt.Errorf("-output: %w", err)
	}
	return p, nil
}

// event passes an event on. An error says that there is nowhere left to write to.
func (p *pipeline) event(e event.Event) error {
	e = p.filter.Event(e)
	line := e
	if p.redact != nil {
		line = p.redact.Event(e)
	}
	streams := p.out.Event(line, true)
	if p.out.Whole() != "" {
		return streams
	}
	p.gate.Event(p.alone.Event(e))
	if e.Summary != nil {
		line = p.alone.Event(line)
	}
	return p.out.Event(line, false)
}

// finish completes the outputs. If the run went on with a file, that is rendered
// first.
func (p *pipeline) finish(s streams, complete bool) error {
	var err error
	if name := p.out.Whole(); name != "" {
		p.out.CloseStreams()
		err = p.render(s, name)
	}
	return errors.Join(err, p.out.Finish(complete && err == nil))
}

// render has the gate and the outputs that are no streams take what a file holds.
func (p *pipeline) render(s streams, name string) error {
	sources, err := sources(s, name)
	if err != nil {
		return err
	}
	mine := p.filter.Notes() // of this run alone
	if p.filter, err = p.again(); err != nil {
		return err
	}
	return stored.Merge(sources, func(e event.Event) error {
		if e.Summary != nil {
			e.Summary.Notes = slices.DeleteFunc(e.Summary.Notes, func(n string) bool { return slices.Contains(mine, n) })
		}
		e = p.filter.Event(e)
		p.gate.Event(e)
		_ = p.out.Event(e, false) // Finish reports it
		return nil
	})
}

// notes says on stderr what the reports that go to stdout do not.
func (p *pipeline) notes(s streams, o *outputOptions) {
	if o.silent || slices.Contains([]string{"table", "markdown", "html"}, o.format) {
		return
	}
	for _, n := range p.filter.Notes() {
		fmt.Fprintf(s.err, "clawsonar: %s\n", report.Clean(n))
	}
}

// exit turns the gate's word into an error that carries it.
func (p *pipeline) exit() error {
	if code := p.gate.Exit(); code != policy.Passed {
		return &exitError{code: code}
	}
	return nil
}
