// Package cli is the command line: the tree of commands, their flags, the
// environment, signals, the terminal and the exit codes. No other package
// knows any of these.
//
// Results go to stdout; everything else goes to stderr.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/projectdiscovery/goflags"
	"github.com/spf13/cobra"
)

// Exit codes, the same for every command and format. 3 and 4 come from the
// policy package.
const (
	exitOK          = 0
	exitFailed      = 1   // failed while running
	exitUsage       = 2   // usage, configuration or input error
	exitInterrupted = 130 // stopped by the user; what was found is in the output
)

// version is the release of clawsonar.
const version = "0.1.0"

// exitError carries an exit code; err may be nil when everything has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return fmt.Sprint(e.err) }
func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as the user's: exit code 2.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUsage, err}
}

// streams are the standard streams of a run.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the command line and returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// goflags would move files in the user's configuration folder about.
	goflags.DisableAutoConfigMigration = true
	s := streams{stdin, stdout, stderr}
	root := newRoot(s)
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return exitOK
	}
	code := exitFailed
	var exit *exitError
	if errors.As(err, &exit) {
		code, err = exit.code, exit.err
	}
	if err != nil {
		fmt.Fprintf(stderr, "clawsonar: %s\n", oneLine(err.Error()))
	}
	return code
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "clawsonar",
		Short: "Tells whether OpenClaw gateways stand open",
		Long: `clawsonar looks at OpenClaw gateways from outside, as a stranger would, and
proves whether they ask for a credential, without harming them: no log-in is
tried, no session opened, nothing is changed.

Scan only what you run yourself or are authorised to scan.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage(fmt.Errorf("unknown command %q: see \"clawsonar help\"", args[0]))
		}
		return nil
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	root.AddCommand(
		newScan(s),
		newExplain(s),
		newFingerprints(s),
		newDemo(s),
		newVersion(s),
	)
	return root
}

// lookupEnv is the process environment.
func lookupEnv(name string) (string, bool) { return os.LookupEnv(name) }

// arguments parses a command's flags and takes care of -help.
func arguments(cmd *cobra.Command, f *flags, args []string, config func() (string, bool)) (rest []string, done bool, err error) {
	rest, err = f.parse(args, lookupEnv, config)
	if errors.Is(err, errHelp) {
		return nil, true, cmd.Help()
	}
	return rest, false, usage(err)
}
