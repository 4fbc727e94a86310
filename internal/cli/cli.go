// Package cli is the command line: the tree of commands, their flags, the
// environment, signals, the terminal and the exit codes. No other package
// knows any of these.
//
// Results go to stdout; everything else goes to stderr.
package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/projectdiscovery/goflags"
	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/data"
	"github.com/clawsonar/clawsonar/internal/exit"
	"github.com/clawsonar/clawsonar/internal/suggest"
)

// usage marks an error as the user's: exit code 2.
func usage(err error) error { return exit.Wrong(err) }

// streams are the standard streams of a run.
type streams struct {
	in       io.Reader
	out, err io.Writer
	args     []string // the whole command line after the program's name

	sets    map[*cobra.Command]*flags // of each command that has any
	ordered *atomic.Bool              // see inOrder
}

// Main runs the command line and returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	collectMore()
	// goflags would move files in the user's configuration folder.
	goflags.DisableAutoConfigMigration = true
	s := streams{stdin, stdout, stderr, args, map[*cobra.Command]*flags{}, new(atomic.Bool)}
	root := newRoot(s)
	root.SetArgs(args)
	ctx, stop := interruptible()
	defer stop()
	done := make(chan error, 1)
	go func() { done <- root.ExecuteContext(ctx) }()
	select {
	case err := <-done:
		return exit.Code("clawsonar", err, stderr)
	case <-ctx.Done():
		if !s.ordered.Load() {
			return exit.Interrupted
		}
		return exit.Code("clawsonar", <-done, stderr)
	}
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "clawsonar",
		Short: "Find OpenClaw gateways that are open to anyone",
		Long: `clawsonar sends requests without a credential to OpenClaw gateways and proves
whether they require one. It does no harm: it never tries to log in, opens no
session and changes nothing.

Scan only what you run yourself or are authorised to scan.`,
		Example: `  clawsonar scan                        scan this machine
  clawsonar scan 127.0.0.1:18789        scan one gateway
  clawsonar scan -l hosts.txt -o scan.jsonl
  clawsonar discover -mdns -docker      list targets that tell of themselves
  clawsonar inspect deploy              read a deployment's files, offline
  clawsonar report scan.jsonl -f html   render stored results as a page
  clawsonar explain auth-missing        explain a finding and how to fix it
  clawsonar demo                        try it without a gateway`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	// Only the completion scripts use cobra's own flags.
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w: see \"%s -h\"", err, cmd.CommandPath()))
	})
	root.AddCommand(
		newScan(s),
		newDiscover(s),
		newInspect(s),
		newVerify(s),
		newReport(s),
		newDiff(s),
		newExplain(s),
		newFingerprints(s),
		newAdvisories(s),
		newData(s),
		newDemo(s),
		newVersion(s),
	)
	root.SetHelpCommand(newHelp())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	holder(root)
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			holder(cmd)
		}
	}
	return root
}

// holder makes a command that only has subcommands refuse anything else. Cobra by
// itself treats an unknown name as an argument, prints help and reports success.
func holder(cmd *cobra.Command) {
	cmd.DisableFlagParsing = true
	cmd.Args = cobra.ArbitraryArgs // cobra itself exits with 1 on those
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 || slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
			return cmd.Help()
		}
		if cmd.Parent() == nil && slices.Contains([]string{"-version", "--version"}, args[0]) {
			cmd.SetArgs([]string{"version"})
			return cmd.ExecuteContext(cmd.Context())
		}
		return usage(unknown(cmd, args[0]))
	}
}

// unknown is the error for an unknown command.
func unknown(parent *cobra.Command, name string) error {
	see := fmt.Sprintf("see \"%s -h\"", parent.CommandPath())
	switch {
	case strings.HasPrefix(name, "-"):
		return fmt.Errorf("unknown flag %s: %s", strings.SplitN(name, "=", 2)[0], see)
	case strings.ContainsAny(name, ":/@"):
		// Not repeated: it may be a URL with a password in it.
		return fmt.Errorf("not a command: targets come after \"clawsonar scan\", %s", see)
	}
	var known []string
	for _, c := range parent.Commands() {
		known = append(known, c.Name())
	}
	return fmt.Errorf("unknown command %q%s: %s", name, suggest.DidYouMean(name, known), see)
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:                "help [COMMAND]",
		Short:              "Help about any command",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			found, rest, err := root.Find(args)
			if err != nil || found == nil {
				return usage(unknown(root, args[0]))
			}
			if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
				return usage(unknown(found, rest[0]))
			}
			return found.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			found, rest, err := cmd.Root().Find(args)
			var names []string
			if err == nil && len(rest) == 0 {
				for _, sub := range found.Commands() {
					if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), toComplete) {
						names = append(names, sub.Name()+"\t"+sub.Short)
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// unknownEnv returns a warning for each variable that looks like a setting but is
// not one of any command.
func unknownEnv(sets map[*cobra.Command]*flags, environ []string) []string {
	known := []string{data.Variable}
	for _, f := range sets {
		for o := range f.every {
			known = append(known, variable(o.long))
		}
	}
	var out []string
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, envPrefix) || value == "" || slices.Contains(known, name) || strings.HasPrefix(name, envPrefix+"E2E") {
			continue
		}
		out = append(out, fmt.Sprintf("environment variable %s is not a setting%s", name, suggest.DidYouMean(name, known)))
	}
	slices.Sort(out)
	return out
}
