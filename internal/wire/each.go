package wire

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Each looks up all addresses of names, some at a time. It hands out one answer
// at a time, with the index of its name; the first error of found ends it.
func (r *Resolver) Each(ctx context.Context, names []string, found func(i int, a Answer) error) error {
	const atOnce = 50
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	var mu sync.Mutex
	for i, name := range names {
		group.Go(func() error {
			a := r.All(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			return found(i, a)
		})
	}
	return group.Wait()
}
