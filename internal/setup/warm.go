package setup

import (
	"context"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/config"
)

// Warm opens the connections to AWS and reads the secrets before the first
// event, in parallel. Failures show later, where they matter.
func (b *Base) Warm(read ...func(context.Context)) {
	ctx := context.Background()
	var all errgroup.Group
	all.Go(func() error {
		config.Warm(ctx, b.AWS, b.Env.Endpoint("DYNAMODB"), "dynamodb")
		return nil
	})
	for _, r := range read {
		all.Go(func() error { r(ctx); return nil })
	}
	_ = all.Wait() // no step gives an error
}
