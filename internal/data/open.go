package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/clawsonar/clawsonar/internal/bounded"
)

// Variable is the environment variable that says which data to use: a data file, a
// folder into which data is installed, or OnlyBuiltin.
const Variable = "CLAWSONAR_DATA"

// OnlyBuiltin is its word for the built-in data.
const OnlyBuiltin = "builtin"

// Published is where the project publishes the data of each day: docs/data.md.
const Published = "https://raw.githubusercontent.com/clawsonar/clawsonar/data/clawsonar-data.json.gz"

// Endings of names: of installed data VERSION stands between them.
const (
	fileBegin = "clawsonar-data-"
	fileEnd   = ".json.gz"
	keyEnding = ".pub"
)

// Place is where installed data is.
type Place struct {
	File   string // one file, which the user names
	Folder string // what Install writes to; "" for a machine without a home folder
	usual  bool   // nobody has named the folder
}

// PlaceOf says where data is, of the value of Variable.
func PlaceOf(value string) Place {
	switch {
	case value == OnlyBuiltin:
		return Place{}
	case strings.HasSuffix(value, fileEnd):
		return Place{File: value}
	case value != "":
		return Place{Folder: value}
	}
	return Place{Folder: home(), usual: true}
}

// UpdateCommand is what installs data where who has this value of Variable reads it. It is
// for people to read, not for a shell.
func UpdateCommand(value string) string {
	p := PlaceOf(value)
	if p.Folder == "" || p.usual {
		return "clawsonar data update"
	}
	return Variable + "=" + p.Folder + " clawsonar data update"
}

// home is the folder of the user's data, as the system has it; "" if there is none.
func home() string {
	if x := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(x) {
		return filepath.Join(x, "clawsonar")
	}
	h, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(h) {
		return ""
	}
	switch runtime.GOOS {
	case "darwin":
		return filepath.Join(h, "Library", "Application Support", "clawsonar")
	case "windows":
		if x := os.Getenv("LocalAppData"); filepath.IsAbs(x) {
			return filepath.Join(x, "clawsonar")
		}
	}
	return filepath.Join(h, ".local", "share", "clawsonar")
}

// Open returns what is known: the newest of what is built in and what is at the place
// that the value of Variable says. A file that is there and cannot be trusted or read is
// an error, which is the user's to fix.
func Open(value string) (*Known, error) {
	place := PlaceOf(value)
	file, err := place.find()
	if err != nil {
		return nil, err
	}
	if file == "" {
		return Builtin()
	}
	k, err := place.load(file)
	if err != nil {
		return nil, fmt.Errorf("%w: install data again with \"clawsonar data update\", or remove %s to use the built-in data", err, file)
	}
	// The newest is found by its name, which nobody has signed.
	if v, ok := versionOf(filepath.Base(file)); ok && v != k.Version {
		return nil, fmt.Errorf("%s: it is version %s, and its name says another: remove it, or give it its name", file, k.Version)
	}
	older, err := k.older()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if older == "" {
		return k, nil
	}
	k, err = Builtin()
	if err == nil {
		k.Passed = file
	}
	return k, err
}

// find returns the file at a place; "" if there is none.
func (p Place) find() (string, error) {
	if p.File != "" || p.Folder == "" {
		return p.File, nil
	}
	all, err := os.ReadDir(p.Folder)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
	case p.usual && errors.Is(err, fs.ErrPermission):
		// HOME is another user's, as sudo may leave it: nothing is installed for this one.
	default:
		return "", fmt.Errorf("installed data: %w", err)
	}
	var newest Version
	for _, e := range all {
		if v, ok := versionOf(e.Name()); ok && v.Newer(newest) {
			newest = v
		}
	}
	if newest == "" {
		return "", nil
	}
	return filepath.Join(p.Folder, nameOf(newest)), nil
}

// nameOf is the name of an installed file.
func nameOf(v Version) string { return fileBegin + string(v) + fileEnd }

func versionOf(name string) (Version, bool) {
	text, ok := strings.CutPrefix(name, fileBegin)
	text, whole := strings.CutSuffix(text, fileEnd)
	v, err := ParseVersion(text)
	return v, ok && whole && err == nil
}

// load loads a file that find returned. Keys of the user's own count only where Install has
// put them: a key that merely lies beside a file comes from anyone who made the file.
func (p Place) load(file string) (*Known, error) {
	own := ""
	if p.Folder != "" {
		own = file + keyEnding
		if _, err := os.Lstat(own); errors.Is(err, fs.ErrNotExist) {
			own = ""
		}
	}
	return Load(file, own)
}

// Load reads a data file and the signature beside it, and verifies it by the keys of
// keyFile, or by the project's if that is "".
func Load(file, keyFile string) (*Known, error) {
	s, err := Read(file, keyFile)
	if err != nil {
		return nil, err
	}
	return s.open()
}

// Signed is a data file with its signature, as they were read: nothing of it is verified.
type Signed struct {
	name, keyName string // for errors
	packed        []byte
	signature     string
	keys          string // the user's own; "" for those of the project
}

// Read reads a data file, its signature and the keys, as Load does.
func Read(file, keyFile string) (*Signed, error) {
	packed, err := bounded.File(file, MaxFile)
	if err != nil {
		return nil, err
	}
	signature, err := bounded.File(file+SignatureEnding, MaxSignature)
	if err != nil {
		return nil, fmt.Errorf("the signature of the data: %w", err)
	}
	s := &Signed{name: file, packed: packed, signature: string(signature)}
	if keyFile != "" {
		err = s.trust(keyFile)
	}
	return s, err
}

// trust has the file verified by the keys of a file.
func (s *Signed) trust(keyFile string) error {
	keys, err := bounded.File(keyFile, MaxSignature)
	s.keys, s.keyName = string(keys), keyFile
	return err
}

// open verifies and loads.
func (s *Signed) open() (*Known, error) {
	own := s.keyName != ""
	text := trusted
	if own {
		text = s.keys
	}
	keys, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.keyName, err)
	}
	by, err := verify(s.packed, s.signature, keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	d, err := decode(s.packed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	k, err := d.known(s.name, by, own)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return k, nil
}
