package tokens

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"procore-connect/pkg/procore"
)

// early is how long before its end an access token is refreshed by a caller
// who asks for it.
const early = 2 * time.Minute

// Token gives an access token that is fresh, refreshing it if that is needed.
// It answers from memory while it can. The error matches one of this package's
// sentinels; see the package documentation.
//
// A caller's context ends its waiting, not the refresh that others wait for:
// use [Store.Wrap] around a Lambda handler.
func (s *Store) Token(ctx context.Context, key Key) (Access, error) {
	now := s.now()
	k := s.memory.get(key)
	if now.Add(early).Before(k.access.Expiry) && now.Before(k.readAt.Add(recheck)) {
		return k.access, nil
	}
	return s.flights.do(ctx, key, func(ctx context.Context) (Access, error) {
		return s.renew(ctx, key, demand{within: early, use: true})
	})
}

// Refresh is Token for a schedule: it refreshes a token that ends within the
// given time, and does not count as a use of the connection.
func (s *Store) Refresh(ctx context.Context, key Key, within time.Duration) (Access, error) {
	return s.flights.do(ctx, key, func(ctx context.Context) (Access, error) {
		return s.renew(ctx, key, demand{within: within})
	})
}

// demand is what a caller asks for.
type demand struct {
	within time.Duration // refresh a token that ends within this time
	use    bool          // the token is for use, not just to be kept fresh
}

// Invalidate says that Procore answered 401 to this generation's token. The next
// Token takes a newer one or refreshes, once: a 401 right after a refresh means
// that the app is not installed.
func (s *Store) Invalidate(key Key, generation int64) { s.memory.reject(key, generation) }

// renew reads the connection and refreshes it if the demand needs that; it waits
// while somebody else does.
func (s *Store) renew(ctx context.Context, key Key, d demand) (Access, error) {
	ctx, cancel := context.WithDeadline(ctx, s.deadline(ctx))
	defer cancel()
	for b := (backoff{}); ; {
		c, err := s.Connection(ctx, key)
		if err == nil {
			c, err = s.endClaim(ctx, c)
		}
		if err != nil {
			s.memory.forget(key)
			return Access{}, err
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

// errNotYet asks renew to read again.
var errNotYet = errors.New("tokens: not yet")

// answer decides on one reading of the connection.
func (s *Store) answer(ctx context.Context, c Connection, d demand) (Access, error) {
	if c.State != Active && c.State != Uncertain {
		s.memory.forget(c.Key)
		return Access{}, c.unusable()
	}
	pair, keys, err := s.open(ctx, c)
	if err != nil {
		return Access{}, err
	}
	access := Access{pair.AccessToken, pair.Expiry, c.Generation}
	rejected := s.memory.get(c.Key).rejected == c.Generation
	living := s.now().Before(access.Expiry) && !rejected
	switch {
	case living && s.now().Add(d.within).Before(access.Expiry):
		return s.give(ctx, c, access, d), nil
	case rejected && s.now().Before(c.RefreshedAt.Add(recheck)):
		return Access{}, &Error{Key: c.Key, Decision: ErrNotInstalled, Reason: "Procore answered 401 to a token that is fresh"}
	case living && (c.State == Uncertain || c.claimed()):
		return access, nil
	case c.State == Uncertain:
		return Access{}, s.giveUp(ctx, c)
	case c.claimed():
		return Access{}, errNotYet
	}
	renewed, err := s.refresh(ctx, c, pair, keys, d)
	if living && errors.Is(err, ErrTryAgain) {
		return access, nil
	}
	return renewed, err
}

// open unseals the connection's pair, with the newest keys if need be.
func (s *Store) open(ctx context.Context, c Connection) (procore.Token, *Keys, error) {
	for _, reread := range []bool{false, true} {
		keys, err := s.Keys(ctx, reread)
		if err != nil {
			return procore.Token{}, nil, later(c.Key, "the key ring could not be read", err)
		}
		pair, err := keys.Open(c.pair, c.place())
		if errors.Is(err, ErrUnknownKey) && !reread {
			continue
		}
		if err != nil {
			return procore.Token{}, nil, &Error{Key: c.Key, Decision: ErrReauthorize, Err: err}
		}
		return pair, keys, nil
	}
	panic("unreachable")
}

// give remembers the access in memory and, once a day, its use on the row.
func (s *Store) give(ctx context.Context, c Connection, a Access, d demand) Access {
	s.memory.put(c.Key, a, s.now())
	_, err := s.apply(ctx, c, func(c Connection) (Connection, bool) {
		used := c.used(d, s.now())
		return used, used.LastUsed != c.LastUsed
	})
	if err != nil {
		s.log().WarnContext(ctx, "last use not stored", attributes(c.Key), slog.Any("error", err))
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

// refresh claims, spends and stores. Everything that it needs is secured
// before the token is sent.
func (s *Store) refresh(ctx context.Context, c Connection, pair procore.Token, keys *Keys, d demand) (Access, error) {
	oauth, err := s.OAuth(ctx, false)
	if err != nil {
		return Access{}, later(c.Key, "the app's credentials could not be read", err)
	}
	left := maxWork
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	if left < minWork {
		return Access{}, later(c.Key, "too little time is left to refresh", nil)
	}
	end := s.now().Add(left)
	claimed, err := s.claim(ctx, c, pair.RefreshToken, keys, end.Add(skew))
	var changed *errChanged
	switch {
	case errors.Is(err, errSpentBefore):
		return Access{}, s.spentBefore(ctx, c)
	case errors.Is(err, errNotClaimed), errors.As(err, &changed):
		return Access{}, errNotYet
	case err != nil:
		return Access{}, err
	}

	spendCtx, cancel := context.WithTimeout(ctx, left-storeTime)
	defer cancel()
	fresh, err := oauth.Refresh(spendCtx, pair.RefreshToken, c.RedirectURI, end.Add(-storeTime))
	if err == nil {
		return s.store(ctx, claimed, fresh, keys, d)
	}
	return Access{}, s.settle(ctx, claimed, pair, keys, err)
}

// store writes the new pair as the next generation. It holds what nobody else
// has, so it tries until the time is over.
func (s *Store) store(ctx context.Context, claimed Connection, fresh procore.Token, keys *Keys, d demand) (Access, error) {
	next := claimed
	next.Generation++
	sealed, err := keys.Seal(fresh, next.place())
	if err != nil {
		return Access{}, later(claimed.Key, "the new pair could not be sealed", err)
	}
	c, err := s.applyUntil(ctx, claimed, func(c Connection) (Connection, bool) {
		c, ok := c.renewed(claimed, sealed, fresh.Expiry, s.now())
		return c.used(d, s.now()), ok
	})
	if err != nil {
		s.log().ErrorContext(ctx, "new pair not stored", attributes(claimed.Key), slog.Any("error", err))
		return Access{}, later(claimed.Key, "the new pair could not be stored", err)
	}
	if c.lastAttempt != claimed.attempt {
		s.log().WarnContext(ctx, "refresh overtaken by a new authorization", attributes(claimed.Key))
		return Access{}, errNotYet
	}
	s.log().InfoContext(ctx, "token refreshed", attributes(c.Key), slog.Int64("generation", c.Generation))
	return s.give(ctx, c, Access{fresh.AccessToken, fresh.Expiry, c.Generation}, d), nil
}

// renewed is the row with a pair that the claim's attempt brought home, unless
// the row has left the claim's generation or attempt behind. The state becomes
// active only from active, uncertain, or what this very attempt had caused.
func (c Connection) renewed(claimed Connection, sealed Sealed, expiry, now time.Time) (Connection, bool) {
	if c.Generation != claimed.Generation || c.attempt != claimed.attempt {
		return c, false
	}
	c.Generation++
	c.pair, c.Expiry, c.RefreshedAt = sealed, expiry, now
	c.lastAttempt, c.attempt, c.claimUntil = claimed.attempt, "", time.Time{}
	switch {
	case c.State == Active:
		c = c.enter(Active, claimed.attempt, "refreshed", "", now)
	case c.State == Uncertain, c.State == Reauthorize && c.stateAttempt == claimed.attempt:
		c = c.enter(Active, claimed.attempt, "refreshed late", "", now)
	}
	return c, true
}

// settle ends a claim whose request gave no pair, by what is known of the
// token, and gives the caller's error.
func (s *Store) settle(ctx context.Context, claimed Connection, pair procore.Token, keys *Keys, cause error) error {
	var e *procore.TokenError
	if !errors.As(cause, &e) {
		e = &procore.TokenError{Err: cause}
	}
	s.log().WarnContext(ctx, "refresh failed", attributes(claimed.Key), slog.String("outcome", e.Outcome.String()), slog.Any("error", e))
	if e.Outcome == procore.NotSent {
		if err := s.release(ctx, claimed, pair.RefreshToken, keys); err != nil {
			s.log().WarnContext(ctx, "claim not released", attributes(claimed.Key), slog.Any("error", err))
		}
		return later(claimed.Key, "Procore could not be reached; nothing was sent", e)
	}
	if e.InvalidClient() {
		s.OAuth(ctx, true) // the next refresh shall use credentials that may be newer
	}
	c, err := s.applyUntil(ctx, claimed, func(c Connection) (Connection, bool) {
		switch {
		case c.Generation != claimed.Generation || c.attempt != claimed.attempt || c.State != Active:
			return c, false
		case e.Outcome == procore.Refused:
			c.claimUntil = time.Time{}
			return c.enter(Reauthorize, c.attempt, "Procore refused the refresh token", e.RequestID, s.now()), true
		}
		return c.doubt(c.attempt, "Procore's answer to a refresh is not known", e.RequestID, s.now()), true
	})
	switch {
	case err != nil:
		return later(claimed.Key, "the outcome of a refresh could not be stored", err)
	case c.Generation != claimed.Generation || c.State == Uncertain:
		return errNotYet // a newer pair, or a token that may still live
	}
	return c.unusable()
}

// giveUp ends an uncertain connection whose access token has ended.
func (s *Store) giveUp(ctx context.Context, c Connection) error {
	c, err := s.apply(ctx, c, func(now Connection) (Connection, bool) {
		if now.State != Uncertain || now.Generation != c.Generation {
			return now, false
		}
		return now.enter(Reauthorize, now.stateAttempt, now.Reason, now.RequestID, s.now()), true
	})
	switch {
	case err != nil:
		return later(c.Key, "the connection could not be stored", err)
	case c.State == Active:
		return errNotYet
	}
	s.memory.forget(c.Key)
	return c.unusable()
}

// spentBefore ends a connection whose refresh token the ledger knows: the row
// was copied or came back from a backup.
func (s *Store) spentBefore(ctx context.Context, c Connection) error {
	generation := c.Generation
	c, err := s.apply(ctx, c, func(c Connection) (Connection, bool) {
		if c.State != Active || c.Generation != generation || c.claimed() {
			return c, false
		}
		return c.enter(Reauthorize, "", "this refresh token was sent before: the row was copied or restored", "", s.now()), true
	})
	switch {
	case err != nil:
		return later(c.Key, "the connection could not be stored", err)
	case c.State == Active:
		return errNotYet
	}
	return c.unusable()
}

func attributes(k Key) slog.Attr {
	return slog.Group("", slog.Int64("company_id", k.CompanyID), slog.String("principal", string(k.Principal)))
}
