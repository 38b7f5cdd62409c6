package wire

import (
	"context"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/platform/config"
)

// Warm opens the connection to DynamoDB and takes the steps of a function's own,
// such as [Read], before the first event: in parallel, for they wait for AWS.
// Failures show later, where they matter.
func (b *Base) Warm(steps ...func(context.Context)) {
	ctx := context.Background()
	var all errgroup.Group
	all.Go(func() error {
		config.Warm(ctx, b.AWS, b.Env.Endpoint("DYNAMODB"), "dynamodb")
		return nil
	})
	for _, step := range steps {
		all.Go(func() error { step(ctx); return nil })
	}
	_ = all.Wait() // no step gives an error
}
