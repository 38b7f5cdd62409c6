// Package secrets reads values from AWS Secrets Manager and caches them for five
// minutes.
//
// The next caller waits until an older value was read again. Where callers must not
// wait, MaxStale lets them have the old value, and one read begins when the first of them
// is done, as stale-while-revalidate does for HTTP (RFC 5861).
package secrets

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"procore-connect/pkg/procore"
)

// MaxAge is the age from which a value is read again.
const MaxAge = 5 * time.Minute

const (
	rereadEvery = time.Minute // at most, when a value did not work
	timeout     = 3 * time.Second
)

// ErrNotFilledIn is the error of a secret that exists, but whose value the operator
// has not entered yet. Pages then show what is left to set up, and the refresher
// does nothing.
var ErrNotFilledIn = errors.New("the secret is not filled in yet")

// Secret is one secret, parsed to a T. It is a keys.Source. Client, ID and
// Parse must be set. Goroutines may share it.
type Secret[T any] struct {
	Client *secretsmanager.Client
	ID     string                  // name or ARN
	Parse  func(string) (T, error) // of the text without blanks around it; its errors must not hold the value
	Log    *slog.Logger            // nil: slog.Default
	Clock  procore.Clock

	// MaxStale is the age from which Get waits for a read. From MaxAge until then it
	// returns the old value, which is read again when the caller's context has ended.
	// 0: as MaxAge.
	MaxStale time.Duration

	mu      sync.Mutex    // guards busy alone
	busy    chan struct{} // closed when the caller that has what follows is done; nil: none has it
	value   func() T      // a function, so that package fmt cannot print it; nil: not known yet
	readAt  time.Time     // when the read of value began
	triedAt time.Time     // when a caller last waited for a read, or readAt if that is later

	beside   *reading[T] // nil: none
	besideAt time.Time   // when the last one began
}

// Get returns the value, read again when it is old. If that read fails, a warning is
// logged, and the value known before remains.
func (s *Secret[T]) Get(ctx context.Context) (T, error) { return s.get(ctx, false) }

// Reread returns the value read again, because the known one did not work. Within a
// minute of the last read it returns the known one. A read beside the callers counts
// only once it has succeeded.
func (s *Secret[T]) Reread(ctx context.Context) (T, error) { return s.get(ctx, true) }

func (s *Secret[T]) get(ctx context.Context, reread bool) (T, error) {
	if err := s.lock(ctx); err != nil {
		var none T
		return none, fmt.Errorf("secret %s: another caller reads it: %w", s.ID, err)
	}
	defer s.unlock()
	now := s.Clock.Now()
	s.collect(ctx, now)
	known := s.value != nil
	switch {
	case known && (within(rereadEvery, s.triedAt, now) || within(MaxAge, s.readAt, now) && !reread):
		return s.value(), nil
	case known && within(s.MaxStale, s.readAt, now) && !reread:
		s.readBeside(ctx, now)
		return s.value(), nil
	}
	s.abandon()
	s.triedAt = now
	value, err := s.read(ctx)
	if err != nil && known {
		s.warn(ctx, err, now)
		return s.value(), nil
	}
	if err == nil {
		s.value, s.readAt = func() T { return value }, now
	}
	return value, err
}

// lock waits until no other caller reads, no longer than the caller's own time.
func (s *Secret[T]) lock(ctx context.Context) error {
	for {
		s.mu.Lock()
		busy := s.busy
		if busy == nil {
			s.busy = make(chan struct{})
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		select {
		case <-busy:
			s.Clock.Woken(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Secret[T]) unlock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.busy)
	s.busy = nil
}

func (s *Secret[T]) read(ctx context.Context) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var none T
	out, err := s.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.ID})
	if err != nil {
		return none, fmt.Errorf("secret %s cannot be read: %w", s.ID, err)
	}
	value, err := s.Parse(Text(out))
	if err != nil {
		return none, fmt.Errorf("secret %s: %w", s.ID, err)
	}
	return value, nil
}

// warn logs that the known value remains in use, and how old it is. The error, which
// read or Parse made, does not hold the value.
func (s *Secret[T]) warn(ctx context.Context, err error, now time.Time) {
	log := s.Log
	if log == nil {
		log = slog.Default()
	}
	log.WarnContext(ctx, "secret not read again", slog.String("secret", s.ID), slog.Int64("known_for_s", int64(now.Sub(s.readAt).Seconds())),
		slog.Any("error", err))
}

// within reports whether now is less than d after t. If the clock was set back it is
// not, or else a value would be kept until the clock has caught up.
func within(d time.Duration, t, now time.Time) bool {
	age := now.Sub(t)
	return age >= 0 && age < d
}
