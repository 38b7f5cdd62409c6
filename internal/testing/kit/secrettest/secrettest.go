// Package secrettest is for tests of what holds secrets: sources that need no
// Secrets Manager, and a check that a value prints no secret.
package secrettest

import "context"

// Func is a keys.Source made of a function. The function learns by
// reread which of the two methods was called.
type Func[T any] func(ctx context.Context, reread bool) (T, error)

// Get calls the function.
func (f Func[T]) Get(ctx context.Context) (T, error) { return f(ctx, false) }

// Reread calls the function.
func (f Func[T]) Reread(ctx context.Context) (T, error) { return f(ctx, true) }

// Constant returns a source whose value never changes.
func Constant[T any](value T) Func[T] {
	return func(context.Context, bool) (T, error) { return value, nil }
}
