package tokens

import (
	"context"
	"errors"
	"fmt"
	"time"

	"procore-connect/internal/platform/dynamo"
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

var (
	errSpentBefore = errors.New("tokens: this refresh token was sent before")
	errNotClaimed  = errors.New("tokens: the claim is not confirmed")
	errNotReadBack = errors.New("tokens: the claim cannot be read back")
	errEnded       = errors.New("tokens: the connection was ended while it was claimed")
)

// claim takes the right to spend c's refresh token: in one transaction the row
// gets the attempt, and the token goes into the ledger, where it must not be
// yet. Only a confirmed claim is returned without error. errNotClaimed,
// errConflict and *changedError ask to read again; errSpentBefore is final for
// this token. With errNotReadBack and errEnded comes the claim that storage may
// have, or has: it is to be released.
func (s *Store) claim(ctx context.Context, c Connection, l ledger, until time.Time) (Connection, error) {
	next := c
	next.attempt = s.Random.Text()
	next.claimUntil = until
	claimed, err := s.swap(ctx, c, next, l.spend(next, s.Clock.Now())...)
	changed, isChanged := errors.AsType[*changedError](err)
	switch {
	case err == nil:
		return claimed, nil
	case errors.Is(err, errElsewhere):
		return c, errSpentBefore
	case errors.Is(err, errConflict), isChanged && changed.Current.attempt != next.attempt:
		return c, err
	}
	return s.confirm(ctx, next)
}

// confirm reads a claim back whose answer was lost.
func (s *Store) confirm(ctx context.Context, wanted Connection) (Connection, error) {
	for b := s.backoff(); ; {
		c, err := s.Connection(ctx, wanted.Key)
		switch {
		case err == nil && c.attempt == wanted.attempt && c.Generation == wanted.Generation && c.State == wanted.State && c.claimed():
			return c, nil
		case err == nil && c.attempt == wanted.attempt && c.claimed():
			return wanted, errEnded
		case err == nil:
			return c, errNotClaimed
		case errors.Is(err, ErrNotFound):
			return c, err
		case b.wait(ctx) != nil:
			return wanted, fmt.Errorf("%w: %w", errNotReadBack, err)
		}
	}
}

// release gives back a claim whose token was not sent, and takes it out of the
// ledger. The new revision fences a claim of ours that is still under way.
func (s *Store) release(ctx context.Context, claimed Connection, l ledger) error {
	c := claimed
	for b := s.backoff(); ; {
		if c.attempt != claimed.attempt || c.Generation != claimed.Generation {
			return s.unspend(ctx, l, claimed.attempt) // a new authorization took the row over
		}
		_, err := s.swap(ctx, c, c.released(s.Clock.Now()), l.unspend(claimed.attempt)...)
		if errors.Is(err, errElsewhere) { // the ledger has not got it, nor shall it
			_, err = s.swap(ctx, c, c.released(s.Clock.Now()))
		}
		changed, isChanged := errors.AsType[*changedError](err)
		switch {
		case err == nil:
			return nil
		case isChanged:
			c = changed.Current
		case b.wait(ctx) != nil:
			return err
		}
	}
}

// unspend takes the token out of the ledger alone: its row has moved on, and may
// have been given the same token again.
func (s *Store) unspend(ctx context.Context, l ledger, attempt string) error {
	items := l.unspend(attempt)
	for b := s.backoff(); len(items) > 0; {
		err := dynamo.Transact(ctx, s.DB, items...)
		if reasons, _ := dynamo.Refused(err); err == nil || reasons.AnyFailed(0) {
			return nil // done, or done before
		}
		if b.wait(ctx) != nil {
			return err
		}
	}
	return nil
}

// released is the row as before the claim.
func (c Connection) released(now time.Time) Connection {
	attempt := c.attempt
	c.attempt, c.claimUntil = "", time.Time{}
	if c.stateAttempt == attempt && (c.State == Uncertain || c.State == Reauthorize) {
		c = c.enter(Active, attempt, "not sent after all", "", now)
	}
	return c
}

// endClaim ends a claim that has expired: its holder died or hangs. The
// connection turns uncertain. Generation and attempt stay, so a late store still
// lands. A service account has spent nothing and is as before.
func (s *Store) endClaim(ctx context.Context, c Connection) (Connection, error) {
	c, err := s.apply(ctx, c, func(c Connection) (Connection, bool) {
		if !c.claimed() || !s.Clock.Now().After(c.claimUntil) {
			return c, false
		}
		if c.Principal == App || !c.usable() {
			c.claimUntil = time.Time{}
			return c, true
		}
		return c.doubt(c.attempt, "the process that refreshed it ended without an answer", "", s.Clock.Now()), true
	})
	if err != nil {
		return c, later(c.Key, "a claim that has expired could not be ended", err)
	}
	return c, nil
}

// doubt ends the claim without an answer.
func (c Connection) doubt(attempt, reason, requestID string, now time.Time) Connection {
	c.claimUntil = time.Time{}
	return c.enter(Uncertain, attempt, reason, requestID, now)
}
