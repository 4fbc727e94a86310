// Package cli is the command line of clawsonar-hub. It knows its flags, signals and exit
// codes, and connects the other packages.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/exit"
	"github.com/clawsonar/clawsonar/internal/suggest"
	"github.com/clawsonar/clawsonar/internal/version"
)

// usage marks an error as the user's: exit code 2.
func usage(err error) error { return exit.Wrong(err) }

type streams struct{ out, err io.Writer }

// say prints a line for the operator, who may be shown what others have written.
func (s streams) say(format string, args ...any) {
	fmt.Fprintf(s.err, "clawsonar-hub: %s\n", clean.Text(fmt.Sprintf(format, args...)))
}

// Main runs the command line and returns the exit code. The first signal ends what runs
// in order, the second at once.
func Main(args []string, stdout, stderr io.Writer) int {
	// The history of a large fleet stays in memory, and is not to be there twice.
	debug.SetGCPercent(50)
	s := streams{stdout, stderr}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := newRoot(s)
	root.SetArgs(args)
	return exit.Code(hubName, root.ExecuteContext(ctx), stderr)
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "clawsonar-hub",
		Short: "Watch the OpenClaw gateways of your own networks",
		Long: `clawsonar-hub scans what watch.yaml lists again and again, keeps the history
of each gateway, tells whom it may concern what opened and what closed, and shows
all of it as pages. Its scans are those of clawsonar: they send no credential and
change nothing.

Watch only what you run yourself or are authorised to scan.`,
		Example: `  clawsonar-hub serve                 watch this machine, pages on http://127.0.0.1:8790/
  clawsonar-hub serve watch.yaml      watch what the file lists
  clawsonar-hub token new ann -role work
  clawsonar-hub worker new fra-1 -vantage fra
  clawsonar-hub work fra-1.worker.yaml        on another machine
  clawsonar-hub job add job.yaml      have the workers make a scan
  clawsonar-hub import streams        make the index again from the stored streams
  clawsonar-hub mcp -scope scope.txt  let an agent look at gateways
  clawsonar-hub demo                  a fleet of replicas with a history`,
		SilenceErrors: true, SilenceUsage: true, DisableFlagParsing: true,
	}
	root.SetOut(s.out)
	root.SetErr(s.err)
	// Only the completion scripts use cobra's own flags.
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w: see \"%s -h\"", err, cmd.CommandPath()))
	})
	root.AddCommand(newServe(s), newImport(s), newToken(s), newJob(s), newWorker(s), newWork(s), newMCP(s), newDemo(s), command(&cobra.Command{
		Use: "version", Short: "Print the version", Long: "Print the version.",
	}, 0, nil, func(context.Context, []string) error { return sayVersion(s) }))
	root.InitDefaultCompletionCmd()
	holder(s, root)
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			holder(s, cmd)
		}
	}
	return root
}

// holder makes a command that only has subcommands refuse anything else.
func holder(s streams, cmd *cobra.Command) {
	cmd.DisableFlagParsing = true
	cmd.Args = cobra.ArbitraryArgs // cobra itself exits with 1 on those
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 || slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
			return cmd.Help()
		}
		if !cmd.HasParent() && slices.Contains([]string{"-version", "--version"}, args[0]) {
			return sayVersion(s)
		}
		return usage(unknown(cmd, args[0]))
	}
}

func sayVersion(s streams) error {
	_, err := fmt.Fprintf(s.out, "clawsonar-hub %s, %s\n", version.String(), runtime.Version())
	return err
}

// unknown is the error for an unknown command.
func unknown(parent *cobra.Command, name string) error {
	var known []string
	for _, c := range parent.Commands() {
		known = append(known, c.Name())
	}
	return fmt.Errorf("unknown command %q%s: see \"%s -h\"", clean.N(name, 40), suggest.DidYouMean(name, known), parent.CommandPath())
}

// command is a command with flags, which have one dash or two and may stand after
// arguments, and at most so many arguments.
func command(cmd *cobra.Command, most int, add func(*flag.FlagSet), run func(ctx context.Context, args []string) error) *cobra.Command {
	set := flag.NewFlagSet(cmd.Name(), flag.ContinueOnError)
	set.SetOutput(io.Discard)
	if add != nil {
		add(set)
	}
	cmd.DisableFlagParsing = true
	cmd.DisableFlagsInUseLine = true
	cmd.Flags().AddGoFlagSet(set) // for completion and the man pages
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n\nUsage:\n  %s\n", strings.TrimSpace(cmd.Long), cmd.UseLine())
		if add != nil {
			fmt.Fprintln(cmd.OutOrStdout(), "\nFlags:")
		}
		set.VisitAll(func(f *flag.Flag) {
			value, text := flag.UnquoteUsage(f)
			fmt.Fprintf(cmd.OutOrStdout(), "  %-22s %s\n", strings.TrimSpace("-"+f.Name+" "+value), text)
		})
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var rest []string
		for len(args) > 0 {
			if err := set.Parse(args); errors.Is(err, flag.ErrHelp) {
				return cmd.Help()
			} else if err != nil {
				return usage(fmt.Errorf("%w: see \"%s -h\"", err, cmd.CommandPath()))
			}
			if args = set.Args(); len(args) > 0 {
				rest, args = append(rest, args[0]), args[1:]
			}
		}
		if len(rest) > most {
			return usage(fmt.Errorf("%q is one argument too many: see \"%s -h\"", clean.N(rest[most], 40), cmd.CommandPath()))
		}
		return run(cmd.Context(), rest)
	}
	verbs := cmd.ValidArgs
	cmd.ValidArgs = nil // cobra would complete nothing else
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, toComplete string) (out []string, _ cobra.ShellCompDirective) {
		if len(args) > 0 || verbs == nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		for _, verb := range verbs {
			if strings.HasPrefix(verb, toComplete) {
				out = append(out, verb)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}
