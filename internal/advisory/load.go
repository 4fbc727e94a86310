package advisory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/release"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// The keys of the file.
const (
	keyAsOf       = "as_of"
	keyNewest     = "newest"
	keyAdvisories = "advisories"
)

// Load reads a database as Encode writes it, from the file of that name. It is
// strict: an unknown key, a value that cannot be, an advisory out of order or
// given twice is an error that names the line.
func Load(file string, data []byte) (*DB, error) {
	var doc struct {
		AsOf       string          `json:"as_of"`
		Newest     release.Version `json:"newest"`
		Advisories []*Advisory     `json:"advisories"`
	}
	if err := strict.JSON(file, data, maxValues, &doc); err != nil {
		return nil, err
	}
	if doc.AsOf == "" || doc.Newest.IsZero() || doc.Advisories == nil {
		return nil, strict.At(file, data, fmt.Errorf("%s, %s and %s must all be there", keyAsOf, keyNewest, keyAdvisories))
	}
	day, err := time.Parse(time.DateOnly, doc.AsOf)
	if err != nil {
		return nil, strict.At(file, data, fmt.Errorf("%s %q is not a day: write YYYY-MM-DD", keyAsOf, cut(doc.AsOf, 40)), keyAsOf)
	}
	db := &DB{asOf: day, newest: doc.Newest}
	seen := map[string]bool{} // ids and CVE ids
	for i, a := range doc.Advisories {
		if err := db.add(a, seen); err != nil {
			return nil, strict.At(file, data, err, keyAdvisories, i)
		}
	}
	return db, nil
}

// add checks one advisory and takes it in.
func (db *DB) add(a *Advisory, seen map[string]bool) error {
	if a == nil {
		a = new(Advisory)
	}
	if err := a.check(); err != nil {
		return err
	}
	if n := len(db.all); n > 0 && db.all[n-1].ID >= a.ID {
		return fmt.Errorf("%s does not come after %s: sort by id, each id once", a.ID, db.all[n-1].ID)
	}
	for _, id := range []string{a.ID, a.CVE} {
		if id != "" && seen[id] {
			return fmt.Errorf("%s: %s is given twice", a.ID, id)
		}
		seen[id] = true
		if a.ID == a.CVE {
			return fmt.Errorf("%s: leave cve out when it is the id", a.ID)
		}
	}
	db.all = append(db.all, a)
	return nil
}

var (
	idForm      = regexp.MustCompile(`^(GHSA(-[23456789cfghjmpqrvwx]{4}){3}|CVE-[0-9]{4}-[0-9]{4,8})$`)
	packageForm = regexp.MustCompile(`^(@[a-z0-9][a-z0-9._-]*/)?[a-z0-9][a-z0-9._-]*$`)
)

// Bounds on what one advisory may hold: untrusted files pass through here.
const (
	maxText  = 300 // bytes of a summary, surface, note or vector
	maxItems = 200 // ranges, notes, CWEs, scores
)

// check refuses what cannot be.
func (a *Advisory) check() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s: %w", a.ID, fmt.Errorf(format, args...))
	}
	if !idForm.MatchString(a.ID) {
		return fmt.Errorf("%q is neither a GHSA nor a CVE id", cut(a.ID, 40))
	}
	if a.CVE != "" && (!idForm.MatchString(a.CVE) || !strings.HasPrefix(a.CVE, "CVE-")) {
		return fail("%q is not a CVE id", cut(a.CVE, 40))
	}
	if _, err := time.Parse(time.DateOnly, a.Published); err != nil {
		return fail("published %q is not a day: write YYYY-MM-DD", cut(a.Published, 40))
	}
	for _, c := range []struct {
		key, value string
		words      []string
	}{
		{"date_of", a.DateOf, []string{"ghsa", "cve", "vendor-batch", "upper-bound"}},
		{"severity", string(a.Severity), event.Words(grades()...)},
		{"gateway_surface", a.Gateway, []string{"true", "false", unclear}},
		{"credential", string(a.Credential), event.Words(event.CredentialNone, event.CredentialRequired, event.CredentialUnclear, event.CredentialNA)},
		{"source", a.Source, []string{"aig", "cve", "osv"}},
	} {
		if !slices.Contains(c.words, c.value) {
			return fail("%s %q is unknown: use one of %s", c.key, cut(c.value, 40), strings.TrimPrefix(strings.Join(c.words, ", "), ", "))
		}
	}
	if a.Gateway == "true" && a.Credential == event.CredentialNA {
		return fail("what touches the gateway's surface needs a credential or not: credential must not be n/a")
	}
	for _, name := range append([]string{a.Package}, a.Also...) {
		if len(name) > 100 || !packageForm.MatchString(name) {
			return fail("%q is not the name of a package", cut(name, 40))
		}
	}
	if len(a.Ranges) == 0 {
		return fail("a range is needed")
	}
	if max(len(a.Ranges), len(a.Notes), len(a.CWEs), len(a.Scores), len(a.Also)) > maxItems {
		return fail("more than %d entries in a list", maxItems)
	}
	for _, r := range a.Ranges {
		if err := r.check(); err != nil {
			return fail("%w", err)
		}
	}
	for _, s := range a.Scores {
		if s.Score < 0 || s.Score > 10 || s.Score == 0 && s.Vector == "" {
			return fail("score %v is not from 0.1 to 10", s.Score)
		}
		if _, _, err := cvss(s.Vector); s.Vector != "" && err != nil {
			return fail("%w", err)
		}
	}
	if a.Summary == "" || a.Surface == "" {
		return fail("summary and surface are needed")
	}
	for _, text := range slices.Concat([]string{a.Summary, a.Surface}, a.Notes, a.CWEs) {
		if len(text) > maxText || text != strings.Join(strings.Fields(text), " ") {
			return fail("text %q is not one line of at most %d bytes", cut(text, 40), maxText)
		}
	}
	return nil
}

// cut shortens untrusted text for an error.
func cut(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// Encode writes a database: a header, then one advisory a line, sorted by ID, so
// that a diff shows what came and went. What Encode writes, Load reads; input
// that Load would refuse is an error.
func Encode(asOf time.Time, newest release.Version, all []*Advisory) ([]byte, error) {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b *Advisory) int { return strings.Compare(a.ID, b.ID) })
	var b bytes.Buffer
	fmt.Fprintf(&b, "{%q:%q,%q:%q,%q:[\n", keyAsOf, asOf.UTC().Format(time.DateOnly), keyNewest, newest, keyAdvisories)
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i, a := range sorted {
		if err := e.Encode(a); err != nil {
			return nil, fmt.Errorf("advisory %s: %w", a.ID, err)
		}
		if i < len(sorted)-1 {
			b.Truncate(b.Len() - 1)
			b.WriteString(",\n")
		}
	}
	b.WriteString("]}\n")
	if _, err := Load("advisories", b.Bytes()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
