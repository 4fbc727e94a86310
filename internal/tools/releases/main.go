// Releases brings the table of released gateways up to date: it asks npm which
// releases exist and reads the few facts of those the table does not have yet.
//
// Run it from the top of the module:
//
//	go run ./internal/tools/releases
//
// It asks the npm client, so it uses the registry that client is set up for,
// and writes no name of it anywhere. A package is read as it streams past and only
// until its facts are complete; nothing of it is kept. The table is saved after
// every release, so a run that was cut short is continued by the next. The day of the
// table is the one up to which nothing is missing: today, or that of -as-of where npm is
// set up for a registry that lags behind.
//
// The exit code is 0 when the table knows everything npm lists, 1 when not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/results"
)

// packages are the names the gateway has been published under.
var packages = [...]string{"clawdbot", "openclaw"}

// atOnce is how many packages are read at a time. They are large, and the registry
// is somebody else's.
const atOnce = 2

func main() {
	file := flag.String("o", filepath.FromSlash("fingerprints/releases/openclaw.json"), "the table to bring up to date")
	asOf := flag.String("as-of", time.Now().UTC().Format(time.DateOnly), "the day up to which npm lists all releases")
	flag.Parse()
	day, err := time.Parse(time.DateOnly, *asOf)
	if err != nil || day.After(time.Now()) {
		fmt.Fprintln(os.Stderr, "releases: -as-of takes a day that has begun, YYYY-MM-DD")
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *file, day, npm{}); err != nil {
		fmt.Fprintln(os.Stderr, "releases:", err)
		os.Exit(1)
	}
}

// source is where releases come from.
type source interface {
	// versions lists what is published of a package, in any order.
	versions(ctx context.Context, pkg string) ([]string, error)
	// open starts to read a package; size is -1 when it is not known.
	open(ctx context.Context, pkg, version string) (body io.ReadCloser, size int64, err error)
}

// job is one release to read.
type job struct {
	pkg     string
	version release.Version
}

// run brings the table in file up to date and says on out what it did.
func run(ctx context.Context, out io.Writer, file string, day time.Time, src source) error {
	began := time.Now()
	t, err := load(file)
	if err != nil {
		return err
	}
	jobs, err := missing(ctx, out, src, t.releases)
	if err != nil {
		return err
	}

	var (
		mu     sync.Mutex // guards t, failed, read, and the order of lines on out
		failed []error
		read   int64
		g      errgroup.Group
	)
	g.SetLimit(atOnce)
	for _, j := range jobs {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			start := time.Now()
			r, n, size, err := fetch(ctx, src, j)
			mu.Lock()
			defer mu.Unlock()
			read += n
			if err == nil {
				err = t.add(r)
			}
			if err != nil {
				err = fmt.Errorf("%s %s: %w", j.pkg, j.version, err)
				failed = append(failed, err)
				fmt.Fprintln(out, "failed:", err)
				return nil
			}
			fmt.Fprintf(out, "added %s %s: %d assets, stamp %q; read %.1f of %.1f MB in %.1f s\n",
				r.Package, r.Version, len(r.Assets), r.Stamp, float64(n)/1e6, float64(size)/1e6, time.Since(start).Seconds())
			return nil
		})
	}
	_ = g.Wait() // every failure is in failed

	fmt.Fprintf(out, "%s: %d releases, %d of them new; read %.0f MB in %.0f s\n",
		file, len(t.releases), t.added, float64(read)/1e6, time.Since(began).Seconds())
	if err := ctx.Err(); err != nil {
		return errors.New("interrupted; run again to continue")
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d releases could not be read, run again to try them once more: %w",
			len(failed), len(jobs), errors.Join(failed...))
	}
	return t.complete(day)
}

// table is the file being brought up to date.
type table struct {
	file     string
	releases []release.Release
	asOf     time.Time // nothing is missing up to then
	added    int
}

// load reads the table; a file that is not there is an empty one.
func load(file string) (*table, error) {
	t := &table{file: file, asOf: time.Unix(0, 0)} // nothing is known to be complete
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the table: %w", err)
	}
	known, err := release.Load(file, data)
	if err != nil {
		return nil, fmt.Errorf("%w; repair it, or delete it to start over", err)
	}
	t.releases, t.asOf = slices.Collect(known.Releases()), known.AsOf()
	return t, nil
}

// add takes one release in and saves the table, all or nothing.
func (t *table) add(r release.Release) error {
	releases := append(slices.Clip(t.releases), r)
	if err := t.save(releases); err != nil {
		return err
	}
	t.releases = releases
	t.added++
	return nil
}

// complete notes that the table has all that there is up to a day.
func (t *table) complete(day time.Time) error {
	if !day.After(t.asOf) || len(t.releases) == 0 {
		return nil
	}
	t.asOf = day
	return t.save(t.releases)
}

func (t *table) save(releases []release.Release) error {
	data, err := release.Encode(t.asOf, releases)
	if err != nil {
		return err
	}
	if err := results.Replace(t.file, data); err != nil {
		return fmt.Errorf("saving the table (is this the top of the module?): %w", err)
	}
	return nil
}

// missing lists the published releases that known does not have, oldest first.
func missing(ctx context.Context, out io.Writer, src source, known []release.Release) ([]job, error) {
	var jobs []job
	for _, pkg := range packages {
		names, err := src.versions(ctx, pkg)
		if err != nil {
			return nil, fmt.Errorf("asking npm for the releases of %s: %w", pkg, err)
		}
		for _, name := range names {
			v, err := release.Parse(name)
			if err != nil {
				// 0.0.1 holds the name of the package and has no gateway in it.
				fmt.Fprintf(out, "skipped %s: %v\n", pkg, err)
				continue
			}
			have := func(r release.Release) bool { return r.Package == pkg && r.Version == v }
			if !slices.ContainsFunc(known, have) {
				jobs = append(jobs, job{pkg, v})
			}
		}
	}
	slices.SortFunc(jobs, func(a, b job) int { return a.version.Compare(b.version) })
	return jobs, nil
}

// fetch reads the facts of one release, and says how many bytes that took.
func fetch(ctx context.Context, src source, j job) (r release.Release, read, size int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	body, size, err := src.open(ctx, j.pkg, j.version.String())
	if err != nil {
		return r, 0, 0, err
	}
	defer body.Close()
	counted := &counter{r: body}
	r, err = extract(counted)
	// Not every build knows what it was published as: 2026.3.23-2 has written down
	// 2026.3.23. What npm lists counts.
	if err == nil && !sameBase(r.Version, j.version) {
		err = fmt.Errorf("the package says it is %s", r.Version)
	}
	r.Package, r.Version = j.pkg, j.version
	return r, counted.n, size, err
}

// sameBase reports whether two versions are the same apart from what follows the
// first dash.
func sameBase(a, b release.Version) bool {
	x, _, _ := strings.Cut(a.String(), "-")
	y, _, _ := strings.Cut(b.String(), "-")
	return x == y
}

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
