package tokens

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
)

// Hold adds a holder to an active grant, in one transaction with also. A revocation that
// is under way is waited for. ErrUsed means that an item of also refused the transaction;
// ErrReauthorize and ErrRevoked that the user has to authorize first.
func (s *Store) Hold(ctx context.Context, p Principal, holder string, also ...types.TransactWriteItem) (Grant, error) {
	return s.hold(ctx, p, func(g Grant, now time.Time) (Grant, error) {
		switch {
		case g.Rev == 0:
			return g, &Error{Principal: p, Decision: ErrNotFound}
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

// Release removes a holder, in one transaction with also. If the grant lacks the holder,
// or there is no grant, only the other items change. A grant without a holder is revoked by
// [Store.Revoke].
func (s *Store) Release(ctx context.Context, p Principal, holder string, also ...types.TransactWriteItem) (Grant, error) {
	return s.hold(ctx, p, func(g Grant, now time.Time) (Grant, error) {
		if !g.HeldBy(holder) {
			return g, nil
		}
		holders := slices.DeleteFunc(slices.Clone(g.Holders), func(h string) bool { return h == holder })
		return g.held(holders, now), nil
	}, also)
}

func (s *Store) hold(ctx context.Context, p Principal, step func(Grant, time.Time) (Grant, error), also []types.TransactWriteItem) (Grant, error) {
	defer s.memory.forget(p) // it has the holders
	for b := s.backoff(); ; {
		g, err := s.settled(ctx, p)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Grant{}, err
		}
		next, err := step(g, s.Clock.Now())
		switch {
		case err != nil:
		case g.Rev == 0:
			err = s.withoutGrant(ctx, p, also)
		default:
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

// withoutGrant makes the transaction of a grant that is gone, on condition that it is. As
// in the other transactions the first item is the grant's.
func (s *Store) withoutGrant(ctx context.Context, p Principal, also []types.TransactWriteItem) error {
	gone := new(dynamo.Expression).Absent("grant").Check(s.Grants, s.rowKey(string(p)))
	err := lost(dynamo.Transact(ctx, s.DB, slices.Concat([]types.TransactWriteItem{gone}, also)...))
	if err != nil {
		return notJoined(p, err)
	}
	return nil
}
