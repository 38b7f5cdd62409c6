package connections

import (
	"context"
	"errors"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// ServiceAccountUser returns the user as whom the app's service account acts in a company,
// or 0 if the company is not connected by the service account, or not shown to it. Events of payload v4.0
// show own changes by this user alone, see [procore.Event.MarkServiceAccount]. It asks
// Procore once for each company and process; in a company of users it reads one row.
//
// An error is that of the call or of storage: try again later.
//
// https://developers.procore.com/reference/rest/me?version=latest
func (s *Store) ServiceAccountUser(ctx context.Context, companyID int64) (int64, error) {
	if id, ok := s.accounts.Load(companyID); ok {
		return id.(int64), nil //nolint:forcetypeassert // it stores no other type
	}
	k := Key{companyID, tokens.App}
	if _, err := s.usable(ctx, k); err != nil {
		if _, decided := errors.AsType[*Error](err); decided { // not connected, or paused: it makes no changes
			return 0, nil
		}
		return 0, err
	}
	me, err := s.BackgroundClient(k).Me(ctx)
	switch {
	case errors.Is(err, procore.ErrNotFound), errors.Is(err, procore.ErrForbidden):
		return 0, nil
	case err != nil:
		return 0, err
	}
	s.accounts.Store(companyID, me.ID)
	return me.ID, nil
}
