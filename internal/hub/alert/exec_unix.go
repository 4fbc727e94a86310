//go:build unix

package alert

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// group gives a program a process group of its own, and returns what ends the group.
func group(cmd *exec.Cmd) (end func() error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return func() error {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return os.ErrProcessDone
	}
}
