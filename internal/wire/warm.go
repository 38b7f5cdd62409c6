package wire

import (
	"context"

	"golang.org/x/sync/errgroup"

	"procore-connect/internal/platform/dynamo"
)

// Warm opens the connection to DynamoDB and runs the function's own steps, such as
// secret.Read, before the first event. They run in parallel, because they wait for AWS.
// A failure shows later, where it matters.
func (b *Base) Warm(steps ...func(context.Context)) {
	ctx := context.Background()
	var all errgroup.Group
	all.Go(func() error {
		dynamo.Warm(ctx, b.DB)
		return nil
	})
	for _, step := range steps {
		all.Go(func() error { step(ctx); return nil })
	}
	_ = all.Wait() // no step returns an error
}
