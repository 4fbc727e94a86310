// Package version says which release the programs are of.
package version

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// release is what a release's linker sets, such as "0.2.0":
//
//	go build -ldflags "-X github.com/clawsonar/clawsonar/internal/version.release=0.2.0"
var release string

// String returns the version of clawsonar and of clawsonar-hub, without a "v": what the
// linker set, else that of the module, which "go install …@v0.2.0" knows and which a
// checkout makes of its commit, else "0.0.0-devel".
func String() string {
	var module string
	if info, ok := debug.ReadBuildInfo(); ok {
		module = info.Main.Version
	}
	return of(release, module)
}

func of(release, module string) string {
	if module == "(devel)" {
		module = ""
	}
	return cmp.Or(release, strings.TrimPrefix(module, "v"), "0.0.0-devel")
}
