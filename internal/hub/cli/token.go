package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/hub/access"
	"github.com/clawsonar/clawsonar/internal/hub/store"
)

func newToken(s streams) *cobra.Command {
	var file, role string
	open := func(ctx context.Context) (*store.Store, error) {
		c, err := loadNamed(file)
		if err != nil {
			return nil, err
		}
		return store.Open(ctx, c.Store)
	}
	return command(&cobra.Command{
		Use:       "token new NAME [-role ROLE] | token list | token revoke NAME",
		ValidArgs: []string{"new", "list", "revoke"},
		Short:     "Make, list and revoke tokens for people and programs",
		Long: `Make a token, which is printed once and of which the database keeps a digest;
list the tokens, or revoke one. A token is given as "Authorization: Bearer TOKEN", or
on the login page. With the first one the hub asks everybody for a login.`,
	}, 2, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", "", "read this `FILE` instead of watch.yaml")
		f.StringVar(&role, "role", access.View.String(), "what it is for: `ROLE` is view, or work, which may also write notes")
	}, func(ctx context.Context, args []string) error {
		if len(args) == 0 || (args[0] == "list") != (len(args) == 1) {
			return usage(errors.New("use token new NAME, token list or token revoke NAME"))
		}
		db, err := open(ctx)
		if err != nil {
			return err
		}
		defer db.Close()
		switch args[0] {
		case "new":
			r, err := access.ParseRole(role)
			if err != nil {
				return usage(fmt.Errorf("-role: %w", err))
			}
			text, err := access.NewToken(ctx, db, args[1], r, time.Now())
			if err != nil {
				return usage(err)
			}
			_, err = fmt.Fprintln(s.out, text)
			return err
		case "revoke":
			return usage(access.RevokeToken(ctx, db, args[1], time.Now()))
		case "list":
			return list(ctx, s, db)
		}
		return usage(fmt.Errorf("%.40q is not one of new, list and revoke", args[0]))
	})
}

func list(ctx context.Context, s streams, db *store.Store) error {
	tokens, err := db.Tokens(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tMADE\tLAST USED")
	for _, t := range tokens {
		used := "never"
		if !t.Used.IsZero() {
			used = t.Used.Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Name, t.Role, t.Made.Format(time.DateOnly), used)
	}
	return w.Flush()
}
