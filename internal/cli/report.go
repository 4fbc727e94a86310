package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/stored"
)

// storedOptions are the flags of the commands that read stored streams.
type storedOptions struct {
	outputOptions
	gateOptions
}

func newReport(s streams) *cobra.Command {
	var o storedOptions
	cmd := &cobra.Command{
		Use:   "report [flags] FILE ...",
		Short: "Render stored results in any format; merge several",
		Long: `Render results that "scan -o jsonl=FILE" has stored, in any format, with the
same flags and exit codes as scan; - is stdin. Several files become one report:
a target that is in more than one of them is listed once, and findings with the
same key are one finding.`,
		Example: `  clawsonar report scan.jsonl -f html > report.html
  clawsonar report part1.jsonl part2.jsonl -o sarif=all.sarif -fail-on high
  clawsonar report scan.jsonl -f markdown -view nvdb -lang zh`,
	}
	return o.command(s, cmd, "report", func(set *fingerprint.Set, args []string) error {
		if len(args) == 0 {
			return usage(errors.New("report needs a file: give streams that scan wrote with -o jsonl=FILE"))
		}
		var sources []stored.Source
		for _, name := range args {
			if name == "-" && len(args) > 1 {
				return usage(errors.New("stdin can only be read once: give it alone, or as a file"))
			}
			sources = append(sources, source(s, set, name))
		}
		return o.run(s, set, func(emit func(event.Event) error) error { return stored.Merge(sources, emit) })
	})
}

func newDiff(s streams) *cobra.Command {
	var o storedOptions
	cmd := &cobra.Command{
		Use:   "diff [flags] OLD NEW",
		Short: "What opened, closed or changed between two stored scans",
		Long: `Compare two scans that "scan -o jsonl=FILE" has stored: findings that are new or
gone, gateways that are new or gone, verdicts and releases that are others, new
advisories. A finding counts as gone only if the newer scan could have shown it.
All formats; -fail-on looks at what is new only.`,
		Example: `  clawsonar diff monday.jsonl friday.jsonl
  clawsonar diff main.jsonl branch.jsonl -f markdown -fail-on medium`,
	}
	return o.command(s, cmd, "diff", func(set *fingerprint.Set, args []string) error {
		if len(args) != 2 {
			return usage(errors.New("diff takes two files: the older stream, then the newer one"))
		}
		older, newer := source(s, set, args[0]), source(s, set, args[1])
		return o.run(s, set, func(emit func(event.Event) error) error { return stored.Diff(older, newer, rules(), emit) })
	})
}

func (o *storedOptions) command(s streams, cmd *cobra.Command, name string, run func(set *fingerprint.Set, args []string) error) *cobra.Command {
	o.ownIgnore = true
	f := newFlags(name)
	o.outputOptions.flags(f)
	o.gateOptions.flags(f)
	f.attach(s, cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		rest, done, err := arguments(cmd, f, args, nil)
		if done || err != nil {
			return err
		}
		set, err := fingerprint.Load(fingerprints.FS)
		if err != nil {
			return fmt.Errorf("built-in fingerprints: %w", err)
		}
		return run(set, rest)
	}
	return cmd
}

// source reads a stored stream. One that was cut off is read as far as it goes:
// it has no summary, and so is incomplete. What an earlier version has quoted of
// answers is shown as this one would.
func source(s streams, set *fingerprint.Set, name string) stored.Source {
	return func(yield func(event.Event) error) error {
		in, label := s.in, "stdin"
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			in, label = f, name
		}
		begun := false
		err := report.Read(in, label, func(e event.Event) error {
			begun = true
			requote(set, e.Target)
			return yield(e)
		})
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF) && begun:
			fmt.Fprintf(s.err, "clawsonar: %s\n", report.Clean(err.Error()))
			return nil
		case err == nil && !begun:
			return fmt.Errorf("%s is empty: give a stream that scan wrote with -o jsonl=FILE", label)
		}
		return err
	}
}

// requote takes out of a stored target what a scan no longer writes into one.
func requote(set *fingerprint.Set, t *event.Target) {
	if t == nil {
		return
	}
	for i := range t.Evidence {
		x := &t.Evidence[i]
		x.SHA256 = set.KnownBody(x.SHA256)
		for name, value := range x.Facts {
			x.Facts[name] = set.Requote(name, value)
		}
	}
	if t.TLS != nil {
		t.TLS.VerifyError, t.TLS.NameError = evidence.Reason(t.TLS.VerifyError), evidence.Reason(t.TLS.NameError)
		t.TLS.HSTS = fingerprint.HSTS(t.TLS.HSTS)
	}
	v := t.Version
	if v == nil {
		return
	}
	said := slices.Clone(v.Candidates)
	for i, c := range said {
		said[i] = set.Requote("version", c)
	}
	if exact := set.Requote("version", v.Exact); exact != v.Exact || !slices.Equal(said, v.Candidates) {
		// The notes quote it as well.
		v.Exact, v.Candidates = exact, slices.DeleteFunc(said, func(c string) bool { return c == "" })
		t.Notes = slices.DeleteFunc(t.Notes, func(n string) bool { return strings.HasPrefix(n, "release") })
	}
}

// outputError is an error of the outputs, not of what was read.
type outputError struct{ error }

func (e *outputError) Unwrap() error { return e.error }

// run passes what read emits through the pipeline.
func (o *storedOptions) run(s streams, set *fingerprint.Set, read func(emit func(event.Event) error) error) error {
	gate, err := o.gate()
	if err != nil {
		return usage(err)
	}
	p, err := openPipeline(s, set, &o.outputOptions, &o.gateOptions, gate)
	if err != nil {
		return usage(err)
	}
	defer p.out.abandon()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = read(func(e event.Event) error {
		if ctx.Err() != nil {
			return &outputError{&exitError{exitInterrupted, errors.New("interrupted")}}
		}
		if err := p.event(e); err != nil {
			return &outputError{fmt.Errorf("write results: %w", err)}
		}
		return nil
	})
	var output *outputError
	switch {
	case errors.As(err, &output):
		return output.error
	case err != nil:
		return usage(err)
	}
	if err := p.out.finish(); err != nil {
		return err
	}
	p.notes(s, &o.outputOptions)
	return p.exit(s, o.silent)
}
