package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

func newVersion(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "The version of clawsonar and of what it knows",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			set, err := fingerprint.Load(fingerprints.FS)
			if err != nil {
				return fmt.Errorf("built-in fingerprints: %w", err)
			}
			d := dataInfo(set)
			fmt.Fprintf(s.out, "clawsonar %s%s, %s\n", version, revision(), runtime.Version())
			fmt.Fprintf(s.out, "%d OpenClaw releases up to %s, as of %s\n", d.Releases, d.NewestRelease, d.ReleasesAsOf)
			return nil
		},
	}
}

// revision returns the commit the program was built from, if it is known.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return " (" + s.Value[:12] + ")"
		}
	}
	return ""
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Errorf("%s takes no argument, but got %q", cmd.Name(), args[0]))
	}
	return nil
}
