// Package data says what is known: the data that is built in, or that of a newer file
// which was signed by a key that is trusted. Such a file may know more. It may not make
// anything be contacted, or asked, that the built-in data does not.
package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing/fstest"
	"time"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/advisory"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/exposure"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
	"github.com/clawsonar/clawsonar/internal/local"
	"github.com/clawsonar/clawsonar/internal/openclaw"
	"github.com/clawsonar/clawsonar/internal/release"
)

// Files of the data, beside those of products.
const (
	releaseFile  = "releases/openclaw.json"
	advisoryFile = "advisories/openclaw.json"
	auditFile    = "config/audit.yaml"
)

// Known is what is known. It does not change, and may be used by several goroutines at
// once.
type Known struct {
	// FS has the files, as fingerprints.FS.
	FS      fs.FS
	Version Version
	File    string // whose data this is; "" for the built-in data
	Key     string // that signed the file, as minisign names it
	OwnKey  bool   // it is not the project's, but one that the user trusts
	Set     *fingerprint.Set
	// Passed is a file that is not used: the built-in data is newer. "" for none.
	Passed string

	advisories func() (*advisory.DB, error)
}

// Builtin is what the program comes with.
func Builtin() (*Known, error) {
	v, err := builtinVersion()
	if err != nil {
		return nil, fmt.Errorf("built-in data: %w", err)
	}
	k := &Known{FS: fingerprints.FS, Version: v}
	return k, k.load()
}

func builtinVersion() (Version, error) {
	day := time.Time{}
	for _, file := range Tables() {
		text, err := fs.ReadFile(fingerprints.FS, file)
		if err != nil {
			return "", err
		}
		d, err := asOf(text)
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		if d.After(day) {
			day = d
		}
	}
	return Version(day.Format(versionDay) + builtInFirst), nil
}

// older says in what k is not newer than the built-in data; "" for nothing. A version is of
// the newest table of several, so each is compared as well.
func (k *Known) older() (string, error) {
	own, err := builtinVersion()
	if err != nil {
		return "", err
	}
	if !k.Version.Newer(own) {
		return fmt.Sprintf("version %s is not newer than the built-in data, %s", k.Version, own), nil
	}
	for _, name := range Tables() {
		mine, err1 := fs.ReadFile(k.FS, name)
		builtin, err2 := fs.ReadFile(fingerprints.FS, name)
		newer, err3 := NewerTable(builtin, mine)
		if err := errors.Join(err1, err2, err3); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		if newer {
			return name + " is older than the built-in one", nil
		}
	}
	return "", nil
}

// asOf reads the day of a table, which stands in its first line, and no more.
func asOf(table []byte) (time.Time, error) {
	d := json.NewDecoder(bytes.NewReader(table))
	for range 3 { // "{", the key, its value
		t, err := d.Token()
		if err != nil {
			return time.Time{}, err
		}
		if text, ok := t.(string); ok && len(text) >= len(time.DateOnly) {
			return time.Parse(time.DateOnly, text[:len(time.DateOnly)])
		}
	}
	return time.Time{}, fmt.Errorf("the table does not begin with its day")
}

// of makes what a file knows; what a data file does not have is the built-in one's.
func (d *document) known(file string, by *key, own bool) (*Known, error) {
	files := fstest.MapFS{}
	for name, text := range d.Files {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	changed := false // a fingerprint
	err := fs.WalkDir(fingerprints.FS, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(fingerprints.FS, name)
		switch {
		case err != nil:
			return err
		case !mayHold.MatchString(name):
			files[name] = &fstest.MapFile{Data: text}
		case files[name] == nil:
			return fmt.Errorf("%s is not in it: it would know less than the built-in data", name)
		case isProduct(name):
			changed = changed || !bytes.Equal(files[name].Data, text)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	k := &Known{FS: files, Version: d.Version, File: file, Key: by.id(), OwnKey: own}
	if err := k.load(); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errNewer)
	}
	added := len(d.Files)
	for name := range d.Files {
		if _, err := fs.Stat(fingerprints.FS, name); err == nil {
			added--
		}
	}
	if !changed && added == 0 {
		return k, nil // the fingerprints that were reviewed
	}
	reviewed, err := Builtin()
	if err != nil {
		return nil, err
	}
	if err := k.Set.Within(reviewed.Set); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errNewer)
	}
	return k, nil
}

func isProduct(name string) bool { return !strings.Contains(name, "/") }

// load loads the fingerprints, and the advisories when they are asked for.
func (k *Known) load() (err error) {
	if k.Set, err = fingerprint.Load(k.FS); err != nil {
		return k.of(err)
	}
	if k.Set.Releases("openclaw") == nil {
		return k.of(fmt.Errorf("no table of releases of openclaw"))
	}
	k.advisories = sync.OnceValues(func() (*advisory.DB, error) { return read(k, advisoryFile, advisory.Load) })
	return nil
}

// all loads all that there is.
func (k *Known) all() error {
	for _, load := range []func() error{
		func() error { _, err := k.Advisories(); return err },
		func() error { _, err := k.Keys(); return err },
		func() error { _, err := k.Audit(); return err },
		func() error { _, err := k.Listeners(); return err },
	} {
		if err := load(); err != nil {
			return err
		}
	}
	return nil
}

// of says whose data an error is about.
func (k *Known) of(err error) error {
	if k.File == "" {
		return fmt.Errorf("built-in data: %w", err)
	}
	return err
}

// read loads one of the files.
func read[T any](k *Known, file string, load func(string, []byte) (T, error)) (T, error) {
	text, err := fs.ReadFile(k.FS, file)
	if err != nil {
		var none T
		return none, k.of(err)
	}
	loaded, err := load(file, text)
	if err != nil {
		return loaded, k.of(err)
	}
	return loaded, nil
}

// Advisories are the published vulnerabilities. They are loaded when first asked for.
func (k *Known) Advisories() (*advisory.DB, error) { return k.advisories() }

// Releases are those of the gateway.
func (k *Known) Releases() *release.Table { return k.Set.Releases("openclaw") }

// Keys are those of the gateway's configuration.
func (k *Known) Keys() (*openclaw.Keys, error) {
	return read(k, openclaw.KeysFile, func(_ string, text []byte) (*openclaw.Keys, error) { return openclaw.ParseKeys(text) })
}

// Audit says how the findings of the official audit relate to ours.
func (k *Known) Audit() (*exposure.Audit, error) { return read(k, auditFile, exposure.LoadAudit) }

// Listeners says which listeners of this machine are left alone.
func (k *Known) Listeners() (*local.Known, error) {
	l, err := local.Load(k.FS)
	if err != nil {
		return nil, k.of(err)
	}
	return l, nil
}

// Digest is over all files: what has the same one judges alike.
func (k *Known) Digest() (string, error) { return digest(k.FS) }

// digest is that of all files of a directory, with their names.
func digest(dir fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(dir, name)
		fmt.Fprintf(sum, "%q %d\n", name, len(data))
		sum.Write(data)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// About says in the head of a stream which data is used, with these advisories.
func (k *Known) About(advisories *advisory.DB) event.Data {
	table := k.Releases()
	d := event.Data{
		Version:  string(k.Version),
		Releases: table.Len(), NewestRelease: table.Newest().Version.String(),
		ReleasesAsOf: table.AsOf().Format(time.DateOnly),
		Advisories:   len(advisories.All()), AdvisoriesAsOf: advisories.AsOf().Format(time.DateOnly),
		Key: k.Key,
	}
	if k.File != "" {
		d.File = filepath.Base(k.File) // the folder is nobody else's business
	}
	return d
}
