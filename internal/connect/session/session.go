// Package session stores a browser's authorization from its start to the choice
// of a company. Each authorization is one row of the Sessions table, so that two
// tabs do not interfere with each other.
//
//	started     a state was issued, and the browser was sent to Procore
//	exchanging  the state was consumed; the code is being exchanged
//	authorized  a sealed pair waits for [Handover.Move]: the only status with a pair
//	pending     the user's grant has the pair, or a better one; no company is chosen yet
//	chosen      the company is recorded and being verified
//	connected   the company is connected by the user's grant
//	abandoned   the user canceled, or the pair was of no use
//
// A row is found by its flow, the hash of the state, and opens only for the
// browser that has the flow's cookie. The cookie's value is replaced when the
// browser comes back from Procore. A row of another environment or client id is
// unknown: its pair must not be sent to this one.
package session

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/platform/dynamo"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// StateLifetime is how long a state is valid, as long as Procore's code.
	StateLifetime = 10 * time.Minute
	// ChoiceLifetime is how long a user may take to choose a company.
	ChoiceLifetime = 30 * time.Minute
	// moveAfter is how old a session with a pair is before a schedule moves the pair.
	moveAfter = 5 * time.Minute
	// resultLifetime is how long the browser can open the result again.
	resultLifetime = time.Hour
	// cookieLifetime is how long a browser keeps a flow's cookie. It is longer than
	// the row is valid: without the cookie, a flow that took too long would look as
	// if it belonged to another browser.
	cookieLifetime = ChoiceLifetime + resultLifetime
)

var (
	// ErrUnknown means that this browser has no such flow: it never existed, belongs
	// to another browser, or was deleted. The user starts again.
	ErrUnknown = errors.New("session: no such authorization in this browser")
	// ErrExpired means that the flow took too long. The user starts again.
	ErrExpired = errors.New("session: the authorization has expired")
	// ErrUsed means that the step was already made, as after a reload. The caller
	// continues from where the session is now.
	ErrUsed = errors.New("session: the step was already made")
	// ErrEnded means that the session is abandoned. The user starts again.
	ErrEnded = errors.New("session: the authorization ended without a connection")
	// ErrCanceled is the ErrEnded of a session that its user canceled.
	ErrCanceled = fmt.Errorf("%w: its user canceled it", ErrEnded)
	// ErrStale is the ErrEnded of a session whose pair was revoked, because its refresh
	// token had been sent before. The browser is sent through the authorization once
	// more, which brings another pair.
	ErrStale = fmt.Errorf("%w: %w", ErrEnded, tokens.ErrStale)
)

// Status is how far a session has come.
type Status string

// The statuses, in order.
const (
	Started    Status = "started"
	Exchanging Status = "exchanging"
	Authorized Status = "authorized"
	Pending    Status = "pending"
	Chosen     Status = "chosen"
	Connected  Status = "connected"
	Abandoned  Status = "abandoned"
)

// Reason is why a session is abandoned.
type Reason string

// The reasons.
const (
	Canceled Reason = "canceled" // by its user
	Failed   Reason = "failed"   // the code brought no pair
	Dead     Reason = "dead"     // Procore does not accept the pair, or it does not open
	Stale    Reason = "stale"    // the pair's refresh token was sent before
)

// Session is one row. It prints no secret.
type Session struct {
	Flow        string // public name of the row: the hash of its state
	Status      Status
	Reason      Reason // why it is abandoned
	Environment string
	RedirectURI string
	Again       bool // the authorization repeats a stale one
	Expires     time.Time
	Principal   tokens.Principal // from pending on
	UserName    string           // from pending on
	CompanyID   int64            // once chosen

	client string // hash of the client id
	cookie string // hash of the cookie's value
	sealed tokens.Sealed
}

// Err returns the ErrEnded of an abandoned session, and nil for any other one.
func (s Session) Err() error {
	switch {
	case s.Status != Abandoned:
		return nil
	case s.Reason == Canceled:
		return ErrCanceled
	case s.Reason == Stale:
		return ErrStale
	}
	return ErrEnded
}

// Store keeps the sessions. DB, Table, Keys and OAuth must be set.
type Store struct {
	DB    *dynamodb.Client
	Table string
	Keys  tokens.SecretSource[*tokens.Keys]
	OAuth tokens.SecretSource[*procore.OAuth] // whose environment and client id the sessions are of

	Clock  procore.Clock
	Random procore.Random
}

// Start is a new authorization: its secrets, and the flow that names it.
type Start struct {
	Flow     string
	State    procore.Secret // for Procore
	Verifier procore.Secret // of PKCE
	Cookie   procore.Secret // for the browser
}

// Begin stores the row of a new authorization. again says that it repeats a stale one.
func (s *Store) Begin(ctx context.Context, redirectURI string, again bool) (Start, error) {
	keys, err := s.Keys.Get(ctx)
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
		Flow: st.Flow, Status: Started, Environment: oauth.Environment.Name, RedirectURI: redirectURI, Again: again,
		Expires: s.Clock.Now().Add(StateLifetime), client: tokens.ClientHash(oauth.ClientID), cookie: hash(st.Cookie),
	}
	if row.sealed, err = keys.Seal(procore.Token{AccessToken: st.Verifier}, row.place(Started)); err != nil {
		return Start{}, err
	}
	item := row.attributes()
	item["session"] = dynamo.Text(st.Flow)
	err = dynamo.Write(ctx, s.DB, new(dynamo.Expression).Absent("session").Put(s.Table, item))
	// A row with this random name can only be our own: the answer to the first
	// write was lost, and the SDK wrote again.
	if err != nil && !dynamo.ConditionFailed(err) {
		return Start{}, fmt.Errorf("session: not stored: %w", err)
	}
	return st, nil
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
	next.sealed = tokens.Sealed{}
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
	keys, err := s.Keys.Get(ctx)
	if err != nil {
		return procore.Secret{}, err
	}
	next := exchanging
	next.Status = Authorized
	next.Expires = s.Clock.Now().Add(ChoiceLifetime)
	if next.sealed, err = keys.Seal(pair, next.place(Authorized)); err != nil {
		return procore.Secret{}, err
	}
	if cookie, err = nextCookie(keys, keys.Current(), exchanging, code); err != nil {
		return procore.Secret{}, err
	}
	next.cookie = hash(cookie)
	err = s.write(ctx, exchanging, next)
	if errors.Is(err, ErrUsed) {
		// A seal is never made twice: if it is stored, the answer to our own write was lost,
		// and the SDK wrote again.
		if stored, e := s.read(ctx, next.Flow); e == nil && bytes.Equal(stored.sealed.Ciphertext, next.sealed.Ciphertext) {
			err = nil
		}
	}
	return cookie, err
}

// Fail ends a session whose code brought no pair.
func (s *Store) Fail(ctx context.Context, exchanging Session) error {
	if exchanging.Status != Exchanging {
		return ErrUsed
	}
	return s.write(ctx, exchanging, exchanging.abandoned(Failed))
}

// resumeEvery is how often Resume reads the session.
const resumeEvery = 200 * time.Millisecond

// Resume returns the new cookie of a session whose callback a browser loads once more,
// with the code and the cookie from before the sign-in: it has not received the answer to
// the first one. While the code is being exchanged, Resume waits until the context ends.
// If the exchange brought no pair, or is not finished, the error is ErrUsed.
func (s *Store) Resume(ctx context.Context, state, cookie, code procore.Secret) (procore.Secret, error) {
	keys, err := s.Keys.Get(ctx)
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
		for _, id := range keys.IDs() {
			next, err := nextCookie(keys, id, before, code)
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
func nextCookie(keys *tokens.Keys, id string, before Session, code procore.Secret) (procore.Secret, error) {
	return derived(keys, id, "session cookie", before.Flow, before.cookie, code.Reveal())
}

// Find reads the flow's session for the browser with this cookie.
func (s *Store) Find(ctx context.Context, flow string, cookie procore.Secret) (Session, error) {
	if len(flow) != len(hash(procore.Secret{})) || cookie.IsZero() {
		return Session{}, ErrUnknown
	}
	found, err := s.read(ctx, flow)
	if err != nil {
		return Session{}, err
	}
	if !equal(found.cookie, hash(cookie)) {
		return Session{}, ErrUnknown
	}
	if ours, err := s.ours(ctx, found); err != nil || !ours {
		return Session{}, cmp.Or(err, ErrUnknown)
	}
	if s.Clock.Now().After(found.Expires) {
		return found, ErrExpired
	}
	return found, nil
}

// Reread reads a session that was found before once more, as after a lost race.
func (s *Store) Reread(ctx context.Context, found Session) (Session, error) {
	return s.read(ctx, found.Flow)
}

// ours reports whether a session is of the store's environment and client id.
func (s *Store) ours(ctx context.Context, found Session) (bool, error) {
	for _, read := range []func(context.Context) (*procore.OAuth, error){s.OAuth.Get, s.OAuth.Reread} {
		oauth, err := read(ctx)
		if err != nil {
			return false, err
		}
		if found.Environment == oauth.Environment.Name && found.client == tokens.ClientHash(oauth.ClientID) {
			return true, nil
		}
	}
	return false, nil
}

// Choose records the company, before the first call into it. From then on no other
// company can be chosen in this flow until Unchoose.
func (s *Store) Choose(ctx context.Context, pending Session, companyID int64) (Session, error) {
	if pending.Status != Pending {
		return pending, ErrUsed
	}
	next := pending
	next.Status, next.CompanyID = Chosen, companyID
	return next, s.write(ctx, pending, next)
}

// Unchoose lets the user choose again after Procore refused the company.
func (s *Store) Unchoose(ctx context.Context, chosen Session) error {
	if chosen.Status != Chosen {
		return ErrUsed
	}
	next := chosen
	next.Status, next.CompanyID = Pending, 0
	return s.write(ctx, chosen, next)
}

// Cancel ends a session whose user doesn't want to connect a company. Canceling twice is
// not an error. A session that is not pending or chosen, or has moved on in the meantime,
// is ErrUsed: a pair is moved first, so that housekeeping revokes it with its grant.
func (s *Store) Cancel(ctx context.Context, held Session) error {
	switch held.Status {
	case Abandoned:
		return nil
	case Pending, Chosen:
		return s.write(ctx, held, held.abandoned(Canceled))
	}
	return ErrUsed
}

func (s Session) abandoned(why Reason) Session {
	s.Status, s.Reason, s.sealed = Abandoned, why, tokens.Sealed{}
	return s
}

// Finish returns the part of the connecting transaction that ends a chosen session.
// For an hour, the session shows the browser what was connected.
func (s *Store) Finish(chosen Session) types.TransactWriteItem {
	chosen.Status = Chosen // the condition, whatever the caller passes
	next := chosen
	next.Status = Connected
	next.Expires = s.Clock.Now().Add(resultLifetime)
	return s.update(chosen, next)
}

// CSRFToken returns the value that a form of this session must carry, so that no
// other site can make the browser send it.
func (s *Store) CSRFToken(ctx context.Context, held Session, cookie procore.Secret) (procore.Secret, error) {
	keys, err := s.Keys.Get(ctx)
	if err != nil {
		return procore.Secret{}, err
	}
	return csrfToken(keys, keys.Current(), held, cookie)
}

// CheckCSRFToken reports whether a form's value is this session's.
func (s *Store) CheckCSRFToken(ctx context.Context, held Session, cookie, value procore.Secret) (bool, error) {
	keys, err := s.Keys.Get(ctx)
	if err != nil {
		return false, err
	}
	for _, id := range keys.IDs() {
		want, err := csrfToken(keys, id, held, cookie)
		if err != nil {
			return false, err
		}
		if want.Equal(value) {
			return true, nil
		}
	}
	return false, nil
}

func csrfToken(keys *tokens.Keys, id string, held Session, cookie procore.Secret) (procore.Secret, error) {
	return derived(keys, id, "session form", held.Flow, cookie.Reveal())
}

// derived returns a secret that follows from the parts, and that only a key of the ring can
// make.
func derived(keys *tokens.Keys, id, purpose string, parts ...string) (procore.Secret, error) {
	key, err := keys.Derive(id, purpose)
	if err != nil {
		return procore.Secret{}, err
	}
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		fmt.Fprintf(mac, "%q ", part)
	}
	return procore.NewSecret(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil))), nil
}

// errSealed means that no key opens what the row has sealed.
var errSealed = errors.New("session: the row does not open")

// open opens what the session has sealed for this status.
func (s *Store) open(ctx context.Context, held Session, sealedFor Status) (procore.Token, error) {
	return tokens.UseSecret(ctx, s.Keys, func(keys *tokens.Keys) (procore.Token, error) {
		pair, err := keys.Open(held.sealed, held.place(sealedFor))
		if err != nil {
			return pair, fmt.Errorf("%w: %w", errSealed, err)
		}
		return pair, nil
	})
}

// place returns what the session's pair or verifier is sealed for.
func (s Session) place(sealedFor Status) tokens.Place {
	return tokens.Place{Environment: s.Environment, Client: s.client, Table: "sessions " + string(sealedFor), Key: s.Flow}
}

// newSecret returns a state, a PKCE verifier (RFC 7636 section 4.1) or a cookie: 260
// bits in 52 characters of base32. Derived secrets have 52 such characters too. Nothing
// else here has that form, so internal/testing/proof/leaks finds them wherever they are printed.
func (s *Store) newSecret() procore.Secret {
	return procore.NewSecret(s.Random.Text() + s.Random.Text())
}

// equal reports whether two texts are equal, in a time that does not depend on where they differ.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func hash(s procore.Secret) string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
