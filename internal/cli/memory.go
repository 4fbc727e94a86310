package cli

import (
	"os"
	"runtime/debug"
)

// collectMore makes garbage collection more frequent, so that what a file holds
// takes half of its memory more, and not twice its memory, at the most. That costs a
// command that reads a large file some 5% of its CPU time.
func collectMore() {
	if !ownMemory() {
		debug.SetGCPercent(50)
	}
}

// collectLess makes garbage collection less frequent while a scan runs, and returns
// a function that undoes that. Little memory is kept and much is freed, so this saves
// a sixth of the CPU time; the limit, which is a soft one, keeps the cost within
// bounds for any number of targets in flight.
func collectLess(inFlight int) (undo func()) {
	if ownMemory() {
		return func() {}
	}
	percent := debug.SetGCPercent(400)
	limit := debug.SetMemoryLimit(32<<20 + int64(inFlight)*8<<10)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// holdMemory makes garbage collection keep a command that reads many files near what it
// needs at one time: after a large file it would grow by what that took. The limit is a
// soft one.
func holdMemory() {
	if !ownMemory() {
		debug.SetMemoryLimit(32 << 20)
	}
}

// ownMemory reports whether the user has set either: both take precedence.
func ownMemory() bool { return os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" }
