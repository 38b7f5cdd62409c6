package tokens

import (
	"context"
	"time"
)

// deadlineReserve of an invocation's time is left for its own answer.
const deadlineReserve = 500 * time.Millisecond

type invocationEnd struct{}

// Wrap makes a Lambda handler safe for refreshes: a refresh may use the whole
// invocation, whatever shorter contexts its callers have, and the handler
// returns only when the refreshes it began have ended. A sandbox is frozen
// after the handler returns, and a frozen refresh would lose its pair.
func Wrap[In, Out any](s *Store, handler func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		if end, ok := ctx.Deadline(); ok {
			ctx = context.WithValue(ctx, invocationEnd{}, end.Add(-deadlineReserve))
		}
		defer s.flights.wait()
		return handler(ctx, in)
	}
}

// bounded returns the context of work that outlives its caller, with the time by
// which it has to end.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Value(invocationEnd{}).(time.Time); ok {
		return context.WithDeadline(ctx, end)
	}
	return context.WithTimeout(ctx, maxWork+skew)
}
