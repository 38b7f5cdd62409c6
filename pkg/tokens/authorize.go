package tokens

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// Authorization is a pair that a user just granted.
type Authorization struct {
	Principal   Principal // as Procore's /me answered to this very pair
	Pair        procore.Token
	RedirectURI string // the one used at the authorization; refreshes repeat it
}

// granted is the reason of the transition that a new authorization makes.
const granted = "authorized"

// Authorize stores an authorization in the user's grant, in one transaction with also,
// and returns the grant. Procore may have kept the user's earlier pair, ended it, or
// issued the same one again. In each case the grant has one pair that works:
//
//   - The grant's own pair again changes nothing.
//   - A pair whose refresh token is being spent waits for its successor.
//   - A pair that Procore issued before the grant's is dropped, if that one works.
//   - Any other pair replaces the grant's, whatever an older refresh brings later.
//
// A pair that is replaced or dropped is not revoked: Procore might end its successor
// with it. ErrUsed means that an item of also refused the transaction, and ErrStale that
// the refresh token was sent before: [Store.Discard] the pair, and have the user
// authorize once more. After ErrTryAgain call it again with the same pair.
func (s *Store) Authorize(ctx context.Context, a Authorization, also ...types.TransactWriteItem) (g Grant, err error) {
	n := newPair{Authorization: a}
	if n.client, err = s.client(ctx, a.Principal); err != nil {
		return Grant{}, err
	}
	if n.ring, err = s.Keys.Get(ctx); err != nil {
		return Grant{}, later(a.Principal, "the key ring could not be read", err)
	}
	n.ledger = s.ledger(a.Principal, n.ring, a.Pair.RefreshToken)
	err = s.repeat(ctx, a.Principal, "another process is refreshing or revoking it", func() (again bool, err error) {
		g, again, err = s.authorize(ctx, n, also)
		return again, err
	})
	return g, err
}

// newPair is an authorization, and what is needed to store it.
type newPair struct {
	Authorization
	ring   *keys.Ring
	client string
	ledger ledger
}

// is reports whether the grant has this pair.
func (n newPair) is(g Grant) bool {
	return g.fingerprint != "" && slices.Contains(n.ledger.fingerprints, g.fingerprint) && g.client == n.client
}

// authorize stores the authorization, unless the grant has to be read again.
func (s *Store) authorize(ctx context.Context, n newPair, also []types.TransactWriteItem) (g Grant, again bool, err error) {
	now := s.Clock.Now()
	old, err := s.settled(ctx, n.Principal)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Grant{}, false, err
	}
	old.Principal = n.Principal
	if old.revoking(now) || old.busy(now) && n.is(old) {
		return Grant{}, true, nil
	}
	next := old.touched(now)
	keeps, err := s.keeps(ctx, old, n)
	if err == nil && !keeps {
		next, err = s.authorized(old, n)
	}
	if err != nil {
		return Grant{}, false, err
	}
	g, again, err = s.join(ctx, old, next, slices.Concat(also, n.ledger.absent()))
	if reasons, _ := dynamo.Refused(err); errors.Is(err, ErrUsed) && !reasons.AnyFailed(1, len(also)) {
		return s.spentBefore(ctx, n, also)
	}
	s.memory.forget(n.Principal)
	return g, again, err
}

// join makes one step of a grant in a transaction with others' items. ErrUsed wraps the
// refusal of one of them. again asks to read the row again.
func (s *Store) join(ctx context.Context, old, next Grant, also []types.TransactWriteItem) (g Grant, again bool, err error) {
	stored, o, err := s.swap(ctx, old, next, also...)
	if o == conflicted || o == unanswered { // it may have been made all the same
		if g, e := s.Grant(ctx, next.Principal); e == nil && g.write == stored.write {
			o = wrote
		}
	}
	if o == wrote {
		return stored, false, nil
	}
	again, err = notJoined(next.Principal, o, err)
	return Grant{}, again, err
}

// notJoined returns the caller's error for a transaction that was not made.
func notJoined(p Principal, o outcome, err error) (again bool, _ error) {
	switch o {
	case changed, conflicted:
		return true, err
	case refusedItem:
		return false, fmt.Errorf("%w: %w", ErrUsed, err)
	}
	return false, later(p, "the grant could not be stored", err)
}

// keeps reports whether the grant's own pair stays: it is the same one, or Procore issued
// it later, as to another browser of the user, and still accepts it.
func (s *Store) keeps(ctx context.Context, g Grant, n newPair) (bool, error) {
	known := !g.IssuedAt.IsZero() && !n.Pair.IssuedAt.IsZero() && !g.IssuedAt.Equal(n.Pair.IssuedAt)
	switch {
	case n.is(g):
		return g.State == Active, nil
	case !g.Usable() || g.client != n.client || g.pair.Ciphertext == nil:
		return false, nil
	case g.fingerprint == "" && !n.Pair.RefreshToken.IsZero(): // the grant's has no successor
		return false, nil
	case g.State != Active || !known:
		// Both tokens are tried, which spends nothing. The new one comes first, because it
		// stays if both are good.
		newer, err := s.accepts(ctx, n.Principal, n.Pair.AccessToken)
		if err != nil || newer {
			return false, err
		}
	case n.Pair.IssuedAt.After(g.IssuedAt):
		return false, nil
	}
	// Procore's servers may not agree on the time, and a later pair may have been revoked.
	// An access token that has expired cannot show it.
	if g.State == Active && known && !s.Clock.Now().Before(g.Expiry) {
		return true, nil
	}
	current, _, err := s.open(ctx, g)
	switch {
	case errors.Is(err, keys.ErrNotSealedHere): // nothing to keep
		return false, nil
	case err != nil:
		return false, err
	}
	return s.accepts(ctx, n.Principal, current.AccessToken)
}

// spentBefore deals with a pair whose refresh token is in the ledger, as when Procore
// issues the grant's own pair again while it is refreshed. Its successor, or a later
// authorization, is as good.
func (s *Store) spentBefore(ctx context.Context, n newPair, also []types.TransactWriteItem) (g Grant, again bool, err error) {
	g, err = s.Grant(ctx, n.Principal)
	switch now := s.Clock.Now(); {
	case err != nil && !errors.Is(err, ErrNotFound):
		return Grant{}, false, err
	case g.busy(now):
		return Grant{}, true, nil
	case g.State == Active && !n.is(g) && g.client == n.client:
		return s.join(ctx, g, g.touched(now), also)
	}
	// A process that did not send it after all must not take it out of the ledger: another
	// authorization would store the pair, and the caller's Discard end it.
	if err := dynamo.Transact(ctx, s.DB, n.ledger.keep("discard-"+s.Random.Text(), s.Clock.Now())...); err != nil {
		return Grant{}, false, later(n.Principal, "the ledger could not be written", err)
	}
	return Grant{}, false, &Error{Principal: n.Principal, Decision: ErrStale}
}

// touched is the row after an authorization that changed nothing.
func (g Grant) touched(now time.Time) Grant {
	g.LastUsed = now
	return g.held(g.Holders, now)
}

// authorized is the row after a new authorization: a claim that was open on the old
// generation is fenced off.
func (s *Store) authorized(g Grant, n newPair) (Grant, error) {
	now := s.Clock.Now()
	g.Generation++
	g.client = n.client
	var err error
	if g.pair, err = n.ring.Seal(n.Pair, s.place(g, g.Generation)); err != nil {
		return g, later(n.Principal, "the pair could not be sealed", err)
	}
	g.fingerprint = n.ring.Fingerprint(n.Pair.RefreshToken)
	g.Expiry, g.IssuedAt, g.RefreshedAt, g.LastUsed = n.Pair.Expiry, n.Pair.IssuedAt, now, now
	g.RedirectURI = n.RedirectURI
	g.attempt, g.claimUntil, g.lastAttempt = "", time.Time{}, ""
	return g.held(g.Holders, now).enter(Active, "", granted, "", now), nil
}
