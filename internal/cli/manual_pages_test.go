package cli

import (
	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/test/manual"
)

// Manual returns the man pages of all commands, by file name such as
// "clawsonar-scan.1". They are made from what -help shows.
func Manual() map[string]string {
	s := streams{sets: map[*cobra.Command]*flags{}}
	return manual.Pages(newRoot(s), func(cmd *cobra.Command) (out []manual.Group) {
		f := s.sets[cmd]
		if f == nil {
			return nil
		}
		for _, g := range f.groups {
			group := manual.Group{Title: g.title}
			for _, o := range g.flags {
				group.Flags = append(group.Flags, manual.Flag{Synopsis: o.synopsis(), Meaning: o.meaning()})
			}
			out = append(out, group)
		}
		return out
	})
}
