package data

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Build makes a data file of a folder such as fingerprints: all of its files that a data
// file may have. Its version is of the day of the newest table, and the n-th of that day,
// from 1 to 99. What could not be installed is an error.
func Build(dir fs.FS, n int) (Version, []byte, error) {
	files := map[string]string{}
	day := time.Time{}
	err := fs.WalkDir(dir, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !mayHold.MatchString(name) {
			return err
		}
		text, err := fs.ReadFile(dir, name)
		files[name] = string(text)
		if err == nil && slices.Contains(Tables(), name) {
			var of time.Time
			if of, err = asOf(text); of.After(day) {
				day = of
			}
		}
		return err
	})
	if err != nil {
		return "", nil, err
	}
	v, err := ParseVersion(fmt.Sprintf("%s%02d", day.Format(versionDay), n))
	if err != nil || n < 1 {
		return "", nil, fmt.Errorf("no data number %d of %s: use 1 to 99", n, day.Format(time.DateOnly))
	}
	packed, err := Encode(v, files)
	if err != nil {
		return "", nil, err
	}
	k, err := Unsigned(packed)
	if err != nil {
		return "", nil, err
	}
	return v, packed, k.all()
}

// Unsigned loads a data file that was built here. Nothing is judged by it.
func Unsigned(packed []byte) (*Known, error) {
	d, err := decode(packed)
	if err != nil {
		return nil, err
	}
	return d.known("the data", &key{}, false)
}

// Tables are the files of data that grow every day.
func Tables() []string { return []string{releaseFile, advisoryFile} }

// NewerTable reports whether one of them is of a later day than another.
func NewerTable(a, b []byte) (bool, error) {
	x, err1 := asOf(a)
	y, err2 := asOf(b)
	return x.After(y), errors.Join(err1, err2)
}

// Plausible refuses data that is not newer than earlier data, or that knows less.
func (k *Known) Plausible(earlier *Known) error {
	now, err := k.Advisories()
	if err != nil {
		return err
	}
	before, err := earlier.Advisories()
	if err != nil {
		return err
	}
	switch {
	case !k.Version.Newer(earlier.Version):
		return fmt.Errorf("version %s is not newer than %s", k.Version, earlier.Version)
	case k.Releases().Len() < earlier.Releases().Len():
		return fmt.Errorf("%d releases, and there were %d", k.Releases().Len(), earlier.Releases().Len())
	case len(now.All()) < len(before.All()):
		return fmt.Errorf("%d advisories, and there were %d: withdrawn ones are looked at by a person", len(now.All()), len(before.All()))
	case k.Releases().AsOf().Before(earlier.Releases().AsOf()), now.AsOf().Before(before.AsOf()):
		return fmt.Errorf("releases are as of %s and advisories as of %s: those before were newer", k.Releases().AsOf().Format(time.DateOnly), now.AsOf().Format(time.DateOnly))
	}
	return nil
}
