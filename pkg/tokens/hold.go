package tokens

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Hold adds a holder to an active grant, in one transaction with also. A revocation that
// is under way is waited for. ErrUsed means that an item of also refused the transaction;
// ErrReauthorize and ErrRevoked that the user has to authorize first.
func (s *Store) Hold(ctx context.Context, p Principal, holder string, also ...types.TransactWriteItem) (Grant, error) {
	return s.hold(ctx, p, func(g Grant, now time.Time) (Grant, error) {
		switch {
		case g.revoking(now):
			return g, errNotYet
		case g.State == Uncertain:
			return g, later(p, "whether its pair is good is not known yet", nil)
		case g.State != Active:
			return g, g.unusable()
		}
		holders := slices.Clone(g.Holders)
		if i, ok := slices.BinarySearch(holders, holder); !ok {
			holders = slices.Insert(holders, i, holder)
		}
		return g.held(holders, now), nil
	}, also)
}

// Release removes a holder, in one transaction with also. A grant without a holder is
// revoked by [Store.Revoke].
func (s *Store) Release(ctx context.Context, p Principal, holder string, also ...types.TransactWriteItem) (Grant, error) {
	return s.hold(ctx, p, func(g Grant, now time.Time) (Grant, error) {
		if !g.HeldBy(holder) {
			return g, nil // only the other items change
		}
		holders := slices.DeleteFunc(slices.Clone(g.Holders), func(h string) bool { return h == holder })
		return g.held(holders, now), nil
	}, also)
}

func (s *Store) hold(ctx context.Context, p Principal, step func(Grant, time.Time) (Grant, error), also []types.TransactWriteItem) (Grant, error) {
	defer s.memory.forget(p) // it has the holders
	for b := s.backoff(); ; {
		g, err := s.settled(ctx, p)
		if err != nil {
			return Grant{}, err
		}
		next, err := step(g, s.Clock.Now())
		if err == nil {
			next, err = s.join(ctx, g, next, also)
		}
		if !errors.Is(err, errNotYet) {
			return next, err
		}
		if b.wait(ctx) != nil {
			return Grant{}, later(p, "the grant keeps changing, or is being revoked", err)
		}
	}
}
