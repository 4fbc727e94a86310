package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/evidence"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/strict"
	"github.com/clawsonar/clawsonar/testdata/captures"
)

func newFingerprints(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fingerprints",
		Short: "List fingerprints; validate and test your own",
	}
	holder(cmd)
	cmd.AddCommand(newFingerprintsList(s), newFingerprintsValidate(s), newFingerprintsTest(s), newFingerprintsExplain(s))
	return cmd
}

func newFingerprintsList(s streams) *cobra.Command {
	var releases bool
	f := newFlags("fingerprints list")
	f.noArgs = true
	f.group("Flags")
	f.boolean(&releases, "releases", "", "list the known OpenClaw releases instead")
	cmd := &cobra.Command{Use: "list [flags]", Short: "List the built-in fingerprints, or the known releases"}
	return f.attach(s, cmd, func(_ context.Context, args []string) error {
		known, err := openData()
		if err != nil {
			return err
		}
		set := known.Set
		if releases {
			for r := range set.Releases("openclaw").Releases() {
				date := "-"
				if !r.Date.IsZero() {
					date = r.Date.Format(time.DateOnly)
				}
				fmt.Fprintf(s.out, "%-20s %-9s built %-10s commit %-12s %2d assets\n", r.Version, r.Package, date, r.Commit, len(r.Assets))
			}
			return nil
		}
		for _, p := range set.Products() {
			fmt.Fprintf(s.out, "%-24s %-30s ports %s\n", p.ID, p.Name, strings.Trim(fmt.Sprint(p.Ports), "[]"))
		}
		return nil
	})
}

// newFingerprintsExplain is explain, as a subcommand of fingerprints.
func newFingerprintsExplain(s streams) *cobra.Command {
	cmd := newExplain(s)
	cmd.Use, cmd.Short = "explain [ID]", "Explain what can be told about a product from outside"
	return cmd
}

func newFingerprintsValidate(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate [flags] FILE|FOLDER ...",
		Short: "Check fingerprint files without contacting anything",
	}
	return ownFingerprints(s, "validate", cmd, func(args, confirmed []string) error {
		if len(args) == 0 {
			return usage(errors.New("fingerprints validate needs a file or folder: see \"clawsonar fingerprints validate -help\""))
		}
		for _, arg := range args {
			set, err := loadFingerprints(arg, confirmed)
			if err != nil {
				return usage(err)
			}
			for _, p := range set.Products() {
				fmt.Fprintf(s.out, "%s: %s is valid: %s, markers %s\n", arg, p.ID, counted(len(p.Requests), "request"), strings.Join(p.Markers, ", "))
			}
		}
		return nil
	})
}

func newFingerprintsTest(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test [flags] [FILE|FOLDER [CAPTURE ...]]",
		Short: "Test a fingerprint with recorded captures",
		Long: `Judge recorded captures with a fingerprint and compare the verdicts with the
expected ones. Without captures, the built-in ones are used, without a file the
built-in fingerprints as well. Every marker needs a capture that matches it and
one that answers the same request differently; every rule that says certain,
open or claimable needs one in which it decides. Other rules that decide in no
capture are listed.`,
	}
	return ownFingerprints(s, "test", cmd, func(args, confirmed []string) error {
		known, err := openData()
		if err != nil {
			return err
		}
		set := known.Set
		if len(args) > 0 {
			if set, err = loadFingerprints(args[0], confirmed); err != nil {
				return usage(err)
			}
			args = args[1:]
		}
		all, err := loadCaptures(args)
		if err != nil {
			return usage(err)
		}
		if len(all) == 0 {
			return usage(fmt.Errorf("%s: no capture: a folder of captures holds .yaml files", strings.Join(args, ", ")))
		}
		problems, idle := set.Test(all)
		for _, p := range problems {
			fmt.Fprintln(s.out, clean.Text(p))
		}
		if len(idle) > 0 {
			fmt.Fprintf(s.out, "decide in no capture: %s\n", counted(len(idle), "rule"))
			for _, rule := range idle {
				fmt.Fprintln(s.out, "  "+clean.Text(rule))
			}
		}
		if len(problems) > 0 {
			return fmt.Errorf("%s found; captures tested: %d", counted(len(problems), "problem"), len(all))
		}
		fmt.Fprintf(s.out, "%s, every verdict as expected, every marker covered\n", counted(len(all), "capture"))
		return nil
	})
}

// ownFingerprints adds the flag to a command that reads fingerprint files, and calls
// run with the files and the paths that the user confirms.
func ownFingerprints(s streams, name string, cmd *cobra.Command, run func(args, confirmed []string) error) *cobra.Command {
	var confirmed []string
	f := newFlags("fingerprints " + name)
	f.group("Flags")
	f.list(&confirmed, "allow-path", "", "PATH", "also permit requests for this path, which must change nothing and return no secret; repeatable", fingerprint.CheckPath)
	return f.attach(s, cmd, func(_ context.Context, args []string) error {
		return run(args, confirmed)
	})
}

// counted puts a number before its noun.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// loadFingerprints reads one file, or all of a folder. Fronts and release
// tables that are not there are the built-in ones.
func loadFingerprints(name string, confirmed []string) (*fingerprint.Set, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	dir, pattern := name, "*.yaml"
	if !info.IsDir() {
		dir, pattern = filepath.Dir(name), filepath.Base(name)
	}
	set, err := fingerprint.LoadOwn(completed{bounded.FS{FS: os.DirFS(dir), Limit: maxData}, pattern}, fingerprints.Paths, confirmed)
	if err != nil {
		return nil, inFolder(dir, err)
	}
	return set, nil
}

// inFolder makes an error about a file in a folder name its path.
func inFolder(dir string, err error) error {
	var at *strict.Error
	if errors.As(err, &at) {
		return &strict.Error{File: filepath.Join(dir, at.File), Line: at.Line, Err: at.Err}
	}
	return fmt.Errorf("%s: %w", dir, err)
}

// completed is a folder, of which files of pattern are read, completed by the
// built-in files.
type completed struct {
	fs.FS
	pattern string
}

func (c completed) Glob(string) ([]string, error) { return fs.Glob(c.FS, c.pattern) }

// maxData is the most that is read of a fingerprint file or a table of releases.
const maxData = 4 << 20

// ReadFile reads a whole file, within the limit where it is the user's.
func (c completed) ReadFile(name string) ([]byte, error) {
	data, err := fs.ReadFile(c.FS, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ReadFile(fingerprints.FS, name)
	}
	return data, err
}

func (c completed) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fingerprints.FS.Open(name)
	}
	return f, err
}

func loadCaptures(names []string) (map[string]evidence.Capture, error) {
	if len(names) == 0 {
		return evidence.LoadCaptures(captures.FS, ".")
	}
	out := map[string]evidence.Capture{}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			more, err := evidence.LoadCaptures(bounded.FS{FS: os.DirFS(name), Limit: bounded.MaxYAML}, ".")
			if err != nil {
				return nil, err
			}
			maps.Copy(out, more)
			continue
		}
		data, err := bounded.File(name, bounded.MaxYAML)
		if err != nil {
			return nil, err
		}
		if out[name], err = evidence.LoadCapture(data, name); err != nil {
			return nil, err
		}
	}
	return out, nil
}
