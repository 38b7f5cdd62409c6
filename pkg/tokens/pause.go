package tokens

import (
	"context"
	"log/slog"
	"time"
)

const (
	minPause = 5 * time.Minute
	maxPause = 24 * time.Hour
)

// paused is the error of a connection whose calls Procore rejects although the
// token is good.
func (c Connection) paused() error {
	return &Error{Key: c.Key, Decision: ErrNotInstalled,
		Reason: "Procore answers 401 to tokens that are good; no calls until " + c.PausedUntil.UTC().Format(time.RFC3339)}
}

// Pause records that Procore answered 401 to this generation's token and that
// refreshing it does not help. Calls fail at once for five minutes, and for twice
// as long each time that it happens again, up to a day: each call would be the
// same answer, and an error in Procore's books. A new authorization ends the pause.
func (s *Store) Pause(ctx context.Context, key Key, generation int64) error {
	s.memory.forget(key)
	c, err := s.Connection(ctx, key)
	if err != nil {
		return err
	}
	now, done := s.Clock.Now(), false
	c, err = s.apply(ctx, c, func(c Connection) (Connection, bool) {
		if c.Generation != generation || !c.usable() || now.Before(c.PausedUntil) {
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
		s.log().WarnContext(ctx, "connection paused", slog.Any("", key), slog.Time("until", c.PausedUntil))
	}
	return err
}
