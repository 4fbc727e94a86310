package cli

import (
	"os"
	"runtime/debug"
)

// collectLess has garbage collected less often while a scan runs, and returns
// what undoes that. Little is held and much is thrown away, so that this saves a
// sixth of the CPU time; the limit, which is a soft one, keeps what it costs in
// bounds, whatever the number of targets in flight. Whoever has set GOGC or
// GOMEMLIMIT knows better.
func collectLess(inFlight int) (undo func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	percent := debug.SetGCPercent(400)
	limit := debug.SetMemoryLimit(48<<20 + int64(inFlight)*8<<10)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}
