package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/exit"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/message"
	"github.com/clawsonar/clawsonar/internal/results"
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
		Use:   "report [flags] FILE|FOLDER ...",
		Short: "Render stored results in any format; merge several",
		Long: `Render results that "scan -o jsonl=FILE" has stored, in any format, with the
same flags and exit codes as scan; - is stdin, a folder stands for the *.jsonl
files in it. Several files become one report: a target that is in more than one
of them is listed once, and findings with the same key are one finding. Shards
and resumed parts of one scan are recognised: together they are complete, and
missing parts are reported. Of scans from several vantages (scan -vantage NAME)
the worst verdict of a place counts, and where they differ, differs-by-vantage
says who saw what.`,
		Example: `  clawsonar report scan.jsonl -f html > report.html
  clawsonar report part1.jsonl part2.jsonl -o sarif=all.sarif -fail-on high
  clawsonar report shards/ -fail-on-incomplete
  clawsonar report scan.jsonl -f markdown -view nvdb -lang zh`,
	}
	return o.command(s, cmd, "report", func(ctx context.Context, set *fingerprint.Set, args []string) error {
		if len(args) == 0 {
			return usage(errors.New("report needs a file: give streams that scan wrote with -o jsonl=FILE"))
		}
		if slices.Contains(args, "-") && len(args) > 1 {
			return usage(errors.New("stdin can only be read once: give it alone, or use a file"))
		}
		args, err := unfolded(args)
		if err != nil {
			return usage(err)
		}
		return o.run(ctx, s, set, args, func(emit func(event.Event) error) error {
			all, err := sources(s, set, args...)
			if err != nil {
				return err
			}
			return stored.MergeVantages(all, differs, emit)
		})
	})
}

// unfolded puts the streams that lie in a folder in its place.
func unfolded(names []string) ([]string, error) {
	var out []string
	for _, name := range names {
		if info, err := os.Stat(name); name == "-" || err != nil || !info.IsDir() {
			out = append(out, name)
			continue
		}
		entries, err := os.ReadDir(name)
		if err != nil {
			return nil, err
		}
		before := len(out)
		for _, e := range entries {
			if filepath.Ext(e.Name()) == ".jsonl" && !strings.HasPrefix(e.Name(), ".") {
				out = append(out, filepath.Join(name, e.Name()))
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("%s: no *.jsonl file is in this folder: give streams that scan wrote with -o jsonl=FILE", name)
		}
	}
	return out, nil
}

func newDiff(s streams) *cobra.Command {
	var o storedOptions
	cmd := &cobra.Command{
		Use:   "diff [flags] OLD NEW",
		Short: "Compare two stored scans: what is new, gone or changed",
		Long: `Compare two scans that "scan -o jsonl=FILE" has stored: new and gone findings,
new and gone gateways, changed verdicts and releases, new advisories. A finding
counts as gone only if the newer scan could have found it. All formats are
available; -fail-on considers only new findings. Of two scans with different
vantages (scan -vantage NAME) neither is the older one: it says what each sees,
and -fail-on considers what the second one has alone.`,
		Example: `  clawsonar diff monday.jsonl friday.jsonl
  clawsonar diff main.jsonl branch.jsonl -f markdown -fail-on medium`,
	}
	return o.command(s, cmd, "diff", func(ctx context.Context, set *fingerprint.Set, args []string) error {
		if len(args) != 2 {
			return usage(errors.New("diff takes two files: the older stream, then the newer one"))
		}
		return o.run(ctx, s, set, args, func(emit func(event.Event) error) error {
			var whole [2]stored.Source
			for i, name := range args {
				parts, err := sources(s, set, name)
				if err != nil {
					return err
				}
				whole[i] = func(yield func(event.Event) error) error { return stored.MergeRuns(parts, yield) }
			}
			return stored.Diff(whole[0], whole[1], append(check.Infos(), check.DiffersByVantage().Doc), emit)
		})
	})
}

func (o *storedOptions) command(s streams, cmd *cobra.Command, name string, run func(ctx context.Context, set *fingerprint.Set, args []string) error) *cobra.Command {
	o.ownIgnore = true
	f := newFlags(name)
	o.outputOptions.flags(f)
	o.geoFlag(f)
	o.gateOptions.flags(f)
	return f.attach(s, cmd, func(ctx context.Context, args []string) error {
		known, err := openData()
		if err != nil {
			return err
		}
		return run(ctx, known.Set, args)
	})
}

// differs makes the finding that vantages see different verdicts of a place.
func differs(place string, detail ...message.Text) *event.Finding {
	return check.DiffersByVantage().At(place, event.Info, detail...)
}

// sources returns the streams in files: one a file, or one for each run of a scan.
func sources(s streams, set *fingerprint.Set, names ...string) ([]stored.Source, error) {
	var out []stored.Source
	for _, name := range names {
		if name == "-" {
			out = append(out, source(s, set, s.in, "stdin"))
			continue
		}
		whole := func(yield func(event.Event) error) error {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			return source(s, set, f, name)(yield)
		}
		parts, err := partsOf(name)
		if err != nil {
			return nil, err
		}
		if len(parts) < 2 {
			out = append(out, whole)
			continue
		}
		for i, p := range parts {
			out = append(out, func(yield func(event.Event) error) error {
				f, err := os.Open(name)
				if err != nil {
					return err
				}
				defer f.Close()
				return source(s, set, io.NewSectionReader(f, p.Begin, p.End-p.Begin), fmt.Sprintf("%s (run %d)", name, i+1))(yield)
			})
		}
	}
	return out, nil
}

// partsOf returns the parts of a regular file; other files have one.
func partsOf(name string) ([]stored.Part, error) {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	parts, err := stored.Parts(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return parts, nil
}

// source reads a stored stream. One that was cut off is read as far as it goes:
// it has no summary, and so is incomplete. Quotes of answers by an earlier version
// are reduced to what this one quotes.
func source(s streams, set *fingerprint.Set, in io.Reader, label string) stored.Source {
	return func(yield func(event.Event) error) error {
		begun := false
		err := event.Read(in, label, func(e event.Event) error {
			begun = true
			if t, ok := e.(*event.Target); ok {
				requote(set, t)
			}
			return yield(e)
		})
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF) && begun:
			fmt.Fprintf(s.err, "clawsonar: %s\n", clean.Text(err.Error()))
			return nil
		case err == nil && !begun:
			return fmt.Errorf("%s is empty: give a stream that scan wrote with -o jsonl=FILE", label)
		}
		return err
	}
}

// requote removes from a stored target what a scan no longer writes into one.
func requote(set *fingerprint.Set, t *event.Target) {
	for i := range t.Evidence {
		x := &t.Evidence[i]
		x.SHA256 = set.KnownBody(x.SHA256)
		for name, value := range x.Facts {
			x.Facts[name] = set.Requote(name, value)
		}
		if x.Facts["body"] == fingerprint.NotKept {
			x.Bytes = 0
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
		t.DropNotes(func(n message.Text) bool { return strings.HasPrefix(n.English, "release") })
	}
}

// outputError is an error of the outputs, not of what was read.
type outputError struct{ error }

func (e *outputError) Unwrap() error { return e.error }

// run passes what read emits, from the files of these names, through the pipeline.
func (o *storedOptions) run(ctx context.Context, s streams, set *fingerprint.Set, names []string, read func(emit func(event.Event) error) error) error {
	gate, err := o.gate()
	if err != nil {
		return usage(err)
	}
	inputs := slices.Concat(o.outputOptions.read(), o.gateOptions.read())
	for _, name := range names {
		in := results.Named{Flag: "input", Path: name}
		if name == "-" {
			in = stdin(s)
		}
		inputs = append(inputs, named(in)...)
	}
	if err := results.Distinct(inputs, o.written(s)); err != nil {
		return usage(err)
	}
	defer s.inOrder()()
	p, err := openPipeline(s, set, &o.outputOptions, &o.gateOptions, gate, nil, event.Scan{})
	if err != nil {
		return usage(err)
	}
	defer p.Abandon()
	err = read(func(e event.Event) error {
		if ctx.Err() != nil {
			return &outputError{&exit.Error{Code: exit.Interrupted, Err: errors.New("interrupted")}}
		}
		if err := p.Event(e); err != nil {
			return &outputError{err}
		}
		return nil
	})
	var output *outputError
	var ended *exit.Error
	switch {
	case errors.As(err, &ended):
		return ended
	case errors.As(err, &output): // nothing is left to write to; finish says why
	case err != nil:
		return usage(err)
	}
	if err := p.Finish(true); err != nil {
		return err
	}
	o.notes(s, p)
	return gateExit(s, gate, o.silent)
}
