//go:build linux

package lab

import "strings"

// program is what it takes to start a package.
type program struct {
	entry      string   // script that is run, below the package
	name       string   // of the state folder and the configuration file
	prefixes   []string // of the environment variables it reads
	noModeNone bool     // no such mode: open as long as nothing is configured
}

var openclaw = program{entry: "openclaw.mjs", name: "openclaw", prefixes: []string{"OPENCLAW_"}}

// programs are the packages that are not started as openclaw is. Of the forks
// these are few: @gguf/claw and @romiluz/clawmongo need no entry here.
var programs = map[string]program{
	"clawdbot": {
		entry: "dist/entry.js", name: "clawdbot",
		prefixes: []string{"OPENCLAW_", "CLAWDBOT_"}, noModeNone: true,
	},
	// The look of clawdbot and the settings of openclaw 2026.1.29: without a
	// secret it does not start.
	"openclaw-cn": {entry: "dist/entry.js", name: openclaw.name, prefixes: openclaw.prefixes},
}

// programOf says how to start a package.
func programOf(pkg string) program {
	if p, ok := programs[pkg]; ok {
		return p
	}
	return openclaw
}

// dirName is the name of a package's folder in the lab; a scope stays part of
// it.
func dirName(pkg, version string) string {
	return strings.ReplaceAll(strings.TrimPrefix(pkg, "@"), "/", "-") + "-" + version
}
