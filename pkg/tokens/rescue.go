package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

// rescueTime of a refresh is kept for the rescue.
const rescueTime = time.Second

// Rescued is a new pair that could not be stored, sealed for its row. It waits outside
// the table, in a queue, and may arrive late, twice and out of order: [Upkeep.Restore]
// stores it under the conditions of the refresh it comes from.
type Rescued struct {
	Environment string    `json:"environment"`
	Client      string    `json:"client"`
	Principal   Principal `json:"principal"`
	Generation  int64     `json:"generation"` // that was spent
	Attempt     string    `json:"attempt"`
	SealKey     string    `json:"seal_key"`
	Sealed      []byte    `json:"sealed"`
}

// ParseRescued reads a message of the rescue queue.
func ParseRescued(message []byte) (Rescued, error) {
	var r Rescued
	if err := json.Unmarshal(message, &r); err != nil {
		return r, errors.New("tokens: a message of the rescue queue is not readable")
	}
	if r.Environment == "" || r.Principal == "" || r.Attempt == "" || r.Generation <= 0 || len(r.Sealed) == 0 {
		return r, errors.New("tokens: a message of the rescue queue is not complete")
	}
	return r, nil
}

// Awaits reports whether the row still waits for a rescued pair.
func (g Grant) Awaits(r Rescued) bool { return g.Generation == r.Generation && g.attempt == r.Attempt }

// homecoming is a new pair on its way to the row.
type homecoming struct {
	claimed     Grant // generation and attempt say where it may land
	pair        procore.Token
	sealed      keys.Sealed
	fingerprint string // of the pair's refresh token
}

// Restore stores a rescued pair if its row still waits for it. Without an error the
// message may be deleted. A pair that does not open is an error, and the row remains as
// it is.
func (u Upkeep) Restore(ctx context.Context, r Rescued) error {
	s := u.s
	if r.Environment != s.Environment.Name {
		return fmt.Errorf("tokens: a rescued pair of %s is of environment %q, and the store of %q", r.Principal, r.Environment, s.Environment.Name)
	}
	g, err := s.Grant(ctx, r.Principal)
	if err != nil {
		return err
	}
	home := homecoming{claimed: g, sealed: keys.Sealed{KeyID: r.SealKey, Ciphertext: r.Sealed}}
	home.claimed.Generation, home.claimed.attempt, home.claimed.client = r.Generation, r.Attempt, r.Client
	if home.pair, err = s.unseal(ctx, home.sealed, s.place(home.claimed, home.claimed.Generation+1)); err != nil {
		return fmt.Errorf("tokens: %s: a rescued pair does not open: %w", r.Principal, err)
	}
	ring, err := s.Keys.Get(ctx)
	if err != nil {
		return later(r.Principal, "the key ring could not be read", err)
	}
	home.fingerprint = ring.Fingerprint(home.pair.RefreshToken)
	g, err = s.apply(ctx, g, func(g Grant) (Grant, bool) { return g.renewed(home, s.Clock.Now()) })
	switch {
	case err != nil:
		return later(r.Principal, "a rescued pair could not be stored", err)
	case g.lastAttempt == r.Attempt:
		return nil
	}
	return s.superseded(ctx, g, home)
}

// rescue hands a pair that could not be stored, because of cause, to the rescue queue, and
// returns the caller's error. The app's token is fetched again.
func (s *Store) rescue(ctx context.Context, home homecoming, cause error) error {
	c := home.claimed
	if c.Principal == App {
		return later(c.Principal, "the app's token could not be stored", cause)
	}
	err := errors.New("no rescue queue is configured")
	if s.Rescue != nil {
		err = s.Rescue(ctx, Rescued{
			Environment: s.Environment.Name, Client: c.client, Principal: c.Principal, Generation: c.Generation, Attempt: c.attempt,
			SealKey: home.sealed.KeyID, Sealed: home.sealed.Ciphertext,
		})
	}
	if err != nil {
		s.log().ErrorContext(ctx, "new pair lost", attr(c.Principal), slog.Any("error", errors.Join(cause, err)))
		return &Error{Principal: c.Principal, Decision: ErrReauthorize, Reason: "the new pair could be neither stored nor rescued", Err: cause}
	}
	s.log().WarnContext(ctx, "new pair queued for rescue", attr(c.Principal), slog.Any("error", cause))
	return later(c.Principal, "the new pair waits to be stored", cause)
}

// superseded deals with a pair whose row has moved on. It is dropped: it may be the pair
// that the row has, or Procore may end that one with it. Only a row that is revoked, or
// is being revoked, has none, and this pair is revoked as well. Rows are not deleted: a
// pair whose row is gone waits for an operator who restores the row.
func (s *Store) superseded(ctx context.Context, g Grant, home homecoming) error {
	if g.Rev == 0 {
		return &Error{Principal: home.claimed.Principal, Decision: ErrNotFound}
	}
	s.log().WarnContext(ctx, "refresh superseded", attr(g.Principal), slog.String("state", string(g.State)))
	if !g.withdrawn() {
		return nil
	}
	ring, err := s.Keys.Get(ctx)
	if err != nil {
		return later(g.Principal, "the key ring could not be read", err)
	}
	// The refresh token enters the ledger first, so that no authorization stores this pair:
	// Procore may issue it to one as well.
	l := s.ledger(g.Principal, ring, home.pair.RefreshToken)
	return s.repeat(ctx, g.Principal, "the grant keeps changing", func() (again bool, err error) {
		if g, err = s.Grant(ctx, g.Principal); err != nil || !g.withdrawn() {
			return false, err // an authorization has it, or another pair
		}
		_, again, err = s.join(ctx, g, g, l.enter(revocation+s.Random.Text(), s.Clock.Now()))
		if again || err != nil {
			return again, err
		}
		return false, s.Discard(ctx, home.pair)
	})
}

// withdrawn reports whether the grant is revoked, or its revocation has begun.
func (g Grant) withdrawn() bool { return g.State == Revoked || g.revokes() }
