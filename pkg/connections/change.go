package connections

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	// underWay is how long a call may be under way whose answer disconnects a company, or
	// a transaction that ends a connection.
	underWay = time.Minute
	// disconnectedFor is how long a disconnected connection holds its grant.
	disconnectedFor = 30 * 24 * time.Hour

	minPause = 5 * time.Minute
	maxPause = 24 * time.Hour
)

// Disconnect records that Procore answered "App is not connected to this company" to a
// call by this connection. That concerns the company, so none of its connections makes
// any more calls until a user connects it again: each would have the same answer, and be
// an error in Procore's books. A connection that was made since is left to find out for
// itself. Disconnect is idempotent.
func (s *Store) Disconnect(ctx context.Context, seen Connection) error {
	now := s.now()
	c, err := s.apply(ctx, seen.Key, s.disconnected(seen))
	if err != nil || c.State != Disconnected {
		return err
	}
	var errs []error
	for other, err := range s.Company(ctx, seen.CompanyID) {
		if err == nil && other.Key != seen.Key && other.State == Connected && other.ConnectedAt.Before(now.Add(-underWay)) {
			_, err = s.applyTo(ctx, other, s.disconnected(other))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// disconnected is the step of one connection, unless that was made again since.
func (s *Store) disconnected(seen Connection) func(Connection) (Connection, bool) {
	return func(c Connection) (Connection, bool) {
		same := c.State == Connected && c.ConnectedAt.Equal(seen.ConnectedAt)
		c = c.enter(Disconnected, "the app was disconnected in App Management", s.now())
		c.CheckAt = c.ReasonAt.Add(disconnectedFor)
		return c, same
	}
}

// Expired reports whether a disconnected connection no longer holds its grant:
// housekeeping ends it.
func (c Connection) Expired(now time.Time) bool {
	return c.State == Disconnected && !now.Before(c.ReasonAt.Add(disconnectedFor))
}

// Pause records that Procore answered 401 to a call by this connection although its
// token is good. Calls fail at once for five minutes, and for twice as long each time
// that it happens again, up to a day: each call would have the same answer, and be an
// error in Procore's books. Connecting again ends the pause.
func (s *Store) Pause(ctx context.Context, seen Connection) error {
	now, done := s.now(), false
	c, err := s.apply(ctx, seen.Key, func(c Connection) (Connection, bool) {
		if c.State != Connected || !c.ConnectedAt.Equal(seen.ConnectedAt) || now.Before(c.PausedUntil) {
			return c, false
		}
		if now.After(c.PausedUntil.Add(maxPause)) {
			c.pause = 0
		}
		c.pause, done = min(max(2*c.pause, minPause), maxPause), true
		c.PausedUntil = toSecond(now.Add(c.pause))
		return c, true
	})
	if err == nil && done {
		s.log().WarnContext(ctx, "connection paused", slog.Any("", c.Key), slog.Time("until", c.PausedUntil))
	}
	return err
}

// Saw records that Procore showed the company to the connection's user at this time, so
// that it is not asked again too soon.
func (s *Store) Saw(ctx context.Context, k Key, at time.Time) error {
	at = toSecond(at)
	_, err := s.apply(ctx, k, func(c Connection) (Connection, bool) {
		newer := c.State == Connected && at.After(c.SeenAt)
		c.SeenAt = at
		return c, newer
	})
	return err
}

// SetWebhooks records the state of the company's webhook, and when housekeeping checks it
// next; zero: never. It reports whether it did so: a connection that is not connected, was
// made again, or has another time of the check than seen, does not change.
func (s *Store) SetWebhooks(ctx context.Context, seen Connection, w Webhooks, checkAt time.Time) (Connection, bool, error) {
	checkAt = toSecond(checkAt)
	done := false
	c, err := s.applyTo(ctx, seen, func(c Connection) (Connection, bool) {
		done = c.State == Connected && c.ConnectedAt.Equal(seen.ConnectedAt) && c.CheckAt.Equal(seen.CheckAt)
		c.Webhooks, c.CheckAt = w, checkAt
		return c, done
	})
	return c, done && err == nil, err
}
