package tokens

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// Revoke ends a grant that has no holder, at Procore and here. It waits for a refresh
// that is in flight, so that the newest pair is the one revoked. ErrHeld means that the
// grant has a holder, perhaps a new one, and remains as it is. After ErrTryAgain call it
// again: [Upkeep.Unheld] finds the grant. Revoking a revoked grant does nothing.
//
// https://developers.procore.com/documentation/oauth-endpoints
func (s *Store) Revoke(ctx context.Context, p Principal, reason string) error {
	return s.revokeUnheld(ctx, p, reason, 0)
}

// revokeUnheld revokes a grant that had no holder for so long.
func (s *Store) revokeUnheld(ctx context.Context, p Principal, reason string, unheldFor time.Duration) error {
	defer s.memory.forget(p)
	var first *Grant
	return s.repeat(ctx, p, "a refresh is in flight, or the grant keeps changing", func() (again bool, err error) {
		g, err := s.settled(ctx, p)
		if err != nil {
			return false, err
		}
		first = cmp.Or(first, &g)
		switch {
		case g.State == Revoked:
			return false, nil
		case unheldFor > 0 && s.Clock.Now().Before(g.UnheldAt.Add(unheldFor)):
			return false, &Error{Principal: p, Decision: ErrHeld, Reason: "it was authorized again"}
		case !g.UnheldAt.Equal(first.UnheldAt) && len(g.Holders) == 0:
			return false, later(p, "it was authorized again during the revocation", nil)
		}
		return s.revoke(ctx, g, reason)
	})
}

// otherFor is how long the pair of another client id is kept after its last holder: the app's secret may have been changed
// by mistake, and only the right one can revoke the pair.
const otherFor = 24 * time.Hour

// revoke ends a grant as it was read, or has it read again.
func (s *Store) revoke(ctx context.Context, g Grant, reason string) (again bool, err error) {
	now := s.Clock.Now()
	switch {
	case len(g.Holders) > 0:
		return false, &Error{Principal: g.Principal, Decision: ErrHeld}
	case g.busy(now):
		return true, nil
	}
	pair, ring, err := s.open(ctx, g)
	switch {
	case errors.Is(err, keys.ErrNotSealedHere) || errors.Is(err, errOtherClient) && !now.Before(g.UnheldAt.Add(otherFor)):
		s.log().WarnContext(ctx, "grant ended, its pair cannot be revoked", attr(g.Principal), slog.Any("error", err))
		return s.end(ctx, g, reason)
	case err != nil:
		return false, err
	case g.Usable() && !now.Before(pair.Expiry) && !pair.RefreshToken.IsZero():
		// A server like Doorkeeper ignores the revocation of a pair that has expired.
		return s.renewed(ctx, g.Principal)
	}
	claimed, again, err := s.claimRevocation(ctx, g, pair, ring)
	if again || err != nil {
		return again, err
	}
	if err := s.Discard(ctx, pair); err != nil {
		s.endRevocation(ctx, claimed)
		return false, later(g.Principal, "the pair could not be revoked at Procore", err)
	}
	return s.end(ctx, claimed, reason)
}

// renewed refreshes a grant that is to be revoked, and has it read again.
func (s *Store) renewed(ctx context.Context, p Principal) (again bool, err error) {
	_, err = s.flights.do(ctx, s.Clock, p, func(ctx context.Context) (Access, error) { return s.renew(ctx, p, demand{}) })
	if err != nil && !errors.Is(err, ErrReauthorize) && !errors.Is(err, ErrRevoked) {
		return false, err
	}
	return true, nil
}

// claimRevocation takes the claim for a revocation: from now on no refresh sends the
// pair's refresh token, and no holder comes in between.
func (s *Store) claimRevocation(ctx context.Context, g Grant, pair procore.Token, ring *keys.Ring) (claimed Grant, again bool, err error) {
	next := g
	next.attempt, next.claimUntil = revocation+s.Random.Text(), s.Clock.Now().Add(maxWork+skew)
	return s.join(ctx, g, next, s.ledger(g.Principal, ring, pair.RefreshToken).enter(next.attempt, s.Clock.Now()))
}

// endRevocation ends the claim of a revocation that failed. Whether Procore has revoked
// the pair is not known, and no refresh sends its refresh token: the grant is uncertain.
func (s *Store) endRevocation(ctx context.Context, claimed Grant) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	_, err := s.apply(ctx, claimed, func(g Grant) (Grant, bool) {
		if g.attempt != claimed.attempt || !g.claimed() {
			return g, false
		}
		if g.State == Active {
			return g.doubt(g.attempt, notRevoked, "", s.Clock.Now()), true
		}
		g.claimUntil = time.Time{}
		return g, true
	})
	if err != nil {
		s.log().WarnContext(ctx, "claim not released", attr(claimed.Principal), slog.Any("error", err))
	}
}

// notRevoked is why a grant is uncertain whose revocation failed.
const notRevoked = "whether Procore has revoked it is not known"

// end makes the grant revoked, unless it has another pair, claim or a holder since it was
// read. Another change, as of its last use, does not matter.
func (s *Store) end(ctx context.Context, was Grant, reason string) (again bool, err error) {
	g, err := s.apply(ctx, was, func(g Grant) (Grant, bool) {
		if g.State == Revoked || g.Generation != was.Generation || g.attempt != was.attempt || len(g.Holders) > 0 {
			return g, false
		}
		g.pair, g.fingerprint, g.attempt, g.claimUntil = keys.Sealed{}, "", "", time.Time{}
		return g.enter(Revoked, "", reason, "", s.Clock.Now()), true
	})
	if err != nil {
		return false, later(was.Principal, "the grant could not be stored", err)
	}
	return g.State != Revoked, nil
}

// Discard revokes a pair that belongs to no grant. It may be repeated after any error.
func (s *Store) Discard(ctx context.Context, pair procore.Token) error {
	_, err := keys.Use(ctx, s.OAuth, func(oauth *procore.OAuth) (struct{}, error) {
		if err := s.ours(oauth); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, oauth.Revoke(ctx, pair)
	})
	if _, answered := errors.AsType[*procore.TokenError](err); err != nil && !answered {
		return fmt.Errorf("tokens: the app's credentials cannot be used: %w", err)
	}
	return err
}
