package data

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/clawsonar/clawsonar/internal/bounded"
	"github.com/clawsonar/clawsonar/internal/results"
)

// Install verifies a data file, loads all of it, and installs it with its signature, so
// that Open uses it. One that is not newer than what is built in or installed is refused.
// Either all is installed or nothing.
func (p Place) Install(s *Signed) (*Known, error) {
	if p.Folder == "" {
		return nil, fmt.Errorf("there is no folder to install data into: name one in %s", Variable)
	}
	k, err := s.open()
	if err != nil {
		return nil, err
	}
	if err := k.all(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", s.name, err, errNewer)
	}
	older, err := k.older()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if older != "" {
		return nil, fmt.Errorf("%s: %s: nothing was installed", s.name, older)
	}
	if err := p.supersedes(s, k.Version); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.Folder, 0o755); err != nil {
		return nil, err
	}
	k.File = filepath.Join(p.Folder, nameOf(k.Version))
	if s.keyName != "" {
		err = results.Replace(k.File+keyEnding, []byte(s.keys))
	} else if err = os.Remove(k.File + keyEnding); errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	// The file is last: without it what is beside it counts for nothing.
	if err := results.Replace(k.File+SignatureEnding, []byte(s.signature)); err != nil {
		return nil, err
	}
	if err := results.Replace(k.File, s.packed); err != nil {
		return nil, err
	}
	return k, p.clear(k.Version)
}

// supersedes refuses a version that is older than the one that is installed, and another
// file of the same version, unless what is installed is broken.
func (p Place) supersedes(s *Signed, v Version) error {
	file, err := p.find()
	if file == "" || err != nil {
		return err
	}
	installed, _ := versionOf(filepath.Base(file))
	switch {
	case v.Newer(installed):
		return nil
	case installed.Newer(v):
		return fmt.Errorf("%s: version %s is older than the installed data, %s: nothing was installed", s.name, v, installed)
	}
	if _, err := p.load(file); err != nil {
		return nil
	}
	packed, err := bounded.File(file, MaxFile)
	if err == nil && !bytes.Equal(packed, s.packed) {
		err = fmt.Errorf("%s: other data of the same version, %s, is installed: nothing was installed", s.name, v)
	}
	return err
}

// clear removes what is older than a version.
func (p Place) clear(than Version) error {
	all, err := os.ReadDir(p.Folder)
	if err != nil {
		return err
	}
	for _, e := range all {
		v, ok := versionOf(e.Name())
		if !ok || !than.Newer(v) {
			continue
		}
		for _, ending := range []string{"", SignatureEnding, keyEnding} {
			err := os.Remove(filepath.Join(p.Folder, e.Name()+ending))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
