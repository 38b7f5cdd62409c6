package tokens

import (
	"context"
	"errors"
	"time"
)

// AddServiceAccount adds the connection of the app's service account for a company
// that has installed the app. The first Token call fetches its access token; any
// number of callers and processes make one fetch. An existing connection remains as
// it is, unless it was revoked or disconnected.
//
// https://developers.procore.com/documentation/oauth-client-credentials
func (s *Store) AddServiceAccount(ctx context.Context, companyID int64, companyName string, w Webhooks) error {
	key := Key{companyID, App}
	c, err := s.Connection(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	c.Key = key
	_, err = s.apply(ctx, c, func(c Connection) (Connection, bool) {
		if c.usable() {
			return c, false
		}
		now := s.Clock.Now()
		c.Generation++
		c.pair, c.CompanyName, c.ConnectedAt = Sealed{}, companyName, now
		c.attempt, c.claimUntil, c.lastAttempt = "", time.Time{}, ""
		c.Webhooks = w
		if w == WebhooksPending {
			c.CheckAt = toSecond(now)
		}
		return c.enter(Active, "", "service account added", "", now), true
	})
	if err != nil {
		return later(key, "the connection could not be stored", err)
	}
	return nil
}
