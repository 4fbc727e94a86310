//go:build linux

// Command lab installs the releases that the end-to-end tests run, so that this can be
// done before they need them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sync/errgroup"

	"github.com/clawsonar/clawsonar/internal/test/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := install(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v\n", err)
		os.Exit(1)
	}
}

// install puts Node and each release of the standard matrices and the forks into
// .cache/lab.
func install(ctx context.Context) error {
	l, err := lab.Open(ctx, "")
	if err != nil {
		return err
	}
	type release struct{ pkg, version string }
	seen := map[release]bool{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for _, instance := range append(lab.Matrix(), lab.Forks()...) {
		r := release{instance.Gateway.Package, instance.Gateway.Version}
		if seen[r] {
			continue
		}
		seen[r] = true
		group.Go(func() error { return l.Install(ctx, r.pkg, r.version) })
	}
	return group.Wait()
}
