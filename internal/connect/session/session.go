// Package session stores a browser's authorization from its start to the choice
// of a company. Each authorization is one row of the Sessions table, so that two
// tabs do not interfere with each other.
//
//	started     a state was issued, and the browser was sent to Procore
//	exchanging  the state was consumed; the code is being exchanged
//	authorized  a sealed pair waits for [Handover.Move]: the only status with a pair
//	pending     the user's grant has the pair, or a better one; no company is chosen yet
//	chosen      the company is recorded and being verified
//	connected   the company is connected by the user's grant; the row opens its page
//	abandoned   the user canceled, or the pair was of no use
//
// A row is found by its flow, the hash of the state, and opens only for the
// browser that has the flow's cookie. The cookie's value is replaced when the
// browser comes back from Procore. A row of another environment or client id is
// unknown: its pair must not be sent to this one.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"procore-connect/pkg/keys"
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
	// ReturnLifetime is how long the browser can come back to the connection that it made. The
	// row has no pair by then.
	ReturnLifetime = 14 * 24 * time.Hour
	// keptFor is how long a row is kept after it has expired, so that it shows that its flow is
	// over.
	keptFor = 24 * time.Hour
	// cookieLifetime is how long a browser keeps the cookie of a flow in progress. It is
	// longer than the row is valid: without the cookie, a flow that took too long would look
	// as if it belonged to another browser.
	cookieLifetime = ChoiceLifetime + time.Hour
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
	UserName    string           // from pending on, until it is connected
	CompanyID   int64            // once chosen

	Link     Link    // the host application's link that it follows; zero: none
	Refusal  Refusal // why a company was not connected that was chosen last; zero: none was refused
	Redeemed bool    // the host has redeemed the code of the outcome

	client      string // hash of the client id
	cookie      string // hash of the cookie's value
	code        string // hash of the code for the host
	codeExpires time.Time
	sealed      keys.Sealed
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
	Keys  keys.Source[*keys.Ring]
	OAuth keys.Source[*procore.OAuth] // whose environment and client id the sessions are of

	Clock  procore.Clock
	Random procore.Random
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

// errSealed means that no key opens what the row has sealed.
var errSealed = errors.New("session: the row does not open")

// open opens what the session has sealed for this status.
func (s *Store) open(ctx context.Context, held Session, sealedFor Status) (procore.Token, error) {
	return keys.Use(ctx, s.Keys, func(ring *keys.Ring) (procore.Token, error) {
		pair, err := ring.Open(held.sealed, held.place(sealedFor))
		if err != nil {
			return pair, fmt.Errorf("%w: %w", errSealed, err)
		}
		return pair, nil
	})
}

// place returns what the session's pair or verifier is sealed for.
func (s Session) place(sealedFor Status) keys.Place {
	return keys.Place{Environment: s.Environment, Client: s.client, Table: "sessions " + string(sealedFor), Key: s.Flow}
}
