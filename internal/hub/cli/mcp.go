package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/clawsonar/clawsonar/internal/audit"
	"github.com/clawsonar/clawsonar/internal/event"
	"github.com/clawsonar/clawsonar/internal/hub/mcp"
	"github.com/clawsonar/clawsonar/internal/version"
)

func newMCP(s streams) *cobra.Command {
	o := audit.Defaults()
	return command(&cobra.Command{
		Use:   "mcp -scope FILE [flags]",
		Short: "Let an agent look at gateways, within a scope",
		Long: `Serve the tools scan, explain and check_release to an agent over the Model Context
Protocol, on standard input and output: an MCP client starts this command. It opens no
port and writes no file.

The agent names targets, at most 16 at a time. What it may have contacted is fixed by
the flags here: only what -scope lists, and nothing that is globally reachable without
-authorized and -contact. See docs/agents.md.

It ends when standard input is closed, or with a signal.

Exit codes: 0 ended · 1 failed · 2 usage or input error.`,
	}, 0, func(f *flag.FlagSet) {
		scopeFlags(f, &o.Scope)
		f.BoolVar(&o.Authorized, "authorized", false, "I am authorised to probe what the scope allows; required for globally reachable addresses")
		f.StringVar(&o.Contact, "contact", "", "`MAIL|URL` for questions about the scans, which targets are told; required for globally reachable addresses")
		f.StringVar(&o.Resolver, "resolver", "", "ask the DNS server at `ADDRESS`")
	}, func(ctx context.Context, _ []string) error {
		if err := errors.Join(checkScope(&o.Scope), checkNetwork(&o.Network)); err != nil {
			return usage(err)
		}
		if o.Contact != "" {
			if err := audit.CheckContact(o.Contact); err != nil {
				return usage(fmt.Errorf("-contact: %w", err))
			}
		}
		tool := event.Tool{Name: hubName, Version: version.String()}
		known, err := openData()
		if err != nil {
			return err
		}
		server, err := mcp.New(ctx, o, audit.Naming{Prefix: "-"}, tool, known, func(text string) { s.say("%s", text) })
		if err != nil {
			return usage(err)
		}
		err = server.Serve(ctx, os.Stdin, leftOpen{s.out})
		if bad := (*mcp.BadInput)(nil); errors.As(err, &bad) {
			return usage(err)
		}
		return err
	})
}

// leftOpen is an output that others close.
type leftOpen struct{ io.Writer }

func (leftOpen) Close() error { return nil }
