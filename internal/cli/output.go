package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/results"
)

// missing reports whether an error says that a file does not exist.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// outputs are the destinations of the results.
func (o *outputOptions) outputs(s streams) ([]results.Output, error) {
	out := []results.Output{{Format: o.format, Writer: s.out, Options: terminalOptions(s.out, o)}}
	for _, spec := range o.output {
		format, path, err := report.ParseOutput(spec)
		if err != nil {
			return nil, fmt.Errorf("-output: %w", err)
		}
		options := o.reportOptions()
		options.Width = 100
		out = append(out, results.Output{Format: cmp.Or(format, o.format), Path: path, Options: options})
	}
	return out, nil
}

// written names the files that results go to.
func (o *outputOptions) written(s streams) []results.Named {
	var out []results.Named
	if f, ok := s.out.(*os.File); ok {
		out = append(out, results.Named{Flag: "stdout", File: f})
	}
	for _, spec := range o.output {
		if _, path, err := report.ParseOutput(spec); err == nil {
			out = append(out, results.Named{Flag: "-output", Path: path})
		}
	}
	return out
}

// named are the files among these that are named.
func named(files ...results.Named) (out []results.Named) {
	for _, f := range files {
		if f.Path != "" || f.File != nil {
			out = append(out, f)
		}
	}
	return out
}

// stdin is the standard stream as an input.
func stdin(s streams) results.Named {
	f, _ := s.in.(*os.File)
	return results.Named{Flag: "stdin", File: f}
}

func (o *outputOptions) read() []results.Named {
	out := named(results.Named{Flag: "-redact-key", Path: o.redactKey})
	for _, name := range o.geo {
		out = append(out, results.Named{Flag: "-geo", Path: name})
	}
	return out
}

func (o *gateOptions) read() []results.Named {
	ignore := o.ignore
	if _, err := os.Stat(defaultIgnore); ignore == "" && o.ownIgnore && err == nil {
		ignore = defaultIgnore
	}
	return named(results.Named{Flag: "-ignore", Path: ignore}, results.Named{Flag: "-baseline", Path: o.baseline})
}

func readByScope(o *audit.Scope) []results.Named {
	return named(results.Named{Flag: "-scope", Path: o.ScopeFile}, results.Named{Flag: "-exclude-file", Path: o.ExcludeFile},
		results.Named{Flag: "-as-file", Path: o.ASFile})
}

func readAsData(o *audit.Data) []results.Named {
	out := named(results.Named{Flag: "-vex", Path: o.VEX})
	for _, name := range o.Advisories {
		if name != audit.AllAdvisories {
			out = append(out, results.Named{Flag: "-advisories", Path: name})
		}
	}
	return out
}

// read names all files that a scan reads.
func (o *scanOptions) read(s streams, args []string) []results.Named {
	var lists []results.Named
	for _, list := range o.Lists {
		if list == "-" {
			lists = append(lists, stdin(s))
		} else {
			lists = append(lists, results.Named{Flag: "-list", Path: list})
		}
	}
	if len(o.Lists)+len(args) == 0 && isPipe(s.in) {
		lists = append(lists, stdin(s))
	}
	config := o.config
	if _, err := os.Stat(defaultConfig); config == "" && err == nil {
		config = defaultConfig
	}
	return slices.Concat(named(append(lists, results.Named{Flag: "-config", Path: config})...),
		o.outputOptions.read(), o.gateOptions.read(), readByScope(&o.Scope), readAsData(&o.Data))
}

// distinct refuses outputs that are inputs, or the same file.
func (o *scanOptions) distinct(s streams, args []string) error {
	out := o.written(s)
	path, flag, err := o.journalFile()
	if err != nil {
		return err
	}
	out = append(out, named(results.Named{Flag: flag, Path: path})...)
	return results.Distinct(o.read(s, args), out)
}

// terminalOptions are the options of a report on stdout.
func terminalOptions(w io.Writer, o *outputOptions) report.Options {
	opt := o.reportOptions()
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return opt
	}
	// https://no-color.org: set to anything but the empty string.
	opt.Color = os.Getenv("NO_COLOR") == "" && !o.monochro && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		opt.Width = width
	}
	// The first that is set counts (POSIX, Base Definitions, section 8.2).
	locale := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))
	opt.ASCII = opt.Lang == "en" && !strings.Contains(strings.ToUpper(strings.ReplaceAll(locale, "-", "")), "UTF8")
	return opt
}

func checkOutput(spec string) error {
	_, _, err := report.ParseOutput(spec)
	return err
}
