package tokens

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

const (
	// early is how long before its end an access token is refreshed by a caller
	// who asks for it, at most. Of a token that is valid for a short time it is the
	// last tenth.
	early = 2 * time.Minute
	// apart is the least time between two refreshes of a grant, whatever the answers'
	// fields say.
	apart = time.Minute
	// uncertainFor is how long a grant is uncertain, at least, before the user has to
	// authorize again: a claim's length, and more than the clocks of two processes
	// differ. A store that is only late heals it before.
	uncertainFor = maxWork + skew + 15*time.Minute
)

// Token returns an access token that is fresh, refreshing it if that is needed. It
// answers from memory while it can. The error matches one of this package's sentinels;
// see the package documentation.
//
// A caller's context ends its waiting, not a refresh that has begun: use [Wrap] around a
// Lambda handler.
func (s *Store) Token(ctx context.Context, p Principal) (Access, error) {
	return s.token(ctx, p, demand{use: true})
}

func (s *Store) token(ctx context.Context, p Principal, d demand) (Access, error) {
	k, now := s.memory.get(p), s.Clock.Now()
	if k.answers(now) && (!d.use || recorded(p, k.access.LastUsed, now)) {
		return k.access, nil
	}
	return s.flights.do(ctx, s.Clock, p, func(ctx context.Context) (Access, error) {
		return s.renew(ctx, p, d)
	})
}

// Current returns the grant's access token as it is, and never refreshes it. The user
// authorizes again if it has expired.
func (s *Store) Current(ctx context.Context, p Principal) (Access, error) {
	g, err := s.Grant(ctx, p)
	if err != nil {
		return Access{}, err
	}
	if !g.Usable() {
		return Access{}, g.unusable()
	}
	pair, _, err := s.open(ctx, g)
	switch {
	case err != nil:
		return Access{}, err
	case !s.Clock.Now().Before(pair.Expiry):
		return Access{}, &Error{Principal: p, Decision: ErrReauthorize, Reason: "its access token has expired", Since: pair.Expiry}
	}
	return g.access(pair), nil
}

// demand is what a caller asks for.
type demand struct {
	within time.Duration // refresh a token that expires within this time; 0: one that is not fresh
	use    bool          // the call counts as use of the grant
}

// early is how long before its end a caller refreshes the access token.
func (g Grant) early() time.Duration {
	lifetime := g.Expiry.Sub(g.RefreshedAt) // from its arrival on
	return min(early, max(lifetime, 0)/10)
}

// renew reads the grant and refreshes it if the demand needs that; it waits while
// another process does.
func (s *Store) renew(ctx context.Context, p Principal, d demand) (a Access, err error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	err = s.repeat(ctx, p, "another process is still refreshing it", func() (again bool, err error) {
		g, err := s.settled(ctx, p)
		if p == App && errors.Is(err, ErrNotFound) {
			g, err = Grant{Principal: App, State: Active}, nil // the first claim makes the row
		}
		if err != nil {
			a, err = s.unread(p, err)
			return false, err
		}
		a, again, err = s.answer(ctx, g, d)
		return again, err
	})
	return a, err
}

// unread is what remains when the row could not be read: an access token in memory is
// good until it expires.
func (s *Store) unread(p Principal, err error) (Access, error) {
	k := s.memory.get(p)
	if errors.Is(err, ErrTryAgain) && s.Clock.Now().Before(k.access.Expiry) {
		return k.access, nil
	}
	s.memory.forget(p)
	return Access{}, err
}

// answer acts on one reading of the grant. again asks to read it again, and the error is
// then the cause, if there is one.
func (s *Store) answer(ctx context.Context, g Grant, d demand) (a Access, again bool, err error) {
	if !g.Usable() {
		s.memory.forget(g.Principal)
		return Access{}, false, g.unusable()
	}
	pair, ring, err := s.open(ctx, g)
	if err != nil {
		return Access{}, false, err
	}
	v := s.view(g, pair)
	do, err := v.decide(d)
	access := g.access(pair)
	switch do {
	case serve:
		return s.remember(ctx, g, access, d), false, nil
	case keep:
		return access, false, nil
	case wait:
		return Access{}, true, nil
	case refuse:
		return Access{}, false, err
	case endDoubt:
		again, err = s.endUncertain(ctx, g, v.rejected)
		return Access{}, again, err
	case end:
		again, err = s.unrefreshable(ctx, g, err.Error())
		return Access{}, again, err
	}
	renewed, again, err := s.refresh(ctx, g, pair, ring, d)
	if v.living && !again && errors.Is(err, ErrTryAgain) && s.Clock.Now().Before(access.Expiry) {
		return access, false, nil
	}
	return renewed, again, err
}

var errOtherClient = errors.New("tokens: the pair was issued for another client id than the app's; nothing was sent")

// client returns the hash of the app's client id.
func (s *Store) client(ctx context.Context, p Principal) (string, error) {
	oauth, err := s.OAuth.Get(ctx)
	if err == nil {
		err = s.ours(oauth)
	}
	if err != nil {
		return "", later(p, "the app's credentials cannot be used", err)
	}
	return ClientHash(oauth.ClientID), nil
}

// ours refuses the credentials of another environment.
func (s *Store) ours(oauth *procore.OAuth) error {
	if oauth.Environment.Name != s.Environment.Name {
		return fmt.Errorf("tokens: the store is of environment %q, and the app's credentials of %q", s.Environment.Name, oauth.Environment.Name)
	}
	return nil
}

// open unseals the grant's pair. That of the app may not have been fetched yet, or for
// another client id.
func (s *Store) open(ctx context.Context, g Grant) (procore.Token, *keys.Ring, error) {
	client, err := s.client(ctx, g.Principal)
	if err != nil {
		return procore.Token{}, nil, err
	}
	ring, err := s.Keys.Get(ctx)
	switch {
	case err != nil:
		return procore.Token{}, nil, later(g.Principal, "the key ring could not be read", err)
	case g.Principal == App && (g.pair.Ciphertext == nil || g.client != client):
		return procore.Token{}, ring, nil
	case g.client != client:
		return procore.Token{}, nil, later(g.Principal, "check the client id", errOtherClient)
	}
	pair, err := s.unseal(ctx, g.pair, s.place(g, g.Generation))
	switch {
	case errors.Is(err, keys.ErrNotSealedHere):
		return procore.Token{}, nil, &Error{Principal: g.Principal, Decision: ErrReauthorize, Err: err}
	case err != nil: // the ring that has the key may be read the next time
		return procore.Token{}, nil, later(g.Principal, "the pair's key could not be read", err)
	}
	ring, err = s.Keys.Get(ctx) // the ring may have been read again
	return pair, ring, err
}

// unseal opens a sealed pair, with the newest keys if need be.
func (s *Store) unseal(ctx context.Context, sealed keys.Sealed, p keys.Place) (procore.Token, error) {
	return keys.Use(ctx, s.Keys, func(ring *keys.Ring) (procore.Token, error) { return ring.Open(sealed, p) })
}

// remember keeps the access in memory and, once a day, its use on the row.
func (s *Store) remember(ctx context.Context, g Grant, a Access, d demand) Access {
	now := s.Clock.Now()
	a.LastUsed = g.used(d, now).LastUsed
	s.memory.change(g.Principal, func(k known) known { return known{a, g.early(), now, k.rejected} })
	_, err := s.apply(ctx, g, func(g Grant) (Grant, bool) {
		used := g.used(d, s.Clock.Now())
		return used, used.LastUsed != g.LastUsed
	})
	if err != nil {
		s.log().WarnContext(ctx, "last use not stored", attr(g.Principal), slog.Any("error", err))
	}
	return a
}

// used is the row with its last use, to the day. The app's is not recorded.
func (g Grant) used(d demand, now time.Time) Grant {
	if d.use && !recorded(g.Principal, g.LastUsed, now) {
		g.LastUsed = now
	}
	return g
}

// recorded reports whether a use is recorded already, or need not be.
func recorded(p Principal, lastUsed, now time.Time) bool {
	return p == App || now.Before(lastUsed.Add(24*time.Hour))
}

// endUncertain ends an uncertain grant whose access token has expired, once a late store
// is no longer expected. Where the request had no answer, a token that Procore rejects
// settles it at once: the request did arrive.
func (s *Store) endUncertain(ctx context.Context, g Grant, rejected bool) (again bool, err error) {
	generation, until := g.Generation, g.ReasonAt.Add(uncertainFor)
	if !(rejected && g.Reason == noAnswer) && s.Clock.Now().Before(until) {
		return false, later(g.Principal, "whether a refresh succeeded is not known; waiting for a late answer until "+until.UTC().Format(time.RFC3339), nil)
	}
	g, err = s.apply(ctx, g, func(g Grant) (Grant, bool) {
		if g.State != Uncertain || g.Generation != generation || g.claimed() {
			return g, false
		}
		return g.enter(Reauthorize, g.stateAttempt, g.Reason, g.RequestID, s.Clock.Now()), true
	})
	return s.ended(g, err)
}

// unrefreshable ends a grant whose refresh token cannot be sent.
func (s *Store) unrefreshable(ctx context.Context, g Grant, reason string) (again bool, err error) {
	generation := g.Generation
	g, err = s.apply(ctx, g, func(g Grant) (Grant, bool) {
		if !g.Usable() || g.Generation != generation || g.claimed() {
			return g, false
		}
		return g.enter(Reauthorize, "", reason, "", s.Clock.Now()), true
	})
	return s.ended(g, err)
}

// ended is the caller's error after a step that was to end the grant.
func (s *Store) ended(g Grant, err error) (again bool, _ error) {
	switch {
	case err != nil:
		return false, later(g.Principal, "the grant could not be stored", err)
	case g.Usable():
		return true, nil
	}
	s.memory.forget(g.Principal)
	return false, g.unusable()
}
