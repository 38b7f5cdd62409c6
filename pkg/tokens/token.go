package tokens

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"procore-connect/pkg/procore"
)

const (
	// early is how long before its end an access token is refreshed by a caller
	// who asks for it, at most. Of a token that is valid for a short time it is the
	// last tenth.
	early = 2 * time.Minute
	// apart is the least time between two refreshes of a connection, whatever the
	// answers' fields say.
	apart = time.Minute
)

// Token gives an access token that is fresh, refreshing it if that is needed.
// It answers from memory while it can. The error matches one of this package's
// sentinels; see the package documentation.
//
// A caller's context ends its waiting, not the refresh that others wait for:
// use [Wrap] around a Lambda handler.
func (s *Store) Token(ctx context.Context, key Key) (Access, error) {
	return s.token(ctx, key, demand{call: true, use: true})
}

// BackgroundToken is Token for work that no user of the app asked for: it does
// not count as a use of the connection, which is then refreshed rarely.
func (s *Store) BackgroundToken(ctx context.Context, key Key) (Access, error) {
	return s.token(ctx, key, demand{call: true})
}

func (s *Store) token(ctx context.Context, key Key, d demand) (Access, error) {
	k := s.memory.get(key)
	if k.answers(s.Clock.Now()) {
		return k.access, nil
	}
	return s.flights.do(ctx, key, func(ctx context.Context) (Access, error) {
		return s.renew(ctx, key, d)
	})
}

// Refresh is Token for a schedule: it refreshes a token that ends within the
// given time, and does not count as a use of the connection.
func (s *Store) Refresh(ctx context.Context, key Key, within time.Duration) (Access, error) {
	return s.flights.do(ctx, key, func(ctx context.Context) (Access, error) {
		return s.renew(ctx, key, demand{within: within})
	})
}

// Invalidate says that Procore answered 401 to this generation's token. The next
// Token takes a newer one or refreshes, once: a 401 right after a refresh means
// that the app is not installed.
func (s *Store) Invalidate(key Key, generation int64) { s.memory.reject(key, generation) }

// demand is what a caller asks for.
type demand struct {
	within time.Duration // refresh a token that ends within this time; 0: one that is not fresh
	call   bool          // the token is for a call into the company, not just to be kept fresh
	use    bool          // and the call counts as use of the connection
}

// early is how long before its end a caller refreshes the access token.
func (c Connection) early() time.Duration {
	lifetime := c.Expiry.Sub(c.RefreshedAt) // from its arrival on
	return min(early, max(lifetime, 0)/10)
}

// refreshedWithin reports whether the last refresh is not longer ago. One in the
// future, by a clock that was wrong, counts as now. An authorization is no refresh.
func (c Connection) refreshedWithin(d time.Duration, now time.Time) bool {
	return c.lastAttempt != "" && now.Before(c.RefreshedAt.Add(d))
}

// errNotYet asks renew to read again.
var errNotYet = errors.New("tokens: not yet")

// renew reads the connection and refreshes it if the demand needs that; it waits
// while somebody else does.
func (s *Store) renew(ctx context.Context, key Key, d demand) (Access, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	for b := s.backoff(); ; {
		c, err := s.Connection(ctx, key)
		if err == nil {
			c, err = s.endClaim(ctx, c)
		}
		if err != nil {
			return s.living(key, err)
		}
		access, err := s.answer(ctx, c, d)
		if !errors.Is(err, errNotYet) {
			return access, err
		}
		if b.wait(ctx) != nil {
			return Access{}, later(key, "another process is still refreshing it", ctx.Err())
		}
	}
}

// living is what remains when the row could not be read: an access token in
// memory is good as long as it lives.
func (s *Store) living(key Key, err error) (Access, error) {
	k := s.memory.get(key)
	if errors.Is(err, ErrTryAgain) && s.Clock.Now().Before(k.access.Expiry) {
		return k.access, nil
	}
	s.memory.forget(key)
	return Access{}, err
}

// answer decides on one reading of the connection.
func (s *Store) answer(ctx context.Context, c Connection, d demand) (Access, error) {
	if !c.usable() {
		s.memory.forget(c.Key)
		return Access{}, c.unusable()
	}
	pair, keys, err := s.open(ctx, c)
	if err != nil {
		return Access{}, err
	}
	now := s.Clock.Now()
	access := Access{pair.AccessToken, pair.Expiry, c.Generation, c.RefreshedAt}
	rejected := s.memory.get(c.Key).rejected == c.Generation
	living := now.Before(access.Expiry) && !rejected
	switch {
	case d.call && now.Before(c.PausedUntil):
		s.memory.forget(c.Key)
		return Access{}, c.paused()
	case living && now.Add(max(d.within, c.early())).Before(access.Expiry):
		return s.remember(ctx, c, access, d), nil
	case rejected && now.Before(c.RefreshedAt.Add(recheck)):
		return Access{}, &Error{Key: c.Key, Decision: ErrNotInstalled, Reason: "Procore answered 401 to a token that is fresh"}
	case living && (c.State == Uncertain || c.claimed()):
		return access, nil
	case c.claimed():
		return Access{}, errNotYet
	case c.State == Uncertain:
		return Access{}, s.endUncertain(ctx, c)
	case pair.RefreshToken.IsZero() && c.Principal != App && living:
		return access, nil
	case pair.RefreshToken.IsZero() && c.Principal != App:
		s.memory.forget(c.Key)
		return Access{}, s.unrefreshable(ctx, c, noSuccessor)
	case now.After(c.RefreshedAt.Add(maxPairAge)) && c.Principal != App:
		return Access{}, s.unrefreshable(ctx, c, olderThanTheLedger)
	}
	if c.refreshedWithin(apart, now) {
		if living {
			return access, nil
		}
		return Access{}, later(c.Key, "it was refreshed less than a minute ago", nil)
	}
	renewed, err := s.refresh(ctx, c, pair, keys, d)
	if living && errors.Is(err, ErrTryAgain) {
		return access, nil
	}
	return renewed, err
}

// open unseals the connection's pair. A service account may have none yet.
func (s *Store) open(ctx context.Context, c Connection) (procore.Token, *Keys, error) {
	keys, err := s.Keys.Get(ctx)
	if err != nil {
		return procore.Token{}, nil, later(c.Key, "the key ring could not be read", err)
	}
	if c.pair.Ciphertext == nil && c.Principal == App {
		return procore.Token{}, keys, nil
	}
	pair, err := s.unseal(ctx, c.pair, c.place())
	switch {
	case errors.Is(err, errNotSealedHere):
		return procore.Token{}, nil, &Error{Key: c.Key, Decision: ErrReauthorize, Err: err}
	case err != nil: // the ring that has the key may be read the next time
		return procore.Token{}, nil, later(c.Key, "the pair's key could not be read", err)
	}
	keys, err = s.Keys.Get(ctx) // the ring may have been read again
	return pair, keys, err
}

// unseal opens a sealed pair, with the newest keys if need be.
func (s *Store) unseal(ctx context.Context, sealed Sealed, p Place) (procore.Token, error) {
	return UseSecret(ctx, s.Keys, func(keys *Keys) (procore.Token, error) { return keys.Open(sealed, p) })
}

// remember keeps the access in memory and, once a day, its use on the row.
func (s *Store) remember(ctx context.Context, c Connection, a Access, d demand) Access {
	s.memory.put(c.Key, a, c.early(), s.Clock.Now())
	_, err := s.apply(ctx, c, func(c Connection) (Connection, bool) {
		used := c.used(d, s.Clock.Now())
		return used, used.LastUsed != c.LastUsed
	})
	if err != nil {
		s.log().WarnContext(ctx, "last use not stored", slog.Any("", c.Key), slog.Any("error", err))
	}
	return a
}

// used is the row with its last use, to the day.
func (c Connection) used(d demand, now time.Time) Connection {
	if d.use && !now.Before(c.LastUsed.Add(24*time.Hour)) {
		c.LastUsed = now
	}
	return c
}

// endUncertain ends an uncertain connection whose access token has ended.
func (s *Store) endUncertain(ctx context.Context, c Connection) error {
	generation := c.Generation
	c, err := s.apply(ctx, c, func(c Connection) (Connection, bool) {
		if c.State != Uncertain || c.Generation != generation || c.claimed() {
			return c, false
		}
		return c.enter(Reauthorize, c.stateAttempt, c.Reason, c.RequestID, s.Clock.Now()), true
	})
	switch {
	case err != nil:
		return later(c.Key, "the connection could not be stored", err)
	case c.usable():
		return errNotYet
	}
	s.memory.forget(c.Key)
	return c.unusable()
}
