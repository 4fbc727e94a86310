package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/fingerprints"
	"github.com/clawsonar/clawsonar/internal/fingerprint"
)

func newFingerprints(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fingerprints",
		Short: "What clawsonar knows; check a fingerprint of your own",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use: "list", Short: "List the built-in fingerprints", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			set, err := fingerprint.Load(fingerprints.FS)
			if err != nil {
				return fmt.Errorf("built-in fingerprints: %w", err)
			}
			for _, p := range set.Products() {
				fmt.Fprintf(s.out, "%-16s %-24s ports %s\n", p.ID, p.Name, strings.Trim(fmt.Sprint(p.Ports), "[]"))
			}
			return nil
		},
	})
	return cmd
}

func newDemo(s streams) *cobra.Command { return &cobra.Command{Use: "demo"} }
