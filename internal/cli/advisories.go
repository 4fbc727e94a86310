package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/check"
	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/explain"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/report"
	"github.com/clawsonar/clawsonar/internal/results"
)

// advisoryFlags adds the flags that say what to match against.
func advisoryFlags(f *flags, o *audit.Data) {
	f.group("Advisories")
	f.list(&o.Advisories, "advisories", "", "FILE|all", "use the advisories in this file, as \"advisories update\" writes it; all: also list those not reachable through the gateway's port; repeatable", checkFileName).
		mayFind("it only sets the advisories to match", within)
	f.text(&o.VEX, "vex", "", "FILE", "OpenVEX file: its not_affected and fixed statements suppress advisories", nil).
		mayFind("what it suppresses stays in the results, marked", within)
}

func checkFileName(s string) error {
	if s == "" {
		return errors.New("use the name of a file, or all")
	}
	return nil
}

// loadData reads the advisories and the statements about them. Warnings go to stderr.
func loadData(known *data.Known, o *audit.Data, s streams) (*check.Advisories, error) {
	return o.Load(known, flagNames(), warn(s.err))
}

// matched is what is known, and the advisories that a command matches.
func matched(o *audit.Data, s streams) (*data.Known, *check.Advisories, error) {
	known, err := openData()
	if err != nil {
		return nil, nil, err
	}
	against, err := loadData(known, o, s)
	return known, against, usage(err)
}

func newAdvisories(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "advisories",
		Short: "List advisories, match them to a release, update them",
	}
	holder(cmd)
	cmd.AddCommand(newAdvisoriesList(s), newAdvisoriesShow(s), newAdvisoriesCheck(s), newAdvisoriesUpdate(s))
	return cmd
}

func newAdvisoriesList(s streams) *cobra.Command {
	var o audit.Data
	f := newFlags("advisories list")
	f.noArgs = true
	advisoryFlags(f, &o)
	cmd := &cobra.Command{Use: "list [flags]", Short: "List the known advisories, one a line"}
	return f.attach(s, cmd, func(_ context.Context, args []string) error {
		_, known, err := matched(&o, s)
		if err != nil {
			return err
		}
		for _, a := range known.DB.All() {
			advisoryLine(s.out, a, "")
		}
		fmt.Fprintf(s.err, "%s, as of %s, for releases up to %s\n", advisoryCount(len(known.DB.All())), known.DB.AsOf().Format(time.DateOnly), known.DB.Newest())
		return nil
	})
}

// advisoryLine prints one advisory on one line. A file of the user's may hold
// anything, so texts are cleaned.
func advisoryLine(w io.Writer, a *advisory.Advisory, mark string) {
	score := "-"
	if n, _, ok := a.Score(); ok {
		score = fmt.Sprintf("%.1f", n)
	}
	fmt.Fprintf(w, "%-19s %-15s %-8s %4s  %-14s %s%s\n", a.ID, cmp.Or(a.CVE, "-"), a.Grade(), score, cmp.Or(a.FixedIn().String(), "-"), clean.Text(a.Summary), mark)
}

func advisoryCount(n int) string {
	if n == 1 {
		return "1 advisory"
	}
	return fmt.Sprintf("%d advisories", n)
}

func newAdvisoriesShow(s streams) *cobra.Command {
	var o audit.Data
	var lang langOption
	f := newFlags("advisories show")
	advisoryFlags(f, &o)
	f.group("Output")
	lang.flag(f, "language (the advisory itself is English)")
	cmd := &cobra.Command{Use: "show [flags] ID", Short: "Show one advisory, by its GHSA or CVE id"}
	return f.attach(s, cmd, func(_ context.Context, args []string) error {
		if len(args) != 1 {
			return usage(errors.New("advisories show takes one id: see \"clawsonar advisories list\""))
		}
		_, known, err := matched(&o, s)
		if err != nil {
			return err
		}
		a := known.DB.Find(args[0])
		if a == nil {
			return usage(fmt.Errorf("no advisory %q as of %s: see \"clawsonar advisories list\"", clean.N(args[0], 40), known.DB.AsOf().Format(time.DateOnly)))
		}
		t, err := lang.texts()
		if err != nil {
			return err
		}
		explain.Advisory(s.out, a, t)
		return nil
	})
}

func newAdvisoriesCheck(s streams) *cobra.Command {
	var o audit.Data
	var pkg, auth string
	f := newFlags("advisories check")
	advisoryFlags(f, &o)
	f.group("Release")
	f.text(&pkg, "package", "", "NAME", "npm package that the version is of (default openclaw)", nil)
	var lang langOption
	lang.flag(f, "language (advisories themselves are English)")
	f.choice(&auth, "auth", "", "STATE", string(event.AuthRequired), "authentication of the gateway: required, gated or open",
		event.Words(event.AuthRequired, event.AuthGated, event.AuthOpen))
	cmd := &cobra.Command{
		Use:   "check [flags] VERSION ...",
		Short: "Show which advisories apply to a release, without a scan",
		Long: `Show which advisories apply to a release, without a scan. Several versions are
treated as candidates for one gateway: an advisory that applies to all of them
is affected, one that applies to some is possible.`,
		Example: `  clawsonar advisories check 2026.3.13
  clawsonar advisories check 2026.3.13 -auth open -advisories all
  clawsonar advisories check -package @openclaw/slack 2026.7.1`,
	}
	return f.attach(s, cmd, func(_ context.Context, args []string) error {
		if len(args) == 0 {
			return usage(errors.New("advisories check needs a version, such as 2026.3.13"))
		}
		subject := advisory.Subject{Query: advisory.Query{Package: pkg}}
		subject.Access = map[event.AuthState]advisory.Access{event.AuthOpen: advisory.Open, event.AuthGated: advisory.Fronted}[event.AuthState(auth)]
		for _, text := range args {
			v, err := release.Parse(text)
			if err != nil {
				return usage(err)
			}
			subject.Versions = append(subject.Versions, v)
		}
		all, known, err := matched(&o, s)
		if err != nil {
			return err
		}
		subject.Releases, subject.VEX = all.Releases(), known.VEX
		t, err := lang.texts()
		if err != nil {
			return err
		}
		printAssessment(s.out, strings.Join(args, ", "), known, known.DB.Assess(subject), t)
		return nil
	})
}

func printAssessment(w io.Writer, name string, known *check.Advisories, a advisory.Assessment, t report.Texts) {
	count := t.Say("%d advisories", a.Len())
	if a.Len() == 1 {
		count = t.Say("%d advisory", a.Len())
	}
	fmt.Fprint(w, t.Say("%s: %s", name, count))
	if n := a.Possible(); n > 0 {
		fmt.Fprint(w, t.Say(", %d of them only possibly", n))
	}
	fmt.Fprintln(w, t.Say(" (as of %s)", known.DB.AsOf().Format(time.DateOnly)))
	if a.Reason.ID != "" {
		fmt.Fprintln(w, t.Say("note: %s", t.Message(a.Reason)))
	}
	for _, part := range []struct {
		title   string
		matches []advisory.Match
		list    bool
	}{
		{t.Say("through the gateway's port, without a credential"), a.Reachable, true},
		{t.Say("through the gateway's port, with a credential"), a.Behind, true},
		{t.Say("not through the gateway's port"), a.Elsewhere, known.All},
	} {
		if len(part.matches) == 0 {
			continue
		}
		more := ""
		if !part.list {
			more = t.Say(" (-advisories all lists them)")
		}
		fmt.Fprintf(w, "\n%d %s%s\n", len(part.matches), part.title, more)
		for _, m := range part.matches {
			if !part.list {
				break
			}
			mark := ""
			if m.Status == event.StatusPossible {
				mark = t.Say(" [possible]")
			}
			if m.Inherited {
				mark += t.Say(" [inherited]")
			}
			advisoryLine(w, m.Advisory, mark)
		}
	}
	if len(a.Suppressed) > 0 {
		fmt.Fprintf(w, "\n%s\n", t.Say("%d suppressed by VEX statements", len(a.Suppressed)))
		for _, m := range a.Suppressed {
			advisoryLine(w, m.Advisory, " ["+clean.Text(m.Why)+"]")
		}
	}
	if a.Len() == 0 {
		return
	}
	fmt.Fprintln(w)
	if !a.FixReachable.IsZero() {
		fmt.Fprintln(w, t.Say("smallest update that fixes all that need no credential: %s", a.FixReachable))
	}
	if a.FixAll.IsZero() {
		fmt.Fprintln(w, t.Say("no known release fixes all"))
	} else {
		fmt.Fprintln(w, t.Say("smallest update that fixes all: %s", a.FixAll))
	}
}

func newAdvisoriesUpdate(s streams) *cobra.Command {
	var o audit.Data
	var output, asOf string
	f := newFlags("advisories update")
	f.group("Flags")
	f.list(&o.Advisories, "advisories", "", "FILE", "start from the advisories in this file instead of the built-in ones", checkFileName)
	// Not called output: the environment variable of that name is for scan.
	f.text(&output, "write", "o", "FILE", "write the result to this file, for -advisories FILE; without it nothing is written", nil)
	f.text(&asOf, "as-of", "", "YYYY-MM-DD", "the records are complete up to this day; without it the date of the advisories stays", checkDay)
	cmd := &cobra.Command{
		Use:   "update [flags] FILE|FOLDER ...",
		Short: "Import OSV records from files and show what changes",
		Long: `Import OSV records from files and show what changes: single records, arrays,
answers of an OSV query, zip exports, or folders of records. clawsonar never
fetches anything by itself: download the records with a tool of your choice.

The built-in advisories do not change: give the file that -o writes to other
commands with -advisories FILE.`,
		Example: `  clawsonar advisories update osv.json
  clawsonar advisories update -as-of 2026-11-20 -o advisories.json records/
  clawsonar scan -advisories advisories.json`,
	}
	return f.attach(s, cmd, func(_ context.Context, args []string) error {
		if len(args) == 0 {
			return usage(errors.New("advisories update needs a file or folder of OSV records"))
		}
		var records []results.Named
		for _, name := range args {
			records = append(records, results.Named{Flag: "record", Path: strings.TrimPrefix(name, "file://")})
		}
		// -advisories may be what -o brings up to date: it is replaced in one step.
		if err := results.Distinct(records, named(results.Named{Flag: "-output", Path: output})); err != nil {
			return usage(err)
		}
		all, known, err := matched(&o, s)
		if err != nil {
			return err
		}
		var u advisory.Update
		for _, name := range args {
			if err := addRecords(&u, name); err != nil {
				return usage(fmt.Errorf("advisories update: %s", clean.Text(err.Error())))
			}
		}
		return update(s, all.Releases(), known.DB, &u, output, asOf)
	})
}

func checkDay(s string) error {
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return fmt.Errorf("%q is not a day: write YYYY-MM-DD", s)
	}
	return nil
}

// scheme matches what begins a URL; one letter and a colon is a Windows drive.
var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]+)://`)

// addRecords reads a file, or all .json files of a folder.
func addRecords(u *advisory.Update, name string) error {
	if m := scheme.FindStringSubmatch(name); m != nil {
		local, ok := strings.CutPrefix(name, "file://")
		if !ok || !strings.HasPrefix(local, "/") {
			return errors.New("that is a URL, and clawsonar never fetches anything by itself: download it and give the file")
		}
		name = local
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return addFile(u, name)
	}
	found := false
	err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(path) != ".json" {
			return err
		}
		found = true
		return addFile(u, path)
	})
	if err == nil && !found {
		err = fmt.Errorf("%s: no .json file in this folder", name)
	}
	return err
}

func addFile(u *advisory.Update, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: not a file or folder: save it to a file first", name)
	}
	return u.Add(name, f, info.Size())
}

// update prints what changes and, if wanted, writes it.
func update(s streams, table *release.Table, db *advisory.DB, u *advisory.Update, output, asOf string) error {
	c := u.Apply(db)
	for _, line := range c.Lines {
		fmt.Fprintln(s.out, clean.Text(line))
	}
	for _, note := range c.Notes {
		fmt.Fprintf(s.err, "clawsonar: %s\n", clean.Text(note))
	}
	fmt.Fprintf(s.out, "%d new, %d changed, %d withdrawn, %d unchanged; %s\n", c.New, c.Changed, c.Removed, c.Equal, advisoryCount(len(c.All)))
	day, newest := db.AsOf(), db.Newest()
	if asOf != "" {
		stated, err := time.Parse(time.DateOnly, asOf)
		if err != nil {
			return usage(err)
		}
		if stated.After(day) {
			day = stated
		}
		// Advisories of a day are about the releases that were out on it.
		for r := range table.Releases() {
			if !r.Date.IsZero() && r.Date.Before(day.AddDate(0, 0, 1)) && r.Version.Compare(newest) > 0 {
				newest = r.Version
			}
		}
	}
	if output == "" {
		fmt.Fprintln(s.out, "nothing written: use -o FILE to write")
		return nil
	}
	text, err := advisory.Encode(day, newest, c.All)
	if err != nil {
		return fmt.Errorf("advisories update: %w", err)
	}
	if err := results.Replace(output, text); err != nil {
		return fmt.Errorf("advisories update: %w", err)
	}
	fmt.Fprintf(s.out, "written to %s: use it with -advisories %s\n", output, output)
	return nil
}
