// Package version says which release the programs are of.
package version

import "runtime/debug"

// Version is the release of clawsonar and of clawsonar-hub.
const Version = "0.1.0"

// Revision returns the commit that the program was built from, as " (…)"; "" if that is
// not known.
func Revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return " (" + s.Value[:12] + ")"
		}
	}
	return ""
}
