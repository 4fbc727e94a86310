package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/strict"
)

// Release is what a published package tells about itself: one line of the table.
// The Control UI facts are those of dist/control-ui in the package, which is what
// a gateway serves unless it has been given a page of its own.
type Release struct {
	// Package is the npm package: openclaw, or clawdbot for the first two releases.
	Package string  `json:"package"`
	Version Version `json:"version"`

	// Date is when the vendor built the release (dist/build-info.json), which is
	// minutes to hours before it was published. The publication time of a registry
	// is not used: a mirror gives the day it first fetched the package.
	Date time.Time `json:"date,omitzero"`
	// Commit is the first 12 hex digits of the commit, from the same file.
	Commit string `json:"commit,omitempty"`

	// Assets are the base names of the scripts and styles under assets/ that
	// index.html references, sorted. Empty when the release has no page.
	Assets []string `json:"assets,omitempty"`
	// SWJS, FaviconSVG and Manifest are the first 16 hex digits of the SHA-256 of
	// sw.js, favicon.svg and manifest.webmanifest; empty when there is no such file.
	SWJS       string `json:"sw_js,omitempty"`
	FaviconSVG string `json:"favicon_svg,omitempty"`
	Manifest   string `json:"manifest,omitempty"`

	// Stamp is EMBEDDED_CACHE_VERSION as sw.js has it, for ParseBuild; empty when
	// it has none.
	Stamp string `json:"stamp,omitempty"`
	// BuildID is the page's build id attribute, for ParseBuild; empty when it has none.
	BuildID string `json:"build_id,omitempty"`
}

// Table is the set of known releases. It does not change after Load and may be
// used by several goroutines at once.
type Table struct {
	asOf     time.Time
	releases []Release        // sorted by version
	byAsset  map[string][]int // asset name → indexes into releases, ascending
	scripts  []int            // how many of a release's assets are scripts
}

// The keys of the file.
const (
	keyAsOf     = "as_of"
	keyReleases = "releases"
)

// maxValues bounds the values of a table; ours has 2,000.
const maxValues = 100_000

// Load reads a table as Encode writes it, from the file of that name. It is
// strict: an unknown key, a value that cannot be, a release out of order or given
// twice is an error that names the line. Data must not be changed afterwards.
func Load(file string, data []byte) (*Table, error) {
	var doc struct {
		AsOf     time.Time `json:"as_of"`
		Releases []Release `json:"releases"`
	}
	if err := strict.JSON(file, data, maxValues, &doc); err != nil {
		return nil, err
	}
	if doc.AsOf.IsZero() || len(doc.Releases) == 0 {
		return nil, strict.At(file, data, fmt.Errorf("%s and %s must both be there", keyAsOf, keyReleases))
	}
	t := &Table{asOf: doc.AsOf, byAsset: make(map[string][]int)}
	for i, r := range doc.Releases {
		if err := t.add(r); err != nil {
			return nil, strict.At(file, data, err, keyReleases, i)
		}
	}
	return t, nil
}

// add checks one release and takes it in.
func (t *Table) add(r Release) error {
	if r.Package == "" || r.Version.IsZero() {
		return errors.New("a release needs a package and a version")
	}
	// Packages share one sequence of versions, so a version alone names a release.
	if n := len(t.releases); n > 0 && t.releases[n-1].Version.Compare(r.Version) >= 0 {
		return fmt.Errorf("%s is not later than the release before it", r.Version)
	}
	if r.Commit != "" && !isHex(r.Commit, 12) {
		return fmt.Errorf("%s: commit %q is not 12 hex digits", r.Version, r.Commit)
	}
	for _, digest := range []string{r.SWJS, r.FaviconSVG, r.Manifest} {
		if digest != "" && !isHex(digest, 16) {
			return fmt.Errorf("%s: digest %q is not 16 hex digits", r.Version, digest)
		}
	}
	index, scripts := len(t.releases), 0
	for i, name := range r.Assets {
		if !isAsset(name) {
			return fmt.Errorf("%s: asset %q is not the base name of a .js or .css file", r.Version, name)
		}
		if i > 0 && r.Assets[i-1] >= name {
			return fmt.Errorf("%s: asset %q is out of order or given twice", r.Version, name)
		}
		if isScript(name) {
			scripts++
		}
		t.byAsset[name] = append(t.byAsset[name], index)
	}
	t.releases = append(t.releases, r)
	t.scripts = append(t.scripts, scripts)
	return nil
}

// Encode writes a table: a header, then one release a line in the vendor's order,
// so that a diff shows what a new release brought. The day of asOf is kept, its
// time of day is not. What Encode writes, Load reads; input that Load would refuse
// is an error.
func Encode(asOf time.Time, releases []Release) ([]byte, error) {
	sorted := slices.SortedFunc(slices.Values(releases), func(a, b Release) int {
		return a.Version.Compare(b.Version)
	})
	var b bytes.Buffer
	fmt.Fprintf(&b, "{%q:%q,%q:[\n", keyAsOf, asOf.UTC().Truncate(24*time.Hour).Format(time.RFC3339), keyReleases)
	for i, r := range sorted {
		text, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("release %s: %w", r.Version, err)
		}
		b.Write(text)
		if i < len(sorted)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("]}\n")
	if _, err := Load("release table", b.Bytes()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// AsOf is the day, in UTC, up to which the table has all releases that the registry
// listed which was asked.
func (t *Table) AsOf() time.Time { return t.asOf }

// Len is the number of known releases, prereleases included.
func (t *Table) Len() int { return len(t.releases) }

// Releases yields the known releases in the vendor's order, oldest first.
func (t *Table) Releases() iter.Seq[Release] { return slices.Values(t.releases) }

// Newest is the newest release of the ordinary line: no prerelease, and no
// extended-stable release, which is a parallel line and not what an ordinary
// gateway is updated to. Zero when there is none.
func (t *Table) Newest() Release {
	for _, r := range slices.Backward(t.releases) {
		if !r.Version.Prerelease() && !r.Version.Extended() {
			return r
		}
	}
	return Release{}
}

// Find returns the release of that version, of any package.
func (t *Table) Find(v Version) (Release, bool) {
	i, ok := slices.BinarySearchFunc(t.releases, v, func(r Release, v Version) int {
		return r.Version.Compare(v)
	})
	if !ok {
		return Release{}, false
	}
	return t.releases[i], true
}

// Fit says how well the names on a page agree with the known releases.
type Fit string

const (
	// FitNone: no name is known.
	FitNone Fit = "none"
	// FitContradictory: names of different releases that no single one has. A page
	// of the operator's own, or something in between that mixes pages.
	FitContradictory Fit = "contradictory"
	// FitPartial: all known names belong to the candidates, but no candidate's
	// scripts are all there: another build of one of them, or a release that is not
	// in the table and shares a style or a library with its neighbours. A hint, not
	// a set that is sure to contain the release.
	FitPartial Fit = "partial"
	// FitExact: every script of each candidate is there, and no known name that it
	// does not have. The page is that of one of the candidates; they differ in
	// nothing the page shows.
	FitExact Fit = "exact"
)

// Match is what the names on a page tell about its release.
type Match struct {
	Fit        Fit
	Candidates []Version // oldest first; empty unless Fit is FitPartial or FitExact
}

// Bounds on what a page can make ByAssets look at. A released page references at
// most 22 assets (2026.7.1 is one), under names of at most 33 bytes.
const (
	maxRefs   = 256
	maxRefLen = 1024
)

// ByAssets tells which releases have a page that references refs: names or URLs of
// scripts and styles, in any order, of which only the base name without query
// counts. Names that no release has are passed over, since fronts put scripts of
// their own into pages; only the first 256 refs are looked at, and none longer
// than 1024 bytes.
//
// Names are compared, nothing is fetched: a newer gateway still serves assets of
// the builds before it, so only what its page references says which one it is.
func (t *Table) ByAssets(refs []string) Match {
	type hits struct{ all, scripts int }
	var (
		known = make(map[string]bool)
		seen  = make(map[int]hits) // by index into t.releases
	)
	for _, ref := range refs[:min(len(refs), maxRefs)] {
		if len(ref) > maxRefLen {
			continue
		}
		name := baseName(ref)
		indexes := t.byAsset[name]
		if len(indexes) == 0 || known[name] {
			continue
		}
		known[name] = true
		for _, i := range indexes {
			h := seen[i]
			h.all++
			if isScript(name) {
				h.scripts++
			}
			seen[i] = h
		}
	}
	if len(known) == 0 {
		return Match{Fit: FitNone}
	}
	var some, whole []int
	for i, h := range seen {
		if h.all < len(known) {
			continue
		}
		some = append(some, i)
		if h.scripts > 0 && h.scripts == t.scripts[i] {
			whole = append(whole, i)
		}
	}
	switch {
	case len(whole) > 0:
		return Match{FitExact, t.versions(whole)}
	case len(some) > 0:
		return Match{FitPartial, t.versions(some)}
	}
	return Match{Fit: FitContradictory}
}

// versions turns indexes, in any order, into versions, oldest first.
func (t *Table) versions(indexes []int) []Version {
	slices.Sort(indexes)
	vs := make([]Version, len(indexes))
	for i, index := range indexes {
		vs[i] = t.releases[index].Version
	}
	return vs
}

// baseName cuts a reference down to the name of its file.
func baseName(ref string) string {
	if i := strings.IndexAny(ref, "?#"); i >= 0 {
		ref = ref[:i]
	}
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

func isScript(name string) bool { return strings.HasSuffix(name, ".js") }

// isAsset reports whether name can be in the table: a .js or .css base name of
// unreserved URL characters.
func isAsset(name string) bool {
	if len(name) > 64 || !isScript(name) && !strings.HasSuffix(name, ".css") {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.~", r)
	}) < 0
}
