package tokens

import (
	"context"
	"errors"
	"time"
)

// underWay is how long a call may be under way whose answer disconnects a
// company.
const underWay = time.Minute

// Disconnect records that Procore answered "App is not connected to this
// company" to this generation's token. That is said of the company, so none of
// its connections makes any more calls until somebody connects again: each would
// be the same answer, and an error in Procore's books. One that was authorized
// while the call was under way is left to find out by itself. It is idempotent.
func (s *Store) Disconnect(ctx context.Context, key Key, generation int64) error {
	now := s.Clock.Now()
	c, err := s.disconnect(ctx, key, generation)
	if err != nil || c.Generation != generation {
		return err
	}
	var errs []error
	for other, err := range s.Company(ctx, key.CompanyID) {
		if err == nil && other.Key != key && other.ConnectedAt.Before(now.Add(-underWay)) {
			_, err = s.disconnect(ctx, other.Key, other.Generation)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// disconnect records it on one connection, unless that has another generation.
func (s *Store) disconnect(ctx context.Context, key Key, generation int64) (Connection, error) {
	s.memory.forget(key)
	c, err := s.Connection(ctx, key)
	if err != nil {
		return c, err
	}
	return s.apply(ctx, c, func(c Connection) (Connection, bool) {
		if c.Generation != generation || !c.usable() {
			return c, false
		}
		c.CheckAt = time.Time{}
		return c.enter(Disconnected, c.attempt, "the app was disconnected in App Management", "", s.Clock.Now()), true
	})
}

// Saw records that Procore showed the company to the connection's user at this
// time, so that it is not asked again too soon.
func (s *Store) Saw(ctx context.Context, key Key, at time.Time) error {
	c, err := s.Connection(ctx, key)
	if err != nil {
		return err
	}
	at = toSecond(at)
	_, err = s.apply(ctx, c, func(c Connection) (Connection, bool) {
		newer := c.usable() && at.After(c.SeenAt)
		c.SeenAt = at
		return c, newer
	})
	return err
}
