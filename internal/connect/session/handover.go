package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// moveTimeout bounds one move: the grant may wait for the end of a refresh.
const moveTimeout = 15 * time.Second

// ErrProcore marks the errors of calls to Procore. The session is as before.
var ErrProcore = errors.New("session: Procore did not describe the user")

// Handover moves the pairs of sessions to the grants of their users. Both stores are of
// the same environment and client id.
type Handover struct {
	Sessions *Store
	Tokens   *tokens.Store
}

// Move asks Procore whose pair the session has, with that very pair, and stores it in the
// user's grant; in the same transaction the session loses the pair and becomes pending. A
// session without a pair is returned as it is. If another process was faster, the session
// is as that one left it.
//
// An abandoned session is returned with its ErrEnded, and so is one that Move abandons
// because its pair is of no use: Procore does not accept it, or it does not open, or it is
// stale (ErrStale). One of another environment or client id is kept while Procore may
// accept it: the app's secret may be wrong only for now. Any other error changes nothing,
// and Move may be repeated. No pair is revoked but a stale one: it may be the one that the
// grant has.
func (h Handover) Move(ctx context.Context, s Session) (Session, error) {
	if s.Status != Authorized {
		return s, s.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, moveTimeout)
	defer cancel()
	pair, err := h.open(ctx, s)
	if errors.Is(err, errUseless) {
		return h.abandon(ctx, s, Dead)
	}
	if err != nil {
		return s, err
	}
	me, err := procore.NewUserClient(h.Tokens.Environment, h.Tokens.Bearer(pair.AccessToken), h.Tokens.Options("")...).Me(ctx)
	switch {
	case errors.Is(err, procore.ErrUnauthorized):
		return h.abandon(ctx, s, Dead)
	case err != nil:
		return s, fmt.Errorf("%w: %w", ErrProcore, err)
	}
	next := s
	next.sealed = keys.Sealed{}
	next.Status, next.Principal, next.UserName = Pending, tokens.User(me.ID), me.Name
	a := tokens.Authorization{Principal: next.Principal, Pair: pair, RedirectURI: s.RedirectURI}
	_, err = h.Tokens.Authorize(ctx, a, h.Sessions.update(s, next))
	switch {
	case errors.Is(err, tokens.ErrUsed):
		return h.moved(ctx, s)
	case errors.Is(err, tokens.ErrStale):
		return h.discard(ctx, s, pair)
	case err != nil:
		return s, err
	}
	return next, nil
}

var (
	// errUseless means that the pair can never be moved.
	errUseless = errors.New("session: the pair is of another environment or client id, or does not open")
	// errOther means that it cannot be moved as long as the app's secret is another app's.
	errOther = errors.New("session: the pair is of another environment or client id than the app's secret; check the secret")
)

// accessLife is for how long Procore accepts an access token.
//
// https://developers.procore.com/documentation/oauth-auth-grant-flow
const accessLife = 90 * time.Minute

// open opens the session's pair. A secret that was changed by mistake may be right again while Procore accepts the pair,
// and a key that the ring lacks may be read later while the user may still choose.
func (h Handover) open(ctx context.Context, s Session) (procore.Token, error) {
	now := h.Sessions.Clock.Now()
	ours, err := h.Sessions.ours(ctx, s)
	switch {
	case err != nil:
		return procore.Token{}, err
	case !ours && now.After(s.Expires.Add(accessLife-ChoiceLifetime)):
		return procore.Token{}, errUseless
	case !ours:
		return procore.Token{}, errOther
	}
	pair, err := h.Sessions.open(ctx, s, Authorized)
	if errors.Is(err, errSealed) && (now.After(s.Expires) || !errors.Is(err, keys.ErrUnknown)) {
		err = errUseless
	}
	return pair, err
}

// discard revokes a stale pair, and abandons its session.
func (h Handover) discard(ctx context.Context, s Session, pair procore.Token) (Session, error) {
	if err := h.Tokens.Discard(ctx, pair); err != nil {
		return s, fmt.Errorf("session: a stale pair was not revoked: %w", err)
	}
	return h.abandon(ctx, s, Stale)
}

// abandon ends a session that has a pair.
func (h Handover) abandon(ctx context.Context, s Session, why Reason) (Session, error) {
	next := s.abandoned(why)
	err := h.Sessions.write(ctx, s, next)
	switch {
	case errors.Is(err, ErrUsed):
		return h.moved(ctx, s)
	case err != nil:
		return s, err
	}
	return next, next.Err()
}

// moved returns a session that another process moved or abandoned in the meantime.
func (h Handover) moved(ctx context.Context, s Session) (Session, error) {
	again, err := h.Sessions.Reread(ctx, s)
	switch {
	case err != nil:
		return s, err
	case again.Flow == "":
		return again, ErrUnknown
	case again.Status == Authorized:
		return again, errors.New("session: the row refused a step although it is as before")
	}
	return again, again.Err()
}
