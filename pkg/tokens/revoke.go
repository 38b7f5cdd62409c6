package tokens

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// revokeRetry is when housekeeping goes on with a revocation that was not
// finished.
const revokeRetry = 5 * time.Minute

// Revoke ends a connection for good: at Procore, and here. It waits for a
// refresh that is in flight, so that the newest pair is the one revoked. An
// error that matches ErrTryAgain leaves the connection in revoking; housekeeping
// or another call goes on with it. Revoking a revoked connection does nothing.
//
// https://developers.procore.com/documentation/oauth-endpoints
func (s *Store) Revoke(ctx context.Context, key Key, reason string) error {
	s.memory.forget(key)
	c, err := s.Connection(ctx, key)
	if err != nil {
		return err
	}
	c, err = s.apply(ctx, c, func(c Connection) (Connection, bool) {
		if c.State == Revoking || c.State == Revoked {
			return c, false
		}
		c.CheckAt = toSecond(s.Clock.Now().Add(revokeRetry))
		return c.enter(Revoking, c.attempt, reason, "", s.Clock.Now()), true
	})
	if err != nil {
		return later(key, "the connection could not be stored", err)
	}
	for b := s.backoff(); c.State == Revoking; {
		if c, err = s.revokeStep(ctx, c); err != nil {
			return err
		}
		if c.State == Revoking && b.wait(ctx) != nil {
			return later(key, "a refresh is still in flight", ctx.Err())
		}
		if c, err = s.Connection(ctx, key); err != nil {
			return err
		}
	}
	if c.State != Revoked {
		return later(key, "it was authorized again during the revocation", nil)
	}
	return nil
}

// revokeStep revokes the pair in the row and ends the connection, if no refresh
// is in flight.
func (s *Store) revokeStep(ctx context.Context, c Connection) (Connection, error) {
	if c.claimed() && !s.Clock.Now().After(c.claimUntil) {
		return c, nil
	}
	if c.pair.Ciphertext != nil {
		if err := s.revokePair(ctx, c); err != nil {
			return c, later(c.Key, "the pair could not be revoked at Procore", err)
		}
	}
	next := c
	next.pair, next.attempt, next.claimUntil, next.CheckAt = Sealed{}, "", time.Time{}, time.Time{}
	next = next.enter(Revoked, "", c.Reason, "", s.Clock.Now())
	next, err := s.swap(ctx, c, next)
	if changed, ok := errors.AsType[*changedError](err); ok {
		return changed.Current, nil
	}
	if err != nil {
		return c, later(c.Key, "the connection could not be stored", err)
	}
	return next, nil
}

func (s *Store) revokePair(ctx context.Context, c Connection) error {
	pair, err := s.unseal(ctx, c.pair, c.place())
	if errors.Is(err, errNotSealedHere) { // no later attempt will open it either
		s.log().WarnContext(ctx, "pair not revoked, it does not open", slog.Any("", c.Key))
		return nil
	}
	if err != nil {
		return err
	}
	return s.revokeToken(ctx, pair)
}
