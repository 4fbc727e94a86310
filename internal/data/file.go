package data

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/strict"
)

// Schema is the schema of data files that is written and read.
const Schema = 1

// Limits of a data file. Today's has 80 KB, 700 KB unpacked, and 60 files.
const (
	MaxFile     = 5 << 20  // bytes, packed
	maxUnpacked = 32 << 20 // bytes
	maxFiles    = 1000
	maxValues   = 4 * maxFiles // of JSON
)

// Version says which of two data is newer: a day in UTC, and which data of that day,
// as YYYYMMDDNN. What is built in is the first of its day, 00.
type Version string

const (
	versionDay   = "20060102"
	builtInFirst = "00"
)

// ParseVersion reads a version.
func ParseVersion(s string) (Version, error) {
	const digits = len(versionDay) + len(builtInFirst)
	ok := len(s) == digits
	for i := range len(s) {
		ok = ok && s[i] >= '0' && s[i] <= '9'
	}
	if ok {
		if _, err := time.Parse(versionDay, s[:len(versionDay)]); err == nil {
			return Version(s), nil
		}
	}
	return "", fmt.Errorf("version %.20q is not valid: it is a day and a number, YYYYMMDDNN", s)
}

// UnmarshalText reads a version.
func (v *Version) UnmarshalText(text []byte) (err error) {
	*v, err = ParseVersion(string(text))
	return err
}

// Newer reports whether v is newer than w.
func (v Version) Newer(w Version) bool { return v > w }

// document is what a data file holds, as JSON packed by gzip.
type document struct {
	Schema  int               `json:"schema"`
	Version Version           `json:"version"`
	Files   map[string]string `json:"files"` // by their paths, as in fingerprints.FS
}

// mayHold matches the paths of a data file: knowledge of products, releases, advisories
// and settings. Which listeners of a machine are left alone is not among them: that says
// what is contacted.
var mayHold = regexp.MustCompile(`^(?:[a-z0-9][a-z0-9-]{0,63}\.yaml|releases/[a-z0-9-]{1,64}\.json|advisories/openclaw\.json|config/keys\.txt|config/audit\.yaml)$`)

// Encode makes a data file. The same files and version give the same bytes.
func Encode(v Version, files map[string]string) ([]byte, error) {
	if _, err := ParseVersion(string(v)); err != nil {
		return nil, err
	}
	d := document{Schema, v, files}
	if err := d.check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(d) // with the paths in order
	if err != nil {
		return nil, err
	}
	if len(text) > maxUnpacked {
		return nil, bounded.TooLarge("the data", maxUnpacked)
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if out.Len() > MaxFile {
		return nil, bounded.TooLarge("the data file", MaxFile)
	}
	return out.Bytes(), nil
}

// errNewer marks what a newer program can read.
var errNewer = errors.New("it needs a newer clawsonar")

// decode reads a data file, whose signature was verified.
func decode(packed []byte) (*document, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, errors.New("not a data file of clawsonar: it is not packed by gzip")
	}
	text, err := io.ReadAll(io.LimitReader(z, maxUnpacked+1))
	switch {
	case err != nil:
		return nil, errors.New("not a data file of clawsonar: the gzip stream is not whole")
	case len(text) > maxUnpacked:
		return nil, fmt.Errorf("unpacks to more than %s: not a data file of clawsonar", bounded.Size(maxUnpacked))
	}
	if err := bounded.JSON(text, maxValues); err != nil {
		return nil, fmt.Errorf("not a data file of clawsonar: %w", err)
	}
	// Of a later schema no more is known than that it says which.
	var of struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(text, &of); err != nil || of.Schema < 1 {
		return nil, errors.New("not a data file of clawsonar: it is JSON with a schema")
	}
	if of.Schema > Schema {
		return nil, fmt.Errorf("schema %d: %w", of.Schema, errNewer)
	}
	var d document
	if err := strict.JSON("data", text, maxValues, &d); err != nil {
		return nil, err
	}
	if d.Version == "" {
		return nil, errors.New("it has no version")
	}
	return &d, d.check()
}

// check refuses paths that a data file does not have.
func (d *document) check() error {
	if len(d.Files) > maxFiles {
		return fmt.Errorf("more than %d files", maxFiles)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Files)) {
		if !mayHold.MatchString(name) {
			return fmt.Errorf("%.80q is no file of knowledge: %w", name, errNewer)
		}
	}
	return nil
}
