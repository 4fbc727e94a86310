package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/explain"
	"github.com/clawsonar/clawsonar/internal/report"
)

func newExplain(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [ID]",
		Short: "Explain a finding, auth state, product or advisory, and the fix",
		ValidArgsFunction: func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			known, err := openData()
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var ids []string
			for _, x := range explain.Topics(known.Set, report.Texts{}) {
				if strings.HasPrefix(x.ID, toComplete) {
					ids = append(ids, x.ID+"\t"+x.Title)
				}
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
	}
	var o langOption
	f := newFlags("explain")
	f.group("Output")
	o.flag(f, "language")
	return f.attach(s, cmd, func(_ context.Context, args []string) error {
		if len(args) > 1 {
			return usage(errors.New("explain takes one id: see \"clawsonar explain\" for the list"))
		}
		known, err := openData()
		if err != nil {
			return err
		}
		t, err := o.texts()
		if err != nil {
			return err
		}
		if len(args) == 0 {
			list(s.out, explain.Topics(known.Set, t))
			return nil
		}
		err = explain.Write(s.out, known.Set, known.Advisories, args[0], t)
		if none := (*explain.Unknown)(nil); errors.As(err, &none) {
			return usage(fmt.Errorf("%w: see \"clawsonar explain\" for the list", err))
		}
		return err
	})
}

func list(w io.Writer, all []explain.Topic) {
	kind := ""
	for i, x := range all {
		if x.Kind != kind {
			if i > 0 {
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w, x.Kind)
			kind = x.Kind
		}
		fmt.Fprintf(w, "  %-26s %s\n", x.ID, x.About)
	}
}
