//go:build unix

package alert

import (
	"os/exec"
	"syscall"
)

// group gives a program a process group of its own, and returns what ends the group.
func group(cmd *exec.Cmd) (end func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
