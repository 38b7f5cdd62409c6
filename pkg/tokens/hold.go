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
	return s.hold(ctx, p, func(g Grant, now time.Time) (Grant, bool, error) {
		switch {
		case g.Rev == 0:
			return g, false, &Error{Principal: p, Decision: ErrNotFound}
		case g.revoking(now):
			return g, true, nil
		case g.State == Uncertain:
			return g, false, later(p, "whether its pair is good is not known yet", nil)
		case g.State != Active:
			return g, false, g.unusable()
		}
		holders := slices.Clone(g.Holders)
		if i, ok := slices.BinarySearch(holders, holder); !ok {
			holders = slices.Insert(holders, i, holder)
		}
		return g.held(holders, now), false, nil
	}, also)
}

// Release removes a holder, in one transaction with also. If the grant lacks the holder,
// or there is no grant, only the other items change. A grant without a holder is revoked by
// [Store.Revoke].
func (s *Store) Release(ctx context.Context, p Principal, holder string, also ...types.TransactWriteItem) (Grant, error) {
	return s.hold(ctx, p, func(g Grant, now time.Time) (Grant, bool, error) {
		if !g.HeldBy(holder) {
			return g, false, nil
		}
		holders := slices.DeleteFunc(slices.Clone(g.Holders), func(h string) bool { return h == holder })
		return g.held(holders, now), false, nil
	}, also)
}

func (s *Store) hold(ctx context.Context, p Principal, step func(Grant, time.Time) (next Grant, again bool, err error), also []types.TransactWriteItem) (next Grant, err error) {
	defer s.memory.forget(p) // it has the holders
	err = s.repeat(ctx, p, "the grant keeps changing, or is being revoked", func() (again bool, err error) {
		g, err := s.settled(ctx, p)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return false, err
		}
		next, again, err = step(g, s.Clock.Now())
		switch {
		case err != nil || again:
		case g.Rev == 0:
			again, err = s.withoutGrant(ctx, p, also)
		default:
			next, again, err = s.join(ctx, g, next, also)
		}
		return again, err
	})
	return next, err
}

// withoutGrant makes the transaction of a grant that is gone, on condition that it is. As
// in the other transactions the first item is the grant's.
func (s *Store) withoutGrant(ctx context.Context, p Principal, also []types.TransactWriteItem) (again bool, err error) {
	gone := new(dynamo.Expression).Absent("grant").Check(s.Grants, s.rowKey(string(p)))
	err = dynamo.Transact(ctx, s.DB, slices.Concat([]types.TransactWriteItem{gone}, also)...)
	if err == nil {
		return false, nil
	}
	return notJoined(p, outcomeOf(err), err)
}
