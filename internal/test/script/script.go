// Package script has commands for the scripts that test our programs.
package script

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// Exits returns the command "exits CODE PROGRAM [ARG...]", which runs a program and holds
// its exit code. With 2, nothing is printed but one line of stderr, which begins with the
// name of the program.
func Exits(name string) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
		}
		want, err := strconv.Atoi(args[0])
		ts.Check(err)
		code := 0
		if err := ts.Exec(args[1], args[2:]...); err != nil {
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				ts.Fatalf("%v", err)
			}
			code = exit.ExitCode()
		}
		if code != want {
			ts.Fatalf("exit code is %d, want %d", code, want)
		}
		if code != 2 {
			return
		}
		if out := ts.ReadFile("stdout"); out != "" {
			ts.Fatalf("stdout is not empty")
		}
		line, rest, ended := strings.Cut(ts.ReadFile("stderr"), "\n")
		if !ended || rest != "" || !strings.HasPrefix(line, name+": ") {
			ts.Fatalf("stderr is not one line that begins with the program's name")
		}
	}
}
