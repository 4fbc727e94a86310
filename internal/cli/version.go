package cli

import (
	"context"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/clean"
	"github.com/clawsonar/clawsonar/internal/version"
)

func newVersion(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of clawsonar and of its data",
	}
	var o langOption
	f := newFlags("version")
	f.noArgs = true
	f.group("Output")
	o.flag(f, "language")
	return f.attach(s, cmd, func(_ context.Context, args []string) error {
		known, err := openData()
		if err != nil {
			return err
		}
		advisories, err := known.Advisories()
		if err != nil {
			return err
		}
		t, err := o.texts()
		if err != nil {
			return err
		}
		d := known.About(advisories)
		from := t.Say("built-in data %s", d.Version)
		if d.File != "" {
			from = t.Say("data %s of %s, signed by the key %s", d.Version, clean.Text(d.File), d.Key)
		}
		_, err = fmt.Fprintf(s.out, "clawsonar %s, %s\n%s\n%s\n%s\n", version.String(), runtime.Version(), from,
			t.Say("%d OpenClaw releases up to %s, as of %s", d.Releases, d.NewestRelease, d.ReleasesAsOf),
			t.Say("%d advisories, as of %s", d.Advisories, d.AdvisoriesAsOf))
		return err
	})
}
