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
	cmd := &cobra.Command{
		Use:   "version",
		Short: "The version of clawsonar and of what it knows",
	}
	return flagless(s, "version", cmd, func(args []string) error {
		if err := noArgs("version", args); err != nil {
			return err
		}
		set, err := fingerprint.Load(fingerprints.FS)
		if err != nil {
			return fmt.Errorf("built-in fingerprints: %w", err)
		}
		advisories, err := builtinAdvisories()
		if err != nil {
			return err
		}
		d := dataInfo(set, advisories)
		_, err = fmt.Fprintf(s.out, "clawsonar %s%s, %s\n%d OpenClaw releases up to %s, as of %s\n%d advisories, as of %s\n",
			version, revision(), runtime.Version(), d.Releases, d.NewestRelease, d.ReleasesAsOf, d.Advisories, d.AdvisoriesAsOf)
		return err
	})
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

func noArgs(command string, args []string) error {
	if len(args) > 0 {
		return usage(fmt.Errorf("%s takes no argument: see \"clawsonar %s -help\"", command, command))
	}
	return nil
}
