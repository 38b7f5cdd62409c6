package connections

import (
	"context"
	"errors"
	"iter"
	"time"

	"procore-connect/internal/platform/dynamo"
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

// AddServiceAccount connects a company that has installed the app by the app's service
// account. A connection that is connected remains as it is.
//
// https://developers.procore.com/documentation/oauth-client-credentials
func (s *Store) AddServiceAccount(ctx context.Context, companyID int64, companyName string, w Webhooks) error {
	k := Key{companyID, tokens.App}
	_, err := s.apply(ctx, k, func(c Connection) (Connection, bool) {
		return c.connected(New{Key: k, CompanyName: companyName, Webhooks: w}, s.now()), c.State != Connected
	})
	return err
}

// Installed returns the companies that are connected by the app's service account and are
// in the state, which is [Connected] or [Disconnected]. It reads an index of their keys
// alone, so that ten thousand cost one read, and one that changed a moment ago may be
// missing.
func (s *Store) Installed(ctx context.Context, state State) iter.Seq2[Key, error] {
	in := new(dynamo.Expression).Equal("installed", dynamo.Text(s.installed(state))).Query(s.Table, "installed")
	return dynamo.Query(ctx, s.DB, "connections: those of the service account", in, s.readKey)
}

// installed is the partition of the index.
func (s *Store) installed(state State) string { return s.Tokens.Environment.Name + "#" + string(state) }

// AskLater records that a company was asked in vain for a call, whose connection by the
// service account is disconnected or ended. It is asked again after an hour, and after
// twice as long each time, up to a day: PausedUntil is when.
func (s *Store) AskLater(ctx context.Context, seen Connection) error {
	_, err := s.apply(ctx, seen.Key, func(c Connection) (Connection, bool) {
		same := c.State == seen.State && c.State != Connected
		c.pause = min(max(2*c.pause, time.Hour), maxPause)
		c.PausedUntil = toSecond(s.now().Add(c.pause))
		return c, same
	})
	return err
}
