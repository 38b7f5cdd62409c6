package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/pkg/procore"
)

// Revoke ends a grant that has no holder, at Procore and here. It waits for a refresh
// that is in flight, so that the newest pair is the one revoked. ErrHeld means that the
// grant has a holder, perhaps a new one, and remains as it is. After ErrTryAgain call it
// again: [Upkeep.Unheld] finds the grant. Revoking a revoked grant does nothing.
//
// https://developers.procore.com/documentation/oauth-endpoints
func (s *Store) Revoke(ctx context.Context, p Principal, reason string) error {
	s.memory.forget(p)
	g, err := s.Grant(ctx, p)
	if err != nil {
		return err
	}
	since := g.UnheldAt
	for b := s.backoff(); ; {
		switch {
		case g.State == Revoked:
			return nil
		case !g.UnheldAt.Equal(since) && len(g.Holders) == 0:
			return later(p, "it was authorized again during the revocation", nil)
		}
		if err = s.revoke(ctx, g, reason); !errors.Is(err, errNotYet) {
			return err
		}
		if b.wait(ctx) != nil {
			return later(p, "a refresh is in flight, or the grant keeps changing", err)
		}
		if g, err = s.Grant(ctx, p); err != nil {
			return err
		}
	}
}

// revoke ends a grant as it was read, or has it read again.
func (s *Store) revoke(ctx context.Context, g Grant, reason string) error {
	now := s.Clock.Now()
	switch {
	case len(g.Holders) > 0:
		return &Error{Principal: g.Principal, Decision: ErrHeld}
	case g.busy(now):
		return errNotYet
	}
	pair, keys, err := s.open(ctx, g)
	switch {
	case errors.Is(err, errNotSealedHere) || errors.Is(err, errOtherClient):
		s.log().WarnContext(ctx, "grant ended, its pair cannot be revoked", attr(g.Principal), slog.Any("error", err))
		return s.end(ctx, g, reason)
	case err != nil:
		return err
	case g.State == Active && !now.Before(pair.Expiry) && !pair.RefreshToken.IsZero():
		// A server like Doorkeeper ignores the revocation of a pair that has expired.
		return s.renewed(ctx, g.Principal)
	}
	claimed, err := s.claimRevocation(ctx, g, pair, keys)
	if err != nil {
		return err
	}
	if err := s.Discard(ctx, pair); err != nil {
		s.giveUp(ctx, claimed)
		return later(g.Principal, "the pair could not be revoked at Procore", err)
	}
	return s.end(ctx, claimed, reason)
}

// renewed refreshes a grant that is to be revoked, and has it read again.
func (s *Store) renewed(ctx context.Context, p Principal) error {
	_, err := s.flights.do(ctx, p, func(ctx context.Context) (Access, error) { return s.renew(ctx, p, demand{}) })
	if err != nil && !errors.Is(err, ErrReauthorize) && !errors.Is(err, ErrRevoked) {
		return err
	}
	return errNotYet
}

// claimRevocation takes the claim for a revocation: from now on no refresh sends the
// pair's refresh token, and no holder comes in between.
func (s *Store) claimRevocation(ctx context.Context, g Grant, pair procore.Token, keys *Keys) (Grant, error) {
	next := g
	next.attempt, next.claimUntil = revocation+s.Random.Text(), s.Clock.Now().Add(maxWork+skew)
	return s.join(ctx, g, next, s.ledger(g.Principal, keys, pair.RefreshToken).enter(next.attempt, s.Clock.Now()))
}

// giveUp ends the claim of a revocation that failed. The refresh token stays in the
// ledger: whether Procore has revoked it is not known.
func (s *Store) giveUp(ctx context.Context, claimed Grant) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	next := claimed
	next.attempt, next.claimUntil = "", time.Time{}
	if _, err := s.swap(ctx, claimed, next); err != nil {
		s.log().WarnContext(ctx, "claim not released", attr(claimed.Principal), slog.Any("error", err))
	}
}

// end makes the grant revoked, unless it was changed since it was read.
func (s *Store) end(ctx context.Context, g Grant, reason string) error {
	next := g
	next.pair, next.fingerprint, next.attempt, next.claimUntil = Sealed{}, "", "", time.Time{}
	_, err := s.join(ctx, g, next.enter(Revoked, "", reason, "", s.Clock.Now()), nil)
	return err
}

// Discard revokes a pair that belongs to no grant. It may be repeated after any error.
func (s *Store) Discard(ctx context.Context, pair procore.Token) error {
	oauth, err := s.OAuth.Get(ctx)
	if err != nil {
		return fmt.Errorf("tokens: the app's credentials could not be read: %w", err)
	}
	return oauth.Revoke(ctx, pair)
}
