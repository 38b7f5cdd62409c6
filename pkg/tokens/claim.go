package tokens

import (
	"context"
	"errors"
	"time"
)

const (
	// maxWork bounds one refresh from claim to store.
	maxWork = 20 * time.Second
	// skew is how far the clocks of two processes may differ.
	skew = 5 * time.Second
	// minWork is the least time in which a refresh is begun.
	minWork = 6 * time.Second
	// answerTime is the least time for Procore's answer: with less of it left the
	// request is not begun.
	answerTime = 2 * time.Second
	// storeTime of the work is kept for the store.
	storeTime = 2 * time.Second
)

// claimResult is what came of an attempt to claim a grant.
type claimResult int

const (
	claimTaken   claimResult = iota
	claimLost                // another process was faster
	claimStray               // it holds no longer, or may still arrive: release it
	claimUnread              // whether storage has it is not known: release it
	claimRefused             // storage refuses it for good
	tokenSpent               // the ledger has the token: it is never sent
)

// claim takes the right to spend g's refresh token: in one transaction the row gets the
// attempt, and the token goes into the ledger, where it must not be yet. Only a confirmed
// claim is taken. The error is the cause of any other result.
func (s *Store) claim(ctx context.Context, g Grant, l ledger, until time.Time) (Grant, claimResult, error) {
	next := g
	next.attempt = s.Random.Text()
	next.claimUntil = until
	stored, o, err := s.swap(ctx, g, next, l.spend(next.attempt, s.Clock.Now())...)
	switch {
	case o == wrote:
		return stored, claimTaken, nil
	case o == refusedItem:
		return g, tokenSpent, err
	case o == refused:
		return g, claimRefused, err
	case o == changed && stored.attempt != next.attempt:
		return g, claimLost, err
	}
	now, result, err := s.confirm(ctx, next, err)
	if result == claimLost && o == unanswered && now.Rev == g.Rev {
		return next, claimStray, err // it may still arrive
	}
	return now, result, err
}

// confirm reads a claim back whose answer was lost, because of cause.
func (s *Store) confirm(ctx context.Context, wanted Grant, cause error) (Grant, claimResult, error) {
	for b := s.backoff(); ; {
		g, err := s.Grant(ctx, wanted.Principal)
		switch {
		case err == nil && g.attempt == wanted.attempt && g.Generation == wanted.Generation && g.State == wanted.State && g.claimed():
			return g, claimTaken, nil
		case err == nil && g.attempt == wanted.attempt: // a reader whose clock is ahead ended it
			return wanted, claimStray, cause
		case err == nil, errors.Is(err, ErrNotFound): // none before the app's first claim
			return g, claimLost, cause
		case b.wait(ctx) != nil:
			return wanted, claimUnread, err
		}
	}
}

// release ends a claim whose token was not sent, and takes the token out of the ledger.
// The new revision fences a claim of this attempt that is still under way. If another one
// took the row over, or entered the token too, it stays in the ledger: a revocation may
// rely on that.
func (s *Store) release(ctx context.Context, claimed Grant, l ledger) error {
	g := claimed
	for b := s.backoff(); ; {
		if g.attempt != claimed.attempt || g.Generation != claimed.Generation {
			return nil
		}
		stored, o, err := s.swap(ctx, g, g.released(s.Clock.Now()), l.unspend(claimed.attempt)...)
		if o == refusedItem { // the claim did not take place, or the doubt remains
			stored, o, err = s.swap(ctx, g, g.unclaimed())
		}
		switch {
		case o == wrote:
			return nil
		case o == changed:
			g = stored
		case b.wait(ctx) != nil:
			return err
		}
	}
}

// unclaimed is the row without a claim.
func (g Grant) unclaimed() Grant {
	g.attempt, g.claimUntil = "", time.Time{}
	return g
}

// released is the row as before the claim.
func (g Grant) released(now time.Time) Grant {
	attempt := g.attempt
	g = g.unclaimed()
	if g.stateAttempt == attempt && (g.State == Uncertain || g.State == Reauthorize) {
		g = g.enter(Active, attempt, "not sent after all", "", now)
	}
	return g
}

// settled reads a grant, and ends a claim that has expired.
func (s *Store) settled(ctx context.Context, p Principal) (Grant, error) {
	g, err := s.Grant(ctx, p)
	if err != nil {
		return g, err
	}
	return s.endClaim(ctx, g)
}

// endClaim ends a claim that has expired: its process died or hangs. The
// grant becomes uncertain. Generation and attempt stay, so a late store still
// lands. A service account has spent nothing and is as before.
func (s *Store) endClaim(ctx context.Context, g Grant) (Grant, error) {
	g, err := s.apply(ctx, g, func(g Grant) (Grant, bool) {
		if !g.claimed() || !s.Clock.Now().After(g.claimUntil) {
			return g, false
		}
		if g.Principal == App || !g.Usable() {
			g.claimUntil = time.Time{}
			return g, true
		}
		work := map[bool]string{false: "refreshed", true: "revoked"}[g.revokes()]
		return g.doubt(g.attempt, "the process that "+work+" it ended without an answer", "", s.Clock.Now()), true
	})
	if err != nil {
		return g, later(g.Principal, "a claim that has expired could not be ended", err)
	}
	return g, nil
}

// doubt ends the claim without an answer.
func (g Grant) doubt(attempt, reason, requestID string, now time.Time) Grant {
	g.claimUntil = time.Time{}
	return g.enter(Uncertain, attempt, reason, requestID, now)
}
