// Release makes what the archives and packages of a release need beside the programs, and
// what other package managers need to install them. "make release-snapshot" runs it.
//
//	go run ./internal/tools/release contents DIR
//
// writes for each program its man pages (man, and packed in man.gz), completions and the
// licences of the libraries in it, and the certificate authorities for the images.
//
//	go run ./internal/tools/release recipes DIST VERSION
//
// writes formulae for Homebrew and a flake for Nix, which install the archives that
// DIST/SHA256SUMS names, by their digests.
package main

import (
	"errors"
	"fmt"
	"os"
)

// programs are what a release consists of.
var programs = [...]string{"clawsonar", "clawsonar-hub"}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "contents":
		return writeFiles(args[1])
	case len(args) == 3 && args[0] == "recipes":
		return writeRecipes(args[1], args[2])
	}
	return errors.New("use contents DIR, or recipes DIST VERSION")
}
