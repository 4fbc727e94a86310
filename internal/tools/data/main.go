// Data makes the data file that clawsonar data update installs, of the folder
// fingerprints. The same folder gives the same bytes. It is signed by minisign, see
// docs/data.md.
//
// Run it from the top of the module:
//
//	go run ./internal/tools/data -after FILE -o clawsonar-data.json.gz
//
// With -after the data of the signed FILE counts as published: data that knows less is
// refused, and the version is a later one. With -take FILE it makes no file: it takes the
// tables of releases and advisories out of FILE into fingerprints where they are newer.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/results"
)

func main() {
	folder := flag.String("from", "fingerprints", "the folder")
	out := flag.String("o", "clawsonar-data.json.gz", "the file to make")
	after := flag.String("after", "", "a signed data file that is published")
	key := flag.String("key", "", "a file of public keys for -after and -take instead of clawsonar's")
	take := flag.String("take", "", "a signed data file whose tables are taken into the folder")
	flag.Parse()
	err := errors.New("it takes no argument")
	switch {
	case flag.NArg() > 0:
	case *take != "":
		err = tables(*folder, *take, *key)
	default:
		err = build(os.Stdout, *folder, *out, *after, *key)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "data:", err)
		os.Exit(1)
	}
}

// build writes the data file, and prints its version.
func build(w io.Writer, folder, out, after, key string) error {
	n := 1
	v, packed, err := data.Build(os.DirFS(folder), n)
	if err != nil {
		return err
	}
	if after != "" {
		before, err := data.Load(after, key)
		if err != nil {
			return err
		}
		for ; !v.Newer(before.Version) && n < 99; n++ {
			if v, packed, err = data.Build(os.DirFS(folder), n+1); err != nil {
				return err
			}
		}
		now, err := data.Unsigned(packed)
		if err != nil {
			return err
		}
		if err := now.Plausible(before); err != nil {
			return fmt.Errorf("this is no data to publish after %s: %w", after, err)
		}
	}
	if err := results.Replace(out, packed); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, v)
	return err
}

// tables takes those of a data file that are newer than the folder's.
func tables(folder, file, key string) error {
	k, err := data.Load(file, key)
	if err != nil {
		return err
	}
	for _, name := range data.Tables() {
		theirs, err := fs.ReadFile(k.FS, name)
		if err != nil {
			return err
		}
		path := filepath.Join(folder, filepath.FromSlash(name))
		ours, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		newer, err := data.NewerTable(theirs, ours)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if newer {
			if err := results.Replace(path, theirs); err != nil {
				return err
			}
		}
	}
	return nil
}
