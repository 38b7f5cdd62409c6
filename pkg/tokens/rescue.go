package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"procore-connect/pkg/procore"
)

// rescueTime of a refresh is kept for the rescue.
const rescueTime = time.Second

// Rescued is a new pair that could not be stored, sealed for its row. It waits
// outside the table, in a queue, and may come back late, twice and out of order:
// [Store.Restore] stores it under the conditions of the refresh it comes from.
type Rescued struct {
	Key        Key       `json:"key"`
	Generation int64     `json:"generation"` // that was spent
	Attempt    string    `json:"attempt"`
	SealKey    string    `json:"seal_key"`
	Sealed     []byte    `json:"sealed"`
	Expiry     time.Time `json:"expiry"`
	Spent      []string  `json:"spent,omitempty"` // fingerprints of the refresh token it was got for, as in the ledger
}

// ParseRescued reads a message of the rescue queue.
func ParseRescued(message []byte) (Rescued, error) {
	var r Rescued
	if err := json.Unmarshal(message, &r); err != nil {
		return r, errors.New("tokens: a message of the rescue queue is not readable")
	}
	if r.Key.CompanyID <= 0 || r.Key.Principal == "" || r.Attempt == "" || r.Generation <= 0 || len(r.Sealed) == 0 {
		return r, errors.New("tokens: a message of the rescue queue is not complete")
	}
	return r, nil
}

// Restore stores a rescued pair if its row still waits for it. Afterwards, and
// when the error is nil, the message may be deleted. A pair that does not open is an
// error, and the row remains as it is.
func (s *Store) Restore(ctx context.Context, r Rescued) error {
	c, err := s.Connection(ctx, r.Key)
	if err != nil {
		return err
	}
	claimed := c
	claimed.Generation, claimed.attempt = r.Generation, r.Attempt
	home := homecoming{claimed: claimed, sealed: Sealed{r.SealKey, r.Sealed}, expiry: r.Expiry, spent: r.Spent}
	if _, err := s.unseal(ctx, home.sealed, home.place()); err != nil {
		return fmt.Errorf("tokens: %s: a rescued pair does not open: %w", r.Key, err)
	}
	c, err = s.apply(ctx, c, func(c Connection) (Connection, bool) { return c.renewed(home, s.Clock.Now()) })
	if err != nil {
		return later(r.Key, "a rescued pair could not be stored", err)
	}
	if c.stored(home) {
		return nil
	}
	return s.orphan(ctx, c, home)
}

// stored says that the pair is in the row or in its past: it was stored before,
// and perhaps refreshed since. Procore might end its successors with it.
func (c Connection) stored(home homecoming) bool {
	return c.lastAttempt == home.claimed.attempt || slices.ContainsFunc(c.Transitions, func(t Transition) bool {
		return t.Attempt == home.claimed.attempt && t.Generation > home.claimed.Generation
	})
}

// rescue hands a pair that could not be stored to the rescue queue.
func (s *Store) rescue(ctx context.Context, home homecoming) error {
	if s.Rescue == nil {
		return errors.New("no rescue queue is configured")
	}
	return s.Rescue(ctx, Rescued{
		Key: home.claimed.Key, Generation: home.claimed.Generation, Attempt: home.claimed.attempt,
		SealKey: home.sealed.KeyID, Sealed: home.sealed.Ciphertext, Expiry: home.expiry, Spent: home.spent,
	})
}

// orphan deals with a pair that came home to a row that has moved on. Nobody
// would use it, so it is revoked; unless Procore gave the same pair to the newer
// authorization, or gave it the very token that this refresh has spent: then the
// pair is that one's successor and is stored. The row may go on moving meanwhile.
// Rows are not deleted: a pair whose row is gone waits for it to be brought back.
func (s *Store) orphan(ctx context.Context, c Connection, home homecoming) error {
	if c.Rev == 0 {
		return &Error{Key: c.Key, Decision: ErrNotFound}
	}
	fresh, err := s.unseal(ctx, home.sealed, home.place())
	if err != nil {
		return fmt.Errorf("tokens: a pair without a row: %w", err)
	}
	keys, err := s.Keys.Get(ctx)
	if err != nil {
		return err
	}
	for b := s.backoff(); !c.stored(home); {
		current, err := s.held(ctx, c)
		switch {
		case err != nil:
			return err
		case current.AccessToken.Equal(fresh.AccessToken):
			return nil
		case !home.replaces(current, keys) || c.State == Revoking:
			return s.revokeToken(ctx, fresh)
		}
		next, err := s.succeeded(c, home, fresh, keys)
		if err == nil {
			_, err = s.swap(ctx, c, next)
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
	return nil
}

// held is the pair in the row, or none.
func (s *Store) held(ctx context.Context, c Connection) (procore.Token, error) {
	if c.pair.Ciphertext == nil {
		return procore.Token{}, nil
	}
	return s.unseal(ctx, c.pair, c.place())
}

// replaces says that the homecoming pair was got for this one's refresh token.
func (h homecoming) replaces(pair procore.Token, keys *Keys) bool {
	if pair.RefreshToken.IsZero() {
		return false
	}
	return slices.ContainsFunc(keys.fingerprints(pair.RefreshToken), func(f string) bool { return slices.Contains(h.spent, f) })
}

// succeeded is the row with the pair that replaces the spent one it holds.
// Whatever doubt there was, was of the spent one, and is settled.
func (s *Store) succeeded(c Connection, home homecoming, fresh procore.Token, keys *Keys) (Connection, error) {
	var err error
	c.Generation++
	if c.pair, err = keys.Seal(fresh, c.place()); err != nil {
		return c, err
	}
	c.Expiry, c.RefreshedAt = fresh.Expiry, s.Clock.Now()
	c.attempt, c.claimUntil = "", time.Time{}
	if c.usable() || c.State == Reauthorize {
		c = c.enter(Active, home.claimed.attempt, "the pair that replaces the spent one came home", "", s.Clock.Now())
	}
	return c, nil
}

func (s *Store) revokeToken(ctx context.Context, t procore.Token) error {
	oauth, err := s.OAuth.Get(ctx)
	if err != nil {
		return err
	}
	return oauth.Revoke(ctx, t)
}
