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
		Short: "Print the version of clawsonar and of its data",
	}
	var o langOption
	f := newFlags("version")
	f.group("Output")
	o.flag(f, "language")
	f.attach(s, cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		rest, done, err := arguments(cmd, f, args, nil)
		if done || err != nil {
			return err
		}
		if err := noArgs("version", rest); err != nil {
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
		t, err := o.texts()
		if err != nil {
			return err
		}
		d := dataInfo(set, advisories)
		_, err = fmt.Fprintf(s.out, "clawsonar %s%s, %s\n%s\n%s\n", version, revision(), runtime.Version(),
			t.Say("%d OpenClaw releases up to %s, as of %s", d.Releases, d.NewestRelease, d.ReleasesAsOf),
			t.Say("%d advisories, as of %s", d.Advisories, d.AdvisoriesAsOf))
		return err
	}
	return cmd
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
