// Package session keeps a browser's authorization from its start to the choice
// of a company: one row of the Sessions table each, so that two tabs do not
// disturb each other.
//
//	started   a state was issued, and the browser sent to Procore
//	exchanging  the state was consumed; the code is being exchanged
//	pending   a sealed pair waits for the choice of a company
//	chosen    the company is fixed and being verified
//	connected the pair has moved to the connection
//	abandoned the choice never came; the pair is being revoked
//
// A row is found by its flow, the hash of the state, and opens only for the
// browser that holds the flow's cookie. The cookie's value is replaced when the
// browser comes back from Procore.
package session

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/pkg/procore"
	"procore-connect/pkg/tokens"
)

const (
	// StartLife is how long a state is good; Procore's code lives as long.
	StartLife = 10 * time.Minute
	// ChoiceLife is how long a user may take to choose a company.
	ChoiceLife = 30 * time.Minute
	// shownLife is how long the result can be looked at again.
	shownLife = time.Hour
	// cookieLife is how long a browser keeps a flow's cookie, whose row tells how
	// much longer it opens anything. Without the cookie a flow that took too long
	// would look like one of another browser.
	cookieLife = ChoiceLife + shownLife
)

var (
	// ErrUnknown: there is no such flow for this browser: it never was, belongs
	// to another browser, or is gone. The user starts again.
	ErrUnknown = errors.New("session: no such authorization in this browser")
	// ErrExpired: the flow took too long. The user starts again.
	ErrExpired = errors.New("session: the authorization has expired")
	// ErrUsed: the step was made already, as after a reload.
	ErrUsed = errors.New("session: the step was made already")
)

// Status is how far a session is.
type Status string

// The statuses, in order.
const (
	Started    Status = "started"
	Exchanging Status = "exchanging"
	Pending    Status = "pending"
	Chosen     Status = "chosen"
	Connected  Status = "connected"
	Abandoned  Status = "abandoned"
)

// Session is one row. It prints no secret.
type Session struct {
	Flow        string // public name of the row: the hash of its state
	Status      Status
	Environment string
	RedirectURI string
	Expires     time.Time
	CompanyID   int64 // once chosen
	Principal   tokens.Principal

	cookie string // hash of the cookie's value
	sealed tokens.Sealed
}

// Store keeps the sessions. All fields but Now must be set.
type Store struct {
	DB    *dynamodb.Client
	Table string
	Keys  tokens.SecretSource[*tokens.Keys]
	Now   func() time.Time // nil: time.Now
}

// Start is what begins an authorization.
type Start struct {
	Flow     string
	State    string // to Procore
	Verifier string // of PKCE
	Cookie   string // to the browser
}

// Begin makes the row of a new authorization.
func (s *Store) Begin(ctx context.Context, environment, redirectURI string) (Start, error) {
	keys, err := s.Keys.Get(ctx)
	if err != nil {
		return Start{}, err
	}
	state := newSecret()
	st := Start{Flow: hash(state), State: state, Verifier: newSecret(), Cookie: newSecret()}
	verifier, err := keys.Seal(procore.Token{AccessToken: st.Verifier}, place(st.Flow, Started))
	if err != nil {
		return Start{}, err
	}
	expires := s.now().Add(StartLife)
	_, err = s.DB.PutItem(ctx, &dynamodb.PutItemInput{
		TableName: &s.Table,
		Item: map[string]types.AttributeValue{
			"session":      text(st.Flow),
			"status":       text(string(Started)),
			"environment":  text(environment),
			"redirect_uri": text(redirectURI),
			"cookie":       text(hash(st.Cookie)),
			"sealed":       &types.AttributeValueMemberB{Value: verifier.Box},
			"seal_key":     text(verifier.KeyID),
			"expires_at":   number(expires.Unix()),
			"ttl":          number(expires.Add(24 * time.Hour).Unix()),
		},
		ConditionExpression:      aws.String("attribute_not_exists(#s)"),
		ExpressionAttributeNames: map[string]string{"#s": "session"},
	})
	// A row of this random name can only be our own: the answer to the first
	// write was lost, and the SDK wrote again.
	_, ours := errors.AsType[*types.ConditionalCheckFailedException](err)
	if err != nil && !ours {
		return Start{}, fmt.Errorf("session: not stored: %w", err)
	}
	return st, nil
}

// FlowOf is the flow of a state.
func FlowOf(state string) string { return hash(state) }

// Consume uses the state up, for the browser with this cookie and once. It gives
// the session and the PKCE verifier for the exchange.
func (s *Store) Consume(ctx context.Context, state, cookie string) (Session, string, error) {
	found, err := s.Find(ctx, hash(state), cookie)
	switch {
	case err != nil:
		return found, "", err
	case found.Status != Started:
		return found, "", ErrUsed
	}
	verifier, err := s.open(ctx, found)
	if err != nil {
		return found, "", err
	}
	next := found
	next.Status = Exchanging
	next.sealed = tokens.Sealed{}
	if err := s.write(ctx, found, next); err != nil {
		return found, "", err
	}
	return next, verifier.AccessToken, nil
}

// Hold keeps the pair that the exchange gave, sealed, until the choice. It gives
// the browser's new cookie: the one from before the login is worth nothing now.
func (s *Store) Hold(ctx context.Context, exchanging Session, pair procore.Token) (cookie string, err error) {
	if exchanging.Status != Exchanging {
		return "", ErrUsed
	}
	keys, err := s.Keys.Get(ctx)
	if err != nil {
		return "", err
	}
	next := exchanging
	next.Status = Pending
	next.Expires = s.now().Add(ChoiceLife)
	if next.sealed, err = keys.Seal(pair, place(next.Flow, Pending)); err != nil {
		return "", err
	}
	cookie = newSecret()
	next.cookie = hash(cookie)
	err = s.write(ctx, exchanging, next)
	if errors.Is(err, ErrUsed) {
		// Nobody else has this cookie: if it is stored, the answer to our own
		// write was lost, and the SDK wrote again.
		if stored, e := s.read(ctx, next.Flow); e == nil && same(stored.cookie, next.cookie) {
			err = nil
		}
	}
	return cookie, err
}

// Find reads the flow's session for the browser with this cookie.
func (s *Store) Find(ctx context.Context, flow, cookie string) (Session, error) {
	if len(flow) != len(hash("")) || cookie == "" {
		return Session{}, ErrUnknown
	}
	found, err := s.read(ctx, flow)
	if err != nil {
		return Session{}, err
	}
	if !same(found.cookie, hash(cookie)) {
		return Session{}, ErrUnknown
	}
	if s.now().After(found.Expires) {
		return found, ErrExpired
	}
	return found, nil
}

// Reread reads a session that was found before once more, as after a lost race.
func (s *Store) Reread(ctx context.Context, found Session) (Session, error) {
	return s.read(ctx, found.Flow)
}

// Pair opens the pair of a session that holds one.
func (s *Store) Pair(ctx context.Context, held Session) (procore.Token, error) {
	if !held.holdsPair() {
		return procore.Token{}, ErrUsed
	}
	return s.open(ctx, held)
}

// Choose fixes the company, before the first call into it. From then on no other
// company can be chosen in this flow until Unchoose.
func (s *Store) Choose(ctx context.Context, pending Session, companyID int64, p tokens.Principal) (Session, error) {
	if pending.Status != Pending {
		return pending, ErrUsed
	}
	next := pending
	next.Status, next.CompanyID, next.Principal = Chosen, companyID, p
	return next, s.write(ctx, pending, next)
}

// Unchoose lets the user choose again after Procore refused the company.
func (s *Store) Unchoose(ctx context.Context, chosen Session) error {
	if chosen.Status != Chosen {
		return ErrUsed
	}
	next := chosen
	next.Status, next.CompanyID, next.Principal = Pending, 0, ""
	return s.write(ctx, chosen, next)
}

// Finish is the part of the connecting transaction that ends a chosen session:
// its pair goes, and what is left tells the browser for an hour where it got to.
func (s *Store) Finish(chosen Session) types.TransactWriteItem {
	chosen.Status = Chosen // its condition, whatever the caller passes
	next := chosen
	next.Status = Connected
	next.Expires = s.now().Add(shownLife)
	next.sealed = tokens.Sealed{}
	return types.TransactWriteItem{Update: s.update(chosen, next)}
}

// Form is the value that a form of this session must carry, so that no other
// site can make the browser send it.
func (s *Store) Form(ctx context.Context, held Session, cookie string) (string, error) {
	keys, err := s.Keys.Get(ctx)
	if err != nil {
		return "", err
	}
	return formValue(keys, keys.Current(), held, cookie)
}

// CheckForm says whether a form's value is this session's.
func (s *Store) CheckForm(ctx context.Context, held Session, cookie, value string) (bool, error) {
	keys, err := s.Keys.Get(ctx)
	if err != nil {
		return false, err
	}
	for _, id := range keys.IDs() {
		want, err := formValue(keys, id, held, cookie)
		if err != nil {
			return false, err
		}
		if hmac.Equal([]byte(want), []byte(value)) {
			return true, nil
		}
	}
	return false, nil
}

func formValue(keys *tokens.Keys, id string, held Session, cookie string) (string, error) {
	key, err := keys.Derive(id, "session form")
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%q %q", held.Flow, cookie)
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)), nil
}

func (s *Store) open(ctx context.Context, held Session) (procore.Token, error) {
	return tokens.UseSecret(ctx, s.Keys, func(keys *tokens.Keys) (procore.Token, error) {
		return keys.Open(held.sealed, place(held.Flow, held.sealStatus()))
	})
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// sealStatus is the status in which the session's seal was made.
func (s Session) sealStatus() Status {
	if s.Status == Started {
		return Started
	}
	return Pending
}

func place(flow string, s Status) tokens.Place {
	return tokens.Place{Table: "sessions " + string(s), Key: flow}
}

// newSecret draws a state, a PKCE verifier (RFC 7636 section 4.1) or a cookie: 260
// bits in 52 characters of base32. Forms carry 52 such characters too. Nothing
// else here has that form, so internal/testing/proof/leaks finds them wherever they are printed.
func newSecret() string { return rand.Text() + rand.Text() }

// same compares in a time that does not tell where two texts differ.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
