package advisory

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Bounds on what is read of an untrusted file. All advisories of the gateway
// together are 5 MB as OSV records, 300 KB as we write them.
const (
	MaxInput    = 50 << 20 // bytes of one OSV file, of any kind
	MaxDocument = 4 << 20  // bytes of a file of advisories, or of an OpenVEX document

	maxRecord    = 4 << 20   // bytes of one OSV record, unpacked
	maxEntries   = 20_000    // files in an archive
	maxDirectory = 2 << 20   // bytes of what an archive says of its files
	maxRatio     = 100       // unpacked to packed bytes of an archive; records are packed to a fifth or so
	maxUnpacked  = 512 << 20 // bytes of all records of an archive, unpacked
	maxKept      = 4 << 20   // bytes of what is kept of all records
	maxNotes     = 1000      // of those about what was left out
	maxMembers   = 50_000    // values of one OSV record
	maxValues    = 200_000   // values of a document of MaxDocument
)

// Update gathers OSV records (https://ossf.github.io/osv-schema/) and tells what
// they would change. The zero value is ready. It reads the records of npm
// packages that are the gateway or its plugins; others it counts.
type Update struct {
	records  map[string]*osvRecord
	kept     int // bytes of them
	notes    []string
	noted    map[string]bool
	unlisted int            // notes beyond maxNotes
	skipped  map[string]int // reason → records
}

type osvRecord struct {
	advisory  *Advisory
	withdrawn string
	modified  time.Time
}

// Changes is what an update makes of a database.
type Changes struct {
	All                          []*Advisory // all advisories after the update
	Lines                        []string    // one for each advisory that is new, changed or withdrawn
	New, Changed, Removed, Equal int
	Notes                        []string // what was left out, and why; one line each
}

// The parts of a record that are looked at.
type (
	osv struct {
		ID        string        `json:"id"`
		Modified  time.Time     `json:"modified"`
		Published time.Time     `json:"published"`
		Withdrawn *time.Time    `json:"withdrawn"`
		Aliases   []string      `json:"aliases"`
		Summary   string        `json:"summary"`
		Severity  []osvSeverity `json:"severity"`
		Affected  []osvAffected `json:"affected"`
		Database  struct {
			Severity string   `json:"severity"`
			CWEs     []string `json:"cwe_ids"`
		} `json:"database_specific"`
	}
	osvSeverity struct {
		Type  string `json:"type"`
		Score string `json:"score"`
	}
	osvAffected struct {
		Package struct {
			Ecosystem string `json:"ecosystem"`
			Name      string `json:"name"`
		} `json:"package"`
		Ranges   []osvRange    `json:"ranges"`
		Versions []string      `json:"versions"`
		Severity []osvSeverity `json:"severity"`
		Database struct {
			LastKnown string `json:"last_known_affected_version_range"`
		} `json:"database_specific"`
	}
	osvRange struct {
		Type   string              `json:"type"`
		Events []map[string]string `json:"events"`
	}
)

// osvFields are the fields of a record in OSV 1.7.
func osvFields() []string {
	return []string{"schema_version", "id", "modified", "published", "withdrawn", "aliases", "upstream", "related",
		"summary", "details", "severity", "affected", "references", "credits", "database_specific"}
}

// Add reads a file: one record, an array of records, the answer of an OSV query
// (an object with "vulns"), or a zip archive of records. An error means that
// the file as a whole cannot be used; a record that cannot be is left out and
// noted.
func (u *Update) Add(name string, r io.ReaderAt, size int64) error {
	if size > MaxInput {
		return fmt.Errorf("%s: larger than %d MB: unpack it, or take the records of openclaw out, and give the folder", name, MaxInput>>20)
	}
	head := make([]byte, 4)
	if n, _ := r.ReadAt(head, 0); n == 4 && string(head) == "PK\x03\x04" {
		return u.addZip(name, r, size)
	}
	return u.addJSON(name, r, size)
}

// directory is an archive whose directory is read: of that, no more than is left.
type directory struct {
	io.ReaderAt
	left int64
}

var errDirectory = fmt.Errorf("more than %d files in one archive: that is no OSV export of npm packages", maxEntries)

func (d *directory) ReadAt(p []byte, offset int64) (int, error) {
	if d.left -= int64(len(p)); d.left < 0 {
		return 0, errDirectory
	}
	return d.ReaderAt.ReadAt(p, offset)
}

func (u *Update) addZip(name string, r io.ReaderAt, size int64) error {
	dir := &directory{ReaderAt: r, left: maxDirectory}
	z, err := zip.NewReader(dir, size)
	if err == nil && len(z.File) > maxEntries {
		err = errDirectory
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	dir.left = math.MaxInt64
	total := int64(0)
	for _, f := range z.File {
		if f.FileInfo().IsDir() || !strings.HasSuffix(f.Name, ".json") {
			continue
		}
		data, err := unpack(f)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", name, cut(f.Name, 80), err)
		}
		switch total += int64(len(data)); {
		case total > maxRatio*size:
			return fmt.Errorf("%s: unpacks to more than %d times its size: that is no OSV export", name, maxRatio)
		case total > maxUnpacked:
			return fmt.Errorf("%s: unpacks to more than %s: take the records of openclaw out", name, bounded.Size(maxUnpacked))
		}
		if err := u.addJSON(name+": "+cut(f.Name, 80), bytes.NewReader(data), int64(len(data))); err != nil {
			return err
		}
	}
	return nil
}

func unpack(f *zip.File) ([]byte, error) {
	rc, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	// What the archive says of the size is not to be relied on.
	data, err := io.ReadAll(io.LimitReader(rc, maxRecord+1))
	if err == nil && len(data) > maxRecord {
		err = fmt.Errorf("larger than %d MB unpacked: that is no OSV record", maxRecord>>20)
	}
	return data, err
}

// ours tells a record that can concern us before it is decoded: an export of all
// npm packages has two hundred thousand others.
func ours(data []byte) bool {
	return slices.ContainsFunc([]string{"openclaw", "clawdbot", "moltbot"}, func(word string) bool { return bytes.Contains(data, []byte(word)) })
}

// errNoOSV is a document of JSON that is something else.
var errNoOSV = errors.New("want an OSV record, an array of them or a zip archive")

// osvFile is a file of JSON that is read value by value, so that no more than one
// record is in memory.
type osvFile struct {
	*json.Decoder
	window *bounded.Window
	name   string
	r      io.ReaderAt
	size   int64

	counted, line int64 // the lines that begin before an offset
}

// place returns the line of an offset. Offsets come in their order, so that
// the file is gone through once.
func (f *osvFile) place(offset int64) int64 {
	for buf := make([]byte, max(0, min(64<<10, offset-f.counted))); f.counted < offset; {
		n, err := f.r.ReadAt(buf[:min(int64(len(buf)), offset-f.counted)], f.counted)
		f.line += int64(bytes.Count(buf[:n], []byte{'\n'}))
		f.counted += int64(n)
		if err != nil || n == 0 {
			break
		}
	}
	return 1 + f.line
}

// fail is an error where the decoder stands: behind a value it could read, but
// before one whose syntax is wrong.
func (f *osvFile) fail(err error) error {
	offset := f.InputOffset()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, bounded.ErrWindow) {
		for c := make([]byte, 1); ; offset++ {
			if n, _ := f.r.ReadAt(c, offset); n == 0 || strings.IndexByte(", \t\r\n", c[0]) < 0 {
				break
			}
		}
	}
	switch {
	case errors.Is(err, errNoOSV):
		return fmt.Errorf("%s: %w", f.name, err)
	case errors.Is(err, bounded.ErrWindow):
		err = fmt.Errorf("a record is larger than %s: that is no OSV record", bounded.Size(maxRecord))
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%s: line %d: %w", f.name, f.place(offset), err)
}

// token and value read the next one; no more than a record of the file is held.
func (f *osvFile) token() (json.Token, error) {
	f.window.Slide()
	return f.Token()
}

func (f *osvFile) value(raw *json.RawMessage) error {
	f.window.Slide()
	return f.Decode(raw)
}

func (u *Update) addJSON(name string, r io.ReaderAt, size int64) error {
	window := &bounded.Window{Reader: io.NewSectionReader(r, 0, size), Max: maxRecord}
	f := &osvFile{Decoder: json.NewDecoder(window), window: window, name: name, r: r, size: size}
	tok, err := f.token()
	switch {
	case err == io.EOF:
		err = errors.New("empty: want an OSV record, an array of them or a zip archive")
	case err != nil:
	case tok == json.Delim('['):
		err = u.addArray(f)
	case tok == json.Delim('{'):
		err = u.addObject(f)
	default:
		err = errNoOSV
	}
	if err == nil {
		if _, err = f.token(); err == io.EOF {
			return nil
		}
		err = errors.New("something follows the end of the array or record")
	}
	return f.fail(err)
}

// addArray takes in the records of an array that has begun.
func (u *Update) addArray(f *osvFile) error {
	var raw json.RawMessage
	for f.More() {
		if err := f.value(&raw); err != nil {
			return err
		}
		offset := f.InputOffset() - int64(len(raw))
		if err := u.addRecord(func() string { return fmt.Sprintf("%s: line %d", f.name, f.place(offset)) }, raw); err != nil {
			return err
		}
	}
	_, err := f.token()
	return err
}

// addObject takes in what an object that has begun is: a record, or the answer of
// a query, whose records are in "vulns".
func (u *Update) addObject(f *osvFile) error {
	record, answer := false, false
	var raw json.RawMessage
	for f.More() {
		key, err := f.token()
		if record = record || key == "id"; err == nil && (key != "vulns" || record) {
			err = f.value(&raw)
		} else if err == nil {
			answer = true
			var tok json.Token
			if tok, err = f.token(); err == nil && tok != json.Delim('[') {
				err = errNoOSV
			} else if err == nil {
				err = u.addArray(f)
			}
		}
		if err != nil {
			return err
		}
	}
	if _, err := f.token(); err != nil {
		return err
	}
	switch {
	case answer && record:
		return fmt.Errorf("both a record and the answer of a query: %w", errNoOSV)
	case answer:
		return nil
	case f.InputOffset() > maxRecord:
		return bounded.ErrWindow
	}
	data := make([]byte, f.InputOffset())
	if _, err := f.r.ReadAt(data, 0); err != nil && err != io.EOF {
		return err
	}
	return u.addRecord(func() string { return f.name }, data)
}

func (u *Update) skip(reason string) {
	if u.skipped == nil {
		u.skipped = map[string]int{}
	}
	u.skipped[reason]++
}

func (u *Update) note(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	switch {
	case u.noted[line]:
	case len(u.notes) == maxNotes:
		u.unlisted++
	default:
		if u.noted == nil {
			u.noted = map[string]bool{}
		}
		u.noted[line] = true
		u.notes = append(u.notes, line)
	}
}

// addRecord takes in one record, or notes why not. An error ends the reading.
func (u *Update) addRecord(place func() string, data []byte) error {
	if !ours(data) {
		u.skip("about other packages")
		return nil
	}
	if err := bounded.JSON(data, maxMembers); err != nil {
		u.note("%s: left out: not an OSV record: %s", place(), err)
		return nil
	}
	var in osv
	if err := json.Unmarshal(data, &in); err != nil {
		u.note("%s: left out: not an OSV record: %s", place(), cut(err.Error(), maxText))
		return nil
	}
	about := slices.DeleteFunc(slices.Clone(in.Affected), func(a osvAffected) bool { return !a.ours() })
	if len(about) == 0 {
		u.skip("about other packages")
		return nil
	}
	if !idForm.MatchString(in.ID) {
		u.note("%s: left out: id %q is neither a GHSA nor a CVE id", place(), cut(in.ID, 40))
		return nil
	}
	name := in.ID
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) == nil {
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			if !slices.Contains(osvFields(), field) {
				u.note("%s: unknown field %q passed over", name, cut(field, 40))
			}
		}
	}
	rec := &osvRecord{modified: in.Modified}
	if in.Withdrawn != nil {
		rec.withdrawn = in.Withdrawn.UTC().Format(time.DateOnly)
		rec.advisory = &Advisory{ID: in.ID, CVE: in.cve()}
	} else {
		a, err := u.convert(&in, about)
		if err == nil {
			err = a.check()
		}
		if err != nil {
			u.note("%s: left out: %s", name, cut(strings.TrimPrefix(err.Error(), in.ID+": "), maxText))
			return nil
		}
		rec.advisory = a
	}
	if old, ok := u.records[in.ID]; ok {
		if old.modified.Equal(rec.modified) {
			u.note("%s: given twice: the first is used", name)
			return nil
		}
		u.note("%s: given twice: the one modified last is used", name)
		if old.modified.After(rec.modified) {
			return nil
		}
	}
	if u.records == nil {
		u.records = map[string]*osvRecord{}
	}
	if u.kept += rec.advisory.weight(); u.kept > maxKept {
		return fmt.Errorf("more than %s of advisories: that is no OSV export of openclaw", bounded.Size(maxKept))
	}
	u.records[in.ID] = rec
	return nil
}

// weight is about how many bytes an advisory takes.
func (a *Advisory) weight() int {
	n := 500 + len(a.Summary) + 64*len(a.Ranges)
	for _, text := range slices.Concat(a.CWEs, a.Also, a.Notes) {
		n += 16 + len(text)
	}
	for _, s := range a.Scores {
		n += 64 + len(s.Vector)
	}
	return n
}

// ours reports whether an entry is about the gateway or a plugin of it.
func (a *osvAffected) ours() bool {
	return a.Package.Ecosystem == "npm" && (gatewayPackage(a.Package.Name) || strings.HasPrefix(a.Package.Name, "@openclaw/"))
}

func (in *osv) cve() string {
	for _, alias := range in.Aliases {
		if strings.HasPrefix(alias, "CVE-") && alias != in.ID && idForm.MatchString(alias) {
			return alias
		}
	}
	return ""
}

func (u *Update) convert(in *osv, about []osvAffected) (*Advisory, error) {
	published := cmp.Or(in.Published, in.Modified)
	a := &Advisory{
		ID: in.ID, CVE: in.cve(), Published: published.UTC().Format(time.DateOnly),
		DateOf: strings.ToLower(in.ID[:strings.IndexByte(in.ID, '-')]), Severity: event.Severity(strings.ToLower(in.Database.Severity)),
		CWEs: in.Database.CWEs, Surface: unclear, Gateway: unclear, Credential: event.CredentialUnclear,
		Summary: oneLine(in.Summary), Source: "osv",
	}
	if published.IsZero() {
		return nil, errors.New("neither published nor modified is there")
	}
	if a.Severity == "moderate" { // GitHub's word
		a.Severity = event.Medium
	}
	if !slices.Contains(grades(), a.Severity) {
		u.note("%s: severity %q passed over", in.ID, cut(string(a.Severity), 40))
		a.Severity = ""
	}
	if a.Summary == "" {
		a.Summary = "no summary"
	}
	severities := slices.Clip(in.Severity)
	for i := range about {
		severities = append(severities, about[i].Severity...)
	}
	for _, s := range severities {
		if !strings.HasPrefix(s.Type, "CVSS_V") {
			u.note("%s: severity of type %q passed over", in.ID, cut(s.Type, 40))
			continue
		}
		version, _, err := cvss(s.Score)
		if err != nil {
			u.note("%s: severity passed over: %s", in.ID, err)
			continue
		}
		if score := (Score{Source: "osv", Version: version, Vector: s.Score}); !slices.Contains(a.Scores, score) {
			a.Scores = append(a.Scores, score)
		}
	}
	ranges := map[string][]Range{}
	var names []string
	for i := range about {
		name := about[i].Package.Name
		more, err := about[i].convert()
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", cut(name, 60), err)
		}
		if ranges[name] == nil {
			names = append(names, name)
		}
		for _, r := range more {
			if !slices.Contains(ranges[name], r) {
				ranges[name] = append(ranges[name], r)
			}
		}
	}
	// The gateway's own first, under its newest name.
	slices.SortStableFunc(names, func(a, b string) int {
		rank := func(s string) int { return slices.Index([]string{"clawdbot", "moltbot", "openclaw"}, s) }
		return cmp.Compare(rank(b), rank(a))
	})
	a.Package, a.Ranges = names[0], ranges[names[0]]
	for _, name := range names[1:] {
		switch {
		case slices.Equal(ranges[name], a.Ranges):
			a.Also = append(a.Also, name)
		case gatewayPackage(name) && gatewayPackage(a.Package):
			// One sequence of versions: the ranges hold for all.
			a.Also = append(a.Also, name)
			for _, r := range ranges[name] {
				if !slices.Contains(a.Ranges, r) {
					a.Ranges = append(a.Ranges, r)
				}
			}
		default:
			u.note("%s: ranges of package %s passed over: they differ from those of %s", in.ID, cut(name, 60), a.Package)
		}
	}
	slices.SortFunc(a.Ranges, func(x, y Range) int {
		return cmp.Or(x.Introduced.Compare(y.Introduced), x.Fixed.Compare(y.Fixed), x.LastAffected.Compare(y.LastAffected))
	})
	return a, nil
}

// oneLine makes untrusted text fit for a summary.
func oneLine(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "")
	if len(s) > maxText {
		s = strings.TrimSpace(strings.ToValidUTF8(s[:maxText-3], "")) + "…"
	}
	return s
}

// convert turns the events of an entry into ranges.
func (a *osvAffected) convert() ([]Range, error) {
	var out []Range
	for _, r := range a.Ranges {
		if r.Type == "GIT" {
			continue // commits, which a gateway does not tell as a range
		}
		if r.Type != "SEMVER" && r.Type != "ECOSYSTEM" {
			return nil, fmt.Errorf("range of unknown type %q", cut(r.Type, 40))
		}
		more, err := r.convert()
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	// GitHub's way to say where the last known affected release is not the one
	// before the fix.
	if last := a.Database.LastKnown; last != "" && len(out) == 1 {
		r := &out[0]
		var err error
		if text, ok := strings.CutPrefix(last, "<="); ok {
			r.LastAffected, err = release.Parse(strings.TrimSpace(text))
		} else if text, ok := strings.CutPrefix(last, "<"); ok && r.Fixed.IsZero() && r.LastAffected.IsZero() {
			r.Fixed, err = release.Parse(strings.TrimSpace(text))
		}
		if err != nil {
			return nil, err
		}
	}
	for _, text := range a.Versions {
		v, err := release.Parse(text)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(r Range) bool { return r.status(v) == event.StatusAffected }) {
			out = append(out, Range{Introduced: v, LastAffected: v})
		}
	}
	if len(out) == 0 {
		return nil, errors.New("neither ranges nor versions")
	}
	if len(out) > maxItems {
		return nil, fmt.Errorf("more than %d ranges", maxItems)
	}
	for _, r := range out {
		if err := r.check(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *osvRange) convert() ([]Range, error) {
	type event struct {
		kind string
		at   release.Version
	}
	var events []event
	for _, e := range r.Events {
		if len(e) != 1 {
			return nil, errors.New("an event of a range has exactly one of introduced, fixed and last_affected")
		}
		for kind, text := range e {
			ev := event{kind: kind}
			if kind != "introduced" && kind != "fixed" && kind != "last_affected" {
				return nil, fmt.Errorf("event %q is not one of introduced, fixed and last_affected", cut(kind, 40))
			}
			if text != "0" || kind != "introduced" {
				v, err := release.Parse(text)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", kind, err)
				}
				ev.at = v
			}
			events = append(events, ev)
		}
	}
	// The order in the file has no meaning (OSV, "Evaluation"). Where two are at
	// one version, an end ends what began before.
	slices.SortStableFunc(events, func(a, b event) int {
		rank := func(kind string) int { return slices.Index([]string{"fixed", "introduced", "last_affected"}, kind) }
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(rank(a.kind), rank(b.kind)))
	})
	var out []Range
	open := false // the last range has begun and not ended
	for _, e := range events {
		last := len(out) - 1
		switch {
		case e.kind == "introduced" && open:
			return nil, fmt.Errorf("introduced %s, and again before the first has ended", e.at)
		case e.kind == "introduced":
			out, open = append(out, Range{Introduced: e.at}), true
		case e.kind == "last_affected" && open:
			out[last].LastAffected, open = e.at, false
		case e.kind == "fixed" && last >= 0 && (open || out[last].Fixed.IsZero()):
			out[last].Fixed, open = e.at, false
		default:
			return nil, fmt.Errorf("%s %s ends a range that has not begun", e.kind, e.at)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("a range without introduced")
	}
	return out, nil
}

// Apply tells what the records change in a database, which stays as it is. Of an
// advisory that is known, our reading (surface, credential, summary) is kept.
func (u *Update) Apply(db *DB) Changes {
	c := Changes{Notes: slices.Clone(u.notes)}
	if u.unlisted > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%d more notes like these", u.unlisted))
	}
	for _, reason := range slices.Sorted(maps.Keys(u.skipped)) {
		c.Notes = append(c.Notes, fmt.Sprintf("%d records passed over: %s", u.skipped[reason], reason))
	}
	all := map[string]*Advisory{}
	for _, a := range db.all {
		all[a.ID] = a
	}
	for _, id := range slices.Sorted(maps.Keys(u.records)) {
		rec := u.records[id]
		old := db.Find(id)
		if old == nil && rec.advisory.CVE != "" {
			old = db.Find(rec.advisory.CVE)
		}
		if old != nil && all[old.ID] == nil {
			old = nil // a record before this one has replaced it
		}
		switch {
		case rec.withdrawn != "" && (old == nil || old.ID != id):
			c.Notes = append(c.Notes, fmt.Sprintf("%s: passed over: withdrawn %s", id, rec.withdrawn))
			continue
		case rec.withdrawn != "":
			delete(all, old.ID)
			c.Removed++
			c.Lines = append(c.Lines, fmt.Sprintf("- %s withdrawn %s: %s", id, rec.withdrawn, old.Summary))
			continue
		case old == nil:
			all[id] = rec.advisory
			c.New++
			c.Lines = append(c.Lines, fmt.Sprintf("+ %s %s, %s %s: %s", id, rec.advisory.Grade(), rec.advisory.Package, ranges(rec.advisory), rec.advisory.Summary))
			continue
		}
		merged, what := merge(old, rec.advisory)
		if what == "" {
			c.Equal++
			continue
		}
		delete(all, old.ID)
		all[id] = merged
		c.Changed++
		c.Lines = append(c.Lines, fmt.Sprintf("~ %s %s", id, what))
	}
	// A CVE id belongs to one advisory.
	owner := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		a := all[id]
		for _, name := range []string{a.ID, a.CVE} {
			if name == "" {
				continue
			}
			if first, taken := owner[name]; taken && name == a.CVE {
				c.Notes = append(c.Notes, fmt.Sprintf("%s: alias %s passed over: it is that of %s", a.ID, name, first))
				without := *a
				without.CVE = ""
				all[id] = &without
				continue
			}
			owner[name] = a.ID
		}
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		c.All = append(c.All, all[id])
	}
	return c
}

func ranges(a *Advisory) string {
	var parts []string
	for _, r := range a.Ranges {
		parts = append(parts, r.String())
	}
	return strings.Join(parts, " or ")
}

// take takes over a value that a record states, and adds what that changes.
func take[S ~string](what []string, name string, to *S, value S) []string {
	if value == "" || *to == value {
		return what
	}
	what = append(what, fmt.Sprintf("%s %s → %s", name, cmp.Or(*to, "none"), value))
	*to = value
	return what
}

// merge takes over what a record states and says what that changes.
func merge(old, in *Advisory) (*Advisory, string) {
	out := *old
	var what []string
	what = take(what, "id", &out.ID, in.ID)
	if in.CVE != out.ID {
		what = take(what, "cve", &out.CVE, in.CVE)
	}
	if out.CVE == out.ID {
		out.CVE = ""
	}
	what = take(what, "severity", &out.Severity, in.Severity)
	what = take(what, "package", &out.Package, in.Package)
	fresh := slices.Clone(in.Ranges)
	for i, r := range fresh {
		// What is known beyond the record stays: it narrows the range.
		for _, o := range old.Ranges {
			if r.LastAffected.IsZero() && r.Introduced == o.Introduced && r.Fixed == o.Fixed {
				fresh[i].LastAffected = o.LastAffected
			}
		}
	}
	if !slices.Equal(fresh, old.Ranges) {
		out.Ranges = fresh
		what = append(what, fmt.Sprintf("range %s → %s", ranges(old), ranges(&out)))
	}
	for _, s := range in.Scores {
		i := slices.IndexFunc(out.Scores, func(o Score) bool { return o.Version == s.Version })
		switch {
		case len(old.Scores) == 0:
			what = append(what, "vector none → "+s.Vector)
			out.Scores = append(slices.Clip(out.Scores), s)
		case i < 0 || out.Scores[i].Vector == "":
			continue // a score is known: a vector alone adds nothing to it
		case out.Scores[i].Vector != s.Vector:
			out.Scores = slices.Clone(out.Scores)
			what = append(what, fmt.Sprintf("vector %s → %s", out.Scores[i].Vector, s.Vector))
			out.Scores[i] = s
		}
	}
	return &out, strings.Join(what, "; ")
}
