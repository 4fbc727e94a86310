//go:build !unix

package alert

import "os/exec"

// group returns what ends a program; here there are no process groups.
func group(cmd *exec.Cmd) (end func()) {
	return func() { cmd.Process.Kill() }
}
