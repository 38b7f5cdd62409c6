package keys

import (
	"context"
	"errors"

	"procore-connect/pkg/procore"
)

// A Source supplies a secret that may change while the process runs: the
// key ring, or the app's credentials. Goroutines may share it.
type Source[T any] interface {
	// Get returns the secret. It is called before each use and is expected to
	// keep the value for a while.
	Get(ctx context.Context) (T, error)
	// Reread returns a newer value if there is one, because that of Get did not
	// work. It may return the same value when it was read a moment ago.
	Reread(ctx context.Context) (T, error)
}

// Use calls use with the secret, and once more with the secret read again
// if the error of use means that the secret may have changed: [ErrUnknown],
// or the invalid_client of a [procore.TokenError]. So use must spend nothing.
func Use[T, R any](ctx context.Context, source Source[T], use func(T) (R, error)) (R, error) {
	result, err := usedOnce(ctx, source.Get, use)
	if outdated(err) {
		return usedOnce(ctx, source.Reread, use)
	}
	return result, err
}

func usedOnce[T, R any](ctx context.Context, read func(context.Context) (T, error), use func(T) (R, error)) (R, error) {
	secret, err := read(ctx)
	if err != nil {
		var none R
		return none, err
	}
	return use(secret)
}

// outdated reports whether a newer secret may help against the error.
func outdated(err error) bool {
	e, ok := errors.AsType[*procore.TokenError](err)
	return errors.Is(err, ErrUnknown) || ok && e.InvalidClient()
}
