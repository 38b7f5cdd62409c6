package session

import (
	"cmp"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"time"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

// Start is a new authorization: its secrets, and the flow that names it.
type Start struct {
	Flow     string
	State    procore.Secret // for Procore
	Verifier procore.Secret // of PKCE
	Cookie   procore.Secret // for the browser
}

// Opening is how an authorization begins.
type Opening struct {
	RedirectURI string
	Again       bool   // it repeats a stale one
	Link        Link   // the host application's link that it follows; zero: none
	Before      string // this browser's flow that followed the link before; empty: the link was not used yet
}

// Begin stores the row of a new authorization. With a link, the same transaction uses that up: the error is ErrLinkUsed
// if another flow than Before began by it.
func (s *Store) Begin(ctx context.Context, o Opening) (Start, error) {
	ring, err := s.Keys.Get(ctx)
	if err != nil {
		return Start{}, err
	}
	oauth, err := s.OAuth.Get(ctx)
	if err != nil {
		return Start{}, err
	}
	state := s.newSecret()
	st := Start{Flow: hash(state), State: state, Verifier: s.newSecret(), Cookie: s.newSecret()}
	row := Session{
		Flow: st.Flow, Status: Started, Environment: oauth.Environment.Name, RedirectURI: o.RedirectURI, Again: o.Again, Link: o.Link,
		Expires: s.Clock.Now().Add(StateLifetime), client: tokens.ClientHash(oauth.ClientID), cookie: hash(st.Cookie),
	}
	if row.sealed, err = ring.Seal(procore.Token{AccessToken: st.Verifier}, row.place(Started)); err != nil {
		return Start{}, err
	}
	item := row.attributes()
	item["session"] = dynamo.Text(st.Flow)
	put := new(dynamo.Expression).Absent("session").Put(s.Table, item)
	if o.Link.Name == "" {
		err = dynamo.Write(ctx, s.DB, put)
	} else {
		err = dynamo.Transact(ctx, s.DB, put, s.useLink(o, st.Flow))
	}
	reasons, _ := dynamo.Refused(err)
	switch {
	case err == nil, reasons.Failed(0):
		// A row with this random name can only be our own: the answer to the first
		// write was lost, and the SDK wrote again.
		return st, nil
	case reasons.Failed(1), reasons.Conflicted(): // two flows at a time
		return Start{}, ErrLinkUsed
	}
	return Start{}, fmt.Errorf("session: not stored: %w", err)
}

// FlowOf returns the flow of a state.
func FlowOf(state procore.Secret) string { return hash(state) }

// Consume uses up the state, once and only for the browser with this cookie. It
// returns the session and the PKCE verifier for the exchange.
func (s *Store) Consume(ctx context.Context, state, cookie procore.Secret) (Session, procore.Secret, error) {
	found, err := s.Find(ctx, hash(state), cookie)
	switch {
	case err != nil:
		return found, procore.Secret{}, err
	case found.Status != Started:
		return found, procore.Secret{}, ErrUsed
	}
	verifier, err := s.open(ctx, found, Started)
	if err != nil {
		return found, procore.Secret{}, err
	}
	next := found
	next.Status = Exchanging
	next.sealed = keys.Sealed{}
	if err := s.write(ctx, found, next); err != nil {
		return found, procore.Secret{}, err
	}
	return next, verifier.AccessToken, nil
}

// StorePair stores the exchange's pair, sealed, until it is moved. It returns the
// browser's new cookie: the one from before the sign-in is now worthless without the code.
func (s *Store) StorePair(ctx context.Context, exchanging Session, code procore.Secret, pair procore.Token) (cookie procore.Secret, err error) {
	if exchanging.Status != Exchanging {
		return procore.Secret{}, ErrUsed
	}
	ring, err := s.Keys.Get(ctx)
	if err != nil {
		return procore.Secret{}, err
	}
	next := exchanging
	next.Status = Authorized
	next.Expires = s.Clock.Now().Add(ChoiceLifetime)
	if next.sealed, err = ring.Seal(pair, next.place(Authorized)); err != nil {
		return procore.Secret{}, err
	}
	if cookie, err = nextCookie(ring, ring.Current(), exchanging, code); err != nil {
		return procore.Secret{}, err
	}
	next.cookie = hash(cookie)
	err = s.write(ctx, exchanging, next)
	if errors.Is(err, ErrUsed) {
		// A seal is never made twice: if it is stored, the answer to our own write was lost,
		// and the SDK wrote again.
		if stored, e := s.read(ctx, next.Flow); e == nil && hmac.Equal(stored.sealed.Ciphertext, next.sealed.Ciphertext) {
			err = nil
		}
	}
	return cookie, err
}

// Fail ends a session that has no pair: its code brought none, or its user did not allow access.
func (s *Store) Fail(ctx context.Context, exchanging Session, why Reason) error {
	if exchanging.Status != Exchanging {
		return ErrUsed
	}
	return s.write(ctx, exchanging, exchanging.abandoned(why))
}

// resumeEvery is how often Resume reads the session.
const resumeEvery = 200 * time.Millisecond

// Resume returns the new cookie of a session whose callback a browser loads once more,
// with the code and the cookie from before the sign-in: it has not received the answer to
// the first one. While the code is being exchanged, Resume waits until the context ends.
// If the exchange brought no pair, or is not finished, the error is ErrUsed.
func (s *Store) Resume(ctx context.Context, state, cookie, code procore.Secret) (procore.Secret, error) {
	ring, err := s.Keys.Get(ctx)
	if err != nil {
		return procore.Secret{}, err
	}
	for {
		found, err := s.read(ctx, hash(state))
		switch {
		case err != nil && ctx.Err() != nil:
			return procore.Secret{}, ErrUsed
		case err != nil:
			return procore.Secret{}, err
		}
		if ours, err := s.ours(ctx, found); err != nil || !ours {
			return procore.Secret{}, cmp.Or(err, ErrUnknown)
		}
		before := Session{Flow: found.Flow, cookie: hash(cookie)}
		for _, id := range ring.IDs() {
			next, err := nextCookie(ring, id, before, code)
			if err != nil {
				return procore.Secret{}, err
			}
			if equal(found.cookie, hash(next)) {
				return next, nil
			}
		}
		switch {
		case !equal(found.cookie, before.cookie):
			return procore.Secret{}, ErrUnknown
		case found.Status != Exchanging || s.Clock.Sleep(ctx, resumeEvery) != nil:
			return procore.Secret{}, ErrUsed
		}
	}
}

// nextCookie returns the cookie that follows on the one from before the sign-in. Only the
// browser that Procore sent back has the code.
func nextCookie(ring *keys.Ring, id string, before Session, code procore.Secret) (procore.Secret, error) {
	return derived(ring, id, "session cookie", before.Flow, before.cookie, code.Reveal())
}
